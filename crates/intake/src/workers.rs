//! Threads with room on their stacks.
//!
//! A worker that waits for Polars takes up another file meanwhile, on the same stack, and so on:
//! with unoptimised dependencies the usual 2 MiB overflow. Only what is touched takes memory.

use std::sync::OnceLock;

use rayon::{ThreadPool, ThreadPoolBuilder};

const STACK_BYTES: usize = 64 << 20;

/// Does `work`, and what it does in parallel, on threads of this room.
pub(crate) fn on_workers<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    static POOL: OnceLock<Option<ThreadPool>> = OnceLock::new();
    let pool = POOL.get_or_init(|| ThreadPoolBuilder::new().stack_size(STACK_BYTES).build().ok());
    match pool {
        Some(pool) => pool.install(work),
        None => work(),
    }
}
