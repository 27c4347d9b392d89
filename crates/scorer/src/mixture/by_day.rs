//! The probabilities by day: the distribution function at sixty moments, in parts that compilers turn into
//! vectors. It is as much work as hundreds of trees, and most of the rest of a row's.

use terms::{DAYS_AHEAD, Grain, N_LEVELS};

use super::Mixture;
use crate::exponential::exp_of_negative;

/// Days that are looked at at once.
const VECTOR: usize = 8;

/// The days of the published probabilities, and some more to fill the last vector.
const POINTS: usize = DAYS_AHEAD.next_multiple_of(VECTOR);

impl Mixture {
    /// The probabilities by day that are published.
    pub fn by_day(&self) -> [f32; DAYS_AHEAD] {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq") {
            #[target_feature(enable = "avx512f,avx512dq")]
            fn with_avx512(mixture: &Mixture) -> [f32; DAYS_AHEAD] {
                mixture.by_day_on_any()
            }
            // The same source, so the same operations: six times as fast in wide vectors.
            #[expect(unsafe_code, reason = "instructions that the machine has to have")]
            // SAFETY: it has them.
            return unsafe { with_avx512(self) };
        }
        self.by_day_on_any()
    }

    /// As [`cdf`](Self::cdf) of each day, in parts that compilers turn into vectors.
    #[inline(always)]
    fn by_day_on_any(&self) -> [f32; DAYS_AHEAD] {
        let step = self.days.hours(0);
        // Whole numbers, so that these products are exact.
        let mut hours: [f64; POINTS] = std::array::from_fn(|point| step * (point + 1) as f64);
        if self.grain != Grain::Instant {
            hours.iter_mut().for_each(|at| *at = self.grain.until(*at, self.order_hour));
        }
        let mut survival = [0.0; POINTS];
        if self.is_in_tail(self.age) {
            for (survival, &hours) in survival.iter_mut().zip(&hours) {
                let left = exp_of_negative((self.age - hours) * self.per_tail_hour);
                *survival = if hours <= self.age { 1.0 } else { left };
            }
        } else {
            let (first, last) = (self.quantiles[0], self.quantiles[N_LEVELS - 1]);
            let mut of_quantiles = [0.0; POINTS];
            for ((survival, of_quantiles), &hours) in
                survival.iter_mut().zip(&mut of_quantiles).zip(&hours)
            {
                *of_quantiles = self.survival_beyond(hours.max(last));
                *survival = self.plain_survival_beyond(*of_quantiles);
            }
            // Counted and not searched, which no branch foresees. By vectors: the last may reach beyond.
            let is_within = |&&hours: &&f64| hours < last || hours <= self.two_days;
            let n_within = hours.iter().filter(is_within).count().next_multiple_of(VECTOR);
            let of_quantiles = &mut of_quantiles[..n_within];
            for (of_quantiles, &hours) in of_quantiles.iter_mut().zip(&hours) {
                let between = self.survival_between(hours);
                *of_quantiles = if hours < last { between } else { *of_quantiles };
            }
            let below = hours.iter().take_while(|&&hours| hours < first);
            for (of_quantiles, &hours) in of_quantiles.iter_mut().zip(below) {
                *of_quantiles = self.survival_of_quantiles(hours);
            }
            for ((survival, &of_quantiles), &hours) in
                survival.iter_mut().zip(&*of_quantiles).zip(&hours)
            {
                let at_two_days = hours == self.two_days;
                let of_quantiles = if at_two_days { self.over_of_quantiles } else { of_quantiles };
                *survival = self.plain_survival_of(hours, of_quantiles);
            }
            // Without an age nothing is divided, which would change nothing.
            if self.age > 0.0 {
                for (survival, &hours) in survival.iter_mut().zip(&hours) {
                    let given = (*survival / self.survived).min(1.0);
                    *survival = if hours <= self.age { 1.0 } else { given };
                }
            }
        }
        let mut by_day: [f32; DAYS_AHEAD] =
            std::array::from_fn(|point| (1.0 - survival[point]) as f32);
        // Only the last bit of rounding ever falls, and rarely.
        let falls =
            by_day.array_windows().fold(false, |any, [before, after]| any | (after < before));
        if falls {
            let mut so_far = 0.0f32;
            for share in &mut by_day {
                so_far = so_far.max(*share);
                *share = so_far;
            }
        }
        by_day
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::mixture::tests::{grains, mixtures};

    proptest! {
        #[test]
        fn by_day_is_the_distribution_at_each_day(
            (over, quantiles, tail) in mixtures(), (grain, hour) in grains(), age in 0.0f64..3000.0) {
            let plain = Mixture::of_quantiles(quantiles, tail, grain, hour).with_over_2d(over);
            for mixture in [plain, plain.given_open_for(age)] {
                let mut so_far = 0.0f32;
                let expected: [f32; DAYS_AHEAD] = std::array::from_fn(|point| {
                    so_far = so_far.max(mixture.cdf(mixture.days.hours(point)) as f32);
                    so_far
                });
                prop_assert_eq!(mixture.by_day(), expected);
                prop_assert_eq!(mixture.by_day_on_any(), expected);
            }
        }
    }
}
