//! The command `gc`: deletes what no later night reads.
//!
//! It keeps the outputs and predictions of the last nights, the newest predictions of each pipeline, and
//! what these and the next nights read: champions, the models of the hold-outs' starts, stored forecasts
//! that can still be compared, the history state.
//! Tables, quarantine, releases and finished backtests are never touched; of backtests that were
//! killed and not begun again since the first of the kept nights all goes, and many commits of tables
//! become one. It works under the lease of every pipeline, so that it deletes nothing that a run is
//! about to finish.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use anyhow::Result;
use serde_json::json;
use store::Store;
use terms::{AsOf, count};

use crate::command_output::{CommandOutput, envelope};
use crate::inventory::Inventory;
use crate::lease::Lease;
use crate::machine::Clock;
use crate::predictions_folder::{Owner, owner_of};
use crate::report::table;
use crate::stages::{
    NIGHTS_DAYS, NightInputs, StoredNight, check_at, is_half_year, judged_since,
    objects_of_features,
};
use crate::stored_models;

/// A temporary file that was written to so long ago is of no write under way.
const LEFTOVER_AGE: Duration = Duration::from_secs(86_400);

/// Deletes what none of the last `keep` nights and no later one reads; with `dry_run` only says so.
///
/// # Errors
/// If a run is under way, or the store fails.
pub(crate) fn run(
    store: &Store,
    keep: usize,
    dry_run: bool,
    clock: &dyn Clock,
    now: SystemTime,
) -> Result<CommandOutput> {
    let inventory = Inventory::of(store)?;
    // After what is listed: an unfinished run in it is one whose lease is there by now.
    let leases = Lease::take_all(store, clock)?;
    let kept = Kept::of(store, &inventory, keep)?;
    let unfinished = kept.nights.first().map(|first| Unfinished::of(&inventory, *first));
    let is_left = |path: &str| unfinished.as_ref().is_some_and(|backtests| backtests.left(path));
    let swept: Vec<(&str, u64)> = (inventory.entries.values())
        .filter(|entry| {
            is_left(&entry.path) || is_swept(&entry.path) && !kept.paths.contains(&entry.path)
        })
        .map(|entry| (entry.path.as_str(), entry.size))
        .collect();
    let folded = intake::fold_commits(store, dry_run)?;
    let folded = folded.iter().filter_map(|path| inventory.entries.get(path));
    let leftovers = match now.checked_sub(LEFTOVER_AGE) {
        Some(before) if dry_run => {
            let all = store.leftovers()?.into_iter();
            all.filter(|leftover| leftover.written < before).collect()
        }
        Some(before) => store.remove_leftovers(before)?,
        None => Vec::new(),
    };
    if !dry_run {
        // What names others goes first, so that nothing that is left names what is gone.
        let (names, rest): (Vec<_>, Vec<_>) = swept.iter().partition(|(path, _)| {
            path.ends_with("/manifest.json") || path.starts_with("state/nights/")
        });
        for (path, _) in names.into_iter().chain(rest) {
            store.delete(path)?;
        }
    }
    drop(leases);
    let mut of_kind: BTreeMap<&str, (usize, u64)> = BTreeMap::new();
    let temporary = leftovers.iter().map(|leftover| ("temporary files", leftover.size));
    let objects = swept.iter().map(|(path, size)| (path.split('/').next().unwrap_or(path), *size));
    let commits = folded.map(|entry| ("commits of tables", entry.size));
    for (kind, size) in objects.chain(commits).chain(temporary) {
        let (n, bytes) = of_kind.entry(kind).or_default();
        *n += 1;
        *bytes += size;
    }
    let (n, bytes) = of_kind.values().fold((0, 0), |all, of| (all.0 + of.0, all.1 + of.1));
    let result = json!({
        "nights": kept.nights,
        "dry_run": dry_run,
        "deleted": of_kind.iter().map(|(kind, (n, bytes))| {
            json!({ "what": kind, "objects": n, "bytes": bytes })
        }).collect::<Vec<_>>(),
        "objects": n,
        "bytes": bytes,
    });
    let rows: Vec<Vec<String>> = of_kind
        .iter()
        .map(|(kind, (n, bytes))| vec![(*kind).to_owned(), count(*n), count(*bytes as usize)])
        .collect();
    let verb = if dry_run { "would be deleted; --delete does it" } else { "deleted" };
    let first = kept.nights.first().map_or_else(|| "none".to_owned(), AsOf::to_string);
    let text = format!(
        "keeps {} nights, the first as of {first}\n{} objects, {} bytes {verb}\n\n{}",
        kept.nights.len(),
        count(n),
        count(bytes as usize),
        table(&["where", "objects", "bytes"], &rows)
    );
    Ok(CommandOutput { json: envelope("gc", result), text, refused: None })
}

/// Whether an object is of a kind that is deleted once nothing refers to it.
fn is_swept(path: &str) -> bool {
    let swept = ["runs/", "state/", "models/", "forecasts/", "predictions/"];
    swept.iter().any(|folder| path.starts_with(folder))
}

/// Backtests that were killed: what they left and never made use of.
struct Unfinished<'a> {
    inventory: &'a Inventory,
    /// Folders without a manifest that somebody may still go on with.
    recent: BTreeSet<&'a str>,
}

impl<'a> Unfinished<'a> {
    /// Those as of `first` or later may still be gone on with.
    fn of(inventory: &'a Inventory, first: AsOf) -> Self {
        let is_recent =
            |path: &&String| stored_models::as_of_in(path).is_some_and(|at| at >= first);
        let recent = inventory.entries.keys().filter(is_recent).filter_map(|path| folder_of(path));
        Self { inventory, recent: recent.collect() }
    }

    /// Whether an object is one of them: of a backtest without a manifest, or no output of one with.
    fn left(&self, path: &str) -> bool {
        let Some(folder) = folder_of(path) else { return false };
        let manifest = format!("{folder}/manifest.json");
        match self.inventory.stages.get(folder) {
            Some(_) => path != manifest && stored_models::as_of_in(path).is_some(),
            // A damaged one is for `verify`.
            None => {
                !self.inventory.entries.contains_key(&manifest) && !self.recent.contains(folder)
            }
        }
    }
}

/// The folder of a backtest that has an object.
fn folder_of(path: &str) -> Option<&str> {
    let id = path.strip_prefix("backtests/")?.split('/').next()?;
    path.get(.."backtests/".len() + id.len())
}

/// What is kept.
struct Kept {
    /// The nights, oldest first.
    nights: Vec<AsOf>,
    paths: BTreeSet<String>,
}

impl Kept {
    fn of(store: &Store, inventory: &Inventory, keep: usize) -> Result<Self> {
        let of_nights = |stage: &str| stage != "simulate";
        let stages = inventory.stages.iter().filter(|(folder, _)| folder.starts_with("runs/"));
        let nights = stages.clone().filter(|(_, manifest)| of_nights(&manifest.stage));
        let nights: BTreeSet<AsOf> = nights.map(|(_, manifest)| manifest.as_of).collect();
        let nights: Vec<AsOf> =
            nights.iter().copied().skip(nights.len().saturating_sub(keep)).collect();
        let mut kept = Self { nights, paths: BTreeSet::new() };
        let Some(&first) = kept.nights.first() else {
            kept.paths.extend(inventory.entries.keys().cloned());
            return Ok(kept);
        };
        // The start of the first hold-out that is judged again: models before it are its champion.
        let mut start = first;
        for (folder, manifest) in stages {
            if of_nights(&manifest.stage) && !kept.nights.contains(&manifest.as_of) {
                continue;
            }
            kept.paths.insert(format!("{folder}/manifest.json"));
            kept.paths.extend(manifest.outputs.keys().map(|name| format!("{folder}/{name}")));
            if let Some(from) = judged_since(manifest) {
                start = start.min(from);
            }
            kept.paths.extend(objects_of_features(store, folder, manifest)?);
        }
        kept.add_inputs(store, inventory)?;
        kept.add_models(inventory, start);
        kept.add_state(store, inventory, first);
        kept.add_predictions(inventory, first);
        // What was predicted so long before a hold-out is compared on it.
        let forecasts = start.plus_days(-NIGHTS_DAYS);
        for path in inventory.entries.keys().filter(|path| path.starts_with("forecasts/")) {
            let night = StoredNight::at(path.clone());
            if night.is_none_or(|night| night.as_of() >= forecasts) {
                kept.paths.insert(path.clone());
            }
        }
        Ok(kept)
    }

    fn add_inputs(&mut self, store: &Store, inventory: &Inventory) -> Result<()> {
        for path in inventory.entries.keys() {
            if path.starts_with("runs/") && path.ends_with("/inputs.json") {
                let is_kept = match NightInputs::at(store, path) {
                    Ok(found) => found.is_some_and(|night| self.nights.contains(&night.as_of)),
                    // What is damaged is for `verify`.
                    Err(store::Error::Sealed { .. }) => true,
                    Err(error) => return Err(error.into()),
                };
                if is_kept {
                    self.paths.insert(path.clone());
                }
            }
        }
        Ok(())
    }

    fn add_models(&mut self, inventory: &Inventory, start: AsOf) {
        let mut ids: BTreeSet<&str> = BTreeSet::new();
        let mut with_a_champion: BTreeSet<&str> = BTreeSet::new();
        for model in &inventory.models {
            // Newest first: the first one that passed before the start is its champion.
            let is_champion_of_start = model.about.as_of <= start
                && model.about.passed
                && with_a_champion.insert(&model.about.pipeline);
            if model.about.as_of > start || is_champion_of_start {
                ids.insert(&model.model_id);
            }
        }
        for pointer in inventory.champions.values() {
            ids.insert(&pointer.model_id);
            ids.extend(pointer.previous.as_deref());
        }
        let known: BTreeSet<&str> =
            inventory.models.iter().map(|model| model.model_id.as_str()).collect();
        for path in inventory.entries.keys().filter(|path| path.starts_with("models/")) {
            let id = path.split('/').nth(1).unwrap_or_default();
            // Pointers, and what `verify` has to look at: a model without a manifest that can be read.
            let is_unknown = !known.contains(id) && path.ends_with(".json");
            if ids.contains(id) || is_unknown {
                self.paths.insert(path.clone());
            }
        }
    }

    fn add_predictions(&mut self, inventory: &Inventory, first: AsOf) {
        for path in inventory.entries.keys().filter(|path| path.starts_with("predictions/")) {
            let is_kept = match owner_of(path) {
                Some(Owner::Partition(pipeline, as_of)) => {
                    // Where the pointer is damaged, `verify` comes first.
                    let latest = inventory.latest.get(pipeline);
                    as_of >= first || latest.is_none_or(|latest| latest.as_of == as_of)
                }
                Some(Owner::Latest(_)) | None => true,
            };
            if is_kept {
                self.paths.insert(path.clone());
            }
        }
    }

    fn add_state(&mut self, store: &Store, inventory: &Inventory, first: AsOf) {
        let newest = inventory.states.values().map(|list| list.until).max();
        for (path, list) in &inventory.states {
            // The state after the day before a night is what that night and the next one go on from.
            if list.until >= first.day() || Some(list.until) == newest || is_half_year(list.until) {
                self.paths.insert(path.clone());
                self.paths.extend(list.objects().map(|(object, _)| object.to_owned()));
            }
        }
        let checks = inventory.entries.keys().filter(|path| path.starts_with("state/check/"));
        let of_kept = checks.filter(|path| check_at(store, path).is_none_or(|at| at >= first));
        self.paths.extend(of_kept.cloned());
    }
}
