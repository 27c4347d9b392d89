//! Every object of a store that is known to this program: what it is, and what its bytes must be.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use operations::{RUN_RECORD, RunRecord};
use store::{Entry, Store};
use terms::{AsOf, Digest};

use crate::lease;
use crate::predictions_folder::{
    self, LATEST, Latest, Owner, PREDICTIONS_MANIFEST, PredictionsManifest, owner_of,
};
use crate::stage::{self, StageManifest};
use crate::stages::{NightInputs, StateList, digest_of_forecast, stored_states};

/// What an object is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A cache: the history state, pointers to checks, what a night read beside its tables.
    State,
    StageManifest,
    StageOutput {
        /// The manifest of its stage.
        manifest: String,
    },
    /// The pointer to a champion.
    Pointer {
        pipeline: String,
    },
    /// The manifest or a file of a published model.
    Model {
        as_of: Option<AsOf>,
    },
    /// The pointer to the newest predictions of a pipeline.
    LatestPredictions {
        pipeline: String,
    },
    Lease,
    /// A champion that a person chose.
    Decision,
    Table,
    /// Stored predictions of a night.
    Forecast,
    /// The record of a run.
    Run,
}

/// An object, what its bytes must be, and what was found to be wrong with it.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) path: String,
    pub(crate) kind: Kind,
    /// The digest of its bytes, if another object says so.
    pub(crate) digest: Option<Digest>,
    /// What is wrong with an object that proves itself.
    pub(crate) problem: Option<String>,
}

/// The objects of a store.
#[derive(Debug, Default)]
pub(crate) struct Inventory {
    /// All that is listed.
    pub(crate) entries: BTreeMap<String, Entry>,
    /// The stages that are done, by folder.
    pub(crate) stages: BTreeMap<String, StageManifest>,
    /// The published models, newest first.
    pub(crate) models: Vec<artifact::Manifest>,
    /// The champion of each pipeline.
    pub(crate) champions: BTreeMap<String, artifact::Pointer>,
    /// The newest predictions of each pipeline.
    pub(crate) latest: BTreeMap<String, Latest>,
    /// The lists of the history state, by path.
    pub(crate) states: BTreeMap<String, StateList>,
    objects: Vec<Object>,
}

impl Inventory {
    /// Lists a store and reads what says of others what they must be.
    ///
    /// # Errors
    /// If the store cannot be read. What is damaged is no error.
    pub(crate) fn of(store: &Store) -> Result<Self> {
        let mut inventory = Self::default();
        for entry in store.list("")? {
            inventory.entries.insert(entry.path.clone(), entry);
        }
        inventory.add_stages(store)?;
        inventory.add_models(store)?;
        inventory.add_predictions(store)?;
        inventory.add_state(store)?;
        inventory.add_tables(store)?;
        Ok(inventory)
    }

    /// Each object once: where two say what it must be, the first counts.
    pub(crate) fn objects(&self) -> impl Iterator<Item = &Object> {
        let mut seen = BTreeSet::new();
        self.objects.iter().filter(move |object| seen.insert(object.path.as_str()))
    }

    /// The lists of the history state that name an object.
    pub(crate) fn lists_with(&self, object: &str) -> impl Iterator<Item = &str> {
        let has = move |list: &StateList| list.objects().any(|(path, _)| path == object);
        self.states.iter().filter(move |(_, list)| has(list)).map(|(path, _)| path.as_str())
    }

    /// The paths of objects that must have the same bytes, by digest.
    pub(crate) fn copies(&self) -> BTreeMap<Digest, Vec<String>> {
        let mut copies: BTreeMap<Digest, Vec<String>> = BTreeMap::new();
        for object in self.objects() {
            if let Some(digest) = &object.digest {
                copies.entry(digest.clone()).or_default().push(object.path.clone());
            }
        }
        copies
    }

    /// Adds an object that proves itself, and returns what it holds.
    fn add_sealed<T>(
        &mut self,
        path: &str,
        kind: Kind,
        read: Result<Option<T>, store::Error>,
    ) -> Result<Option<T>> {
        let (content, problem) = match read {
            Ok(content) => (content, None),
            Err(error @ store::Error::Sealed { .. }) => (None, Some(error.to_string())),
            Err(error) => return Err(error.into()),
        };
        self.objects.push(Object { path: path.to_owned(), kind, digest: None, problem });
        Ok(content)
    }

    fn add_with_digest(&mut self, path: String, kind: Kind, digest: &Digest) {
        self.objects.push(Object { path, kind, digest: Some(digest.clone()), problem: None });
    }

    fn paths(&self, is_wanted: impl Fn(&str) -> bool) -> Vec<String> {
        self.entries.keys().filter(|path| is_wanted(path)).cloned().collect()
    }

    fn add_stages(&mut self, store: &Store) -> Result<()> {
        let is_manifest = |path: &str| {
            (path.starts_with("runs/") || path.starts_with("backtests/"))
                && path.ends_with("/manifest.json")
        };
        for path in self.paths(is_manifest) {
            let read = store.get_sealed(&path, stage::MANIFEST).map(without_version);
            let manifest: Option<StageManifest> =
                self.add_sealed(&path, Kind::StageManifest, read)?;
            let Some(manifest) = manifest else { continue };
            let folder = path.trim_end_matches("/manifest.json").to_owned();
            for (name, digest) in &manifest.outputs {
                let kind = Kind::StageOutput { manifest: path.clone() };
                self.add_with_digest(format!("{folder}/{name}"), kind, digest);
            }
            self.stages.insert(folder, manifest);
        }
        for path in self.paths(|path| path.starts_with("runs/") && path.ends_with("/inputs.json")) {
            let read = NightInputs::at(store, &path).map(|found| found.map(drop));
            self.add_sealed(&path, Kind::State, read)?;
        }
        for path in self.paths(|path| path.starts_with("nights/")) {
            let read = store.get_sealed::<RunRecord>(&path, RUN_RECORD);
            self.add_sealed(&path, Kind::Run, read.map(|found| found.map(drop)))?;
        }
        for path in self.paths(|path| path.starts_with("locks/")) {
            let read = lease::at(store, &path).map(|found| found.then_some(()));
            self.add_sealed(&path, Kind::Lease, read)?;
        }
        Ok(())
    }

    fn add_models(&mut self, store: &Store) -> Result<()> {
        let artifact::Models { manifests, damaged } = artifact::list(store)?;
        for manifest in &manifests {
            let (folder, as_of) = (format!("models/{}", manifest.model_id), manifest.about.as_of);
            let path = format!("{folder}/manifest.json");
            self.objects.push(Object {
                path,
                kind: Kind::Model { as_of: None },
                digest: None,
                problem: None,
            });
            for (name, file) in &manifest.files {
                let kind = Kind::Model { as_of: Some(as_of) };
                self.add_with_digest(format!("{folder}/{name}"), kind, &file.sha256);
            }
        }
        for (path, error) in damaged {
            let (kind, problem) = (Kind::Model { as_of: None }, Some(error.to_string()));
            self.objects.push(Object { path, kind, digest: None, problem });
        }
        self.models = manifests;
        let pointers =
            self.paths(|path| path.starts_with("models/") && path.ends_with("/current.json"));
        for path in pointers {
            let Some(pipeline) = path.split('/').nth(1).filter(|name| *name != "current.json")
            else {
                continue;
            };
            let pipeline = pipeline.to_owned();
            let verified = artifact::current(store, &pipeline).and_then(|pointer| {
                let Some(pointer) = pointer else { return Ok(()) };
                let pointer = self.champions.entry(pipeline.clone()).or_insert(pointer);
                artifact::verify_pointer(store, pointer)
            });
            let problem = match verified {
                Ok(()) => None,
                Err(error) if error.is_damage() => Some(error.to_string()),
                Err(error) => return Err(error.into()),
            };
            let decisions = artifact::Decisions::of(store, &pipeline)?;
            let whole = decisions.made.iter().map(|decision| (decision.path(), None));
            let damaged = decisions.damaged.into_iter();
            let damaged = damaged.map(|(path, error)| (path, Some(error.to_string())));
            for (path, problem) in whole.chain(damaged) {
                self.objects.push(Object { path, kind: Kind::Decision, digest: None, problem });
            }
            self.objects.push(Object {
                path,
                kind: Kind::Pointer { pipeline },
                digest: None,
                problem,
            });
        }
        Ok(())
    }

    fn add_predictions(&mut self, store: &Store) -> Result<()> {
        let mut manifests = BTreeMap::new();
        for path in self.paths(predictions_folder::is_manifest) {
            let read = store.get_sealed(&path, PREDICTIONS_MANIFEST).map(without_version);
            let manifest: Option<PredictionsManifest> =
                self.add_sealed(&path, Kind::StageManifest, read)?;
            let Some(manifest) = manifest else { continue };
            let folder = path.trim_end_matches("/manifest.json").to_owned();
            for (name, digest) in &manifest.files {
                let kind = Kind::StageOutput { manifest: path.clone() };
                self.add_with_digest(format!("{folder}/{name}"), kind, digest);
            }
            manifests.insert(folder, manifest);
        }
        let pointers = self.paths(|path| matches!(owner_of(path), Some(Owner::Latest(_))));
        for path in pointers {
            let Some(Owner::Latest(pipeline)) = owner_of(&path) else { continue };
            let pipeline = pipeline.to_owned();
            let kind = Kind::LatestPredictions { pipeline: pipeline.clone() };
            let read = store.get_sealed(&path, LATEST).map(without_version);
            let latest: Option<Latest> = self.add_sealed(&path, kind, read)?;
            let Some(latest) = latest else { continue };
            let named =
                manifests.get(&latest.folder).map(PredictionsManifest::latest).transpose()?;
            if named.as_ref() != Some(&latest)
                && let Some(pointer) = self.objects.last_mut()
            {
                let folder = &latest.folder;
                pointer.problem = Some(format!("{folder}: expected the manifest that it names"));
            }
            self.latest.insert(pipeline, latest);
        }
        Ok(())
    }

    fn add_state(&mut self, store: &Store) -> Result<()> {
        for (path, read) in stored_states(store)? {
            if let Some(list) = self.add_sealed(&path, Kind::State, read.map(Some))? {
                for (object, digest) in list.objects() {
                    self.add_with_digest(object.to_owned(), Kind::State, digest);
                }
                self.states.insert(path, list);
            }
        }
        for path in self.paths(|path| path.starts_with("forecasts/")) {
            if let Some(digest) = digest_of_forecast(&path) {
                self.add_with_digest(path, Kind::Forecast, &digest);
            }
        }
        Ok(())
    }

    fn add_tables(&mut self, store: &Store) -> Result<()> {
        match intake::committed_files(store) {
            Ok(files) => {
                for (path, file) in files {
                    self.add_with_digest(path, Kind::Table, &file.sha256);
                }
                Ok(())
            }
            Err(intake::Error::Store(store::Error::Sealed { url, source, .. })) => {
                let path = url.trim_start_matches(&store.url_of("")).trim_start_matches('/');
                let problem = Some(source.to_string());
                let (path, kind) = (path.to_owned(), Kind::Table);
                self.objects.push(Object { path, kind, digest: None, problem });
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn without_version<T>(found: Option<(T, store::Version)>) -> Option<T> {
    found.map(|(content, _)| content)
}
