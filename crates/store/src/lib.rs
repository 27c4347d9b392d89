//! Object storage, and the only crate that does I/O on data: objects in a folder (`file://`), in
//! S3-compatible storage (`s3://`) or in memory (`memory://`, for tests).
//!
//! What is here: get, put, create-if-absent and compare-and-swap of whole objects by key, with the
//! same semantics on every backend; listing; digests verified on read; the settings of a store,
//! resolved once from a map of variables ([`StoreSettings`]); and a [probe](Store::probe) that tries
//! each operation.
//!
//! What is not: the format of the bytes is unknown here, but for what those above need to decode bytes
//! that nobody vouches for ([`PageHeader`], [`contained`]). The environment is not read (the binary
//! passes its variables in), nothing is cached, nothing is printed.
//!
//! Terms: a *key* is the path of an object below the URL of its store; a *version* identifies the
//! bytes of an object as they were read, and is what compare-and-swap compares.
//!
//! Guarantees:
//! - Writes are atomic: a reader sees an object whole or not at all, also while it is replaced.
//! - Of concurrent creators of an object exactly one succeeds; an update from a stale version is
//!   refused.
//! - Reads after writes are consistent. In a folder the bytes are synced to the disk before the
//!   name exists, so that after a power cut an object is whole or absent.
//! - A conditional write whose answer was lost is repeated, and if that is refused the object is read
//!   back: one's own bytes mean that the write took effect. Two writers of the same bytes at the same
//!   time may both be told so; bytes that decide who won name their writer.
//! - Bytes that do not have the digest that is asked for, or the MD5 that the server says, are read
//!   again; those of no known digest are read twice ([`Store::get_fresh`]).
//! - In a folder the names of objects are synced to the disk before a write returns, as their bytes
//!   are.
//!
//! Limits: calls block and must not be made from inside an async runtime. An object that is created
//! or swapped is uploaded in one request (at most 5 GiB on S3). Faults of the server or the network
//! are retried for [`Limits::retry_for`]; requests that were refused (4xx) are not.

mod activity;
mod address;
mod clock;
mod contained;
mod credentials;
mod error;
mod etag;
mod executor;
mod fault_plan;
mod folder;
mod folders;
mod http;
mod key;
mod leftovers;
mod limits;
mod location;
mod object;
mod object_lock;
mod page_header;
mod probe;
mod profile;
mod remote;
mod remote_read;
mod remote_write;
mod reserved_name;
mod response;
mod retry;
mod sealed;
mod settings;
mod simulated;
mod simulated_client;
mod simulated_objects;
mod store;
mod temporary_file;
mod upload_in_parts;
mod variables;
mod verified_read;
mod weakness;

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod s3_fault_tests;
#[cfg(test)]
mod s3_tests;

pub use activity::Traffic;
pub use clock::VirtualClock;
pub use contained::contained;
pub use error::Error;
pub use fault_plan::{Fault, FaultPlan, Operation, OperationKind};
pub use leftovers::Leftover;
pub use limits::Limits;
pub use location::{masked, url_of};
pub use object::{Entry, PutOutcome, SwapOutcome, Version};
pub use page_header::{PageHeader, PageKind};
pub use probe::ProbeStep;
pub use settings::{Setting, StoreSettings};
pub use simulated::SimulatedStorage;
pub use store::Store;
pub use weakness::Weakness;
