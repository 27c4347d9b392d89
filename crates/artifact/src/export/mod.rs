//! A model in the formats of others, and the rows that prove that they read it right.

mod leaf_counts;
mod lightgbm;
mod lightgbm_text;
mod parity;
mod reference;
mod split_rows;
mod value_pools;

pub use lightgbm::{lightgbm_files, lightgbm_files_counted};
pub use parity::{PARITY_FILE, ParityVectors, parity_vectors};
