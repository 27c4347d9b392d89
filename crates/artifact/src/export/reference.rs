//! What a reader of the exported files has to compute for a row, in f64.
//!
//! [`Scorer`] adds the leaves of trees in f32. Other programs do so in f64, so this is what they are
//! compared with; behind the trees every step is the scorer's own.

use boost::Model;
use scorer::{FeatureTimeScale, Mixture, RecalibratedLevels, Scorer};
use terms::{LEVELS, N_LEVELS, column, order_hour};

use crate::Error;

/// No duration is shorter; as in `scorer::sorted`.
const QUANTILE_MIN: f64 = 1e-3;

/// The leaf of each tree that a row is routed to; of an ensemble without trees that of the one
/// constant tree that it is exported as.
pub(super) fn leaves(model: &Model, row: &[f32]) -> Vec<u32> {
    let mut leaves: Vec<u32> = model.trees().iter().map(|tree| tree.leaf_of(row) as u32).collect();
    if leaves.is_empty() {
        leaves.push(0);
    }
    leaves
}

/// The sums of base and leaf values, each added in f64 in the order of the trees. Shapes: one for
/// each output of the model, in its order.
pub(super) fn raw_scores(model: &Model, leaves: &[u32]) -> Vec<f64> {
    // A reader's sum begins at 0, so that no sum is -0.
    let mut sums: Vec<f64> = model.base().iter().map(|&base| 0.0 + f64::from(base)).collect();
    for (tree, &leaf) in model.trees().iter().zip(leaves) {
        for (sum, &value) in sums.iter_mut().zip(tree.leaf(leaf as usize)) {
            *sum += f64::from(value);
        }
    }
    sums
}

/// The scorer's steps behind the trees.
pub(super) struct Reference<'a> {
    scorer: &'a Scorer,
    time_scales: Vec<FeatureTimeScale>,
    recalibrated: RecalibratedLevels,
    week_hours: Option<usize>,
}

impl<'a> Reference<'a> {
    pub(super) fn new(scorer: &'a Scorer) -> Result<Self, Error> {
        let features = scorer.features();
        let scales = scorer.parts().regressors.iter();
        let scales = scales.map(|regressor| regressor.time_scale.clone().of_features(features));
        let unfit = |source| Error::Scorer { model_id: scorer.model_id().to_owned(), source };
        Ok(Self {
            scorer,
            time_scales: scales.collect::<Result<_, _>>().map_err(unfit)?,
            recalibrated: scorer.parts().recalibration.levels(),
            week_hours: features.position(column::ORDERED_WEEK_HOURS),
        })
    }

    /// The quantiles in hours and P(more than two days) of a row with these raw scores. Shapes:
    /// `regressors` has one for each level of each regressor.
    pub(super) fn distribution(
        &self,
        row: &[f32],
        log_odds: f64,
        regressors: &[Vec<f64>],
    ) -> ([f64; N_LEVELS], f64) {
        let parts = self.scorer.parts();
        let total: f64 = parts.regressors.iter().map(|each| f64::from(each.weight)).sum();
        let mut mean = [0.0; N_LEVELS];
        for ((regressor, scale), raw) in
            parts.regressors.iter().zip(&self.time_scales).zip(regressors)
        {
            let mut quantiles = raw.clone();
            quantiles.iter_mut().for_each(|quantile| *quantile = quantile.max(QUANTILE_MIN));
            quantiles.sort_by(f64::total_cmp);
            let (scale, share) = (scale.of_row(row), f64::from(regressor.weight) / total);
            let hours = quantiles.into_iter().map(|scaled| share * scale.hours(scaled));
            mean.iter_mut().zip(hours).for_each(|(sum, hours)| *sum += hours);
        }
        let scale = self.time_scales[0].of_row(row);
        let corrected = parts.calibration.apply(mean.map(|hours| scale.scaled(hours)));
        let hours = self.recalibrated.apply(0.0, corrected).map(|scaled| scale.hours(scaled));

        let hour = self.week_hours.and_then(|at| order_hour(row[at])).unwrap_or(0.0);
        let tail_ratio = f64::from(parts.tail_ratio);
        let mixture = Mixture::of_quantiles(hours, tail_ratio, parts.grain, hour);
        let over = mixture.probability_over_2d();
        let mean = f64::midpoint(log_odds, (over / (1.0 - over)).ln());
        let mixture = mixture.with_over_2d(1.0 / (1.0 + (-mean).exp()));
        (LEVELS.map(|level| mixture.quantile(level)), mixture.probability_over_2d())
    }
}
