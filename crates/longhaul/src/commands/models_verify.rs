//! The commands `models verify` and `models sign`: a published model, or a copy of one, is what it was;
//! and says who published it.
#![expect(
    clippy::disallowed_methods,
    reason = "keys and copies of bundles are files of the caller's"
)]

use std::path::Path;

use anyhow::Result;
use artifact::export::verified_scorer;
use artifact::{PublicKey, SecretKey};
use serde_json::json;
use store::Store;
use terms::count;

use super::models;
use crate::command_output::{CommandOutput, envelope};

/// Verifies the digests of a model's files, that they make a scorer, what this program makes of its
/// parity vectors, and its signature if there is a key.
///
/// # Errors
/// The first of these that is not so.
pub(crate) fn verify(
    store: &Store,
    (model_id, folder): (&str, Option<&Path>),
    key: Option<&Path>,
) -> Result<CommandOutput> {
    let public = |path: &Path| PublicKey::of_pem(&path.display().to_string(), &read(path)?);
    let key = key.map(public).transpose()?;
    let (bundle, (manifest, signature)) = match folder {
        Some(folder) => {
            let bundle = artifact::read_folder(folder, |_| true)?;
            (bundle, artifact::read_folder_signature(folder)?)
        }
        None => {
            let model_id = models::named(store, model_id)?;
            (artifact::read(store, &model_id)?, artifact::read_signature(store, &model_id)?)
        }
    };
    let model_id = bundle.model_id().to_owned();
    let signed = match &key {
        Some(key) => {
            key.verify(&model_id, &manifest, signature.as_deref())?;
            "by the key"
        }
        None if signature.is_some() => "not verified: --key names the public key",
        None => "no",
    };
    let rows = verified_scorer(&bundle)?.1.map(|verified| verified.rows);
    let bytes: u64 = bundle.manifest.files.values().map(|file| file.bytes).sum();
    let n_files = bundle.manifest.files.len();
    let parity = match rows {
        Some(rows) => format!("{} rows are scored as they were", count(rows)),
        None => "the bundle has no parity vectors".to_owned(),
    };
    let text = format!(
        "model {model_id} is as it was published\n\n\
         files      {n_files} with {} bytes as in the manifest\n\
         parity     {parity}\n\
         signed     {signed}",
        count(bytes as usize),
    );
    let result = json!({
        "model_id": model_id,
        "files": n_files,
        "bytes": bytes,
        "parity_rows": rows,
        "has_signature": signature.is_some(),
        "signature_verified": key.is_some(),
    });
    Ok(CommandOutput { json: envelope("models verify", result), text, refused: None })
}

/// Signs a published model with a secret key.
///
/// # Errors
/// If the key is none, or the model is not there or was altered, or the store fails.
pub(crate) fn sign(store: &Store, model_id: &str, key: &Path) -> Result<CommandOutput> {
    let key = SecretKey::of_pem(&key.display().to_string(), &read(key)?)?;
    let model_id = models::named(store, model_id)?;
    // Not what only the manifest says.
    artifact::read(store, &model_id)?;
    artifact::sign(store, &model_id, &key)?;
    let path = store.url_of(&format!("models/{model_id}/{}", artifact::SIGNATURE_FILE));
    let result = json!({ "model_id": model_id, "signature": path });
    let text = format!("model {model_id} is signed: {path}");
    Ok(CommandOutput { json: envelope("models sign", result), text, refused: None })
}

fn read(path: &Path) -> Result<Vec<u8>, artifact::Error> {
    let unreadable = |source| artifact::Error::File { path: path.display().to_string(), source };
    std::fs::read(path).map_err(unreadable)
}
