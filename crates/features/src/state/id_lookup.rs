//! Looks ids of orders or shipments up among those that are active.

use polars::prelude::PlHashMap;

/// The indices of the wanted ids. Many more orders and shipments are active than a day's tables
/// name: one pass over them for the few that are wanted is cheaper than an index of all.
pub(super) struct IdLookup<'a, I>(PlHashMap<&'a str, Option<I>>);

impl<'a, I: Copy> IdLookup<'a, I> {
    /// The `wanted` ones among `active`.
    pub(super) fn of<'b>(
        wanted: impl Iterator<Item = &'a str>,
        active: impl Iterator<Item = (&'b str, I)>,
    ) -> Self {
        let mut indices: PlHashMap<&str, Option<I>> = wanted.map(|id| (id, None)).collect();
        for (id, index) in active {
            if let Some(found) = indices.get_mut(id) {
                *found = Some(index);
            }
        }
        Self(indices)
    }

    /// The index of an id, if it is active.
    pub(super) fn get(&self, id: &str) -> Option<I> {
        self.0.get(id).copied().flatten()
    }

    /// Adds an id that became active.
    pub(super) fn insert(&mut self, id: &'a str, index: I) {
        self.0.insert(id, Some(index));
    }
}
