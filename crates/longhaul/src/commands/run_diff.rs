//! The command `runs diff`: what two runs did not have in common.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use operations::RunRecord;
use serde_json::{Value, json};
use store::Store;

use super::runs::short;
use crate::command_output::envelope;
use crate::report::{Reporter, table};
use crate::run_records;

/// A value of two runs that differs: `null` where one has none.
#[derive(Debug, Clone, PartialEq)]
struct Difference {
    what: String,
    old: Value,
    new: Value,
}

/// Compares two runs.
///
/// # Errors
/// If one is not there, or the store fails.
pub(crate) fn run(store: &Store, old: &str, new: &str, reporter: &Reporter) -> Result<()> {
    let old = run_records::find(store, old, reporter)?;
    let new = run_records::find(store, new, reporter)?;
    let differences = differences(&old, &new);
    let entries: Vec<Value> = (differences.iter())
        .map(|difference| {
            json!({ "what": difference.what, "old": difference.old, "new": difference.new })
        })
        .collect();
    let result = json!({ "old": old.run_id, "new": new.run_id, "differences": entries });
    reporter.result(&envelope("runs diff", result), || {
        if differences.is_empty() {
            return "same code, settings, tables, stages and scores".to_owned();
        }
        let text = |value: &Value| match value {
            Value::Null => String::new(),
            Value::String(text) if text.len() == 64 => short(text).to_owned(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let rows: Vec<Vec<String>> = (differences.iter())
            .map(|difference| {
                vec![difference.what.clone(), text(&difference.old), text(&difference.new)]
            })
            .collect();
        table(&["", "old", "new"], &rows)
    });
    Ok(())
}

/// What differs, in the order: how they ended, code, settings, tables, stages, scores.
fn differences(old: &RunRecord, new: &RunRecord) -> Vec<Difference> {
    let mut all = Vec::new();
    for (one, other) in facts(old).into_iter().zip(facts(new)) {
        let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
        for name in names {
            let of = |facts: &BTreeMap<String, Value>| facts.get(name).cloned().unwrap_or_default();
            let (old, new) = (of(&one), of(&other));
            if old != new {
                all.push(Difference { what: name.clone(), old, new });
            }
        }
    }
    all
}

/// What is compared of a run, in groups.
fn facts(record: &RunRecord) -> [BTreeMap<String, Value>; 5] {
    let run = [
        ("pipeline", json!(record.pipeline)),
        ("as of", json!(record.as_of)),
        ("status", json!(record.status)),
        ("error", json!(record.error.as_ref().map(|error| &error.message))),
        ("code", json!(record.code_version)),
        ("champion", json!(record.champion_after)),
    ];
    let run = run.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let settings = record.settings.iter();
    let settings = settings.map(|(key, value)| (format!("setting {key}"), value.clone())).collect();
    let mut tables = BTreeMap::new();
    for (name, found) in &record.tables {
        for (what, value) in [
            ("files", json!(found.files)),
            ("rows", json!(found.rows)),
            ("rows in quarantine", json!(found.rows_quarantined)),
            ("last day", json!(found.last_day)),
            ("contents", json!(found.digest)),
        ] {
            tables.insert(format!("{name}: {what}"), value);
        }
    }
    let stages = record.stages.iter();
    let stages = stages.map(|stage| (format!("{} id", stage.stage), json!(stage.id))).collect();
    let mut scores = BTreeMap::new();
    let evaluated = record.stage("evaluate").map(|stage| &stage.summary["scores"]);
    for score in evaluated.and_then(Value::as_array).into_iter().flatten() {
        for key in ["mae_days", "mean_pinball_days", "coverage_80"] {
            let name = score["name"].as_str().unwrap_or_default();
            scores.insert(format!("{name}: {key}"), score[key].clone());
        }
    }
    [run, settings, tables, stages, scores]
}
