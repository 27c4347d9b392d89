//! How many rows of a sample each leaf of a tree gets.
//!
//! Readers explain a prediction by what it would be without a feature (TreeSHAP), for which they
//! weigh the branches of a split by these counts. A trained tree keeps none, so they are counted
//! here, and each leaf has one more than its rows (Laplace's rule of succession): a branch that no
//! row takes would be divided by zero. Without a sample every leaf weighs the same.

use boost::{Child, Model, Split};
use terms::Matrix;

/// Rows of a block, whose values fit the cache beside a tree.
const BLOCK_ROWS: usize = 256;

/// For each tree of a model the count of each leaf.
pub(super) fn leaf_counts(model: &Model, sample: Option<&Matrix>) -> Vec<Vec<u64>> {
    let mut counts: Vec<Vec<u64>> =
        model.trees().iter().map(|tree| vec![1; tree.n_leaves()]).collect();
    let Some(sample) = sample else { return counts };
    let n_features = model.n_features();
    let mut rows = vec![0.0; BLOCK_ROWS * n_features];
    for start in (0..sample.n_rows()).step_by(BLOCK_ROWS) {
        let n_rows = BLOCK_ROWS.min(sample.n_rows() - start);
        for (row, values) in rows.chunks_exact_mut(n_features).take(n_rows).enumerate() {
            sample.row_into(start + row, values);
        }
        for (tree, counts) in model.trees().iter().zip(&mut counts) {
            for row in rows.chunks_exact(n_features).take(n_rows) {
                counts[tree.leaf_of(row)] += 1;
            }
        }
    }
    counts
}

/// Count and mean value of what is below each split of a tree.
pub(super) struct Below {
    /// Rows below each split.
    pub(super) counts: Vec<u64>,
    /// The mean of the values of the leaves below each split, weighted by their counts.
    pub(super) means: Vec<f64>,
}

/// What is below each split, of which the leaves have these counts and values.
pub(super) fn below_splits(splits: &[Split], counts: &[u64], values: &[f64]) -> Below {
    let mut below = Below { counts: vec![0; splits.len()], means: vec![0.0; splits.len()] };
    // Children come later than their parents.
    for (at, split) in splits.iter().enumerate().rev() {
        let of = |child| match child {
            Child::Split(split) => (below.counts[split as usize], below.means[split as usize]),
            Child::Leaf(leaf) => (counts[leaf as usize], values[leaf as usize]),
        };
        let (left, right) = (of(split.left), of(split.right));
        let count = left.0 + right.0;
        below.counts[at] = count;
        below.means[at] = left.1 + (right.1 - left.1) * (right.0 as f64 / count as f64);
    }
    below
}
