//! The conformal correction of the regressor's quantiles, as data.
//!
//! The correction multiplies the hours of each level by a factor: the exponential of a quantile of
//! `ln(actual / predicted)` over matured outcomes that the model was not trained on. Factors differ
//! by segment, a band of the raw predicted median, because a network that slows down does not slow
//! down evenly. `learn` estimates the factors; this file checks and applies them.
//!
//! Source: Romano, Patterson and Candès, Conformalized Quantile Regression, NeurIPS 2019.

use serde::{Deserialize, Serialize};
use terms::{MEDIAN, N_LEVELS};

use crate::error::Error;

/// No quantile is smaller, in hours or on another time scale.
const QUANTILE_MIN: f64 = 1e-3;

/// Factors on quantiles, one for each of [`terms::LEVELS`].
pub type Factors = [f32; N_LEVELS];

/// Factors for the shipments whose raw predicted median is in one band.
///
/// ```
/// use scorer::{Calibration, Segment};
///
/// let fast = Segment { upper_median: Some(100.0), factors: [1.1; 9] };
/// let calibration = Calibration { segments: vec![fast], pooled: [0.9; 9] };
/// assert_eq!(calibration.factors(100.0), &[1.1; 9]);
/// assert_eq!(calibration.factors(100.5), &[0.9; 9]);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Segment {
    /// The largest median in the band, on the time scale of the quantiles; `None` if the band has no
    /// upper end.
    pub upper_median: Option<f32>,
    /// The band's factors.
    pub factors: Factors,
}

impl Segment {
    fn contains(&self, median: f64) -> bool {
        self.upper_median.is_none_or(|upper| median <= f64::from(upper))
    }
}

/// The correction of a model: bands of the raw median with their factors, and pooled factors for
/// medians in no band.
///
/// ```
/// use scorer::Calibration;
///
/// let wider = Calibration {
///     segments: Vec::new(),
///     pooled: [0.5, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.5, 1.5],
/// };
/// wider.check()?;
/// let raw = [120.0, 130.0, 140.0, 150.0, 160.0, 170.0, 180.0, 190.0, 200.0];
/// assert_eq!(wider.apply(raw)[0], 60.0);
/// assert_eq!(wider.apply(raw)[8], 300.0);
/// assert!(Calibration::identity().is_identity());
/// # Ok::<(), scorer::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Bands in ascending order; the first that contains the median is used.
    pub segments: Vec<Segment>,
    /// Factors over all bands, for a median above the last band.
    pub pooled: Factors,
}

impl Calibration {
    /// No correction.
    pub fn identity() -> Self {
        Self { segments: Vec::new(), pooled: [1.0; N_LEVELS] }
    }

    /// Whether it changes nothing.
    pub fn is_identity(&self) -> bool {
        *self == Self::identity()
    }

    /// Checks that factors are positive and bands ascend.
    ///
    /// # Errors
    /// With the first segment that is wrong (`None` for the pooled factors).
    pub fn check(&self) -> Result<(), Error> {
        let positive = |factors: &Factors| factors.iter().all(|&f| f.is_finite() && f > 0.0);
        if !positive(&self.pooled) {
            return Err(Error::Calibration { segment: None });
        }
        let mut end = Some(0.0);
        for (position, segment) in self.segments.iter().enumerate() {
            let ascends = match (end, segment.upper_median) {
                (Some(end), Some(upper)) => upper > end,
                (Some(_), None) => true,
                // A band after one without end would be empty.
                (None, _) => false,
            };
            if !ascends || !positive(&segment.factors) {
                return Err(Error::Calibration { segment: Some(position) });
            }
            end = segment.upper_median;
        }
        Ok(())
    }

    /// The factors for a raw median. Units: those of the quantiles.
    pub fn factors(&self, median: f64) -> &Factors {
        self.segments
            .iter()
            .find(|segment| segment.contains(median))
            .map_or(&self.pooled, |segment| &segment.factors)
    }

    /// The corrected quantiles, ascending. Units: those of the quantiles.
    ///
    /// Sorting quantiles that cross never makes them worse.
    ///
    /// Source: Chernozhukov, Fernández-Val and Galichon, Econometrica 78(3), 2010.
    pub fn apply(&self, quantiles: [f64; N_LEVELS]) -> [f64; N_LEVELS] {
        let factors = self.factors(quantiles[MEDIAN]);
        let mut corrected = quantiles;
        for (quantile, &factor) in corrected.iter_mut().zip(factors) {
            *quantile *= f64::from(factor);
        }
        corrected.sort_by(f64::total_cmp);
        corrected
    }
}

/// The raw quantiles in ascending order, all above 0: a sum of trees may predict less, which no
/// duration is.
pub fn sorted(raw: &[f64; N_LEVELS]) -> [f64; N_LEVELS] {
    // Not-a-number, too, becomes the smallest.
    let mut quantiles = raw.map(|raw| raw.max(QUANTILE_MIN));
    quantiles.sort_by(f64::total_cmp);
    quantiles
}

#[cfg(test)]
mod tests {
    use super::*;

    const RAW: [f64; N_LEVELS] = [40.0, 60.0, 80.0, 90.0, 100.0, 110.0, 150.0, 200.0, 180.0];

    fn banded() -> Calibration {
        let segments = vec![
            Segment { upper_median: Some(100.0), factors: [2.0; N_LEVELS] },
            Segment { upper_median: Some(200.0), factors: [3.0; N_LEVELS] },
        ];
        Calibration { segments, pooled: [0.5; N_LEVELS] }
    }

    #[test]
    fn raw_quantiles_are_sorted_and_kept_above_zero() {
        let mut raw = RAW;
        raw[0] = -3.0;
        assert_eq!(sorted(&raw)[0], 1e-3);
        let hours = Calibration::identity().apply(sorted(&RAW));
        assert_eq!(hours, [40.0, 60.0, 80.0, 90.0, 100.0, 110.0, 150.0, 180.0, 200.0]);
        assert!(Calibration::identity().is_identity());
    }

    #[test]
    fn the_band_of_the_raw_median_gives_the_factors() {
        assert_eq!(banded().factors(100.0)[0], 2.0);
        assert_eq!(banded().factors(100.1)[0], 3.0);
        assert_eq!(banded().factors(300.0)[0], 0.5);
        assert_eq!(banded().apply(sorted(&RAW))[MEDIAN], 200.0);
    }

    #[test]
    fn check_finds_empty_bands_and_factors_that_are_not_positive() {
        assert!(banded().check().is_ok());
        let mut wrong = banded();
        wrong.segments[0].upper_median = None;
        assert!(matches!(wrong.check(), Err(Error::Calibration { segment: Some(1) })));
        let mut wrong = banded();
        wrong.pooled[3] = f32::NAN;
        assert!(matches!(wrong.check(), Err(Error::Calibration { segment: None })));
    }
}
