//! Floats as integers of the same order, which compare and sort faster.

/// An integer that compares as its float does; the two zeros are equal.
#[inline(always)]
pub(crate) fn sort_key(value: f32) -> u32 {
    let bits = (value + 0.0).to_bits();
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}

/// The float with this [`sort_key`].
pub(crate) fn from_sort_key(key: u32) -> f32 {
    f32::from_bits(if key >> 31 == 1 { key ^ (1 << 31) } else { !key })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sort_keys_compare_as_their_floats(a: f32, b: f32) {
            prop_assume!(a.is_finite() && b.is_finite());
            prop_assert_eq!(sort_key(a).cmp(&sort_key(b)), a.partial_cmp(&b).unwrap());
            prop_assert_eq!(from_sort_key(sort_key(a)), a);
        }
    }
}
