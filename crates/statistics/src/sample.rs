//! Quantiles and shares of a sorted sample.

/// The quantile of `sorted` at `level`, linear between neighbours; `None` of nothing.
///
/// Source: definition 7 of Hyndman and Fan, Sample Quantiles in Statistical Packages, The American
/// Statistician 50(4), 1996.
///
/// ```
/// assert_eq!(statistics::quantile(&[10.0, 20.0, 40.0], 0.75), Some(30.0));
/// ```
pub fn quantile(sorted: &[f64], level: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let rank = level.clamp(0.0, 1.0) * last as f64;
    let below = (rank.floor() as usize).min(last);
    let above = (below + 1).min(last);
    let fraction = rank - below as f64;
    Some(sorted[below] + fraction * (sorted[above] - sorted[below]))
}

/// The share of `sorted` at or below `bound`; `None` of nothing.
pub fn share_within(sorted: &[f64], bound: f64) -> Option<f64> {
    if sorted.is_empty() {
        return None;
    }
    Some(sorted.partition_point(|&value| value <= bound) as f64 / sorted.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_linear_between_neighbours() {
        let sorted = [10.0, 20.0, 40.0];
        assert_eq!(quantile(&sorted, 0.0), Some(10.0));
        assert_eq!(quantile(&sorted, 0.25), Some(15.0));
        assert_eq!(quantile(&sorted, 0.75), Some(30.0));
        assert_eq!(quantile(&sorted, 1.0), Some(40.0));
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn the_share_within_a_bound_includes_the_bound() {
        assert_eq!(share_within(&[1.0, 2.0, 2.0, 3.0], 2.0), Some(0.75));
        assert_eq!(share_within(&[], 2.0), None);
    }
}
