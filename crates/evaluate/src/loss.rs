//! The losses of a forecast on some rows, in few numbers: for comparisons of two ways on the same rows.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Forecast;
use crate::matured_rows::MaturedRows;
use crate::tally::DAY_HOURS;

/// The losses of a forecast on rows whose outcome is known, weighted as all metrics are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Loss {
    /// Rows whose outcome is known.
    pub rows: usize,
    /// Mean pinball loss.
    pub mean_pinball_days: f64,
    /// Mean absolute error of the median.
    pub mae_days: f64,
    /// Share of outcomes inside the 80% interval.
    pub coverage_80: f64,
}

impl Loss {
    pub(crate) fn of(matured: &MaturedRows<'_>, forecast: &Forecast, rows: &[usize]) -> Self {
        let tally = matured.tally(forecast, rows);
        Self {
            rows: rows.len(),
            mean_pinball_days: tally.mean_pinball() / DAY_HOURS,
            mae_days: tally.mae() / DAY_HOURS,
            coverage_80: tally.coverage_80(),
        }
    }
}
