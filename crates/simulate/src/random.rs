//! Random numbers that depend on (seed, stream, index) alone, and draws from distributions.
//!
//! Every order, node, nightly extract … has a sequence of its own, so what is drawn for one never
//! depends on how much was drawn for another. The generator is [`SplitMix64`]; exp, ln and cos are
//! those of `libm`, which gives the same bits on every machine.

use statistics::SplitMix64;

/// The use of a sequence. The number is part of its key, so it must never change.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stream {
    Zones = 1,
    Nodes = 2,
    Lanes = 3,
    Volumes = 4,
    NodeWeeks = 5,
    CarrierWeeks = 6,
    Pilot = 7,
    Orders = 8,
    Recording = 9,
    Odd = 10,
    Nights = 11,
}

/// One sequence of random numbers.
#[derive(Debug, Clone)]
pub(crate) struct Random(SplitMix64);

impl Random {
    /// The sequence of (seed, stream, index).
    pub(crate) fn new(seed: u64, stream: Stream, index: u64) -> Self {
        const GAMMA: u64 = SplitMix64::GAMMA;
        let mix = SplitMix64::mix;
        let key = mix(mix(seed.wrapping_add(GAMMA)) ^ (stream as u64).wrapping_mul(GAMMA));
        Self(SplitMix64::new(mix(key ^ mix(index.wrapping_add(GAMMA)))))
    }

    /// Uniform in [0, 1), with 53 bits.
    pub(crate) fn share(&mut self) -> f64 {
        self.0.unit()
    }

    /// Uniform in [low, high).
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.share()
    }

    /// Uniform among 0 … n - 1; the bias is below n / 2^53.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        ((self.share() * n as f64) as usize).min(n.saturating_sub(1))
    }

    /// True with this probability.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.share() < probability
    }

    /// Standard normal, by the method of Box and Muller.
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * libm::log(1.0 - self.share())).sqrt();
        radius * libm::cos(std::f64::consts::TAU * self.share())
    }

    /// Log-normal around `median`.
    pub(crate) fn lognormal(&mut self, median: f64, sigma: f64) -> f64 {
        median * libm::exp(sigma * self.normal())
    }

    /// Exponential with this mean.
    pub(crate) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * libm::log(1.0 - self.share())
    }
}

/// Positions to be drawn in proportion to weights.
#[derive(Debug, Clone)]
pub(crate) struct Weights(Vec<f64>);

impl Weights {
    /// From one weight a position. Weights are not negative, and at least one is positive.
    pub(crate) fn new(weights: impl IntoIterator<Item = f64>) -> Self {
        let mut sum = 0.0;
        let sums = weights.into_iter().map(|weight| {
            sum += weight;
            sum
        });
        Self(sums.collect())
    }

    /// Draws a position.
    pub(crate) fn draw(&self, random: &mut Random) -> usize {
        let at = random.share() * self.0.last().copied().unwrap_or(0.0);
        self.0.partition_point(|&sum| sum <= at).min(self.0.len().saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_are_fixed_by_seed_stream_and_index() {
        let draw = |seed, stream, index| Random::new(seed, stream, index).0.next_u64();
        assert_eq!(draw(1, Stream::Orders, 1), 0x34CF_4693_4E53_C024);
        assert_ne!(draw(1, Stream::Orders, 1), draw(1, Stream::Orders, 2));
        assert_ne!(draw(1, Stream::Orders, 1), draw(2, Stream::Orders, 1));
        assert_ne!(draw(1, Stream::Orders, 1), draw(1, Stream::Odd, 1));
    }

    #[test]
    fn normals_have_mean_zero_and_variance_one() {
        let mut random = Random::new(1, Stream::Orders, 0);
        let draws: Vec<f64> = (0..20_000).map(|_| random.normal()).collect();
        let mean = draws.iter().sum::<f64>() / 20_000.0;
        let variance = draws.iter().map(|x| x * x).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.04, "{mean} {variance}");
    }

    #[test]
    fn positions_come_in_proportion_to_their_weights() {
        let weights = Weights::new([1.0, 0.0, 3.0]);
        let mut counts = [0; 3];
        for index in 0..4_000 {
            counts[weights.draw(&mut Random::new(7, Stream::Orders, index))] += 1;
        }
        assert_eq!(counts[1], 0);
        assert!((2_900..3_100).contains(&counts[2]), "{counts:?}");
    }
}
