//! What a ranking service links: loads a model and turns feature rows into distributions of
//! delivery time, in microseconds, in its own process.
//!
//! What is here: the model as a whole ([`Scorer`]), its files ([`Scorer::encode`],
//! [`Scorer::load`]), the distribution as published ([`Distribution`]) and as a function
//! ([`Mixture`]), the correction of quantiles ([`Calibration`]), record batches at the door.
//!
//! What is not: no data frames, no async, no network, no training, no building of features. The
//! only files that are read are those of a model folder.
//!
//! Order of work for a row: gate and regressor predict, the calibration corrects the regressor's
//! quantiles, the mixture joins both.
//!
//! Limits: values are f32; a row's features must be built as those of the model's training.

mod batch;
mod bundle;
mod calibration;
mod error;
mod mixture;
mod scorer;
#[cfg(test)]
mod tests;

pub use bundle::{FEATURES_FILE, FILES, GATE_FILE, MANIFEST_FILE, MIXTURE_FILE, REGRESSOR_FILE};
pub use calibration::{Calibration, Factors, Segment, sorted};
pub use error::Error;
pub use mixture::{Distribution, Knots, Mixture};
pub use scorer::{Parts, Scorer};
