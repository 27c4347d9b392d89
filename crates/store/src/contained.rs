//! Panics of decoders, of bytes that nobody foresaw: an error that names the file, not a crash.
//!
//! The decoders are libraries with tens of thousands of lines; that one of them panics on a damaged
//! file is likelier than that none does. What is decoded is dropped with the panic, so nothing
//! half-made is used.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    static IS_DECODING: Cell<bool> = const { Cell::new(false) };
}

/// Runs `decode` on this thread; `Err` has the message of its panic, which is not printed.
///
/// ```
/// assert_eq!(store::contained(|| 7), Ok(7));
/// assert_eq!(store::contained(|| panic!("a bad page")), Err::<(), _>("a bad page".to_owned()));
/// ```
///
/// # Errors
/// If it panics.
pub fn contained<R>(decode: impl FnOnce() -> R) -> Result<R, String> {
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
