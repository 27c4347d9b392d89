//! Asking for memory before it is needed.
//!
//! The rows of a leaf lie all over the table, in rising order but with gaps that no hardware
//! foresees, so each first touch of a row waits for memory. The list of rows says what comes next.
//! Measured with the example `nine_quantiles` (1,000,000 rows, 40 columns, 10 rounds, one thread):
//! 7.0 s without, 4.0 s with.

/// Asks for the cache line of `slice[index]`, which need not exist.
#[inline(always)]
pub(crate) fn prefetch<T>(slice: &[T], index: usize) {
    ask(slice.as_ptr().wrapping_add(index).cast());
}

/// Asks for the cache lines in which the `N` bytes from `bytes[start]` begin and end.
#[inline(always)]
pub(crate) fn prefetch_bytes<const N: usize>(bytes: &[u8], start: usize) {
    let first = bytes.as_ptr().wrapping_add(start);
    ask(first);
    ask(first.wrapping_add(N - 1));
}

/// Asks for the cache line of an address. Changes no result, so its safe twin is not to call it:
/// what other processors do.
#[inline(always)]
fn ask(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        #[expect(
            unsafe_code,
            reason = "a hint: it reads nothing and cannot fault, whatever the address"
        )]
        // SAFETY: a prefetch is defined for every address.
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(address.cast());
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}
