//! The whole model as one ONNX graph, so that a runtime of others gives the scorer's numbers.
//!
//! Input `features`: N x n_features f64 in the order of `features.json`, categories as the positions of
//! their levels, missing values as NaN. Outputs, each N x 1 f64: `probability_over_2d`, the quantiles
//! `hours_p05` and so on, and `probability_by_day_1` and so on. Each is a column, so that a table goes
//! in and a table comes out (MLflow makes columns of outputs by flattening them). Rounded to f32,
//! as the scorer publishes them, they are its numbers.
//!
//! In the graph is everything that the scorer does with a row: features as f32, routing, the sums of
//! leaves, the time scale of each regressor, their mean in hours, calibration, recalibration,
//! the mixture with the gate, the moments at which deliveries are recorded. Up to the mixture every
//! operation is the scorer's own, in its order, so all bits are; in the mixture exponentials,
//! logarithms and powers are the runtime's, which may round the last bit otherwise.

mod corrections;
mod graph;
mod mixture;
mod proto;
mod quantile_distribution;
#[cfg(test)]
mod tests;
mod time_scale;
mod trees;

use prost::Message;
use scorer::Parts;
use terms::{LEVELS, N_LEVELS};

use super::outputs;
use crate::Error;
use graph::{Graph, ML_DOMAIN, Value};
use proto::{ModelProto, OperatorSetIdProto, StringStringEntryProto};
use time_scale::{Row, RowTimeScale};
use trees::RoutedValues;

/// The version of the operators for machine learning, the first with `TreeEnsemble`.
const ML_VERSION: i64 = 5;
/// The versions that the standard released together with it.
const OPERATORS_VERSION: i64 = 21;
const IR_VERSION: i64 = 10;

/// No quantile of trees is smaller, on whatever time scale.
const QUANTILE_MIN: f64 = 1e-3;

/// The bytes of `model.onnx`; the same model gives the same bytes.
///
/// # Errors
/// If a part of the model has no equal in ONNX; names it.
pub fn onnx_model(parts: &Parts) -> Result<Vec<u8>, Error> {
    let mut graph = Graph::new("longhaul");
    build(&mut graph, parts)?;
    let opset = |domain: &str, version| OperatorSetIdProto { domain: domain.into(), version };
    let entry = |key: &str, value: String| StringStringEntryProto { key: key.into(), value };
    let names = parts.features.0.iter().map(|feature| feature.name.as_str());
    let model = ModelProto {
        ir_version: IR_VERSION,
        producer_name: "longhaul".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        doc_string: "Distribution of delivery time, in hours from the order".to_owned(),
        graph: Some(graph.finish()),
        opset_import: vec![opset("", OPERATORS_VERSION), opset(ML_DOMAIN, ML_VERSION)],
        metadata_props: vec![
            entry("scorer_sha256", parts.fingerprint().as_str().to_owned()),
            entry("features", names.collect::<Vec<_>>().join(",")),
            entry("levels", LEVELS.map(|level| level.to_string()).join(",")),
            entry("days_step", parts.days.step_days().to_string()),
        ],
    };
    Ok(model.encode_to_vec())
}

fn build(graph: &mut Graph, parts: &Parts) -> Result<(), Error> {
    let doc =
        "In the order of features.json; a category as the position of its level, missing as NaN";
    let input = graph.input("features", parts.features.len(), doc);
    graph.begin("features");
    let rounded = graph.cast_to_f32(&input);
    let values = graph.cast_to_f64(&rounded);
    let row = Row { features: &parts.features, values: &values };
    let models = parts.regressors.iter().map(|regressor| &regressor.trees).chain([&parts.gate]);
    let routed = RoutedValues::new(graph, models, &values, parts.features.len());

    graph.begin("gate");
    let log_odds = trees::sums(graph, &parts.gate, &routed);

    let (mean, scale) = mean_hours(graph, parts, &row, &routed)?;
    graph.begin("calibration");
    let scaled = scale.scaled(graph, &mean);
    let calibrated = corrections::calibrated(graph, &parts.calibration, &scaled);
    graph.begin("recalibration");
    let levels = parts.recalibration.levels();
    let recalibrated = corrections::recalibrated(graph, &levels, &calibrated);
    let hours = scale.hours(graph, &recalibrated);

    graph.begin("mixture");
    let of_model = (parts.tail_ratio, parts.grain, parts.days);
    let published = mixture::published(graph, &log_odds, &hours, &row, of_model);
    graph.outputs(&published.probability_over_2d, &outputs::over_2d());
    graph.outputs(&published.hours, &outputs::hours());
    graph.outputs(&published.by_day, &outputs::by_day(parts.days));
    Ok(())
}

/// The weighted mean of the regressors' quantiles in hours, and the time scale of the first one.
/// Shapes: N x `N_LEVELS`.
fn mean_hours(
    graph: &mut Graph,
    parts: &Parts,
    row: &Row<'_>,
    routed: &RoutedValues,
) -> Result<(Value, RowTimeScale), Error> {
    let total: f64 = parts.regressors.iter().map(|regressor| f64::from(regressor.weight)).sum();
    let mut of_first = None;
    for (position, regressor) in parts.regressors.iter().enumerate() {
        graph.begin(&format!("regressor_{position}"));
        let raw = trees::sums(graph, &regressor.trees, routed);
        let least = graph.number(QUANTILE_MIN);
        let quantiles = graph.max(&raw, &least);
        let quantiles = graph.sorted(&quantiles, N_LEVELS);
        let scale = RowTimeScale::new(graph, &regressor.time_scale, row)?;
        let hours = scale.hours(graph, &quantiles);
        let share = graph.number(f64::from(regressor.weight) / total);
        let part = graph.mul(&share, &hours);
        of_first = Some(match of_first {
            None => (part, scale),
            Some((sum, first)) => (graph.add(&sum, &part), first),
        });
    }
    let what = "there is none".to_owned();
    of_first.ok_or(Error::Export { format: "ONNX", part: "regressor", what })
}
