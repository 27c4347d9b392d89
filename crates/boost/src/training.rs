//! Boosting: each round computes gradients, grows a tree, sets its leaf values and adds it.

use rayon::prelude::*;

use crate::binned_matrix::BinnedMatrix;
use crate::binning::BinMapping;
use crate::checkpoint::{BestRound, Checkpoint, Checkpoints, training_digest};
use crate::fixed_point::{Gradient, Sums, Word, add};
use crate::grower::{Grower, Grown, GrownSplit};
use crate::histogram::Gradients;
use crate::logistic_loss::LogisticLoss;
use crate::loss::{BLOCK_ROWS, Loss};
use crate::memory;
use crate::monotone_bounds::{DirectedSplit, bound_leaf_values};
use crate::pinball_loss::{PinballLoss, WeightedPinballLoss};
use crate::prediction::add_leaf;
use crate::split_candidate::BinRule;
use crate::squared_error::SquaredError;
use crate::{CheckedParams, Columns, Error, Model, Split, SplitRule, Target, Tree};

/// Trains a model. The same input gives the same bytes on any number of threads.
///
/// # Errors
/// Columns or a target that cannot be trained on, with the position and the value; a training that
/// needs more memory than allowed; threads that cannot be started.
///
/// ```
/// use boost::{Columns, Params, Target, train};
///
/// let columns = [(0..100).map(|row| row as f32).collect::<Vec<f32>>()];
/// let outcomes: Vec<bool> = (0..100).map(|row| row >= 60).collect();
/// let params = Params { rows_in_leaf_min: 10, ..Params::default() }.check()?;
/// let target = Target::Probability { outcomes: &outcomes };
/// let model = train(&Columns::new(&columns, &[false]), &target, &params)?;
/// let log_odds = model.predict(&columns)?;
/// assert!(log_odds[..60].iter().all(|&x| x < 0.0) && log_odds[60..].iter().all(|&x| x > 0.0));
/// # Ok::<(), boost::Error>(())
/// ```
pub fn train(
    columns: &Columns<'_>,
    target: &Target<'_>,
    params: &CheckedParams,
) -> Result<Model, Error> {
    train_resumable(columns, target, params, Checkpoints::none())
}

/// Trains a model from a checkpoint or the beginning, and saves checkpoints meanwhile. A training
/// that was killed and resumed gives the same bytes as one that was not. [`Checkpoint`] shows both.
///
/// # Errors
/// As [`train`]; a checkpoint of other data or parameters, or one that cannot be saved.
///
/// ```
/// use boost::{Checkpoints, Columns, Params, Target, train, train_resumable};
///
/// let columns = [vec![1.0, 2.0, 3.0]];
/// let columns = Columns::new(&columns, &[false]);
/// let target = Target::Mean { values: &[1.0, 4.0, 9.0] };
/// let params = Params { rounds: 3, ..Params::default() }.check()?;
/// let resumable = train_resumable(&columns, &target, &params, Checkpoints::none())?;
/// assert_eq!(resumable, train(&columns, &target, &params)?);
/// # Ok::<(), boost::Error>(())
/// ```
pub fn train_resumable(
    columns: &Columns<'_>,
    target: &Target<'_>,
    params: &CheckedParams,
    checkpoints: Checkpoints<'_>,
) -> Result<Model, Error> {
    let Some(threads) = params.threads else {
        return train_in_current_pool(columns, target, params, checkpoints);
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|source| Error::Threads { threads, source })?;
    pool.install(|| train_in_current_pool(columns, target, params, checkpoints))
}

/// Trains on the threads of rayon's current pool.
fn train_in_current_pool(
    columns: &Columns<'_>,
    target: &Target<'_>,
    params: &CheckedParams,
    checkpoints: Checkpoints<'_>,
) -> Result<Model, Error> {
    columns.check()?;
    let n_rows = columns.n_rows();
    target.check(n_rows)?;
    let held_out = params.early_stopping_rows as usize;
    let n_trained = n_rows
        .checked_sub(held_out)
        .filter(|&n| n > 0)
        .ok_or(Error::HeldOut { held_out, rows: n_rows })?;
    target.check_observed(n_trained)?;
    columns.check_weights(n_trained)?;
    memory::check(columns, target, params)?;
    let matrix = BinnedMatrix::new(columns, params, || target.signal(n_trained));
    let training = Training { columns, target, params, matrix: &matrix, n_trained };
    let (l2, weights) = (params.l2, columns.weights);
    match *target {
        Target::Quantiles { values, observed, levels } => {
            let digest = |row| matrix.row_digest(row);
            let pinball = PinballLoss::new(values, observed, levels, weights, n_trained, digest);
            match weights {
                None => training.boost::<1, _>(pinball, checkpoints),
                Some(weights) => training.boost::<2, _>(
                    WeightedPinballLoss { pinball, weights: &weights[..n_trained] },
                    checkpoints,
                ),
            }
        }
        Target::Mean { values } => {
            let loss = SquaredError::new(values, weights, n_trained, l2);
            match weights {
                None => training.boost::<1, _>(loss, checkpoints),
                Some(_) => training.boost::<2, _>(loss, checkpoints),
            }
        }
        Target::Probability { outcomes } => {
            training.boost(LogisticLoss { outcomes, weights, n_trained, l2 }, checkpoints)
        }
    }
}

/// The checked input of a training.
struct Training<'a> {
    columns: &'a Columns<'a>,
    target: &'a Target<'a>,
    params: &'a CheckedParams,
    matrix: &'a BinnedMatrix,
    /// The number of rows to learn from, which are the first. The others are held out.
    n_trained: usize,
}

impl Training<'_> {
    /// All rounds.
    fn boost<const W: usize, L: Loss<W>>(
        &self,
        mut loss: L,
        checkpoints: Checkpoints<'_>,
    ) -> Result<Model, Error> {
        let Checkpoints { from, every, mut save, mut on_round } = checkpoints;
        let is_needed = from.is_some() || save.is_some();
        let digest =
            if is_needed { training_digest(self.columns, self.target, self.params) } else { 0 };
        let base = loss.base();
        let mut current = base.repeat(self.matrix.n_rows);
        let start = match from {
            None => Checkpoint::start(
                digest,
                Model::new(base, Vec::new(), self.columns.len(), loss.order())?,
            ),
            Some(from) => from.continue_on(digest)?,
        };
        let Checkpoint { mut rounds, mut best, mut model, .. } = start;
        model.trees.iter().for_each(|tree| self.add_tree(&mut current, tree));
        let mut gradients: Vec<Gradient<W>> = vec![[0; W]; self.n_trained];
        let directions = self.columns.directions;
        let mut grower = Grower::new(self.matrix, self.params, directions, self.n_trained);
        while rounds < self.params.rounds && !self.stops_early(rounds, best) {
            let packing = loss.gradients(rounds, &current, &mut gradients);
            let noise = loss.noise();
            let gradients = Gradients { rows: &gradients, packing: &packing, noise };
            let grown = grower.grow(gradients, rounds);
            let values = self.leaf_values(&loss, &grown, gradients, &current);
            rounds += 1;
            if let Some(on_round) = on_round.as_deref_mut() {
                on_round(rounds);
            }
            if !grown.splits.is_empty() || values.iter().any(|&value| value != 0.0) {
                let splits: Vec<Split> =
                    grown.splits.iter().map(|split| split_of_values(split, self.matrix)).collect();
                let tree = Tree::new(&splits, values, model.n_outputs())?;
                add_leaves(&mut current, grown.leaf_of_row, &tree);
                model.trees.push(tree);
            }
            if self.n_trained < self.matrix.n_rows {
                let (trees, loss) = (model.trees.len(), loss.loss(self.n_trained, &current));
                best = Some(BestRound::better(best, BestRound { rounds, trees, loss }));
            }
            if let Some(save) = save.as_deref_mut()
                && rounds.is_multiple_of(every)
                && rounds < self.params.rounds
            {
                let checkpoint = Checkpoint { training_digest: digest, rounds, best, model };
                save(&checkpoint).map_err(|source| Error::Save { rounds, source })?;
                model = checkpoint.model;
            }
        }
        if let Some(best) = best {
            model.trees.truncate(best.trees);
        }
        Ok(model)
    }

    /// Whether the loss of the held-out rows has not fallen for `early_stopping_rounds`.
    fn stops_early(&self, rounds: u32, best: Option<BestRound>) -> bool {
        best.is_some_and(|best| rounds - best.rounds >= self.params.early_stopping_rounds)
    }

    /// The values of all leaves: their steps times the learning rate, within the bounds of monotonic
    /// constraints. Shapes: n_leaves x n_outputs.
    fn leaf_values<const W: usize, L: Loss<W>>(
        &self,
        loss: &L,
        grown: &Grown<'_, W>,
        gradients: Gradients<'_, W>,
        current: &[f32],
    ) -> Vec<f32> {
        let sums: Vec<Sums> = if self.params.row_fraction_per_tree < 1.0 {
            let words = sums_by_leaf(gradients, grown);
            words.iter().map(|word| gradients.packing.sums(word)).collect()
        } else {
            grown.leaves.iter().map(|word| gradients.packing.sums(word)).collect()
        };
        let mut values = loss.steps(grown.leaf_of_row, &sums, self.n_trained, current);
        let learning_rate = self.params.learning_rate as f32;
        values.iter_mut().for_each(|value| *value *= learning_rate);
        let direction = |feature: usize| self.columns.directions.get(feature).copied().flatten();
        let directed = |split: &GrownSplit<W>| DirectedSplit {
            children: split.children,
            direction: direction(split.candidate.feature),
        };
        let splits: Vec<DirectedSplit> = grown.splits.iter().map(directed).collect();
        let weights: Vec<f64> = sums.iter().map(|sums| sums.hessian).collect();
        bound_leaf_values(&splits, &weights, &mut values);
        values
    }

    /// Adds a tree to the current predictions by routing every row.
    fn add_tree(&self, current: &mut [f32], tree: &Tree) {
        let n_features = self.columns.len();
        let blocks = current.par_chunks_mut(BLOCK_ROWS * tree.n_outputs()).enumerate();
        blocks.for_each(|(block, current)| {
            let mut row = vec![0.0; n_features];
            for (at, current) in current.chunks_exact_mut(tree.n_outputs()).enumerate() {
                let at = block * BLOCK_ROWS + at;
                row.iter_mut().zip(self.columns.columns).for_each(|(v, column)| *v = column[at]);
                add_leaf(current, tree.leaf(tree.leaf_of(&row)));
            }
        });
    }
}

/// The sums of every leaf over all rows to learn from, not only the tree's sample.
fn sums_by_leaf<const W: usize>(gradients: Gradients<'_, W>, grown: &Grown<'_, W>) -> Vec<Word<W>> {
    let rows = gradients.rows.par_chunks(1 << 16).zip(grown.leaf_of_row.par_chunks(1 << 16));
    let sum = |(gradients_here, leaves): (&[Gradient<W>], &[u16])| {
        let mut sums = vec![[0; W]; grown.leaves.len()];
        for (gradient, &leaf) in gradients_here.iter().zip(leaves) {
            add(&mut sums[leaf as usize], &gradients.packing.word(gradient));
        }
        sums
    };
    let parts: Vec<Vec<Word<W>>> = rows.map(sum).collect();
    let mut whole = vec![[0; W]; grown.leaves.len()];
    parts.iter().for_each(|part| whole.iter_mut().zip(part).for_each(|(sum, part)| add(sum, part)));
    whole
}

/// Adds a tree to the current predictions, given the leaf of every row.
fn add_leaves(current: &mut [f32], leaf_of_row: &[u16], tree: &Tree) {
    // The loop over outputs is unrolled where the compiler knows their number.
    match tree.n_outputs() {
        1 => add_leaves_of(1, current, leaf_of_row, tree),
        9 => add_leaves_of(9, current, leaf_of_row, tree),
        n => add_leaves_of(n, current, leaf_of_row, tree),
    }
}

#[inline(always)]
fn add_leaves_of(n_outputs: usize, current: &mut [f32], leaf_of_row: &[u16], tree: &Tree) {
    let blocks = current.par_chunks_mut(BLOCK_ROWS * n_outputs);
    blocks.zip(leaf_of_row.par_chunks(BLOCK_ROWS)).for_each(|(current, leaf_of_row)| {
        for (current, &leaf) in current.chunks_exact_mut(n_outputs).zip(leaf_of_row) {
            add_leaf(current, &tree.values[leaf as usize * n_outputs..][..n_outputs]);
        }
    });
}

/// A grown split in terms of values: with a threshold or codes instead of bins.
fn split_of_values<const W: usize>(split: &GrownSplit<W>, matrix: &BinnedMatrix) -> Split {
    let candidate = &split.candidate;
    let mapping = matrix.slots[candidate.slot].as_ref().map(|slot| &slot.mapping);
    let rule = match (&candidate.rule, mapping) {
        // After the last bin come only missing values.
        (BinRule::UpTo(bin), Some(BinMapping::Numeric { borders })) => {
            SplitRule::AtMost(borders.get(*bin as usize).copied().unwrap_or(f32::MAX))
        }
        (BinRule::Bins(set), Some(BinMapping::Categorical { codes })) => {
            let in_set = codes.iter().zip(0..).filter(|&(_, bin)| set.contains(bin));
            let mut codes: Vec<u32> = in_set.flat_map(|(codes, _)| codes).copied().collect();
            codes.sort_unstable();
            SplitRule::Codes(codes)
        }
        (rule, _) => unreachable!("{rule:?} is for the other kind of column"),
    };
    let [left, right] = split.children;
    let (feature, missing_left) = (candidate.feature as u32, candidate.missing_left);
    Split { feature, rule, missing_left, left, right, gain: candidate.gain as f32 }
}
