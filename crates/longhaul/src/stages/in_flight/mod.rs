//! What is in flight: snapshots of open shipments as rows to learn from and to predict (`rows`), how they are
//! judged (`judged`), the comparison of a hold-out (`comparison`), and forecasts night by night (`followed`).

mod comparison;
mod followed;
mod judged;
mod rows;

pub(crate) use self::comparison::compare;
pub(crate) use self::followed::followed;
pub(crate) use self::judged::{lane_baseline, shipments};
pub(crate) use self::rows::{InFlight, by_orders, hours_left, time_left, train_on_snapshots};
