//! The command `models export`: a published model in the formats of others, in a folder.
#![expect(clippy::disallowed_methods, reason = "the folder is the caller's")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::json;
use store::Store;
use terms::count;

use super::models;
use crate::command_output::envelope;
use crate::refusal::Refusal;
use crate::report::{Reporter, table};

/// Whether a file is of a format.
type IsOfFormat = fn(&str) -> bool;

/// The formats of others, and the files of each.
const FORMATS: [(&str, IsOfFormat); 4] = [
    ("LightGBM", |name| name.ends_with("/model.txt")),
    ("ONNX", |name| name == artifact::export::MODEL_FILE),
    ("MLflow", |name| ["MLmodel", "input_example.json"].contains(&name)),
    ("parity vectors", |name| name == artifact::export::PARITY_FILE),
];

/// Writes a model to a new folder: its own files, `model.onnx` with `MLmodel`, LightGBM's text, and the
/// rows that prove that a reader reads it right. Another folder or none is written, never half of one.
///
/// # Errors
/// If the model is not there or was altered, a part of it has no equal in one of the formats, or the
/// folder is there already or cannot be written.
pub(crate) fn run(store: &Store, model_id: &str, to: &Path, reporter: &Reporter) -> Result<()> {
    if to.exists() {
        let what = format!("{}: expected no such folder, found one", to.display());
        return Err(Refusal::Usage { what }.into());
    }
    let model_id = &models::named(store, model_id)?;
    let bundle = artifact::read(store, model_id)?;
    let mut files: BTreeMap<String, Vec<u8>> = bundle.files.clone();
    let exported = artifact::export::files(&bundle.parts()?, &bundle.manifest.about)?;
    // Those of the bundle, where it has them: the manifest has their digests.
    exported.into_iter().for_each(|(name, bytes)| {
        files.entry(name).or_insert(bytes);
    });
    files.insert("manifest.json".to_owned(), bundle.manifest.to_bytes());
    write(to, &files)?;
    let result = json!({
        "model_id": model_id,
        "folder": to.display().to_string(),
        "files": files.iter().map(|(name, bytes)| (name, bytes.len())).collect::<BTreeMap<_, _>>(),
    });
    reporter.result(&envelope("models export", result), || {
        let of_format = FORMATS.map(|(format, is_of)| {
            let of_it = files.iter().filter(|(name, _)| is_of(name));
            let (n, bytes) = of_it.fold((0, 0), |(n, sum), (_, bytes)| (n + 1, sum + bytes.len()));
            vec![format.to_owned(), count(n), count(bytes)]
        });
        let header = ["format", "files", "bytes"];
        format!("model {model_id} is in {}\n\n{}", to.display(), table(&header, &of_format))
    });
    Ok(())
}

/// Writes the files beside the folder, and renames them into place once they are whole.
fn write(to: &Path, files: &BTreeMap<String, Vec<u8>>) -> Result<()> {
    let name = to.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let partial: PathBuf = to.with_file_name(format!(".{name}.{}", std::process::id()));
    let written = || -> Result<()> {
        for (name, bytes) in files {
            let path = partial.join(name);
            let place = || path.display().to_string();
            std::fs::create_dir_all(path.parent().unwrap_or(&partial)).with_context(place)?;
            std::fs::write(&path, bytes).with_context(place)?;
        }
        std::fs::rename(&partial, to).with_context(|| to.display().to_string())
    };
    written().inspect_err(|_| {
        let _ = std::fs::remove_dir_all(&partial);
    })
}
