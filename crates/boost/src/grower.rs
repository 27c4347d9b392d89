//! Grows one tree: again and again the leaf whose best split gains most is split.
//!
//! Each open leaf keeps its histograms. When a leaf is split, those of its smaller child are summed
//! from its rows (in parallel over rows where there are many, otherwise over blocks of columns), and
//! its own become those of the larger child by subtraction; then both children's best splits are
//! searched, in parallel over columns. Sums are integers and columns are compared in order, so the
//! tree does not depend on the number of threads.
//!
//! A tree may be grown on a sample of the rows. Rows lie by leaf, and within a leaf those of the
//! sample come first (parting keeps the order), so that scans read only them and still every row
//! has its leaf. Rows that are held out are walked down the tree afterwards.
//!
//! Memory: a histogram of 256 words for each lane and open leaf, kept from tree to tree.

use std::ops::Range;

use rayon::prelude::*;

use crate::binning::BINS;
use crate::candidate::{BinSet, Candidate, better};
use crate::histogram::{self, Gradients, Histogram, Rows, Scanner, take_away};
use crate::numbers::{Word, add, minus};
use crate::params::Params;
use crate::partition::partition;
use crate::sampling::{WHOLE_TREE, draw, draw_rows};
use crate::splitting::{Judge, Searched};
use crate::table::Table;
use crate::{Child, Direction};

/// Rows times columns of a task: enough to be worth it.
const TASK_CELLS: usize = 1 << 15;

/// Rows whose leaves are noted by one task: few enough to stay in the second-level cache, enough that
/// finding a leaf's rows among them costs little.
const STRETCH_ROWS: usize = 1 << 16;

/// Rows that are walked down a tree by one task.
const WALK_ROWS: usize = 4096;

/// A tree as it was grown, its thresholds still bins.
pub(crate) struct Grown<'a, const W: usize> {
    pub(crate) splits: Vec<GrownSplit<W>>,
    /// The sums of each leaf over the rows that the tree was grown on.
    pub(crate) leaves: Vec<Word<W>>,
    /// The leaf of every row.
    pub(crate) leaf_of_row: &'a [u16],
}

/// A split and where it leads.
pub(crate) struct GrownSplit<const W: usize> {
    pub(crate) candidate: Candidate<W>,
    pub(crate) children: [Child; 2],
}

/// A leaf that may still be split.
struct OpenLeaf<const W: usize> {
    rows: Range<usize>,
    /// Of the sample, from which the leaf is judged: the first so many rows.
    n_sampled: usize,
    total: Word<W>,
    /// The split and side that lead here; none for the root.
    parent: Option<(usize, usize)>,
    /// Of every lane; empty if the leaf is too small to be split.
    histograms: Vec<Histogram<W>>,
    best: Option<Candidate<W>>,
}

/// Grows trees over the same table.
pub(crate) struct Grower<'a, const W: usize> {
    table: &'a Table,
    params: &'a Params,
    /// For each training column, which way predictions must follow it; empty for none.
    directions: &'a [Option<Direction>],
    /// Rows to learn from: the first so many.
    n_trained: usize,
    /// All rows to learn from, contiguous by leaf.
    rows: Vec<u32>,
    scratch: Vec<u32>,
    leaf_of_row: Vec<u16>,
    scanner: Scanner<'a, W>,
    /// Histograms of closed leaves, to be used again.
    pool: Vec<Vec<Histogram<W>>>,
}

impl<'a, const W: usize> Grower<'a, W> {
    pub(crate) fn new(
        table: &'a Table,
        params: &'a Params,
        directions: &'a [Option<Direction>],
        n_trained: usize,
    ) -> Self {
        let leaf_of_row = vec![0; table.n_rows];
        Self {
            table,
            params,
            directions,
            n_trained,
            rows: vec![0; n_trained],
            scratch: vec![0; n_trained],
            leaf_of_row,
            scanner: Scanner::new(&table.rows, table.width),
            pool: Vec::new(),
        }
    }

    /// Grows the tree of a round.
    pub(crate) fn grow(&mut self, gradients: Gradients<'_, W>, round: u32) -> Grown<'_, W> {
        let (fraction, seed) = (self.params.row_fraction_per_tree, self.params.seed);
        let n_sampled = draw_rows(fraction, seed, round, &mut self.rows, &mut self.scratch);
        let Gradients { packing, noise, .. } = gradients;
        let judge = Judge { params: self.params, packing, noise };
        let tree = Tree { lanes: self.lanes_of(round), judge, gradients, round };
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

    /// The lanes that the tree of a round may use, in the order of the columns.
    fn lanes_of(&self, round: u32) -> Vec<usize> {
        let (fraction, seed) = (self.params.feature_fraction_per_tree, self.params.seed);
        let used = self.table.used_lanes();
        let drawn = draw(used.len(), fraction, seed, round, WHOLE_TREE);
        used.into_iter().zip(drawn).filter(|(_, drawn)| *drawn).map(|(lane, _)| lane).collect()
    }

    fn root(&mut self, tree: &Tree<'_, W>, n_sampled: usize) -> OpenLeaf<W> {
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
        let mut histograms = self.empty_histograms();
        let sample = &self.rows[..n_sampled];
        let is_whole = n_sampled == self.n_trained;
        let rows = if is_whole { Rows::First(n_sampled) } else { Rows::At(sample) };
        self.scanner.sum(rows, gradients, &mut histograms);
        let drawn = self.drawn(tree, 0);
        let bests = (histograms.par_iter().enumerate())
            .map(|(lane, histogram)| self.best(tree, lane, drawn[lane], histogram, &total))
            .collect::<Vec<_>>();
        let best = bests.into_iter().fold(None, better);
        OpenLeaf { rows: 0..self.n_trained, n_sampled, total, parent: None, histograms, best }
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
        let Range { start, end } = parent.rows;
        let middle = start + self.part(start..end, candidate);
        let totals = [candidate.left, minus(&parent.total, &candidate.left)];
        let child = |side: usize, rows| OpenLeaf {
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
        let mut of_smaller = self.empty_histograms();
        let OpenLeaf { rows, n_sampled, .. } = &children[smaller];
        let sample = &self.rows[rows.start..][..*n_sampled];
        self.scanner.sum(Rows::At(sample), tree.gradients, &mut of_smaller);
        let nothing = || vec![false; self.table.lanes.len()];
        let drawn = [0, 1].map(|side| {
            let node = (2 * split + 1 + side) as u64;
            if can_split[side] { self.drawn(tree, node) } else { nothing() }
        });
        let bests = (of_smaller.par_iter().zip(&mut of_larger).enumerate())
            .with_min_len(TASK_CELLS / (16 * BINS))
            .map(|(lane, (of_smaller, of_larger))| {
                take_away(std::slice::from_mut(of_larger), std::slice::from_ref(of_smaller));
                let best = |side: usize, histogram| {
                    self.best(tree, lane, drawn[side][lane], histogram, &totals[side])
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

    /// Parts the rows in a range and returns how many went left.
    fn part(&mut self, range: Range<usize>, candidate: &Candidate<W>) -> usize {
        let left = candidate.left_bins().flags();
        let scratch = &mut self.scratch[range.clone()];
        partition(&mut self.rows[range], scratch, self.table.lane(candidate.lane), &left)
    }

    /// For each lane, whether the node of this number may use it.
    fn drawn(&self, tree: &Tree<'_, W>, node: u64) -> Vec<bool> {
        let (fraction, seed) = (self.params.feature_fraction_per_split, self.params.seed);
        let mut of_lane = vec![false; self.table.lanes.len()];
        let drawn = draw(tree.lanes.len(), fraction, seed, tree.round, node);
        tree.lanes.iter().zip(drawn).for_each(|(&lane, drawn)| of_lane[lane] = drawn);
        of_lane
    }

    fn best(
        &self,
        tree: &Tree<'_, W>,
        lane: usize,
        is_drawn: bool,
        histogram: &Histogram<W>,
        total: &Word<W>,
    ) -> Option<Candidate<W>> {
        let column = self.table.lanes[lane].as_ref().filter(|_| is_drawn)?;
        let (feature, meaning) = (column.feature, &column.meaning);
        let direction = self.directions.get(feature).copied().flatten();
        tree.judge.best(&Searched { feature, lane, meaning, direction, histogram, total })
    }

    /// Histograms to be overwritten.
    fn empty_histograms(&mut self) -> Vec<Histogram<W>> {
        let mut histograms = self.pool.pop().unwrap_or_default();
        histograms.resize(self.table.lanes.len(), histogram::empty());
        histograms
    }

    /// Notes the leaf of every row: those to learn from lie by leaf, the others walk.
    fn find_leaves(&mut self, leaves: &[OpenLeaf<W>], splits: &[GrownSplit<W>]) {
        // Stretch by stretch, so that what is written stays in the cache: in a leaf the rows of the
        // sample rise, and then the others.
        let stretches = self.leaf_of_row[..self.n_trained].par_chunks_mut(STRETCH_ROWS).enumerate();
        stretches.for_each(|(stretch, leaf_of_row)| {
            let first = stretch * STRETCH_ROWS;
            let end = first + leaf_of_row.len();
            for (leaf, open) in leaves.iter().enumerate() {
                let (sample, others) = self.rows[open.rows.clone()].split_at(open.n_sampled);
                for rising in [sample, others] {
                    let [start, end] =
                        [first, end].map(|to| rising.partition_point(|&row| (row as usize) < to));
                    let rows = &rising[start..end];
                    rows.iter().for_each(|&row| leaf_of_row[row as usize - first] = leaf as u16);
                }
            }
        });
        self.walk(self.n_trained, splits);
    }

    /// Walks all rows from the first on down the tree.
    fn walk(&mut self, first_row: usize, splits: &[GrownSplit<W>]) {
        let left: Vec<BinSet> = splits.iter().map(|split| split.candidate.left_bins()).collect();
        let chunks = self.leaf_of_row[first_row..].par_chunks_mut(WALK_ROWS).enumerate();
        chunks.for_each(|(chunk, leaves)| {
            for (place, leaf) in leaves.iter_mut().enumerate() {
                let row = first_row + chunk * WALK_ROWS + place;
                let mut at = if splits.is_empty() { Child::Leaf(0) } else { Child::Split(0) };
                while let Child::Split(split) = at {
                    let split = split as usize;
                    let bin = self.table.lane(splits[split].candidate.lane)[row];
                    at = splits[split].children[usize::from(!left[split].contains(bin))];
                }
                if let Child::Leaf(found) = at {
                    *leaf = found as u16;
                }
            }
        });
    }
}

/// What is the same for all leaves of a tree.
struct Tree<'a, const W: usize> {
    lanes: Vec<usize>,
    judge: Judge<'a>,
    gradients: Gradients<'a, W>,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Columns;
    use crate::numbers::Packing;

    #[test]
    fn every_row_has_the_leaf_that_it_walks_to() {
        let n = 2 * STRETCH_ROWS + 17;
        let column =
            |step: usize| -> Vec<f32> { (0..n).map(|row| (row * step % 251) as f32).collect() };
        let columns: Vec<Vec<f32>> = [7919, 104_729, 1].map(column).to_vec();
        let packing = Packing::in_bytes(n, -0.5, 250);
        let gradient = |row: usize| packing.fix(f64::from((columns[0][row] / 99.0).sin()) / 2.0);
        let gradients: Vec<_> = (0..n).map(gradient).collect();
        let gradients = Gradients::<1> { rows: &gradients, packing: &packing, noise: 0.0 };
        for row_fraction_per_tree in [1.0, 0.4] {
            let params = Params { leaves: 9, row_fraction_per_tree, ..Params::default() };
            let table = Table::new(&Columns::new(&columns, &[false; 3]), &params, Vec::new);
            // The last rows are held out.
            let mut grower = Grower::new(&table, &params, &[], n - 5);
            let Grown { splits, leaf_of_row, .. } = grower.grow(gradients, 0);
            let noted = leaf_of_row.to_vec();
            assert_eq!(splits.len(), 8);
            grower.walk(0, &splits);
            assert!(noted == grower.leaf_of_row, "{row_fraction_per_tree}");
        }
    }
}
