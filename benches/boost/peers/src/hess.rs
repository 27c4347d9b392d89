//! hessboost: the parameters are XGBoost's, and it has one for each of ours, with the
//! least sum of hessians for the least number of rows, which for these losses is the same.

use std::time::Instant;

use anyhow::{Result, bail};
use hessboost::config::TrainingParams;
use hessboost::data::{DMatrix, FeatureType};
use hessboost::model::Iterations;
use serde_json::{Value, json};

use crate::objective::Objective;
use crate::{Params, Rows, Trained, memory};

pub fn train(
    known: Rows,
    outcome: Vec<f32>,
    objective: &Objective,
    params: &Params,
) -> Result<Trained> {
    let types = types(&known);
    let n_rows = outcome.len();
    let matrix = row_major(&known);
    drop(known);
    let start_mib = memory::mib("VmRSS")?;
    memory::reset_peak();

    let started = Instant::now();
    let matrix = DMatrix::from_dense_vec(matrix, n_rows, types.len())?;
    let matrix = matrix.with_labels(&outcome)?.with_feature_types(&types)?;
    let settings = TrainingParams::from_xgboost(settings(objective, params)?)?;
    let model = hessboost::training::train(&settings, &matrix, params.rounds)?;
    let seconds = started.elapsed().as_secs_f64();
    let peak_mib = memory::mib("VmHWM")?;
    drop(matrix);

    let predict = move |test: &Rows| -> Result<Vec<f32>> {
        let types = self::types(test);
        let n_rows = test.columns[0].len();
        let matrix = DMatrix::from_dense_vec(row_major(test), n_rows, types.len())?;
        let matrix = matrix.with_feature_types(&types)?;
        Ok(model.predict(&matrix, Iterations::Best)?.into_vec())
    };
    let predict = Box::new(predict);
    Ok(Trained { seconds, start_mib, peak_mib, rounds: params.rounds, predict })
}

fn settings(objective: &Objective, params: &Params) -> Result<Vec<(&'static str, Value)>> {
    let mut settings = vec![
        ("tree_method", json!("hist")),
        ("grow_policy", json!("lossguide")),
        ("max_leaves", json!(params.leaves)),
        ("max_depth", json!(0)),
        ("max_bin", json!(params.bins)),
        ("learning_rate", json!(params.learning_rate)),
        ("min_child_weight", json!(params.rows_in_leaf_min)),
        ("nthread", json!(params.threads)),
        ("seed", json!(1)),
    ];
    if params.quantized {
        settings.push(("use_quantized_grad", json!(true)));
    }
    match objective {
        Objective::Squared => settings.push(("objective", json!("reg:squarederror"))),
        Objective::Quantiles(levels) => {
            settings.push(("objective", json!("reg:quantileerror")));
            settings.push(("quantile_alpha", json!(levels)));
        }
        Objective::Over(_) => bail!("measured for numbers only"),
    }
    Ok(settings)
}

fn types(rows: &Rows) -> Vec<FeatureType> {
    let form = |&categorical: &bool| match categorical {
        true => FeatureType::Categorical,
        false => FeatureType::Numerical,
    };
    rows.categorical.iter().map(form).collect()
}

fn row_major(rows: &Rows) -> Vec<f32> {
    let n_features = rows.columns.len();
    let mut matrix = vec![0.0; n_features * rows.columns[0].len()];
    for (feature, column) in rows.columns.iter().enumerate() {
        for (row, &value) in matrix.chunks_exact_mut(n_features).zip(column) {
            row[feature] = value;
        }
    }
    matrix
}
