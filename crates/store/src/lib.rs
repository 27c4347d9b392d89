//! The only room with a window: objects in a folder (`file://`), in S3-compatible storage
//! (`s3://`) or in memory (`memory://`, for tests).
//!
//! What is here: whole objects in and out, by key; create-if-absent and compare-and-swap, which
//! hold on every store; lists; digests checked on the way in; the settings of a store, resolved
//! once from a map of variables ([`StoreSettings`]); and a [probe](Store::probe) of all of it.
//!
//! What is not: nothing here knows what the bytes mean. No environment is read (the binary hands
//! its variables in), nothing is cached, nothing is printed.
//!
//! Nouns: a *key* is the path of an object below the URL of its store; a *version* stands for the
//! bytes of an object as they were read, and is what compare-and-swap compares.
//!
//! What is promised:
//! - An object is seen whole or not at all, also while it is replaced.
//! - Of any number of racers, one creates an object; an update made from an old version is refused.
//! - After a put returns, a reader anywhere sees it. In a folder its bytes are on the disk before
//!   its name is, so that after a power cut an object is whole or absent.
//! - A swap whose answer was lost on the way may be reported as moved although it happened: who is
//!   told `Moved` reads again and looks.
//!
//! Limits: calls block and must not be made from inside an async runtime. An object that is created
//! or swapped goes up in one request (5 GiB on S3). A retry budget of some seconds stands between
//! a fault and its error; requests that were refused (4xx) are not retried.

mod credentials;
mod error;
mod failure;
mod folder;
mod key;
mod location;
mod outcome;
mod probe;
mod profile;
mod remote;
mod remote_write;
mod settings;
mod store;
mod vars;


pub use error::Error;
pub use location::url_of;
pub use outcome::{Entry, PutOutcome, SwapOutcome, Version};
pub use probe::ProbeStep;
pub use settings::{Setting, StoreSettings};
pub use store::Store;
