//! Threads whose stacks are large enough for nested work in Polars.
//!
//! A worker that waits for Polars starts on another file meanwhile, on the same stack, and so on:
//! with unoptimised dependencies the usual 2 MiB overflow. Only the part that is touched takes
//! memory.

use std::sync::OnceLock;

use polars::prelude::{Column, DataFrame, IntoLazy};
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::contained::contained_result;

const STACK_BYTES: usize = 64 << 20;

/// A builder of thread pools in which Polars may be called from parallel work.
pub fn worker_threads() -> ThreadPoolBuilder {
    ThreadPoolBuilder::new().stack_size(STACK_BYTES)
}

/// Starts the pools on which tables are checked and computed, Polars' own included.
///
/// # Errors
/// If the system gives no memory or no threads for them, as text. Whoever goes on then learns of it
/// where it says nothing of memory, such as in a contract that Polars cannot parse without its pool.
pub fn start_workers() -> Result<(), String> {
    if pool().is_none() {
        return Err("no threads to check tables on".to_owned());
    }
    let rows = DataFrame::new(2, vec![Column::new("n".into(), [1_i64, 2])]);
    let sorted = contained_result(|| rows?.lazy().sort(["n"], Default::default()).collect());
    sorted.map(drop).map_err(|error| error.to_string())
}

fn pool() -> Option<&'static ThreadPool> {
    static POOL: OnceLock<Option<ThreadPool>> = OnceLock::new();
    POOL.get_or_init(|| worker_threads().build().ok()).as_ref()
}

/// Runs `work`, and what it does in parallel, on such a pool, the same one each time.
pub(crate) fn on_workers<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    match pool() {
        Some(pool) => pool.install(work),
        None => work(),
    }
}
