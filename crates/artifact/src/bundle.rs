//! A bundle in memory: the files of a model, and the manifest that lists them with their digests.

use std::collections::BTreeMap;

use scorer::Scorer;
use serde::{Deserialize, Serialize};
use terms::{AsOf, Digest, Fingerprint};

use crate::Error;

/// Version of the manifest's form.
const SCHEMA_VERSION: u32 = 1;

/// Where a model comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Only facts recorded before this moment were used in training.
    pub as_of: AsOf,
    /// The pipeline's name.
    pub pipeline: String,
    /// The family of its regressors.
    pub family: String,
    /// Digest of the sources that the program was built from.
    pub code_version: String,
    /// Digest of the feature matrix that it was trained on.
    pub features_digest: Digest,
    /// The seed of training.
    pub seed: u64,
    /// Whether it passed the gates. A model that did not is kept, and never scores.
    pub passed: bool,
}

/// A file of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Digest of its bytes.
    pub sha256: Digest,
    /// How many bytes.
    pub bytes: u64,
}

/// What `manifest.json` holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this form.
    pub schema_version: u32,
    /// A digest of the files' digests and of where the model comes from.
    pub model_id: String,
    /// Where the model comes from.
    #[serde(flatten)]
    pub about: About,
    /// Every file but the manifest.
    pub files: BTreeMap<String, FileEntry>,
}

impl Manifest {
    /// The id that follows from the digests.
    fn id_of(about: &About, files: &BTreeMap<String, FileEntry>) -> String {
        let mut fingerprint = Fingerprint::new()
            .with("as_of", about.as_of.to_string())
            .with("pipeline", &about.pipeline)
            .with("family", &about.family)
            .with("features", about.features_digest.as_str())
            .with("passed", about.passed.to_string());
        for (name, file) in files {
            fingerprint = fingerprint.with(name, file.sha256.as_str());
        }
        fingerprint.finish().short().to_owned()
    }

    /// The bytes that are written.
    pub fn to_bytes(&self) -> Vec<u8> {
        // A struct of strings and numbers always serialises.
        let mut bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// From its bytes at `path`.
    ///
    /// # Errors
    /// If they are no manifest, or the id is not that of the files.
    pub fn from_bytes(path: &str, bytes: &[u8]) -> Result<Self, Error> {
        let manifest: Self = serde_json::from_slice(bytes).map_err(|source| Error::Unreadable {
            path: path.to_owned(),
            expected: "a model manifest",
            source,
        })?;
        let found = Self::id_of(&manifest.about, &manifest.files);
        if found != manifest.model_id {
            let expected = manifest.model_id;
            return Err(Error::WrongId { path: path.to_owned(), expected, found });
        }
        Ok(manifest)
    }
}

/// A model as files.
#[derive(Debug, Clone)]
pub struct Bundle {
    /// Where the model comes from, and the digests of its files.
    pub manifest: Manifest,
    /// The files by name.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Bundle {
    /// Makes a bundle of files.
    pub fn new(about: About, files: BTreeMap<String, Vec<u8>>) -> Self {
        let entries = files
            .iter()
            .map(|(name, bytes)| {
                let entry = FileEntry { sha256: Digest::of(bytes), bytes: bytes.len() as u64 };
                (name.clone(), entry)
            })
            .collect();
        let model_id = Manifest::id_of(&about, &entries);
        let manifest = Manifest { schema_version: SCHEMA_VERSION, model_id, about, files: entries };
        Self { manifest, files }
    }

    /// The model's id.
    pub fn model_id(&self) -> &str {
        &self.manifest.model_id
    }

    /// The scorer decoded from the files.
    ///
    /// # Errors
    /// If the scorer refuses them.
    pub fn scorer(&self) -> Result<Scorer, Error> {
        Scorer::decode(&self.files)
            .map(|scorer| scorer.with_model_id(self.model_id()))
            .map_err(|source| Error::Scorer { model_id: self.model_id().to_owned(), source })
    }
}
