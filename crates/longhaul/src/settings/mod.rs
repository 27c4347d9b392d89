//! Settings: from flags, the environment and the pipeline file to values with an origin.
//!
//! [`Settings`] is what a pipeline file can set, with defaults; [`Resolved`] applies the precedence
//! flag, variable, file, default, and reads the files that the settings name.

use std::ops::RangeInclusive;

mod dotted_key;
mod limits;
mod network;
mod operations;
mod pipeline_file;
mod resolved;
pub(crate) mod schema;

pub(crate) use network::NetworkSection;
pub(crate) use operations::{OperationsSection, is_url};
pub(crate) use resolved::Resolved;
#[cfg(test)]
pub(crate) use resolved::known_keys;

/// Checks that each value lies in its range; `unit` follows the range in messages.
///
/// # Errors
/// The first setting that is out of its range.
fn check_ranges<const N: usize>(
    ranges: [(&'static str, i64, RangeInclusive<i64>); N],
    unit: &str,
) -> Result<(), OutOfRange> {
    match ranges.into_iter().find(|(_, found, range)| !range.contains(found)) {
        None => Ok(()),
        Some((key, found, range)) => {
            let (min, max) = range.into_inner();
            let problem = format!("expected {min} to {max}{unit}, found {found}");
            Err(OutOfRange { key, problem })
        }
    }
}

/// A setting that is out of its range.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OutOfRange {
    pub(crate) key: &'static str,
    pub(crate) problem: String,
}
