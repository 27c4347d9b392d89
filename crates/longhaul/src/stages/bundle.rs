//! The files of a bundle: the trained model, the documents that say what it is and how good it is, and
//! the model in the formats of others.

use std::collections::BTreeMap;

use ::evaluate::{CardExtras, Evaluation, ReportExtras, card, report};
use anyhow::{Context as _, Result};
use artifact::{About, Bundle, Sources};
use scorer::{IN_FLIGHT_FOLDER, Parts};
use serde::de::DeserializeOwned;
use serde_json::json;
use terms::{DayGrid, Digest, count};

use crate::settings::Resolved;
use crate::stage::{CODE_VERSION, RunContext, StageResult};
use crate::stages::check::Checked;
use crate::stages::drift::hazard_ratios;
use crate::stages::{evaluate, features, train};

/// The gates that the model was judged by, and what was found.
const GATES: &str = "gate.json";
/// The model card.
const CARD: &str = "card.md";
/// The JSON Schema of the metrics.
const METRICS_SCHEMA: &str = "metrics.schema.json";
/// The features as they were declared.
const DECLARATION: &str = "feature_declaration.toml";

/// What a model is published from: what this night left.
#[derive(Clone, Copy)]
pub(crate) struct PublishInputs<'a> {
    /// The tables that the check passed.
    pub(crate) checked: &'a Checked,
    pub(crate) features: &'a StageResult,
    pub(crate) train: &'a StageResult,
    pub(crate) evaluate: &'a StageResult,
    /// The champion before this night.
    pub(crate) parent: Option<&'a str>,
}

impl PublishInputs<'_> {
    /// What a model is made of beside its features.
    ///
    /// # Errors
    /// If the check cannot be written as JSON.
    fn sources(&self) -> Result<Sources> {
        Ok(Sources {
            tables_digest: Some(self.checked.content()?),
            contracts: self.checked.contract_versions(),
            parent: self.parent.map(str::to_owned),
        })
    }
}

/// The bundle of the family that was evaluated.
///
/// # Errors
/// If what a stage wrote is not there, or the model has no equal in another format.
pub(crate) fn bundle(
    context: &RunContext<'_>,
    resolved: &Resolved,
    night: PublishInputs<'_>,
    evaluated: &evaluate::Summary,
) -> Result<Bundle> {
    let mut files = BTreeMap::new();
    let prefix = format!("{}/", evaluated.family);
    for name in night.train.manifest.outputs.keys() {
        if let Some(file) = name.strip_prefix(&prefix) {
            files.insert(file.to_owned(), night.train.read(context.store, name)?.to_vec());
        }
    }
    let metrics = night.evaluate.read(context.store, evaluate::METRICS)?;
    files.insert(evaluate::METRICS.to_owned(), metrics.to_vec());
    let (_, declaration) = resolved.declaration()?;
    files.insert(DECLARATION.to_owned(), declaration.into_bytes());
    let features_digest = night.features.manifest.outputs.get(features::MONTHS).cloned();
    let about = About {
        as_of: context.as_of,
        pipeline: resolved.settings.name.clone(),
        family: evaluated.family.clone(),
        code_version: CODE_VERSION.to_owned(),
        features_digest: features_digest.unwrap_or_else(|| Digest::of(b"")),
        seed: resolved.settings.train.seed,
        passed: evaluated.passed,
    };
    let parts = Parts::decode(&files)?;
    if resolved.settings.publish.exports {
        context.reporter.progress("publish: the model in the formats of others".to_owned());
        files.extend(artifact::export::files(&parts, &about)?);
    }
    let evaluation: Evaluation = parsed(evaluate::METRICS, &metrics)?;
    if evaluation.in_flight.as_ref().is_some_and(|scores| scores.is_used) {
        let prefix = format!("{IN_FLIGHT_FOLDER}/");
        for name in night.train.manifest.outputs.keys().filter(|name| name.starts_with(&prefix)) {
            files.insert(name.clone(), night.train.read(context.store, name)?.to_vec());
        }
    }
    let extras = night.evaluate.read(context.store, evaluate::REPORT_EXTRAS)?;
    let extras = of_published(parsed(evaluate::REPORT_EXTRAS, &extras)?, &about, &parts, &files)?;
    files.insert(evaluate::REPORT.to_owned(), report(&evaluation, &extras).into_bytes());
    files.insert(METRICS_SCHEMA.to_owned(), train::pretty(&Evaluation::json_schema())?);
    files.insert(GATES.to_owned(), train::pretty(&gates(&evaluation, evaluated))?);
    let sources = night.sources()?;
    let extras = CardExtras {
        pipeline: about.pipeline.clone(),
        as_of: about.as_of.to_string(),
        family: about.family.clone(),
        days: days(parts.days),
        training: training(night, &about, &sources)?,
        files: contents(&files),
    };
    files.insert(CARD.to_owned(), card(&evaluation, &extras).into_bytes());
    Ok(Bundle::new(about, files).with_sources(sources))
}

/// What the report of the evaluation shows of a model that was trained for the hold-out, of the one that
/// is published instead.
fn of_published(
    mut extras: ReportExtras,
    about: &About,
    parts: &Parts,
    files: &BTreeMap<String, Vec<u8>>,
) -> Result<ReportExtras> {
    let file = |name: &str| files.get(name).with_context(|| format!("{name} was not trained"));
    extras.shown_model = format!("the published model, trained as of {}", about.as_of);
    extras.gate_rules = String::from_utf8_lossy(file(train::GATE_RULES)?).into_owned();
    extras.importance = parsed(train::IMPORTANCE, file(train::IMPORTANCE)?)?;
    if let Some(drift) = &mut extras.drift {
        let recalibration = hazard_ratios(&parts.recalibration);
        drift.recalibrations = vec![(about.as_of.to_string(), recalibration)];
    }
    Ok(extras)
}

/// The gates, and whether the model passed them all.
fn gates(evaluation: &Evaluation, evaluated: &evaluate::Summary) -> serde_json::Value {
    let gates = evaluation.verdict.as_ref().map(|verdict| &verdict.gates);
    json!({ "passed": evaluated.passed, "refused": evaluated.refused, "gates": gates })
}

/// On what the model was trained, for its card.
fn training(
    night: PublishInputs<'_>,
    about: &About,
    sources: &Sources,
) -> Result<Vec<(String, String)>> {
    let trained: train::Summary = night.train.summary()?;
    let mut rows = Vec::new();
    let mut add = |name: &str, value: String| rows.push((name.to_owned(), value));
    if let Some(sizes) = trained.families.get(&about.family) {
        add("shipments ordered before the as-of, within the history", count(sizes.rows));
        add("of these delivered", count(sizes.observed));
        add("open, learned as right-censored", count(sizes.open));
        add("cancelled, lost or never delivered, not learned", count(sizes.excluded));
        let share = 100.0 * sizes.gate_over_2d as f64 / sizes.gate.max(1) as f64;
        add("took more than two days", format!("{share:.1}%"));
    }
    let features: features::Summary = night.features.summary()?;
    add("features", count(features.features));
    for (table, version) in &sources.contracts {
        add(&format!("contract of `{table}`"), version.clone());
    }
    add("SHA-256 of the features", format!("`{}`", about.features_digest));
    if let Some(digest) = &sources.tables_digest {
        add("SHA-256 of what the check passed", format!("`{digest}`"));
    }
    add("seed", about.seed.to_string());
    Ok(rows)
}

/// The days of a grid in words.
fn days(days: DayGrid) -> String {
    match days.step_days() {
        1 => format!("each day from 1 to {}", days.last_day()),
        step => format!("each {step} days up to {}", days.last_day()),
    }
}

/// What the files are, for the card: those of one kind in one line.
fn contents(files: &BTreeMap<String, Vec<u8>>) -> Vec<(String, String)> {
    let known = [
        (
            "features.json",
            "the features: order, type, meaning, unit, what stands for a missing value",
        ),
        ("categories.json", "the code of each level of each category"),
        (
            "regressor_0.bin",
            "and so on: the trees of the quantiles (layout: `boost`, `encoding.rs`)",
        ),
        ("gate.bin", "the trees of P(more than two days)"),
        ("mixture.json", "calibration tables, time scales, weights, the tail"),
        (
            "in_flight/mixture.json",
            "and so on: the model of the time that is left of open shipments, in the same files",
        ),
        ("gate_rules.txt", "P(more than two days) as rules that a person can read"),
        ("importance.json", "the gain of each feature"),
        ("model.onnx", "the whole model in one graph: ONNX, ai.onnx.ml 5, in double"),
        ("MLmodel", "for `mlflow.pyfunc.load_model`"),
        ("input_example.json", "a row of features"),
        (
            "regressor_0/q50/model.txt",
            "and so on: each quantile of each regressor as LightGBM's text",
        ),
        ("gate/model.txt", "P(more than two days) as LightGBM's text"),
        ("parity/vectors.parquet", "rows, and what the model makes of them, to prove a reader"),
        ("metrics.json", "all metrics; `metrics.schema.json` is its JSON Schema"),
        ("report.html", "the metrics to be looked at"),
        ("feature_declaration.toml", "how the features are built"),
        ("training.json", "how many rows it was trained on"),
    ];
    let mut contents: Vec<(String, String)> = (known.iter())
        .filter(|(name, _)| files.contains_key(*name))
        .map(|(name, what)| ((*name).to_owned(), (*what).to_owned()))
        .collect();
    contents.push((GATES.to_owned(), "the gates that decide about publishing".to_owned()));
    contents.push((
        "manifest.json".to_owned(),
        "the SHA-256 of each file, and where it is from".to_owned(),
    ));
    contents
}

fn parsed<T: DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).with_context(|| name.to_owned())
}
