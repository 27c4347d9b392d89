//! The command `proof`: shows that nothing recorded after the as-of changes a feature, a model or a
//! prediction before it.

use anyhow::Result;
use features::{
    Alteration, AlterationResult, Difference, Frame, Outcomes, Proof, Tables, encode, feature_list,
};
use learn::{NoCheckpoints, Trained};
use scorer::Scorer;
use serde_json::{Value, json};
use terms::{AsOf, Digest, FeatureList, Fingerprint, count};

use crate::command_output::{CommandOutput, envelope};
use crate::commands::predict;
use crate::refusal::Refusal;
use crate::report::table;
use crate::settings::Resolved;
use crate::stage::{Accepted, RunContext};
use crate::stages::{self, KnownDeliveries};

/// How many days before the as-of the orders are that are compared as they were served.
const SERVED_DAYS_AGO: [i64; 3] = [2, 9, 30];

/// The result of one part of the proof.
struct PartResult {
    /// Which facts were altered, or which day was served.
    facts: String,
    rows: usize,
    differences: Vec<Difference>,
    /// Families whose model or predictions differ.
    models: Vec<String>,
}

/// Proves a pipeline as of the as-of, from tables that go on after it.
///
/// # Errors
/// If there is nothing after the as-of, or features or models cannot be built.
pub(crate) fn run(context: &RunContext<'_>, resolved: &Resolved) -> Result<CommandOutput> {
    let (cut, end) = (context.as_of, stages::end_of_tables(context.store)?);
    if end <= cut {
        return Err(Refusal::Missing {
            what: format!("{}/tables/", context.store.url().trim_end_matches('/')),
            expected: format!("facts recorded after {cut}, for it is those that are altered"),
            hint: format!(
                "choose an earlier --as-of, such as {}, which leaves a week to alter",
                end.plus_days(-7)
            ),
        }
        .into());
    }
    let checked = stages::check_of(context, resolved)?;
    let known = checked.read_all(context)?;
    let declared = checked.declared(resolved)?;
    let to_the_end = RunContext {
        as_of: end,
        accepted: Accepted { stale: Some("up to the end of the tables"), ..context.accepted },
        ..*context
    };
    let later = stages::check_of(&to_the_end, resolved)?.read_all(&to_the_end)?;
    let build = |tables: &Tables, as_of: AsOf| features::build(tables, &declared, as_of);
    let proof = Proof::new(&known, &later, (cut, end), &build)?;
    let (frame, outcomes) = proof.reference();
    let training = Training { resolved, cut, features: feature_list(frame)? };
    context.reporter.progress(format!("proof: models as of {cut}"));
    let trained = match training.train(frame, outcomes) {
        Ok(trained) => trained,
        Err(error) => {
            let (_, outcomes) = build(&later, end)?;
            return Err(too_short(error, &outcomes, (cut, end)));
        }
    };

    let mut parts = Vec::new();
    for alteration in Alteration::ALL {
        let facts = format!("later facts {}", alteration.name());
        context.reporter.progress(format!("proof: {facts}"));
        let AlterationResult { differences, rows, frame, outcomes } = proof.with(alteration)?;
        let others = training.train(&frame, &outcomes)?;
        let differ = trained.iter().zip(&others).filter(|(a, b)| a.digest != b.digest);
        let models = differ.map(|(model, _)| model.family.clone()).collect();
        parts.push(PartResult { facts, rows, differences, models });
    }
    for day in SERVED_DAYS_AGO.map(|days| cut.plus_days(-days)) {
        context.reporter.progress(format!("proof: served on {day}"));
        let (differences, served) = match proof.served_on(day.instant()) {
            Err(features::Error::NothingKnown { .. }) => {
                let note =
                    format!("proof: nothing was known yet of {}, so nothing served", day.day());
                context.reporter.note(&note);
                continue;
            }
            found => found?,
        };
        let mut models = Vec::new();
        for model in &trained {
            if !scores_alike(&model.scorer, &served, frame)? {
                models.push(model.family.clone());
            }
        }
        let (facts, rows) = (format!("served on {}", day.day()), served.n_rows());
        parts.push(PartResult { facts, rows, differences, models });
    }
    Ok(output(cut, end, &trained, &parts))
}

/// The error of a training as of a cut before which too few deliveries are known, with a way out.
fn too_short(error: anyhow::Error, outcomes: &Outcomes, (cut, end): (AsOf, AsOf)) -> anyhow::Error {
    let of_learn = error.chain().find_map(|cause| cause.downcast_ref::<learn::Error>());
    let Some(&learn::Error::TooFewRows { needed, .. }) = of_learn else { return error };
    let known_at = outcomes.deliveries(end).iter().map(|delivery| delivery.recorded_at).collect();
    let enough = KnownDeliveries::new(end, Vec::new(), known_at).known_by(needed);
    let enough = enough.filter(|enough| *enough > cut && *enough < end);
    let few = "--set 'train.families=[\"baseline\"]', the family that any rows can train";
    let way_out = match enough {
        Some(enough) => format!("choose --as-of {enough} or later, before {end}, or {few}"),
        None => format!("import the tables of more days than up to {end}, or {few}"),
    };
    Refusal::ShortHistory { problem: format!("{error:#}"), way_out }.into()
}

/// How the models of a proof are trained.
struct Training<'a> {
    resolved: &'a Resolved,
    cut: AsOf,
    /// Those as of the cut: levels that were recorded later have no code.
    features: FeatureList,
}

/// A trained family.
struct Model {
    family: String,
    digest: Digest,
    scorer: Scorer,
}

impl Training<'_> {
    /// Trains every family as of the cut.
    fn train(&self, frame: &Frame, outcomes: &Outcomes) -> Result<Vec<Model>> {
        let matrix = encode(frame, &self.features)?;
        let train = |&name| -> Result<Model> {
            let (resolved, cut) = (self.resolved, self.cut);
            let Trained { parts, scorer, .. } =
                stages::train_on_orders((&matrix, outcomes), resolved, name, cut, &NoCheckpoints)?;
            let files = parts.encode();
            let all = files.iter().fold(Fingerprint::new(), |hash, (file, bytes)| {
                hash.with(file, Digest::of(bytes).to_string())
            });
            Ok(Model { family: stages::family_name(name), digest: all.finish(), scorer })
        };
        self.resolved.settings.train.families.iter().map(train).collect()
    }
}

/// Whether rows as they were served, read as `predict` reads rows from outside, get the same
/// predictions as the same rows of the training matrix.
fn scores_alike(scorer: &Scorer, served: &Frame, trained_on: &Frame) -> Result<bool> {
    let from_outside = predict::score_bytes(scorer, served.to_parquet()?.into())?;
    let ids = trained_on.texts(terms::column::SHIPMENT_ID)?;
    let position: std::collections::HashMap<_, usize> = ids.iter().zip(0..).collect();
    let ids = served.texts(terms::column::SHIPMENT_ID)?;
    let rows: Option<Vec<usize>> = ids.iter().map(|id| position.get(id).copied()).collect();
    let Some(rows) = rows else { return Ok(false) };
    let matrix = encode(trained_on, scorer.features())?.take(&rows);
    Ok(scorer.score(&matrix)? == from_outside)
}

fn output(cut: AsOf, end: AsOf, trained: &[Model], parts: &[PartResult]) -> CommandOutput {
    let mut found = Vec::new();
    for part in parts {
        for Difference { column, rows, shipment_id } in &part.differences {
            let rows = count(*rows);
            found.push(format!("{}: {column} in {rows} rows, first {shipment_id}", part.facts));
        }
        for family in &part.models {
            found.push(format!("{}: the model {family}", part.facts));
        }
    }
    let json_parts: Vec<Value> = parts
        .iter()
        .map(|part| {
            let columns = part.differences.iter().map(|difference| {
                json!({
                    "column": difference.column,
                    "rows": difference.rows,
                    "first_shipment_id": difference.shipment_id,
                })
            });
            json!({
                "facts": part.facts,
                "rows": part.rows,
                "columns": columns.collect::<Vec<_>>(),
                "models": part.models,
            })
        })
        .collect();
    let models: serde_json::Map<String, Value> =
        trained.iter().map(|model| (model.family.clone(), json!(model.digest))).collect();
    let result = json!({
        "as_of": cut.to_string(),
        "end": end.to_string(),
        "models": models,
        "parts": json_parts,
        "holds": found.is_empty(),
    });
    let same = |n: usize, what: &str| match n {
        0 => "the same".to_owned(),
        n => format!("{n} {what} differ"),
    };
    let rows: Vec<Vec<String>> = parts
        .iter()
        .map(|part| {
            vec![
                part.facts.clone(),
                count(part.rows),
                same(part.differences.len(), "columns"),
                same(part.models.len(), "models"),
            ]
        })
        .collect();
    let header = ["as of the cut", "rows", "features and outcomes", "models and predictions"];
    let text = format!("cut at {cut}, facts up to {end}\n\n{}", table(&header, &rows));
    let refused = (!found.is_empty()).then_some(Refusal::Leaks { found });
    CommandOutput { json: envelope("proof", result), text, refused }
}
