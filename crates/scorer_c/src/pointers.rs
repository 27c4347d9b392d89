//! What C hands over as pointers, as references and slices: checked for null and alignment, which is
//! all that can be seen of a pointer.
#![expect(unsafe_code, reason = "what is behind a pointer of C is the caller's word")]

use std::ffi::{CStr, c_char};

use crate::failure::{Failure, Status};

fn check<T>(pointer: *const T, name: &str) -> Result<(), Failure> {
    let found = match pointer {
        _ if pointer.is_null() => "NULL",
        _ if !pointer.is_aligned() => "one that is not aligned",
        _ => return Ok(()),
    };
    let text = format!("{name}: expected a pointer, found {found}");
    Err(Failure::new(Status::InvalidPointer, text))
}

/// What `pointer` points to.
///
/// # Errors
/// If it is null or not aligned.
///
/// # Safety
/// Unless it is null, it points to a value that lives, unchanged, as long as the reference.
pub(crate) unsafe fn reference<'a, T>(pointer: *const T, name: &str) -> Result<&'a T, Failure> {
    check(pointer, name)?;
    // SAFETY: neither null nor misaligned, and the rest is what the caller of this function promises.
    Ok(unsafe { &*pointer })
}

/// The `length` values from `pointer` on, of which there may be none behind a null pointer.
///
/// # Errors
/// If the pointer is null or not aligned, or no memory has so many values.
///
/// # Safety
/// Unless it is null, it points to so many values that live, unchanged, as long as the slice.
pub(crate) unsafe fn slice<'a, T>(
    pointer: *const T,
    length: usize,
    name: &str,
) -> Result<&'a [T], Failure> {
    if length == 0 {
        return Ok(&[]);
    }
    check(pointer, name)?;
    check_length::<T>(length, name)?;
    // SAFETY: neither null nor misaligned nor longer than memory, and the rest is what the caller of
    // this function promises.
    Ok(unsafe { std::slice::from_raw_parts(pointer, length) })
}

/// # Errors
/// If no memory has so many values.
fn check_length<T>(length: usize, name: &str) -> Result<(), Failure> {
    match length.checked_mul(size_of::<T>()) {
        Some(bytes) if isize::try_from(bytes).is_ok() => Ok(()),
        _ => {
            let text = format!("{name}: expected what memory can hold, found {length} values");
            Err(Failure::new(Status::InvalidLength, text))
        }
    }
}

/// The text at `pointer`.
///
/// # Errors
/// If it is null, or the text is not UTF-8.
///
/// # Safety
/// Unless it is null, it points to bytes that end in NUL and live, unchanged, as long as the text.
pub(crate) unsafe fn text<'a>(pointer: *const c_char, name: &str) -> Result<&'a str, Failure> {
    check(pointer, name)?;
    // SAFETY: not null, and the rest is what the caller of this function promises.
    let text = unsafe { CStr::from_ptr(pointer) };
    text.to_str().map_err(|_| {
        let found = text.to_string_lossy();
        Failure::new(Status::InvalidText, format!("{name}: expected UTF-8, found {found:?}"))
    })
}

/// The text at `pointer`, of which there may be none.
///
/// # Errors
/// If the text is not UTF-8.
///
/// # Safety
/// As of [`text`].
pub(crate) unsafe fn text_or_null<'a>(
    pointer: *const c_char,
    name: &str,
) -> Result<Option<&'a str>, Failure> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: as the caller promises.
    unsafe { text(pointer, name) }.map(Some)
}

/// Where C wants results: `length` values, of which none is read.
#[derive(Clone, Copy)]
pub(crate) struct Out<T> {
    pointer: *mut T,
    length: usize,
}

impl<T: Copy> Out<T> {
    /// The `length` values from `pointer` on, of which there may be none behind a null pointer.
    ///
    /// # Errors
    /// If the pointer is null or not aligned, or no memory has so many values.
    ///
    /// # Safety
    /// Unless it is null, there is memory for so many values, which nothing else uses while this is
    /// there.
    pub(crate) unsafe fn new(pointer: *mut T, length: usize, name: &str) -> Result<Self, Failure> {
        if length > 0 {
            check(pointer, name)?;
            check_length::<T>(length, name)?;
        }
        Ok(Self { pointer, length })
    }

    /// Writes the value at a position.
    ///
    /// # Panics
    /// If it is past the end.
    pub(crate) fn write(self, position: usize, value: T) {
        assert!(position < self.length, "position {position} of {}", self.length);
        // SAFETY: the memory is there, as whoever made this has promised, and this is within it.
        unsafe { self.pointer.add(position).write(value) }
    }
}
