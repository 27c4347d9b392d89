//! An S3-compatible server on loopback: test support, and `make s3` to try things by hand.
//!
//! It serves a folder: a bucket is a folder in it. Signatures are checked, so that a wrong secret
//! is refused. Requests that write run one at a time and alone, because the conditional puts of
//! the file system behind it look first and write later, and would let every racer win.
//!
//! What it is not: a server for anybody's data. It speaks plain HTTP, listens on 127.0.0.1 only
//! and reads the whole folder for every list.
//!
//! Order of work: bind the port; a thread with its own runtime accepts connections until the
//! [`S3Server`] is dropped.

mod door;
mod server;

pub use server::{Options, S3Server};
