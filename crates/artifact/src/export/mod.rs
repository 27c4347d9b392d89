//! A model in the formats of others, so that what a shop already has can read it, and the rows that prove
//! that it read it right.

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
pub use mlmodel::{example_row, mlmodel_files};
pub use onnx::onnx_model;
pub use parity::{PARITY_FILE, ParityVectors, parity_vectors};
