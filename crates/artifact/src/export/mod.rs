//! The model in the formats of others, so that what a shop already has can read it.

mod mlmodel;
mod onnx;
mod outputs;
#[cfg(test)]
mod test_model;

pub use mlmodel::{example_row, mlmodel_files};
pub use onnx::onnx_model;
