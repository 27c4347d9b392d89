//! Prefetching: loading memory into the cache before it is needed.
//!
//! The rows of a leaf are spread over the whole binned matrix, in rising order but with gaps that no
//! hardware prefetcher predicts, so every first access to a row would wait for memory. The list of
//! rows says which come next.
//! Measured with the example `nine_quantiles` (1,000,000 rows, 40 columns, 10 rounds, one thread):
//! 7.0 s without, 4.0 s with.

/// Prefetches the cache line of `slice[index]`, which need not exist. It changes no result; on other
/// processors it does nothing.
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
