//! Keys of history: which rows share one.

use polars::prelude::*;

use crate::Error;
use crate::declaration::{KeyPart, key_parts};
use crate::timeline::texts;

/// Positions of the keys that were met, in the order in which they were.
#[derive(Debug, Clone, Default)]
pub(crate) struct Positions {
    parts: Vec<KeyPart>,
    places: PlHashMap<PlSmallStr, u32>,
}

impl Positions {
    /// None yet, of a declared key.
    pub(crate) fn of(key: &[String]) -> Result<Self, Error> {
        Ok(Self { parts: key_parts(key)?, places: PlHashMap::default() })
    }

    /// The keys by position, as texts that [`Positions::note`] takes.
    pub(crate) fn texts(&self) -> Vec<PlSmallStr> {
        let mut texts = vec![PlSmallStr::EMPTY; self.places.len()];
        for (text, &place) in &self.places {
            texts[place as usize] = text.clone();
        }
        texts
    }

    /// The position of a key, a new one if it was not met before.
    pub(crate) fn note(&mut self, text: &str) -> u32 {
        let next = self.places.len() as u32;
        match self.places.get(text) {
            Some(&place) => place,
            None => *self.places.entry(text.into()).or_insert(next),
        }
    }

    /// The position of each row's key.
    pub(crate) fn of_rows(&mut self, firsts: &DataFrame) -> Result<Vec<u32>, Error> {
        let columns = self.parts.iter().map(|part| texts(firsts, &part.column));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let lengths: Vec<Option<usize>> = self.parts.iter().map(|part| part.prefix).collect();
        let mut text = String::new();
        let mut positions = Vec::with_capacity(firsts.height());
        for row in 0..firsts.height() {
            text.clear();
            for (column, length) in columns.iter().zip(&lengths) {
                let whole = column.get(row).unwrap_or_default();
                let end = length.and_then(|length| whole.char_indices().nth(length));
                text.push_str(end.map_or(whole, |(end, _)| &whole[..end]));
                text.push('\u{1f}');
            }
            positions.push(self.note(&text));
        }
        Ok(positions)
    }
}
