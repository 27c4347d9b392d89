//! The pointer to the champion: one small object, replaced by compare-and-swap.

use serde::{Deserialize, Serialize};
use store::{Store, SwapOutcome, Version};
use terms::{AsOf, Digest};

use crate::{Bundle, Error};

const PATH: &str = "models/current.json";
const SCHEMA_VERSION: u32 = 1;

/// What `models/current.json` holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pointer {
    /// Version of this form.
    pub schema_version: u32,
    /// The champion.
    pub model_id: String,
    /// Digest of its manifest.
    pub manifest_sha256: Digest,
    /// The champion's as-of.
    pub as_of: AsOf,
    /// The champion before it.
    pub previous: Option<String>,
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

/// The champion, if there is one.
///
/// # Errors
/// If the store fails or the pointer cannot be read.
pub fn current(store: &Store) -> Result<Option<Pointer>, Error> {
    Ok(read(store)?.map(|(pointer, _)| pointer))
}

/// Makes a model whose bundle was written the champion, in one step.
///
/// # Errors
/// If the champion is as of a later moment, if another run moved the pointer meanwhile, or if the
/// store fails. The pointer is then as it was.
pub fn promote(store: &Store, bundle: &Bundle) -> Result<Promotion, Error> {
    let before = read(store)?;
    let (model_id, as_of) = (bundle.model_id().to_owned(), bundle.manifest.about.as_of);
    if let Some((champion, _)) = &before {
        if champion.model_id == model_id {
            return Ok(Promotion::AlreadyCurrent);
        }
        if champion.as_of > as_of {
            let (champion, champion_as_of) = (champion.model_id.clone(), champion.as_of);
            return Err(Error::Older { model_id, as_of, champion, champion_as_of });
        }
    }
    let previous = before.as_ref().map(|(champion, _)| champion.model_id.clone());
    let pointer = Pointer {
        schema_version: SCHEMA_VERSION,
        model_id,
        manifest_sha256: Digest::of(&bundle.manifest.to_bytes()),
        as_of,
        previous: previous.clone(),
    };
    let mut bytes = serde_json::to_vec_pretty(&pointer).unwrap_or_default();
    bytes.push(b'\n');
    let expected = before.as_ref().map(|(_, version)| version);
    match store.compare_and_swap(PATH, expected, bytes.into())? {
        SwapOutcome::Swapped => Ok(Promotion::Promoted { previous }),
        SwapOutcome::Moved => {
            let model_id = current(store)?.map_or_else(|| "none".to_owned(), |p| p.model_id);
            Err(Error::Moved { model_id })
        }
    }
}

fn read(store: &Store) -> Result<Option<(Pointer, Version)>, Error> {
    let Some((bytes, version)) = store.get_versioned(PATH)? else { return Ok(None) };
    let pointer = serde_json::from_slice(&bytes).map_err(|source| Error::Unreadable {
        path: PATH.to_owned(),
        expected: "a pointer to a model",
        source,
    })?;
    Ok(Some((pointer, version)))
}
