//! A bundle in memory: the files of a model, and the manifest that lists them with their digests.

use std::collections::BTreeMap;

use scorer::{IN_FLIGHT_FOLDER, Parts, Scorer};
use serde::{Deserialize, Serialize};
use terms::{AsOf, Digest, Fingerprint, Schema, SealError};

use crate::Error;

/// Where a bundle has its signature, if it is signed.
pub const SIGNATURE_FILE: &str = "manifest.sig";

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

/// What a model was made of beside its features. It is in the manifest and not in the id: the same
/// model may follow another one in another store.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sources {
    /// Digest of the rows that the check passed, of all tables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tables_digest: Option<Digest>,
    /// The version of each table's contract.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub contracts: BTreeMap<String, String>,
    /// The champion before it, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
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
    /// What it was made of.
    #[serde(flatten)]
    pub sources: Sources,
    /// Every file but the manifest and its signature.
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

    /// From the bytes of a `manifest.json` of any version, verified.
    ///
    /// # Errors
    /// If it is not a manifest, not as it was written, or has another id than its files make.
    pub(crate) fn of_bytes(path: &str, bytes: &[u8]) -> Result<Self, Error> {
        let manifest = match Self::SCHEMA.open::<Self>(bytes) {
            Ok(manifest) => manifest,
            Err(SealError::Schema { .. }) => Self::of_version_1(path, bytes)?,
            Err(source) => return Err(Error::Sealed { path: path.to_owned(), source }),
        };
        let model_id = manifest.model_id.clone();
        manifest.verified(path, &model_id)
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
        let manifest = Manifest { model_id, about, sources: Sources::default(), files: entries };
        Self { manifest, files }
    }

    /// The same with what it was made of.
    #[must_use]
    pub fn with_sources(mut self, sources: Sources) -> Self {
        self.manifest.sources = sources;
        self
    }

    /// From a manifest and the files that it lists, or some of them.
    ///
    /// # Errors
    /// If a file has other bytes than the manifest says. `place` is where they were read.
    pub(crate) fn of_files(
        manifest: Manifest,
        files: BTreeMap<String, Vec<u8>>,
        place: &str,
    ) -> Result<Self, Error> {
        for (name, bytes) in &files {
            let expected = manifest.files.get(name).map(|entry| &entry.sha256);
            let found = Digest::of(bytes);
            if expected != Some(&found) {
                let path = format!("{place}/{name}");
                let expected = expected.map_or_else(String::new, ToString::to_string);
                return Err(Error::Altered { path, expected, found });
            }
        }
        Ok(Self { manifest, files })
    }

    /// The model's id.
    pub fn model_id(&self) -> &str {
        &self.manifest.model_id
    }

    /// The parts of the model, decoded from the files.
    ///
    /// # Errors
    /// If the files are not those of a model.
    pub fn parts(&self) -> Result<Parts, Error> {
        Parts::decode(&self.files).map_err(|source| self.refused(source))
    }

    /// The scorer of the model.
    ///
    /// # Errors
    /// If the files are not those of a model.
    pub fn scorer(&self) -> Result<Scorer, Error> {
        self.scorer_of(self.parts()?)
    }

    /// The scorer of what is in flight, if the bundle has that model.
    ///
    /// # Errors
    /// If its files are not those of a model.
    pub fn in_flight_scorer(&self) -> Result<Option<Scorer>, Error> {
        let within = |(name, bytes): (&String, &Vec<u8>)| {
            let name = name.strip_prefix(IN_FLIGHT_FOLDER)?.strip_prefix('/')?;
            Some((name.to_owned(), bytes.clone()))
        };
        let files: BTreeMap<String, Vec<u8>> = self.files.iter().filter_map(within).collect();
        if files.is_empty() {
            return Ok(None);
        }
        let parts = Parts::decode(&files).map_err(|source| self.refused(source))?;
        self.scorer_of(parts).map(Some)
    }

    /// The scorer of the model, of which these are the parts.
    pub(crate) fn scorer_of(&self, parts: Parts) -> Result<Scorer, Error> {
        Scorer::named(parts, self.model_id()).map_err(|source| self.refused(source))
    }

    fn refused(&self, source: scorer::Error) -> Error {
        Error::Scorer { model_id: self.model_id().to_owned(), source }
    }
}
