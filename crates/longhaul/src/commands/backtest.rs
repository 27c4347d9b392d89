//! Backtest: at one origin after another, train on what was known then and predict what followed.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::Result;
use learn::NoCheckpoints;
use polars::prelude::*;
use scorer::Distribution;
use serde_json::{Value, json};
use terms::{AsOf, Outcome, column, count};

use crate::command_output::envelope;
use crate::flags::Origins;
use crate::predictions::{Predictions, instants, to_parquet};
use crate::refusal::Refusal;
use crate::report::table;
use crate::settings::Resolved;
use crate::stage::{self, Output, RunContext};
use crate::stages::{self, FeatureSet, Held};

/// From which origin to which, and in which steps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    /// The first origin.
    pub(crate) from: AsOf,
    /// No origin at or after this.
    pub(crate) to: AsOf,
    /// From origin to origin.
    pub(crate) every_days: u32,
    /// From training to training.
    pub(crate) train_every_days: u32,
}

impl Span {
    /// As the flags say.
    ///
    /// # Errors
    /// If there is no origin, or training falls between origins.
    pub(crate) fn of(origins: &Origins) -> Result<Self> {
        let &Origins { from, to, every: every_days, train_every } = origins;
        let train_every_days = train_every.unwrap_or(every_days);
        if from >= to || !train_every_days.is_multiple_of(every_days) {
            let what = format!(
                "expected --from before --to and --train-every a multiple of --every, found \
                 {from} to {to}, every {every_days}d, training every {train_every_days}d"
            );
            return Err(Refusal::Usage { what }.into());
        }
        Ok(Self { from, to, every_days, train_every_days })
    }

    /// Each origin, and the next one.
    fn origins(self) -> Vec<(AsOf, AsOf)> {
        let step = i64::from(self.every_days);
        let mut origins = Vec::new();
        let mut origin = self.from;
        while origin < self.to {
            let next = origin.plus_days(step);
            origins.push((origin, next));
            origin = next;
        }
        origins
    }
}

/// Runs a backtest and writes predictions and metrics to `backtests/<id>/`.
///
/// # Errors
/// If a stage fails.
pub(crate) fn run(
    context: &RunContext<'_>,
    resolved: &Resolved,
    span: Span,
    export: bool,
) -> Result<()> {
    let (_, features) = stages::features_of(context, resolved)?;
    let mut inputs = stages::train_inputs(resolved, &features)?;
    inputs.insert("span".to_owned(), format!("{span:?}"));
    inputs.insert("backtest".to_owned(), serde_json::to_string(&resolved.settings.backtest)?);
    inputs.insert("evaluate".to_owned(), serde_json::to_string(&resolved.settings.evaluate)?);
    inputs.insert("export".to_owned(), export.to_string());
    let done = stage::run_backtest(context, inputs, || {
        let known = FeatureSet::read(context, &features)?;
        work(context, resolved, &known, span, export)
    })?;
    let url = context.store.url().trim_end_matches('/');
    let summary = &done.manifest.summary;
    let result = json!({ "id": done.manifest.id, "folder": done.folder, "summary": summary });
    context.reporter.result(&envelope("backtest", result), || {
        format!("{}\n\n{url}/{}/predictions.parquet", overview(summary), done.folder)
    });
    Ok(())
}

fn overview(summary: &Value) -> String {
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

/// What one origin adds.
struct Fold {
    origin: AsOf,
    rows: Vec<usize>,
    distributions: Vec<Distribution>,
    baselines: Vec<evaluate::Forecast>,
}

fn work(
    context: &RunContext<'_>,
    resolved: &Resolved,
    known: &FeatureSet,
    span: Span,
    export: bool,
) -> Result<Output> {
    let family = resolved.settings.backtest.family;
    let (folds, labels) = folds(context, resolved, known, span, export)?;
    let mut files = BTreeMap::new();
    if export {
        files.insert("labels.parquet".to_owned(), to_parquet(labels.to_frame()?)?);
        files.insert("matrix.parquet".to_owned(), to_parquet(numbers(known)?)?);
        files.insert("features.json".to_owned(), serde_json::to_vec(&known.matrix.features)?);
    }
    let evaluation = judge(context, resolved, known, &folds)?;
    files.insert("metrics.json".to_owned(), evaluation.to_json()?.into_bytes());
    files.insert(
        "predictions.parquet".to_owned(),
        predictions(context, known, &stages::family_name(family), folds)?,
    );
    let scores = stages::scores(&evaluation);
    let line = format!("{} shipments judged", count(evaluation.counts.judged));
    Ok(Output { files, summary: json!({ "counts": evaluation.counts, "scores": scores }), line })
}

/// The mean pinball loss in days of a backtest, of all rows whose outcome is known.
///
/// # Errors
/// If training fails at an origin.
pub(crate) fn mean_pinball_days(
    context: &RunContext<'_>,
    resolved: &Resolved,
    known: &FeatureSet,
    span: Span,
) -> Result<f64> {
    let (folds, _) = folds(context, resolved, known, span, false)?;
    let scores = stages::scores(&judge(context, resolved, known, &folds)?);
    Ok(scores.first().map_or(f64::NAN, |model| model.mean_pinball_days))
}

/// Trains at the origins and predicts what followed each.
#[expect(clippy::disallowed_methods, reason = "the reporter shows how long it takes")]
fn folds(
    context: &RunContext<'_>,
    resolved: &Resolved,
    known: &FeatureSet,
    span: Span,
    export: bool,
) -> Result<(Vec<Fold>, Labels)> {
    let family = resolved.settings.backtest.family;
    let train_every = span.train_every_days / span.every_days;
    let mut folds: Vec<Fold> = Vec::new();
    let mut labels = Labels::default();
    let mut trained = None;
    for (number, (origin, next)) in span.origins().into_iter().enumerate() {
        let started = Instant::now();
        let held = Held::new(known, origin, next, context.as_of)?;
        if (number as u32).is_multiple_of(train_every) || trained.is_none() {
            trained = Some((
                origin,
                stages::train_family(
                    &known.matrix,
                    &known.outcomes,
                    resolved,
                    family,
                    origin,
                    &NoCheckpoints,
                )?,
            ));
        }
        let Some((trained_at, model)) = &trained else { continue };
        let distributions = model.scorer.score(&known.matrix.take(&held.rows))?;
        context.reporter.progress(format!(
            "backtest {origin}: {} shipments, trained as of {trained_at}, {:.1} s",
            held.rows.len(),
            started.elapsed().as_secs_f64()
        ));
        if export {
            labels.add(origin, &known.outcomes.as_of(origin), &held.rows);
        }
        let baselines = stages::baselines(known, &held, origin)?;
        folds.push(Fold { origin, rows: held.rows, distributions, baselines });
    }
    Ok((folds, labels))
}

fn judge(
    context: &RunContext<'_>,
    resolved: &Resolved,
    known: &FeatureSet,
    folds: &[Fold],
) -> Result<evaluate::Evaluation> {
    let rows: Vec<usize> = folds.iter().flat_map(|fold| fold.rows.iter().copied()).collect();
    let shipments = stages::shipments(known, &rows, context.as_of)?;
    let all: Vec<Distribution> =
        folds.iter().flat_map(|fold| fold.distributions.iter().cloned()).collect();
    let model = stages::forecast(&stages::family_name(resolved.settings.backtest.family), &all);
    let mut baselines: Vec<evaluate::Forecast> = Vec::new();
    for fold in folds {
        for forecast in &fold.baselines {
            match baselines.iter_mut().find(|known| known.name == forecast.name) {
                Some(known) => known.append(forecast.clone()),
                None => baselines.push(forecast.clone()),
            }
        }
    }
    // A baseline that some origins lack says nothing of the whole.
    baselines.retain(|forecast| forecast.hours.len() == rows.len());
    let contest = evaluate::Contest {
        shipments: &shipments,
        candidates: &[model],
        chosen: Some(0),
        champion: None,
        baselines: &baselines,
    };
    let settings = evaluate::Settings {
        rounds: resolved.settings.evaluate.bootstrap_rounds as usize,
        seed: resolved.settings.train.seed,
        ..Default::default()
    };
    Ok(evaluate::evaluate(&contest, &settings, None)?)
}

fn predictions(
    context: &RunContext<'_>,
    known: &FeatureSet,
    family: &str,
    folds: Vec<Fold>,
) -> Result<Vec<u8>> {
    let outcomes = known.outcomes.as_of(context.as_of);
    let shipment_ids = known.frame.texts(column::SHIPMENT_ID)?;
    let order_ids = known.frame.texts(column::ORDER_ID)?;
    let mut predictions = Predictions::default();
    let (mut origins, mut ordered_at, mut actual) = (Vec::new(), Vec::new(), Vec::new());
    for fold in folds {
        for (row, distribution) in fold.rows.into_iter().zip(fold.distributions) {
            let ids = (
                shipment_ids[row].as_deref().unwrap_or_default(),
                order_ids[row].as_deref().unwrap_or_default(),
            );
            predictions.push(ids, fold.origin, family, distribution);
            origins.push(fold.origin.micros());
            ordered_at.push(known.outcomes.ordered_at()[row].micros());
            actual.push(outcomes[row].delivered());
        }
    }
    predictions.backtest = vec![
        instants(column::ORIGIN, &origins)?,
        instants(column::ORDERED_AT, &ordered_at)?,
        Column::new(column::ACTUAL_HOURS.into(), actual),
    ];
    to_parquet(predictions.into_frame()?)
}

/// The features as numbers, for another learner: categories are codes.
fn numbers(known: &FeatureSet) -> Result<DataFrame> {
    let features = known.matrix.features.0.iter().zip(&known.matrix.columns);
    let columns: Vec<Column> = features
        .map(|(feature, values)| Column::new(feature.name.as_str().into(), values))
        .collect();
    Ok(DataFrame::new(known.matrix.n_rows(), columns)?)
}

/// What was known of which row at which origin, and which rows followed.
#[derive(Default)]
struct Labels {
    origin: Vec<i64>,
    row: Vec<u32>,
    hours: Vec<Option<f32>>,
    role: Vec<&'static str>,
}

impl Labels {
    fn add(&mut self, origin: AsOf, outcomes: &[Outcome], held: &[usize]) {
        for (row, outcome) in outcomes.iter().enumerate() {
            match *outcome {
                Outcome::Delivered(hours) => self.push(origin, row, Some(hours), "delivered"),
                Outcome::Censored(hours) => self.push(origin, row, Some(hours), "open"),
                Outcome::Excluded => {}
            }
        }
        for &row in held {
            self.push(origin, row, None, "predict");
        }
    }

    fn push(&mut self, origin: AsOf, row: usize, hours: Option<f32>, role: &'static str) {
        self.origin.push(origin.micros());
        self.row.push(row as u32);
        self.hours.push(hours);
        self.role.push(role);
    }

    fn to_frame(&self) -> Result<DataFrame> {
        let columns = vec![
            instants(column::ORIGIN, &self.origin)?,
            Column::new("row".into(), &self.row),
            Column::new("hours".into(), &self.hours),
            Column::new("role".into(), &self.role),
        ];
        Ok(DataFrame::new(self.row.len(), columns)?)
    }
}
