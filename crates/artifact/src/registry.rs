//! Bundles in the store: writing with the manifest last, verified reading, and the list of models.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use bytes::Bytes;
use scorer::MANIFEST_FILE;
use store::{PutOutcome, Store};
use terms::{ErrorClass, SealError};

use crate::bundle::SIGNATURE_FILE;
use crate::{Bundle, Error, Manifest};

/// Writes a bundle, its manifest last. Returns the manifest that is there from then on: of a model that
/// was published before, the one of then, which may tell of another program or parent. What is there of
/// it and damaged is written anew.
///
/// # Errors
/// If the store fails; then there is no manifest, and writing the bundle again completes it.
pub fn write(store: &Store, bundle: &Bundle) -> Result<Manifest, Error> {
    let folder = folder(bundle.model_id());
    match read(store, bundle.model_id()) {
        Ok(found) => return Ok(found.manifest),
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
    if store.put_if_absent(&path, bytes.clone())? == PutOutcome::Exists {
        match read_manifest_of(store, bundle.model_id()) {
            // Its files are the ones of this bundle, or the id would be another.
            Ok(found) => return Ok(found),
            Err(error) if error.is_damage() => store.put(&path, bytes)?,
            Err(error) => return Err(error),
        }
    }
    Ok(bundle.manifest.clone())
}

/// Reads a bundle and verifies every byte of it.
///
/// # Errors
/// If it is not there, or a file has another digest than the manifest says.
pub fn read(store: &Store, model_id: &str) -> Result<Bundle, Error> {
    read_files(store, model_id, |_| true)
}

/// Reads some files of a bundle, verified: those that score are a small part of it.
///
/// # Errors
/// If it is not there, or a file has another digest than the manifest says.
pub fn read_files(
    store: &Store,
    model_id: &str,
    is_wanted: impl Fn(&str) -> bool,
) -> Result<Bundle, Error> {
    let folder = folder(model_id);
    let manifest = read_manifest_of(store, model_id)?;
    let mut files = BTreeMap::new();
    for (name, entry) in manifest.files.iter().filter(|(name, _)| is_wanted(name)) {
        let bytes = store.get_verified(&format!("{folder}/{name}"), &entry.sha256)?;
        files.insert(name.clone(), bytes.to_vec());
    }
    Ok(Bundle { manifest, files })
}

/// Reads some files of a bundle that was copied to a folder, verified.
///
/// # Errors
/// If the manifest is not there or not as it was written, or a file is missing or altered.
pub fn read_folder(path: &Path, is_wanted: impl Fn(&str) -> bool) -> Result<Bundle, Error> {
    let place = path.display().to_string();
    let manifest = read_folder_manifest(path)?;
    let mut files = BTreeMap::new();
    for name in manifest.files.keys().filter(|name| is_wanted(name)) {
        if !is_plain(name) {
            return Err(Error::File {
                path: format!("{place}/{name}"),
                source: std::io::Error::other("a name that leads out of the folder"),
            });
        }
        files.insert(name.clone(), read_file(path, name)?);
    }
    Bundle::of_files(manifest, files, &place)
}

/// The bytes of the manifest in a folder, and its signature if there is one.
///
/// # Errors
/// If there is no manifest, or one of the two cannot be read.
pub fn read_folder_signature(path: &Path) -> Result<(Vec<u8>, Option<Vec<u8>>), Error> {
    let signature = match read_file(path, SIGNATURE_FILE) {
        Ok(bytes) => Some(bytes),
        Err(Error::File { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    Ok((read_file(path, MANIFEST_FILE)?, signature))
}

/// The manifest of a bundle that was copied to a folder.
///
/// # Errors
/// If it is not there or not as it was written.
pub fn read_folder_manifest(path: &Path) -> Result<Manifest, Error> {
    let bytes = read_file(path, MANIFEST_FILE)?;
    Manifest::of_bytes(&format!("{}/{MANIFEST_FILE}", path.display()), &bytes)
}

#[expect(clippy::disallowed_methods, reason = "the folder is the caller's")]
fn read_file(folder: &Path, name: &str) -> Result<Vec<u8>, Error> {
    let unreadable = |source| Error::File { path: format!("{}/{name}", folder.display()), source };
    std::fs::read(folder.join(name)).map_err(unreadable)
}

/// Whether a name stays inside the folder that it is joined to.
fn is_plain(name: &str) -> bool {
    Path::new(name).components().all(|part| matches!(part, Component::Normal(_)))
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

pub(crate) fn folder(model_id: &str) -> String {
    format!("models/{model_id}")
}

#[cfg(test)]
mod tests {
    use terms::Digest;

    use super::*;
    use crate::pointer::tests::{bundle, store};
    use crate::{Sources, current, promote, verify_pointer};

    #[test]
    fn a_model_that_is_published_again_keeps_its_manifest_and_the_pointer_fits() {
        let store = store();
        let first = bundle(&store, "north", "2025-09-01", true);
        let sources = Sources { parent: Some("another".to_owned()), ..Sources::default() };
        let mut again = first.clone().with_sources(sources);
        assert_eq!(again.model_id(), first.model_id());
        again.manifest = write(&store, &again).unwrap();
        assert_eq!(again.manifest, first.manifest);
        promote(&store, &again, 1, || true).unwrap();
        verify_pointer(&store, &current(&store, "north").unwrap().unwrap()).unwrap();
    }

    #[test]
    fn some_files_of_a_bundle_are_read_without_the_others() {
        let store = store();
        let whole = bundle(&store, "north", "2025-09-01", true);
        let (wanted, _) = whole.files.first_key_value().unwrap();
        for name in whole.files.keys().filter(|name| *name != wanted) {
            store.put(&format!("models/{}/{name}", whole.model_id()), Bytes::new()).unwrap();
        }
        let some = read_files(&store, whole.model_id(), |name| name == wanted).unwrap();
        assert_eq!(some.files.keys().collect::<Vec<_>>(), [wanted]);
        assert!(whole.files.len() == 1 || read(&store, whole.model_id()).is_err());
    }

    /// Writes a bundle to a folder.
    #[expect(clippy::disallowed_methods, reason = "the folder is the test's")]
    fn copy(bundle: &Bundle, to: &Path) {
        for (name, bytes) in &bundle.files {
            let path = to.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        std::fs::write(to.join("manifest.json"), bundle.manifest.to_bytes()).unwrap();
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the folder is the test's")]
    fn a_copy_in_a_folder_is_read_if_it_is_whole() {
        let about = bundle(&store(), "north", "2025-09-01", true).manifest.about;
        let files = [("a.json", "{}"), ("q05/model.txt", "tree")];
        let files = files.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()));
        let bundle = Bundle::new(about.clone(), BTreeMap::from(files));
        let folder = tempfile::tempdir().unwrap();
        copy(&bundle, folder.path());
        let whole = || read_folder(folder.path(), |_| true);
        let read = whole().unwrap();
        let signature = || read_folder_signature(folder.path()).unwrap().1;
        assert_eq!((read.manifest, read.files), (bundle.manifest.clone(), bundle.files.clone()));
        assert_eq!(signature(), None);
        std::fs::write(folder.path().join(SIGNATURE_FILE), "signed").unwrap();
        assert_eq!(signature().as_deref(), Some(&b"signed"[..]));

        let message = || whole().unwrap_err().to_string();
        std::fs::write(folder.path().join("q05/model.txt"), "other").unwrap();
        assert!(message().contains("q05/model.txt: expected SHA-256"), "{}", message());
        std::fs::remove_file(folder.path().join("q05/model.txt")).unwrap();
        assert!(message().ends_with("q05/model.txt: cannot be read"), "{}", message());

        // A manifest that leads out of the folder.
        let files = BTreeMap::from([("../stolen".to_owned(), b"x".to_vec())]);
        let bytes = Bundle::new(about, files).manifest.to_bytes();
        std::fs::write(folder.path().join("manifest.json"), bytes).unwrap();
        let error = whole().unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(source, "a name that leads out of the folder");
        std::fs::write(folder.path().join("manifest.json"), Digest::of(b"").as_str()).unwrap();
        assert!(matches!(whole(), Err(Error::Unreadable { .. })));
    }
}
