//! Where the last check left its finding, so that the next one reads only what is new.
//!
//! One small object for each set of contracts, releases and code, written after the manifest. It may be lost
//! or old: then more is read, and the same is found.

use std::collections::BTreeMap;

use anyhow::Result;
use intake::{Contract, Earlier, FileVersion, Listed};
use serde::{Deserialize, Serialize};
use store::Store;
use terms::{AsOf, Digest, Fingerprint};

use crate::stage::{CODE_VERSION, StageResult};

/// Points to a finding, and says what its files were.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct LastCheck {
    schema_version: u32,
    as_of: AsOf,
    /// The finding.
    path: String,
    /// Its digest.
    digest: Digest,
    /// The files that it is about, by path.
    files: BTreeMap<String, FileVersion>,
}

/// Where the last check with these contracts, these releases and this code is pointed to.
pub(crate) fn pointer(contracts: &[Contract], listed: &Listed) -> String {
    let start = Fingerprint::new()
        .with("code", CODE_VERSION)
        .with("releases", listed.releases_digest().as_str());
    let all = contracts
        .iter()
        .fold(start, |hash, contract| hash.with(contract.table(), contract.digest().as_str()));
    format!("state/check/{}.json", all.finish().short())
}

/// The last check, if it can be found. Whatever is wrong with it costs time and nothing else.
pub(crate) fn find(store: &Store, pointer: &str) -> Option<Earlier> {
    let last = read(store, pointer)?;
    let bytes = store.get_verified(&last.path, &last.digest);
    let check = bytes.ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    if check.is_none() {
        tracing::info!(path = last.path, "the last check is not there any more: all is read");
    }
    Some(Earlier { check: check?, versions: last.files })
}

/// Points to what a check found in `output`, unless a later check is pointed to.
///
/// # Errors
/// If it cannot be encoded, which it has no reason to.
pub(crate) fn leave(
    store: &Store,
    pointer: &str,
    result: &StageResult,
    output: &str,
    listed: &Listed,
) -> Result<()> {
    let Some(digest) = result.manifest.outputs.get(output) else { return Ok(()) };
    let last = LastCheck {
        schema_version: 1,
        as_of: result.manifest.as_of,
        path: format!("{}/{output}", result.folder),
        digest: digest.clone(),
        files: listed.versions(),
    };
    let before = read(store, pointer);
    if before.is_some_and(|before| before.as_of > last.as_of || before == last) {
        return Ok(());
    }
    let bytes = serde_json::to_vec(&last)?;
    if let Err(error) = store.put(pointer, bytes.into()) {
        tracing::warn!("{error}: the next check reads everything");
    }
    Ok(())
}

fn read(store: &Store, pointer: &str) -> Option<LastCheck> {
    let (bytes, _) = store.get_versioned(pointer).ok()??;
    serde_json::from_slice(&bytes).ok()
}
