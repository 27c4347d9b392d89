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
    let regressors = regressors.iter().zip(shares(regressors)).zip(scales);
    mean_hours_of(
        row,
        regressors.map(|((regressor, share), scale)| {
            let mut raw = [0.0; N_LEVELS];
            regressor.trees.predict_row(row, &mut raw);
            (share, scale, raw)
        }),
    )
}

/// The weights of regressors as shares of their sum.
pub(crate) fn shares(regressors: &[Regressor]) -> impl Iterator<Item = f64> {
    let weights = regressors.iter().map(|regressor| f64::from(regressor.weight));
    let total: f64 = weights.clone().sum();
    weights.map(move |weight| weight / total)
}

/// As [`mean_hours`], of each regressor's share, time scale and what its trees predict for the row.
pub(crate) fn mean_hours_of<'a>(
    row: &[f32],
    regressors: impl Iterator<Item = (f64, &'a FeatureTimeScale, [f64; N_LEVELS])>,
) -> [f64; N_LEVELS] {
    let mut sum = [0.0; N_LEVELS];
    for (share, scale, raw) in regressors {
        let scale = scale.of_row(row);
        let quantiles = sorted(&raw);
        sum.iter_mut().zip(quantiles).for_each(|(sum, scaled)| *sum += share * scale.hours(scaled));
    }
    sum
}
