//! The command `verify`: reads every object that names what it must be, and mends what is damaged
//! where the store holds what it can be made of.
//!
//! A copy of the same bytes elsewhere in the store replaces a damaged file: a model's files are the
//! outputs of its training, too. State is a cache and is taken away; a damaged manifest or an output
//! without a copy takes its stage's manifest away, so that a rerun of the night makes it again.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Serialize;
use serde_json::json;
use store::Store;
use terms::{Digest, ErrorClass, count};

use crate::command_output::{CommandOutput, envelope};
use crate::inventory::{Inventory, Kind, Object};
use crate::predictions_folder;
use crate::refusal::Refusal;
use crate::report::{Reporter, table};

/// What became of a damaged object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Remedy {
    /// It holds the right bytes again.
    Mended,
    /// It was taken away, and is made again when it is needed.
    TakenAway,
    /// What a person can do.
    Needed(String),
}

#[derive(Debug, Clone, Serialize)]
struct Damage {
    path: String,
    problem: String,
    remedy: Remedy,
}

/// Verifies a store; mends it if `repair` says so.
///
/// # Errors
/// If the store cannot be read or, with `repair`, written.
pub(crate) fn run(store: &Store, repair: bool, reporter: &Reporter) -> Result<CommandOutput> {
    reporter.progress("verify: lists objects".to_owned());
    let inventory = Inventory::of(store)?;
    let copies = inventory.copies();
    let mut damages = Vec::new();
    let mut n_verified = 0;
    for object in inventory.objects() {
        let Some(problem) = problem_of(store, object)? else {
            n_verified += 1;
            continue;
        };
        let remedy = match repair {
            true => mend(store, object, &inventory, &copies)?,
            false => Remedy::Needed(format!("longhaul verify --repair {}", what_it_does(object))),
        };
        damages.push(Damage { path: object.path.clone(), problem, remedy });
    }
    let left = damages.iter().filter(|damage| matches!(damage.remedy, Remedy::Needed(_))).count();
    let text = text_of(store, n_verified, &damages);
    let refused = (left > 0).then(|| Refusal::Damaged { n: left, store: store.url().to_owned() });
    let result = json!({ "verified": n_verified, "damaged": damages });
    Ok(CommandOutput { json: envelope("verify", result), text, refused })
}

/// What is wrong with an object; `None` if it is as it was written.
fn problem_of(store: &Store, object: &Object) -> Result<Option<String>> {
    if let Some(problem) = &object.problem {
        return Ok(Some(problem.clone()));
    }
    let Some(digest) = &object.digest else { return Ok(None) };
    match store.get_verified(&object.path, digest) {
        Ok(_) => Ok(None),
        Err(error) => match error.class() {
            ErrorClass::Contract | ErrorClass::Input => Ok(Some(error.to_string())),
            _ => Err(error.into()),
        },
    }
}

/// Replaces or takes away a damaged object, or says what is needed.
fn mend(
    store: &Store,
    object: &Object,
    inventory: &Inventory,
    copies: &BTreeMap<Digest, Vec<String>>,
) -> Result<Remedy> {
    if let Some(digest) = &object.digest {
        for copy in copies.get(digest).into_iter().flatten().filter(|path| **path != object.path) {
            if let Ok(bytes) = store.get_verified(copy, digest) {
                store.put(&object.path, bytes)?;
                return Ok(Remedy::Mended);
            }
        }
    }
    match &object.kind {
        Kind::State => {
            // The lists that name it first: they would lead to nothing.
            for list in inventory.lists_with(&object.path) {
                store.delete(list)?;
            }
            store.delete(&object.path)?;
        }
        Kind::StageManifest => store.delete(&object.path)?,
        Kind::StageOutput { manifest } => store.delete(manifest)?,
        Kind::Pointer { pipeline } => {
            // With the number that it had, if it can be read; a run under way has a higher one.
            return Ok(match artifact::rebuild(store, pipeline, 0)? {
                Some(_) => Remedy::Mended,
                None => Remedy::Needed(format!("longhaul run the pipeline {pipeline}")),
            });
        }
        Kind::LatestPredictions { pipeline } => {
            return Ok(match predictions_folder::rebuild(store, pipeline)? {
                true => Remedy::Mended,
                false => Remedy::TakenAway,
            });
        }
        Kind::Decision => {
            return Ok(Remedy::Needed(
                "restore it, or delete it and decide again: longhaul models rollback".to_owned(),
            ));
        }
        Kind::Lease => return Ok(Remedy::Needed("it expires by itself".to_owned())),
        Kind::Model { as_of } => {
            let night = as_of
                .as_ref()
                .map_or("its night".to_owned(), |as_of| format!("the night as of {as_of}"));
            return Ok(Remedy::Needed(format!(
                "run {night} again: longhaul run PIPELINE --as-of …"
            )));
        }
        Kind::Table => {
            return Ok(Remedy::Needed("import again with --force, or restore the file".to_owned()));
        }
        Kind::Run => store.delete(&object.path)?,
        Kind::Forecast => {
            return Ok(Remedy::Needed("delete it: its night is then not compared".to_owned()));
        }
    }
    Ok(Remedy::TakenAway)
}

/// What `--repair` does about an object that has no copy.
fn what_it_does(object: &Object) -> &'static str {
    match object.kind {
        Kind::State => "takes it away; it is built again when it is needed",
        Kind::StageManifest | Kind::StageOutput { .. } => "lets a rerun make it again",
        Kind::Pointer { .. } => "points it to the newest model that passed",
        Kind::LatestPredictions { .. } => "points it to the newest night that is whole",
        Kind::Model { .. } => "copies it from the outputs of its training, if they are there",
        Kind::Run => "takes it away; nothing but `runs` reads it",
        Kind::Lease | Kind::Table | Kind::Forecast | Kind::Decision => "says what is needed",
    }
}

fn text_of(store: &Store, n_verified: usize, damages: &[Damage]) -> String {
    let url = store.url();
    let mut text = format!("{} objects of {url} are as they were written", count(n_verified));
    if !damages.is_empty() {
        let rows: Vec<Vec<String>> = (damages.iter())
            .map(|damage| {
                let remedy = match &damage.remedy {
                    Remedy::Mended => "mended".to_owned(),
                    Remedy::TakenAway => "taken away; what is needed is made again".to_owned(),
                    Remedy::Needed(what) => what.clone(),
                };
                vec![damage.path.clone(), damage.problem.clone(), remedy]
            })
            .collect();
        text += &format!("\n{} are not:\n\n", count(damages.len()));
        text += &table(&["object", "problem", "remedy"], &rows);
    }
    text
}
