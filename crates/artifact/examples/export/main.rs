//! Writes a model in the formats of others: `export BUNDLE OUT`. BUNDLE is a folder with a manifest;
//! `generated:SEED` is a model that no training makes. Used by `make parity`, which then reads OUT with
//! other people's programs.
#![expect(clippy::disallowed_methods, reason = "an example reads and writes files")]
#![expect(clippy::print_stdout, reason = "an example prints its result")]

#[path = "../onnx_rows/about.rs"]
mod about;
mod generated;

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};

use about::about;
use artifact::export::{
    PARITY_FILE, example_row, lightgbm_files, mlmodel_files, onnx_model, parity_vectors,
};
use scorer::Parts;

/// Random rows, beside those that are made of the splits.
const RANDOM_ROWS: usize = 1_000;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [bundle, out] = arguments.as_slice() else { return Err("export BUNDLE OUT".into()) };
    let seed = bundle.to_str().and_then(|text| text.strip_prefix("generated:"));
    let parts = match seed {
        Some(seed) => generated::generated(seed.parse()?)?,
        None => Parts::load(bundle)?.0,
    };
    let mut files = lightgbm_files(&parts)?;
    let vectors = parity_vectors(&parts, RANDOM_ROWS, 1)?;
    println!(
        "{} rows meet {} of {} splits at the threshold and both neighbours",
        vectors.n_rows(),
        vectors.n_splits_met,
        vectors.n_splits,
    );
    files.insert(PARITY_FILE.into(), vectors.to_parquet()?);
    files.insert("model.onnx".into(), onnx_model(&parts)?);
    files.extend(mlmodel_files(&parts, &about()?, &example_row(&parts))?);
    // For our own scorer, and the comparison of sizes.
    files.extend(parts.encode());
    write(out, &files)
}

fn write(folder: &Path, files: &BTreeMap<String, Vec<u8>>) -> Result<(), Box<dyn Error>> {
    for (name, bytes) in files {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(path, bytes)?;
    }
    Ok(())
}
