//! perpetual: it chooses the leaves of its trees and the least rows of a leaf itself, and has a
//! budget instead of a learning rate, which is 10 to the power of minus the budget. So 0.1 is a
//! budget of 1. It may stop before the rounds are over.

use std::collections::HashSet;
use std::time::Instant;

use anyhow::{Result, anyhow, bail};
use perpetual::objective::Objective as PerpetualObjective;
use perpetual::{Matrix, PerpetualBooster};

use crate::objective::Objective;
use crate::{Params, Rows, Trained, memory};

pub fn train(
    known: Rows,
    outcome: Vec<f32>,
    objective: &Objective,
    params: &Params,
) -> Result<Trained> {
    let objective = match objective {
        Objective::Squared => PerpetualObjective::SquaredLoss,
        Objective::Quantiles(levels) => match levels[..] {
            [level] => PerpetualObjective::QuantileLoss { quantile: Some(level) },
            _ => bail!("perpetual has no loss of several quantiles"),
        },
        Objective::Over(_) => bail!("measured for numbers only"),
    };
    let categorical = known.categorical.iter().enumerate().filter(|(_, yes)| **yes);
    let categorical: HashSet<usize> = categorical.map(|(feature, _)| feature).collect();
    let (n_rows, n_features) = (outcome.len(), known.columns.len());
    // It takes nothing but f64.
    let numbers = wide(known);
    let outcome: Vec<f64> = outcome.into_iter().map(f64::from).collect();
    let start_mib = memory::mib("VmRSS")?;
    memory::reset_peak();

    let started = Instant::now();
    let mut model = PerpetualBooster::default()
        .set_objective(objective)
        .set_budget(-params.learning_rate.log10() as f32)
        .set_max_bin(params.bins as u16)
        .set_num_threads(Some(params.threads))
        .set_iteration_limit(Some(params.rounds))
        .set_categorical_features(Some(categorical));
    let matrix = Matrix::new(&numbers, n_rows, n_features);
    model.fit(&matrix, &outcome, None, None).map_err(|error| anyhow!("{error}"))?;
    let seconds = started.elapsed().as_secs_f64();
    let peak_mib = memory::mib("VmHWM")?;

    let rounds = model.get_prediction_trees().len();
    let predict = move |test: &Rows| -> Result<Vec<f32>> {
        let n_rows = test.columns[0].len();
        let numbers: Vec<f64> = test.columns.iter().flatten().map(|&x| f64::from(x)).collect();
        let predicted = model.predict(&Matrix::new(&numbers, n_rows, n_features), true);
        Ok(predicted.into_iter().map(|x| x as f32).collect())
    };
    Ok(Trained { seconds, start_mib, peak_mib, rounds, predict: Box::new(predict) })
}

/// Column after column, each given back once it is copied.
fn wide(rows: Rows) -> Vec<f64> {
    let mut numbers = Vec::with_capacity(rows.columns.iter().map(Vec::len).sum());
    for column in rows.columns {
        numbers.extend(column.into_iter().map(f64::from));
    }
    numbers
}
