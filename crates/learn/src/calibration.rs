//! Estimation of the conformal correction from matured outcomes that the model was not trained on.
//!
//! For each level, the conformity score of a row is `ln(actual / predicted quantile)`; the quantile
//! of the scores at that level is the logarithm of the factor by which the predictions would have
//! had the right coverage. Scores of shipments that are still open are right-censored, so quantiles
//! are product-limit (Kaplan-Meier) estimates.
//!
//! Where a parcel may have been delivered already, which is recorded later, its low quantiles are next to
//! nothing, and no factor corrects them. At each level only rows count of which more is predicted: a
//! delivery is below the quantile of a level in the share of that level among those rows, too.
//!
//! The correction of a band of the predicted median is shrunk towards the pooled correction of all
//! rows, and that one towards no correction, the more the fewer rows there are.
//!
//! Source: Romano, Patterson and Candès, Conformalized Quantile Regression, NeurIPS 2019, for the
//! scores. The ratio instead of their difference, because a slower network is slower in proportion;
//! shrinking and damping are ours.

use scorer::{Calibration, Factors, Segment};
use statistics::{Censored, kaplan_meier};
use terms::{LEVELS, MEDIAN, N_LEVELS};

use crate::population::{Durations, Population};
use crate::regressors::Regressors;
use crate::settings::CalibrationSettings;

/// Corrections are kept within this factor, up and down: a larger one is a fault in the data.
const FACTOR_MAX: f64 = 4.0;

/// Times and quantiles are taken to be no smaller, and no larger than its reciprocal.
const VALUE_MIN: f64 = 1e-6;

/// A quantile is next to nothing up to such a share of the mean predicted median.
const NEXT_TO_NOTHING: f64 = 0.01;

/// Rows that were predicted and have matured since. Shapes: one value a row.
#[derive(Default)]
pub(crate) struct Matured {
    /// Raw quantiles, ascending.
    pub(crate) predicted: Vec<[f64; N_LEVELS]>,
    /// Delivery time on the time scale of the quantiles, or the lower bound that is known.
    pub(crate) times: Vec<f32>,
    /// Whether the delivery was observed.
    pub(crate) observed: Vec<bool>,
    /// How many orders each counts for.
    pub(crate) weights: Vec<f64>,
}

impl Matured {
    /// Rows, and what regressors predict of them. Each counts once.
    pub(crate) fn of(
        population: &Population<'_>,
        regressors: &Regressors,
        rows: Durations,
    ) -> Self {
        Self {
            predicted: regressors.predict(population.matrix, &rows.rows),
            times: rows.times(population.matrix, &regressors.time_scales[0]),
            weights: vec![1.0; rows.rows.len()],
            observed: rows.observed,
        }
    }

    /// More rows, each of which counts for `weight`.
    pub(crate) fn add(&mut self, more: &Self, weight: f64) {
        self.predicted.extend(&more.predicted);
        self.times.extend(&more.times);
        self.observed.extend(&more.observed);
        self.weights.extend(more.weights.iter().map(|rows| weight * rows));
    }
}

/// The correction estimated from these rows.
pub(crate) fn calibration(matured: &Matured, settings: &CalibrationSettings) -> Calibration {
    let mut by_median: Vec<usize> = (0..matured.times.len()).collect();
    by_median.sort_by(|&a, &b| {
        let median = |row: usize| matured.predicted[row][MEDIAN];
        median(a).total_cmp(&median(b)).then(a.cmp(&b))
    });
    let medians: f64 = matured.predicted.iter().map(|quantiles| quantiles[MEDIAN]).sum();
    let least = NEXT_TO_NOTHING * medians / matured.predicted.len() as f64;
    let logs = |rows, prior| logs(matured, rows, least, prior, settings.shrink_rows);
    let pooled = logs(&by_median, [0.0; N_LEVELS]);
    let mut segments = Vec::new();
    let (mut from, mut end) = (0, 0.0);
    for band in 1..=settings.bands {
        let is_last = band == settings.bands;
        let mut to = by_median.len() * band / settings.bands;
        let upper = match is_last {
            true => None,
            false if to == 0 => continue,
            // As f32, rounded up, so that the band contains the rows that it was estimated from.
            false => Some((matured.predicted[by_median[to - 1]][MEDIAN] as f32).next_up()),
        };
        if let Some(upper) = upper {
            // What no band can end at is left to the next one.
            if !(upper.is_finite() && upper > end) {
                continue;
            }
            let inside = |&row: &usize| matured.predicted[row][MEDIAN] <= f64::from(upper);
            to = by_median.partition_point(inside);
        }
        // Equal medians belong to one band, so a band may be left without rows.
        if to == from && !is_last {
            continue;
        }
        let factors = factors(logs(&by_median[from..to], pooled), settings);
        segments.push(Segment { upper_median: upper, factors });
        end = upper.unwrap_or(f32::INFINITY);
        from = to;
    }
    Calibration { segments, pooled: factors(pooled, settings) }
}

/// Logarithms of the factors estimated from `rows`, at each level from those of which more than `least` is
/// predicted, shrunk towards `prior`.
fn logs(
    matured: &Matured,
    rows: &[usize],
    least: f64,
    prior: [f64; N_LEVELS],
    shrink_rows: f64,
) -> [f64; N_LEVELS] {
    let mut logs = prior;
    // The logarithm of what is at or below 0 is no number; `max` takes not-a-number away, too.
    let positive = |value: f64| value.max(VALUE_MIN).min(VALUE_MIN.recip());
    for (level, log) in logs.iter_mut().enumerate() {
        let rows = rows.iter().filter(|&&row| matured.predicted[row][level] > least);
        let n: f64 = rows.clone().map(|&row| matured.weights[row]).sum();
        if n <= 0.0 {
            continue;
        }
        let score = |&row: &usize| {
            let actual = positive(matured.times[row].into());
            let ratio = actual / positive(matured.predicted[row][level]);
            Censored {
                value: libm::log(ratio),
                observed: matured.observed[row],
                weight: matured.weights[row],
            }
        };
        let mut scores: Vec<Censored<f64>> = rows.map(score).collect();
        if let Some(estimate) = kaplan_meier(&mut scores, &LEVELS[level..=level]).first() {
            *log += n / (n + shrink_rows) * (estimate - *log);
        }
    }
    logs
}

/// Location and spread are damped separately: drift is in the location, and by the time that the
/// outcomes have matured it is out of date.
fn factors(logs: [f64; N_LEVELS], settings: &CalibrationSettings) -> Factors {
    let bound = libm::log(FACTOR_MAX);
    let location = logs[MEDIAN];
    logs.map(|log| {
        let damped = settings.location_damping * location + settings.damping * (log - location);
        libm::exp(damped.clamp(-bound, bound)) as f32
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Predictions for two kinds of shipments, of which the slow kind takes 1.5 times as long as
    /// predicted.
    fn shifted() -> Matured {
        let mut matured = Matured::default();
        for row in 0..4000 {
            let (scale, slower) = if row % 2 == 0 { (100.0, 1.0) } else { (300.0, 1.5) };
            // Uniform from half to one and a half times the scale.
            let share = (f64::from(row / 2) + 0.5) / 2000.0;
            matured.predicted.push(LEVELS.map(|level| scale * (0.5 + level)));
            matured.times.push((slower * scale * (0.5 + share)) as f32);
            matured.observed.push(true);
            matured.weights.push(1.0);
        }
        matured
    }

    fn settings() -> CalibrationSettings {
        let defaults = CalibrationSettings::default();
        CalibrationSettings {
            shrink_rows: 0.0,
            damping: 1.0,
            location_damping: 1.0,
            bands: 2,
            ..defaults
        }
    }

    #[test]
    fn each_band_gets_the_factor_by_which_it_was_wrong() {
        let found = calibration(&shifted(), &settings());
        assert_eq!(found.segments.len(), 2);
        assert!(found.check().is_ok());
        for level in 0..N_LEVELS {
            let (fast, slow) = (found.factors(100.0)[level], found.factors(300.0)[level]);
            assert!((fast - 1.0).abs() < 0.01, "{fast}");
            assert!((slow - 1.5).abs() < 0.01, "{slow}");
        }
    }

    #[test]
    fn shrinking_and_damping_scale_the_logarithm_of_the_factor() {
        let half = CalibrationSettings { damping: 0.5, location_damping: 0.5, ..settings() };
        let found = calibration(&shifted(), &half).factors(300.0)[MEDIAN];
        assert!((found - 1.5f32.sqrt()).abs() < 0.01, "{found}");
        let shrunk = CalibrationSettings { shrink_rows: 1e9, ..settings() };
        let found = calibration(&shifted(), &shrunk).factors(300.0)[MEDIAN];
        assert!((found - 1.0).abs() < 1e-3, "{found}");
    }

    #[test]
    fn a_row_counts_by_its_weight() {
        let mut slower = shifted();
        slower.times.iter_mut().for_each(|time| *time *= 4.0);
        let mut both = Matured::default();
        both.add(&shifted(), 1.0);
        both.add(&slower, 0.0);
        let shrunk = CalibrationSettings { shrink_rows: 500.0, ..settings() };
        assert_eq!(calibration(&both, &shrunk), calibration(&shifted(), &shrunk));
        let median = |slow: f64| {
            let mut both = Matured::default();
            both.add(&shifted(), 1.0 - slow);
            both.add(&slower, slow);
            calibration(&both, &settings()).pooled[MEDIAN]
        };
        let (few, half, most) = (median(0.25), median(0.5), median(0.75));
        assert!(few < half && half < most, "{few} {half} {most}");
    }

    #[test]
    fn spread_is_corrected_where_location_is_left_alone() {
        // Slower by half, and twice as wide as predicted.
        let mut matured = shifted();
        for predicted in &mut matured.predicted {
            let median = predicted[MEDIAN];
            predicted.iter_mut().for_each(|hours| *hours = median + (*hours - median) / 2.0);
        }
        let location_kept = CalibrationSettings { location_damping: 0.0, ..settings() };
        let found = *calibration(&matured, &location_kept).factors(300.0);
        assert!((found[MEDIAN] - 1.0).abs() < 1e-6, "{found:?}");
        assert!(found[0] < 0.75 && found[N_LEVELS - 1] > 1.15, "{found:?}");
    }

    #[test]
    fn right_censored_rows_raise_the_upper_factors() {
        let mut open = shifted();
        for row in 0..4000 {
            let age = (0.8 + 0.2 * (row % 7) as f64) * open.predicted[row][MEDIAN];
            if f64::from(open.times[row]) > age {
                open.times[row] = age as f32;
                open.observed[row] = false;
            }
        }
        let upper = |matured: &Matured| calibration(matured, &settings()).pooled[7];
        let truth = upper(&shifted());
        let found = upper(&open);
        open.observed.fill(true);
        let naive = upper(&open);
        assert!((found - truth).abs() < 0.1 && naive < truth - 0.2, "{found} {naive} {truth}");
    }

    #[test]
    fn equal_medians_make_one_band() {
        let mut same = shifted();
        same.predicted.fill(LEVELS.map(|level| 100.0 * (0.5 + level)));
        let found = calibration(&same, &CalibrationSettings { bands: 3, ..settings() });
        assert!(found.check().is_ok());
        assert_eq!(found.segments.len(), 2);
    }

    /// Where an eighth of the predictions had quantiles below 0, as sums of trees have where the tail is
    /// long, the logarithm of actual over predicted was no number, and no model could be made.
    #[test]
    fn quantiles_at_or_below_zero_make_a_valid_correction_near_that_without_them() {
        let without = calibration(&shifted(), &settings());
        let mut matured = shifted();
        for (row, predicted) in matured.predicted.iter_mut().enumerate() {
            if row % 8 == 0 {
                predicted[0] = 0.0;
            } else if row % 8 == 1 {
                predicted[..3].fill(-5.0);
            }
        }
        let found = calibration(&matured, &settings());
        assert!(found.check().is_ok(), "{found:?}");
        for level in 0..N_LEVELS {
            let (found, without) = (found.pooled[level], without.pooled[level]);
            assert!((found / without - 1.0).abs() < 0.1, "{level}: {found} {without}");
        }
        matured.predicted.fill([0.0; N_LEVELS]);
        matured.times.fill(0.0);
        assert!(calibration(&matured, &settings()).check().is_ok());
    }

    /// Of every other row 3 in 10 are delivered already, as is predicted: its quantiles up to 0.25 are
    /// nothing. The deliveries among them would make all low quantiles a quarter of what is right.
    #[test]
    fn rows_that_may_be_delivered_already_leave_the_low_quantiles_of_others_alone() {
        let mut matured = Matured::default();
        for row in 0..4000 {
            let share = (f64::from(row / 2) + 0.5) / 2000.0;
            let quantile = |level: f64| match row % 2 {
                0 => 100.0 * (0.5 + level),
                _ => (150.0 * (level - 0.3)).max(1e-3),
            };
            matured.predicted.push(LEVELS.map(quantile));
            let time = quantile(share);
            matured.times.push(if time > 1e-3 { time as f32 } else { 0.0 });
            matured.observed.push(true);
            matured.weights.push(1.0);
        }
        let found = calibration(&matured, &CalibrationSettings { bands: 1, ..settings() });
        for factor in found.pooled {
            assert!((factor - 1.0).abs() < 0.02, "{:?}", found.pooled);
        }
    }

    fn any_time() -> impl Strategy<Value = f32> {
        prop_oneof![proptest::num::f32::ANY, -2.0f32..500.0, Just(0.0), Just(f32::MAX)]
            .prop_filter("finite", |time| time.is_finite())
    }

    fn any_quantile() -> impl Strategy<Value = f64> {
        prop_oneof![proptest::num::f64::ANY, -2.0f64..500.0, Just(0.0), Just(f64::MAX)]
            .prop_filter("finite", |quantile| quantile.is_finite())
    }

    proptest! {
        #[test]
        fn any_finite_rows_make_a_valid_correction(
            rows in proptest::collection::vec(
                (proptest::array::uniform9(any_quantile()), any_time(), any::<bool>(), 0..3_u8), 0..40),
            (damping, location_damping, shrink_rows) in (0.0f64..=1.0, 0.0f64..=1.0, 0.0f64..1e3),
            bands in 1usize..8,
        ) {
            let mut matured = Matured::default();
            for (predicted, time, observed, weight) in rows {
                matured.predicted.push(predicted);
                matured.times.push(time);
                matured.observed.push(observed);
                matured.weights.push(f64::from(weight) / 2.0);
            }
            let settings = CalibrationSettings {
                damping, location_damping, shrink_rows, bands, ..CalibrationSettings::default()
            };
            let found = calibration(&matured, &settings);
            prop_assert!(found.check().is_ok(), "{found:?}");
            let ends = found.segments.iter().filter_map(|segment| segment.upper_median);
            prop_assert!(ends.clone().all(f32::is_finite), "infinity is not written to a bundle");
        }
    }
}
