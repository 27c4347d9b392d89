//! What history state needs from whoever keeps the months that are already built.

use polars::prelude::PlHashSet;
use terms::Day;

/// The months that are already built. [History state](crate::HistoryState) keeps only what can
/// still change, and reads the rest from here.
pub trait MonthStore {
    /// What can go wrong: reading, or the state's own errors.
    type Error: From<crate::Error>;
    /// The bytes of a page.
    type Bytes: AsRef<[u8]>;

    /// The page of running totals of the month that begins on `first_day`, as
    /// [`page`](crate::HistoryState::page) gave it when the month was last advanced.
    ///
    /// # Errors
    /// If it cannot be read.
    fn page(&self, first_day: Day) -> Result<Self::Bytes, Self::Error>;

    /// Those of the orders `ids` that have a row in a month that is built.
    ///
    /// # Errors
    /// If the rows cannot be read.
    fn already_built(&self, ids: &PlHashSet<String>) -> Result<PlHashSet<String>, Self::Error>;
}
