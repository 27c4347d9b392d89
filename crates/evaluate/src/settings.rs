//! The settings of an evaluation.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How forecasts are evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Rounds of the bootstrap.
    pub rounds: usize,
    /// Order days in a row that are drawn together by the bootstrap; at most a third of all days.
    pub block_days: usize,
    /// Seed of the bootstrap.
    pub seed: u64,
    /// Segments with fewer rows than this are pooled.
    pub few_rows: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { rounds: 200, block_days: 7, seed: 0, few_rows: 30 }
    }
}
