//! The distribution of delivery time: the regressors' quantiles, in the proportions that the gate
//! gives to "within two days" and "beyond two days".
//!
//! The regressors' distribution G is a power of time up to their first quantile, piecewise linear
//! through all of them, and exponential beyond the last. The gate knows P(more than 48 h) better
//! than nine quantiles do, so `F(t) = (1 - p) · G(t) / G(48)` up to 48 h, and
//! `1 - F(t) = p · (1 - G(t)) / (1 - G(48))` beyond. The result is continuous and strictly ascending
//! where it is neither 0 nor 1, so quantiles exist, are unique and cannot cross.
//!
//! Where deliveries are recorded by their dates ([`Grain`]), G and F are of the moment at which they
//! happened, and what is published is of what will be recorded: two days are over at the end of the
//! second day, and quantiles are midnights.
//!
//! A shipment that is still open at some age has the same distribution conditioned on exceeding
//! that age. Beyond the last quantile the exponential tail is memoryless, so the expected remaining
//! time stays the same however old the shipment is.
//!
//! Everything here is computed through the survival function `S = 1 - F`, which keeps its
//! precision where `F` is near 1. Units: hours from `ordered_at`, in f64.

mod by_day;

use terms::{DayGrid, Grain, LEVELS, MEDIAN, N_LEVELS, TWO_DAYS_HOURS};

use crate::distribution::Distribution;
use crate::exponential::{exp_of_negative, power_of_share};

/// Two quantiles are at least so far apart (3.6 s), so that the distribution has no jumps.
const GAP_HOURS: f64 = 1e-3;

/// The gate's probability is kept so far from 0 and 1: neither class is ever impossible.
const PROBABILITY_MIN: f64 = 1e-6;

/// The mean excess beyond the last quantile is at least this. Deliveries come in rounds, a
/// shipment that is later than nearly all others does not arrive within the minute.
const TAIL_HOURS_MIN: f64 = 6.0;

/// Beyond the last level this share of the deliveries is left.
const TAIL_SHARE: f64 = 1.0 - LEVELS[N_LEVELS - 1];

/// The exponents of time below the first quantile.
const POWERS: std::ops::RangeInclusive<f64> = 1.0..=8.0;

/// The distribution of one shipment's delivery time, as a function. Units: hours from `ordered_at`.
///
/// ```
/// use scorer::Mixture;
///
/// let quantiles = [30.0, 40.0, 48.0, 60.0, 72.0, 84.0, 96.0, 120.0, 144.0];
/// // The quantiles say 0.75; the gate knows better.
/// let mixture = Mixture::new(0.9, quantiles, 0.4);
/// assert!((mixture.cdf(48.0) - 0.1).abs() < 1e-9);
/// assert!((mixture.survival(96.0) - 0.9 * 0.25 / 0.75).abs() < 1e-9);
/// assert!((mixture.quantile(0.7) - 96.0).abs() < 1e-9);
/// // Of a shipment that is open after 96 h, a fifth of those over 96 h are left at 144 h.
/// let open = mixture.given_open_for(96.0);
/// assert!((open.survival(144.0) - 0.05 / 0.25).abs() < 1e-9);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Mixture {
    /// P(more than two days).
    over: f64,
    /// Of G, ascending.
    quantiles: [f64; N_LEVELS],
    /// Of time below the first quantile.
    power: f64,
    tail_hours: f64,
    /// Its inverse, by which many are multiplied: dividing takes four times as long.
    per_tail_hour: f64,
    grain: Grain,
    order_hour: f64,
    /// When two days are over, as recorded.
    two_days: f64,
    /// 1 - G there.
    over_of_quantiles: f64,
    /// Its inverse.
    per_over_of_quantiles: f64,
    /// The age that the delivery time is known to exceed; 0 is no condition.
    age: f64,
    /// Unconditional survival at `age`.
    survived: f64,
    /// The days of the probabilities that are published.
    days: DayGrid,
}

impl Mixture {
    /// The distribution with these quantiles and P(more than 48 h) = `over`.
    ///
    /// `quantiles` and `tail_ratio` are as in [`of_quantiles`](Self::of_quantiles).
    pub fn new(over: f64, quantiles: [f64; N_LEVELS], tail_ratio: f64) -> Self {
        Self::of_quantiles(quantiles, tail_ratio, Grain::Instant, 0.0).with_over_2d(over)
    }

    /// The distribution with these quantiles, of an order at this hour of its day, where deliveries are
    /// recorded with this grain.
    ///
    /// `quantiles` are at [`LEVELS`], in any order: they are sorted, raised above 0 and kept a little
    /// apart. `tail_ratio` is the mean excess beyond the last quantile as a share of the distance
    /// from the median to it, so that an uncertain shipment has a long tail and a certain one a
    /// short one.
    pub fn of_quantiles(
        mut quantiles: [f64; N_LEVELS],
        tail_ratio: f64,
        grain: Grain,
        order_hour: f64,
    ) -> Self {
        quantiles.sort_by(f64::total_cmp);
        let mut floor = 0.0;
        for hours in &mut quantiles {
            *hours = hours.max(floor + GAP_HOURS);
            floor = *hours;
        }
        let width = quantiles[N_LEVELS - 1] - quantiles[MEDIAN];
        let power = libm::log(LEVELS[1] / LEVELS[0]) / libm::log(quantiles[1] / quantiles[0]);
        let tail_hours = (tail_ratio * width).max(TAIL_HOURS_MIN);
        let mut mixture = Self {
            over: 0.0,
            quantiles,
            power: power.clamp(*POWERS.start(), *POWERS.end()),
            tail_hours,
            per_tail_hour: tail_hours.recip(),
            grain,
            order_hour,
            two_days: grain.until(TWO_DAYS_HOURS, order_hour),
            over_of_quantiles: 0.0,
            per_over_of_quantiles: 0.0,
            age: 0.0,
            survived: 1.0,
            days: DayGrid::DAILY,
        };
        mixture.over_of_quantiles = mixture.survival_anywhere(mixture.two_days);
        mixture.per_over_of_quantiles = mixture.over_of_quantiles.recip();
        mixture.with_over_2d(mixture.over_of_quantiles)
    }

    /// The same quantiles in other proportions: P(more than 48 h) is `over`. Drops the condition on an
    /// age.
    #[must_use]
    pub fn with_over_2d(mut self, over: f64) -> Self {
        self.over = over.clamp(PROBABILITY_MIN, 1.0 - PROBABILITY_MIN);
        (self.age, self.survived) = (0.0, 1.0);
        self
    }

    /// The same, to be published with the probabilities by these days.
    #[must_use]
    pub fn on_days(self, days: DayGrid) -> Self {
        Self { days, ..self }
    }

    /// The days of the probabilities that are published.
    pub fn days(&self) -> DayGrid {
        self.days
    }

    /// The distribution of a shipment that is known to be undelivered `age` hours after the order.
    ///
    /// Conditions on top of an earlier age; a smaller age than that changes nothing.
    #[must_use]
    pub fn given_open_for(mut self, age: f64) -> Self {
        let age = if age > 0.0 { self.grain.until(age, self.order_hour) } else { 0.0 };
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
        let hours = self.grain.until(hours, self.order_hour);
        if hours <= self.age {
            1.0
        } else if self.is_in_tail(self.age) {
            // Without memory, and without dividing two numbers that may both be 0.
            exp_of_negative((self.age - hours) * self.per_tail_hour)
        } else {
            (self.plain_survival(hours) / self.survived).min(1.0)
        }
    }

    /// Hours within which the delivery happens with probability `level`; never less than the age.
    pub fn quantile(&self, level: f64) -> f64 {
        let left = (1.0 - level).clamp(f64::MIN_POSITIVE, 1.0);
        let hours = if self.is_in_tail(self.age) {
            self.age - self.tail_hours * libm::log(left)
        } else {
            self.plain_quantile(left * self.survived).max(self.age)
        };
        self.grain.recorded(hours, self.order_hour)
    }

    /// The numbers that are published.
    pub fn distribution(&self) -> Distribution {
        Distribution {
            probability_over_2d: self.probability_over_2d() as f32,
            hours: self.hours(),
            by_day: self.by_day(),
            days: self.days,
        }
    }

    /// The quantiles that are published, in hours.
    pub fn hours(&self) -> [f32; N_LEVELS] {
        // The running maximum only undoes the last bit of rounding: it may never fall.
        let mut so_far = 0.0f32;
        LEVELS.map(|level| {
            so_far = so_far.max(self.quantile(level) as f32);
            so_far
        })
    }

    fn is_in_tail(&self, hours: f64) -> bool {
        hours >= self.quantiles[N_LEVELS - 1].max(self.two_days)
    }

    /// Survival without the condition on age.
    fn plain_survival(&self, hours: f64) -> f64 {
        self.plain_survival_of(hours, self.survival_of_quantiles(hours))
    }

    /// The same, given 1 - G there.
    #[inline(always)]
    fn plain_survival_of(&self, hours: f64, of_quantiles: f64) -> f64 {
        if hours <= self.two_days {
            let within = 1.0 - self.over_of_quantiles;
            // Of quantiles of months so little lies within two days that nothing of it is left.
            let share = match within > 0.0 {
                true => ((1.0 - of_quantiles) / within).clamp(0.0, 1.0),
                false => 0.0,
            };
            1.0 - (1.0 - self.over) * share
        } else {
            self.plain_survival_beyond(of_quantiles)
        }
    }

    /// The same beyond two days.
    #[inline(always)]
    fn plain_survival_beyond(&self, of_quantiles: f64) -> f64 {
        self.over * (of_quantiles * self.per_over_of_quantiles).min(1.0)
    }

    /// Hours at which the survival without the condition on age is `left`.
    fn plain_quantile(&self, left: f64) -> f64 {
        if left >= self.over {
            let within = 1.0 - self.over_of_quantiles;
            self.quantile_of_quantiles(1.0 - within * (1.0 - left) / (1.0 - self.over))
                .min(self.two_days)
        } else {
            self.quantile_of_quantiles(self.over_of_quantiles * left / self.over).max(self.two_days)
        }
    }

    /// 1 - G.
    fn survival_of_quantiles(&self, hours: f64) -> f64 {
        // It is computed once, since powers are slow.
        if hours == self.two_days { self.over_of_quantiles } else { self.survival_anywhere(hours) }
    }

    fn survival_anywhere(&self, hours: f64) -> f64 {
        if hours < self.quantiles[0] {
            1.0 - LEVELS[0] * power_of_share(hours.max(0.0) / self.quantiles[0], self.power)
        } else if self.quantiles[N_LEVELS - 1] <= hours {
            self.survival_beyond(hours)
        } else {
            self.survival_between(hours)
        }
    }

    /// The same from the last quantile on.
    #[inline(always)]
    fn survival_beyond(&self, hours: f64) -> f64 {
        TAIL_SHARE * exp_of_negative((self.quantiles[N_LEVELS - 1] - hours) * self.per_tail_hour)
    }

    /// The same from the first quantile on and before the last.
    #[inline(always)]
    fn survival_between(&self, hours: f64) -> f64 {
        // Selected and not searched: where it is is not the same twice, and no branch foresees it.
        let mut piece = (LEVELS[0], LEVELS[1], self.quantiles[0], self.quantiles[1]);
        for low in 1..N_LEVELS - 1 {
            let next = (LEVELS[low], LEVELS[low + 1], self.quantiles[low], self.quantiles[low + 1]);
            piece = if self.quantiles[low] <= hours { next } else { piece };
        }
        let (from, to, low, high) = piece;
        1.0 - (from + (to - from) * (hours - low) / (high - low))
    }

    /// The inverse of 1 - G.
    fn quantile_of_quantiles(&self, left: f64) -> f64 {
        if left <= TAIL_SHARE {
            return self.quantiles[N_LEVELS - 1] + self.tail_hours * libm::log(TAIL_SHARE / left);
        }
        let level = 1.0 - left;
        let above = LEVELS.partition_point(|&known| known <= level).min(N_LEVELS - 1);
        if above == 0 {
            return self.quantiles[0]
                * power_of_share(level.max(0.0) / LEVELS[0], 1.0 / self.power);
        }
        let (low, high) = (self.quantiles[above - 1], self.quantiles[above]);
        let (from, to) = (LEVELS[above - 1], LEVELS[above]);
        low + (high - low) * (level - from) / (to - from)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use terms::DAYS_AHEAD;

    use super::*;

    pub(super) fn grains() -> impl Strategy<Value = (Grain, f64)> {
        let grain = prop_oneof![Just(Grain::Instant), Just(Grain::WholeDays), Just(Grain::Date)];
        (grain, 0.0f64..24.0)
    }

    pub(super) fn mixtures() -> impl Strategy<Value = (f64, [f64; N_LEVELS], f64)> {
        let quantiles = proptest::array::uniform9(0.0f64..900.0);
        (0.0f64..=1.0, quantiles, 0.0f64..3.0)
    }

    proptest! {
        #[test]
        fn quantiles_invert_the_distribution((over, quantiles, tail) in mixtures(),
                                             level in 0.001f64..0.999) {
            let mixture = Mixture::new(over, quantiles, tail);
            let back = mixture.cdf(mixture.quantile(level));
            // Of a share within two days of the quantiles that is next to nothing few digits are left.
            let within = 1.0 - mixture.over_of_quantiles;
            let tolerance = 1e-7 + 2.0 * f64::EPSILON / within;
            prop_assert!((back - level).abs() < tolerance, "{level} came back as {back}");
        }

        #[test]
        fn quantiles_never_cross_and_the_share_by_day_never_falls(
            (over, quantiles, tail) in mixtures(), (grain, hour) in grains(), age in 0.0f64..1500.0) {
            let plain = Mixture::of_quantiles(quantiles, tail, grain, hour).with_over_2d(over);
            for mixture in [plain, plain.given_open_for(age)] {
                let published = mixture.distribution();
                prop_assert!(published.hours.is_sorted());
                prop_assert!(published.by_day.is_sorted());
                prop_assert!(published.by_day.iter().all(|share| (0.0..=1.0).contains(share)));
                let within_2d = 1.0 - published.by_day[1];
                prop_assert!((published.probability_over_2d - within_2d).abs() < 1e-6);
            }
            prop_assert!((plain.probability_over_2d() - over.clamp(1e-6, 1.0 - 1e-6)).abs() < 1e-9);
        }

        #[test]
        fn the_distribution_is_continuous((over, quantiles, tail) in mixtures(),
                                          hours in 0.0f64..1000.0) {
            let mixture = Mixture::new(over, quantiles, tail);
            // The steepest piece spans 1e-3 h and all of the probability: 1e-9 h moves 1e-6 of it, and
            // the power below the first quantile eight times that.
            let step = mixture.cdf(hours + 1e-9) - mixture.cdf(hours);
            prop_assert!((-1e-12..1e-4).contains(&step), "jump of {step} at {hours}");
        }

        #[test]
        fn an_open_shipment_has_the_conditional_distribution(
            (over, quantiles, tail) in mixtures(), age in 0.0f64..200.0, more in 0.0f64..300.0) {
            let plain = Mixture::new(over, quantiles, tail);
            let open = plain.given_open_for(age);
            let expected = plain.survival(age + more) / plain.survival(age);
            prop_assert!((open.survival(age + more) - expected).abs() < 1e-7);
            prop_assert!(LEVELS.iter().all(|&level| open.quantile(level) >= age));
            prop_assert!(open.given_open_for(age / 2.0).cdf(age) == 0.0);
        }

        #[test]
        fn dates_are_published_of_what_is_learned_of_moments(
            (over, quantiles, tail) in mixtures(), hour in 0.0f64..24.0, level in 0.01f64..0.99) {
            let mixture = Mixture::of_quantiles(quantiles, tail, Grain::Date, hour).with_over_2d(over);
            let recorded = mixture.quantile(level);
            let midnight = (recorded + hour) % 24.0;
            prop_assert!(recorded == 0.0 || midnight.min(24.0 - midnight) < 1e-6, "{recorded}");
            // The step at what is recorded is the one that reaches the level.
            prop_assert!(mixture.cdf(recorded + 1e-6) >= level - 1e-9);
            prop_assert!(recorded == 0.0 || mixture.cdf(recorded - 0.01) <= level + 1e-9);
        }
    }

    #[test]
    fn the_proportions_are_the_gates_and_the_shape_that_of_the_quantiles() {
        let quantiles = [24.0, 48.0, 96.0, 120.0, 144.0, 168.0, 200.0, 300.0, 400.0];
        let mixture = Mixture::new(0.8, quantiles, 0.5);
        assert!((mixture.cdf(48.0) - 0.2).abs() < 1e-12);
        // A straight line through 0, 24 and 48 hours.
        assert!(
            (mixture.cdf(24.0) - 0.1).abs() < 1e-12 && (mixture.cdf(12.0) - 0.05).abs() < 1e-12
        );
        assert!((mixture.survival(144.0) - 0.8 * 0.5 / 0.9).abs() < 1e-12);
        // Mean excess: half of the 256 hours between the median and the last quantile.
        let further = 0.8 * 0.05 / 0.9 * (-1.0f64).exp();
        assert!((mixture.survival(528.0) - further).abs() < 1e-12);
    }

    #[test]
    fn two_days_are_over_at_the_end_of_the_second_day() {
        let quantiles = [30.0, 40.0, 60.0, 66.0, 70.0, 80.0, 90.0, 120.0, 144.0];
        let mixture =
            Mixture::of_quantiles(quantiles, 0.4, Grain::WholeDays, 0.0).with_over_2d(0.5);
        assert_eq!(mixture.probability_over_2d(), 0.5);
        assert_eq!(mixture.quantile(0.49), 48.0);
        assert_eq!(mixture.quantile(0.51), 72.0);
        // Open for two days: not delivered on the second one.
        assert_eq!(mixture.given_open_for(48.0).cdf(71.9), 0.0);
    }

    #[test]
    fn a_coarser_grid_has_the_same_probabilities_at_its_days() {
        let quantiles = [60.0, 240.0, 480.0, 720.0, 1440.0, 2160.0, 2880.0, 3600.0, 4000.0];
        let mixture = Mixture::new(0.9, quantiles, 0.5);
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
        let mixture = Mixture::new(0.5, [50.0; N_LEVELS], 0.4).given_open_for(1e5);
        let published = mixture.distribution();
        assert_eq!(published.probability_over_2d, 1.0);
        assert!((mixture.quantile(0.5) - (1e5 + 6.0 * 2f64.ln())).abs() < 1e-6);
        assert_eq!(published.by_day, [0.0; DAYS_AHEAD]);
    }

    /// A network of months: of a share of 1e-17 within two days not a number was left, but one that is none.
    #[test]
    fn quantiles_of_months_leave_a_number_within_two_days() {
        for first in [2_000.0, 9_000.0, 1e6, 1e12] {
            let quantiles = std::array::from_fn(|level| first * (1.0 + 0.001 * level as f64));
            let plain = Mixture::new(0.97, quantiles, 0.3);
            for mixture in [plain, plain.given_open_for(24.0)] {
                let published = mixture.distribution();
                assert!(
                    published.by_day.iter().all(|share| (0.0..=1.0).contains(share)),
                    "{first}"
                );
                assert!(published.hours.iter().all(|hours| hours.is_finite()), "{first}");
                // All that is within two days, or none of it where nothing is left of it.
                let within = f64::from(published.by_day[1]);
                assert!(within == 0.0 || (within - 0.03).abs() < 1e-6, "{published:?}");
                assert!(published.by_day.is_sorted(), "{published:?}");
            }
        }
    }
}
