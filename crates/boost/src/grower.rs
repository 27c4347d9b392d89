//! Grows one tree: again and again the leaf whose best split gains most is split.
//!
//! Each open leaf keeps its histograms. When a leaf is split, those of its smaller child are summed
//! from its rows, and its own become those of the larger child by subtraction; both children's best
//! splits are found in the same pass over the columns, which run in parallel. Sums are integers and
//! columns are compared in order, so the tree does not depend on the number of threads.
//!
//! Memory: a histogram of 256 words for each column and open leaf, kept from tree to tree.

use std::ops::Range;

use rayon::prelude::*;

use crate::Child;
use crate::binning::{BINS, Binned, Meaning};
use crate::histogram::{self, Histogram};
use crate::numbers::{Packing, Word, add, minus};
use crate::params::Params;
use crate::partition::partition;
use crate::sampling::{WHOLE_TREE, draw};
use crate::splitting::{Candidate, Judge, better};

/// Rows times columns of a task: enough to be worth it.
const TASK_CELLS: usize = 1 << 15;

/// A tree as it was grown, its thresholds still bins.
pub(crate) struct Grown<'a, const W: usize> {
    pub(crate) splits: Vec<GrownSplit<W>>,
    pub(crate) leaves: Vec<GrownLeaf<W>>,
    /// All rows, contiguous by leaf.
    pub(crate) rows: &'a [u32],
}

/// A split and where it leads.
pub(crate) struct GrownSplit<const W: usize> {
    pub(crate) candidate: Candidate<W>,
    pub(crate) children: [Child; 2],
}

/// A leaf and its rows.
pub(crate) struct GrownLeaf<const W: usize> {
    pub(crate) rows: Range<usize>,
    pub(crate) total: Word<W>,
}

/// A leaf that may still be split.
struct OpenLeaf<const W: usize> {
    leaf: GrownLeaf<W>,
    /// The split and side that lead here; none for the root.
    parent: Option<(usize, usize)>,
    /// Of every column of the tree; empty if the leaf is too small to be split.
    histograms: Vec<Histogram<W>>,
    best: Option<Candidate<W>>,
}

/// Grows trees over the same binned columns.
pub(crate) struct Grower<'a, const W: usize> {
    binned: &'a Binned,
    params: &'a Params,
    /// Columns that tell rows apart at all.
    useful: Vec<usize>,
    rows: Vec<u32>,
    scratch: Vec<u32>,
    /// The words of the rows of the leaf that is being summed.
    gathered: Vec<Word<W>>,
    /// Histograms of closed leaves, to be used again.
    pool: Vec<Vec<Histogram<W>>>,
}

impl<'a, const W: usize> Grower<'a, W> {
    pub(crate) fn new(binned: &'a Binned, params: &'a Params) -> Self {
        let features = binned.features.par_iter().map(|feature| feature.is_useful());
        let is_useful: Vec<bool> = features.collect();
        let useful = (0..is_useful.len()).filter(|&feature| is_useful[feature]).collect();
        let (rows, scratch) = (vec![0; binned.n_rows], vec![0; binned.n_rows]);
        Self { binned, params, useful, rows, scratch, gathered: Vec::new(), pool: Vec::new() }
    }

    /// Grows the tree of a round from the gradients of all rows.
    pub(crate) fn grow(
        &mut self,
        words: &[Word<W>],
        packing: &Packing,
        round: u32,
    ) -> Grown<'_, W> {
        self.rows.iter_mut().zip(0..).for_each(|(place, row)| *place = row);
        let tree = Tree {
            features: self.features_of(round),
            judge: Judge { params: self.params, packing },
            words,
            round,
        };
        let leaves_max = self.params.leaves as usize;
        let mut leaves = vec![self.root(&tree)];
        let mut splits: Vec<GrownSplit<W>> = Vec::new();
        while leaves.len() < leaves_max {
            let Some(at) = most_gaining(&leaves) else { break };
            let Some(candidate) = leaves[at].best.take() else { break };
            let split = splits.len();
            if let Some((parent, side)) = leaves[at].parent {
                splits[parent].children[side] = Child::Split(split as u32);
            }
            let children = [Child::Leaf(at as u32), Child::Leaf(leaves.len() as u32)];
            splits.push(GrownSplit { candidate, children });
            let is_last = leaves.len() + 1 == leaves_max;
            let [left, right] = self.split(&mut leaves[at], &candidate, split, is_last, &tree);
            leaves[at] = left;
            leaves.push(right);
        }
        self.pool.extend(leaves.iter_mut().map(|leaf| std::mem::take(&mut leaf.histograms)));
        self.pool.retain(|histograms| !histograms.is_empty());
        let leaves = leaves.into_iter().map(|leaf| leaf.leaf).collect();
        Grown { splits, leaves, rows: &self.rows }
    }

    /// The columns that the tree of a round may use.
    fn features_of(&self, round: u32) -> Vec<usize> {
        let (fraction, seed) = (self.params.feature_fraction_per_tree, self.params.seed);
        let drawn = draw(self.useful.len(), fraction, seed, round, WHOLE_TREE);
        self.useful.iter().zip(drawn).filter(|(_, drawn)| *drawn).map(|(&f, _)| f).collect()
    }

    fn root(&mut self, tree: &Tree<'_, W>) -> OpenLeaf<W> {
        let mut total = [0; W];
        tree.words.iter().for_each(|word| add(&mut total, word));
        let mut leaf = OpenLeaf {
            leaf: GrownLeaf { rows: 0..self.rows.len(), total },
            parent: None,
            histograms: self.empty_histograms(tree.features.len()),
            best: None,
        };
        let drawn = self.drawn(tree, 0);
        let candidates = (leaf.histograms.par_iter_mut().enumerate())
            .map(|(place, histogram)| {
                let feature = tree.features[place];
                let bins = &self.binned.features[feature].bins;
                histogram::of_all(bins, tree.words, histogram);
                drawn[place].then(|| self.best_of(tree, feature, histogram, &total)).flatten()
            })
            .collect::<Vec<_>>();
        leaf.best = candidates.into_iter().fold(None, better);
        leaf
    }

    /// Parts the leaf's rows and, unless this was the last split, finds its children's best splits.
    fn split(
        &mut self,
        parent: &mut OpenLeaf<W>,
        candidate: &Candidate<W>,
        split: usize,
        is_last: bool,
        tree: &Tree<'_, W>,
    ) -> [OpenLeaf<W>; 2] {
        let Range { start, end } = parent.leaf.rows;
        let goes_left = std::array::from_fn(|bin| candidate.goes_left(bin as u8));
        let bins = &self.binned.features[candidate.feature].bins;
        let scratch = &mut self.scratch[..end - start];
        let middle = start + partition(&mut self.rows[start..end], scratch, bins, &goes_left);
        let totals = [candidate.left, minus(&parent.leaf.total, &candidate.left)];
        let child = |side: usize, rows| OpenLeaf {
            leaf: GrownLeaf { rows, total: totals[side] },
            parent: Some((split, side)),
            histograms: Vec::new(),
            best: None,
        };
        let mut children = [child(0, start..middle), child(1, middle..end)];
        let smaller = usize::from(end - middle < middle - start);
        let larger = 1 - smaller;
        let can_split = children.each_ref().map(|child| {
            !is_last && child.leaf.rows.len() >= 2 * self.params.rows_in_leaf_min as usize
        });
        if !can_split[larger] {
            self.pool.push(std::mem::take(&mut parent.histograms));
            return children;
        }
        let mut of_larger = std::mem::take(&mut parent.histograms);
        let mut of_smaller = self.empty_histograms(tree.features.len());
        let rows = &self.rows[children[smaller].leaf.rows.clone()];
        gather(tree.words, rows, &mut self.gathered);
        let number = |side: usize| (2 * split + 1 + side) as u64;
        let drawn = [0, 1]
            .map(|side| if can_split[side] { self.drawn(tree, number(side)) } else { Vec::new() });
        let bests = (of_smaller.par_iter_mut().zip(&mut of_larger).enumerate())
            .with_min_len(TASK_CELLS.div_ceil(rows.len() + 4 * BINS))
            .map(|(place, (of_smaller, of_larger))| {
                let feature = tree.features[place];
                let bins = &self.binned.features[feature].bins;
                histogram::of_rows(bins, rows, &self.gathered, of_smaller);
                histogram::take_away(of_larger, of_smaller);
                let best = |side: usize, histogram| {
                    let is_drawn = drawn[side].get(place).copied().unwrap_or(false);
                    is_drawn
                        .then(|| self.best_of(tree, feature, histogram, &totals[side]))
                        .flatten()
                };
                [best(smaller, of_smaller), best(larger, of_larger)]
            })
            .collect::<Vec<_>>();
        for [of_smaller, of_larger] in bests {
            children[smaller].best = better(children[smaller].best.take(), of_smaller);
            children[larger].best = better(children[larger].best.take(), of_larger);
        }
        children[smaller].histograms = of_smaller;
        children[larger].histograms = of_larger;
        children
    }

    /// For each column of the tree, whether the node of this number may use it.
    fn drawn(&self, tree: &Tree<'_, W>, node: u64) -> Vec<bool> {
        let (fraction, seed) = (self.params.feature_fraction_per_split, self.params.seed);
        draw(tree.features.len(), fraction, seed, tree.round, node)
    }

    fn best_of(
        &self,
        tree: &Tree<'_, W>,
        feature: usize,
        histogram: &Histogram<W>,
        total: &Word<W>,
    ) -> Option<Candidate<W>> {
        let meaning = &self.binned.features[feature].meaning;
        let n_bins = meaning.n_bins();
        match meaning {
            Meaning::Numeric { .. } => tree.judge.best_numeric(histogram, n_bins, feature, total),
            Meaning::Categorical { .. } => {
                tree.judge.best_categorical(histogram, n_bins, feature, total)
            }
        }
    }

    /// Histograms to be overwritten.
    fn empty_histograms(&mut self, n: usize) -> Vec<Histogram<W>> {
        let mut histograms = self.pool.pop().unwrap_or_default();
        histograms.resize(n, histogram::empty());
        histograms
    }
}

/// What is the same for all leaves of a tree.
struct Tree<'a, const W: usize> {
    features: Vec<usize>,
    judge: Judge<'a>,
    words: &'a [Word<W>],
    round: u32,
}

/// The leaf with the largest gain; the first of equals.
fn most_gaining<const W: usize>(leaves: &[OpenLeaf<W>]) -> Option<usize> {
    let mut most: Option<(f64, usize)> = None;
    for (at, leaf) in leaves.iter().enumerate() {
        if let Some(best) = &leaf.best
            && most.is_none_or(|(gain, _)| best.gain > gain)
        {
            most = Some((best.gain, at));
        }
    }
    most.map(|(_, at)| at)
}

/// The words of some rows, in their order.
fn gather<const W: usize>(words: &[Word<W>], rows: &[u32], gathered: &mut Vec<Word<W>>) {
    gathered.resize(rows.len(), [0; W]);
    let places = gathered.par_iter_mut().zip(rows).with_min_len(TASK_CELLS);
    places.for_each(|(place, &row)| *place = words[row as usize]);
}
