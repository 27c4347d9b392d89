//! History state: what the past leaves for the rows of later days, so that one more day is added
//! without reading it again.
//!
//! [`HistoryState::advance`] is the one step: it ingests what was recorded on some days and builds
//! the rows of the shipments that are new. Its result depends on what was recorded on which day,
//! never on how many days are ingested at once: a full build is the same fold over days as any
//! sequence of nightly runs. A row, once built, stays as it is.
//!
//! The state has the orders and shipments that can still change ([`active_shipments`]), the index
//! of every key, and the [running totals](crate::as_of) of the months that are still read; what is
//! older is asked of a [`MonthStore`].

mod active_shipments;
mod files;
mod history_state;
mod id_lookup;
mod month_store;
mod order_idx;
mod orders;
mod page_file;
mod promises;
mod shipments;
mod snapshots;
#[cfg(test)]
mod tests;

pub use self::files::StateFiles;
pub use self::history_state::{HistoryState, Update, by_month};
pub use self::month_store::MonthStore;
