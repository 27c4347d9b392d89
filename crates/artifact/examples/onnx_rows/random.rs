//! Random numbers in the forms that rows and models are made of.

use statistics::SplitMix64;

pub(crate) struct Random(SplitMix64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(SplitMix64::new(seed))
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// From 0 to below `n`; 0 if there is nothing below it.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0.below(n)
    }

    /// From 0 to 1.
    pub(crate) fn unit(&mut self) -> f32 {
        self.0.unit() as f32
    }

    pub(crate) fn chance(&mut self, share: f32) -> bool {
        self.unit() < share
    }
}
