//! The words of the field as types, shared by every other crate but `boost` and `statistics`.
//!
//! What is here: moments and days ([`Instant`], [`Day`]), the moment whose knowledge may be used
//! ([`AsOf`]), what became of a shipment ([`Outcome`]) and to what resolution it is recorded ([`Grain`]), the levels that are predicted ([`LEVELS`]), the days of
//! P(delivered by day) ([`DayGrid`]),
//! the feature matrix ([`Matrix`]), holidays in it ([`HolidaysAhead`]), digests, control objects ([`Schema`]), names of columns ([`column`]), and the kinds of errors
//! ([`ErrorClass`]).
//!
//! What is not: no I/O, no clock, no data frames.

pub mod column;

mod as_of;
mod day;
mod day_grid;
mod digest;
mod distance;
mod error_class;
mod grain;
mod holidays_ahead;
mod index;
mod instant;
mod matrix;
mod outcome;
mod quantile;
mod sealed;
mod text;

pub use as_of::{AsOf, AsOfError};
pub use day::Day;
pub use day_grid::DayGrid;
pub use digest::{Digest, DigestError, Fingerprint};
pub use distance::{EARTH_RADIUS_KM, haversine_km};
pub use error_class::ErrorClass;
pub use grain::Grain;
pub use holidays_ahead::HolidaysAhead;
pub use index::{KeyIdx, ShipmentIdx};
pub use instant::{DAY_MICROS, HOUR_MICROS, Instant, InstantError};
pub use matrix::{Feature, FeatureKind, FeatureList, Matrix, order_hour};
pub use outcome::{Outcome, TWO_DAYS_HOURS};
pub use quantile::{DAYS_AHEAD, LEVELS, MEDIAN, N_LEVELS, pinball_loss};
pub use sealed::{Schema, SealError};
pub use text::count;
