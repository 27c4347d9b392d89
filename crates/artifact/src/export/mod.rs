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

pub use lightgbm::lightgbm_files;
pub use mlmodel::{example_row, mlmodel_files};
pub use onnx::onnx_model;
pub use parity::{ParityVectors, parity_vectors};
pub use parity_columns::PARITY_FILE;
pub use verification::{VerifiedParity, verify_parity};
