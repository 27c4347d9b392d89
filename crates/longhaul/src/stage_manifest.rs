//! What a stage leaves: its manifest, and the outputs that it names.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use store::Store;
use terms::{AsOf, Digest, Schema};

use crate::refusal::Refusal;

/// The form of the manifest of a stage.
pub(crate) const MANIFEST: Schema = Schema { name: "stage", version: 2 };

/// A digest of the sources that this program was built from.
pub(crate) const CODE_VERSION: &str = env!("LONGHAUL_CODE_VERSION");

/// The manifest of a stage that is done.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StageManifest {
    /// The stage.
    pub(crate) stage: String,
    /// Its id.
    pub(crate) id: String,
    /// Only facts recorded before this were used.
    pub(crate) as_of: AsOf,
    /// A digest of the sources of the program.
    pub(crate) code_version: String,
    /// Digests and settings of its inputs, by name.
    pub(crate) inputs: BTreeMap<String, String>,
    /// Digests of its outputs, by file name.
    pub(crate) outputs: BTreeMap<String, Digest>,
    /// Counts and findings of the stage.
    pub(crate) summary: serde_json::Value,
}

/// The result of a stage that is done.
#[derive(Debug, Clone)]
pub(crate) struct StageResult {
    /// The folder of its outputs in the store.
    pub(crate) folder: String,
    /// Its manifest.
    pub(crate) manifest: StageManifest,
    /// Whether it was done before, with the same inputs.
    pub(crate) skipped: bool,
}

impl StageResult {
    /// The bytes of an output, verified.
    ///
    /// # Errors
    /// If the stage has no such output, or its bytes are not those that it wrote.
    pub(crate) fn read(&self, store: &Store, name: &str) -> Result<Bytes> {
        let path = format!("{}/{name}", self.folder);
        let digest = self
            .manifest
            .outputs
            .get(name)
            .ok_or_else(|| Refusal::Unreadable { path: path.clone(), expected: "an output" })?;
        Ok(store.get_verified(&path, digest)?)
    }

    /// The digest of an output; empty if there is no such output.
    pub(crate) fn digest(&self, name: &str) -> String {
        self.manifest.outputs.get(name).map(Digest::to_string).unwrap_or_default()
    }

    /// The summary, as the type that the stage wrote.
    ///
    /// # Errors
    /// If it cannot be parsed as that type.
    pub(crate) fn summary<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_value(self.manifest.summary.clone())
            .with_context(|| format!("{}/manifest.json", self.folder))
    }
}
