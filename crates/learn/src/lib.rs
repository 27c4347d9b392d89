//! Training: turns feature rows and their outcomes, as known at one moment, into a model that
//! `scorer` loads.
//!
//! What is here: [`train_as_of`]; the families of quantile regressors ([`FamilyName`]); the
//! gate for more or less than two days, boosted and as readable rules ([`GateRules`]); the conformal
//! calibration; the [`Settings`] of all.
//!
//! What is not: no data frames, no files, no clock. Features come as a matrix, outcomes as a function
//! of the moment. `scorer` scores, `evaluate` evaluates.
//!
//! Limits: the matrix is in memory, and the rows of the gate and of each regressor are copied out
//! of it one after the other.

mod baseline;
mod boosted;
mod calibration;
mod checkpoints;
mod corrections;
mod ensemble;
mod ensemble_settings;
#[cfg(test)]
mod ensemble_tests;
mod error;
mod families;
mod family;
mod forest;
mod forest_structure;
mod gate;
mod gate_rules;
mod imputation;
mod lane_trees;
mod leaf_counts;
mod network_features;
mod never_delivered;
mod population;
mod recalibration;
mod regressors;
mod sampling;
mod search;
mod settings;
mod sizes;
mod tail;
mod time_scale;
mod train;
#[cfg(test)]
mod training_tests;

pub use checkpoints::{CheckpointError, Checkpoints, NoCheckpoints};
pub use ensemble_settings::{EnsembleSettings, SearchSettings};
pub use error::Error;
pub use gate_rules::{GateRule, GateRules, Imputed};
pub use search::{Candidate, Search};
pub use settings::{
    CalibrationSettings, FamilyName, ForestSettings, GateSettings, RecalibrationSettings, Settings,
    TimeScaleSettings,
};
pub use sizes::{CalibrationBasis, Sizes, TailBasis};
pub use train::{Trained, train_as_of};
