//! The metrics of one forecast on some rows: point errors of the median, pinball loss, CRPS, coverage
//! and width of intervals, Brier scores, the promise.
//!
//! Only rows whose outcome is known count, weighted so that they stand for those that are open. 95%
//! ranges are from the block bootstrap over order days.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use terms::N_LEVELS;

use crate::Forecast;
use crate::bootstrap::{Range, range_of};
use crate::matured_rows::{MaturedRows, ResampledTally};
use crate::probability::{DayScores, brier_by_day, brier_over_2d};
use crate::promise::{PromiseScore, at_equal_mean};
use crate::tally::{DAY_HOURS, Tally};

/// How good one forecast is on some rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Metrics {
    /// Rows whose outcome is known.
    pub rows: usize,
    /// UTC days on which they were ordered.
    pub order_days: usize,
    /// Mean absolute error of the median.
    pub mae_hours: f64,
    /// The same in days.
    pub mae_days: f64,
    /// Root of the mean squared error of the median.
    pub rmse_hours: f64,
    /// Mean of predicted median minus actual: above zero is too pessimistic.
    pub bias_hours: f64,
    /// Share of rows whose median is within a day of the outcome.
    pub within_1_day: f64,
    /// Share of rows whose median is within two days of the outcome.
    pub within_2_days: f64,
    /// Pinball loss, mean over rows and levels.
    pub mean_pinball_hours: f64,
    /// The same in days.
    pub mean_pinball_days: f64,
    /// Pinball loss of each of [`terms::LEVELS`].
    pub pinball_hours: [f64; N_LEVELS],
    /// Continuous ranked probability score: exact for the distribution that is linear between the
    /// quantiles, with the mass of its tails on p05 and p95.
    pub crps_hours: f64,
    /// The interval from p10 to p90.
    pub interval_80: Interval,
    /// The interval from p05 to p95.
    pub interval_90: Interval,
    /// Share of outcomes at or below each quantile: the calibration curve.
    pub share_below: [f64; N_LEVELS],
    /// Share of rows whose quantiles cross.
    pub crossing_share: f64,
    /// Brier score of "more than two days".
    pub brier_over_2d: Option<f64>,
    /// Brier score of "delivered within d days".
    pub by_day: Option<DayScores>,
    /// The shop's promise compared with this forecast.
    pub promise: Option<PromiseScore>,
    /// The 95% ranges of some metrics; `None` without bootstrap rounds.
    pub spread: Option<Spread>,
}

/// A predicted interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Interval {
    /// Share of outcomes inside.
    pub coverage: f64,
    /// Mean width.
    pub mean_width_hours: f64,
}

/// Ranges over the bootstrap's resamples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Spread {
    /// Of [`Metrics::mae_hours`].
    pub mae_hours: Range,
    /// Of [`Metrics::mean_pinball_hours`].
    pub mean_pinball_hours: Range,
    /// Of the coverage of [`Metrics::interval_80`].
    pub coverage_80: Range,
    /// Of [`Metrics::share_below`].
    pub share_below: [Range; N_LEVELS],
}

impl Metrics {
    /// The metrics on the matured `rows`; the `open` ones beside them count in Brier scores.
    pub(crate) fn of(
        matured: &MaturedRows<'_>,
        forecast: &Forecast,
        rows: &[usize],
        open: &[usize],
        scored: &ResampledTally,
    ) -> Self {
        let with_open = [rows, open].concat();
        let total = &scored.total;
        let mean = |sum: f64| sum / total.rows;
        let by_day = forecast.probability_by_day.as_ref();
        let over_2d = forecast.probability_over_2d.as_ref();
        Self {
            rows: rows.len(),
            order_days: matured.order_days(rows),
            mae_hours: total.mae(),
            mae_days: total.mae() / DAY_HOURS,
            rmse_hours: mean(total.square).sqrt(),
            bias_hours: mean(total.signed),
            within_1_day: mean(total.within_1_day),
            within_2_days: mean(total.within_2_days),
            mean_pinball_hours: total.mean_pinball(),
            mean_pinball_days: total.mean_pinball() / DAY_HOURS,
            pinball_hours: total.pinball.map(mean),
            crps_hours: mean(total.crps),
            interval_80: Interval {
                coverage: total.coverage_80(),
                mean_width_hours: mean(total.width_80),
            },
            interval_90: Interval {
                coverage: mean(total.inside_90),
                mean_width_hours: mean(total.width_90),
            },
            share_below: total.below.map(mean),
            crossing_share: mean(total.crossing),
            brier_over_2d: over_2d.map(|over| brier_over_2d(matured, over, &with_open)),
            by_day: by_day.map(|by_day| brier_by_day(matured, (by_day, forecast.days), &with_open)),
            promise: at_equal_mean(matured, forecast, rows),
            spread: Spread::of(&scored.resampled),
        }
    }
}

impl Spread {
    fn of(resampled: &[Tally]) -> Option<Self> {
        let range =
            |statistic: &dyn Fn(&Tally) -> f64| range_of(resampled.iter().map(statistic).collect());
        let mut share_below = [Range { low: 0.0, high: 1.0 }; N_LEVELS];
        for (k, share) in share_below.iter_mut().enumerate() {
            *share = range(&|tally| tally.below[k] / tally.rows)?;
        }
        Some(Self {
            mae_hours: range(&Tally::mae)?,
            mean_pinball_hours: range(&Tally::mean_pinball)?,
            coverage_80: range(&Tally::coverage_80)?,
            share_below,
        })
    }
}

/// The metrics of one forecast on all rows whose outcome is known.
#[cfg(test)]
pub(crate) fn metrics_of(
    shipments: &crate::Shipments,
    forecast: &Forecast,
    settings: &crate::Settings,
) -> Result<Metrics, crate::Error> {
    let matured = MaturedRows::new(shipments, settings)?;
    forecast.check(shipments.len())?;
    let scored = matured.score(forecast, &matured.rows);
    Ok(Metrics::of(&matured, forecast, &matured.rows, &matured.open, &scored))
}

#[cfg(test)]
mod tests {
    use terms::{Day, LEVELS};

    use super::*;
    use crate::forecast::known_or_open;
    use crate::{Settings, Shipments};

    /// Shipments of one day each with these outcomes, promised `promise` hours.
    fn shipments(actual: &[Option<f32>], promise: f32) -> Shipments {
        Shipments {
            ordered_at: (0..actual.len() as i32).map(|day| Day::since_epoch(day).start()).collect(),
            outcomes: known_or_open(actual),
            promised_hours: vec![Some(promise); actual.len()],
            grain: terms::Grain::Instant,
            segments: Vec::new(),
        }
    }

    #[test]
    fn metrics_are_as_worked_out_by_hand() {
        let shipments = shipments(&[Some(40.0), Some(100.0), None, Some(160.0)], 110.0);
        let forecast = Forecast { hours: vec![[100.0; N_LEVELS]; 4], ..Forecast::default() };
        let metrics = metrics_of(&shipments, &forecast, &Settings::default()).unwrap();
        assert_eq!((metrics.rows, metrics.order_days), (3, 3));
        assert_eq!((metrics.mae_hours, metrics.bias_hours), (40.0, 0.0));
        assert_eq!(metrics.mae_days, 40.0 / 24.0);
        assert_eq!(metrics.rmse_hours, 2400.0_f64.sqrt());
        assert_eq!((metrics.within_1_day, metrics.within_2_days), (1.0 / 3.0, 1.0 / 3.0));
        // Of a point forecast each level loses (1 − level)·60 above and level·60 below.
        assert!(metrics.pinball_hours.iter().all(|loss| (loss - 20.0).abs() < 1e-9));
        assert!((metrics.mean_pinball_hours - 20.0).abs() < 1e-9);
        assert_eq!(metrics.crps_hours, 40.0);
        assert_eq!(metrics.share_below, [2.0 / 3.0; N_LEVELS]);
        assert_eq!(metrics.interval_80, Interval { coverage: 1.0 / 3.0, mean_width_hours: 0.0 });
    }

    #[test]
    fn of_uniform_outcomes_coverage_is_nominal_and_the_crps_its_closed_form() {
        // Outcomes at the middles of 1,000 equal slices of [0, 100] hours: no noise at all.
        let actual: Vec<_> = (0..1000).map(|slice| Some((slice as f32 + 0.5) / 10.0)).collect();
        let quantiles = LEVELS.map(|level| (100.0 * level) as f32);
        let forecast = Forecast { hours: vec![quantiles; 1000], ..Forecast::default() };
        let metrics =
            metrics_of(&shipments(&actual, 50.0), &forecast, &Settings::default()).unwrap();
        for (share, level) in metrics.share_below.iter().zip(LEVELS) {
            assert!((share - level).abs() < 1e-9, "{share} is not {level}");
        }
        assert!((metrics.interval_80.coverage - 0.8).abs() < 1e-9);
        assert!((metrics.interval_90.coverage - 0.9).abs() < 1e-9);
        // The mean of level·(1 − level)/2 is the pinball loss of a level.
        for (loss, level) in metrics.pinball_hours.iter().zip(LEVELS) {
            assert!((loss - 50.0 * level * (1.0 - level)).abs() < 1e-3);
        }
        // The true distribution scores 1/6; folding its tails onto p05 and p95 adds 2·0.05³/3.
        let expected = 100.0 * (1.0 / 6.0 + 2.0 * 0.05_f64.powi(3) / 3.0);
        assert!((metrics.crps_hours - expected).abs() < 1e-3, "{}", metrics.crps_hours);
    }

    #[test]
    fn a_perfect_forecast_loses_nothing_in_any_resample() {
        let actual = [Some(60.0), Some(90.0), Some(120.0)];
        let hours = vec![[60.0; N_LEVELS], [90.0; N_LEVELS], [120.0; N_LEVELS]];
        let forecast = Forecast { hours, ..Forecast::default() };
        let metrics =
            metrics_of(&shipments(&actual, 100.0), &forecast, &Settings::default()).unwrap();
        assert_eq!((metrics.mae_hours, metrics.rmse_hours, metrics.crps_hours), (0.0, 0.0, 0.0));
        assert_eq!(metrics.mean_pinball_hours, 0.0);
        let spread = metrics.spread.unwrap();
        assert_eq!(spread.mean_pinball_hours, Range { low: 0.0, high: 0.0 });
        assert_eq!(spread.coverage_80, Range { low: 1.0, high: 1.0 });
    }

    #[test]
    fn the_spread_is_repeated_by_its_seed_and_holds_the_value() {
        let actual: Vec<_> = (0..60).map(|day| Some(50.0 + (day * 37 % 60) as f32)).collect();
        let forecast = Forecast { hours: vec![[80.0; N_LEVELS]; 60], ..Forecast::default() };
        let spread = |seed| {
            let settings = Settings { seed, ..Settings::default() };
            metrics_of(&shipments(&actual, 90.0), &forecast, &settings).unwrap()
        };
        assert_eq!(spread(4), spread(4));
        assert_ne!(spread(4).spread, spread(5).spread);
        let range = spread(4).spread.unwrap().mae_hours;
        assert!(range.low < spread(4).mae_hours && spread(4).mae_hours < range.high);
    }
}
