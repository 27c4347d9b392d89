//! Order statistics, of numbers and of numbers of which some are only lower bounds.
//!
//! The Kaplan-Meier quantile at level t is the smallest event at which the product-limit share
//! reaches t; with no open rows that is the ceil(n t)-th smallest. It is exact. Between two
//! neighbouring open rows the product telescopes,
//!
//! ```text
//! (1 - 1/r)(1 - 1/(r-1)) … (d factors) = (r - d) / r,
//! ```
//!
//! so only the number of events between open rows matters, and the rank of the event follows from
//! it; one selection finds the event of that rank.
//!
//! Source: Kaplan and Meier, "Nonparametric estimation from incomplete observations" (1958). An
//! event and an open row at the same value: the event comes first, as is usual.

/// Shares that differ by less are equal: t = 0.1 of ten rows is the first of them.
pub(crate) const SHARE_TOLERANCE: f64 = 1e-9;

/// The quantile of values of which some are lower bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Quantile {
    /// The value at which the share is reached.
    At(f32),
    /// The share is not reached; the largest value, event or bound.
    Beyond(f32),
}

/// The ceil(n `level`)-th smallest of some values, of which there is one at least; reorders them.
pub(crate) fn order_statistic(values: &mut [f32], level: f64) -> f32 {
    let rank = (values.len() as f64 * (level - SHARE_TOLERANCE)).ceil().max(1.0) as usize - 1;
    *values.select_nth_unstable_by(rank, f32::total_cmp).1
}

/// The Kaplan-Meier quantile of `events` and lower bounds `open`, not both empty; reorders both.
pub(crate) fn kaplan_meier(events: &mut [f32], open: &mut [f32], level: f64) -> Quantile {
    let n = events.len() + open.len();
    match event_rank(&count_gaps(events, open), n, level) {
        Some(rank) => Quantile::At(*events.select_nth_unstable_by(rank, f32::total_cmp).1),
        None => {
            let all = events.iter().chain(open.iter());
            Quantile::Beyond(all.copied().max_by(f32::total_cmp).unwrap_or(0.0))
        }
    }
}

/// The number of events below each open row and above the one before, and above the last; sorts
/// `open`.
fn count_gaps(events: &[f32], open: &mut [f32]) -> Vec<u32> {
    open.sort_unstable_by(f32::total_cmp);
    let mut gaps = vec![0; open.len() + 1];
    events.iter().for_each(|&event| gaps[open.partition_point(|&bound| bound < event)] += 1);
    gaps
}

/// The rank of the event at which the share reaches `level`.
fn event_rank(gaps: &[u32], n: usize, level: f64) -> Option<usize> {
    let mut at_risk = n as f64;
    let mut survival = 1.0;
    let mut rank = 0;
    for &events in gaps {
        let events = f64::from(events);
        // survival (r - d) / r <= 1 - level, solved for d.
        let needed = at_risk * (1.0 - (1.0 - level + SHARE_TOLERANCE) / survival);
        let needed = needed.ceil().max(1.0);
        if needed <= events {
            return Some(rank + needed as usize - 1);
        }
        rank += events as usize;
        if at_risk > 0.0 {
            survival *= (at_risk - events) / at_risk;
        }
        at_risk -= events + 1.0;
    }
    None
}

/// The same by the definition: sort all, multiply up.
#[cfg(test)]
pub(crate) fn kaplan_meier_by_definition(events: &[f32], open: &[f32], level: f64) -> Quantile {
    let mut all: Vec<(f32, bool)> = events.iter().map(|&value| (value, false)).collect();
    all.extend(open.iter().map(|&value| (value, true)));
    all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut survival = 1.0;
    for (before, &(value, is_open)) in all.iter().enumerate() {
        if !is_open {
            survival *= 1.0 - 1.0 / (all.len() - before) as f64;
            if 1.0 - survival >= level - SHARE_TOLERANCE {
                return Quantile::At(value);
            }
        }
    }
    Quantile::Beyond(all[all.len() - 1].0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn without_open_rows_it_is_the_order_statistic() {
        let mut events: Vec<f32> = (1..=10).rev().map(|value| value as f32).collect();
        let mut values = events.clone();
        for (level, expected) in [(0.1, 1.0), (0.11, 2.0), (0.5, 5.0), (0.95, 10.0)] {
            assert_eq!(kaplan_meier(&mut events, &mut [], level), Quantile::At(expected));
            assert_eq!(order_statistic(&mut values, level), expected);
        }
    }

    #[test]
    fn the_weight_of_an_open_row_goes_to_the_right() {
        // Shares: 1/4 at 1; the open row at 2 shares its quarter between 3 and 4.
        let quantile = |level| kaplan_meier(&mut [1.0, 3.0, 4.0], &mut [2.0], level);
        assert_eq!(quantile(0.25), Quantile::At(1.0));
        assert_eq!(quantile(0.26), Quantile::At(3.0));
        assert_eq!(quantile(0.625), Quantile::At(3.0));
        assert_eq!(quantile(0.63), Quantile::At(4.0));
    }

    #[test]
    fn a_share_that_is_never_reached_is_beyond_the_largest() {
        assert_eq!(kaplan_meier(&mut [1.0], &mut [2.0], 0.6), Quantile::Beyond(2.0));
        assert_eq!(kaplan_meier(&mut [], &mut [2.0, -1.0], 0.1), Quantile::Beyond(2.0));
    }

    proptest! {
        #[test]
        fn counting_gaps_is_the_definition(
            events in prop::collection::vec((-40i8..40).prop_map(f32::from), 1..80),
            open in prop::collection::vec((-40i8..40).prop_map(f32::from), 0..40),
            level in 0.01f64..0.99,
        ) {
            let expected = kaplan_meier_by_definition(&events, &open, level);
            prop_assert_eq!(kaplan_meier(&mut events.clone(), &mut open.clone(), level), expected);
        }
    }
}
