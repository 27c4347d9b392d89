//! Seeded sampling of rows without replacement, the same on every machine.

use statistics::SplitMix64;

/// `n` of `rows` without replacement, in their order; all rows if there are not more.
///
/// Source: the first `n` steps of the shuffle of Fisher and Yates, as by Durstenfeld, Algorithm 235,
/// Communications of the ACM 7(7), 1964.
pub(crate) fn sample(rows: &[usize], n: usize, seed: u64) -> Vec<usize> {
    let mut chosen = rows.to_vec();
    if n < chosen.len() {
        let mut random = SplitMix64::new(seed);
        for at in 0..n {
            let other = at + random.below(chosen.len() - at);
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
