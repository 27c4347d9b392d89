//! Weights by which the observed of right-censored values stand for those that were censored.

use crate::Censored;

/// The product-limit estimate of G(t) = P(the censoring time is beyond t): the survival function of
/// the censoring, of which the observed values are the censored ones.
///
/// A value y that is observed with probability G(y-) and weighted by 1/G(y-) has the expectation that
/// it had without censoring, if values and censoring times are independent. The weights of all
/// observed values sum to their number times the share that the product-limit estimate of the values
/// themselves reaches.
///
/// Sources: Graf, Schmoor, Sauerbrei and Schumacher, Assessment and Comparison of Prognostic
/// Classification Schemes for Survival Data, Statistics in Medicine 18, 1999; Gerds and Schumacher,
/// Consistent Estimation of the Expected Brier Score in General Survival Models with Right-Censored
/// Event Times, Biometrical Journal 48, 2006. At a tie the observed come first, as in
/// [`kaplan_meier`](crate::kaplan_meier).
///
/// ```
/// use statistics::{Censored, CensoringSurvival};
///
/// let value = |value, observed| Censored { value, observed, weight: 1.0 };
/// let values = [value(1.0, true), value(2.0, false), value(3.0, true), value(4.0, true)];
/// let survival = CensoringSurvival::of(&values);
/// // One of the three that were at risk at 2 was censored.
/// assert_eq!([2.0, 2.5].map(|at| survival.before(at)), [1.0, 2.0 / 3.0]);
/// ```
#[derive(Clone, Debug, PartialEq, Default)]
pub struct CensoringSurvival {
    /// Where the survival falls, ascending.
    times: Vec<f64>,
    /// The survival from each of `times` on.
    survival: Vec<f64>,
}

impl CensoringSurvival {
    /// The estimate from `values`, in any order.
    pub fn of(values: &[Censored<f64>]) -> Self {
        let mut sorted = values.to_vec();
        sorted
            .sort_by(|a, b| a.value.total_cmp(&b.value).then_with(|| b.observed.cmp(&a.observed)));
        let mut at_risk: f64 = sorted.iter().map(|value| value.weight).sum();
        let mut left = 1.0;
        let mut estimate = Self::default();
        for same in sorted.chunk_by(|a, b| a.value == b.value) {
            let weight_of = |observed: bool| -> f64 {
                same.iter().filter(|one| one.observed == observed).map(|one| one.weight).sum()
            };
            at_risk -= weight_of(true);
            let censored = weight_of(false);
            if censored > 0.0 {
                left *= (at_risk - censored).max(0.0) / at_risk;
                estimate.times.push(same[0].value);
                estimate.survival.push(left);
            }
            at_risk -= censored;
        }
        estimate
    }

    /// G(t-): the probability that the censoring time is `t` or beyond. Above 0 for every `t` up to
    /// the largest value, since that one was at risk until then.
    pub fn before(&self, t: f64) -> f64 {
        match self.times.partition_point(|&time| time < t) {
            0 => 1.0,
            n_earlier => self.survival[n_earlier - 1],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SplitMix64, kaplan_meier};

    fn random_values(n: usize, seed: u64) -> Vec<Censored<f64>> {
        let mut random = SplitMix64::new(seed);
        let one = |_| {
            // Whole numbers, so that there are ties of every kind.
            let (value, bound) = (random.below(30) as f64, 10.0 + random.below(25) as f64);
            let observed = value <= bound;
            Censored { value: if observed { value } else { bound }, observed, weight: 1.0 }
        };
        (0..n).map(one).collect()
    }

    #[test]
    fn without_censoring_nothing_is_weighted() {
        let values = [3.0, 1.0].map(|value| Censored { value, observed: true, weight: 1.0 });
        let survival = CensoringSurvival::of(&values);
        assert_eq!([0.0, 2.0, 9.0].map(|at| survival.before(at)), [1.0; 3]);
        assert_eq!(CensoringSurvival::of(&[]).before(5.0), 1.0);
    }

    #[test]
    fn the_weights_are_the_masses_of_the_product_limit_estimate() {
        let mut values = random_values(400, 3);
        let survival = CensoringSurvival::of(&values);
        let total = values.len() as f64;
        let share = |t: f64| {
            let within = values.iter().filter(|one| one.observed && one.value <= t);
            within.map(|one| 1.0 / survival.before(one.value)).sum::<f64>() / total
        };
        let shares: Vec<f64> = (0..30).map(|t| share(f64::from(t))).collect();
        assert!(shares.is_sorted() && shares[29] > 0.8, "{shares:?}");
        // A level just below such a share is reached at this very value, one above it is not.
        let rises = shares.windows(2).enumerate().filter(|(_, pair)| pair[0] < pair[1]);
        for (t, share) in rises.map(|(t, pair)| (t as f64 + 1.0, pair[1])).filter(|it| it.1 < 0.9) {
            let quantiles = kaplan_meier(&mut values, &[share - 1e-6, share + 1e-6]);
            assert!(quantiles[0] == t && quantiles[1] > t, "{t} {share} {quantiles:?}");
        }
    }

    #[test]
    fn whoever_is_censored_at_a_time_was_at_risk_at_it() {
        let value = |value, observed| Censored { value, observed, weight: 1.0 };
        let survival = CensoringSurvival::of(&[value(2.0, false), value(2.0, true)]);
        assert_eq!((survival.before(2.0), survival.before(2.1)), (1.0, 0.0));
    }
}
