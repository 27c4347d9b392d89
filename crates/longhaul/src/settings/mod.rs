//! Settings: from flags, the environment and the pipeline file to values with an origin.
//!
//! [`Settings`] is what a pipeline file can set, with defaults; [`Resolved`] applies the precedence
//! flag, variable, file, default, and reads the files that the settings name.

mod dotted_key;
mod limits;
mod network;
mod pipeline_file;
mod resolved;

pub(crate) use network::NetworkSection;
pub(crate) use resolved::Resolved;

/// A setting that is out of its range.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OutOfRange {
    pub(crate) key: &'static str,
    pub(crate) problem: String,
}
