//! Panics of Polars, of bytes that nobody foresaw, and of SQL: an error that names the file, not a
//! crash. An interval of `1e999 days` panics.

use polars::error::{PolarsError, PolarsResult};
pub(crate) use store::contained;

/// Runs `compute` on this thread; its panic is an error of Polars.
pub(crate) fn contained_result<R>(compute: impl FnOnce() -> PolarsResult<R>) -> PolarsResult<R> {
    contained(compute).unwrap_or_else(|panic| Err(PolarsError::ComputeError(panic.into())))
}
