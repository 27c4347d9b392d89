//! The pointer to the champion of a pipeline: one small object, replaced by compare-and-swap.
//!
//! It carries the fencing number of the run that wrote it. A run that takes over from one that
//! stopped answering raises the number first, so that the other, should it go on after all, finds
//! the pointer moved (Kleppmann, Designing Data-Intensive Applications, chapter 8: fencing tokens).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use store::{Store, SwapOutcome, Version};
use terms::{AsOf, Digest, Schema};

use crate::decision::{Decisions, eligible};
use crate::{Bundle, Error, registry};

const SCHEMA: Schema = Schema { name: "champion", version: 2 };

/// The one pointer of a store, from before each pipeline had its own.
const PATH_OF_ALL: &str = "models/current.json";

/// The champion of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pointer {
    /// The champion.
    pub model_id: String,
    /// Digest of its manifest.
    pub manifest_sha256: Digest,
    /// The champion's as-of.
    pub as_of: AsOf,
    /// The champion before it.
    pub previous: Option<String>,
}

/// What `models/<pipeline>/current.json` holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Document {
    pipeline: String,
    /// The highest fencing number of a run that may write here.
    fence: u64,
    /// The fields of [`Pointer`]; `null` while there is no champion.
    model_id: Option<String>,
    manifest_sha256: Option<Digest>,
    as_of: Option<AsOf>,
    previous: Option<String>,
}

/// The result of a promotion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Promotion {
    /// The model is champion now.
    Promoted {
        /// The champion before, if there was one.
        previous: Option<String>,
    },
    /// The model was champion before.
    AlreadyCurrent,
}

/// The path of the pointer of a pipeline.
pub fn path(pipeline: &str) -> String {
    format!("models/{pipeline}/current.json")
}

/// The champion of a pipeline, if there is one.
///
/// # Errors
/// If the store fails or the pointer is not as it was written; [`rebuild`] mends that.
pub fn current(store: &Store, pipeline: &str) -> Result<Option<Pointer>, Error> {
    Ok(read(store, pipeline)?.and_then(|(document, _)| document.pointer()))
}

/// The pipelines that have a pointer, or had the one pointer of an older store.
///
/// # Errors
/// If the store fails.
pub fn pipelines(store: &Store) -> Result<BTreeSet<String>, Error> {
    let mut pipelines = BTreeSet::new();
    for entry in store.list("models/")? {
        if entry.path == PATH_OF_ALL {
            let models = registry::list(store)?.manifests.into_iter();
            pipelines.extend(models.map(|model| model.about.pipeline));
        } else if let Some(name) = entry.path.strip_suffix("/current.json") {
            pipelines.extend(name.strip_prefix("models/").map(str::to_owned));
        }
    }
    Ok(pipelines)
}

/// Verifies that the manifest that a pointer leads to is the one that was promoted.
///
/// # Errors
/// If it is another one or not there, or the store fails.
pub fn verify_pointer(store: &Store, pointer: &Pointer) -> Result<(), Error> {
    let path = format!("models/{}/manifest.json", pointer.model_id);
    store.get_verified(&path, &pointer.manifest_sha256)?;
    Ok(())
}

/// Makes a model whose bundle was written the champion of its pipeline, in one step. `fence` is the
/// fencing number of this run; `is_held` is asked last whether it may still write.
///
/// # Errors
/// If the model is withdrawn, if the champion is as of a later moment, if another run moved the
/// pointer meanwhile, or if the store fails. The pointer is then as it was.
pub fn promote(
    store: &Store,
    bundle: &Bundle,
    fence: u64,
    is_held: impl FnOnce() -> bool,
) -> Result<Promotion, Error> {
    let about = &bundle.manifest.about;
    let (model_id, as_of) = (bundle.model_id().to_owned(), about.as_of);
    let before = read(store, &about.pipeline)?;
    let champion = before.as_ref().and_then(|(document, _)| document.pointer());
    if let Some((document, _)) = &before
        && document.fence > fence
    {
        return Err(moved(&about.pipeline, champion));
    }
    if let Some(champion) = &champion {
        if champion.model_id == model_id {
            return Ok(Promotion::AlreadyCurrent);
        }
        if champion.as_of > as_of {
            let (champion, champion_as_of) = (champion.model_id.clone(), champion.as_of);
            return Err(Error::Older { model_id, as_of, champion, champion_as_of });
        }
    }
    if let Some(decision) = Decisions::of(store, &about.pipeline)?.against(&model_id) {
        return Err(Error::Withdrawn { model_id, reason: decision.reason.clone() });
    }
    if !is_held() {
        return Err(moved(&about.pipeline, champion));
    }
    let previous = champion.map(|champion| champion.model_id);
    match replace(store, bundle, before, previous.clone())? {
        SwapOutcome::Swapped => Ok(Promotion::Promoted { previous }),
        SwapOutcome::Moved => match current(store, &about.pipeline)? {
            // Another run of the same night, with the same model.
            Some(champion) if champion.model_id == model_id => Ok(Promotion::AlreadyCurrent),
            champion => Err(moved(&about.pipeline, champion)),
        },
    }
}

/// Makes a model champion whatever the champion is, with the one to which a next rollback leads.
///
/// # Errors
/// As [`promote`], but for the champion's as-of.
pub(crate) fn point_to(
    store: &Store,
    bundle: &Bundle,
    previous: Option<String>,
    fence: u64,
    is_held: impl FnOnce() -> bool,
) -> Result<(), Error> {
    let about = &bundle.manifest.about;
    let before = read(store, &about.pipeline)?;
    let fence_before = before.as_ref().map_or(0, |(document, _)| document.fence);
    let champion = before.as_ref().and_then(|(document, _)| document.pointer());
    if fence_before > fence || !is_held() {
        return Err(moved(&about.pipeline, champion));
    }
    match replace(store, bundle, before, previous)? {
        SwapOutcome::Swapped => Ok(()),
        SwapOutcome::Moved => Err(moved(&about.pipeline, current(store, &about.pipeline)?)),
    }
}

/// Puts a model in place of what was read, if that is still there.
fn replace(
    store: &Store,
    bundle: &Bundle,
    before: Option<(Document, Option<Version>)>,
    previous: Option<String>,
) -> Result<SwapOutcome, Error> {
    let about = &bundle.manifest.about;
    let pointer = Pointer {
        model_id: bundle.model_id().to_owned(),
        manifest_sha256: Digest::of(&bundle.manifest.to_bytes()),
        as_of: about.as_of,
        previous,
    };
    let fence = before.as_ref().map_or(0, |(document, _)| document.fence);
    let expected = before.and_then(|(_, version)| version);
    write(store, &about.pipeline, fence, Some(pointer), expected.as_ref())
}

/// The fencing number of a pipeline's pointer: the next run's is higher.
///
/// # Errors
/// If the store fails.
pub fn fence(store: &Store, pipeline: &str) -> Result<u64, Error> {
    match read(store, pipeline) {
        Ok(found) => Ok(found.map_or(0, |(document, _)| document.fence)),
        // It is rebuilt with the number of the run that finds it.
        Err(Error::Store(store::Error::Sealed { .. })) => Ok(0),
        Err(error) => Err(error),
    }
}

/// Raises the fencing number of a pipeline's pointer, so that no run with a smaller one moves it any
/// more. The champion stays.
///
/// # Errors
/// If the store fails, or the number is higher already.
pub fn raise_fence(store: &Store, pipeline: &str, fence: u64) -> Result<(), Error> {
    loop {
        let before = read(store, pipeline)?;
        let pointer = before.as_ref().and_then(|(document, _)| document.pointer());
        if let Some((document, Some(_))) = &before
            && document.fence >= fence
        {
            return match document.fence == fence {
                true => Ok(()),
                false => Err(moved(pipeline, pointer)),
            };
        }
        let expected = before.and_then(|(_, version)| version);
        if write(store, pipeline, fence, pointer, expected.as_ref())? == SwapOutcome::Swapped {
            return Ok(());
        }
    }
}

/// Writes a pointer that is not as it was written anew: to the newest model of the pipeline that
/// passed and is not withdrawn. Returns it; `None` if there is no such model, or the pointer is whole.
///
/// # Errors
/// If the store fails, or another run moved the pointer meanwhile.
pub fn rebuild(store: &Store, pipeline: &str, fence: u64) -> Result<Option<Pointer>, Error> {
    let damaged = match read(store, pipeline) {
        Err(Error::Store(store::Error::Sealed { version, .. })) => version,
        Ok(_) => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut passed = eligible(store, pipeline)?.into_iter();
    let newest = passed.next().map(|manifest| Pointer {
        manifest_sha256: Digest::of(&manifest.to_bytes()),
        as_of: manifest.about.as_of,
        previous: passed.next().map(|before| before.model_id),
        model_id: manifest.model_id,
    });
    match write(store, pipeline, fence, newest.clone(), Some(&damaged))? {
        SwapOutcome::Swapped => Ok(newest),
        SwapOutcome::Moved => Err(moved(pipeline, None)),
    }
}

impl Document {
    fn pointer(&self) -> Option<Pointer> {
        Some(Pointer {
            model_id: self.model_id.clone()?,
            manifest_sha256: self.manifest_sha256.clone()?,
            as_of: self.as_of?,
            previous: self.previous.clone(),
        })
    }

    fn of(pipeline: &str, fence: u64, pointer: Option<Pointer>) -> Self {
        let pointer = pointer.as_ref();
        Self {
            pipeline: pipeline.to_owned(),
            fence,
            model_id: pointer.map(|pointer| pointer.model_id.clone()),
            manifest_sha256: pointer.map(|pointer| pointer.manifest_sha256.clone()),
            as_of: pointer.map(|pointer| pointer.as_of),
            previous: pointer.and_then(|pointer| pointer.previous.clone()),
        }
    }
}

pub(crate) fn moved(pipeline: &str, champion: Option<Pointer>) -> Error {
    let model_id = champion.map_or_else(|| "none".to_owned(), |champion| champion.model_id);
    Error::Moved { path: path(pipeline), model_id }
}

fn write(
    store: &Store,
    pipeline: &str,
    fence: u64,
    pointer: Option<Pointer>,
    expected: Option<&Version>,
) -> Result<SwapOutcome, Error> {
    let path = path(pipeline);
    let document = Document::of(pipeline, fence, pointer);
    let bytes = SCHEMA.seal(&document).map_err(|source| Error::Unreadable {
        path: path.clone(),
        expected: "a pointer to a model",
        source,
    })?;
    Ok(store.compare_and_swap(&path, expected, bytes.into())?)
}

/// The pointer of a pipeline, and its version; without a version if it is the one of a store from
/// before each pipeline had its own.
fn read(store: &Store, pipeline: &str) -> Result<Option<(Document, Option<Version>)>, Error> {
    let found = store.get_sealed::<Document>(&path(pipeline), SCHEMA)?;
    if let Some((document, version)) = found {
        return Ok(Some((document, Some(version))));
    }
    let Some((bytes, _)) = store.get_versioned(PATH_OF_ALL)? else { return Ok(None) };
    let pointer: Pointer = serde_json::from_slice(&bytes).map_err(|source| Error::Unreadable {
        path: PATH_OF_ALL.to_owned(),
        expected: "a pointer to a model",
        source,
    })?;
    let of_this = registry::read_manifest_of(store, &pointer.model_id)
        .is_ok_and(|manifest| manifest.about.pipeline == pipeline);
    Ok(of_this.then(|| (Document::of(pipeline, 0, Some(pointer)), None)))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use store::StoreSettings;

    use super::*;
    use crate::About;

    pub(crate) fn store() -> Store {
        let settings = StoreSettings::resolve("memory://", &BTreeMap::new()).unwrap();
        Store::open(&settings).unwrap()
    }

    pub(crate) fn bundle(store: &Store, pipeline: &str, as_of: &str, passed: bool) -> Bundle {
        let about = About {
            as_of: as_of.parse().unwrap(),
            pipeline: pipeline.to_owned(),
            family: "boost".to_owned(),
            code_version: "0".to_owned(),
            features_digest: Digest::of(b"features"),
            seed: 1,
            passed,
        };
        let files = BTreeMap::from([("model".to_owned(), as_of.as_bytes().to_vec())]);
        let bundle = Bundle::new(about, files);
        registry::write(store, &bundle).unwrap();
        bundle
    }

    pub(crate) fn champion(store: &Store, pipeline: &str) -> Option<String> {
        current(store, pipeline).unwrap().map(|pointer| pointer.model_id)
    }

    #[test]
    fn each_pipeline_has_a_champion_of_its_own() {
        let store = store();
        let [north, south] =
            ["north", "south"].map(|name| bundle(&store, name, "2025-09-01", true));
        for model in [&north, &south] {
            let promoted = promote(&store, model, 1, || true).unwrap();
            assert_eq!(promoted, Promotion::Promoted { previous: None });
        }
        assert_eq!(champion(&store, "north").as_deref(), Some(north.model_id()));
        assert_eq!(champion(&store, "south").as_deref(), Some(south.model_id()));
        let next = bundle(&store, "north", "2025-09-02", true);
        let previous = Some(north.model_id().to_owned());
        let promoted = promote(&store, &next, 2, || true).unwrap();
        assert_eq!(promoted, Promotion::Promoted { previous });
        assert_eq!(champion(&store, "south").as_deref(), Some(south.model_id()));
        let older = promote(&store, &north, 3, || true).unwrap_err();
        assert!(matches!(older, Error::Older { .. }), "{older}");
    }

    #[test]
    fn a_run_that_was_taken_over_cannot_publish() {
        let store = store();
        let paused = bundle(&store, "north", "2025-09-01", true);
        // It is taken over before it reads the pointer, or between that and its swap.
        raise_fence(&store, "north", 2).unwrap();
        let error = promote(&store, &paused, 1, || true).unwrap_err();
        assert!(matches!(error, Error::Moved { .. }), "{error}");
        let raise = || raise_fence(&store, "north", 3).is_ok();
        let error = promote(&store, &paused, 2, raise).unwrap_err();
        assert!(matches!(error, Error::Moved { .. }), "{error}");
        assert_eq!(champion(&store, "north"), None);
        promote(&store, &paused, 3, || true).unwrap();
        assert_eq!(champion(&store, "north").as_deref(), Some(paused.model_id()));
        raise_fence(&store, "north", 4).unwrap();
        assert_eq!(champion(&store, "north").as_deref(), Some(paused.model_id()));
        raise_fence(&store, "north", 3).unwrap_err();
    }

    #[test]
    fn a_damaged_pointer_is_rebuilt_to_the_newest_model_that_passed() {
        let store = store();
        let first = bundle(&store, "north", "2025-09-01", true);
        let second = bundle(&store, "north", "2025-09-02", true);
        bundle(&store, "north", "2025-09-03", false);
        bundle(&store, "south", "2025-09-03", true);
        promote(&store, &second, 1, || true).unwrap();
        assert_eq!(rebuild(&store, "north", 1).unwrap(), None);
        store.put(&path("north"), bytes::Bytes::new()).unwrap();
        assert_eq!(current(&store, "north").unwrap_err().class(), terms::ErrorClass::Contract);
        let rebuilt = rebuild(&store, "north", 2).unwrap().unwrap();
        assert_eq!(rebuilt.model_id, second.model_id());
        assert_eq!(rebuilt.previous.as_deref(), Some(first.model_id()));
        assert_eq!(current(&store, "north").unwrap(), Some(rebuilt));
    }

    #[test]
    fn the_one_pointer_of_an_older_store_is_that_of_its_pipeline() {
        let store = store();
        let model = bundle(&store, "north", "2025-09-01", true);
        let text = format!(
            r#"{{"schema_version": 1, "model_id": "{}", "manifest_sha256": "{}",
                "as_of": "2025-09-01", "previous": null}}"#,
            model.model_id(),
            Digest::of(&model.manifest.to_bytes()),
        );
        store.put(PATH_OF_ALL, text.into_bytes().into()).unwrap();
        assert_eq!(champion(&store, "north").as_deref(), Some(model.model_id()));
        assert_eq!(champion(&store, "south"), None);
        let next = bundle(&store, "north", "2025-09-02", true);
        let previous = Some(model.model_id().to_owned());
        let promoted = promote(&store, &next, 1, || true).unwrap();
        assert_eq!(promoted, Promotion::Promoted { previous });
        assert_eq!(champion(&store, "north").as_deref(), Some(next.model_id()));
    }
}
