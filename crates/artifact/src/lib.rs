//! The model registry: bundles of model files as objects in the store, and the pointer to the
//! champion, the model that scores.
//!
//! A bundle is a folder `models/<model_id>/` of files and a manifest that holds the SHA-256 of
//! each. The model id is a digest of those digests, so equal models have equal ids wherever they
//! were trained and in whichever store they are.
//!
//! Order of writing: every file, then `manifest.json` (only if absent), and last, if the model is
//! to be used, `models/<pipeline>/current.json` by compare-and-swap. A bundle without its manifest does not
//! exist; a crash between two steps leaves the champion that was.
//!
//! A person may choose another champion ([`choose`]); what that withdraws does not come back by itself.
//!
//! A bundle may be signed ([`sign`]): `manifest.sig` beside its manifest, by which whoever has the public
//! key knows that it is the one that was published.
//!
//! [`export`] writes a model in the formats of others, with rows and expected results to prove that
//! they read it right.
//!
//! What is not here: the content of the files (see `scorer`), and the gates that decide whether a
//! model may become champion (see `evaluate`).

mod bundle;
mod choice;
mod decision;
mod error;
pub mod export;
mod pointer;
mod registry;
mod signature;

pub use bundle::{About, Bundle, FileEntry, Manifest, SIGNATURE_FILE, Sources};
pub use choice::{before, choose};
pub use decision::{Decision, Decisions, eligible};
pub use error::Error;
pub use pointer::{
    Pointer, Promotion, current, fence, path as pointer_path, pipelines, promote, raise_fence,
    rebuild, verify_pointer,
};
pub use registry::{
    Models, list, read, read_files, read_folder, read_folder_manifest, read_folder_signature,
    read_manifest_of, write,
};
pub use signature::{PublicKey, SecretKey, read_signature, sign};
