//! The model in the formats of others, so that what a shop already has can read it.

mod onnx;

pub use onnx::onnx_model;
