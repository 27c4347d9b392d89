//! Bundles in the store: writing with the manifest last, verified reading, and the list of models.

use bytes::Bytes;
use store::{PutOutcome, Store};

use crate::{Bundle, Error, Manifest};

/// Writes a bundle, its manifest last. Returns whether it was new.
///
/// # Errors
/// If the store fails; then there is no manifest, and writing the bundle again completes it.
pub fn write(store: &Store, bundle: &Bundle) -> Result<bool, Error> {
    let folder = folder(bundle.model_id());
    let manifest_path = format!("{folder}/manifest.json");
    if store.exists(&manifest_path)? {
        return Ok(false);
    }
    let files = bundle
        .files
        .iter()
        .map(|(name, bytes)| (format!("{folder}/{name}"), Bytes::copy_from_slice(bytes)));
    store.put_many(files.collect())?;
    let outcome = store.put_if_absent(&manifest_path, bundle.manifest.to_bytes().into())?;
    Ok(outcome == PutOutcome::Created)
}

/// Reads a bundle and verifies every byte of it.
///
/// # Errors
/// If it is not there, or a file has another digest than the manifest says.
pub fn read(store: &Store, model_id: &str) -> Result<Bundle, Error> {
    let folder = folder(model_id);
    let manifest = read_manifest(store, &format!("{folder}/manifest.json"), model_id)?;
    let mut files = std::collections::BTreeMap::new();
    for (name, entry) in &manifest.files {
        let bytes = store.get_verified(&format!("{folder}/{name}"), &entry.sha256)?;
        files.insert(name.clone(), bytes.to_vec());
    }
    Ok(Bundle { manifest, files })
}

/// The manifests of all published models, newest as-of first, then by id.
///
/// # Errors
/// If the store fails or a manifest is broken.
pub fn list(store: &Store) -> Result<Vec<Manifest>, Error> {
    let mut manifests = Vec::new();
    for entry in store.list("models/")? {
        if let Some(model_id) =
            entry.path.strip_prefix("models/").and_then(|path| path.strip_suffix("/manifest.json"))
        {
            manifests.push(read_manifest(store, &entry.path, model_id)?);
        }
    }
    manifests.sort_by(|a, b| {
        b.about.as_of.cmp(&a.about.as_of).then_with(|| a.model_id.cmp(&b.model_id))
    });
    Ok(manifests)
}

fn read_manifest(store: &Store, path: &str, model_id: &str) -> Result<Manifest, Error> {
    let bytes = match store.get_versioned(path)? {
        Some((bytes, _)) => bytes,
        None => {
            let store = store.url().to_owned();
            return Err(Error::NotFound { model_id: model_id.to_owned(), store });
        }
    };
    Manifest::from_bytes(path, &bytes)
}

fn folder(model_id: &str) -> String {
    format!("models/{model_id}")
}
