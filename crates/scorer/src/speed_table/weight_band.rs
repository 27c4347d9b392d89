//! Bands of weight.

/// Texts of the bands, in order.
const TEXTS: [&str; WeightBand::ENDS_G.len() + 1] = [
    "up to 0.5 kg",
    "up to 1 kg",
    "up to 2 kg",
    "up to 5 kg",
    "up to 10 kg",
    "up to 20 kg",
    "up to 31.5 kg",
    "over 31.5 kg",
];

/// The weight band of a shipment: carriers' prices and networks change at such weights.
///
/// ```
/// use scorer::WeightBand;
///
/// let band = WeightBand::of(1_000.0).unwrap();
/// assert_eq!((band.index(), band.text()), (1, "up to 1 kg"));
/// assert_eq!(WeightBand::of(40_000.0).unwrap().text(), "over 31.5 kg");
/// assert_eq!(WeightBand::of(f32::NAN), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WeightBand(u8);

impl WeightBand {
    /// The greatest weight of each band but the last, which has no end. Units: grams.
    pub const ENDS_G: [f32; 7] = [500.0, 1_000.0, 2_000.0, 5_000.0, 10_000.0, 20_000.0, 31_500.0];

    /// All bands, from the lightest to the heaviest.
    pub const ALL: [Self; Self::ENDS_G.len() + 1] =
        [Self(0), Self(1), Self(2), Self(3), Self(4), Self(5), Self(6), Self(7)];

    /// The band of a weight in grams; `None` of what is no weight: NaN, negative or infinite.
    pub fn of(weight_g: f32) -> Option<Self> {
        let is_weight = weight_g.is_finite() && weight_g >= 0.0;
        let n_lighter = Self::ENDS_G.iter().map(|&end| u8::from(weight_g > end)).sum();
        is_weight.then_some(Self(n_lighter))
    }

    /// Its position in [`WeightBand::ALL`].
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    /// The greatest weight in it, in grams; of the last band the greatest there is.
    pub fn end_g(self) -> f32 {
        Self::ENDS_G.get(self.index()).copied().unwrap_or(f32::MAX)
    }

    /// What it is in words: "up to 0.5 kg" to "over 31.5 kg".
    pub fn text(self) -> &'static str {
        TEXTS[self.index()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_weight_is_in_the_band_that_ends_at_or_after_it() {
        for (at, band) in WeightBand::ALL.into_iter().enumerate() {
            assert_eq!((band.index(), WeightBand::of(band.end_g())), (at, Some(band)));
            if let Some(next) = WeightBand::ALL.get(at + 1) {
                assert_eq!(WeightBand::of(band.end_g().next_up()), Some(*next));
                let kg = (band.end_g() / 1_000.0).to_string();
                assert_eq!(band.text(), format!("up to {kg} kg"));
            }
        }
        assert_eq!(WeightBand::of(0.0), Some(WeightBand::ALL[0]));
        for no_weight in [f32::NAN, -1.0, f32::INFINITY, f32::NEG_INFINITY] {
            assert_eq!(WeightBand::of(no_weight), None);
        }
    }
}
