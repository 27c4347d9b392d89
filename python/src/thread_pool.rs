//! The threads that score.

use std::sync::{Mutex, PoisonError};

use pyo3::exceptions::PyRuntimeError;
use pyo3::{PyResult, Python};
use rayon::{ThreadPool, ThreadPoolBuilder};

/// The pool, and the process that it is of.
static POOL: Mutex<Option<(u32, &ThreadPool)>> = Mutex::new(None);

/// The pool of this process. After a `fork`, which takes no threads along, the child makes its own; the
/// one of the parent is left alone, since it is dead there and would be waited for.
///
/// `fork` is called by a thread that holds the interpreter's lock, as does whoever has `_locked`: so
/// nobody is in here at that moment, and the mutex is never copied locked.
///
/// # Errors
/// If no thread can be started.
pub(crate) fn thread_pool(_locked: Python<'_>) -> PyResult<&'static ThreadPool> {
    let process = std::process::id();
    let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, pool)) = pool.filter(|(owner, _)| *owner == process) {
        return Ok(pool);
    }
    let new = ThreadPoolBuilder::new()
        .thread_name(|position| format!("longhaul-{position}"))
        .build()
        .map_err(|error| PyRuntimeError::new_err(format!("threads cannot be started: {error}")))?;
    let new: &ThreadPool = Box::leak(Box::new(new));
    *pool = Some((process, new));
    Ok(new)
}
