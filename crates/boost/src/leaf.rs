//! Quantiles: of outcomes of which some are only lower bounds, and of the residuals of all leaves.
//!
//! Where a model begins, the quantiles are Kaplan and Meier's, exact: the smallest event at which
//! the product-limit share reaches the level (Kaplan and Meier, "Nonparametric estimation from
//! incomplete observations", 1958). An event and an open row at the same value: the event comes
//! first, as is usual.
//!
//! In the leaves they are read off counts. A residual falls into one of 511 buckets, eight to each
//! power of two and mirrored at zero, which are the leading bits of its float; a quantile lies
//! within the bucket in which the count reaches its level, as far along as the level is. So a step
//! is exact to within an eighth of its own size, however large or small it is, and the next round
//! corrects what is left of it: where selecting from sorted residuals took half of all time, the
//! models are as good. Counts are integers, so neither threads nor the order of rows matter.

use std::ops::AddAssign;

use rayon::prelude::*;

/// Shares that differ by less are equal: t = 0.1 of ten rows is the first of them.
const SHARE_TOLERANCE: f64 = 1e-9;

/// An outcome or its lower bound.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    pub(crate) value: f32,
    pub(crate) observed: bool,
    pub(crate) weight: f64,
}

/// The Kaplan-Meier quantiles of outcomes, of which one is observed at least; sorts them. A share
/// that is never reached has the largest value, event or bound.
pub(crate) fn kaplan_meier(outcomes: &mut [Outcome], levels: &[f64]) -> Vec<f32> {
    outcomes
        .par_sort_unstable_by(|a, b| a.value.total_cmp(&b.value).then(b.observed.cmp(&a.observed)));
    let mut quantiles = Vec::with_capacity(levels.len());
    let mut at_risk: f64 = outcomes.iter().map(|outcome| outcome.weight).sum();
    let mut survival = 1.0;
    for outcome in outcomes.iter() {
        if outcome.observed && outcome.weight > 0.0 {
            survival *= (1.0 - outcome.weight / at_risk).max(0.0);
        }
        at_risk -= outcome.weight;
        let reached = |level: &&f64| 1.0 - survival >= **level - SHARE_TOLERANCE;
        let n_reached = levels[quantiles.len()..].iter().take_while(reached).count();
        quantiles.extend(std::iter::repeat_n(outcome.value, n_reached));
    }
    let largest = outcomes.last().map_or(0.0, |outcome| outcome.value);
    quantiles.resize(levels.len(), largest);
    quantiles
}

/// Buckets on either side of the one around zero: eight for each of 32 powers of two.
const STEPS: i32 = 255;

/// The number of buckets, filled up to a power of two.
pub(crate) const BUCKETS: usize = 512;

/// The bucket around zero.
const CENTRE: i32 = 256;

/// Bits of a float below the three of its fraction that tell buckets apart.
const SHIFT: u32 = 20;

/// How residuals of a certain size fall into buckets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Buckets {
    /// Below this size (as bits) a residual is zero.
    floor: i32,
}

impl Buckets {
    /// Buckets for residuals of which few are larger than `size`, and those by little.
    pub(crate) fn new(size: f32) -> Self {
        // The powers of two up to four times the size, and the 32 below.
        let top = (size.to_bits() >> 23) as i32 + 3;
        Self { floor: (top - 32).clamp(1, 254 - 32) << 23 }
    }

    /// The bucket of a residual.
    #[inline(always)]
    pub(crate) fn of(self, residual: f32) -> usize {
        let bits = residual.to_bits() as i32;
        let sign = bits >> 31;
        let step = (((bits & i32::MAX).max(self.floor) - self.floor) >> SHIFT).min(STEPS);
        (CENTRE + ((step ^ sign) - sign)) as usize
    }

    /// The residual that lies so far (0 to 1) along a bucket.
    pub(crate) fn along(self, bucket: usize, way: f64) -> f32 {
        let signed = bucket as i32 - CENTRE;
        let edge = |step: i32| f64::from(f32::from_bits((self.floor + (step << SHIFT)) as u32));
        let step = signed.abs();
        let (near, far) = (edge(step), edge(step + 1));
        match signed {
            0 => 0.0,
            1.. => (near + (far - near) * way) as f32,
            _ => (-far + (far - near) * way) as f32,
        }
    }
}

/// A count of rows, or a sum of their weights.
pub(crate) trait Count: Copy + Default + Send + Sync + AddAssign + Into<u64> {}
impl Count for u32 {}
impl Count for u64 {}

/// The counts of one leaf and level at which its quantile lies; none of no rows.
pub(crate) fn quantile<C: Count>(counts: &[C], level: f64, buckets: Buckets) -> Option<f32> {
    let total: u64 = counts.iter().map(|&count| count.into()).sum();
    let wanted = total as f64 * level;
    let enough = wanted - total as f64 * SHARE_TOLERANCE;
    let mut before = 0;
    for (bucket, &count) in counts.iter().enumerate() {
        let here: u64 = count.into();
        if here > 0 && (before + here) as f64 >= enough {
            let way = (wanted - before as f64) / here as f64;
            return Some(buckets.along(bucket, way.clamp(0.0, 1.0)));
        }
        before += here;
    }
    None
}

/// What the leaves' quantiles are read from.
#[derive(Clone, Copy)]
pub(crate) struct Residuals<'a> {
    /// Shapes: n_rows or more.
    pub(crate) leaf_of_row: &'a [u16],
    /// Shapes: n_rows.
    pub(crate) outcomes: &'a [f32],
    /// Shapes: n_rows or more x n_levels.
    pub(crate) current: &'a [f32],
    pub(crate) levels: &'a [f64],
    pub(crate) buckets: Buckets,
}

/// Rows of a part at least: counting them must cost far more than adding the counts up.
const PART_ROWS: usize = 1 << 15;

/// Bytes of all parts' counts at most.
const PARTS_BYTES: usize = 1 << 28;

impl Residuals<'_> {
    /// The quantile of each leaf and level. Shapes: n_leaves x n_levels.
    pub(crate) fn quantiles<C: Count>(
        &self,
        n_leaves: usize,
        weight: impl Fn(usize) -> C + Sync,
    ) -> Vec<f32> {
        let n_levels = self.levels.len();
        let n_counts = n_leaves * n_levels * BUCKETS;
        let parts =
            rayon::current_num_threads().min(PARTS_BYTES / (n_counts * size_of::<C>())).max(1);
        let part_rows = self.outcomes.len().div_ceil(parts).max(PART_ROWS);
        let mut counts: Vec<Vec<C>> = (0..self.outcomes.len().div_ceil(part_rows))
            .into_par_iter()
            .map(|part| {
                let mut counts = vec![C::default(); n_counts];
                self.count(part * part_rows, part_rows, &weight, &mut counts);
                counts
            })
            .collect();
        let mut whole = counts.pop().unwrap_or_default();
        let mut quantiles = vec![0.0; n_leaves * n_levels];
        let of_each = quantiles.par_iter_mut().zip(whole.par_chunks_mut(BUCKETS)).enumerate();
        of_each.with_min_len(16).for_each(|(place, (value, whole))| {
            for part in &counts {
                let part = &part[place * BUCKETS..][..BUCKETS];
                whole.iter_mut().zip(part).for_each(|(whole, &part)| *whole += part);
            }
            *value = quantile(whole, self.levels[place % n_levels], self.buckets).unwrap_or(0.0);
        });
        quantiles
    }

    /// Counts the residuals of some rows.
    fn count<C: Count>(
        &self,
        first_row: usize,
        n_rows: usize,
        weight: &impl Fn(usize) -> C,
        counts: &mut [C],
    ) {
        // A number of levels that the compiler knows is unrolled.
        match self.levels.len() {
            1 => self.count_levels(1, first_row, n_rows, weight, counts),
            9 => self.count_levels(9, first_row, n_rows, weight, counts),
            n => self.count_levels(n, first_row, n_rows, weight, counts),
        }
    }

    #[inline(always)]
    fn count_levels<C: Count>(
        &self,
        n_levels: usize,
        first_row: usize,
        n_rows: usize,
        weight: &impl Fn(usize) -> C,
        counts: &mut [C],
    ) {
        let rows = self.outcomes.iter().zip(self.leaf_of_row).enumerate();
        let rows = rows.zip(self.current.chunks_exact(n_levels));
        for ((row, (outcome, &leaf)), current) in rows.skip(first_row).take(n_rows) {
            let weight = weight(row);
            let counts = &mut counts[leaf as usize * n_levels * BUCKETS..][..n_levels * BUCKETS];
            for (counts, quantile) in counts.chunks_exact_mut(BUCKETS).zip(current) {
                counts[self.buckets.of(outcome - quantile)] += weight;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn outcomes(events: &[f32], open: &[f32]) -> Vec<Outcome> {
        let outcome = |observed| move |&value: &f32| Outcome { value, observed, weight: 1.0 };
        events.iter().map(outcome(true)).chain(open.iter().map(outcome(false))).collect()
    }

    #[test]
    fn without_open_rows_it_is_the_order_statistic() {
        let events: Vec<f32> = (1..=10).rev().map(|value| value as f32).collect();
        let quantiles = kaplan_meier(&mut outcomes(&events, &[]), &[0.1, 0.11, 0.5, 0.95]);
        assert_eq!(quantiles, [1.0, 2.0, 5.0, 10.0]);
    }

    #[test]
    fn the_weight_of_an_open_row_goes_to_the_right() {
        // Shares: 1/4 at 1; the open row at 2 shares its quarter between 3 and 4.
        let mut outcomes = outcomes(&[1.0, 3.0, 4.0], &[2.0]);
        let quantiles = kaplan_meier(&mut outcomes, &[0.25, 0.26, 0.625, 0.63]);
        assert_eq!(quantiles, [1.0, 3.0, 3.0, 4.0]);
    }

    #[test]
    fn a_share_that_is_never_reached_has_the_largest_value() {
        assert_eq!(kaplan_meier(&mut outcomes(&[1.0], &[2.0]), &[0.5, 0.6]), [1.0, 2.0]);
        assert_eq!(kaplan_meier(&mut outcomes(&[0.0], &[2.0, -1.0]), &[0.1, 0.6]), [0.0, 2.0]);
    }

    #[test]
    fn a_weight_is_as_many_rows() {
        let mut weighted = outcomes(&[1.0, 3.0, 4.0], &[2.0]);
        weighted.iter_mut().for_each(|outcome| outcome.weight = f64::from(outcome.value));
        let mut repeated = outcomes(&[1.0, 3.0, 3.0, 3.0, 4.0, 4.0, 4.0, 4.0], &[2.0, 2.0]);
        let levels: Vec<f64> = (1..20).map(|level| f64::from(level) / 20.0).collect();
        assert_eq!(kaplan_meier(&mut weighted, &levels), kaplan_meier(&mut repeated, &levels));
    }

    #[test]
    fn zero_is_exact_and_every_size_has_its_bucket() {
        let buckets = Buckets::new(1000.0);
        assert_eq!(buckets.along(buckets.of(0.0), 0.7), 0.0);
        assert_eq!(buckets.of(-0.0), buckets.of(0.0));
        assert!(buckets.of(f32::MAX) < BUCKETS && buckets.of(f32::MIN) == 1);
        assert!(Buckets::new(0.0).of(1e-30) > CENTRE as usize);
        assert!(Buckets::new(f32::MAX).of(f32::MAX) < BUCKETS);
    }

    proptest! {
        #[test]
        fn buckets_rise_and_hold_their_residuals_to_an_eighth(
            mut residuals in prop::collection::vec(-1000f32..1000.0, 2..50),
        ) {
            let buckets = Buckets::new(1000.0);
            residuals.sort_by(f32::total_cmp);
            let of: Vec<usize> = residuals.iter().map(|&residual| buckets.of(residual)).collect();
            prop_assert!(of.is_sorted());
            for (&residual, bucket) in residuals.iter().zip(of) {
                let (low, high) = (buckets.along(bucket, 0.0), buckets.along(bucket, 1.0));
                prop_assert!((low <= residual && residual <= high) || residual.abs() < 1e-5);
                prop_assert!(high - low <= 0.126 * residual.abs());
            }
        }

        #[test]
        fn counted_quantiles_are_those_of_sorted_residuals_to_an_eighth(
            values in prop::collection::vec(-100f32..100.0, 1..400),
            level in 0.01f64..0.99,
        ) {
            let residuals = Residuals {
                leaf_of_row: &vec![0; values.len()],
                outcomes: &values,
                current: &vec![1.0; values.len()],
                levels: &[level],
                buckets: Buckets::new(200.0),
            };
            let found = f64::from(residuals.quantiles(1, |_| 1u32)[0]);
            let mut sorted: Vec<f64> = values.iter().map(|&value| f64::from(value - 1.0)).collect();
            sorted.sort_by(f64::total_cmp);
            let exact = sorted[(sorted.len() as f64 * level).ceil() as usize - 1];
            prop_assert!((found - exact).abs() <= 0.126 * exact.abs() + 1e-3, "{found} {exact}");
            let weighted = residuals.quantiles(1, |_| 1u64 << 20);
            prop_assert_eq!(f64::from(weighted[0]), found);
        }
    }
}
