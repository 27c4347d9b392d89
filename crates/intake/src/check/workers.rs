//! Threads whose stacks are large enough for nested work in Polars.
//!
//! A worker that waits for Polars starts on another file meanwhile, on the same stack, and so on:
//! with unoptimised dependencies the usual 2 MiB overflow. Only the part that is touched takes
//! memory.

use std::sync::OnceLock;

use rayon::{ThreadPool, ThreadPoolBuilder};

const STACK_BYTES: usize = 64 << 20;

/// A builder of thread pools in which Polars may be called from parallel work.
pub fn worker_threads() -> ThreadPoolBuilder {
    ThreadPoolBuilder::new().stack_size(STACK_BYTES)
}

/// Runs `work`, and what it does in parallel, on such a pool, the same one each time.
pub(crate) fn on_workers<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    static POOL: OnceLock<Option<ThreadPool>> = OnceLock::new();
    match POOL.get_or_init(|| worker_threads().build().ok()) {
        Some(pool) => pool.install(work),
        None => work(),
    }
}
