//! A model in the formats of others, so that what a shop already has can read it, and the rows that prove
//! that it read it right.

use std::collections::BTreeMap;

use scorer::Scorer;

use crate::{About, Error};

mod leaf_counts;
mod lightgbm;
mod lightgbm_text;
mod mlmodel;
mod onnx;
mod outputs;
mod parity;
mod reference;
mod split_rows;
#[cfg(test)]
mod test_model;
mod value_pools;

pub use lightgbm::{lightgbm_files, lightgbm_files_counted};
pub use mlmodel::{MODEL_FILE, example_row, mlmodel_files};
pub use onnx::onnx_model;
pub use parity::{PARITY_FILE, ParityVectors, parity_vectors};

/// Random rows among the parity vectors of a bundle.
const N_RANDOM: usize = 2_000;

/// All of it: LightGBM's text, `model.onnx` with `MLmodel` and an example, parity vectors. The same model
/// gives the same bytes.
///
/// # Errors
/// If a part of the model has no equal in one of the formats.
pub fn files(scorer: &Scorer, about: &About) -> Result<BTreeMap<String, Vec<u8>>, Error> {
    let mut files = lightgbm_files(scorer)?;
    files.insert(MODEL_FILE.to_owned(), onnx_model(scorer)?);
    files.extend(mlmodel_files(scorer, about, &example_row(scorer))?);
    let vectors = parity_vectors(scorer, N_RANDOM, about.seed)?;
    files.insert(PARITY_FILE.to_owned(), vectors.to_parquet()?);
    Ok(files)
}
