//! Panics of decoders, of bytes that nobody foresaw, and of SQL: an error that names the file, not a
//! crash.
//!
//! The decoders are libraries with tens of thousands of lines; that one of them panics on a damaged
//! file is likelier than that none does. An interval of `1e999 days` panics, too. What is decoded is dropped with the panic, so nothing
//! half-made is used.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use polars::error::{PolarsError, PolarsResult};

thread_local! {
    static IS_DECODING: Cell<bool> = const { Cell::new(false) };
}

/// Runs `decode` on this thread; `Err` has the message of its panic.
pub(crate) fn contained<R>(decode: impl FnOnce() -> R) -> Result<R, String> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |panicked| match IS_DECODING.get() {
            true => tracing::debug!("in a decoder: {panicked}"),
            false => report(panicked),
        }));
    });
    let was_decoding = IS_DECODING.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(decode));
    IS_DECODING.set(was_decoding);
    result.map_err(|panicked| {
        let text = panicked.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panicked.downcast_ref::<String>().cloned());
        text.unwrap_or_else(|| "a panic without a message".to_owned())
    })
}

/// Runs `compute` likewise; its panic is an error of Polars.
pub(crate) fn contained_result<R>(compute: impl FnOnce() -> PolarsResult<R>) -> PolarsResult<R> {
    contained(compute).unwrap_or_else(|panic| Err(PolarsError::ComputeError(panic.into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_its_message() {
        assert_eq!(contained(|| 3), Ok(3));
        let index = std::hint::black_box(7);
        let message = contained(|| [1, 2, 3][index]).unwrap_err();
        assert!(message.contains("out of bounds"), "{message}");
    }
}
