//! Split finding: the best split of a leaf by one column, from its histogram.
//!
//! A split's gain is how much the second-order approximation of the loss falls: G²/(H + l2) of both
//! children less that of the parent, where G is the sum of gradients and H that of hessians (or the
//! count). Every border between bins of a numeric column is evaluated. The categories of a
//! categorical column are first sorted by their smoothed mean gradient; for squared error the best
//! split along that order is the best of all 2^n (Fisher 1958). Each split is evaluated with the
//! missing values on either side; where the leaf has none, values that are missing at prediction go
//! to the child with more rows.
//!
//! Sorting fits noise, the more so the more categories there are. Suppose that k categories do not
//! differ and have hessians h each, and that the variance of a gradient is s² per unit of hessian.
//! The sum of gradients of a category then has the standard deviation s √h, and the share p of
//! categories with the lowest sums adds up to k s √h φ(Φ⁻¹(p)). Splitting them off gains
//! k s² φ(Φ⁻¹(p))² / (p (1 - p)), which is about (2/π) k s² (4p (1 - p))^⅝ (between p = 1/6 and 5/6
//! that is two thirds of its range). Where the hessians of categories differ, (Σ√h)² / Σh takes the
//! place of k. `category_noise` times this expected gain is subtracted from the gains of categorical
//! splits; otherwise categories win wherever no other column gains much.
//!
//! Ties: the earlier border wins, then missing values on the right; among columns the earlier.

use std::f64::consts::FRAC_2_PI;

use crate::Direction;
use crate::binning::{BINS, BinMapping, MISSING_BIN};
use crate::fixed_point::{Packing, Word, add, minus};
use crate::histogram::Histogram;
use crate::params::Params;
use crate::split_candidate::{BinRule, BinSet, Candidate};

/// Gains below this share of the parent's score are rounding errors of the subtraction.
const ROUNDING_SHARE: f64 = 1e-10;

/// Finds the best splits of a tree's leaves.
#[derive(Clone, Copy)]
pub(crate) struct SplitFinder<'a> {
    pub(crate) params: &'a Params,
    pub(crate) packing: &'a Packing,
    /// See [`crate::loss::Loss::noise`].
    pub(crate) noise: f64,
}

/// A column in a leaf, of which the best split is wanted.
#[derive(Clone, Copy)]
pub(crate) struct SplitInput<'a, const W: usize> {
    /// Position of the column among the training columns.
    pub(crate) feature: usize,
    /// Its slot in the binned matrix.
    pub(crate) slot: usize,
    pub(crate) mapping: &'a BinMapping,
    /// Its monotonic constraint.
    pub(crate) direction: Option<Direction>,
    pub(crate) histogram: &'a Histogram<W>,
    /// The sums of the leaf.
    pub(crate) total: &'a Word<W>,
}

impl SplitFinder<'_> {
    /// The score and the gain of the split of `total` into `left` and the rest, less
    /// `noise_gain` of the score; none if it is not allowed. For the naive trainer.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn gain<const W: usize>(
        &self,
        left: &Word<W>,
        total: &Word<W>,
        noise_gain: f64,
        direction: Option<Direction>,
    ) -> Option<(f64, f64)> {
        let leaf = Leaf::new(*self, total);
        let [below, above] = [*left, minus(total, left)].map(|word| self.packing.sums(&word));
        let follows = direction.is_none_or(|direction| direction.is_followed(&below, &above));
        let gradient = self.packing.gradient_units(left);
        let score = leaf.score(below.count as f64, gradient, below.hessian) - noise_gain;
        let is_enough = score > leaf.least(self.params.gain_min);
        (follows && is_enough).then(|| (score, leaf.gain(score)))
    }

    /// The best split of a leaf by a column.
    pub(crate) fn best<const W: usize>(&self, column: &SplitInput<'_, W>) -> Option<Candidate<W>> {
        let n_bins = column.mapping.n_bins();
        match column.mapping {
            BinMapping::Numeric { .. } => self.best_numeric(column, n_bins),
            BinMapping::Categorical { .. } => self.best_categorical(column, n_bins),
        }
    }

    /// The best split by a numeric column.
    fn best_numeric<const W: usize>(
        &self,
        column: &SplitInput<'_, W>,
        n_bins: usize,
    ) -> Option<Candidate<W>> {
        let found = self.best_border(column, column.histogram[..n_bins].iter())?;
        Some(found.candidate(column, BinRule::UpTo(found.last_below as u8)))
    }

    /// The best split by a categorical column.
    fn best_categorical<const W: usize>(
        &self,
        column: &SplitInput<'_, W>,
        n_bins: usize,
    ) -> Option<Candidate<W>> {
        let order = self.sorted_categories(column.histogram, n_bins, column.total);
        let words = order.iter().map(|&bin| &column.histogram[bin as usize]);
        let found = self.best_border(column, words)?;
        let (below, above) = order.split_at(found.last_below + 1);
        let mut set = BinSet::default();
        let bins = if found.missing_left { above } else { below };
        bins.iter().for_each(|&bin| set.insert(bin));
        Some(found.candidate(column, BinRule::Bins(set)))
    }

    /// What noise is expected to add to the score of a split at each border of sorted categories,
    /// times `category_noise`. `below` are the sums of all categories below each border.
    pub(crate) fn expected_noise_gain<const W: usize>(&self, below: &[Word<W>]) -> [f64; BINS] {
        let mut gains = [0.0; BINS];
        let (mut all, mut roots) = (0.0, 0.0);
        for sum in below.iter().map(|below| self.packing.hessian(below)) {
            roots += (sum - all).sqrt();
            all = sum;
        }
        let noise = self.params.category_noise * self.noise / self.packing.squared_unit();
        let most = FRAC_2_PI * noise * roots * roots / all;
        for (gain, below) in gains.iter_mut().zip(below) {
            let share = self.packing.hessian(below) / all;
            let spread = 4.0 * share * (1.0 - share);
            // To the power of 5/8.
            *gain = most * (spread * spread.sqrt().sqrt()).sqrt();
        }
        gains
    }

    /// The best border at which to split bins in this order, and the best side for missing values.
    fn best_border<'w, const W: usize>(
        &self,
        column: &SplitInput<'_, W>,
        words: impl Iterator<Item = &'w Word<W>>,
    ) -> Option<BestBorder<W>> {
        let leaf = Leaf::new(*self, column.total);
        let missing = column.histogram[MISSING_BIN as usize];
        let any_missing = self.packing.count(&missing) > 0;
        let mut below: [Word<W>; BINS] = [[0; W]; BINS];
        let (mut sum, mut n) = ([0; W], 0);
        for (below, word) in below.iter_mut().zip(words) {
            add(&mut sum, word);
            *below = sum;
            n += 1;
        }
        let below = &below[..n];
        // Without missing values the other side gives the same sums.
        let mut right = leaf.scores(below, &[0; W]);
        let mut left = if any_missing { leaf.scores(below, &missing) } else { [f64::MIN; BINS] };
        if matches!(column.mapping, BinMapping::Categorical { .. }) {
            let subtract = |(score, noise_gain): (&mut f64, f64)| *score -= noise_gain;
            let noise_gains = self.expected_noise_gain(below);
            right.iter_mut().zip(noise_gains).for_each(subtract);
            left.iter_mut().zip(noise_gains).for_each(subtract);
        }
        let mut best = leaf.least(self.params.gain_min);
        let mut found = None;
        for (last_below, (&right, &left)) in right.iter().zip(&left).enumerate().take(n) {
            if (right <= best && left <= best) || self.packing.count(&below[last_below]) == 0 {
                continue;
            }
            for (score, missing_left) in [(right, false), (left, true)] {
                let mut word = below[last_below];
                if missing_left {
                    add(&mut word, &missing);
                }
                if score <= best || !self.is_followed(column, &word) {
                    continue;
                }
                best = score;
                let count = self.packing.count(&word);
                let is_larger = count >= self.packing.count(column.total) - count;
                let missing_left = if any_missing { missing_left } else { is_larger };
                let gain = leaf.gain(score);
                found = Some(BestBorder { last_below, missing_left, left: word, gain });
            }
        }
        found
    }

    /// Whether the mean steps of a split's sides follow the column's constraint.
    fn is_followed<const W: usize>(&self, column: &SplitInput<'_, W>, left: &Word<W>) -> bool {
        column.direction.is_none_or(|direction| {
            let sums = [*left, minus(column.total, left)].map(|word| self.packing.sums(&word));
            direction.is_followed(&sums[0], &sums[1])
        })
    }

    /// The bins that have rows, sorted by their mean gradient, which is smoothed towards the leaf's.
    fn sorted_categories<const W: usize>(
        &self,
        histogram: &Histogram<W>,
        n_bins: usize,
        total: &Word<W>,
    ) -> Vec<u8> {
        let leaf = self.packing.sums(total);
        let smoothing = self.params.category_smoothing;
        let mut order: Vec<(f64, u8)> = (0..n_bins)
            .map(|bin| (self.packing.sums(&histogram[bin]), bin as u8))
            .filter(|(sums, _)| sums.count > 0)
            .map(|(sums, bin)| {
                let mixed = leaf.gradient / leaf.hessian * smoothing;
                ((sums.gradient + mixed) / (sums.hessian + smoothing), bin)
            })
            .collect();
        order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        order.into_iter().map(|(_, bin)| bin).collect()
    }
}

/// The best border between bins in their order.
struct BestBorder<const W: usize> {
    /// Position of the last bin below it.
    last_below: usize,
    missing_left: bool,
    /// The sums of the left child.
    left: Word<W>,
    gain: f64,
}

impl<const W: usize> BestBorder<W> {
    fn candidate(&self, column: &SplitInput<'_, W>, rule: BinRule) -> Candidate<W> {
        let (feature, slot) = (column.feature, column.slot);
        let Self { missing_left, left, gain, .. } = *self;
        Candidate { gain, feature, slot, rule, missing_left, left }
    }
}

/// What all splits of a leaf have in common. Gradients are in multiples of the packing's unit.
struct Leaf<'a> {
    finder: SplitFinder<'a>,
    count: f64,
    gradient: f64,
    hessian: f64,
    rows_min: f64,
    /// The score of the leaf if it is not split.
    parent: f64,
}

impl<'a> Leaf<'a> {
    fn new<const W: usize>(finder: SplitFinder<'a>, total: &Word<W>) -> Self {
        let packing = finder.packing;
        let (count, gradient) = (packing.count(total) as f64, packing.gradient_units(total));
        let hessian = packing.hessian(total);
        let rows_min = finder.params.rows_in_leaf_min.into();
        let parent = gradient * gradient / (hessian + finder.params.l2);
        Self { finder, count, gradient, hessian, rows_min, parent }
    }

    /// G²/(H + l2) summed over both sides, with a single division; the lowest number if a side has
    /// too few rows. The arguments are the sums of one side.
    #[inline(always)]
    fn score(&self, count: f64, gradient: f64, hessian: f64) -> f64 {
        let l2 = self.finder.params.l2;
        let (left, right) = (hessian + l2, self.hessian - hessian + l2);
        let other = self.gradient - gradient;
        let score = (gradient * gradient * right + other * other * left) / (left * right);
        let is_allowed = (count >= self.rows_min) & (self.count - count >= self.rows_min);
        if is_allowed { score } else { f64::MIN }
    }

    /// The scores of the splits whose left sides have these sums and those of the missing values. One
    /// loop without branches, so that it is vectorised.
    #[inline(always)]
    fn scores<const W: usize>(&self, below: &[Word<W>], missing: &Word<W>) -> [f64; BINS] {
        let packing = self.finder.packing;
        let mut scores = [f64::MIN; BINS];
        for (score, below) in scores.iter_mut().zip(below) {
            let mut left = *below;
            add(&mut left, missing);
            let gradient = packing.gradient_units(&left);
            *score = self.score(packing.count(&left) as f64, gradient, packing.hessian(&left));
        }
        scores
    }

    /// The score that a split must exceed. A difference of a tiny share of the parent's score is a
    /// rounding error.
    fn least(&self, gain_min: f64) -> f64 {
        let least =
            (gain_min / self.finder.packing.squared_unit()).max(ROUNDING_SHARE * self.parent);
        self.parent + least
    }

    /// The gain of a score, in the units of the loss.
    fn gain(&self, score: f64) -> f64 {
        (score - self.parent) * self.finder.packing.squared_unit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histogram::empty;
    use crate::sampling::draw;

    fn histogram(packing: &Packing, rows: &[(u8, f64)]) -> (Histogram<1>, Word<1>) {
        let (mut histogram, mut total) = (empty(), [0]);
        for &(bin, gradient) in rows {
            let word = packing.word(&packing.fix(gradient));
            add(&mut histogram[bin as usize], &word);
            add(&mut total, &word);
        }
        (histogram, total)
    }

    /// The best split by a column with this histogram.
    fn best(
        finder: SplitFinder<'_>,
        (histogram, total): (Histogram<1>, Word<1>),
        mapping: &BinMapping,
        direction: Option<Direction>,
    ) -> Option<Candidate<1>> {
        let (histogram, total) = (&histogram, &total);
        finder.best(&SplitInput { feature: 0, slot: 0, mapping, direction, histogram, total })
    }

    fn numeric(n_bins: u8) -> BinMapping {
        BinMapping::Numeric { borders: (1..n_bins).map(f32::from).collect() }
    }

    fn params() -> Params {
        Params { rows_in_leaf_min: 1, l2: 0.0, ..Params::default() }
    }

    #[test]
    fn missing_values_go_to_the_side_with_similar_gradients() {
        let (params, packing) = (params(), Packing::new(8, 1.0, 1.0));
        let finder = SplitFinder { params: &params, packing: &packing, noise: 0.0 };
        for (missing_gradient, missing_left) in [(-1.0, true), (1.0, false)] {
            let rows = [(0, -1.0), (1, -1.0), (2, 1.0), (3, 1.0), (MISSING_BIN, missing_gradient)];
            let best = best(finder, histogram(&packing, &rows), &numeric(4), None).unwrap();
            assert_eq!(best.rule, BinRule::UpTo(1));
            assert_eq!(best.missing_left, missing_left);
            assert_eq!(best.left_bins().contains(MISSING_BIN), missing_left);
        }
    }

    #[test]
    fn missing_against_present_is_a_split() {
        let (params, packing) = (params(), Packing::new(8, 1.0, 1.0));
        let finder = SplitFinder { params: &params, packing: &packing, noise: 0.0 };
        let rows = [(0, -1.0), (1, -1.0), (MISSING_BIN, 1.0), (MISSING_BIN, 1.0)];
        let best = best(finder, histogram(&packing, &rows), &numeric(2), None).unwrap();
        assert_eq!((best.rule, best.missing_left), (BinRule::UpTo(1), false));
    }

    #[test]
    fn categories_are_split_by_their_means_and_new_ones_go_with_the_missing() {
        let (params, packing) = (params(), Packing::new(8, 1.0, 1.0));
        let finder = SplitFinder { params: &params, packing: &packing, noise: 0.0 };
        let rows = [(0, 1.0), (1, -1.0), (3, 1.0), (4, -1.0), (4, -1.0)];
        let mapping = BinMapping::Categorical { codes: (0..5).map(|code| vec![code]).collect() };
        let best = best(finder, histogram(&packing, &rows), &mapping, None).unwrap();
        let left: Vec<bool> = [0, 1, 2, 3, 4].map(|bin| best.left_bins().contains(bin)).to_vec();
        assert!(best.missing_left, "the larger side");
        assert_eq!(left, [false, true, true, false, true]);
    }

    #[test]
    fn categories_that_do_not_differ_are_not_split_and_few_that_do_are() {
        let mapping = BinMapping::Categorical { codes: (0..250).map(|code| vec![code]).collect() };
        let packing = Packing::new(10_000, 2.0, 1.0);
        let heads = draw(10_000, 0.5, 1, 0, 0);
        let gain = |category_noise, effect: f64| {
            let params = Params { category_noise, ..params() };
            let finder = SplitFinder { params: &params, packing: &packing, noise: 1.0 };
            let row = |(row, &heads): (usize, &bool)| {
                let bin = (row % 250) as u8;
                let noise = if heads { 1.0 } else { -1.0 };
                (bin, noise + if bin < 10 { effect } else { 0.0 })
            };
            let rows: Vec<(u8, f64)> = heads.iter().enumerate().map(row).collect();
            best(finder, histogram(&packing, &rows), &mapping, None).map(|best| best.gain)
        };
        // Noise gains 2/π of the number of categories, and a little more, as the best border is taken.
        let all = gain(0.0, 0.0).unwrap();
        assert!((FRAC_2_PI..FRAC_2_PI * 1.3).contains(&(all / 250.0)), "{all}");
        // Less the expectation, only that little is left.
        let left = gain(1.0, 0.0).unwrap();
        assert!((0.0..0.25 * all).contains(&left), "{left}");
        assert_eq!(gain(3.0, 0.0), None);
        assert!(gain(3.0, 1.0).is_some());
    }

    #[test]
    fn equal_gradients_give_no_split() {
        let (params, packing) = (params(), Packing::new(1000, 1.0, 1.0));
        let finder = SplitFinder { params: &params, packing: &packing, noise: 0.0 };
        let rows: Vec<(u8, f64)> = (0..1000).map(|row| ((row % 37) as u8, 0.3)).collect();
        assert_eq!(best(finder, histogram(&packing, &rows), &numeric(37), None), None);
    }

    #[test]
    fn a_split_against_the_constraint_is_passed_over_for_one_that_follows_it() {
        let (params, packing) = (params(), Packing::new(8, 1.0, 1.0));
        let finder = SplitFinder { params: &params, packing: &packing, noise: 0.0 };
        // From the first bin to the others the step rises (a negative gradient is a positive step).
        let rows = [(0, 1.0), (1, -1.0), (2, -0.5), (2, -0.5)];
        let rule = |direction| {
            let histogram = histogram(&packing, &rows);
            best(finder, histogram, &numeric(3), Some(direction)).map(|best| best.rule)
        };
        assert_eq!(rule(Direction::Rising), Some(BinRule::UpTo(0)));
        assert_eq!(rule(Direction::Falling), None);
    }
}
