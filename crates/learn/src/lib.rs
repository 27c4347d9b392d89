//! Learning: the families of regressors behind one trait, the gate, the calibration, and how they
//! make a scorer as of a moment.
//!
//! What is here: [`train_as_of`], the families ([`Family`], [`family`]), their [`Settings`], the
//! readable gate ([`GateRules`]).
//!
//! What is not: no data frames, no files, no clock; features come as a matrix and outcomes as a
//! function of the moment. Scoring is the business of `scorer`, judging of `evaluate`.
//!
//! Limits: the matrix is in memory, and the rows of the regressor and the gate are copied out of
//! it once each.

mod calibrating;
mod checkpoints;
mod error;
mod family;
mod forest;
mod forest_structure;
mod gate;
mod gate_rules;
mod imputation;
mod kaplan_meier;
mod population;
mod sampling;
mod settings;
mod tail;
mod train;
#[cfg(test)]
mod world_tests;

pub use checkpoints::{CheckpointError, Checkpoints, NoCheckpoints};
pub use error::Error;
pub use family::{Family, TrainingRows, family};
pub use gate_rules::{GateRules, Imputed, Rule};
pub use settings::{CalibrationSettings, FamilyName, ForestSettings, GateSettings, Settings};
pub use train::{CalibrationBasis, Sizes, TailBasis, Trained, train_as_of};
