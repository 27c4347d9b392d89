//! What was known as of a moment, as a feature matrix.
//!
//! The features of a shipment are facts of its order, which the shop knows when it is placed, and
//! history: how long deliveries took for its node, lane, destination and everywhere, over several
//! windows. History uses a fact only if it was recorded before the UTC midnight at or before the
//! order, so a row's features never change however much is learned later.
//!
//! Order of work, for the days that are new ([`Memory`]):
//! 1. [`tables`] and [`timeline`]: what was recorded becomes timelines of states;
//! 2. [`memory`]: the shipments that can still change, and what is new of them;
//! 3. [`facts`] and [`calendar`]: columns known at order time, read from the first version only,
//!    and from what is known of [nodes and holidays](surroundings);
//! 4. [`events`] and [`legs`]: each change of a state, and of what a leg took, becomes a dated
//!    difference of a [quantity](declaration);
//! 5. [`as_of`]: the one as-of join looks differences up by [key](keys) and day;
//! 6. [`history`]: statistics over windows, as declared in a file and not coded one by one;
//! 7. [`month`]: rows and versions as they are kept, and put together into the
//!    [matrix](frame) and the [outcomes] as of any later moment.
//!
//! What is not here: no storage, no models, no clock.

mod as_of;
mod calendar;
mod declaration;
mod error;
mod events;
mod facts;
mod frame;
mod history;
mod keys;
mod legs;
mod memory;
mod month;
mod outcomes;
mod proof;
mod surroundings;
mod tables;
mod timeline;

pub use declaration::{Declaration, Group, Statistic};
pub use error::Error;
pub use frame::{Frame, PROMISED_HOURS, encode, feature_list};
pub use memory::{Learned, Memory, Saved, by_month, month_of};
pub use month::{Month, assemble};
pub use outcomes::Outcomes;
pub use proof::{Alteration, Build, Difference, Proof, Tried};
pub use tables::Tables;
pub use timeline::Doubt;

use polars::prelude::PlHashSet;
use terms::{AsOf, Day};

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
    let known = tables.recorded(AsOf::from_micros(i64::MIN), as_of)?;
    let mut memory = Memory::new(declared)?;
    let mut months: Vec<Month> = Vec::new();
    for days in known.days()?.into_iter().flat_map(by_month) {
        let of_days = known.recorded(
            AsOf::start_of(Day::since_epoch(days.start)),
            AsOf::start_of(Day::since_epoch(days.end)),
        )?;
        let mut forgotten = PlHashSet::default();
        let strangers = memory.strangers(&of_days)?;
        for month in months.iter().filter(|_| !strangers.is_empty()) {
            forgotten.extend(month.orders_among(&strangers)?);
        }
        memory.learn(&of_days, days, &forgotten)?;
        months.push(memory.features()?.month.in_order()?);
    }
    if months.iter().all(|month| month.n_rows() == 0) {
        return Err(Error::NothingKnown { as_of });
    }
    assemble(&months)
}
