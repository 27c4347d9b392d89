//! Bundles in the store: writing with the manifest last, verified reading, and the list of models.

use bytes::Bytes;
use store::{PutOutcome, Store};
use terms::{ErrorClass, SealError};

use crate::{Bundle, Error, Manifest};

/// Writes a bundle, its manifest last. Returns whether it was new. What is there of it and damaged is
/// written anew.
///
/// # Errors
/// If the store fails; then there is no manifest, and writing the bundle again completes it.
pub fn write(store: &Store, bundle: &Bundle) -> Result<bool, Error> {
    let folder = folder(bundle.model_id());
    match read(store, bundle.model_id()) {
        Ok(_) => return Ok(false),
        Err(error) if error.is_damage() => {}
        Err(error) => return Err(error),
    }
    let files = bundle
        .files
        .iter()
        .map(|(name, bytes)| (format!("{folder}/{name}"), Bytes::copy_from_slice(bytes)));
    store.put_many(files.collect())?;
    let path = format!("{folder}/manifest.json");
    let bytes: Bytes = bundle.manifest.to_bytes().into();
    if store.put_if_absent(&path, bytes.clone())? == PutOutcome::Created {
        return Ok(true);
    }
    if store.get(&path)? != bytes {
        store.put(&path, bytes)?;
    }
    Ok(false)
}

/// Reads a bundle and verifies every byte of it.
///
/// # Errors
/// If it is not there, or a file has another digest than the manifest says.
pub fn read(store: &Store, model_id: &str) -> Result<Bundle, Error> {
    let folder = folder(model_id);
    let manifest = read_manifest_of(store, model_id)?;
    let mut files = std::collections::BTreeMap::new();
    for (name, entry) in &manifest.files {
        let bytes = store.get_verified(&format!("{folder}/{name}"), &entry.sha256)?;
        files.insert(name.clone(), bytes.to_vec());
    }
    Ok(Bundle { manifest, files })
}

/// The published models of a store.
#[derive(Debug, Default)]
pub struct Models {
    /// Their manifests, newest as-of first, then by id.
    pub manifests: Vec<Manifest>,
    /// Paths of manifests that are not as they were written, and what is wrong with each.
    pub damaged: Vec<(String, Error)>,
}

/// The models that were published in a store, by any pipeline.
///
/// # Errors
/// If the store fails. A damaged manifest is no error: it must not stop the nights of others.
pub fn list(store: &Store) -> Result<Models, Error> {
    let mut models = Models::default();
    for entry in store.list("models/")? {
        if let Some(model_id) =
            entry.path.strip_prefix("models/").and_then(|path| path.strip_suffix("/manifest.json"))
        {
            match read_manifest(store, &entry.path, model_id) {
                Ok(manifest) => models.manifests.push(manifest),
                Err(error) if error.class() == ErrorClass::Contract => {
                    models.damaged.push((entry.path, error));
                }
                Err(error) => return Err(error),
            }
        }
    }
    models.manifests.sort_by(|a, b| {
        b.about.as_of.cmp(&a.about.as_of).then_with(|| a.model_id.cmp(&b.model_id))
    });
    Ok(models)
}

/// The manifest of one model.
///
/// # Errors
/// If it is not there or not as it was written, or the store fails.
pub fn read_manifest_of(store: &Store, model_id: &str) -> Result<Manifest, Error> {
    read_manifest(store, &format!("{}/manifest.json", folder(model_id)), model_id)
}

fn read_manifest(store: &Store, path: &str, model_id: &str) -> Result<Manifest, Error> {
    let not_found = || {
        let store = store.url().to_owned();
        Error::NotFound { model_id: model_id.to_owned(), store }
    };
    let manifest = match store.get_sealed::<Manifest>(path, Manifest::SCHEMA) {
        Ok(found) => found.map(|(manifest, _)| manifest).ok_or_else(not_found)?,
        Err(store::Error::Sealed { source: SealError::Schema { .. }, .. }) => {
            let (bytes, _) = store.get_versioned(path)?.ok_or_else(not_found)?;
            Manifest::of_version_1(path, &bytes)?
        }
        Err(error) => return Err(error.into()),
    };
    manifest.verified(path, model_id)
}

fn folder(model_id: &str) -> String {
    format!("models/{model_id}")
}
