//! The naive trainer: the definition of the algorithm without its optimisations, to which tests and
//! the fuzz target hold the fast trainer, tree for tree.
//!
//! It shares with the fast trainer: the bins of single values, the random samples and imputed
//! outcomes of right-censored rows, the fixed-point packing (so that equal sums are equal bits), the
//! buckets of residuals, the bounds of monotonic constraints, the gain of given sums and the gain
//! expected from noise. Its own are: the losses (`losses`: gradients, base, leaf values by sorting,
//! Kaplan-Meier by its definition), the search and growth (`growth`: every border of every column,
//! each time from all rows of the leaf, without blocks, histograms or subtraction) and the routing
//! (`routing`: of values, not bins). One thread; no early stopping.

mod growth;
mod losses;
mod routing;
#[cfg(test)]
mod tests;

use growth::{Feature, grow};
use losses::{LogOdds, NaiveLoss, Quantiles, SquaredError};
use routing::leaf_of;

use crate::binning::Binning;
use crate::fixed_point::{Word, add};
use crate::monotone_bounds::{DirectedSplit, bound_leaf_values};
use crate::splitting::SplitFinder;
use crate::{CheckedParams, Columns, Model, Split, Target, Tree};

/// Trains a model on columns and a target that the fast trainer accepts.
pub fn train(columns: &Columns<'_>, target: &Target<'_>, params: &CheckedParams) -> Model {
    let weights = columns.weights;
    match *target {
        Target::Quantiles { values, observed, levels } => {
            let loss = Quantiles::new(columns, params, values, observed, levels);
            match weights {
                None => boost::<1>(columns, target, params, loss),
                Some(_) => boost::<2>(columns, target, params, loss),
            }
        }
        Target::Mean { values } => {
            let loss = SquaredError { values, weights, l2: params.l2 };
            match weights {
                None => boost::<1>(columns, target, params, loss),
                Some(_) => boost::<2>(columns, target, params, loss),
            }
        }
        Target::Probability { outcomes } => {
            let loss = LogOdds { outcomes, weights, l2: params.l2 };
            boost::<2>(columns, target, params, loss)
        }
    }
}

/// All rounds of a training.
fn boost<const W: usize>(
    columns: &Columns<'_>,
    target: &Target<'_>,
    params: &CheckedParams,
    mut loss: impl NaiveLoss<W>,
) -> Model {
    let n_rows = columns.n_rows();
    let binnings = Binning::of_all(columns, params, || target.signal(n_rows));
    let features = columns.columns.iter().zip(binnings);
    let features: Vec<Feature> =
        features.map(|(values, binning)| Feature::new(values, binning)).collect();
    let base = loss.base();
    let mut current: Vec<Vec<f32>> = vec![base.clone(); n_rows];
    let mut trees = Vec::new();
    for round in 0..params.rounds {
        let losses::Round { packing, words, noise } = loss.round(round, &current);
        let finder = SplitFinder { params, packing: &packing, noise };
        let splits = grow(columns, &features, finder, &words, round);
        let mut leaves: Vec<Vec<usize>> = vec![Vec::new(); splits.len() + 1];
        (0..n_rows).for_each(|row| leaves[leaf_of(columns, &splits, row)].push(row));
        let sums = leaves.iter().map(|rows| {
            let mut sum: Word<W> = [0; W];
            rows.iter().for_each(|&row| add(&mut sum, &words[row]));
            packing.sums(&sum)
        });
        let sums: Vec<_> = sums.collect();
        let steps =
            leaves.iter().zip(&sums).flat_map(|(rows, sums)| loss.step(rows, sums, &current));
        let mut values: Vec<f32> = steps.map(|step| step * params.learning_rate as f32).collect();
        let directed = |split: &Split| DirectedSplit {
            children: [split.left, split.right],
            direction: columns.directions.get(split.feature as usize).copied().flatten(),
        };
        let directed: Vec<DirectedSplit> = splits.iter().map(directed).collect();
        let weights: Vec<f64> = sums.iter().map(|sums| sums.hessian).collect();
        bound_leaf_values(&directed, &weights, &mut values);
        for (rows, values) in leaves.iter().zip(values.chunks(base.len())) {
            for &row in rows {
                current[row].iter_mut().zip(values).for_each(|(output, value)| *output += value);
            }
        }
        if !splits.is_empty() || values.iter().any(|&value| value != 0.0) {
            trees.push(Tree::new(&splits, values, base.len()).expect("a tree"));
        }
    }
    Model::new(base, trees, columns.len(), loss.order()).expect("a model")
}
