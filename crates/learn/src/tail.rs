//! The mean of the exponential tail beyond the last predicted quantile, estimated from excesses over
//! it.

use terms::{MEDIAN, N_LEVELS};

/// The ratio of an exponential distribution beyond 48 h, whose p95 is ln 10 mean excesses above its
/// median: it is assumed where there are too few excesses.
pub(crate) const RATIO_ASSUMED: f32 = std::f32::consts::LOG10_E;

/// With fewer observed excesses than this the ratio is not estimated.
const EXCESSES_MIN: usize = 30;

/// The ratio is kept within these bounds; beyond them is a fault in the data.
const RATIO_MIN: f64 = 0.1;
const RATIO_MAX: f64 = 2.0;

/// Mean excess beyond the last quantile as a share of the distance from the median to it.
///
/// For an exponential distribution with right-censoring, the sum of all excesses, censored ones
/// included, over the number of observed ones is the maximum-likelihood estimate of the mean. `None`
/// if too few are observed.
pub(crate) fn ratio<'a>(
    rows: impl Iterator<Item = (&'a [f64; N_LEVELS], f32, bool)>,
) -> Option<f32> {
    let (mut sum, mut n_observed) = (0.0, 0);
    for (quantiles, hours, observed) in rows {
        let excess = f64::from(hours) - quantiles[N_LEVELS - 1];
        // A width of less than a hundredth of the median is mostly rounding.
        let width = quantiles[N_LEVELS - 1] - quantiles[MEDIAN];
        let width = width.max(0.01 * quantiles[MEDIAN]).max(f64::MIN_POSITIVE);
        if excess > 0.0 {
            sum += excess / width;
            n_observed += usize::from(observed);
        }
    }
    let ratio = (sum / n_observed as f64).clamp(RATIO_MIN, RATIO_MAX);
    (n_observed >= EXCESSES_MIN).then_some(ratio as f32)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_exponential_distribution_gives_its_own_ratio() {
        let quantiles = terms::LEVELS.map(|level| 48.0 - 100.0 * (1.0 - level).ln());
        let hours: Vec<f32> =
            (0..20_000).map(|i| 48.0 - 100.0 * ((f32::from(i as u16) + 0.5) / 2e4).ln()).collect();
        let found = ratio(hours.iter().map(|&hours| (&quantiles, hours, true))).unwrap();
        assert!((found - RATIO_ASSUMED).abs() < 0.01, "{found}");
        assert_eq!(ratio(hours[..100].iter().map(|&hours| (&quantiles, hours, false))), None);
    }

    proptest! {
        #[test]
        fn any_finite_rows_give_a_ratio_within_the_bounds_or_none(
            rows in proptest::collection::vec(
                (proptest::array::uniform9(-1e30f64..1e30), -1e30f32..1e30, any::<bool>()), 0..80),
        ) {
            let found = ratio(rows.iter().map(|(quantiles, hours, seen)| (quantiles, *hours, *seen)));
            prop_assert!(found.is_none_or(|ratio| (0.099..2.001).contains(&ratio)), "{found:?}");
        }
    }
}
