//! The command `backtest`: writes the predictions, metrics and report of a backtest, and with `--export`
//! the matrix and labels behind them for another learner, and the baselines.

use std::collections::BTreeMap;

use anyhow::Result;
use evaluate::{Drift, Evaluation, ReportExtras};
use polars::prelude::*;
use serde_json::{Value, json};
use terms::{DayGrid, column, count};

use crate::command_output::envelope;
use crate::commands::backtest_export::{
    BASELINES, FEATURES, LABELS, Labels, MATRIX, PREDICTIONS, TIME_SCALES, baselines_frame,
    matrix_frame, time_scales,
};
use crate::folds::{Fold, Folds, Span, evaluate_folds, folds};
use crate::left_out::{self, LeftOut};
use crate::predictions::{Predictions, instants, to_parquet};
use crate::refusal::Refusal;
use crate::report::table;
use crate::settings::Resolved;
use crate::stage::{self, Output, RunContext, StageResult};
use crate::stages::{self, FeatureSet, NetworkLevel, REPORT};
use crate::stored_models::StoredModels;

/// Runs a backtest, or finds that it was done, and writes its files to `backtests/<id>/`. One that was
/// killed goes on after the last origin that it trained.
///
/// # Errors
/// If a stage fails, or, after the result is printed, if some origins were left out.
pub(crate) fn run(
    context: &RunContext<'_>,
    resolved: &Resolved,
    span: Span,
    export: bool,
) -> Result<()> {
    let (_, features) = stages::features_of(context, resolved)?;
    let inputs = inputs("backtest", resolved, &features, (span, export))?;
    let stored = StoredModels::of(context, &stage::backtest_folder(context, &inputs));
    let done = stage::run_backtest(context, inputs, || {
        let feature_set = FeatureSet::read(context, resolved, &features)?;
        work(context, resolved, &feature_set, span, (export, &stored, &features))
    })?;
    stored.delete()?;
    let url = context.store.url().trim_end_matches('/');
    let summary = &done.manifest.summary;
    let result = json!({ "id": done.manifest.id, "folder": done.folder, "summary": summary });
    context.reporter.result(&envelope("backtest", result), || {
        let folder = format!("{url}/{}", done.folder);
        format!("{}\n\n{folder}/{PREDICTIONS}\n{folder}/{REPORT}", overview(summary))
    });
    let left_out: Vec<LeftOut> = serde_json::from_value(summary["left_out"].clone())?;
    match left_out.first() {
        None => Ok(()),
        Some(first) => {
            let (n, first) = (left_out.len(), first.text());
            Err(Refusal::OriginsLeftOut { n, first }.into())
        }
    }
}

/// What a backtest follows from, and so its id; `kind` says of what it is.
pub(super) fn inputs(
    kind: &str,
    resolved: &Resolved,
    features: &StageResult,
    (span, export): (Span, bool),
) -> Result<BTreeMap<String, String>> {
    let mut inputs = stages::train_inputs(resolved, features)?;
    inputs.insert("span".to_owned(), format!("{span:?}"));
    inputs.insert(kind.to_owned(), serde_json::to_string(&resolved.settings.backtest)?);
    inputs.insert("evaluate".to_owned(), serde_json::to_string(&resolved.settings.evaluate)?);
    inputs.insert("export".to_owned(), export.to_string());
    Ok(inputs)
}

/// The table of scores.
pub(super) fn overview(summary: &Value) -> String {
    let number = |score: &Value, name: &str| score[name].as_f64().unwrap_or(f64::NAN);
    let rows: Vec<Vec<String>> = summary["scores"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|score| {
            vec![
                score["name"].as_str().unwrap_or_default().to_owned(),
                format!("{:.3}", number(score, "mae_days")),
                format!("{:.4}", number(score, "mean_pinball_days")),
                format!("{:.1}%", 100.0 * number(score, "coverage_80")),
            ]
        })
        .collect();
    table(&["forecast", "MAE, days", "mean pinball, days", "80% interval covers"], &rows)
}

/// Runs the folds, and makes the files of the backtest.
fn work(
    context: &RunContext<'_>,
    resolved: &Resolved,
    feature_set: &FeatureSet,
    span: Span,
    (export, stored, features): (bool, &StoredModels<'_>, &StageResult),
) -> Result<Output> {
    let family = resolved.settings.backtest_family();
    let days = resolved.settings.network.days();
    let Folds { folds, left_out } = folds(context, resolved, feature_set, span, Some(stored))?;
    let mut files = BTreeMap::new();
    if export {
        let labels = labels(feature_set, &folds).into_frame(column::ORDERED_AT)?;
        files.insert(LABELS.to_owned(), to_parquet(labels)?);
        files.insert(MATRIX.to_owned(), to_parquet(matrix_frame(&feature_set.matrix)?)?);
        let of_folds = folds.iter().map(|fold| (fold.origin, &*fold.rows, &*fold.baselines));
        files.insert(BASELINES.to_owned(), to_parquet(baselines_frame(of_folds, days)?)?);
        files.insert(FEATURES.to_owned(), serde_json::to_vec(&feature_set.matrix.features)?);
        let scales = folds.iter().map(|fold| (fold.origin, &fold.time_scale));
        files.insert(TIME_SCALES.to_owned(), time_scales(scales)?);
    }
    let mut evaluation = evaluate_folds(context, resolved, feature_set, &folds)?;
    evaluation.cut_off = stages::cut_off_of(features)?;
    if !left_out.is_empty() {
        evaluation.about.insert("left_out".to_owned(), left_out::texts(&left_out));
    }
    files.insert("metrics.json".to_owned(), evaluation.to_json()?.into_bytes());
    let report = report(context, resolved, feature_set, span, (&folds, &left_out), &evaluation);
    files.insert(REPORT.to_owned(), report.into_bytes());
    files.insert(
        PREDICTIONS.to_owned(),
        predictions(context, feature_set, (&stages::family_name(family), days), folds)?,
    );
    let scores = stages::scores(&evaluation);
    let mut line = format!("{} shipments judged", count(evaluation.counts.judged));
    if !left_out.is_empty() {
        line += &format!("; origins left out: {}", left_out::names(&left_out));
    }
    let counts = evaluation.counts;
    let summary = json!({ "counts": counts, "scores": scores, "left_out": left_out });
    Ok(Output { files, summary, line })
}

/// The report of a backtest, with level and recalibration by origin.
fn report(
    context: &RunContext<'_>,
    resolved: &Resolved,
    feature_set: &FeatureSet,
    span: Span,
    (folds, left_out): (&[Fold], &[LeftOut]),
    evaluation: &Evaluation,
) -> String {
    let Span { from, to, every_days, train_every_days } = span;
    let name = &resolved.settings.name;
    let header = [
        ("pipeline", name.clone()),
        ("outcomes known as of", context.as_of.to_string()),
        ("origins", format!("{}, from {from} up to {to}, every {every_days} days", folds.len())),
        ("trained", format!("every {train_every_days} days")),
        ("family", stages::family_name(resolved.settings.backtest_family())),
        ("seed", resolved.settings.train.seed.to_string()),
    ];
    let mut header: Vec<(String, String)> =
        header.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    header.extend(left_out.iter().map(LeftOut::row));
    let level = NetworkLevel::of(feature_set);
    let level_at = |fold: &Fold| level.and_then(|level| level.at(fold.origin, fold.next));
    let drift = Drift {
        dates: "origin".to_owned(),
        level: folds.iter().map(|fold| (fold.origin.to_string(), level_at(fold))).collect(),
        recalibrations: folds
            .iter()
            .map(|fold| (fold.origin.to_string(), stages::hazard_ratios(&fold.recalibration)))
            .collect(),
    };
    let extras = ReportExtras {
        title: format!("{name}: backtest from {from} up to {to}"),
        header,
        drift: Some(drift),
        ..Default::default()
    };
    evaluate::report(evaluation, &extras)
}

/// For each origin what was known then of each shipment, and those to predict.
fn labels(feature_set: &FeatureSet, folds: &[Fold]) -> Labels {
    let mut labels = Labels::default();
    for fold in folds {
        let outcomes = feature_set.outcomes.as_of(fold.origin);
        labels.add(fold.origin, (feature_set.outcomes.ordered_at(), &outcomes), &fold.rows);
    }
    labels
}

/// The predictions of all folds, with the outcomes known at the as-of, and the weights with which they
/// stand for the open ones.
fn predictions(
    context: &RunContext<'_>,
    feature_set: &FeatureSet,
    (family, days): (&str, DayGrid),
    folds: Vec<Fold>,
) -> Result<Vec<u8>> {
    let outcomes = feature_set.outcomes.as_of(context.as_of);
    let shipment_ids = feature_set.frame.texts(column::SHIPMENT_ID)?;
    let order_ids = feature_set.frame.texts(column::ORDER_ID)?;
    let mut predictions = Predictions::on_days(days);
    let (mut origins, mut ordered_at, mut of_rows) = (Vec::new(), Vec::new(), Vec::new());
    for fold in folds {
        for (row, distribution) in fold.rows.into_iter().zip(fold.distributions) {
            let ids = (
                shipment_ids[row].as_deref().unwrap_or_default(),
                order_ids[row].as_deref().unwrap_or_default(),
            );
            predictions.push(ids, fold.origin, family, distribution);
            origins.push(fold.origin.instant());
            ordered_at.push(feature_set.outcomes.ordered_at()[row]);
            of_rows.push(outcomes[row]);
        }
    }
    let actual: Vec<Option<f32>> = of_rows.iter().map(|outcome| outcome.delivered()).collect();
    let weights = evaluate::censoring_weights(&of_rows, &ordered_at).into_iter();
    let weights: Vec<Option<f32>> =
        weights.map(|weight| weight.map(|weight| weight as f32)).collect();
    predictions.more = vec![
        instants(column::ORIGIN, &origins)?,
        instants(column::ORDERED_AT, &ordered_at)?,
        Column::new(column::ACTUAL_HOURS.into(), actual),
        Column::new("weight".into(), weights),
    ];
    to_parquet(predictions.into_frame()?)
}
