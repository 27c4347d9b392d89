//! Asking for memory before it is needed.
//!
//! The rows of a leaf lie all over the table, in rising order but with gaps that no hardware
//! foresees, so each first touch of a row would wait for memory: at a million rows that was half
//! the time of a scan and nine tenths of a partition (`cargo bench` of neither is needed to see it:
//! without the call below, the `nine_quantiles` example takes twice as long). The lists of rows say
//! what comes next.

/// Asks for the cache line of `slice[index]`, which need not exist.
#[inline(always)]
pub(crate) fn prefetch<T>(slice: &[T], index: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let address = slice.as_ptr().wrapping_add(index).cast();
        #[expect(
            unsafe_code,
            reason = "a hint: it reads nothing and cannot fault, whatever the address"
        )]
        // SAFETY: a prefetch is defined for every address.
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(address);
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (slice, index);
}
