//! A build of all features from nothing and in memory.

use polars::prelude::PlHashSet;
use terms::{AsOf, Day, Instant};

use crate::state::{HistoryState, MonthStore, by_month};
use crate::{
    Declaration, Error, Frame, Month, Outcomes, PastSnapshots, Tables, assemble, assemble_snapshots,
};

/// What was built.
pub struct Built {
    /// Keys and features of every shipment.
    pub frame: Frame,
    /// The timelines of their outcomes.
    pub outcomes: Outcomes,
    /// Those of the nights up to the as-of; none unless they are declared.
    pub snapshots: PastSnapshots,
}

/// Builds the features, the outcome timelines and the snapshots of every shipment recorded before `as_of`,
/// from nothing and in memory.
///
/// As of: the row's own midnight for history, its first version for facts of the order; a snapshot's
/// midnight for all of it.
///
/// # Errors
/// If no shipment was recorded before `as_of`, or a column is not of its contract's type.
pub fn build(tables: &Tables, declared: &Declaration, as_of: AsOf) -> Result<Built, Error> {
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
    let (frame, outcomes) = assemble(&mut built.0, declared.limits)?;
    let snapshots = assemble_snapshots(&built.0, &frame, declared.snapshots.as_ref(), as_of)?;
    Ok(Built { frame, outcomes, snapshots })
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
