//! A pointer to the result of the last check, so that the next one reads only files that changed.
//!
//! One small object for each set of contracts, releases and code, written after the manifest. It
//! may be lost or old: then more files are read, and the result is the same.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use intake::{Contract, FileVersion, Listing, PreviousCheck};
use serde::{Deserialize, Serialize};
use store::Store;
use terms::{AsOf, Digest, Fingerprint, Schema};

use crate::stage::{CODE_VERSION, StageResult};

/// Where the pointers are.
const FOLDER: &str = "state/check/";
/// The form of the pointer.
const LAST_CHECK: Schema = Schema { name: "last-check", version: 2 };

/// Where the result of a check is, and the versions of the files that it read.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct LastCheck {
    as_of: AsOf,
    /// The path of the result.
    path: String,
    /// Its digest.
    digest: Digest,
    /// The versions of the checked files, by path.
    files: BTreeMap<String, FileVersion>,
    /// What was gone by then, and why that was accepted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    accepted: BTreeMap<String, String>,
}

/// What the last checks saw, whatever their contracts and code.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Paths of files.
    pub(crate) files: BTreeSet<String>,
    /// What was gone, and why that was accepted.
    pub(crate) accepted: BTreeMap<String, String>,
}

/// The files of the last checks.
///
/// # Errors
/// If the store cannot be listed.
pub(crate) fn seen(store: &Store) -> Result<Seen> {
    let entries = store.list(FOLDER)?;
    let all: Vec<LastCheck> = entries.iter().filter_map(|entry| read(store, &entry.path)).collect();
    let newest = all.iter().map(|last| last.as_of).max();
    let mut seen = Seen::default();
    for last in all {
        if Some(last.as_of) == newest {
            seen.files.extend(last.files.into_keys());
        }
        seen.accepted.extend(last.accepted);
    }
    Ok(seen)
}

/// The path of the pointer to the last check with these contracts, these releases and this code.
pub(crate) fn pointer(contracts: &[Contract], listing: &Listing) -> String {
    let start = Fingerprint::new()
        .with("code", CODE_VERSION)
        .with("releases", listing.releases_digest().as_str());
    let all = contracts
        .iter()
        .fold(start, |hash, contract| hash.with(contract.table(), contract.digest().as_str()));
    format!("{FOLDER}{}.json", all.finish().short())
}

/// The last check, if it can be read. Without it everything is read, and nothing else changes.
pub(crate) fn find(store: &Store, pointer: &str) -> Option<PreviousCheck> {
    let last = read(store, pointer)?;
    let bytes = store.get_verified(&last.path, &last.digest);
    let check = bytes.ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    if check.is_none() {
        tracing::info!(path = last.path, "the last check cannot be read: all files are read");
    }
    Some(PreviousCheck { check: check?, versions: last.files })
}

/// Points to the result of a check, its output `output`, unless the pointer is at a later check.
///
/// # Errors
/// If the pointer cannot be encoded as JSON.
pub(crate) fn save(
    store: &Store,
    pointer: &str,
    check: &StageResult,
    output: &str,
    listing: &Listing,
    accepted: BTreeMap<String, String>,
) -> Result<()> {
    let Some(digest) = check.manifest.outputs.get(output) else { return Ok(()) };
    let last = LastCheck {
        as_of: check.manifest.as_of,
        path: format!("{}/{output}", check.folder),
        digest: digest.clone(),
        files: listing.versions(),
        accepted,
    };
    let before = read(store, pointer);
    if before.is_some_and(|before| before.as_of > last.as_of || before == last) {
        return Ok(());
    }
    let bytes = LAST_CHECK.seal(&last)?;
    if let Err(error) = store.put(pointer, bytes.into()) {
        tracing::warn!("{error}: the next check reads all files");
    }
    Ok(())
}

/// The as-of of the check that a pointer leads to, if it can be read.
pub(crate) fn as_of_at(store: &Store, pointer: &str) -> Option<AsOf> {
    read(store, pointer).map(|last| last.as_of)
}

fn read(store: &Store, pointer: &str) -> Option<LastCheck> {
    match store.get_sealed(pointer, LAST_CHECK) {
        Ok(found) => found.map(|(last, _)| last),
        Err(error) => {
            tracing::warn!("{error}: all files are read");
            None
        }
    }
}
