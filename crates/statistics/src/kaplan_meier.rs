//! Quantiles of values of which some are only lower bounds.

use rayon::prelude::*;

/// Shares that differ by less are equal: t = 0.1 of ten values is the first of them.
const SHARE_TOLERANCE: f64 = 1e-9;

/// A value or, where it was not observed, its lower bound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Censored<T> {
    /// The value or bound.
    pub value: T,
    /// Whether it is the value.
    pub observed: bool,
    /// How many rows it stands for; at least 0.
    pub weight: f64,
}

/// The product-limit quantiles at `levels`, which ascend; sorts `values`. The quantile at a level
/// is the smallest value at or below which that share lies; the largest value, observed or not, if
/// no share reaches the level. Shapes: the result is as long as `levels`, empty without values.
///
/// Source: Kaplan and Meier, Nonparametric Estimation from Incomplete Observations, JASA 53, 1958.
/// At a tie the observed come first: what was censored at t was at risk at t.
///
/// ```
/// use statistics::{Censored, kaplan_meier};
///
/// let value = |value: f32, observed| Censored { value, observed, weight: 1.0 };
/// let mut values = [value(1.0, true), value(2.0, false), value(3.0, true), value(4.0, true)];
/// // After 1, three quarters are left; at 3, half of those go.
/// assert_eq!(kaplan_meier(&mut values, &[0.25, 0.6, 0.7]), [1.0, 3.0, 4.0]);
/// ```
pub fn kaplan_meier<T: Ordered>(values: &mut [Censored<T>], levels: &[f64]) -> Vec<T> {
    values
        .par_sort_unstable_by(|a, b| a.value.total_cmp(b.value).then(b.observed.cmp(&a.observed)));
    let Some(largest) = values.last().map(|last| last.value) else { return Vec::new() };
    let mut quantiles = Vec::with_capacity(levels.len());
    let mut at_risk: f64 = values.iter().map(|value| value.weight).sum();
    let mut survival = 1.0;
    for value in values.iter() {
        if value.observed && value.weight > 0.0 {
            survival *= (1.0 - value.weight / at_risk).max(0.0);
        }
        at_risk -= value.weight;
        let reached = |level: &&f64| 1.0 - survival >= **level - SHARE_TOLERANCE;
        let n_reached = levels[quantiles.len()..].iter().take_while(reached).count();
        quantiles.extend(std::iter::repeat_n(value.value, n_reached));
    }
    quantiles.resize(levels.len(), largest);
    quantiles
}

/// Floats in their total order.
pub trait Ordered: Copy + Send + Sync {
    /// IEEE 754's total order.
    fn total_cmp(self, other: Self) -> std::cmp::Ordering;
}

impl Ordered for f32 {
    fn total_cmp(self, other: Self) -> std::cmp::Ordering {
        f32::total_cmp(&self, &other)
    }
}

impl Ordered for f64 {
    fn total_cmp(self, other: Self) -> std::cmp::Ordering {
        f64::total_cmp(&self, &other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(observed: &[f64], censored: &[f64]) -> Vec<Censored<f64>> {
        let of = |observed| move |&value: &f64| Censored { value, observed, weight: 1.0 };
        observed.iter().map(of(true)).chain(censored.iter().map(of(false))).collect()
    }

    #[test]
    fn without_censoring_it_is_the_empirical_quantile() {
        let mut all = values(&[10.0, 9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0], &[]);
        assert_eq!(kaplan_meier(&mut all, &[0.1, 0.5, 0.51, 1.0]), [1.0, 5.0, 6.0, 10.0]);
        assert!(kaplan_meier::<f64>(&mut [], &[0.5]).is_empty());
    }

    #[test]
    fn a_censored_value_passes_its_share_to_the_right() {
        let mut some = values(&[4.0, 3.0, 1.0], &[2.0]);
        assert_eq!(kaplan_meier(&mut some, &[0.25, 0.6, 0.625, 0.63]), [1.0, 3.0, 3.0, 4.0]);
        assert_eq!(kaplan_meier(&mut values(&[1.0], &[9.0]), &[0.5, 0.9]), [1.0, 9.0]);
        assert_eq!(kaplan_meier(&mut values(&[2.0], &[2.0]), &[0.5, 0.6]), [2.0, 2.0]);
    }

    #[test]
    fn a_weight_of_two_is_the_same_as_twice() {
        let weighted = |value, observed| Censored { value, observed, weight: 2.0 };
        let mut weighted = vec![weighted(1.0, true), weighted(2.0, false), weighted(3.0, true)];
        let mut twice = values(&[1.0, 1.0, 3.0, 3.0], &[2.0, 2.0]);
        let levels = [0.1, 0.3, 0.5, 0.9];
        assert_eq!(kaplan_meier(&mut weighted, &levels), kaplan_meier(&mut twice, &levels));
    }
}
