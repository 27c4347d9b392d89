//! A digest of words: of what a training depends on (`checkpoint`), of a row's bins
//! (`binned_matrix`).

use statistics::SplitMix64;

/// Mixes 64-bit words by multiplication with an odd number. It finds mistakes, not malice.
pub(crate) struct Digest(pub(crate) u64);

impl Digest {
    #[inline(always)]
    pub(crate) fn word(&mut self, word: u64) {
        let mixed = (self.0 ^ word).wrapping_mul(SplitMix64::GAMMA);
        self.0 = mixed ^ (mixed >> 29);
    }

    /// The length of a slice of numbers and the bits of each.
    pub(crate) fn numbers(&mut self, numbers: &[f32]) {
        self.word(numbers.len() as u64);
        numbers.iter().for_each(|number| self.word(number.to_bits().into()));
    }

    pub(crate) fn text(&mut self, text: &str) {
        text.bytes().for_each(|byte| self.word(byte.into()));
    }
}
