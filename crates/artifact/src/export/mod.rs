//! A model in the formats of others, so that what a shop already has can read it, and the rows that prove
//! that it read it right.
mod lightgbm;
mod lightgbm_text;
mod mlmodel;
mod onnx;
mod outputs;
mod parity;
mod parity_columns;
mod parity_file;
mod reference;
mod split_rows;
#[cfg(test)]
mod test_model;
mod value_pools;
mod verification;

use std::collections::BTreeMap;

use scorer::Parts;

use crate::{About, Error};

pub use lightgbm::lightgbm_files;
pub use mlmodel::{MODEL_FILE, example_row, mlmodel_files};
pub use onnx::onnx_model;
pub use parity::{ParityVectors, parity_vectors};
pub use parity_columns::PARITY_FILE;
pub use verification::{VerifiedParity, verified_scorer, verify_parity};

/// Random rows among the parity vectors of a bundle.
const N_RANDOM: usize = 512;

/// All of it: LightGBM's text, `model.onnx` with `MLmodel` and an example, parity vectors. The same model
/// gives the same bytes.
///
/// # Errors
/// If a part of the model has no equal in one of the formats.
pub fn files(parts: &Parts, about: &About) -> Result<BTreeMap<String, Vec<u8>>, Error> {
    let mut files = lightgbm_files(parts)?;
    files.insert(MODEL_FILE.to_owned(), onnx_model(parts)?);
    files.extend(mlmodel_files(parts, about, &example_row(parts))?);
    let vectors = parity_vectors(parts, N_RANDOM, about.seed)?;
    files.insert(PARITY_FILE.to_owned(), vectors.to_parquet()?);
    Ok(files)
}
