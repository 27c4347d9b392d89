//! How many rows each part of a model was trained on, and what it was learned from.

use serde::{Deserialize, Serialize};
use terms::AsOf;

/// How many rows each part of a model was trained on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sizes {
    /// Rows ordered before the origin, within the history.
    pub rows: usize,
    /// Of these, excluded: without a delivery time to learn from.
    pub excluded: usize,
    /// Of all rows, those open at the origin that count as never delivered; they are among the excluded.
    pub never_delivered: usize,
    /// Rows of the regressor whose delivery was observed.
    pub observed: usize,
    /// Right-censored rows of the regressor: open at the origin.
    pub open: usize,
    /// Rows of the gate.
    pub gate: usize,
    /// Of these, over two days.
    pub gate_over_2d: usize,
    /// What the calibration was learned from, or why there is none.
    pub calibration: CalibrationBasis,
    /// What the recalibration was learned from, or why there is none.
    pub recalibration: CalibrationBasis,
    /// Whether the tail was learned or assumed.
    pub tail: TailBasis,
}

/// What the calibration was learned from, or why there is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "basis")]
pub enum CalibrationBasis {
    /// Matured orders after an earlier moment.
    Learned {
        /// The moment as of which the inner model was trained.
        as_of: AsOf,
        /// Rows predicted.
        rows: usize,
        /// Of these, right-censored.
        open: usize,
    },
    /// Weeks that were held out one after the other, where deliveries are few, or were much fewer at the
    /// earlier moment.
    HeldOut {
        /// One of so many weeks was held out at a time.
        folds: usize,
        /// Rows predicted.
        rows: usize,
        /// Of these, right-censored.
        open: usize,
        /// From 0 to 1: how much the errors of the inner model of the earlier moment count beside them.
        weight_of_earlier: f64,
    },
    /// Switched off.
    Disabled,
    /// Too few rows to train the inner model.
    TooFewToTrain {
        /// Observed rows found.
        found: usize,
        /// Observed rows needed.
        needed: usize,
    },
    /// Too few matured rows after the earlier moment.
    TooFewMatured {
        /// Observed rows found.
        found: usize,
        /// Observed rows needed.
        needed: usize,
    },
}

/// What the tail was estimated from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TailBasis {
    /// The rows that the calibration was learned from.
    Matured,
    /// The rows that the regressor was trained on.
    Training,
    /// Too few excesses: that of an exponential distribution is assumed.
    Assumed,
}
