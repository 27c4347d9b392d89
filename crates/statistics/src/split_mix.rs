//! Random numbers that follow from a seed, the same on every machine and in every version.

/// The generator SplitMix64. Its sequence is part of our promise of equal bytes.
///
/// Source: Steele, Lea and Flood, Fast Splittable Pseudorandom Number Generators, OOPSLA 2014.
///
/// ```
/// let mut random = statistics::SplitMix64::new(0);
/// assert_eq!(random.next_u64(), 0xE220_A839_7B1D_CDAF);
/// ```
#[derive(Debug, Clone)]
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// What is added to the state for each number: 2^64 divided by the golden ratio, made odd.
    pub const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

    /// The sequence that begins after the state `seed`.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    #[inline]
    pub const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(Self::GAMMA);
        Self::mix(self.0)
    }

    /// The sequence after its next `n` numbers, in constant time.
    #[must_use]
    pub const fn skip(&self, n: u64) -> Self {
        Self(self.0.wrapping_add(Self::GAMMA.wrapping_mul(n)))
    }

    /// The next number below `limit`, which is not 0. Its bias is below `limit` / 2^64.
    #[inline]
    pub const fn below(&mut self, limit: usize) -> usize {
        ((self.next_u64() as u128 * limit as u128) >> 64) as usize
    }

    /// The next number, uniform in [0, 1), with 53 bits.
    #[inline]
    pub const fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// The finaliser, a bijection of 64 bits: variant 13 of Stafford's mixers.
    #[inline]
    pub const fn mix(mut bits: u64) -> u64 {
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_the_published_one() {
        // From the reference implementation, seed 1234567.
        let mut random = SplitMix64::new(1_234_567);
        assert_eq!(random.next_u64(), 6_457_827_717_110_365_317);
        assert_eq!(random.next_u64(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn a_sequence_can_be_entered_anywhere() {
        let mut one = SplitMix64::new(9);
        let mut other = one.skip(3);
        for _ in 0..3 {
            one.next_u64();
        }
        assert_eq!(one.next_u64(), other.next_u64());
    }

    #[test]
    fn numbers_below_a_limit_reach_all_of_it() {
        let mut random = SplitMix64::new(5);
        let mut counts = [0; 4];
        (0..4_000).for_each(|_| counts[random.below(4)] += 1);
        assert!(counts.iter().all(|n| (900..1_100).contains(n)), "{counts:?}");
        assert!((0..1_000).all(|_| (0.0..1.0).contains(&random.unit())));
    }
}
