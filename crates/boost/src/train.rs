//! Boosting: gradients, a tree, its leaves, and again.

use rayon::prelude::*;

use crate::binning::Meaning;
use crate::candidate::Place;
use crate::checkpoint::{Best, Checkpoint, Checkpoints, digest};
use crate::grower::{Grower, Grown, GrownSplit};
use crate::histogram::Gradients;
use crate::loss::{BLOCK_ROWS, Logistic, Loss, SquaredError};
use crate::memory;
use crate::monotone::{Fork, bind};
use crate::numbers::{Gradient, Sums, Word, add};
use crate::quantile::{Pinball, Weighted};
use crate::table::Table;
use crate::{CheckedParams, Columns, Error, Model, Rule, Split, Target, Tree};

/// Trains a model. The same input gives the same model on any number of threads.
///
/// # Errors
/// Columns or a target that cannot be trained on, with the place and the value; more rows than fit
/// the memory that may be used; threads that cannot be started.
pub fn train(
    columns: &Columns<'_>,
    target: &Target<'_>,
    params: &CheckedParams,
) -> Result<Model, Error> {
    train_resumable(columns, target, params, Checkpoints::none())
}

/// Trains a model, begins where a checkpoint ends, and saves checkpoints on the way: killed and
/// resumed gives the bytes of never killed.
///
/// # Errors
/// As [`train`]; a checkpoint of other data or parameters, or one that cannot be saved.
pub fn train_resumable(
    columns: &Columns<'_>,
    target: &Target<'_>,
    params: &CheckedParams,
    checkpoints: Checkpoints<'_>,
) -> Result<Model, Error> {
    let Some(threads) = params.threads else {
        return train_here(columns, target, params, checkpoints);
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|source| Error::Threads { threads, source })?;
    pool.install(|| train_here(columns, target, params, checkpoints))
}

/// Trains on the threads of the current pool.
fn train_here(
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
    target.check_part(n_trained)?;
    columns.check_weights(n_trained)?;
    memory::check(columns, target, params)?;
    let table = Table::new(columns, params, || target.signal(n_trained));
    let training = Training { columns, target, params, table: &table, n_trained };
    let (l2, weights) = (params.l2, columns.weights);
    match *target {
        Target::Quantiles { values, observed, levels } => {
            let digest = |row| table.row_digest(row);
            let pinball = Pinball::new(values, observed, levels, weights, n_trained, digest);
            match weights {
                None => training.boost::<1, _>(pinball, checkpoints),
                Some(weights) => training.boost::<2, _>(
                    Weighted { pinball, weights: &weights[..n_trained] },
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
            training.boost(Logistic { outcomes, weights, n_trained, l2 }, checkpoints)
        }
    }
}

/// What is trained on.
struct Training<'a> {
    columns: &'a Columns<'a>,
    target: &'a Target<'a>,
    params: &'a CheckedParams,
    table: &'a Table,
    /// Rows to learn from: the first so many. The rest is held out.
    n_trained: usize,
}

impl Training<'_> {
    fn boost<const W: usize, L: Loss<W>>(
        &self,
        mut loss: L,
        checkpoints: Checkpoints<'_>,
    ) -> Result<Model, Error> {
        let Checkpoints { from, every, mut save } = checkpoints;
        let asked = from.is_some() || save.is_some();
        let of = if asked { digest(self.columns, self.target, self.params) } else { 0 };
        let base = loss.base();
        let mut current = base.repeat(self.table.n_rows);
        let start = match from {
            None => Checkpoint::start(
                of,
                Model::new(base, Vec::new(), self.columns.len(), loss.order())?,
            ),
            Some(from) => from.continue_on(of)?,
        };
        let Checkpoint { mut rounds, mut best, mut model, .. } = start;
        model.trees.iter().for_each(|tree| self.replay(&mut current, tree));
        let mut gradients: Vec<Gradient<W>> = vec![[0; W]; self.n_trained];
        let directions = self.columns.directions;
        let mut grower = Grower::new(self.table, self.params, directions, self.n_trained);
        while rounds < self.params.rounds && !self.is_enough(rounds, best) {
            let packing = loss.gradients(rounds, &current, &mut gradients);
            let noise = loss.noise();
            let gradients = Gradients { rows: &gradients, packing: &packing, noise };
            let grown = grower.grow(gradients, rounds);
            let values = self.leaf_values(&loss, &grown, gradients, &current);
            rounds += 1;
            if !grown.splits.is_empty() || values.iter().any(|&value| value != 0.0) {
                let splits: Vec<Split> =
                    grown.splits.iter().map(|split| named(split, self.table)).collect();
                let tree = Tree::new(&splits, values, model.n_outputs())?;
                step(&mut current, grown.leaf_of_row, &tree);
                model.trees.push(tree);
            }
            if self.n_trained < self.table.n_rows {
                best =
                    Best::of(best, rounds, model.trees.len(), loss.loss(self.n_trained, &current));
            }
            if let Some(save) = save.as_deref_mut()
                && rounds.is_multiple_of(every)
                && rounds < self.params.rounds
            {
                let checkpoint = Checkpoint { of, rounds, best, model };
                save(&checkpoint).map_err(|source| Error::Save { rounds, source })?;
                model = checkpoint.model;
            }
        }
        if let Some(best) = best {
            model.trees.truncate(best.trees);
        }
        Ok(model)
    }

    /// Whether the held-out rows have not been predicted better for long enough.
    fn is_enough(&self, rounds: u32, best: Option<Best>) -> bool {
        best.is_some_and(|best| rounds - best.rounds >= self.params.early_stopping_rounds)
    }

    /// The values of all leaves, after the learning rate. Shapes: n_leaves x n_outputs.
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
        let fork = |split: &GrownSplit<W>| Fork {
            children: split.children,
            direction: direction(split.candidate.feature),
        };
        let forks: Vec<Fork> = grown.splits.iter().map(fork).collect();
        let weights: Vec<f64> = sums.iter().map(|sums| sums.hessian).collect();
        bind(&forks, &weights, &mut values);
        values
    }

    /// Adds a tree to the current predictions by walking every row down it.
    fn replay(&self, current: &mut [f32], tree: &Tree) {
        let n_features = self.columns.len();
        let blocks = current.par_chunks_mut(BLOCK_ROWS * tree.n_outputs()).enumerate();
        blocks.for_each(|(block, current)| {
            let mut row = vec![0.0; n_features];
            for (place, current) in current.chunks_exact_mut(tree.n_outputs()).enumerate() {
                let at = block * BLOCK_ROWS + place;
                row.iter_mut().zip(self.columns.columns).for_each(|(v, column)| *v = column[at]);
                add_leaf(current, tree.leaf(tree.leaf_of(&row)));
            }
        });
    }
}

/// The sums of every leaf over all rows to learn from.
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

/// Adds a tree to the current predictions, as predicting does.
fn step(current: &mut [f32], leaf_of_row: &[u16], tree: &Tree) {
    // A number of outputs that the compiler knows is unrolled.
    match tree.n_outputs() {
        1 => step_outputs(1, current, leaf_of_row, tree),
        9 => step_outputs(9, current, leaf_of_row, tree),
        n => step_outputs(n, current, leaf_of_row, tree),
    }
}

#[inline(always)]
fn step_outputs(n_outputs: usize, current: &mut [f32], leaf_of_row: &[u16], tree: &Tree) {
    let blocks = current.par_chunks_mut(BLOCK_ROWS * n_outputs);
    blocks.zip(leaf_of_row.par_chunks(BLOCK_ROWS)).for_each(|(current, leaf_of_row)| {
        for (current, &leaf) in current.chunks_exact_mut(n_outputs).zip(leaf_of_row) {
            add_leaf(current, &tree.values[leaf as usize * n_outputs..][..n_outputs]);
        }
    });
}

#[inline(always)]
fn add_leaf(current: &mut [f32], leaf: &[f32]) {
    current.iter_mut().zip(leaf).for_each(|(current, value)| *current += value);
}

/// A split with its threshold or codes instead of bins.
fn named<const W: usize>(split: &GrownSplit<W>, table: &Table) -> Split {
    let candidate = &split.candidate;
    let meaning = table.lanes[candidate.lane].as_ref().map(|lane| &lane.meaning);
    let rule = match (&candidate.place, meaning) {
        // Above the last border there is nothing but missing values.
        (Place::UpTo(bin), Some(Meaning::Numeric { borders })) => {
            Rule::AtMost(borders.get(*bin as usize).copied().unwrap_or(f32::MAX))
        }
        (Place::Apart(set), Some(Meaning::Categorical { codes })) => {
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
