//! The best split of a leaf by one column, from its histogram.
//!
//! A split's gain is how much the second-order loss falls: G²/(H + l2) of both children less that
//! of the parent (G the sum of gradients, H of hessians, or the count). Numeric columns are
//! scanned bin by bin; the categories of a categorical column are first sorted by their smoothed
//! mean gradient, which for squared error makes one of the scanned splits the best of all 2^n
//! (Fisher 1958). Each place is tried with the missing values on either side; where the leaf has
//! none, a value that is missing later goes with the larger child.
//!
//! Ties: the earlier place wins, then missing values to the right; among columns the earlier.

use crate::Direction;
use crate::binning::{BINS, MISSING_BIN, Meaning};
use crate::histogram::Histogram;
use crate::numbers::{Packing, Sums, Word, add, minus};
use crate::params::Params;

/// A set of bins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct BinSet([u64; BINS / 64]);

impl BinSet {
    pub(crate) fn insert(&mut self, bin: u8) {
        self.0[bin as usize / 64] |= 1 << (bin % 64);
    }

    pub(crate) fn contains(&self, bin: u8) -> bool {
        self.0[bin as usize / 64] >> (bin % 64) & 1 == 1
    }

    /// For each bin, whether it is in the set.
    pub(crate) fn flags(&self) -> [bool; BINS] {
        std::array::from_fn(|bin| self.contains(bin as u8))
    }
}

/// Where a split lies in the bins of its column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Place {
    /// Bins up to this one go left.
    UpTo(u8),
    /// These bins go to the side that missing values do not go to.
    Apart(BinSet),
}

/// A split that could be made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Candidate<const W: usize> {
    pub(crate) gain: f64,
    pub(crate) feature: usize,
    pub(crate) lane: usize,
    pub(crate) place: Place,
    pub(crate) missing_left: bool,
    pub(crate) left: Word<W>,
}

impl<const W: usize> Candidate<W> {
    /// The bins of which rows go left.
    pub(crate) fn left_bins(&self) -> BinSet {
        let goes_left = |bin: u8| match &self.place {
            Place::UpTo(_) if bin == MISSING_BIN => self.missing_left,
            Place::UpTo(last) => bin <= *last,
            Place::Apart(set) => set.contains(bin) != self.missing_left,
        };
        let mut bins = BinSet::default();
        (0..=u8::MAX).filter(|&bin| goes_left(bin)).for_each(|bin| bins.insert(bin));
        bins
    }
}

/// Of two candidates the better; if they are equal, the one of the earlier column.
pub(crate) fn better<const W: usize>(
    first: Option<Candidate<W>>,
    second: Option<Candidate<W>>,
) -> Option<Candidate<W>> {
    match (first, second) {
        (Some(a), Some(b)) => {
            let b_wins = b.gain > a.gain || (b.gain == a.gain && b.feature < a.feature);
            Some(if b_wins { b } else { a })
        }
        (a, b) => a.or(b),
    }
}

/// Gains below this share of the children's scores are rounding errors of the subtraction.
const ROUNDING_SHARE: f64 = 1e-10;

/// What splits are judged by.
#[derive(Clone, Copy)]
pub(crate) struct Judge<'a> {
    pub(crate) params: &'a Params,
    pub(crate) packing: &'a Packing,
}

/// One column in one leaf.
#[derive(Clone, Copy)]
pub(crate) struct Searched<'a, const W: usize> {
    /// Its position among the training columns, and its lane.
    pub(crate) feature: usize,
    pub(crate) lane: usize,
    pub(crate) meaning: &'a Meaning,
    /// Which way predictions must follow it.
    pub(crate) direction: Option<Direction>,
    pub(crate) histogram: &'a Histogram<W>,
    /// The sums of the leaf.
    pub(crate) total: &'a Word<W>,
}

impl Judge<'_> {
    /// The gain of a split into `left` and the rest; none if it is not allowed.
    pub(crate) fn gain(&self, left: &Sums, right: &Sums, l2: f64) -> Option<f64> {
        let rows_min = u64::from(self.params.rows_in_leaf_min);
        if left.count < rows_min || right.count < rows_min {
            return None;
        }
        let score = |gradient: f64, hessian: f64| {
            if hessian + l2 > 0.0 { gradient * gradient / (hessian + l2) } else { 0.0 }
        };
        let children = score(left.gradient, left.hessian) + score(right.gradient, right.hessian);
        let parent = score(left.gradient + right.gradient, left.hessian + right.hessian);
        let gain = children - parent;
        (gain > self.params.gain_min.max(ROUNDING_SHARE * children)).then_some(gain)
    }

    /// The best split of a leaf by a column.
    pub(crate) fn best<const W: usize>(&self, column: &Searched<'_, W>) -> Option<Candidate<W>> {
        let n_bins = column.meaning.n_bins();
        match column.meaning {
            Meaning::Numeric { .. } => self.best_numeric(column, n_bins),
            Meaning::Categorical { .. } => self.best_categorical(column, n_bins),
        }
    }

    /// The best split by a column with ordered bins.
    fn best_numeric<const W: usize>(
        &self,
        column: &Searched<'_, W>,
        n_bins: usize,
    ) -> Option<Candidate<W>> {
        let mut best = Best::new(*self, self.params.l2, column);
        let mut below = [0; W];
        for (bin, word) in column.histogram[..n_bins].iter().enumerate() {
            if self.packing.count(word) == 0 {
                continue;
            }
            add(&mut below, word);
            best.offer(&below, |_| Place::UpTo(bin as u8));
        }
        best.candidate
    }

    /// The best split by a column whose bins have no order.
    fn best_categorical<const W: usize>(
        &self,
        column: &Searched<'_, W>,
        n_bins: usize,
    ) -> Option<Candidate<W>> {
        let l2 = self.params.l2 + self.params.category_l2;
        let mut best = Best::new(*self, l2, column);
        let order = self.sorted_categories(column.histogram, n_bins, column.total);
        let mut below = [0; W];
        for (last, &bin) in order.iter().enumerate() {
            add(&mut below, &column.histogram[bin as usize]);
            best.offer(&below, |missing_left| {
                let apart = if missing_left { &order[last + 1..] } else { &order[..=last] };
                let mut set = BinSet::default();
                apart.iter().for_each(|&bin| set.insert(bin));
                Place::Apart(set)
            });
        }
        best.candidate
    }

    /// The bins that have rows, by their mean gradient after mixing in some rows of the leaf's
    /// mean.
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

/// The best of the splits offered so far.
struct Best<'a, const W: usize> {
    judge: Judge<'a>,
    l2: f64,
    column: Searched<'a, W>,
    missing: Word<W>,
    any_missing: bool,
    candidate: Option<Candidate<W>>,
}

impl<'a, const W: usize> Best<'a, W> {
    fn new(judge: Judge<'a>, l2: f64, column: &Searched<'a, W>) -> Self {
        let missing = column.histogram[MISSING_BIN as usize];
        let any_missing = judge.packing.count(&missing) > 0;
        Self { judge, l2, column: *column, missing, any_missing, candidate: None }
    }

    /// Judges a split with these values on the left, and missing values on either side.
    #[inline(always)]
    fn offer(&mut self, below: &Word<W>, place: impl Fn(bool) -> Place) {
        let packing = self.judge.packing;
        if self.any_missing {
            self.judge_one(*below, false, &place);
            let mut with_missing = *below;
            add(&mut with_missing, &self.missing);
            self.judge_one(with_missing, true, &place);
        } else {
            let left = packing.count(below);
            let missing_left = left >= packing.count(self.column.total) - left;
            self.judge_one(*below, missing_left, &place);
        }
    }

    #[inline(always)]
    fn judge_one(&mut self, left: Word<W>, missing_left: bool, place: &impl Fn(bool) -> Place) {
        let packing = self.judge.packing;
        let Searched { feature, lane, direction, total, .. } = self.column;
        let (below, above) = (packing.sums(&left), packing.sums(&minus(total, &left)));
        let Some(gain) = self.judge.gain(&below, &above, self.l2) else { return };
        if self.candidate.as_ref().is_none_or(|best| gain > best.gain)
            && direction.is_none_or(|direction| direction.is_followed(&below, &above))
        {
            let place = place(missing_left);
            self.candidate = Some(Candidate { gain, feature, lane, place, missing_left, left });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histogram::empty;

    fn histogram(packing: &Packing, rows: &[(u8, f64)]) -> (Histogram<1>, Word<1>) {
        let (mut histogram, mut total) = (empty(), [0]);
        for &(bin, gradient) in rows {
            let word = packing.word(&packing.fix(gradient));
            add(&mut histogram[bin as usize], &word);
            add(&mut total, &word);
        }
        (histogram, total)
    }

    /// The best split by a column of so many bins.
    fn best(
        judge: Judge<'_>,
        (histogram, total): (Histogram<1>, Word<1>),
        meaning: &Meaning,
        direction: Option<Direction>,
    ) -> Option<Candidate<1>> {
        let (histogram, total) = (&histogram, &total);
        judge.best(&Searched { feature: 0, lane: 0, meaning, direction, histogram, total })
    }

    fn numeric(n_bins: u8) -> Meaning {
        Meaning::Numeric { borders: (1..n_bins).map(f32::from).collect() }
    }

    fn params() -> Params {
        Params { rows_in_leaf_min: 1, l2: 0.0, category_l2: 0.0, ..Params::default() }
    }

    #[test]
    fn missing_values_go_to_the_side_they_resemble() {
        let (params, packing) = (params(), Packing::new(8, 1.0, 1.0));
        let judge = Judge { params: &params, packing: &packing };
        for (missing_gradient, missing_left) in [(-1.0, true), (1.0, false)] {
            let rows = [(0, -1.0), (1, -1.0), (2, 1.0), (3, 1.0), (MISSING_BIN, missing_gradient)];
            let best = best(judge, histogram(&packing, &rows), &numeric(4), None).unwrap();
            assert_eq!(best.place, Place::UpTo(1));
            assert_eq!(best.missing_left, missing_left);
            assert_eq!(best.left_bins().contains(MISSING_BIN), missing_left);
        }
    }

    #[test]
    fn missing_against_present_is_a_split() {
        let (params, packing) = (params(), Packing::new(8, 1.0, 1.0));
        let judge = Judge { params: &params, packing: &packing };
        let rows = [(0, -1.0), (1, -1.0), (MISSING_BIN, 1.0), (MISSING_BIN, 1.0)];
        let best = best(judge, histogram(&packing, &rows), &numeric(2), None).unwrap();
        assert_eq!((best.place, best.missing_left), (Place::UpTo(1), false));
    }

    #[test]
    fn categories_are_split_by_their_means_and_new_ones_go_with_the_missing() {
        let (params, packing) = (params(), Packing::new(8, 1.0, 1.0));
        let judge = Judge { params: &params, packing: &packing };
        let rows = [(0, 1.0), (1, -1.0), (3, 1.0), (4, -1.0), (4, -1.0)];
        let meaning = Meaning::Categorical { codes: (0..5).map(|code| vec![code]).collect() };
        let best = best(judge, histogram(&packing, &rows), &meaning, None).unwrap();
        let left: Vec<bool> = [0, 1, 2, 3, 4].map(|bin| best.left_bins().contains(bin)).to_vec();
        assert!(best.missing_left, "the larger side");
        assert_eq!(left, [false, true, true, false, true]);
    }

    #[test]
    fn equal_gradients_give_no_split() {
        let (params, packing) = (params(), Packing::new(1000, 1.0, 1.0));
        let judge = Judge { params: &params, packing: &packing };
        let rows: Vec<(u8, f64)> = (0..1000).map(|row| ((row % 37) as u8, 0.3)).collect();
        assert_eq!(best(judge, histogram(&packing, &rows), &numeric(37), None), None);
    }

    #[test]
    fn a_split_against_the_direction_is_passed_over_for_one_that_follows_it() {
        let (params, packing) = (params(), Packing::new(8, 1.0, 1.0));
        let judge = Judge { params: &params, packing: &packing };
        // The step falls after the first bin (a negative gradient asks for more), a little rises.
        let rows = [(0, 1.0), (1, -1.0), (2, -0.5), (2, -0.5)];
        let place = |direction| {
            let histogram = histogram(&packing, &rows);
            best(judge, histogram, &numeric(3), Some(direction)).map(|best| best.place)
        };
        assert_eq!(place(Direction::Rising), Some(Place::UpTo(0)));
        assert_eq!(place(Direction::Falling), None);
    }
}
