//! Seeded choice of rows, the same on every machine.

/// A generator of numbers whose sequence is part of our promise of equal bytes.
///
/// Source: Steele, Lea and Flood, Fast Splittable Pseudorandom Number Generators, 2014
/// (SplitMix64).
pub(crate) struct Seeded(u64);

impl Seeded {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not 0. Its bias is below `end` / 2^64.
    fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.next()) * end as u128) >> 64) as usize
    }
}

/// `n` of `rows` without repetition, in their order; all if there are not more.
pub(crate) fn sample(rows: &[usize], n: usize, seed: u64) -> Vec<usize> {
    let mut chosen = rows.to_vec();
    if n < chosen.len() {
        let mut seeded = Seeded::new(seed);
        for at in 0..n {
            let other = at + seeded.below(chosen.len() - at);
            chosen.swap(at, other);
        }
        chosen.truncate(n);
        chosen.sort_unstable();
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_seeded_ordered_and_without_repetition() {
        let rows: Vec<usize> = (100..1100).collect();
        let chosen = sample(&rows, 300, 7);
        assert_eq!(chosen.len(), 300);
        assert!(chosen.is_sorted_by(|a, b| a < b));
        assert!(chosen.iter().all(|row| rows.contains(row)));
        assert_eq!(chosen, sample(&rows, 300, 7));
        assert_ne!(chosen, sample(&rows, 300, 8));
        assert_eq!(sample(&rows, 5000, 7), rows);
        let mean = chosen.iter().sum::<usize>() as f64 / 300.0;
        assert!((mean - 600.0).abs() < 60.0, "{mean}");
    }
}
