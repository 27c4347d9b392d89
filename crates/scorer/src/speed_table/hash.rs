//! The hash of texts and keys: FNV-1a of 64 bits, ended by a mix, since FNV's own lower bits depend on
//! lower bits only.
//!
//! Sources: Fowler, Noll, Vo, "The FNV Non-Cryptographic Hash Algorithm", IETF draft; the mix is the
//! end of MurmurHash3 for 128 bits (Appleby).

const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// The hash of a text: of its bytes.
pub(super) fn of_text(text: &str) -> u64 {
    of_numbers(text.bytes().map(u64::from))
}

/// The hash of a key: of its 32-bit words.
pub(super) fn of_key(words: &[u32]) -> u64 {
    of_numbers(words.iter().map(|&word| u64::from(word)))
}

fn of_numbers(numbers: impl Iterator<Item = u64>) -> u64 {
    mixed(numbers.fold(OFFSET, |hash, number| (hash ^ number).wrapping_mul(PRIME)))
}

fn mixed(mut hash: u64) -> u64 {
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn before_the_mix_a_text_is_hashed_as_fnv_says() {
        // Vectors of the draft.
        for (text, expected) in
            [("", OFFSET), ("a", 0xaf63_dc4c_8601_ec8c), ("foobar", 0x8594_4171_f739_67e8)]
        {
            assert_eq!(of_text(text), mixed(expected), "{text}");
        }
        // MurmurHash3's mix of 1.
        assert_eq!(mixed(1), 0xb456_bcfc_34c2_cb2c);
        assert_eq!(of_key(&[97]), of_text("a"));
    }
}
