//! Leaf values of the pinball loss: for each leaf and level the quantile of its residuals, read from
//! a histogram of them.
//!
//! A residual falls into one of 511 buckets, eight for each power of two on either side of zero: the
//! leading bits of its float. The quantile is in the bucket in which the cumulative count reaches the
//! level, and is interpolated linearly within it. So a step is exact to within an eighth of its own
//! size, however large or small it is, and the next round corrects what remains: selecting from
//! sorted residuals took half of all training time, and the models were no better. Counts are
//! integers, so that neither the number of threads nor the order of rows matters.

use std::ops::AddAssign;

use rayon::prelude::*;

/// Shares that differ by less are equal: the quantile at 0.1 of ten rows is the first of them.
const SHARE_TOLERANCE: f64 = 1e-9;

/// Buckets on either side of the one around zero: eight for each of 32 powers of two, but one.
const STEPS: i32 = 255;

/// The number of buckets, rounded up to a power of two.
pub(crate) const BUCKETS: usize = 512;

/// The bucket around zero.
const CENTRE: i32 = 256;

/// Bits of a float below its sign, its exponent and the first three bits of its fraction, which
/// decide on the bucket.
const SHIFT: u32 = 20;

/// The mapping of residuals to buckets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Buckets {
    /// The bits of the absolute value below which a residual counts as zero.
    floor: i32,
}

impl Buckets {
    /// Buckets for residuals whose absolute values are mostly below `size`; those above four times
    /// that share the outermost bucket.
    pub(crate) fn new(size: f32) -> Self {
        // 32 powers of two, of which the highest is about four times the size.
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

    /// The residual at this fraction (0 to 1) of the way from a bucket's lower to its upper border.
    pub(crate) fn interpolate(self, bucket: usize, fraction: f64) -> f32 {
        let signed = bucket as i32 - CENTRE;
        let edge = |step: i32| f64::from(f32::from_bits((self.floor + (step << SHIFT)) as u32));
        let step = signed.abs();
        let (near, far) = (edge(step), edge(step + 1));
        match signed {
            0 => 0.0,
            1.. => (near + (far - near) * fraction) as f32,
            _ => (-far + (far - near) * fraction) as f32,
        }
    }
}

/// A count of rows, or a sum of their weights.
pub(crate) trait Count: Copy + Default + Send + Sync + AddAssign + Into<u64> {}
impl Count for u32 {}
impl Count for u64 {}

/// The quantile at `level` of residuals with these counts by bucket; none if all counts are 0.
pub(crate) fn quantile<C: Count>(counts: &[C], level: f64, buckets: Buckets) -> Option<f32> {
    let total: u64 = counts.iter().map(|&count| count.into()).sum();
    let wanted = total as f64 * level;
    let enough = wanted - total as f64 * SHARE_TOLERANCE;
    let mut before = 0;
    for (bucket, &count) in counts.iter().enumerate() {
        let here: u64 = count.into();
        if here > 0 && (before + here) as f64 >= enough {
            let fraction = (wanted - before as f64) / here as f64;
            return Some(buckets.interpolate(bucket, fraction.clamp(0.0, 1.0)));
        }
        before += here;
    }
    None
}

/// The residuals of all rows to learn from, by leaf and level.
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

/// The smallest part of the rows that a task counts: counting must cost far more than adding up the
/// counts of the parts.
const PART_ROWS: usize = 1 << 15;

/// The most memory that the counts of all parts may take, in bytes.
const PARTS_BYTES: usize = 1 << 28;

impl Residuals<'_> {
    /// The quantile of each leaf and level; 0 for a leaf without weight. Shapes: n_leaves x n_levels.
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
        of_each.with_min_len(16).for_each(|(at, (value, whole))| {
            for part in &counts {
                let part = &part[at * BUCKETS..][..BUCKETS];
                whole.iter_mut().zip(part).for_each(|(whole, &part)| *whole += part);
            }
            *value = quantile(whole, self.levels[at % n_levels], self.buckets).unwrap_or(0.0);
        });
        quantiles
    }

    /// Adds the residuals of `n_rows` rows from `first_row` on to the counts.
    fn count<C: Count>(
        &self,
        first_row: usize,
        n_rows: usize,
        weight: &impl Fn(usize) -> C,
        counts: &mut [C],
    ) {
        // The loop over levels is unrolled where the compiler knows their number.
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

    #[test]
    fn zero_is_exact_and_every_float_has_a_bucket() {
        let buckets = Buckets::new(1000.0);
        assert_eq!(buckets.interpolate(buckets.of(0.0), 0.7), 0.0);
        assert_eq!(buckets.of(-0.0), buckets.of(0.0));
        assert!(buckets.of(f32::MAX) < BUCKETS && buckets.of(f32::MIN) == 1);
        assert!(Buckets::new(0.0).of(1e-30) > CENTRE as usize);
        assert!(Buckets::new(f32::MAX).of(f32::MAX) < BUCKETS);
    }

    proptest! {
        #[test]
        fn buckets_keep_the_order_of_residuals_and_are_an_eighth_wide(
            mut residuals in prop::collection::vec(-1000f32..1000.0, 2..50),
        ) {
            let buckets = Buckets::new(1000.0);
            residuals.sort_by(f32::total_cmp);
            let of: Vec<usize> = residuals.iter().map(|&residual| buckets.of(residual)).collect();
            prop_assert!(of.is_sorted());
            for (&residual, bucket) in residuals.iter().zip(of) {
                let (low, high) = (buckets.interpolate(bucket, 0.0), buckets.interpolate(bucket, 1.0));
                prop_assert!((low <= residual && residual <= high) || residual.abs() < 1e-5);
                prop_assert!(high - low <= 0.126 * residual.abs());
            }
        }

        #[test]
        fn counted_quantiles_are_within_an_eighth_of_those_of_sorted_residuals(
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
