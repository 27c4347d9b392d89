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

/// Random rows among the parity vectors.
const N_RANDOM: usize = 2_000;

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
    let scorer = bundle.scorer()?;
    let mut files: BTreeMap<String, Vec<u8>> = bundle.files.clone();
    files.insert("manifest.json".to_owned(), bundle.manifest.to_bytes());
    let mut of_format: Vec<(&str, usize, usize)> = Vec::new();
    let mut add = |format: &'static str, more: BTreeMap<String, Vec<u8>>| {
        of_format.push((format, more.len(), more.values().map(Vec::len).sum()));
        files.extend(more);
    };
    reporter.progress("export LightGBM".to_owned());
    add("LightGBM", artifact::export::lightgbm_files(&scorer)?);
    reporter.progress("export ONNX".to_owned());
    let onnx = artifact::export::onnx_model(&scorer)?;
    add("ONNX", BTreeMap::from([("model.onnx".to_owned(), onnx)]));
    let example = artifact::export::example_row(&scorer);
    let about = &bundle.manifest.about;
    add("MLflow", artifact::export::mlmodel_files(&scorer, about, &example)?);
    reporter.progress("export parity vectors".to_owned());
    let vectors = artifact::export::parity_vectors(&scorer, N_RANDOM, about.seed)?;
    let path = artifact::export::PARITY_FILE.to_owned();
    add("parity vectors", BTreeMap::from([(path, vectors.to_parquet()?)]));
    write(to, &files)?;
    let result = json!({
        "model_id": model_id,
        "folder": to.display().to_string(),
        "files": files.iter().map(|(name, bytes)| (name, bytes.len())).collect::<BTreeMap<_, _>>(),
    });
    reporter.result(&envelope("models export", result), || {
        let rows: Vec<Vec<String>> = (of_format.iter())
            .map(|(format, n, bytes)| vec![(*format).to_owned(), count(*n), count(*bytes)])
            .collect();
        let header = ["format", "files", "bytes"];
        format!("model {model_id} is in {}\n\n{}", to.display(), table(&header, &rows))
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
