//! The model bundle as objects in the store, and the pointer to the champion.
//!
//! A bundle is a folder `models/<model_id>/` of files and a manifest that holds the SHA-256 of
//! each. The model id is a digest of those digests, so equal models have equal ids wherever they
//! were trained and whichever store holds them.
//!
//! Order of writing: every file, then `manifest.json` (only if absent), and last, if the model is
//! to be used, `models/current.json` by compare-and-swap. A bundle without its manifest does not
//! exist; a crash between two steps leaves the champion that was.
//!
//! What is not here: what the files mean (`scorer` knows), and whether a model deserves to be
//! champion (`evaluate` knows).

mod bundle;
mod error;
mod pointer;
mod registry;

pub use bundle::{About, Bundle, FileEntry, Manifest};
pub use error::Error;
pub use pointer::{Pointer, Promotion, current, promote};
pub use registry::{list, read, write};
