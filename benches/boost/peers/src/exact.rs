//! smartcore's forests and linfa's decision tree: they look at every value of every row, one row
//! after another and without missing values or categories. So these get medians for what is
//! missing, codes as numbers, and fewer rows; filling in is not timed. smartcore's trees are grown
//! ten at a time on every thread, as in the product.

use std::thread;
use std::time::Instant;

use anyhow::{Result, anyhow, bail};
use linfa::prelude::*;
use linfa_trees::DecisionTree;
use ndarray::{Array1, Array2};
use smartcore::ensemble::extra_trees_regressor::{
    ExtraTreesRegressor, ExtraTreesRegressorParameters,
};
use smartcore::ensemble::random_forest_regressor::{
    RandomForestRegressor, RandomForestRegressorParameters,
};
use smartcore::linalg::basic::matrix::DenseMatrix;

use crate::objective::Objective;
use crate::{Params, Rows, Trained, memory};

const TREES_IN_GROVE: usize = 10;
const DEPTH: u16 = 12;
const FEATURE_FRACTION: f64 = 0.3;

/// Which of smartcore's forests.
#[derive(Clone, Copy)]
pub enum Forest {
    Random,
    Extra,
}

pub fn forest(
    which: Forest,
    known: Rows,
    outcome: Vec<f32>,
    objective: &Objective,
    params: &Params,
) -> Result<Trained> {
    let Objective::Squared = objective else {
        bail!("smartcore's forests know only squared error")
    };
    let medians = medians(&known);
    let x = dense(&known, &medians)?;
    drop(known);
    let y: Vec<f64> = outcome.into_iter().map(f64::from).collect();
    let start_mib = memory::mib("VmRSS")?;
    memory::reset_peak();

    let started = Instant::now();
    let seeds: Vec<u64> = (0..params.rounds.div_ceil(TREES_IN_GROVE) as u64).collect();
    let share = seeds.len().div_ceil(params.threads);
    let grow = |seeds: &[u64]| -> Result<Vec<Grove>> {
        seeds.iter().map(|&seed| grove(which, &x, &y, seed, params)).collect()
    };
    let groves: Vec<Grove> = thread::scope(|scope| {
        let threads: Vec<_> =
            seeds.chunks(share).map(|seeds| scope.spawn(|| grow(seeds))).collect();
        let join = |thread: thread::ScopedJoinHandle<'_, Result<Vec<Grove>>>| {
            thread.join().map_err(|_| anyhow!("a thread of smartcore panicked"))?
        };
        threads.into_iter().map(join).collect::<Result<Vec<_>>>()
    })?
    .into_iter()
    .flatten()
    .collect();
    let seconds = started.elapsed().as_secs_f64();
    let peak_mib = memory::mib("VmHWM")?;

    let rounds = groves.len() * TREES_IN_GROVE;
    let predict = move |test: &Rows| -> Result<Vec<f32>> {
        let x = dense(test, &medians)?;
        let mut sums = vec![0.0; test.columns[0].len()];
        for grove in &groves {
            sums.iter_mut().zip(grove(&x)?).for_each(|(sum, predicted)| *sum += predicted);
        }
        Ok(sums.iter().map(|sum| (sum / groves.len() as f64) as f32).collect())
    };
    Ok(Trained { seconds, start_mib, peak_mib, rounds, predict: Box::new(predict) })
}

type Grove = Box<dyn Fn(&DenseMatrix<f32>) -> Result<Vec<f64>> + Send>;

fn grove(
    which: Forest,
    x: &DenseMatrix<f32>,
    y: &Vec<f64>,
    seed: u64,
    params: &Params,
) -> Result<Grove> {
    use smartcore::linalg::basic::arrays::Array;
    let tries = Some((FEATURE_FRACTION * x.shape().1 as f64).ceil() as usize);
    let (max_depth, leaf) = (Some(DEPTH + 1), params.rows_in_leaf_min);
    Ok(match which {
        Forest::Random => {
            let parameters = RandomForestRegressorParameters {
                max_depth,
                min_samples_leaf: leaf,
                min_samples_split: 2 * leaf,
                n_trees: TREES_IN_GROVE,
                m: tries,
                keep_samples: false,
                seed,
            };
            let grove = RandomForestRegressor::fit(x, y, parameters)?;
            Box::new(move |x| Ok(grove.predict(x)?))
        }
        Forest::Extra => {
            let parameters = ExtraTreesRegressorParameters {
                max_depth,
                min_samples_leaf: leaf,
                min_samples_split: 2 * leaf,
                n_trees: TREES_IN_GROVE,
                m: tries,
                keep_samples: false,
                seed,
            };
            let grove = ExtraTreesRegressor::fit(x, y, parameters)?;
            Box::new(move |x| Ok(grove.predict(x)?))
        }
    })
}

/// One tree, which says yes or no.
pub fn tree(
    known: Rows,
    outcome: Vec<f32>,
    objective: &Objective,
    params: &Params,
) -> Result<Trained> {
    let Objective::Over(hours) = *objective else { bail!("linfa's tree knows only classes") };
    let medians = medians(&known);
    let x = array(&known, &medians);
    drop(known);
    let y: Array1<bool> = outcome.iter().map(|&outcome| outcome > hours).collect();
    let data = DatasetBase::new(x, y);
    let start_mib = memory::mib("VmRSS")?;
    memory::reset_peak();

    let started = Instant::now();
    let tree = DecisionTree::<f64, bool>::params()
        .max_depth(Some(DEPTH.into()))
        .min_weight_leaf(params.rows_in_leaf_min as f32)
        .fit(&data)?;
    let seconds = started.elapsed().as_secs_f64();
    let peak_mib = memory::mib("VmHWM")?;

    let predict = move |test: &Rows| -> Result<Vec<f32>> {
        let predicted = tree.predict(&array(test, &medians));
        Ok(predicted.iter().map(|&over| f32::from(u8::from(over))).collect())
    };
    Ok(Trained { seconds, start_mib, peak_mib, rounds: 1, predict: Box::new(predict) })
}

/// The lower median of what is there, column by column.
fn medians(rows: &Rows) -> Vec<f32> {
    let median = |column: &Vec<f32>| {
        let mut known: Vec<f32> = column.iter().copied().filter(|x| !x.is_nan()).collect();
        known.sort_by(f32::total_cmp);
        known.get(known.len().saturating_sub(1) / 2).copied().unwrap_or(0.0)
    };
    rows.columns.iter().map(median).collect()
}

fn filled(value: f32, median: f32) -> f32 {
    if value.is_nan() { median } else { value }
}

fn dense(rows: &Rows, medians: &[f32]) -> Result<DenseMatrix<f32>> {
    let columns = rows.columns.iter().zip(medians);
    let values = columns.flat_map(|(column, &m)| column.iter().map(move |&x| filled(x, m)));
    Ok(DenseMatrix::new(rows.columns[0].len(), medians.len(), values.collect(), true)?)
}

fn array(rows: &Rows, medians: &[f32]) -> Array2<f64> {
    Array2::from_shape_fn((rows.columns[0].len(), medians.len()), |(row, feature)| {
        filled(rows.columns[feature][row], medians[feature]).into()
    })
}
