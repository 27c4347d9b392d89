//! The regressors of a model as of a moment: the same family on one or two time scales.
//!
//! On the level of the network trees learn what does not depend on the season, and follow it where
//! they have never seen it; but the level is an estimate, and they inherit its noise. In plain
//! working hours they know what the network did in seasons like this one, and nothing of others.
//! So both are trained, and their quantiles averaged (`scorer::Regressor` has the source). The
//! first one's time scale is that of the corrections.

use rayon::prelude::*;
use scorer::{FeatureTimeScale, Regressor, mean_hours};
use terms::{Matrix, N_LEVELS, column};

use crate::checkpoints::Checkpoints;
use crate::error::Error;
use crate::family::{Family, TrainingRows};
use crate::network_features::hide;
use crate::population::{Durations, Population};
use crate::settings::Settings;
use crate::time_scale;

/// Regressors with the time scales of their features.
pub(crate) struct Regressors {
    pub(crate) regressors: Vec<Regressor>,
    pub(crate) time_scales: Vec<FeatureTimeScale>,
    /// Which features tell of the whole network.
    pub(crate) network_features: Vec<bool>,
    /// The rows that they were trained on.
    pub(crate) durations: Durations,
}

/// Which regressors are trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    /// Those of a model.
    All,
    /// The first only: enough to estimate corrections from, in a fraction of the time.
    First,
}

impl Regressors {
    /// Trains them as of the moment of the population.
    ///
    /// # Errors
    /// If too few deliveries are known, or the family fails.
    pub(crate) fn train(
        population: &Population<'_>,
        family: &dyn Family,
        settings: &Settings,
        which: Which,
        (name, checkpoints): (&str, &dyn Checkpoints),
    ) -> Result<Self, Error> {
        let history = population.history(settings);
        let durations = population.durations(&history);
        let found = durations.deliveries();
        if found < settings.rows_min {
            let (origin, needed) = (population.moment, settings.rows_min);
            return Err(Error::TooFewRows { origin, found, needed });
        }
        let matured: Vec<bool> = (durations.rows.iter())
            .map(|&row| population.is_matured(row, settings.maturity_days))
            .collect();
        let mut trained = Self {
            regressors: Vec::new(),
            time_scales: Vec::new(),
            network_features: population.network_features(&history, settings),
            durations,
        };
        for (time_scale, weight) in time_scale::learn(population, &history, &settings.time_scale)? {
            let mut matrix = population.matrix.take(&trained.durations.rows);
            hide(&mut matrix, &hidden(population.matrix, &time_scale, &trained.network_features));
            let rows = TrainingRows {
                matrix: &matrix,
                times: &trained.durations.times(population.matrix, &time_scale),
                observed: &trained.durations.observed,
                matured: &matured,
            };
            let name = format!("{name}_{}", trained.regressors.len());
            for (trees, share) in family.train(&rows, &name, checkpoints)? {
                let time_scale_of_trees = time_scale.scale().clone();
                let weight = weight * share;
                let regressor = Regressor { trees, time_scale: time_scale_of_trees, weight };
                trained.regressors.push(regressor);
                trained.time_scales.push(time_scale.clone());
            }
            if which == Which::First {
                break;
            }
        }
        Ok(trained)
    }

    /// The mean quantiles of some rows of the matrix of the training, on the first time scale,
    /// ascending. Shapes: one a row.
    pub(crate) fn predict(&self, matrix: &Matrix, rows: &[usize]) -> Vec<[f64; N_LEVELS]> {
        let row = || vec![f32::NAN; matrix.columns.len()];
        let quantiles = |values: &mut Vec<f32>, &row: &usize| {
            matrix.row_into(row, values);
            let scale = self.time_scales[0].of_row(values);
            mean_hours(&self.regressors, &self.time_scales, values).map(|hours| scale.scaled(hours))
        };
        rows.par_iter().map_init(row, quantiles).collect()
    }

    /// The split gain of each feature, each regressor's as shares of its own, times its weight.
    pub(crate) fn gain_by_feature(&self) -> Vec<f64> {
        let mut gains = Vec::new();
        for regressor in &self.regressors {
            let of_one = regressor.trees.split_gain_by_feature();
            let total: f64 = of_one.iter().sum();
            gains.resize(of_one.len(), 0.0);
            for (gain, of_one) in gains.iter_mut().zip(of_one) {
                *gain += f64::from(regressor.weight) * of_one / total.max(f64::MIN_POSITIVE);
            }
        }
        gains
    }
}

impl Durations {
    /// Its times on a time scale of the whole matrix.
    pub(crate) fn times(&self, matrix: &Matrix, scale: &FeatureTimeScale) -> Vec<f32> {
        let times = self.rows.iter().zip(&self.hours);
        times
            .map(|(&row, &hours)| scale.of_matrix(matrix, row).scaled(f64::from(hours)) as f32)
            .collect()
    }
}

/// The features that trees are not to split on: what only the time scale reads, and, for multiples of
/// the level, what tells of the whole network, by which they would recognise weeks instead of learning.
fn hidden(matrix: &Matrix, time_scale: &FeatureTimeScale, network: &[bool]) -> Vec<bool> {
    let is_relative = time_scale.scale().level_otherwise_hours.is_some();
    let is_read = |name: &str| [column::LEVEL_HOURS, column::HOLIDAYS_AHEAD].contains(&name);
    let features = matrix.features.0.iter().zip(network);
    features.map(|(feature, &of)| is_read(&feature.name) || is_relative && of).collect()
}
