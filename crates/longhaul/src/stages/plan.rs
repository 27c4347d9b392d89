//! What a run would do: which stages and partitions, and why. Manifests, listings and what was found
//! before are read; tables, features and models are not, and nothing is written.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use intake::{Listing, PartitionState, partition_states};
use operations::{RunRecord, StageRecord};
use serde::Serialize;
use terms::Day;

use super::chain::{Results, Stage, run_stage};
use super::last_check;
use crate::diagnosis::Diagnosis;
use crate::settings::Resolved;
use crate::stage::{CODE_VERSION, RunContext, WouldRun};

/// What a run would do with a stage or a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Action {
    /// It was not done yet.
    Run,
    /// It was done with the same inputs.
    Skip,
    /// It was done, and is done again: its inputs are others now.
    Stale,
}

impl Action {
    /// As it is printed.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Run => "RUN",
            Self::Skip => "SKIP",
            Self::Stale => "STALE",
        }
    }
}

/// What a run would do with a stage, and why.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct PlannedStage {
    pub(crate) stage: &'static str,
    pub(crate) action: Action,
    /// Its id, where that is known before the stages that it needs have run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
    pub(crate) reason: String,
}

/// What a run would do with partitions in a row of a table, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct PlannedPartitions {
    pub(crate) table: String,
    pub(crate) first: String,
    pub(crate) last: String,
    /// How many there are from the first to the last.
    pub(crate) partitions: usize,
    pub(crate) action: Action,
    pub(crate) reason: &'static str,
}

/// What a run would do with every stage. `before` has the records of the last runs of the same night,
/// newest first.
pub(crate) fn stages(
    context: &RunContext<'_>,
    resolved: &Resolved,
    before: &[RunRecord],
) -> Vec<PlannedStage> {
    let mut results = Results::default();
    let mut planned: Vec<PlannedStage> = Vec::new();
    for stage in Stage::ALL {
        let done_before = before.iter().find_map(|record| {
            let done = record.stage(stage.name()).filter(|done| done.id.is_some())?;
            Some((record, done))
        });
        let again = if done_before.is_some() { Action::Stale } else { Action::Run };
        // Score reads the model that publish leaves.
        let needs = stage.needs().iter().chain((stage == Stage::Score).then_some(&Stage::Publish));
        let first = needs.map(|needed| needed.name()).find(|needed| {
            planned.iter().any(|one| one.stage == *needed && one.action != Action::Skip)
        });
        let (action, id, reason) = match first {
            Some(first) => (again, None, format!("{first} runs first")),
            None => match run_stage(context, resolved, stage, &mut results) {
                Ok(()) => {
                    let id = results.of(stage).map(|result| result.manifest.id.clone()).ok();
                    (Action::Skip, id, "same data, settings, code and as-of were done".to_owned())
                }
                Err(error) => match error.downcast_ref::<WouldRun>() {
                    Some(would) => {
                        let reason = match context.force {
                            true => "--force".to_owned(),
                            false => reason(would, done_before),
                        };
                        (again, Some(would.id.clone()), reason)
                    }
                    None => {
                        let Diagnosis { message, exit_code, .. } = Diagnosis::of(&error);
                        let code = exit_code.number();
                        (again, None, format!("it would end with exit code {code}: {message}"))
                    }
                },
            },
        };
        planned.push(PlannedStage { stage: stage.name(), action, id, reason });
    }
    planned
}

/// Why a stage would run: what of its inputs is not as in the run before.
fn reason(would: &WouldRun, before: Option<(&RunRecord, &StageRecord)>) -> String {
    let Some((run, before)) = before else { return "not done yet".to_owned() };
    let mut seen = BTreeSet::new();
    let mut reasons = Vec::new();
    if run.code_version != CODE_VERSION {
        reasons.push("the program is another one".to_owned());
    }
    let names = would.inputs.keys().chain(before.inputs.keys());
    for name in names.filter(|name| seen.insert(*name)) {
        let (old, new) = (before.inputs.get(name), would.inputs.get(name));
        if old != new {
            reasons.push(difference(name, old, new));
        }
    }
    match reasons.is_empty() {
        true => "its manifest is gone or damaged".to_owned(),
        false => reasons.join("; "),
    }
}

/// How an input differs. Settings are JSON, of which the keys that differ are named.
fn difference(name: &str, old: Option<&String>, new: Option<&String>) -> String {
    let parsed = |text: Option<&String>| -> Option<BTreeMap<String, String>> {
        let value: serde_json::Value = serde_json::from_str(text?).ok()?;
        let mut keys = BTreeMap::new();
        flatten(name, &value, &mut keys);
        value.is_object().then_some(keys)
    };
    match (parsed(old), parsed(new)) {
        (Some(old), Some(new)) => {
            let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            let none = "unset".to_owned();
            let changes =
                keys.into_iter().filter(|key| old.get(*key) != new.get(*key)).map(|key| {
                    let of = |values: &BTreeMap<String, String>| {
                        values.get(key).cloned().unwrap_or_else(|| none.clone())
                    };
                    format!("{key} was {} and is {}", of(&old), of(&new))
                });
            changes.collect::<Vec<_>>().join("; ")
        }
        _ => match name {
            "listing" => "files of the tables are others".to_owned(),
            "tables" => "what the check found is another".to_owned(),
            "declaration" => "the declaration of features is another".to_owned(),
            "months.json" => "the features are others".to_owned(),
            "models" => "other models were published before this night".to_owned(),
            "nights" => "other forecasts were stored before this night".to_owned(),
            "model" => "another model scores".to_owned(),
            name => format!("{name} is another"),
        },
    }
}

fn flatten(prefix: &str, value: &serde_json::Value, keys: &mut BTreeMap<String, String>) {
    match value {
        serde_json::Value::Object(fields) => {
            for (name, value) in fields {
                flatten(&format!("{prefix}.{name}"), value, keys);
            }
        }
        value => drop(keys.insert(prefix.to_owned(), value.to_string())),
    }
}

/// What the check of a run would do with every partition, and the tables that have none and need one.
///
/// # Errors
/// If a contract cannot be read, or the store fails.
pub(crate) fn partitions(
    context: &RunContext<'_>,
    resolved: &Resolved,
) -> Result<(Vec<PlannedPartitions>, Vec<String>)> {
    let mut contracts = resolved.contracts()?;
    let listing = Listing::read(context.store, &contracts, context.as_of)?;
    let pointer = last_check::pointer(&contracts, &listing);
    if context.accepted.stale.is_some() {
        contracts = contracts.into_iter().map(intake::Contract::accepting_stale).collect();
    }
    let previous = last_check::find(context.store, &pointer).filter(|_| !context.force);
    let mut planned: Vec<PlannedPartitions> = Vec::new();
    let states = partition_states(&contracts, &listing, previous.as_ref());
    let needed = contracts.iter().filter(|contract| !contract.is_optional());
    let lacks = |table: &str| states.get(table).is_none_or(BTreeMap::is_empty);
    let missing = needed.map(|contract| contract.table().to_owned()).filter(|table| lacks(table));
    let missing: Vec<String> = missing.collect();
    for (table, states) in states {
        let mut before: Option<(Day, PartitionState)> = None;
        for (day, state) in states {
            match planned.last_mut() {
                Some(row) if before.is_some_and(|(_, last)| last == state) => {
                    row.last = day.to_string();
                    row.partitions += 1;
                }
                _ => {
                    let (action, reason) = said(state);
                    planned.push(PlannedPartitions {
                        table: table.clone(),
                        first: day.to_string(),
                        last: day.to_string(),
                        partitions: 1,
                        action,
                        reason,
                    });
                }
            }
            before = Some((day, state));
        }
    }
    Ok((planned, missing))
}

fn said(state: PartitionState) -> (Action, &'static str) {
    match state {
        PartitionState::Unchanged => (Action::Skip, "unchanged since the check before"),
        PartitionState::New => (Action::Run, "not checked yet"),
        PartitionState::Changed => (Action::Stale, "its files are others"),
        PartitionState::NotOver => (Action::Stale, "its day was not over"),
        PartitionState::AfterChange => (Action::Stale, "an earlier partition changed"),
        PartitionState::Removed => (Action::Stale, "its files are gone"),
    }
}
