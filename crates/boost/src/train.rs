//! Boosting: gradients, a tree, its leaves, and again.

use rayon::prelude::*;

use crate::binning::{Binned, Meaning};
use crate::grower::{Grower, Grown, GrownSplit};
use crate::loss::{BLOCK_ROWS, Logistic, Loss, SquaredError};
use crate::numbers::{Packing, Word};
use crate::quantile::Pinball;
use crate::splitting::Place;
use crate::{CheckedParams, Columns, Error, Model, Rule, Split, Target, Tree};

/// Trains a model. The same input gives the same model on any number of threads.
///
/// # Errors
/// Columns or a target that cannot be trained on, with the place and the value; threads that
/// cannot be started.
pub fn train(
    columns: &Columns<'_>,
    target: &Target<'_>,
    params: &CheckedParams,
) -> Result<Model, Error> {
    let Some(threads) = params.threads else { return train_here(columns, target, params) };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|source| Error::Threads { threads, source })?;
    pool.install(|| train_here(columns, target, params))
}

/// Trains on the threads of the current pool.
fn train_here(
    columns: &Columns<'_>,
    target: &Target<'_>,
    params: &CheckedParams,
) -> Result<Model, Error> {
    columns.check()?;
    target.check(columns.n_rows())?;
    let binned = Binned::new(columns, params.bins_max.into());
    let l2 = params.l2;
    match *target {
        Target::Quantiles { values, observed, levels } => {
            boost(&binned, &Pinball::new(values, observed, levels), params)
        }
        Target::Mean { values } => boost(&binned, &SquaredError { values, l2 }, params),
        Target::Probability { outcomes } => boost(&binned, &Logistic { outcomes, l2 }, params),
    }
}

fn boost<const W: usize, L: Loss<W>>(
    binned: &Binned,
    loss: &L,
    params: &CheckedParams,
) -> Result<Model, Error> {
    let base = loss.base();
    let mut current = base.repeat(binned.n_rows);
    let mut words: Vec<Word<W>> = vec![[0; W]; binned.n_rows];
    let mut leaf_of_row = vec![0u16; binned.n_rows];
    let mut grower = Grower::new(binned, params);
    let mut trees = Vec::with_capacity(params.rounds as usize);
    for round in 0..params.rounds {
        let packing = loss.gradients(&current, &mut words);
        let grown = grower.grow(&words, &packing, round);
        let values = leaf_values(loss, round, &grown, &packing, &current, params);
        if grown.splits.is_empty() && values.iter().all(|&value| value == 0.0) {
            continue;
        }
        let splits: Vec<Split> = grown.splits.iter().map(|split| named(split, binned)).collect();
        let tree = Tree::new(&splits, values, base.len())?;
        for (leaf, rows) in grown.leaves.iter().enumerate() {
            grown.rows[rows.rows.clone()]
                .iter()
                .for_each(|&row| leaf_of_row[row as usize] = leaf as u16);
        }
        step(&mut current, &leaf_of_row, &tree);
        trees.push(tree);
    }
    Model::new(base, trees, binned.features.len(), loss.order())
}

/// The values of all leaves, after the learning rate. Shapes: n_leaves x n_outputs.
fn leaf_values<const W: usize, L: Loss<W>>(
    loss: &L,
    round: u32,
    grown: &Grown<'_, W>,
    packing: &Packing,
    current: &[f32],
    params: &CheckedParams,
) -> Vec<f32> {
    let n_outputs = current.len() / grown.rows.len();
    let learning_rate = params.learning_rate as f32;
    let mut values = vec![0.0; grown.leaves.len() * n_outputs];
    let leaves = grown.leaves.par_iter().zip(values.par_chunks_mut(n_outputs));
    leaves.for_each(|(leaf, values)| {
        let rows = &grown.rows[leaf.rows.clone()];
        loss.leaf(round, rows, &packing.sums(&leaf.total), current, values);
        values.iter_mut().for_each(|value| *value *= learning_rate);
    });
    values
}

/// Adds a tree to the current predictions, as predicting does.
fn step(current: &mut [f32], leaf_of_row: &[u16], tree: &Tree) {
    let n_outputs = tree.n_outputs();
    let blocks = current.par_chunks_mut(BLOCK_ROWS * n_outputs);
    blocks.zip(leaf_of_row.par_chunks(BLOCK_ROWS)).for_each(|(current, leaf_of_row)| {
        for (current, &leaf) in current.chunks_exact_mut(n_outputs).zip(leaf_of_row) {
            for (current, value) in current.iter_mut().zip(tree.leaf(leaf.into())) {
                *current += value;
            }
        }
    });
}

/// A split with its threshold or codes instead of bins.
fn named<const W: usize>(split: &GrownSplit<W>, binned: &Binned) -> Split {
    let candidate = &split.candidate;
    let rule = match (&candidate.place, &binned.features[candidate.feature].meaning) {
        // Above the last border there is nothing but missing values.
        (Place::UpTo(bin), Meaning::Numeric { borders }) => {
            Rule::AtMost(borders.get(*bin as usize).copied().unwrap_or(f32::MAX))
        }
        (Place::Apart(set), Meaning::Categorical { codes }) => {
            let apart = codes.iter().zip(0..).filter(|&(_, bin)| set.contains(bin));
            let mut codes: Vec<u32> = apart.flat_map(|(codes, _)| codes).copied().collect();
            codes.sort_unstable();
            Rule::Codes(codes)
        }
        (place, _) => unreachable!("{place:?} belongs to the other kind of column"),
    };
    let [left, right] = split.children;
    let (feature, missing_left) = (candidate.feature as u32, candidate.missing_left);
    Split { feature, rule, missing_left, left, right, gain: candidate.gain as f32 }
}
