//! An S3-compatible server on loopback: test support, and `make s3` for use by hand.
//!
//! It serves a folder: a bucket is a folder in it. Signatures are checked, so that a wrong secret
//! is refused. Writes are serialised, because the conditional puts of the underlying service check
//! first and write later, and would let all concurrent creators succeed.
//!
//! Not for production: it uses plain HTTP, listens on 127.0.0.1 only and reads the whole folder
//! for every list.
//!
//! A thread with its own runtime accepts connections until the [`S3Server`] is dropped.
#![expect(clippy::disallowed_methods, reason = "a server for tests, on a folder and a port")]

mod faults;
mod refusal;
mod request_filter;
mod server;

pub use faults::{Fault, FaultRule};
pub use server::{Options, S3Server};
