//! Keys of history: which rows share one, for example a node or a lane.

use polars::prelude::*;
use terms::KeyIdx;

use crate::Error;
use crate::columns::texts;
use crate::declaration::{KeyPart, key_parts};
use crate::declared_name::DeclaredName as _;

/// Gives each distinct key of a declaration an index, in the order in which keys appear.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeyInterner {
    parts: Vec<KeyPart>,
    indices: PlHashMap<PlSmallStr, KeyIdx>,
}

impl KeyInterner {
    /// Without keys yet, of a declared key.
    pub(crate) fn new(key: &[String]) -> Result<Self, Error> {
        Ok(Self { parts: key_parts(key)?, indices: PlHashMap::default() })
    }

    /// The keys by index, as texts that [`KeyInterner::intern`] takes.
    pub(crate) fn texts(&self) -> Vec<PlSmallStr> {
        let mut texts = vec![PlSmallStr::EMPTY; self.indices.len()];
        for (text, index) in &self.indices {
            texts[index.as_usize()] = text.clone();
        }
        texts
    }

    /// The index of a key, a new one if the key is new.
    pub(crate) fn intern(&mut self, text: &str) -> KeyIdx {
        let next = KeyIdx(self.indices.len() as u32);
        match self.indices.get(text) {
            Some(&index) => index,
            None => *self.indices.entry(text.into()).or_insert(next),
        }
    }

    /// The index of each row's key.
    pub(crate) fn of_rows(&mut self, firsts: &DataFrame) -> Result<Vec<KeyIdx>, Error> {
        let columns = self.parts.iter().map(|part| texts(firsts, part.column.name()));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let lengths: Vec<Option<usize>> = self.parts.iter().map(|part| part.prefix).collect();
        let mut text = String::new();
        let mut indices = Vec::with_capacity(firsts.height());
        for row in 0..firsts.height() {
            text.clear();
            for (column, length) in columns.iter().zip(&lengths) {
                let whole = column.get(row).unwrap_or_default();
                let end = length.and_then(|length| whole.char_indices().nth(length));
                text.push_str(end.map_or(whole, |(end, _)| &whole[..end]));
                // The unit separator, which no text has: "a" + "bc" is another key than "ab" + "c".
                text.push('\u{1f}');
            }
            indices.push(self.intern(&text));
        }
        Ok(indices)
    }
}
