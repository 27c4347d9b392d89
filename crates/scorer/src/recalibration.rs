//! Recalibration by period: what the deliveries of the last weeks say of the predicted hazard.
//!
//! The clock is a shipment's predicted cumulative hazard, -ln(1 - F). In each stretch of it, the
//! deliveries that were seen in the last weeks over those that were expected say how much faster or
//! slower than predicted shipments arrive; the next distributions have their hazard multiplied by
//! that. No order has to have matured for it. `learn` estimates the ratios; this file checks and
//! applies them.
//!
//! Source: the ratio is the standardised mortality ratio by exposure (Breslow and Day, Statistical
//! Methods in Cancer Research II, 1987, chapter 2), on the scale of Cox-Snell residuals (1968).

use serde::{Deserialize, Serialize};
use terms::{LEVELS, N_LEVELS};

use crate::error::Error;

/// Ratios are within this factor, up and down: a larger one is a fault in the data.
const RATIO_MAX: f32 = 4.0;

/// The hazard as a multiple of the predicted one, by stretch of the predicted cumulative hazard.
///
/// ```
/// use scorer::Recalibration;
///
/// // Twice as many deliveries as expected: the same share is reached at half of the hazard.
/// let faster = Recalibration { stretch: 0.4, ratios: vec![2.0; 8] };
/// faster.check()?;
/// // An exponential distribution that begins at 10 with a mean of 100.
/// let predicted = terms::LEVELS.map(|level| 10.0 - 100.0 * (1.0 - level).ln());
/// let found = faster.apply(10.0, predicted);
/// // Of mean 50; between quantiles the hazard is constant, as is assumed.
/// assert!((found[4] - (10.0 + 50.0 * 2.0_f64.ln())).abs() < 0.1);
/// # Ok::<(), scorer::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recalibration {
    /// The length of a stretch of predicted cumulative hazard.
    pub stretch: f32,
    /// The ratio of each stretch from 0 on; the last one goes on without end. None: no correction.
    pub ratios: Vec<f32>,
}

impl Recalibration {
    /// No correction.
    pub fn identity() -> Self {
        Self { stretch: 1.0, ratios: Vec::new() }
    }

    /// Whether it changes nothing.
    pub fn is_identity(&self) -> bool {
        self.ratios.iter().all(|&ratio| ratio == 1.0)
    }

    /// The ratio kept within its bounds.
    pub fn bounded(ratio: f64) -> f32 {
        ratio.clamp(f64::from(RATIO_MAX).recip(), f64::from(RATIO_MAX)) as f32
    }

    /// Checks that stretch and ratios are positive, and ratios within their bounds.
    ///
    /// # Errors
    /// If they are not.
    pub fn check(&self) -> Result<(), Error> {
        let bounds = RATIO_MAX.recip() * 0.99..=RATIO_MAX * 1.01;
        let wrong = self.ratios.iter().find(|ratio| !bounds.contains(ratio));
        match wrong {
            Some(&found) => Err(Error::Recalibration { found }),
            None if !(self.stretch > 0.0 && self.stretch.is_finite()) => {
                Err(Error::Recalibration { found: self.stretch })
            }
            None => Ok(()),
        }
    }

    /// The predicted cumulative hazard at which the corrected one is `corrected`.
    fn predicted_hazard(&self, corrected: f64) -> f64 {
        let stretch = f64::from(self.stretch);
        let mut left = corrected;
        let mut at = 0.0;
        let last = self.ratios.len().saturating_sub(1);
        for (position, &ratio) in self.ratios.iter().enumerate() {
            let ratio = f64::from(ratio);
            if position == last || left <= ratio * stretch {
                return at + left / ratio;
            }
            left -= ratio * stretch;
            at += stretch;
        }
        corrected
    }

    /// Where the corrected levels are among the predicted ones, the same for all rows.
    pub fn levels(&self) -> RecalibratedLevels {
        if self.is_identity() {
            return RecalibratedLevels(None);
        }
        let hazards = LEVELS.map(cumulative_hazard);
        let place = |level: usize| {
            let hazard = self.predicted_hazard(hazards[level]);
            let above = hazards.partition_point(|&known| known <= hazard).min(N_LEVELS - 1);
            let from = if above == 0 { 0.0 } else { hazards[above - 1] };
            (above, (hazard - from) / (hazards[above] - from))
        };
        RecalibratedLevels(Some(std::array::from_fn(place)))
    }

    /// The corrected quantiles of a distribution that begins at `start`. Between two quantiles the
    /// hazard is constant, and beyond the last one goes on. Units: any; shapes: one a level.
    pub fn apply(&self, start: f64, quantiles: [f64; N_LEVELS]) -> [f64; N_LEVELS] {
        self.levels().apply(start, quantiles)
    }
}

/// For each level the predicted quantile below which the corrected one is (or beyond, for the last),
/// and the share of the way to it from the one before. `None` changes nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct RecalibratedLevels(Option<[(usize, f64); N_LEVELS]>);

impl RecalibratedLevels {
    /// For each level the predicted quantile and the share of the way to it, as a graph of other
    /// software is written with; `None` changes nothing. The first quantile's way begins at the start
    /// of the distribution, or at the quantile if that is smaller.
    pub fn places(&self) -> Option<&[(usize, f64); N_LEVELS]> {
        self.0.as_ref()
    }

    /// As [`Recalibration::apply`].
    pub fn apply(&self, start: f64, quantiles: [f64; N_LEVELS]) -> [f64; N_LEVELS] {
        let Some(places) = &self.0 else { return quantiles };
        places.map(|(above, share)| {
            let low = if above == 0 { start.min(quantiles[0]) } else { quantiles[above - 1] };
            low + share * (quantiles[above] - low)
        })
    }
}

/// -ln(1 - share): at how much hazard so large a share has been delivered.
pub fn cumulative_hazard(share: f64) -> f64 {
    -libm::log(1.0 - share)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn corrected_quantiles_ascend_and_begin_after_the_start(
            ratios in proptest::collection::vec(0.25f32..4.0, 1..9),
            steps in proptest::array::uniform9(0.0f64..80.0), stretch in 0.1f32..1.0) {
            let mut at = 48.0;
            let quantiles = steps.map(|step| { at += step; at });
            let recalibration = Recalibration { stretch, ratios };
            prop_assert!(recalibration.check().is_ok());
            let found = recalibration.apply(48.0, quantiles);
            prop_assert!(found.is_sorted() && found[0] >= 48.0, "{found:?}");
            prop_assert!(found.iter().all(|quantile| quantile.is_finite()));
        }
    }

    const QUANTILES: [f64; N_LEVELS] = [60.0, 70.0, 80.0, 90.0, 100.0, 110.0, 140.0, 190.0, 240.0];

    #[test]
    fn a_ratio_of_one_changes_nothing_and_a_slower_network_moves_all_quantiles_up() {
        let of = |ratio| Recalibration { stretch: 0.4, ratios: vec![ratio; 8] };
        assert!(of(1.0).is_identity() && Recalibration::identity().is_identity());
        assert_eq!(of(1.0).apply(48.0, QUANTILES), QUANTILES);
        let slower = of(0.5).apply(48.0, QUANTILES);
        assert!(
            slower.iter().zip(QUANTILES).all(|(slower, was)| *slower > was + 5.0),
            "{slower:?}"
        );
        // With half of the hazard, a quarter has arrived where 1 - 0.75^2 had: between two levels.
        let arrived = 1.0 - 0.75_f64.powi(2);
        let at = 90.0
            + 10.0 * (cumulative_hazard(arrived) - cumulative_hazard(0.4))
                / (cumulative_hazard(0.5) - cumulative_hazard(0.4));
        assert!((slower[2] - at).abs() < 1e-9, "{} {at}", slower[2]);
    }

    #[test]
    fn a_late_stretch_leaves_the_early_quantiles_alone() {
        let late = Recalibration { stretch: 0.8, ratios: vec![1.0, 0.5] };
        let found = late.apply(48.0, QUANTILES);
        assert_eq!(found[..5], QUANTILES[..5]);
        assert!(found[8] > QUANTILES[8] + 20.0, "{found:?}");
    }

    #[test]
    fn ratios_that_are_not_positive_are_refused() {
        for ratio in [0.0, -1.0, f32::NAN, 100.0] {
            let wrong = Recalibration { stretch: 0.4, ratios: vec![1.0, ratio] };
            assert!(matches!(wrong.check(), Err(Error::Recalibration { .. })), "{ratio}");
        }
        assert!(Recalibration { stretch: 0.0, ratios: vec![1.0] }.check().is_err());
        assert_eq!(Recalibration::bounded(9.0), 4.0);
    }
}
