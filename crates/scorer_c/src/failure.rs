//! How a call fails: a status, a text that the thread keeps, and no panic that leaves Rust.
#![expect(unsafe_code, reason = "a function that C calls by its name")]

use std::any::Any;
use std::cell::RefCell;
use std::ffi::{CString, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How a call ended.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// As it should.
    Ok = 0,
    /// A pointer is null, or not aligned as its type needs it.
    InvalidPointer = 1,
    /// A row has not one value for each feature, or so many values that they cannot be in memory.
    InvalidLength = 2,
    /// A text is not UTF-8.
    InvalidText = 3,
    /// There is no such feature, or it has no levels.
    UnknownFeature = 4,
    /// The model cannot be loaded: a file is missing, altered, or of another version.
    InvalidModel = 5,
    /// A fault in longhaul itself; the model may still be used.
    Panic = 6,
    /// The speed table cannot be opened: the file is missing, cut off, altered, or of another version.
    InvalidSpeedTable = 7,
}

/// Why a call failed.
#[derive(Debug)]
pub(crate) struct Failure {
    status: Status,
    text: String,
}

impl Failure {
    pub(crate) fn new(status: Status, text: impl Into<String>) -> Self {
        Self { status, text: text.into() }
    }
}

impl From<scorer::Error> for Failure {
    fn from(error: scorer::Error) -> Self {
        let mut text = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        if let Some(hint) = error.hint() {
            text = format!("{text}; {hint}");
        }
        let status = match error {
            scorer::Error::RowLength { .. } => Status::InvalidLength,
            scorer::Error::SpeedTableUnreadable { .. }
            | scorer::Error::SpeedTableForm { .. }
            | scorer::Error::SpeedTableAltered { .. } => Status::InvalidSpeedTable,
            _ => Status::InvalidModel,
        };
        Self { status, text }
    }
}

thread_local! {
    static LAST_ERROR: RefCell<CString> = RefCell::default();
}

/// What was wrong at the last call of this thread that failed: one line in UTF-8, empty if none has.
/// It is valid until the next call of this thread that fails.
#[unsafe(no_mangle)]
pub extern "C" fn longhaul_last_error() -> *const c_char {
    // While a thread ends, its text is gone already.
    LAST_ERROR.try_with(|text| text.borrow().as_ptr()).unwrap_or(c"".as_ptr())
}

/// The result of `call`, or `otherwise` and a text for the last error if it fails or panics.
pub(crate) fn value_or<T>(otherwise: T, call: impl FnOnce() -> Result<T, Failure>) -> T {
    result_of(call).unwrap_or(otherwise)
}

/// The status of `call`, and a text for the last error if it fails or panics.
pub(crate) fn status_of(call: impl FnOnce() -> Result<(), Failure>) -> Status {
    result_of(call).err().unwrap_or(Status::Ok)
}

fn result_of<T>(call: impl FnOnce() -> Result<T, Failure>) -> Result<T, Status> {
    // What a call changes is either of its own or written at its end, so nothing is left half done.
    let result = catch_unwind(AssertUnwindSafe(call));
    let failure = match result {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(failure)) => failure,
        Err(panic) => Failure::new(Status::Panic, panic_text(&*panic)),
    };
    let text = CString::new(failure.text.replace('\0', "\\0")).unwrap_or_default();
    let _ = LAST_ERROR.try_with(|last| last.replace(text));
    Err(failure.status)
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("a fault in longhaul: {}", text.unwrap_or("no text"))
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use super::*;

    fn last_error() -> String {
        let text = longhaul_last_error();
        // SAFETY: the text ends in NUL and is not replaced before it is copied.
        unsafe { CStr::from_ptr(text) }.to_str().unwrap().to_owned()
    }

    #[test]
    fn a_panic_is_a_status_and_a_text() {
        assert_eq!(last_error(), "");
        let at = std::hint::black_box(3);
        assert_eq!(status_of(|| panic!("feature {at}")), Status::Panic);
        assert_eq!(last_error(), "a fault in longhaul: feature 3");
        assert_eq!(value_or(7, || panic!("constant")), 7);
        assert_eq!(last_error(), "a fault in longhaul: constant");
    }

    #[test]
    fn a_text_of_one_thread_is_not_anothers() {
        let fail = |text: &str| status_of(|| Err(Failure::new(Status::InvalidText, text)));
        assert_eq!(fail("here"), Status::InvalidText);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                assert_eq!((last_error(), fail("there")), (String::new(), Status::InvalidText))
            });
        });
        assert_eq!(last_error(), "here");
        // What succeeds does not change it, and a NUL does not cut it short.
        assert_eq!(status_of(|| Ok(())), Status::Ok);
        assert_eq!(last_error(), "here");
        fail("a\0b");
        assert_eq!(last_error(), "a\\0b");
    }
}
