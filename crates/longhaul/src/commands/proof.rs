//! The command `proof`: shows that nothing recorded after the as-of changes a feature, a model or a
//! prediction before it.

use anyhow::Result;
use features::{
    Alteration, AlterationResult, Built, Difference, Frame, Outcomes, Proof, ServedResult, Tables,
    encode, feature_list,
};
use learn::{NoCheckpoints, Trained};
use scorer::{IN_FLIGHT_FOLDER, Scorer};
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
    snapshots: usize,
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
    let reference = proof.reference();
    let frame = &reference.frame;
    let training = Training { resolved, cut, features: feature_list(frame)? };
    context.reporter.progress(format!("proof: models as of {cut}"));
    let trained = match training.train(reference) {
        Ok(trained) => trained,
        Err(error) => {
            let Built { outcomes, .. } = build(&later, end)?;
            return Err(too_short(error, &outcomes, (cut, end)));
        }
    };

    let mut parts = Vec::new();
    for alteration in Alteration::ALL {
        let facts = format!("later facts {}", alteration.name());
        context.reporter.progress(format!("proof: {facts}"));
        let AlterationResult { differences, rows, snapshots, built } = proof.with(alteration)?;
        let others = training.train(&built)?;
        let differ = trained.iter().zip(&others).filter(|(a, b)| a.digest != b.digest);
        let models = differ.map(|(model, _)| model.family.clone()).collect();
        parts.push(PartResult { facts, rows, snapshots, differences, models });
    }
    for day in SERVED_DAYS_AGO.map(|days| cut.plus_days(-days)) {
        context.reporter.progress(format!("proof: served on {day}"));
        let ServedResult { differences, frame: served, snapshots } =
            match proof.served_on(day.instant()) {
                Err(features::Error::NothingKnown { .. }) => {
                    let note =
                        format!("proof: nothing was known yet of {}, so nothing served", day.day());
                    context.reporter.note(&note);
                    continue;
                }
                found => found?,
            };
        let mut models = Vec::new();
        for model in trained.iter().filter(|model| !model.is_in_flight) {
            if !scores_alike(&model.scorer, &served, frame)? {
                models.push(model.family.clone());
            }
        }
        let (facts, rows) = (format!("served on {}", day.day()), served.n_rows());
        parts.push(PartResult { facts, rows, snapshots, differences, models });
    }
    Ok(output(cut, end, &trained, &parts))
}

/// The error of a training as of a cut before which too few deliveries are known, with a way out.
fn too_short(error: anyhow::Error, outcomes: &Outcomes, (cut, end): (AsOf, AsOf)) -> anyhow::Error {
    let Some(needed) = rows_needed(&error) else { return error };
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

/// How many rows a training needs that has too few.
fn rows_needed(error: &anyhow::Error) -> Option<usize> {
    match error.chain().find_map(|cause| cause.downcast_ref::<learn::Error>())? {
        learn::Error::TooFewRows { needed, .. } => Some(*needed),
        _ => None,
    }
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
    /// Whether it is that of what is in flight.
    is_in_flight: bool,
    digest: Digest,
    scorer: Scorer,
}

impl Training<'_> {
    /// Trains every family as of the cut, and the model of what is in flight.
    fn train(&self, built: &Built) -> Result<Vec<Model>> {
        let Built { frame, outcomes, snapshots } = built;
        let matrix = encode(frame, &self.features)?;
        let (resolved, cut) = (self.resolved, self.cut);
        let of_family = |&name| -> Result<Model> {
            let trained =
                stages::train_on_orders((&matrix, outcomes), resolved, name, cut, &NoCheckpoints)?;
            Ok(Model::new(stages::family_name(name), false, trained))
        };
        let families = resolved.settings.train.families.iter().map(of_family);
        let mut models = families.collect::<Result<Vec<Model>>>()?;
        let of_orders = (&matrix, outcomes);
        match stages::train_on_snapshots(&snapshots.drawn, of_orders, resolved, cut, &NoCheckpoints)
        {
            Ok(None) => {}
            Ok(Some(trained)) => {
                models.push(Model::new(IN_FLIGHT_FOLDER.to_owned(), true, trained));
            }
            // Then nothing is published of what is in flight.
            Err(error) if rows_needed(&error).is_some() => {}
            Err(error) => return Err(error),
        }
        Ok(models)
    }
}

impl Model {
    fn new(family: String, is_in_flight: bool, trained: Trained) -> Self {
        let Trained { parts, scorer, .. } = trained;
        let files = parts.encode();
        let all = files.iter().fold(Fingerprint::new(), |hash, (file, bytes)| {
            hash.with(file, Digest::of(bytes).to_string())
        });
        Self { family, is_in_flight, digest: all.finish(), scorer }
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
                "snapshots": part.snapshots,
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
                count(part.snapshots),
                same(part.differences.len(), "columns"),
                same(part.models.len(), "models"),
            ]
        })
        .collect();
    let header =
        ["as of the cut", "rows", "snapshots", "features and outcomes", "models and predictions"];
    let text = format!("cut at {cut}, facts up to {end}\n\n{}", table(&header, &rows));
    let refused = (!found.is_empty()).then_some(Refusal::Leaks { found });
    CommandOutput { json: envelope("proof", result), text, refused }
}
