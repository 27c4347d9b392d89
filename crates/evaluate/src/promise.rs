//! The shop's promise against a forecast that promises as much on average.
//!
//! A promise is kept more often the longer it is, so shares on time are compared at equal mean
//! promise: the forecast promises its quantile at the one level where the mean of its promises
//! is the mean of the shop's.

use serde::{Deserialize, Serialize};
use terms::{LEVELS, N_LEVELS};

use crate::Forecast;
use crate::judged::Judged;

/// On-time shares at equal mean promise, on the rows that have a promise.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PromiseScore {
    /// Rows with a promise.
    pub rows: usize,
    /// Mean of the shop's promises, and so of the forecast's.
    pub mean_promised_hours: f64,
    /// Share of deliveries within the shop's promise.
    pub on_time_share: f64,
    /// Share of deliveries within the forecast's promise.
    pub forecast_on_time_share: f64,
    /// The level whose quantiles the forecast promises, linear between the predicted levels.
    pub level: f64,
    /// Hours added for everybody, where the first or the last level does not reach the mean.
    pub shift_hours: f64,
}

/// Scores the promise; `None` if no row has one.
pub(crate) fn at_equal_mean(
    judged: &Judged<'_>,
    forecast: &Forecast,
    rows: &[usize],
) -> Option<PromiseScore> {
    let promised: Vec<(usize, f64)> = rows
        .iter()
        .filter_map(|&row| Some((row, f64::from(judged.shipments.promised_hours[row]?))))
        .collect();
    if promised.is_empty() {
        return None;
    }
    let count = promised.len() as f64;
    let mean = promised.iter().map(|(_, hours)| hours).sum::<f64>() / count;
    let mut means = [0.0; N_LEVELS];
    for (row, _) in &promised {
        for (sum, quantile) in means.iter_mut().zip(ascending(&forecast.hours[*row])) {
            *sum += quantile;
        }
    }
    let means = means.map(|sum| sum / count);
    let place = Place::of(mean, &means);
    let share = |kept: usize| kept as f64 / count;
    let kept = promised.iter().filter(|(row, hours)| judged.actual(*row) <= *hours).count();
    let forecast_kept = promised
        .iter()
        .filter(|(row, _)| judged.actual(*row) <= place.promise(&ascending(&forecast.hours[*row])))
        .count();
    Some(PromiseScore {
        rows: promised.len(),
        mean_promised_hours: mean,
        on_time_share: share(kept),
        forecast_on_time_share: share(forecast_kept),
        level: LEVELS[place.below] + place.part * (LEVELS[place.above] - LEVELS[place.below]),
        shift_hours: place.shift,
    })
}

/// Where between two levels a mean lies.
struct Place {
    below: usize,
    above: usize,
    part: f64,
    shift: f64,
}

impl Place {
    /// The mean over rows of linear interpolation is the interpolation of the means, so this is
    /// exact.
    fn of(mean: f64, means: &[f64; N_LEVELS]) -> Self {
        let above = means.partition_point(|&level_mean| level_mean < mean);
        if above == 0 {
            return Self { below: 0, above: 0, part: 0.0, shift: mean - means[0] };
        }
        if above == N_LEVELS {
            let last = N_LEVELS - 1;
            return Self { below: last, above: last, part: 0.0, shift: mean - means[last] };
        }
        let below = above - 1;
        let part = (mean - means[below]) / (means[above] - means[below]);
        Self { below, above, part, shift: 0.0 }
    }

    fn promise(&self, quantiles: &[f64; N_LEVELS]) -> f64 {
        let (left, right) = (quantiles[self.below], quantiles[self.above]);
        left + self.part * (right - left) + self.shift
    }
}

fn ascending(hours: &[f32; N_LEVELS]) -> [f64; N_LEVELS] {
    let mut quantiles = hours.map(f64::from);
    quantiles.sort_by(f64::total_cmp);
    quantiles
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Settings, Shipments};

    const TENS: [f32; N_LEVELS] = [10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0];

    #[track_caller]
    fn check(promised: [f32; 2], level: f64, shift: f64, shop: f64, forecast: f64) {
        let shipments = Shipments {
            ordered_at: vec![0; 3],
            actual_hours: vec![Some(55.0), Some(155.0), Some(1.0)],
            promised_hours: vec![Some(promised[0]), Some(promised[1]), None],
            segments: Vec::new(),
        };
        let hours = vec![TENS, TENS.map(|hours| hours + 100.0), TENS];
        let judged = Judged::new(&shipments, &Settings::default()).unwrap();
        let forecaster = Forecast { hours, ..Forecast::default() };
        let score = at_equal_mean(&judged, &forecaster, &judged.rows).unwrap();
        assert_eq!(score.rows, 2);
        assert!((score.level - level).abs() < 1e-9, "{score:?}");
        assert!((score.shift_hours - shift).abs() < 1e-9, "{score:?}");
        assert_eq!((score.on_time_share, score.forecast_on_time_share), (shop, forecast));
    }

    #[test]
    fn the_level_is_where_the_means_are_equal() {
        // The mean of the forecast's medians is 100, and of its 0.6 quantiles 110.
        check([105.0, 105.0], 0.55, 0.0, 0.5, 1.0);
        check([100.0, 100.0], 0.5, 0.0, 0.5, 0.0);
    }

    #[test]
    fn beyond_the_last_level_everybody_gets_the_same_hours_more() {
        check([200.0, 120.0], 0.95, 20.0, 0.5, 1.0);
        check([10.0, 10.0], 0.05, -50.0, 0.0, 0.0);
    }
}
