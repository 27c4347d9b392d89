//! The number types of the trainer, and why.
//!
//! A row's gradient is a fixed-point integer, so that sums over rows are exact and do not depend on
//! their order. It shares a word with the row's count, so that one addition adds both: the low
//! `count_bits` bits count rows, the rest is the signed sum of gradients. Where the loss has a
//! hessian that differs by row, a second word sums it (`W` = 2).
//!
//! Gradients of several quantiles are ranks, and need no more than a byte: of some thousand rows a
//! word has room in 32 bits then, and histograms half their size.
//!
//! Limits: with `n` rows below 2^C, a gradient has 63 - 2C bits (at most 30) below the largest
//! gradient of the round: 2^23 steps at a million rows, 2^7 at the limit of 2^28 rows.

/// The fixed-point gradient of a row, and its hessian where that differs by row: half the memory of
/// a word, and rows of a leaf are read from all over it.
pub(crate) type Gradient<const W: usize> = [i32; W];

/// The sums of a row, a bin or a node: count and gradient in the first word, hessian in a second.
pub(crate) type Word<const W: usize> = [i64; W];

/// Bits of a gradient or hessian: what an i32 has. The f32 targets have 24.
const FIXED_POINT_BITS_MAX: u32 = 30;

/// How counts, gradients and hessians of one round lie in words.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Packing {
    count_bits: u32,
    gradient_unit: f64,
    /// Of the unit the inverse.
    gradients_per_unit: f64,
    /// The fixed-point number of a gradient of zero.
    zero: f64,
    hessian_unit: f64,
    are_bytes: bool,
}

/// The sums of a node, unpacked into the loss's own units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sums {
    pub(crate) count: u64,
    pub(crate) gradient: f64,
    pub(crate) hessian: f64,
}

impl Packing {
    /// The finest packing in which the sums of `n_rows` rows cannot overflow.
    pub(crate) fn new(n_rows: usize, gradient_abs_max: f64, hessian_max: f64) -> Self {
        let count_bits = usize::BITS - n_rows.leading_zeros();
        let gradient_bits = (63 - 2 * count_bits).min(FIXED_POINT_BITS_MAX);
        let hessian_bits = (62 - count_bits).min(FIXED_POINT_BITS_MAX);
        let gradient_unit = unit(gradient_abs_max, gradient_bits);
        Self {
            count_bits,
            gradient_unit,
            gradients_per_unit: gradient_unit.recip(),
            zero: 0.0,
            hessian_unit: unit(hessian_max, hessian_bits),
            are_bytes: false,
        }
    }

    /// The packing of gradients from `lowest` to 1 more in so many steps, where every hessian is 1.
    pub(crate) fn in_bytes(n_rows: usize, lowest: f64, steps: u8) -> Self {
        let steps = f64::from(steps);
        Self {
            gradient_unit: steps.recip(),
            gradients_per_unit: steps,
            zero: -lowest * steps,
            are_bytes: true,
            ..Self::new(n_rows, 1.0, 1.0)
        }
    }

    /// The gradient of one row, where every hessian is 1.
    pub(crate) fn fix(&self, gradient: f64) -> Gradient<1> {
        [nearest(gradient * self.gradients_per_unit + self.zero)]
    }

    /// The gradient of one row and its hessian, which is at least one unit.
    pub(crate) fn fix_with_hessian(&self, gradient: f64, hessian: f64) -> Gradient<2> {
        let [gradient] = self.fix(gradient);
        [gradient, nearest(hessian / self.hessian_unit).max(1)]
    }

    /// The word of one row.
    #[inline(always)]
    pub(crate) fn word<const W: usize>(&self, gradient: &Gradient<W>) -> Word<W> {
        let mut word = gradient.map(i64::from);
        word[0] = (word[0] << self.count_bits) + 1;
        word
    }

    /// The word of so many rows and the sum of their fixed-point gradients.
    #[inline(always)]
    pub(crate) fn word_of(&self, count: u32, gradients: u32) -> i64 {
        (i64::from(gradients) << self.count_bits) + i64::from(count)
    }

    /// Whether the fixed-point numbers of gradients are those from 0 to 255.
    pub(crate) fn are_bytes(&self) -> bool {
        self.are_bytes
    }

    /// The sum of gradients in a word, in units. The shift rounds down, which takes the count away
    /// exactly.
    #[inline(always)]
    pub(crate) fn gradient_units<const W: usize>(&self, word: &Word<W>) -> f64 {
        (word[0] >> self.count_bits) as f64 - self.zero * self.count(word) as f64
    }

    /// The sum of hessians in a word.
    #[inline(always)]
    pub(crate) fn hessian<const W: usize>(&self, word: &Word<W>) -> f64 {
        if W == 1 { self.count(word) as f64 } else { word[W - 1] as f64 * self.hessian_unit }
    }

    /// The square of a gradient's unit.
    pub(crate) fn squared_unit(&self) -> f64 {
        self.gradient_unit * self.gradient_unit
    }

    /// The number of rows in a word.
    #[inline(always)]
    pub(crate) fn count<const W: usize>(&self, word: &Word<W>) -> u64 {
        (word[0] & ((1 << self.count_bits) - 1)) as u64
    }

    /// The sums in a word.
    pub(crate) fn sums<const W: usize>(&self, word: &Word<W>) -> Sums {
        let count = self.count(word);
        let gradient = self.gradient_units(word) * self.gradient_unit;
        let hessian = if W == 1 { count as f64 } else { word[W - 1] as f64 * self.hessian_unit };
        Sums { count, gradient, hessian }
    }
}

/// The nearest integer; of two the one farther from zero. (`f64::round` is a call where the
/// processor is not known to have the instruction.)
#[inline(always)]
fn nearest(number: f64) -> i32 {
    (number + 0.5f64.copysign(number)) as i32
}

/// The power of two that is 2^-`bits` of the power of two above `abs_max`.
pub(crate) fn unit(abs_max: f64, bits: u32) -> f64 {
    // Far below any f32, so that the unit stays a normal number.
    let exponent = ((abs_max.max(1e-100).to_bits() >> 52) & 0x7ff) as i32 - 1022;
    2f64.powi(exponent - bits as i32)
}

/// Adds `term` to `sum`.
#[inline(always)]
pub(crate) fn add<const W: usize>(sum: &mut Word<W>, term: &Word<W>) {
    for (sum, term) in sum.iter_mut().zip(term) {
        *sum = sum.wrapping_add(*term);
    }
}

/// `whole` without `part`.
#[inline(always)]
pub(crate) fn minus<const W: usize>(whole: &Word<W>, part: &Word<W>) -> Word<W> {
    std::array::from_fn(|w| whole[w].wrapping_sub(part[w]))
}

/// The mean of finite numbers, the same in whatever order they come.
pub(crate) fn order_free_mean(values: &[f32]) -> f64 {
    let abs_max = values.iter().fold(0f32, |max, value| max.max(value.abs()));
    let unit = unit(f64::from(abs_max), 60);
    let steps: i128 = values.iter().map(|&value| (f64::from(value) / unit) as i128).sum();
    steps as f64 * unit / values.len() as f64
}

/// Floats as integers that sort alike; zero has one sign.
#[inline(always)]
pub(crate) fn sort_key(value: f32) -> u32 {
    let bits = (value + 0.0).to_bits();
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}

/// The float of a [`sort_key`].
pub(crate) fn from_sort_key(key: u32) -> f32 {
    f32::from_bits(if key >> 31 == 1 { key ^ (1 << 31) } else { !key })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sums_of_the_largest_gradients_do_not_overflow() {
        for n_rows in [1usize, 2, 3, 1000, 1023, 1024] {
            let packing = Packing::new(n_rows, 3.0, 0.25);
            for gradient in [-3.0, 3.0] {
                let row = packing.word(&packing.fix_with_hessian(gradient, 0.25));
                let mut sum = [0; 2];
                for _ in 0..n_rows {
                    add(&mut sum, &row);
                }
                let sums = packing.sums(&sum);
                assert_eq!(sums.count, n_rows as u64);
                assert_eq!(sums.gradient, gradient * n_rows as f64);
                assert_eq!(sums.hessian, 0.25 * n_rows as f64);
            }
        }
    }

    #[test]
    fn gradients_in_bytes_are_those_that_went_in_to_half_a_step() {
        let packing = Packing::in_bytes(1000, -0.3, 250);
        let gradients = [-0.3, -0.1, 0.0, 0.2, 0.7];
        let mut sum = [0; 1];
        for gradient in gradients {
            let fixed = packing.fix(gradient);
            assert!((0..256).contains(&fixed[0]), "{gradient} {fixed:?}");
            add(&mut sum, &packing.word(&fixed));
        }
        assert_eq!(sum[0], packing.word_of(5, [0, 50, 75, 125, 250].iter().sum()));
        let sums = packing.sums(&sum);
        assert_eq!(sums.count, 5);
        assert!((sums.gradient - 0.5).abs() < 1e-12, "{sums:?}");
    }

    #[test]
    fn the_mean_does_not_depend_on_the_order() {
        let mut values = vec![1e20, -3.5, 1e-3, 7.25, -1e20, 0.1];
        let mean = order_free_mean(&values);
        values.reverse();
        assert_eq!(order_free_mean(&values), mean);
    }

    proptest! {
        #[test]
        fn a_part_taken_from_the_whole_leaves_the_other(
            left in prop::collection::vec(-1f64..1.0, 0..40),
            right in prop::collection::vec(-1f64..1.0, 0..40),
        ) {
            let packing = Packing::new(left.len() + right.len() + 1, 1.0, 1.0);
            let sum = |values: &[f64]| {
                let mut sum = [0; 1];
                values.iter().for_each(|&value| add(&mut sum, &packing.word(&packing.fix(value))));
                sum
            };
            let whole = sum(&[left.clone(), right.clone()].concat());
            prop_assert_eq!(minus(&whole, &sum(&left)), sum(&right));
        }

        #[test]
        fn sort_keys_sort_as_their_floats(a: f32, b: f32) {
            prop_assume!(a.is_finite() && b.is_finite());
            prop_assert_eq!(sort_key(a).cmp(&sort_key(b)), a.partial_cmp(&b).unwrap());
            prop_assert_eq!(from_sort_key(sort_key(a)), a);
        }
    }
}
