//! The ensemble: the weighted mean of the quantiles of boosting and of a random forest, while
//! deliveries are few, and boosting alone once they are many.
//!
//! Boosting learns from right-censored rows and divides rows finely, for which it needs many; the large
//! leaves of a forest need few. Their errors differ, so that the mean is near the better of both. The
//! forest's weight falls with the number of deliveries, and so no night is unlike the one before.

use crate::boosted::Boosted;
use crate::checkpoints::Checkpoints;
use crate::ensemble_settings::EnsembleSettings;
use crate::error::Error;
use crate::family::{Family, TrainingRows, WeightedTrees};
use crate::forest::{Forest, Kind};
use crate::settings::Settings;

/// Boosting and a random forest, of whose quantiles the weighted mean is taken.
pub(crate) struct Ensemble {
    boosted: Boosted,
    forest: Forest,
    settings: EnsembleSettings,
}

impl Ensemble {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            boosted: Boosted::new(settings),
            forest: Forest::new(Kind::RandomForest, &settings.forest, settings.seed),
            settings: settings.ensemble.clone(),
        }
    }
}

impl Family for Ensemble {
    fn name(&self) -> &'static str {
        "ensemble"
    }

    fn train(
        &self,
        rows: &TrainingRows<'_>,
        regressor: &str,
        checkpoints: &dyn Checkpoints,
    ) -> Result<Vec<WeightedTrees>, Error> {
        let deliveries = rows.observed.iter().filter(|&&seen| seen).count();
        let weight = self.settings.forest_weight_of(deliveries) as f32;
        if weight == 0.0 {
            return self.boosted.train(rows, regressor, checkpoints);
        }
        let forest = match self.forest.train(rows, regressor, checkpoints) {
            Ok(forest) => forest,
            Err(error) => {
                tracing::warn!(regressor, %error, "an ensemble of boosting alone");
                return self.boosted.train(rows, regressor, checkpoints);
            }
        };
        let weighted = |trees: Vec<WeightedTrees>, by: f32| {
            trees.into_iter().map(move |(trees, weight)| (trees, weight * by))
        };
        let boosted = self.boosted.train(rows, regressor, checkpoints)?;
        Ok(weighted(boosted, 1.0 - weight).chain(weighted(forest, weight)).collect())
    }
}
