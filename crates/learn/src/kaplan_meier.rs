//! Quantiles of values of which some are only lower bounds.

/// The product-limit estimate over all values, ready to be asked for quantiles.
///
/// Source: Kaplan and Meier, Nonparametric Estimation from Incomplete Observations, JASA 53, 1958.
pub(crate) struct KaplanMeier {
    /// Value and estimated share at or below it, ascending.
    steps: Vec<(f64, f64)>,
}

impl KaplanMeier {
    /// Shapes: one `observed` a value; where it is false, the value is a lower bound.
    pub(crate) fn new(mut values: Vec<(f64, bool)>) -> Self {
        // At a tie the observed come first: who was lost at t was alive at t.
        values.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
        let n = values.len();
        let mut left = 1.0;
        let steps = values.iter().enumerate().map(|(before, &(value, observed))| {
            if observed {
                left *= 1.0 - 1.0 / (n - before) as f64;
            }
            (value, 1.0 - left)
        });
        Self { steps: steps.collect() }
    }

    /// The smallest value at or below which the share `level` lies; the largest value if so many
    /// are censored that none is known to. Nothing without values.
    pub(crate) fn quantile(&self, level: f64) -> Option<f64> {
        // The share is a product of rounded factors.
        let rounding = 1e-9;
        let at = self.steps.partition_point(|&(_, share)| share < level - rounding);
        self.steps.get(at).or(self.steps.last()).map(|&(value, _)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_censoring_it_is_the_empirical_quantile() {
        let all = KaplanMeier::new((1..=10).rev().map(|v| (f64::from(v), true)).collect());
        assert_eq!(all.quantile(0.5), Some(5.0));
        assert_eq!(all.quantile(0.51), Some(6.0));
        assert_eq!(all.quantile(1.0), Some(10.0));
        assert_eq!(KaplanMeier::new(Vec::new()).quantile(0.5), None);
    }

    #[test]
    fn a_censored_value_passes_its_share_to_the_right() {
        // 1 (observed), 2 (open), 3, 4: after 1, 3/4 are left; at 3, half of those go.
        let some = KaplanMeier::new(vec![(4.0, true), (3.0, true), (2.0, false), (1.0, true)]);
        assert_eq!(some.quantile(0.25), Some(1.0));
        assert_eq!(some.quantile(0.6), Some(3.0));
        assert_eq!(some.quantile(0.7), Some(4.0));
        let open = KaplanMeier::new(vec![(1.0, true), (9.0, false)]);
        assert_eq!(open.quantile(0.9), Some(9.0));
    }
}
