//! Leaf-wise growth of one tree: again and again the leaf whose best split gains most is split.
//!
//! Each leaf that may still be split keeps its histograms. When a leaf is split, those of its smaller
//! child are built from its rows (in parallel over rows where they are many, otherwise over blocks of
//! columns), and its own become those of the larger child by subtraction; then the best splits of
//! both children are found, in parallel over columns. Sums are integers and columns are compared in
//! order, so the tree does not depend on the number of threads.
//!
//! A tree may be grown on a sample of the rows. Rows are contiguous by leaf, and within a leaf those
//! of the sample come first (partitioning keeps the order), so that histograms read only the sample
//! and still every row has its leaf. Rows that are held out are routed down the tree afterwards.
//!
//! Memory: a histogram of 256 words for each slot and leaf, kept from tree to tree.

use std::ops::Range;

use rayon::prelude::*;

use crate::binned_matrix::BinnedMatrix;
use crate::binning::BINS;
use crate::fixed_point::{Word, add, minus};
use crate::histogram::{self, Gradients, Histogram, HistogramBuilder, Rows, subtract};
use crate::params::Params;
use crate::partition::partition;
use crate::sampling::{WHOLE_TREE, draw, draw_rows};
use crate::split_candidate::{BinSet, Candidate, better};
use crate::splitting::{SplitFinder, SplitInput};
use crate::{Child, Direction};

/// Rows times columns of a task: enough that starting it costs little.
const TASK_CELLS: usize = 1 << 15;

/// Rows whose leaves are written by one task: few enough to stay in the second-level cache, enough
/// that finding a leaf's rows among them costs little.
const RANGE_ROWS: usize = 1 << 16;

/// Rows that are routed down a tree by one task.
const ROUTED_ROWS: usize = 4096;

/// A tree as it was grown, its splits in terms of bins.
pub(crate) struct Grown<'a, const W: usize> {
    pub(crate) splits: Vec<GrownSplit<W>>,
    /// The sums of each leaf over the rows that the tree was grown on.
    pub(crate) leaves: Vec<Word<W>>,
    /// The leaf of every row, also of held-out rows.
    pub(crate) leaf_of_row: &'a [u16],
}

/// A split and its children.
pub(crate) struct GrownSplit<const W: usize> {
    pub(crate) candidate: Candidate<W>,
    pub(crate) children: [Child; 2],
}

/// A leaf that may still be split.
struct GrowableLeaf<const W: usize> {
    /// The range of its rows among all rows to learn from.
    rows: Range<usize>,
    /// How many of its rows are in the tree's sample: the first.
    n_sampled: usize,
    /// The sums of the sampled rows.
    total: Word<W>,
    /// The split and side of which it is the child; none for the root.
    parent: Option<(usize, usize)>,
    /// Shapes: n_slots; empty if the leaf is too small to be split.
    histograms: Vec<Histogram<W>>,
    best: Option<Candidate<W>>,
}

/// Grows trees over the same binned matrix.
pub(crate) struct Grower<'a, const W: usize> {
    matrix: &'a BinnedMatrix,
    params: &'a Params,
    /// The monotonic constraint of each training column; empty if there is none.
    directions: &'a [Option<Direction>],
    /// The number of rows to learn from, which are the first.
    n_trained: usize,
    /// All rows to learn from, contiguous by leaf.
    rows: Vec<u32>,
    scratch: Vec<u32>,
    leaf_of_row: Vec<u16>,
    builder: HistogramBuilder<'a, W>,
    /// Histograms of former leaves, to be used again.
    pool: Vec<Vec<Histogram<W>>>,
}

impl<'a, const W: usize> Grower<'a, W> {
    pub(crate) fn new(
        matrix: &'a BinnedMatrix,
        params: &'a Params,
        directions: &'a [Option<Direction>],
        n_trained: usize,
    ) -> Self {
        let leaf_of_row = vec![0; matrix.n_rows];
        Self {
            matrix,
            params,
            directions,
            n_trained,
            rows: vec![0; n_trained],
            scratch: vec![0; n_trained],
            leaf_of_row,
            builder: HistogramBuilder::new(&matrix.rows, matrix.width),
            pool: Vec::new(),
        }
    }

    /// Grows the tree of a round.
    pub(crate) fn grow(&mut self, gradients: Gradients<'_, W>, round: u32) -> Grown<'_, W> {
        let (fraction, seed) = (self.params.row_fraction_per_tree, self.params.seed);
        let n_sampled = draw_rows(fraction, seed, round, &mut self.rows, &mut self.scratch);
        let Gradients { packing, noise, .. } = gradients;
        let finder = SplitFinder { params: self.params, packing, noise };
        let tree = TreeContext { slots: self.slots_of(round), finder, gradients, round };
        let leaves_max = self.params.leaves as usize;
        let mut leaves = vec![self.root(&tree, n_sampled)];
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
        self.find_leaves(&leaves, &splits);
        let leaves = leaves.into_iter().map(|leaf| leaf.total).collect();
        Grown { splits, leaves, leaf_of_row: &self.leaf_of_row }
    }

    /// The slots that the tree of a round may split on, in the order of their columns.
    fn slots_of(&self, round: u32) -> Vec<usize> {
        let (fraction, seed) = (self.params.feature_fraction_per_tree, self.params.seed);
        let used = self.matrix.used_slots();
        let drawn = draw(used.len(), fraction, seed, round, WHOLE_TREE);
        used.into_iter().zip(drawn).filter(|(_, drawn)| *drawn).map(|(slot, _)| slot).collect()
    }

    fn root(&mut self, tree: &TreeContext<'_, W>, n_sampled: usize) -> GrowableLeaf<W> {
        let gradients = tree.gradients;
        let sum = |rows: &[u32]| {
            let mut total = [0; W];
            let word = |&row: &u32| gradients.packing.word(&gradients.rows[row as usize]);
            rows.iter().for_each(|row| add(&mut total, &word(row)));
            total
        };
        let sums: Vec<Word<W>> = self.rows[..n_sampled].par_chunks(TASK_CELLS).map(sum).collect();
        let mut total = [0; W];
        sums.iter().for_each(|sum| add(&mut total, sum));
        let mut histograms = self.spare_histograms();
        let sample = &self.rows[..n_sampled];
        let is_whole = n_sampled == self.n_trained;
        let rows = if is_whole { Rows::First(n_sampled) } else { Rows::At(sample) };
        self.builder.build(rows, gradients, &mut histograms);
        let drawn = self.drawn(tree, 0);
        let bests = (histograms.par_iter().enumerate())
            .map(|(slot, histogram)| self.best(tree, slot, drawn[slot], histogram, &total))
            .collect::<Vec<_>>();
        let best = bests.into_iter().fold(None, better);
        GrowableLeaf { rows: 0..self.n_trained, n_sampled, total, parent: None, histograms, best }
    }

    /// Partitions the rows of a leaf and, unless this is the last split, finds the best splits of its
    /// children.
    fn split(
        &mut self,
        parent: &mut GrowableLeaf<W>,
        candidate: &Candidate<W>,
        split: usize,
        is_last: bool,
        tree: &TreeContext<'_, W>,
    ) -> [GrowableLeaf<W>; 2] {
        let Range { start, end } = parent.rows;
        let middle = start + self.partition(start..end, candidate);
        let totals = [candidate.left, minus(&parent.total, &candidate.left)];
        let child = |side: usize, rows| GrowableLeaf {
            rows,
            n_sampled: tree.gradients.packing.count(&totals[side]) as usize,
            total: totals[side],
            parent: Some((split, side)),
            histograms: Vec::new(),
            best: None,
        };
        let mut children = [child(0, start..middle), child(1, middle..end)];
        let smaller = usize::from(children[1].n_sampled < children[0].n_sampled);
        let larger = 1 - smaller;
        let can_split = children
            .each_ref()
            .map(|child| !is_last && child.n_sampled >= 2 * self.params.rows_in_leaf_min as usize);
        if !can_split[larger] {
            self.pool.push(std::mem::take(&mut parent.histograms));
            return children;
        }
        let mut of_larger = std::mem::take(&mut parent.histograms);
        let mut of_smaller = self.spare_histograms();
        let GrowableLeaf { rows, n_sampled, .. } = &children[smaller];
        let sample = &self.rows[rows.start..][..*n_sampled];
        self.builder.build(Rows::At(sample), tree.gradients, &mut of_smaller);
        let nothing = || vec![false; self.matrix.slots.len()];
        let drawn = [0, 1].map(|side| {
            let node = (2 * split + 1 + side) as u64;
            if can_split[side] { self.drawn(tree, node) } else { nothing() }
        });
        let bests = (of_smaller.par_iter().zip(&mut of_larger).enumerate())
            .with_min_len(TASK_CELLS / (16 * BINS))
            .map(|(slot, (of_smaller, of_larger))| {
                subtract(std::slice::from_mut(of_larger), std::slice::from_ref(of_smaller));
                let best = |side: usize, histogram| {
                    self.best(tree, slot, drawn[side][slot], histogram, &totals[side])
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

    /// Partitions the rows in a range and returns how many go left.
    fn partition(&mut self, range: Range<usize>, candidate: &Candidate<W>) -> usize {
        let left = candidate.left_bins().flags();
        let scratch = &mut self.scratch[range.clone()];
        partition(&mut self.rows[range], scratch, self.matrix.slot(candidate.slot), &left)
    }

    /// For each slot, whether the node with this number may split on it.
    fn drawn(&self, tree: &TreeContext<'_, W>, node: u64) -> Vec<bool> {
        let (fraction, seed) = (self.params.feature_fraction_per_split, self.params.seed);
        let mut of_slot = vec![false; self.matrix.slots.len()];
        let drawn = draw(tree.slots.len(), fraction, seed, tree.round, node);
        tree.slots.iter().zip(drawn).for_each(|(&slot, drawn)| of_slot[slot] = drawn);
        of_slot
    }

    fn best(
        &self,
        tree: &TreeContext<'_, W>,
        slot: usize,
        is_drawn: bool,
        histogram: &Histogram<W>,
        total: &Word<W>,
    ) -> Option<Candidate<W>> {
        let column = self.matrix.slots[slot].as_ref().filter(|_| is_drawn)?;
        let (feature, mapping) = (column.feature, &column.mapping);
        let direction = self.directions.get(feature).copied().flatten();
        tree.finder.best(&SplitInput { feature, slot, mapping, direction, histogram, total })
    }

    /// Histograms with any content, to be overwritten.
    fn spare_histograms(&mut self) -> Vec<Histogram<W>> {
        let mut histograms = self.pool.pop().unwrap_or_default();
        histograms.resize(self.matrix.slots.len(), histogram::empty());
        histograms
    }

    /// Writes the leaf of every row: rows to learn from are contiguous by leaf, held-out rows are
    /// routed.
    fn find_leaves(&mut self, leaves: &[GrowableLeaf<W>], splits: &[GrownSplit<W>]) {
        // One range of rows after the other, so that what is written stays in the cache. In a leaf the
        // row numbers of the sample rise, and then those of the others.
        let ranges = self.leaf_of_row[..self.n_trained].par_chunks_mut(RANGE_ROWS).enumerate();
        ranges.for_each(|(range, leaf_of_row)| {
            let first = range * RANGE_ROWS;
            let end = first + leaf_of_row.len();
            for (leaf, GrowableLeaf { rows, n_sampled, .. }) in leaves.iter().enumerate() {
                let (sample, others) = self.rows[rows.clone()].split_at(*n_sampled);
                for rising in [sample, others] {
                    let [start, end] =
                        [first, end].map(|to| rising.partition_point(|&row| (row as usize) < to));
                    let rows = &rising[start..end];
                    rows.iter().for_each(|&row| leaf_of_row[row as usize - first] = leaf as u16);
                }
            }
        });
        self.route(self.n_trained, splits);
    }

    /// Routes all rows from `first_row` on down the tree.
    fn route(&mut self, first_row: usize, splits: &[GrownSplit<W>]) {
        let left: Vec<BinSet> = splits.iter().map(|split| split.candidate.left_bins()).collect();
        let chunks = self.leaf_of_row[first_row..].par_chunks_mut(ROUTED_ROWS).enumerate();
        chunks.for_each(|(chunk, leaves)| {
            for (at, leaf) in leaves.iter_mut().enumerate() {
                let row = first_row + chunk * ROUTED_ROWS + at;
                let mut node = if splits.is_empty() { Child::Leaf(0) } else { Child::Split(0) };
                while let Child::Split(split) = node {
                    let split = split as usize;
                    let bin = self.matrix.slot(splits[split].candidate.slot)[row];
                    node = splits[split].children[usize::from(!left[split].contains(bin))];
                }
                if let Child::Leaf(found) = node {
                    *leaf = found as u16;
                }
            }
        });
    }
}

/// What all leaves of a tree have in common.
struct TreeContext<'a, const W: usize> {
    slots: Vec<usize>,
    finder: SplitFinder<'a>,
    gradients: Gradients<'a, W>,
    round: u32,
}

/// The leaf with the largest gain; the first of equals.
fn most_gaining<const W: usize>(leaves: &[GrowableLeaf<W>]) -> Option<usize> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Columns;
    use crate::fixed_point::Packing;

    #[test]
    fn every_row_has_the_leaf_that_it_is_routed_to() {
        let n = 2 * RANGE_ROWS + 17;
        let column =
            |step: usize| -> Vec<f32> { (0..n).map(|row| (row * step % 251) as f32).collect() };
        let columns: Vec<Vec<f32>> = [7919, 104_729, 1].map(column).to_vec();
        let packing = Packing::in_bytes(n, -0.5, 250);
        let gradient = |row: usize| packing.fix(f64::from((columns[0][row] / 99.0).sin()) / 2.0);
        let gradients: Vec<_> = (0..n).map(gradient).collect();
        let gradients = Gradients::<1> { rows: &gradients, packing: &packing, noise: 0.0 };
        for row_fraction_per_tree in [1.0, 0.4] {
            let params = Params { leaves: 9, row_fraction_per_tree, ..Params::default() };
            let matrix = BinnedMatrix::new(&Columns::new(&columns, &[false; 3]), &params, Vec::new);
            // The last rows are held out.
            let mut grower = Grower::new(&matrix, &params, &[], n - 5);
            let Grown { splits, leaf_of_row, .. } = grower.grow(gradients, 0);
            let found = leaf_of_row.to_vec();
            assert_eq!(splits.len(), 8);
            grower.route(0, &splits);
            assert!(found == grower.leaf_of_row, "{row_fraction_per_tree}");
        }
    }
}
