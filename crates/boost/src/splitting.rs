//! The best split of a leaf by one column, from its histogram.
//!
//! A split's gain is how much the second-order loss falls: G²/(H + l2) of both children less that
//! of the parent (G the sum of gradients, H of hessians, or the count). Numeric columns are
//! scanned bin by bin; the categories of a categorical column are first sorted by their smoothed
//! mean gradient, which for squared error makes one of the scanned splits the best of all 2^n
//! (Fisher 1958). Each place is tried with the missing values on either side; where the leaf has
//! none, a value that is missing later goes with the larger child.
//!
//! Sorting fits noise, the more so the more categories there are. Where nothing tells them apart,
//! the sum of gradients in a category of h rows (or hessians) is s √h wide, s² being the noise of a
//! row. Of k equal ones the lowest share p then adds up to k s √h φ(Φ⁻¹(p)), and splitting them off
//! gains k s² φ(Φ⁻¹(p))² / (p (1 - p)): about (2/π) k s² (4p (1 - p))^⅝, in the middle two thirds of
//! all that lies between them. If some are more frequent, k is (Σ√h)² / Σh. `category_noise` times
//! that is taken off their gains, or categories win wherever no other column has much to say.
//!
//! Ties: the earlier place wins, then missing values to the right; among columns the earlier.

use std::f64::consts::FRAC_2_PI;

use crate::Direction;
use crate::binning::{BINS, MISSING_BIN, Meaning};
use crate::candidate::{BinSet, Candidate, Place};
use crate::histogram::Histogram;
use crate::numbers::{Packing, Word, add, minus};
use crate::params::Params;

/// Gains below this share of the parent's score are rounding errors of the subtraction.
const ROUNDING_SHARE: f64 = 1e-10;

/// What splits are judged by.
#[derive(Clone, Copy)]
pub(crate) struct Judge<'a> {
    pub(crate) params: &'a Params,
    pub(crate) packing: &'a Packing,
    /// See [`crate::loss::Loss::noise`].
    pub(crate) noise: f64,
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
    /// The score and the gain of a split into `left` and the rest; none if it is not allowed.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn gain<const W: usize>(
        &self,
        left: &Word<W>,
        total: &Word<W>,
        chance: f64,
        direction: Option<Direction>,
    ) -> Option<(f64, f64)> {
        let leaf = Leaf::new(*self, total);
        let [below, above] = [*left, minus(total, left)].map(|word| self.packing.sums(&word));
        let follows = direction.is_none_or(|direction| direction.is_followed(&below, &above));
        let gradient = self.packing.gradient_units(left);
        let score = leaf.score(below.count as f64, gradient, below.hessian) - chance;
        let is_enough = score > leaf.least(self.params.gain_min);
        (follows && is_enough).then(|| (score, leaf.gain(score)))
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
        let found = self.best_place(column, column.histogram[..n_bins].iter())?;
        Some(found.candidate(column, Place::UpTo(found.place as u8)))
    }

    /// The best split by a column whose bins have no order.
    fn best_categorical<const W: usize>(
        &self,
        column: &Searched<'_, W>,
        n_bins: usize,
    ) -> Option<Candidate<W>> {
        let order = self.sorted_categories(column.histogram, n_bins, column.total);
        let words = order.iter().map(|&bin| &column.histogram[bin as usize]);
        let found = self.best_place(column, words)?;
        let (below, above) = order.split_at(found.place + 1);
        let mut apart = BinSet::default();
        let bins = if found.missing_left { above } else { below };
        bins.iter().for_each(|&bin| apart.insert(bin));
        Some(found.candidate(column, Place::Apart(apart)))
    }

    /// What is taken off the score of a split of sorted categories at each place, as noise scores it
    /// too. `below` are the sums up to each place.
    pub(crate) fn chances<const W: usize>(&self, below: &[Word<W>]) -> [f64; BINS] {
        let mut chances = [0.0; BINS];
        let (mut all, mut roots) = (0.0, 0.0);
        for sum in below.iter().map(|below| self.packing.hessian(below)) {
            roots += (sum - all).sqrt();
            all = sum;
        }
        let noise = self.params.category_noise * self.noise / self.packing.squared_unit();
        let most = FRAC_2_PI * noise * roots * roots / all;
        for (chance, below) in chances.iter_mut().zip(below) {
            let share = self.packing.hessian(below) / all;
            let spread = 4.0 * share * (1.0 - share);
            // To the power of 5/8.
            *chance = most * (spread * spread.sqrt().sqrt()).sqrt();
        }
        chances
    }

    /// The best place to split bins in this order, and the best side for missing values.
    fn best_place<'w, const W: usize>(
        &self,
        column: &Searched<'_, W>,
        words: impl Iterator<Item = &'w Word<W>>,
    ) -> Option<Found<W>> {
        let leaf = Leaf::new(*self, column.total);
        let missing = column.histogram[MISSING_BIN as usize];
        let any_missing = self.packing.count(&missing) > 0;
        let mut below: [Word<W>; BINS] = [[0; W]; BINS];
        let (mut sum, mut n) = ([0; W], 0);
        for (place, word) in below.iter_mut().zip(words) {
            add(&mut sum, word);
            *place = sum;
            n += 1;
        }
        let below = &below[..n];
        // Without missing values the second side is not looked at.
        let mut right = leaf.scores(below, &[0; W]);
        let mut left = if any_missing { leaf.scores(below, &missing) } else { [f64::MIN; BINS] };
        if matches!(column.meaning, Meaning::Categorical { .. }) {
            let take_off = |(score, chance): (&mut f64, f64)| *score -= chance;
            let chances = self.chances(below);
            right.iter_mut().zip(chances).for_each(take_off);
            left.iter_mut().zip(chances).for_each(take_off);
        }
        let mut best = leaf.least(self.params.gain_min);
        let mut found = None;
        for (place, (&right, &left)) in right.iter().zip(&left).enumerate().take(n) {
            if (right <= best && left <= best) || self.packing.count(&below[place]) == 0 {
                continue;
            }
            for (score, missing_left) in [(right, false), (left, true)] {
                let mut word = below[place];
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
                found = Some(Found { place, missing_left, left: word, gain: leaf.gain(score) });
            }
        }
        found
    }

    /// Whether the sides of a split step as the column's direction asks.
    fn is_followed<const W: usize>(&self, column: &Searched<'_, W>, left: &Word<W>) -> bool {
        column.direction.is_none_or(|direction| {
            let sums = [*left, minus(column.total, left)].map(|word| self.packing.sums(&word));
            direction.is_followed(&sums[0], &sums[1])
        })
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

/// A place where bins are split.
struct Found<const W: usize> {
    /// The last of the bins on the left.
    place: usize,
    missing_left: bool,
    left: Word<W>,
    gain: f64,
}

impl<const W: usize> Found<W> {
    fn candidate(&self, column: &Searched<'_, W>, place: Place) -> Candidate<W> {
        let (feature, lane) = (column.feature, column.lane);
        let Self { missing_left, left, gain, .. } = *self;
        Candidate { gain, feature, lane, place, missing_left, left }
    }
}

/// What is the same for all splits of a leaf by a column. Gradients are in units of the packing.
struct Leaf<'a> {
    judge: Judge<'a>,
    count: f64,
    gradient: f64,
    hessian: f64,
    rows_min: f64,
    /// The score of the leaf if it is not split.
    parent: f64,
}

impl<'a> Leaf<'a> {
    fn new<const W: usize>(judge: Judge<'a>, total: &Word<W>) -> Self {
        let packing = judge.packing;
        let (count, gradient) = (packing.count(total) as f64, packing.gradient_units(total));
        let hessian = packing.hessian(total);
        let rows_min = judge.params.rows_in_leaf_min.into();
        let parent = gradient * gradient / (hessian + judge.params.l2);
        Self { judge, count, gradient, hessian, rows_min, parent }
    }

    /// G²/(H + l2) of both sides, over one denominator; the lowest number if the split is not
    /// allowed.
    #[inline(always)]
    fn score(&self, count: f64, gradient: f64, hessian: f64) -> f64 {
        let l2 = self.judge.params.l2;
        let (left, right) = (hessian + l2, self.hessian - hessian + l2);
        let other = self.gradient - gradient;
        let score = (gradient * gradient * right + other * other * left) / (left * right);
        let is_allowed = (count >= self.rows_min) & (self.count - count >= self.rows_min);
        if is_allowed { score } else { f64::MIN }
    }

    /// The scores of splits with these sums, and those of the missing values, on the left. One loop
    /// without branches, so that several are computed at a time.
    #[inline(always)]
    fn scores<const W: usize>(&self, below: &[Word<W>], missing: &Word<W>) -> [f64; BINS] {
        let packing = self.judge.packing;
        let mut scores = [f64::MIN; BINS];
        for (score, below) in scores.iter_mut().zip(below) {
            let mut left = *below;
            add(&mut left, missing);
            let gradient = packing.gradient_units(&left);
            *score = self.score(packing.count(&left) as f64, gradient, packing.hessian(&left));
        }
        scores
    }

    /// The score that a split must exceed. What is below a small share of the parent's is a
    /// rounding error.
    fn least(&self, gain_min: f64) -> f64 {
        let least =
            (gain_min / self.judge.packing.squared_unit()).max(ROUNDING_SHARE * self.parent);
        self.parent + least
    }

    /// The gain of a score, in the loss's own units.
    fn gain(&self, score: f64) -> f64 {
        (score - self.parent) * self.judge.packing.squared_unit()
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
        Params { rows_in_leaf_min: 1, l2: 0.0, ..Params::default() }
    }

    #[test]
    fn missing_values_go_to_the_side_they_resemble() {
        let (params, packing) = (params(), Packing::new(8, 1.0, 1.0));
        let judge = Judge { params: &params, packing: &packing, noise: 0.0 };
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
        let judge = Judge { params: &params, packing: &packing, noise: 0.0 };
        let rows = [(0, -1.0), (1, -1.0), (MISSING_BIN, 1.0), (MISSING_BIN, 1.0)];
        let best = best(judge, histogram(&packing, &rows), &numeric(2), None).unwrap();
        assert_eq!((best.place, best.missing_left), (Place::UpTo(1), false));
    }

    #[test]
    fn categories_are_split_by_their_means_and_new_ones_go_with_the_missing() {
        let (params, packing) = (params(), Packing::new(8, 1.0, 1.0));
        let judge = Judge { params: &params, packing: &packing, noise: 0.0 };
        let rows = [(0, 1.0), (1, -1.0), (3, 1.0), (4, -1.0), (4, -1.0)];
        let meaning = Meaning::Categorical { codes: (0..5).map(|code| vec![code]).collect() };
        let best = best(judge, histogram(&packing, &rows), &meaning, None).unwrap();
        let left: Vec<bool> = [0, 1, 2, 3, 4].map(|bin| best.left_bins().contains(bin)).to_vec();
        assert!(best.missing_left, "the larger side");
        assert_eq!(left, [false, true, true, false, true]);
    }

    #[test]
    fn categories_that_say_nothing_are_not_split_and_few_that_do_are() {
        let meaning = Meaning::Categorical { codes: (0..250).map(|code| vec![code]).collect() };
        let packing = Packing::new(10_000, 2.0, 1.0);
        let heads = draw(10_000, 0.5, 1, 0, 0);
        let gain = |category_noise, effect: f64| {
            let params = Params { category_noise, ..params() };
            let judge = Judge { params: &params, packing: &packing, noise: 1.0 };
            let row = |(row, &heads): (usize, &bool)| {
                let bin = (row % 250) as u8;
                let noise = if heads { 1.0 } else { -1.0 };
                (bin, noise + if bin < 10 { effect } else { 0.0 })
            };
            let rows: Vec<(u8, f64)> = heads.iter().enumerate().map(row).collect();
            best(judge, histogram(&packing, &rows), &meaning, None).map(|best| best.gain)
        };
        // Noise gains 2/π of the number of categories, and a little more, as it has the choice.
        let all = gain(0.0, 0.0).unwrap();
        assert!((FRAC_2_PI..FRAC_2_PI * 1.3).contains(&(all / 250.0)), "{all}");
        // Once that is taken off there is only the little.
        let left = gain(1.0, 0.0).unwrap();
        assert!((0.0..0.25 * all).contains(&left), "{left}");
        assert_eq!(gain(3.0, 0.0), None);
        assert!(gain(3.0, 1.0).is_some());
    }

    #[test]
    fn equal_gradients_give_no_split() {
        let (params, packing) = (params(), Packing::new(1000, 1.0, 1.0));
        let judge = Judge { params: &params, packing: &packing, noise: 0.0 };
        let rows: Vec<(u8, f64)> = (0..1000).map(|row| ((row % 37) as u8, 0.3)).collect();
        assert_eq!(best(judge, histogram(&packing, &rows), &numeric(37), None), None);
    }

    #[test]
    fn a_split_against_the_direction_is_passed_over_for_one_that_follows_it() {
        let (params, packing) = (params(), Packing::new(8, 1.0, 1.0));
        let judge = Judge { params: &params, packing: &packing, noise: 0.0 };
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
