//! Sums of losses over some rows, from which all metrics that are means over rows follow.
//!
//! Tallies are additive: the tally of a week, a segment or a bootstrap resample is the sum of the
//! tallies of its rows or days.

use terms::{LEVELS, MEDIAN, N_LEVELS, pinball_loss};

use crate::whole_days::Step;

/// Hours in a day, the unit of "within one day".
pub(crate) const DAY_HOURS: f64 = 24.0;

/// Positions in [`LEVELS`] of the bounds of the 80% interval: p10 and p90.
const BOUNDS_80: (usize, usize) = (1, 7);
/// Positions in [`LEVELS`] of the bounds of the 90% interval: p05 and p95.
const BOUNDS_90: (usize, usize) = (0, 8);

/// Sums over rows. Units: hours, squared hours, or rows.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Tally {
    pub(crate) rows: f64,
    pub(crate) absolute: f64,
    pub(crate) square: f64,
    /// Predicted median minus actual.
    pub(crate) signed: f64,
    pub(crate) within_1_day: f64,
    pub(crate) within_2_days: f64,
    pub(crate) pinball: [f64; N_LEVELS],
    /// Rows whose outcome is at or below the quantile; of a day the share that is.
    pub(crate) below: [f64; N_LEVELS],
    pub(crate) crps: f64,
    pub(crate) inside_80: f64,
    pub(crate) width_80: f64,
    pub(crate) inside_90: f64,
    pub(crate) width_90: f64,
    /// Rows whose quantiles cross.
    pub(crate) crossing: f64,
}

impl Tally {
    /// The tally of one row.
    pub(crate) fn of(quantiles: &[f32; N_LEVELS], actual: f64) -> Self {
        let predicted = quantiles.map(f64::from);
        let miss = predicted[MEDIAN] - actual;
        let crosses = !predicted.is_sorted();
        let mut ascending = predicted;
        if crosses {
            ascending.sort_by(f64::total_cmp);
        }
        let mut tally = Self {
            rows: 1.0,
            absolute: miss.abs(),
            square: miss * miss,
            signed: miss,
            within_1_day: one_if(miss.abs() <= DAY_HOURS),
            within_2_days: one_if(miss.abs() <= 2.0 * DAY_HOURS),
            crps: crps(&ascending, actual),
            inside_80: inside(&predicted, BOUNDS_80, actual),
            width_80: predicted[BOUNDS_80.1] - predicted[BOUNDS_80.0],
            inside_90: inside(&predicted, BOUNDS_90, actual),
            width_90: predicted[BOUNDS_90.1] - predicted[BOUNDS_90.0],
            crossing: one_if(crosses),
            ..Self::default()
        };
        for (k, &level) in LEVELS.iter().enumerate() {
            tally.pinball[k] = pinball_loss(level, predicted[k], actual);
            tally.below[k] = one_if(actual <= predicted[k]);
        }
        tally
    }

    /// The same of a row whose outcome is a day, of which the forecast says this.
    pub(crate) fn on_step(self, step: Option<Step>) -> Self {
        let Some(step) = step else { return self };
        let below = step.below_levels();
        let inside = |(low, high): (usize, usize)| below[high] - below[low];
        Self { below, inside_80: inside(BOUNDS_80), inside_90: inside(BOUNDS_90), ..self }
    }

    /// Adds `other` `weight` times.
    pub(crate) fn add(&mut self, other: &Self, weight: f64) {
        self.rows += weight * other.rows;
        self.absolute += weight * other.absolute;
        self.square += weight * other.square;
        self.signed += weight * other.signed;
        self.within_1_day += weight * other.within_1_day;
        self.within_2_days += weight * other.within_2_days;
        self.crps += weight * other.crps;
        self.inside_80 += weight * other.inside_80;
        self.width_80 += weight * other.width_80;
        self.inside_90 += weight * other.inside_90;
        self.width_90 += weight * other.width_90;
        self.crossing += weight * other.crossing;
        for k in 0..N_LEVELS {
            self.pinball[k] += weight * other.pinball[k];
            self.below[k] += weight * other.below[k];
        }
    }

    /// Mean absolute error of the median, in hours.
    pub(crate) fn mae(&self) -> f64 {
        self.absolute / self.rows
    }

    /// Pinball loss in hours, mean over rows and levels.
    pub(crate) fn mean_pinball(&self) -> f64 {
        self.pinball.iter().sum::<f64>() / (N_LEVELS as f64 * self.rows)
    }

    /// Share of outcomes inside the 80% interval.
    pub(crate) fn coverage_80(&self) -> f64 {
        self.inside_80 / self.rows
    }
}

fn one_if(yes: bool) -> f64 {
    f64::from(u8::from(yes))
}

fn inside(predicted: &[f64; N_LEVELS], (low, high): (usize, usize), actual: f64) -> f64 {
    one_if(predicted[low] <= actual && actual <= predicted[high])
}

/// Continuous ranked probability score of a distribution given by quantiles, in their unit: the
/// exact integral of (F(x) − 1{actual ≤ x})², where F is linear between the quantiles, and the mass
/// outside the first and the last is on these two. Of a point forecast it is the absolute error.
///
/// Source: Gneiting and Raftery, Strictly Proper Scoring Rules, Prediction, and Estimation, JASA
/// 102(477), 2007, equation 20.
fn crps(ascending: &[f64; N_LEVELS], actual: f64) -> f64 {
    let (first, last) = (ascending[0], ascending[N_LEVELS - 1]);
    let mut score = (first - actual).max(0.0) + (actual - last).max(0.0);
    for k in 0..N_LEVELS - 1 {
        let (left, right) = (ascending[k], ascending[k + 1]);
        let width = right - left;
        if width <= 0.0 {
            continue;
        }
        let split = actual.clamp(left, right);
        let level = LEVELS[k] + (LEVELS[k + 1] - LEVELS[k]) * (split - left) / width;
        score += squared_ramp(LEVELS[k], level) * (split - left);
        score += squared_ramp(1.0 - level, 1.0 - LEVELS[k + 1]) * (right - split);
    }
    score
}

/// Mean of the square of a linear function that goes from `a` to `b`.
fn squared_ramp(a: f64, b: f64) -> f64 {
    (a * a + a * b + b * b) / 3.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENS: [f32; N_LEVELS] = [10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0];

    #[test]
    fn one_row_is_as_worked_out_by_hand() {
        let tally = Tally::of(&TENS, 76.0);
        assert_eq!((tally.rows, tally.absolute, tally.signed), (1.0, 26.0, -26.0));
        assert_eq!((tally.within_1_day, tally.within_2_days), (0.0, 1.0));
        assert_eq!((tally.inside_80, tally.width_80), (1.0, 60.0));
        assert_eq!((tally.inside_90, tally.width_90), (1.0, 80.0));
        assert_eq!(tally.below, [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0]);
        // 0.05·66 + 0.1·56 + 0.25·46 + 0.4·36 + 0.5·26 + 0.6·16 + 0.75·6 + 0.1·4 + 0.05·14
        let by_hand = 3.3 + 5.6 + 11.5 + 14.4 + 13.0 + 9.6 + 4.5 + 0.4 + 0.7;
        assert!((tally.mean_pinball() - by_hand / 9.0).abs() < 1e-12);
    }

    #[test]
    fn a_perfect_forecast_loses_nothing() {
        let tally = Tally::of(&[72.0; N_LEVELS], 72.0);
        assert_eq!((tally.mae(), tally.mean_pinball(), tally.crps), (0.0, 0.0, 0.0));
        assert_eq!((tally.coverage_80(), tally.width_80), (1.0, 0.0));
    }

    #[test]
    fn the_crps_of_a_point_is_the_absolute_error() {
        assert_eq!(Tally::of(&[72.0; N_LEVELS], 80.0).crps, 8.0);
        assert_eq!(Tally::of(&[72.0; N_LEVELS], 70.0).crps, 2.0);
    }

    #[test]
    fn the_crps_of_a_uniform_forecast_is_its_closed_form() {
        // Quantiles of the uniform distribution on [0, 100], the mass of its tails on p05 and p95.
        let quantiles = LEVELS.map(|level| (100.0 * level) as f32);
        for actual in [5.0, 20.0, 50.0, 77.5, 95.0] {
            let share: f64 = actual / 100.0;
            let whole = (share.powi(3) + (1.0 - share).powi(3)) / 3.0;
            let folded = 2.0 * 0.05_f64.powi(3) / 3.0;
            let expected = 100.0 * (whole - folded);
            let found = Tally::of(&quantiles, actual).crps;
            assert!((found - expected).abs() < 1e-4, "{actual}: {found} is not {expected}");
        }
    }

    #[test]
    fn quantiles_that_cross_are_counted() {
        let mut crossed = TENS;
        crossed.swap(2, 3);
        assert_eq!(Tally::of(&crossed, 50.0).crossing, 1.0);
        assert_eq!(Tally::of(&crossed, 50.0).crps, Tally::of(&TENS, 50.0).crps);
        assert_eq!(Tally::of(&TENS, 50.0).crossing, 0.0);
    }

    #[test]
    fn tallies_add_up() {
        let mut sum = Tally::of(&TENS, 20.0);
        sum.add(&Tally::of(&TENS, 80.0), 2.0);
        assert_eq!((sum.rows, sum.mae(), sum.signed), (3.0, 30.0, -30.0));
    }
}
