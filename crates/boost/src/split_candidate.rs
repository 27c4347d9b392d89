//! Candidate splits in terms of bins, and which of two is better.

use crate::binning::{BINS, MISSING_BIN};
use crate::fixed_point::Word;

/// A set of bins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct BinSet([u64; BINS / 64]);

impl BinSet {
    pub(crate) fn insert(&mut self, bin: u8) {
        self.0[bin as usize / 64] |= 1 << (bin % 64);
    }

    pub(crate) fn contains(&self, bin: u8) -> bool {
        self.0[bin as usize / 64] >> (bin % 64) & 1 == 1
    }

    /// For each bin, whether it is in the set.
    pub(crate) fn flags(&self) -> [bool; BINS] {
        std::array::from_fn(|bin| self.contains(bin as u8))
    }
}

/// How a split divides the bins of its column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum BinRule {
    /// Bins up to this one go left. Of numeric columns.
    UpTo(u8),
    /// These bins go to the side that missing values do not go to. Of categorical columns.
    Bins(BinSet),
}

/// A split that may be made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Candidate<const W: usize> {
    /// How much the loss falls.
    pub(crate) gain: f64,
    /// Position of the column among the training columns.
    pub(crate) feature: usize,
    /// Its slot in the binned matrix.
    pub(crate) slot: usize,
    pub(crate) rule: BinRule,
    /// Whether missing values go left.
    pub(crate) missing_left: bool,
    /// The sums of the left child.
    pub(crate) left: Word<W>,
}

impl<const W: usize> Candidate<W> {
    /// The bins whose rows go left.
    pub(crate) fn left_bins(&self) -> BinSet {
        let goes_left = |bin: u8| match &self.rule {
            BinRule::UpTo(_) if bin == MISSING_BIN => self.missing_left,
            BinRule::UpTo(last) => bin <= *last,
            BinRule::Bins(set) => set.contains(bin) != self.missing_left,
        };
        let mut bins = BinSet::default();
        (0..=u8::MAX).filter(|&bin| goes_left(bin)).for_each(|bin| bins.insert(bin));
        bins
    }
}

/// The candidate with the larger gain; if they are equal, that of the earlier column.
pub(crate) fn better<const W: usize>(
    first: Option<Candidate<W>>,
    second: Option<Candidate<W>>,
) -> Option<Candidate<W>> {
    match (first, second) {
        (Some(a), Some(b)) => {
            let b_wins = b.gain > a.gain || (b.gain == a.gain && b.feature < a.feature);
            Some(if b_wins { b } else { a })
        }
        (a, b) => a.or(b),
    }
}
