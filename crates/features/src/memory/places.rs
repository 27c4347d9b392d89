//! Where ids are among those that are remembered.

use polars::prelude::PlHashMap;

/// Positions of those ids that some rows ask for. What is tracked is many times what a night
/// brings: looking through it for a few is cheaper than an index of it all.
pub(super) struct Places<'a>(PlHashMap<&'a str, Option<u32>>);

impl<'a> Places<'a> {
    /// Of `known` those that are asked for.
    pub(super) fn of<'b>(
        asked: impl Iterator<Item = &'a str>,
        known: impl Iterator<Item = &'b str>,
    ) -> Self {
        let mut places: PlHashMap<&str, Option<u32>> = asked.map(|id| (id, None)).collect();
        for (id, place) in known.zip(0..) {
            if let Some(found) = places.get_mut(id) {
                *found = Some(place);
            }
        }
        Self(places)
    }

    pub(super) fn get(&self, id: &str) -> Option<u32> {
        self.0.get(id).copied().flatten()
    }

    pub(super) fn note(&mut self, id: &'a str, place: u32) {
        self.0.insert(id, Some(place));
    }
}
