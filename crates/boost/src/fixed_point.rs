//! The number types of the trainer: gradients and their sums in fixed point.
//!
//! A row's gradient is a fixed-point integer, so that sums over rows are exact and do not depend on
//! their order. A sum of gradients and the number of rows share one 64-bit word, so that a single
//! addition adds both: the low `count_bits` bits count rows, the others are the signed sum. Where
//! the hessian differs by row, a second word sums it (`W` = 2).
//!
//! The gradients of several quantiles are ranks and fit a byte. Of about a thousand rows both sums
//! fit 32 bits then, which halves the histograms.
//!
//! Limits: with fewer than 2^C rows a gradient has 63 - 2C bits (at most 30) below the largest
//! gradient of the round: 2^23 steps at a million rows, 2^7 at the limit of 2^28 rows.

/// The fixed-point gradient of a row, and its hessian where that differs by row. It takes half the
/// memory of a word, since the rows of a leaf are read from all over the training set.
pub(crate) type Gradient<const W: usize> = [i32; W];

/// The sums of a row, a bin or a node: count and gradient in the first word, hessian in a second.
pub(crate) type Word<const W: usize> = [i64; W];

/// Bits of a gradient or hessian, as many as an i32 can hold. The f32 targets have 24.
const FIXED_POINT_BITS_MAX: u32 = 30;

/// The fixed-point format of one round: how counts, gradients and hessians are packed into words.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Packing {
    count_bits: u32,
    /// The gradient that the fixed-point number 1 stands for.
    gradient_unit: f64,
    /// Fixed-point steps for a gradient of 1: the inverse of `gradient_unit`.
    steps_per_gradient: f64,
    /// The fixed-point number of a gradient of 0.
    zero: f64,
    /// The hessian that the fixed-point number 1 stands for.
    hessian_unit: f64,
    /// Whether the fixed-point gradients are from 0 to 255.
    are_bytes: bool,
}

/// The sums of a node or bin, unpacked into the units of the loss.
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
            steps_per_gradient: gradient_unit.recip(),
            zero: 0.0,
            hessian_unit: unit(hessian_max, hessian_bits),
            are_bytes: false,
        }
    }

    /// The packing of gradients from `lowest` to `lowest` + 1 in `steps` steps, where every hessian
    /// is 1.
    pub(crate) fn in_bytes(n_rows: usize, lowest: f64, steps: u8) -> Self {
        let steps = f64::from(steps);
        Self {
            gradient_unit: steps.recip(),
            steps_per_gradient: steps,
            zero: -lowest * steps,
            are_bytes: true,
            ..Self::new(n_rows, 1.0, 1.0)
        }
    }

    /// The fixed-point gradient of a row, where every hessian is 1.
    pub(crate) fn fix(&self, gradient: f64) -> Gradient<1> {
        [nearest(gradient * self.steps_per_gradient + self.zero)]
    }

    /// The fixed-point gradient and hessian of a row; the hessian is at least one unit.
    pub(crate) fn fix_with_hessian(&self, gradient: f64, hessian: f64) -> Gradient<2> {
        let [gradient] = self.fix(gradient);
        [gradient, nearest(hessian / self.hessian_unit).max(1)]
    }

    /// The word of a row: its gradient and a count of 1.
    #[inline(always)]
    pub(crate) fn word<const W: usize>(&self, gradient: &Gradient<W>) -> Word<W> {
        let mut word = gradient.map(i64::from);
        word[0] = (word[0] << self.count_bits) + 1;
        word
    }

    /// The word of `count` rows whose fixed-point gradients add up to `gradients`.
    #[inline(always)]
    pub(crate) fn word_of(&self, count: u32, gradients: u32) -> i64 {
        (i64::from(gradients) << self.count_bits) + i64::from(count)
    }

    /// Whether the fixed-point gradients are from 0 to 255.
    pub(crate) fn are_bytes(&self) -> bool {
        self.are_bytes
    }

    /// The sum of gradients in a word, in multiples of the gradient's unit. The shift rounds down,
    /// which removes the count exactly.
    #[inline(always)]
    pub(crate) fn gradient_units<const W: usize>(&self, word: &Word<W>) -> f64 {
        (word[0] >> self.count_bits) as f64 - self.zero * self.count(word) as f64
    }

    /// The sum of hessians in a word.
    #[inline(always)]
    pub(crate) fn hessian<const W: usize>(&self, word: &Word<W>) -> f64 {
        if W == 1 { self.count(word) as f64 } else { word[W - 1] as f64 * self.hessian_unit }
    }

    /// The square of the gradient's unit, by which gains are multiplied to get those of the loss.
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

/// The nearest integer; halves are rounded away from zero. (`f64::round` is a function call where
/// the compiler may not assume the instruction.)
#[inline(always)]
fn nearest(number: f64) -> i32 {
    (number + 0.5f64.copysign(number)) as i32
}

/// The fixed-point unit with which `abs_max` needs `bits` bits: 2^-`bits` times the power of two
/// above it.
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

/// The difference `whole` - `part`.
#[inline(always)]
pub(crate) fn minus<const W: usize>(whole: &Word<W>, part: &Word<W>) -> Word<W> {
    std::array::from_fn(|w| whole[w].wrapping_sub(part[w]))
}

/// The mean of finite numbers, the same in any order: they are summed in fixed point.
pub(crate) fn order_free_mean(values: &[f32]) -> f64 {
    let abs_max = values.iter().fold(0f32, |max, value| max.max(value.abs()));
    let unit = unit(f64::from(abs_max), 60);
    let steps: i128 = values.iter().map(|&value| (f64::from(value) / unit) as i128).sum();
    steps as f64 * unit / values.len() as f64
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
    fn gradients_in_bytes_are_exact_to_half_a_step() {
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
        fn the_whole_minus_one_part_is_the_other(
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
    }
}
