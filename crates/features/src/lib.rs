//! What was known as of a moment, as a feature matrix.
//!
//! The features of a shipment are facts of its order, which the shop knows when it is placed, and
//! history: how long deliveries took for its node, lane, destination and everywhere, over several
//! windows. History uses a fact only if it was recorded before the UTC midnight at or before the
//! order, so a row's features never change however much is learned later.
//!
//! Order of work ([`build`]):
//! 1. [`timeline`]: the versions of each shipment become one timeline of states;
//! 2. [`facts`] and [`calendar`]: columns known at order time, read from the first version only;
//! 3. [`events`]: each change of a state becomes a dated difference of a [quantity](declaration);
//! 4. [`as_of`]: the one as-of join looks differences up by key and day;
//! 5. [`history`]: statistics over windows, as declared in a file and not coded one by one;
//! 6. [`outcomes`]: what was known of each delivery, as of any later moment;
//! 7. [`frame`]: the matrix as a frame, as bytes, and as numbers for training.
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
mod outcomes;
mod proof;
mod timeline;

pub use declaration::{Declaration, Group, Statistic};
pub use error::Error;
pub use frame::{Frame, PROMISED_HOURS, encode, feature_list};
pub use outcomes::Outcomes;
pub use proof::{Alteration, Build, Difference, Proof, Tables, Tried};
pub use timeline::Doubt;

use polars::prelude::*;
use terms::AsOf;

/// Builds the features and the outcome timelines of every shipment recorded before `as_of`.
///
/// `orders` and `shipments` hold all versions; those recorded at or after `as_of` are ignored.
/// `doubts` are versions in quarantine: from then on their shipment has no outcome.
///
/// As of: the row's own midnight for history, its first version for facts of the order.
///
/// # Errors
/// If no shipment was recorded before `as_of`, or a column is not of its contract's type.
pub fn build(
    orders: &DataFrame,
    shipments: &DataFrame,
    doubts: &[Doubt],
    declared: &Declaration,
    as_of: AsOf,
) -> Result<(Frame, Outcomes), Error> {
    let placed = timeline::read(orders, shipments, doubts, as_of)?;
    if placed.len() == 0 {
        return Err(Error::NothingKnown { as_of });
    }
    let mut columns = placed.key_columns()?;
    columns.extend(facts::columns(&placed, declared)?);
    columns.extend(calendar::columns(&placed, declared)?);
    columns.extend(history::columns(&placed, declared)?);
    let frame = Frame::new(columns)?;
    let outcomes = Outcomes::new(&placed);
    Ok((frame, outcomes))
}
