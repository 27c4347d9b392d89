//! A bundle in memory: the files of a model, and the manifest that lists them with their digests.

use std::collections::BTreeMap;

use scorer::Scorer;
use serde::{Deserialize, Serialize};
use terms::{AsOf, Digest, Fingerprint, Schema};

use crate::Error;

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
    /// A digest of the files' digests and of where the model comes from.
    pub model_id: String,
    /// Where the model comes from.
    #[serde(flatten)]
    pub about: About,
    /// Every file but the manifest.
    pub files: BTreeMap<String, FileEntry>,
}

impl Manifest {
    /// The form of `manifest.json`.
    pub const SCHEMA: Schema = Schema { name: "model", version: 2 };

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
        Self::SCHEMA.seal(self).unwrap_or_default()
    }

    /// From the form of version 1, which has no digest of its own.
    pub(crate) fn of_version_1(path: &str, bytes: &[u8]) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Version1 {
            schema_version: u32,
            #[serde(flatten)]
            manifest: Manifest,
        }
        let unreadable = |source| Error::Unreadable {
            path: path.to_owned(),
            expected: "a model manifest, of schema longhaul/model/2 or of version 1",
            source,
        };
        let found: Version1 = serde_json::from_slice(bytes).map_err(unreadable)?;
        if found.schema_version != 1 {
            use serde::de::Error as _;
            let version = found.schema_version;
            let problem = format!("found schema_version {version}");
            return Err(unreadable(serde_json::Error::custom(problem)));
        }
        Ok(found.manifest)
    }

    /// Itself, if its id is `model_id` and that of its files.
    pub(crate) fn verified(self, path: &str, model_id: &str) -> Result<Self, Error> {
        let found = Self::id_of(&self.about, &self.files);
        if found != self.model_id || found != model_id {
            let expected = model_id.to_owned();
            return Err(Error::WrongId { path: path.to_owned(), expected, found });
        }
        Ok(self)
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
        let manifest = Manifest { model_id, about, files: entries };
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
