//! The settings of the ensemble and of the search for its sizes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of the ensemble of boosting and a random forest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EnsembleSettings {
    /// The forest's weight where deliveries are few, from 0 (boosting alone) to 1 (the forest alone).
    #[schemars(range(min = 0, max = 1))]
    pub forest_weight: f64,
    /// It falls in proportion to the observed deliveries, and is 0 from so many on.
    #[schemars(range(min = 1))]
    pub deliveries_max: usize,
}

impl Default for EnsembleSettings {
    fn default() -> Self {
        Self { forest_weight: 0.5, deliveries_max: 5_000 }
    }
}

impl EnsembleSettings {
    /// The forest's weight after so many observed deliveries.
    pub(crate) fn forest_weight_of(&self, deliveries: usize) -> f64 {
        let share = deliveries as f64 / self.deliveries_max as f64;
        self.forest_weight * (1.0 - share).max(0.0)
    }
}

/// Settings of the search for the sizes of an ensemble.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SearchSettings {
    /// Whether there is one, of the family `ensemble` with fewer than
    /// `train.ensemble.deliveries_max` observed deliveries.
    pub enabled: bool,
    /// Days of matured orders that candidates are judged on.
    #[schemars(range(min = 1, max = 36_500))]
    pub days: u32,
    /// With fewer deliveries of these orders the sizes are those of the settings.
    #[schemars(range(min = 1))]
    pub deliveries_min: usize,
}

impl Default for SearchSettings {
    fn default() -> Self {
        Self { enabled: true, days: 28, deliveries_min: 100 }
    }
}
