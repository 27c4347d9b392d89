//! Where others find what a night predicts: `predictions/<pipeline>/as_of=<date>/` with the tables of the
//! score stage and a manifest of their digests, and `predictions/<pipeline>/latest.json`, which names the
//! newest of these folders.
//!
//! The tables are copies of the stage's outputs, whose folders are named by digests. They are written
//! first, then the manifest, then the pointer by compare-and-swap, so that what is named is there. A night
//! that is scored anew replaces its tables one after the other, and the manifest last: whoever reads
//! several compares their digests with it, and `verify` puts back those of before if the run was killed.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use store::{Store, SwapOutcome, Version};
use terms::{AsOf, Digest, Schema};

use crate::refusal::Refusal;
use crate::stage::{RunContext, StageResult};

const FOLDER: &str = "predictions";

/// How the name of a night's folder begins, as of a partition of Hive's.
const AS_OF: &str = "as_of=";

const MANIFEST_FILE: &str = "manifest.json";

const LATEST_FILE: &str = "latest.json";

/// The form of a night's manifest.
pub(crate) const PREDICTIONS_MANIFEST: Schema = Schema { name: "predictions", version: 1 };

/// The form of the pointer.
pub(crate) const LATEST: Schema = Schema { name: "latest-predictions", version: 1 };

/// What is in the folder of a night.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PredictionsManifest {
    pub(crate) pipeline: String,
    /// Only facts recorded before this were used.
    pub(crate) as_of: AsOf,
    /// The model that scored.
    pub(crate) model_id: String,
    /// The folder of the score stage.
    pub(crate) scored_in: String,
    /// Digests of the tables, by file name.
    pub(crate) files: BTreeMap<String, Digest>,
}

/// What the pointer holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Latest {
    pub(crate) pipeline: String,
    pub(crate) as_of: AsOf,
    pub(crate) model_id: String,
    /// The folder of the newest night.
    pub(crate) folder: String,
    /// Digest of its manifest.
    pub(crate) manifest_sha256: Digest,
}

impl PredictionsManifest {
    fn to_bytes(&self) -> Result<Vec<u8>> {
        Ok(PREDICTIONS_MANIFEST.seal(self)?)
    }

    /// Its folder.
    pub(crate) fn folder(&self) -> String {
        folder(&self.pipeline, self.as_of)
    }

    /// The pointer that names it.
    ///
    /// # Errors
    /// If it cannot be written as JSON, which no value makes so.
    pub(crate) fn latest(&self) -> Result<Latest> {
        Ok(Latest {
            pipeline: self.pipeline.clone(),
            as_of: self.as_of,
            model_id: self.model_id.clone(),
            folder: folder(&self.pipeline, self.as_of),
            manifest_sha256: Digest::of(&self.to_bytes()?),
        })
    }
}

/// The folder of a night.
pub(crate) fn folder(pipeline: &str, as_of: AsOf) -> String {
    format!("{FOLDER}/{pipeline}/{AS_OF}{as_of}")
}

/// The path of the pointer of a pipeline.
pub(crate) fn latest_path(pipeline: &str) -> String {
    format!("{FOLDER}/{pipeline}/{LATEST_FILE}")
}

/// What an object below `predictions/` belongs to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Owner<'a> {
    /// The pointer of this pipeline.
    Latest(&'a str),
    /// The folder of this pipeline and as-of.
    Partition(&'a str, AsOf),
}

/// What the object at a path belongs to; `None` if it is none of these.
pub(crate) fn owner_of(path: &str) -> Option<Owner<'_>> {
    let (pipeline, rest) = path.strip_prefix(FOLDER)?.strip_prefix('/')?.split_once('/')?;
    if rest == LATEST_FILE {
        return Some(Owner::Latest(pipeline));
    }
    let (night, _) = rest.strip_prefix(AS_OF)?.split_once('/')?;
    Some(Owner::Partition(pipeline, night.parse().ok()?))
}

/// Whether a path is that of a night's manifest.
pub(crate) fn is_manifest(path: &str) -> bool {
    matches!(owner_of(path), Some(Owner::Partition(..))) && path.ends_with(MANIFEST_FILE)
}

/// The newest night of a pipeline, verified; of the only pipeline that has scored, if none is named.
///
/// # Errors
/// If there is none, several pipelines have scored and none is named, or it is not what was written.
pub(crate) fn latest(store: &Store, pipeline: Option<&str>) -> Result<PredictionsManifest> {
    let pipeline = match pipeline {
        Some(pipeline) => pipeline.to_owned(),
        None => only_pipeline(store)?,
    };
    let path = latest_path(&pipeline);
    let Some((latest, _)) = store.get_sealed::<Latest>(&path, LATEST)? else {
        return Err(nothing_scored(store, &path).into());
    };
    let path = format!("{}/{MANIFEST_FILE}", latest.folder);
    let Some((manifest, _)) = store.get_sealed(&path, PREDICTIONS_MANIFEST)? else {
        return Err(nothing_scored(store, &path).into());
    };
    Ok(manifest)
}

fn only_pipeline(store: &Store) -> Result<String> {
    let listed = store.list(FOLDER)?;
    let of = |path: &str| match owner_of(path) {
        Some(Owner::Latest(pipeline)) => Some(pipeline.to_owned()),
        _ => None,
    };
    let mut pipelines: Vec<String> = listed.iter().filter_map(|entry| of(&entry.path)).collect();
    match (pipelines.pop(), &pipelines[..]) {
        (None, _) => Err(nothing_scored(store, &latest_path("<pipeline>")).into()),
        (Some(pipeline), []) => Ok(pipeline),
        (Some(last), others) => {
            let problem = format!("several have scored: expected {} or {last}", others.join(", "));
            Err(Refusal::Input { place: "pipeline".to_owned(), problem }.into())
        }
    }
}

fn nothing_scored(store: &Store, path: &str) -> Refusal {
    Refusal::Missing {
        what: path.to_owned(),
        expected: format!("a night that was scored in {}", store.url()),
        hint: "longhaul run scores one".to_owned(),
    }
}

/// Copies what the score stage left into the folder of its night, unless it is there, and moves the
/// pointer, unless it names a later night.
///
/// # Errors
/// If the store fails, an output is not what the stage wrote, or the lease of the pipeline is lost.
pub(crate) fn publish(
    context: &RunContext<'_>,
    pipeline: &str,
    model_id: String,
    scored: &StageResult,
) -> Result<()> {
    let manifest = PredictionsManifest {
        pipeline: pipeline.to_owned(),
        as_of: context.as_of,
        model_id,
        scored_in: scored.folder.clone(),
        files: scored.manifest.outputs.clone(),
    };
    let lease = context.lease.context("predictions are written under the lease of a pipeline")?;
    let (store, folder) = (context.store, folder(pipeline, context.as_of));
    let path = format!("{folder}/{MANIFEST_FILE}");
    loop {
        let (before, version) = read::<PredictionsManifest>(store, &path, PREDICTIONS_MANIFEST)?;
        if before.as_ref() == Some(&manifest) {
            break;
        }
        let copy = |name: &String| Ok((format!("{folder}/{name}"), scored.read(store, name)?));
        let files = manifest.files.keys().map(copy).collect::<Result<_>>()?;
        // Who has lost it writes nothing.
        lease.renew()?;
        store.put_many(files)?;
        let swapped =
            store.compare_and_swap(&path, version.as_ref(), manifest.to_bytes()?.into())?;
        if swapped == SwapOutcome::Swapped {
            break;
        }
    }
    move_latest(store, &manifest.latest()?)
}

/// Moves the pointer of a pipeline to a night, unless it names a later one. Where there is no pointer, or
/// it is damaged, it is made to name the newest night that is there.
fn move_latest(store: &Store, night: &Latest) -> Result<()> {
    let path = latest_path(&night.pipeline);
    loop {
        let (before, version) = read::<Latest>(store, &path, LATEST)?;
        let target = match before {
            Some(before) if before.as_of > night.as_of || before == *night => return Ok(()),
            Some(_) => Some(night.clone()),
            None => newest(store, &night.pipeline)?,
        };
        let bytes = LATEST.seal(&target.unwrap_or_else(|| night.clone()))?.into();
        if store.compare_and_swap(&path, version.as_ref(), bytes)? == SwapOutcome::Swapped {
            return Ok(());
        }
    }
}

/// The newest night of a pipeline whose manifest is whole.
fn newest(store: &Store, pipeline: &str) -> Result<Option<Latest>> {
    let listed = store.list(&format!("{FOLDER}/{pipeline}"))?.into_iter();
    let mut paths: Vec<(AsOf, String)> = listed
        .filter(|entry| is_manifest(&entry.path))
        .filter_map(|entry| match owner_of(&entry.path)? {
            Owner::Partition(_, as_of) => Some((as_of, entry.path)),
            Owner::Latest(_) => None,
        })
        .collect();
    paths.sort();
    for (_, path) in paths.into_iter().rev() {
        let (manifest, _) = read::<PredictionsManifest>(store, &path, PREDICTIONS_MANIFEST)?;
        if let Some(manifest) = manifest {
            return Ok(Some(manifest.latest()?));
        }
    }
    Ok(None)
}

/// Makes the pointer of a pipeline name the newest night that is there; takes it away if there is none.
/// Says whether there is one.
///
/// # Errors
/// If the store fails.
pub(crate) fn rebuild(store: &Store, pipeline: &str) -> Result<bool> {
    let path = latest_path(pipeline);
    let Some(newest) = newest(store, pipeline)? else {
        store.delete(&path)?;
        return Ok(false);
    };
    let (_, version) = read::<Latest>(store, &path, LATEST)?;
    // If it moved meanwhile, it was a run that moved it.
    let _moved = store.compare_and_swap(&path, version.as_ref(), LATEST.seal(&newest)?.into())?;
    Ok(true)
}

/// What a control object holds, if it is there and as it was written, and its version, if it is there.
fn read<T: DeserializeOwned>(
    store: &Store,
    path: &str,
    schema: Schema,
) -> Result<(Option<T>, Option<Version>), store::Error> {
    match store.get_sealed(path, schema) {
        Ok(Some((content, version))) => Ok((Some(content), Some(version))),
        Ok(None) => Ok((None, None)),
        Err(store::Error::Sealed { version, .. }) => Ok((None, Some(version))),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use store::{PutOutcome, StoreSettings};

    use super::*;

    fn night(as_of: &str, model_id: &str) -> PredictionsManifest {
        PredictionsManifest {
            pipeline: "shop".to_owned(),
            as_of: as_of.parse().unwrap(),
            model_id: model_id.to_owned(),
            scored_in: "runs/0/score".to_owned(),
            files: BTreeMap::new(),
        }
    }

    fn store() -> Store {
        let settings = StoreSettings::resolve("memory://", &BTreeMap::new()).unwrap();
        Store::open(&settings).unwrap()
    }

    fn put(store: &Store, night: &PredictionsManifest) {
        let path = format!("{}/{MANIFEST_FILE}", folder(&night.pipeline, night.as_of));
        store.put(&path, night.to_bytes().unwrap().into()).unwrap();
    }

    fn latest(store: &Store) -> Latest {
        read(store, &latest_path("shop"), LATEST).unwrap().0.unwrap()
    }

    #[test]
    fn the_pointer_goes_forward_and_a_night_scored_anew_replaces_itself() {
        let store = store();
        let moved = |night: &PredictionsManifest| {
            put(&store, night);
            move_latest(&store, &night.latest().unwrap()).unwrap();
            let latest = latest(&store);
            (latest.folder, latest.model_id)
        };
        let of = |as_of: &str, model: &str| {
            (format!("predictions/shop/as_of={as_of}"), model.to_owned())
        };
        assert_eq!(moved(&night("2026-03-02", "a")), of("2026-03-02", "a"));
        assert_eq!(moved(&night("2026-03-04", "b")), of("2026-03-04", "b"));
        assert_eq!(moved(&night("2026-03-03", "c")), of("2026-03-04", "b"), "a backfill");
        assert_eq!(moved(&night("2026-03-04", "d")), of("2026-03-04", "d"), "the same night");
    }

    #[test]
    fn a_pointer_that_is_damaged_or_gone_names_the_newest_night_that_is_whole() {
        let store = store();
        assert!(!rebuild(&store, "shop").unwrap(), "there is no night");
        for as_of in ["2026-03-02", "2026-03-04", "2026-03-03"] {
            put(&store, &night(as_of, "a"));
        }
        let broken = format!("{}/{MANIFEST_FILE}", folder("shop", "2026-03-05".parse().unwrap()));
        store.put(&broken, "{}".into()).unwrap();
        let path = latest_path("shop");
        for mended in [&|| rebuild(&store, "shop").map(drop), &|| {
            move_latest(&store, &night("2026-03-02", "a").latest()?)
        }] as [&dyn Fn() -> Result<()>; 2]
        {
            for damage in [Some("{}"), None] {
                store.delete(&path).unwrap();
                if let Some(damage) = damage {
                    let put = store.put_if_absent(&path, damage.into()).unwrap();
                    assert_eq!(put, PutOutcome::Created);
                }
                mended().unwrap();
                assert_eq!(latest(&store), night("2026-03-04", "a").latest().unwrap());
            }
        }
    }

    #[test]
    fn an_object_belongs_to_a_pipeline_or_to_a_night() {
        let of_night = |text: &str| Some(Owner::Partition("shop", text.parse().unwrap()));
        assert_eq!(owner_of("predictions/shop/latest.json"), Some(Owner::Latest("shop")));
        let path = "predictions/shop/as_of=2026-03-02/manifest.json";
        assert_eq!((owner_of(path), is_manifest(path)), (of_night("2026-03-02"), true));
        let path = "predictions/shop/as_of=2026-03-02T06:00:00Z/at_risk.parquet";
        assert_eq!((owner_of(path), is_manifest(path)), (of_night("2026-03-02T06:00:00Z"), false));
        for other in ["predictions/shop/notes.txt", "predictions/shop/as_of=x/a", "runs/1/score"] {
            assert_eq!(owner_of(other), None, "{other}");
        }
    }
}
