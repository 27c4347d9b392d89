//! The distribution of delivery time: a mixture of "within two days" and "beyond two days".
//!
//! `F(t) = (1 - p) · F_within(t) + p · F_beyond(t)`, where `p = P(more than 48 h)` comes from the
//! gate. `F_within` is piecewise linear through [`Knots`] learned from all deliveries within two
//! days. `F_beyond` is piecewise linear from 0 at 48 h through the calibrated quantiles of the
//! regressor, and exponential beyond the last of them. The result is continuous and strictly
//! ascending where it is neither 0 nor 1, so quantiles exist, are unique and cannot cross.
//!
//! A shipment that is still open at some age has the same distribution conditioned on exceeding
//! that age. Beyond the last quantile the exponential tail is memoryless, so the expected remaining
//! time stays the same however old the shipment is.
//!
//! Everything here is computed through the survival function `S = 1 - F`, which keeps its
//! precision where `F` is near 1. Units: hours from `ordered_at`, in f64.

use terms::{DAYS_AHEAD, DayGrid, LEVELS, MEDIAN, N_LEVELS, TWO_DAYS_HOURS};

use crate::distribution::Distribution;
use crate::knots::Knots;

/// Two quantiles are at least so far apart (3.6 s), so that the distribution has no jumps.
const GAP_HOURS: f64 = 1e-3;

/// The gate's probability is kept so far from 0 and 1: neither class is ever impossible.
const PROBABILITY_MIN: f64 = 1e-6;

/// The mean excess beyond the last quantile is at least this. Deliveries come in rounds, a
/// shipment that is later than nearly all others does not arrive within the minute.
const TAIL_HOURS_MIN: f64 = 6.0;

/// Beyond the last level this share of the deliveries beyond two days is left.
const TAIL_SHARE: f64 = 1.0 - LEVELS[N_LEVELS - 1];

/// The distribution of one shipment's delivery time, as a function. Units: hours from `ordered_at`.
///
/// ```
/// use scorer::{Knots, Mixture};
///
/// let within = Knots::straight();
/// let beyond = [60.0, 72.0, 96.0, 120.0, 144.0, 168.0, 200.0, 300.0, 400.0];
/// let mixture = Mixture::new(0.8, &within, beyond, 0.4);
/// assert!((mixture.cdf(24.0) - 0.1).abs() < 1e-9);
/// assert!((mixture.quantile(0.6) - 144.0).abs() < 1e-9);
/// // Of a shipment that is open after 144 h, half of those over two days are left.
/// let open = mixture.given_open_for(144.0);
/// assert!((open.survival(400.0) - 0.05 / 0.5).abs() < 1e-9);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Mixture<'a> {
    over: f64,
    within: &'a Knots,
    beyond: [f64; N_LEVELS],
    tail_hours: f64,
    /// The age that the delivery time is known to exceed; 0 is no condition.
    age: f64,
    /// Unconditional survival at `age`.
    survived: f64,
    /// The days of the probabilities that are published.
    days: DayGrid,
}

impl<'a> Mixture<'a> {
    /// The mixture of `within` and the quantiles `beyond` two days.
    ///
    /// `over` is P(more than 48 h). `beyond` are quantiles at [`LEVELS`] given more than 48 h, in
    /// any order: they are sorted, raised to at least 48 h and kept a little apart. `tail_ratio` is the
    /// mean excess beyond the last quantile as a share of the distance from the median to it, so
    /// that an uncertain shipment has a long tail and a certain one a short one.
    pub fn new(over: f64, within: &'a Knots, beyond: [f64; N_LEVELS], tail_ratio: f64) -> Self {
        let mut beyond = beyond;
        beyond.sort_by(f64::total_cmp);
        let mut floor = TWO_DAYS_HOURS;
        for hours in &mut beyond {
            *hours = hours.max(floor + GAP_HOURS);
            floor = *hours;
        }
        let width = beyond[N_LEVELS - 1] - beyond[MEDIAN];
        let over = over.clamp(PROBABILITY_MIN, 1.0 - PROBABILITY_MIN);
        let tail_hours = (tail_ratio * width).max(TAIL_HOURS_MIN);
        Self { over, within, beyond, tail_hours, age: 0.0, survived: 1.0, days: DayGrid::DAILY }
    }

    /// The same, to be published with the probabilities by these days.
    #[must_use]
    pub fn on_days(self, days: DayGrid) -> Self {
        Self { days, ..self }
    }

    /// The distribution of a shipment that is known to be undelivered `age` hours after the order.
    ///
    /// Conditions on top of an earlier age; a smaller age than that changes nothing.
    #[must_use]
    pub fn given_open_for(mut self, age: f64) -> Self {
        if age > self.age {
            self.age = age;
            self.survived = self.plain_survival(age);
        }
        self
    }

    /// P(more than 48 h), given what is known.
    pub fn probability_over_2d(&self) -> f64 {
        self.survival(TWO_DAYS_HOURS)
    }

    /// P(delivered within `hours`).
    pub fn cdf(&self, hours: f64) -> f64 {
        1.0 - self.survival(hours)
    }

    /// P(not delivered within `hours`).
    pub fn survival(&self, hours: f64) -> f64 {
        if hours <= self.age {
            1.0
        } else if self.is_in_tail(self.age) {
            // Without memory, and without dividing two numbers that may both be 0.
            (-(hours - self.age) / self.tail_hours).exp()
        } else {
            (self.plain_survival(hours) / self.survived).min(1.0)
        }
    }

    /// Hours within which the delivery happens with probability `level`; never less than the age.
    pub fn quantile(&self, level: f64) -> f64 {
        let left = (1.0 - level).clamp(f64::MIN_POSITIVE, 1.0);
        if self.is_in_tail(self.age) {
            self.age - self.tail_hours * left.ln()
        } else {
            self.plain_quantile(left * self.survived).max(self.age)
        }
    }

    /// The numbers that are published.
    pub fn distribution(&self) -> Distribution {
        let mut by_day = [0.0; DAYS_AHEAD];
        // The running maxima only undo the last bit of rounding: neither may ever fall.
        let mut so_far = 0.0f32;
        for (point, share) in by_day.iter_mut().enumerate() {
            so_far = so_far.max(self.cdf(self.days.hours(point)) as f32);
            *share = so_far;
        }
        let mut so_far = self.age as f32;
        let hours = LEVELS.map(|level| {
            so_far = so_far.max(self.quantile(level) as f32);
            so_far
        });
        let probability_over_2d = self.probability_over_2d() as f32;
        Distribution { probability_over_2d, hours, by_day, days: self.days }
    }

    fn is_in_tail(&self, hours: f64) -> bool {
        hours >= self.beyond[N_LEVELS - 1]
    }

    /// Survival without the condition on age.
    fn plain_survival(&self, hours: f64) -> f64 {
        if hours <= TWO_DAYS_HOURS {
            self.over + (1.0 - self.over) * (1.0 - self.within.share_by(hours))
        } else if self.is_in_tail(hours) {
            let excess = hours - self.beyond[N_LEVELS - 1];
            self.over * TAIL_SHARE * (-excess / self.tail_hours).exp()
        } else {
            let above = self.beyond.partition_point(|&quantile| quantile <= hours);
            let ((low, from), (high, to)) = self.piece(above);
            self.over * (1.0 - (from + (to - from) * (hours - low) / (high - low)))
        }
    }

    /// Hours at which the survival without the condition on age is `left`.
    fn plain_quantile(&self, left: f64) -> f64 {
        if left >= self.over {
            return self.within.quantile((1.0 - left) / (1.0 - self.over));
        }
        let left = left / self.over;
        if left <= TAIL_SHARE {
            return self.beyond[N_LEVELS - 1] + self.tail_hours * (TAIL_SHARE / left).ln();
        }
        let level = 1.0 - left;
        let above = LEVELS.partition_point(|&known| known <= level).min(N_LEVELS - 1);
        let ((low, from), (high, to)) = self.piece(above);
        low + (high - low) * (level - from) / (to - from)
    }

    /// The ends (hours, level) of the linear piece that ends at quantile `above`.
    fn piece(&self, above: usize) -> ((f64, f64), (f64, f64)) {
        let low = match above {
            0 => (TWO_DAYS_HOURS, 0.0),
            above => (self.beyond[above - 1], LEVELS[above - 1]),
        };
        (low, (self.beyond[above], LEVELS[above]))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn knots() -> impl Strategy<Value = Knots> {
        proptest::collection::vec(0.0f32..48.0, 0..60).prop_map(Knots::of_deliveries)
    }

    fn mixtures() -> impl Strategy<Value = (f64, Knots, [f64; N_LEVELS], f64)> {
        let quantiles = proptest::array::uniform9(10.0f64..900.0);
        (0.0f64..=1.0, knots(), quantiles, 0.0f64..3.0)
    }

    proptest! {
        #[test]
        fn quantiles_invert_the_distribution((over, within, beyond, tail) in mixtures(),
                                             level in 0.001f64..0.999) {
            let mixture = Mixture::new(over, &within, beyond, tail);
            let back = mixture.cdf(mixture.quantile(level));
            prop_assert!((back - level).abs() < 1e-7, "{level} came back as {back}");
        }

        #[test]
        fn quantiles_never_cross_and_the_share_by_day_never_falls(
            (over, within, beyond, tail) in mixtures(), age in 0.0f64..1500.0) {
            for mixture in [Mixture::new(over, &within, beyond, tail),
                            Mixture::new(over, &within, beyond, tail).given_open_for(age)] {
                let published = mixture.distribution();
                prop_assert!(published.hours.is_sorted());
                prop_assert!(published.by_day.is_sorted());
                prop_assert!(published.by_day.iter().all(|share| (0.0..=1.0).contains(share)));
                let within_2d = 1.0 - published.by_day[1];
                prop_assert!((published.probability_over_2d - within_2d).abs() < 1e-6);
            }
        }

        #[test]
        fn the_distribution_is_continuous((over, within, beyond, tail) in mixtures(),
                                          hours in 0.0f64..1000.0) {
            let mixture = Mixture::new(over, &within, beyond, tail);
            // The steepest piece spans 1e-3 h and 0.25 of probability: 1e-9 h moves 2.5e-7.
            let step = mixture.cdf(hours + 1e-9) - mixture.cdf(hours);
            prop_assert!((-1e-12..1e-5).contains(&step), "jump of {step} at {hours}");
        }

        #[test]
        fn an_open_shipment_has_the_conditional_distribution(
            (over, within, beyond, tail) in mixtures(), age in 0.0f64..200.0, more in 0.0f64..300.0) {
            let plain = Mixture::new(over, &within, beyond, tail);
            let open = plain.given_open_for(age);
            let expected = plain.survival(age + more) / plain.survival(age);
            prop_assert!((open.survival(age + more) - expected).abs() < 1e-7);
            prop_assert!(LEVELS.iter().all(|&level| open.quantile(level) >= age));
            prop_assert!(open.given_open_for(age / 2.0).cdf(age) == 0.0);
        }
    }

    #[test]
    fn the_parts_meet_at_48_hours_and_go_through_the_quantiles() {
        let beyond = [60.0, 72.0, 96.0, 120.0, 144.0, 168.0, 200.0, 300.0, 400.0];
        let within = Knots::straight();
        let mixture = Mixture::new(0.8, &within, beyond, 0.5);
        assert!((mixture.cdf(24.0) - 0.1).abs() < 1e-12);
        assert!((mixture.cdf(48.0) - 0.2).abs() < 1e-12);
        assert!((mixture.cdf(144.0) - (0.2 + 0.8 * 0.5)).abs() < 1e-12);
        assert!((mixture.survival(400.0) - 0.8 * 0.05).abs() < 1e-12);
        // Mean excess: half of the 256 hours between the median and the last quantile.
        let further = 0.8 * 0.05 * (-1.0f64).exp();
        assert!((mixture.survival(528.0) - further).abs() < 1e-12);
    }

    #[test]
    fn a_coarser_grid_has_the_same_probabilities_at_its_days() {
        let beyond = [60.0, 240.0, 480.0, 720.0, 1440.0, 2160.0, 2880.0, 3600.0, 4000.0];
        let within = Knots::straight();
        let mixture = Mixture::new(0.9, &within, beyond, 0.5);
        let monthly = DayGrid::up_to(1_800).unwrap();
        let published = mixture.on_days(monthly).distribution();
        assert_eq!(published.days, monthly);
        for (point, &share) in published.by_day.iter().enumerate() {
            assert_eq!(share, mixture.cdf(monthly.hours(point)) as f32, "point {point}");
        }
        assert_eq!(published.by_day[0], mixture.distribution().by_day[29]);
        assert_eq!(published.hours, mixture.distribution().hours);
    }

    #[test]
    fn a_shipment_far_beyond_its_tail_still_has_time_ahead() {
        let within = Knots::straight();
        let mixture = Mixture::new(0.5, &within, [50.0; N_LEVELS], 0.4).given_open_for(1e5);
        let published = mixture.distribution();
        assert_eq!(published.probability_over_2d, 1.0);
        assert!((mixture.quantile(0.5) - (1e5 + 6.0 * 2f64.ln())).abs() < 1e-6);
        assert_eq!(published.by_day, [0.0; DAYS_AHEAD]);
    }
}
