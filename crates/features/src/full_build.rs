//! A build of all features from nothing and in memory.

use polars::prelude::PlHashSet;
use terms::{AsOf, Day, Instant};

use crate::state::{HistoryState, MonthStore, by_month};
use crate::{Declaration, Error, Frame, Month, Outcomes, Tables, assemble};

/// Builds the features and the outcome timelines of every shipment recorded before `as_of`, from
/// nothing and in memory.
///
/// As of: the row's own midnight for history, its first version for facts of the order.
///
/// # Errors
/// If no shipment was recorded before `as_of`, or a column is not of its contract's type.
pub fn build(
    tables: &Tables,
    declared: &Declaration,
    as_of: AsOf,
) -> Result<(Frame, Outcomes), Error> {
    let known = tables.recorded(Instant::MIN..as_of.instant())?;
    let mut state = HistoryState::new(declared)?;
    let mut built = BuiltMonths(Vec::new());
    for days in known.days()?.into_iter().flat_map(by_month) {
        let of_days = known.recorded(days.start.start()..days.end.start())?;
        let update = state.advance(of_days, days, &built)?;
        built.0.push(update.month.sorted()?);
    }
    if built.0.iter().all(|month| month.n_rows() == 0) {
        return Err(Error::NothingKnown { as_of });
    }
    assemble(&built.0, declared.limits)
}

/// The months built so far. Their pages stay in the state, which evicts none here.
struct BuiltMonths(Vec<Month>);

impl MonthStore for BuiltMonths {
    type Error = Error;
    type Bytes = Vec<u8>;

    fn page(&self, first_day: Day) -> Result<Vec<u8>, Error> {
        Err(Error::PageMissing { month: first_day })
    }

    fn already_built(&self, ids: &PlHashSet<String>) -> Result<PlHashSet<String>, Error> {
        let mut built = PlHashSet::default();
        for month in &self.0 {
            built.extend(month.orders_among(ids)?);
        }
        Ok(built)
    }
}
