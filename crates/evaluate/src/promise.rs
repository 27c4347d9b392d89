//! The shop's promised delivery times compared with promises made from a forecast.
//!
//! A promise is kept more often the longer it is, so on-time shares are compared at equal mean
//! promise: the forecast promises its quantile at the level at which the mean over all rows is the
//! mean of the shop's promises. Means and shares are weighted as all metrics are.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use terms::{LEVELS, N_LEVELS};

use crate::Forecast;
use crate::matured_rows::MaturedRows;

/// On-time shares at equal mean promise, on the rows that have a promise.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PromiseScore {
    /// Rows with a promise.
    pub rows: usize,
    /// Mean of the shop's promises, and so of the forecast's.
    pub mean_promised_hours: f64,
    /// Share of deliveries within the shop's promise.
    pub on_time_share: f64,
    /// Share of deliveries within the forecast's promise.
    pub forecast_on_time_share: f64,
    /// The level whose quantile the forecast promises, interpolated between the predicted levels.
    pub level: f64,
    /// Hours added to every promise, where the mean is outside those of the first and last level.
    pub shift_hours: f64,
}

/// The on-time shares at equal mean promise; `None` if no row has a promise.
pub(crate) fn at_equal_mean(
    matured: &MaturedRows<'_>,
    forecast: &Forecast,
    rows: &[usize],
) -> Option<PromiseScore> {
    let promised: Vec<(usize, f64)> = rows
        .iter()
        .filter_map(|&row| Some((row, f64::from(matured.shipments.promised_hours[row]?))))
        .collect();
    if promised.is_empty() {
        return None;
    }
    let weights: f64 = promised.iter().map(|&(row, _)| matured.weight(row)).sum();
    let mean_of = |value: &dyn Fn(usize, f64) -> f64| {
        let weighted = promised.iter().map(|&(row, hours)| matured.weight(row) * value(row, hours));
        weighted.sum::<f64>() / weights
    };
    let mean = mean_of(&|_, hours| hours);
    let mut means = [0.0; N_LEVELS];
    for (row, _) in &promised {
        for (sum, quantile) in means.iter_mut().zip(ascending(&forecast.hours[*row])) {
            *sum += matured.weight(*row) * quantile;
        }
    }
    let means = means.map(|sum| sum / weights);
    let level = InterpolatedLevel::of(mean, &means);
    let kept = |row: usize, hours: f64| f64::from(u8::from(matured.actual(row) <= hours));
    let forecast_kept = |row: usize, _| kept(row, level.quantile(&ascending(&forecast.hours[row])));
    Some(PromiseScore {
        rows: promised.len(),
        mean_promised_hours: mean,
        on_time_share: mean_of(&kept),
        forecast_on_time_share: mean_of(&forecast_kept),
        level: LEVELS[level.below] + level.fraction * (LEVELS[level.above] - LEVELS[level.below]),
        shift_hours: level.shift,
    })
}

/// A level between two of the predicted ones, and hours added to its quantiles.
struct InterpolatedLevel {
    below: usize,
    above: usize,
    /// How far from `below` to `above`, from 0 to 1.
    fraction: f64,
    shift: f64,
}

impl InterpolatedLevel {
    /// The level at which the mean quantile is `mean`. Exact, because the mean over rows of linear
    /// interpolations is the interpolation of the means.
    fn of(mean: f64, means: &[f64; N_LEVELS]) -> Self {
        let above = means.partition_point(|&level_mean| level_mean < mean);
        if above == 0 {
            return Self { below: 0, above: 0, fraction: 0.0, shift: mean - means[0] };
        }
        if above == N_LEVELS {
            let last = N_LEVELS - 1;
            return Self { below: last, above: last, fraction: 0.0, shift: mean - means[last] };
        }
        let below = above - 1;
        let fraction = (mean - means[below]) / (means[above] - means[below]);
        Self { below, above, fraction, shift: 0.0 }
    }

    fn quantile(&self, quantiles: &[f64; N_LEVELS]) -> f64 {
        let (left, right) = (quantiles[self.below], quantiles[self.above]);
        left + self.fraction * (right - left) + self.shift
    }
}

fn ascending(hours: &[f32; N_LEVELS]) -> [f64; N_LEVELS] {
    let mut quantiles = hours.map(f64::from);
    quantiles.sort_by(f64::total_cmp);
    quantiles
}

#[cfg(test)]
mod tests {
    use terms::Instant;

    use super::*;
    use crate::forecast::known_or_open;
    use crate::{Settings, Shipments};

    const TENS: [f32; N_LEVELS] = [10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0];

    #[track_caller]
    fn check(promised: [f32; 2], level: f64, shift: f64, on_time: [f64; 2]) {
        let shipments = Shipments {
            ordered_at: vec![Instant::from_micros(0); 3],
            outcomes: known_or_open(&[Some(55.0), Some(155.0), Some(1.0)]),
            promised_hours: vec![Some(promised[0]), Some(promised[1]), None],
            grain: terms::Grain::Instant,
            segments: Vec::new(),
        };
        let hours = vec![TENS, TENS.map(|hours| hours + 100.0), TENS];
        let matured = MaturedRows::new(&shipments, &Settings::default()).unwrap();
        let forecast = Forecast { hours, ..Forecast::default() };
        let score = at_equal_mean(&matured, &forecast, &matured.rows).unwrap();
        assert_eq!(score.rows, 2);
        assert!((score.level - level).abs() < 1e-9, "{score:?}");
        assert!((score.shift_hours - shift).abs() < 1e-9, "{score:?}");
        assert_eq!((score.on_time_share, score.forecast_on_time_share), on_time.into());
    }

    #[test]
    fn the_level_is_where_the_means_are_equal() {
        // The mean of the forecast's medians is 100, and of its 0.6 quantiles 110.
        check([105.0, 105.0], 0.55, 0.0, [0.5, 1.0]);
        check([100.0, 100.0], 0.5, 0.0, [0.5, 0.0]);
    }

    #[test]
    fn beyond_the_last_level_hours_are_added_to_every_promise() {
        check([200.0, 120.0], 0.95, 20.0, [0.5, 1.0]);
        check([10.0, 10.0], 0.05, -50.0, [0.0, 0.0]);
    }
}
