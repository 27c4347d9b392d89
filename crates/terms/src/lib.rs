//! The words of the field as types, shared by every other room.
//!
//! What is here: the moment whose knowledge may be used ([`AsOf`]), what became of a shipment
//! ([`Outcome`]), the levels that are predicted ([`LEVELS`]), the feature matrix ([`Matrix`]),
//! digests and the names of columns ([`column`]).
//!
//! What is not: no I/O, no clock, no data frames.

pub mod column;

mod as_of;
mod digest;
mod distance;
mod matrix;
mod outcome;
mod quantile;

pub use as_of::{AsOf, AsOfError, DAY_MICROS, HOUR_MICROS};
pub use digest::{Digest, Fingerprint};
pub use distance::{EARTH_RADIUS_KM, haversine_km};
pub use matrix::{Feature, FeatureKind, FeatureList, Matrix};
pub use outcome::{LOST_AFTER_HOURS, Outcome, TWO_DAYS_HOURS};
pub use quantile::{DAYS_AHEAD, LEVELS, MEDIAN, N_LEVELS, pinball_loss};
