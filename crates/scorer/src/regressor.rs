//! A regressor: trees that predict the quantiles of delivery time, and the time
//! scale on which they do.
//!
//! A model has one or several, of whose quantiles the weighted mean is taken, in hours. Trees that
//! know the network's history in hours, and trees that know its level only, err in different seasons,
//! and their average errs less than either.
//!
//! Source: averaging quantiles rather than probabilities, Lichtendahl, Grushka-Cockayne and Winkler,
//! Management Science 59(7), 2013.

use terms::N_LEVELS;

use crate::calibration::sorted;
use crate::time_scale::{FeatureTimeScale, TimeScale};

/// Trees and their time scale.
#[derive(Debug, Clone)]
pub struct Regressor {
    /// Predicts the quantiles at [`terms::LEVELS`] on the time scale.
    pub trees: boost::Model,
    /// What the quantiles are multiples of.
    pub time_scale: TimeScale,
    /// Its weight in the mean, relative to the others'.
    pub weight: f32,
}

/// The weighted mean of the regressors' quantiles of a row, in hours, ascending. `scales` are those of
/// the regressors. Shapes: `row` n_features.
///
/// # Panics
/// If `row` is not as long as the feature list of the regressors.
pub fn mean_hours(
    regressors: &[Regressor],
    scales: &[FeatureTimeScale],
    row: &[f32],
) -> [f64; N_LEVELS] {
    mean_hours_of(regressors, scales, row, |position| {
        let mut raw = [0.0; N_LEVELS];
        regressors[position].trees.predict_row(row, &mut raw);
        raw
    })
}

/// As [`mean_hours`], with what the trees of the regressor at a position predict for the row.
pub(crate) fn mean_hours_of(
    regressors: &[Regressor],
    scales: &[FeatureTimeScale],
    row: &[f32],
    predicted: impl Fn(usize) -> [f64; N_LEVELS],
) -> [f64; N_LEVELS] {
    let mut sum = [0.0; N_LEVELS];
    let total: f64 = regressors.iter().map(|regressor| f64::from(regressor.weight)).sum();
    for (position, (regressor, scale)) in regressors.iter().zip(scales).enumerate() {
        let scale = scale.of_row(row);
        let quantiles = sorted(&predicted(position));
        let share = f64::from(regressor.weight) / total;
        sum.iter_mut().zip(quantiles).for_each(|(sum, scaled)| *sum += share * scale.hours(scaled));
    }
    sum
}
