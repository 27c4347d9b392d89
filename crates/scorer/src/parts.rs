//! The model as it is trained and kept in files: trees as they grew, and everything else.

use terms::{DayGrid, FeatureList, Grain, N_LEVELS};

use crate::calibration::Calibration;
use crate::error::Error;
use crate::recalibration::Recalibration;
use crate::regressor::Regressor;

/// What a model is made of, as it is trained, encoded, exported and explained.
///
/// A [`Scorer`](crate::Scorer) is made of it, and keeps of the trees only the form in which it walks them.
///
/// ```
/// use boost::{Model, OutputOrder};
/// use scorer::{Calibration, Parts, Recalibration, Regressor, Scorer, TimeScale};
/// use terms::{DayGrid, Feature, FeatureKind, FeatureList, Grain};
///
/// let distance = Feature { name: "distance_km".into(), kind: FeatureKind::Numeric };
/// let quantiles = vec![10.0, 20.0, 30.0, 40.0, 48.0, 60.0, 80.0, 120.0, 150.0];
/// let parts = Parts {
///     features: FeatureList(vec![distance]),
///     days: DayGrid::DAILY,
///     // Models without trees predict their base values for every row.
///     gate: Model::new(vec![0.0], Vec::new(), 1, OutputOrder::AsAdded)?,
///     regressors: vec![Regressor {
///         trees: Model::new(quantiles, Vec::new(), 1, OutputOrder::Rising)?,
///         time_scale: TimeScale::hours(),
///         weight: 1.0,
///     }],
///     tail_ratio: 0.4,
///     calibration: Calibration::identity(),
///     recalibration: Recalibration::identity(),
///     grain: Grain::Instant,
/// };
/// assert_eq!(Parts::decode(&parts.encode())?.encode(), parts.encode());
/// // The gate gives one number, and not a quantile for each level.
/// assert!(Scorer::from_parts(Parts { gate: parts.regressors[0].trees.clone(), ..parts }).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Parts {
    /// The features, in the order of a row's values.
    pub features: FeatureList,
    /// The days for which P(delivered by day) is given.
    pub days: DayGrid,
    /// Predicts the log-odds of more than two days.
    pub gate: boost::Model,
    /// Predict the quantiles of delivery time; their weighted mean, in hours, is what counts.
    /// The time scale of the first is that of the corrections.
    pub regressors: Vec<Regressor>,
    /// Mean excess beyond the last quantile, as a share of its distance from the median.
    pub tail_ratio: f32,
    /// The correction of the quantiles by what matured orders did.
    pub calibration: Calibration,
    /// Their correction by what was delivered in the last weeks.
    pub recalibration: Recalibration,
    /// To what resolution deliveries are recorded.
    pub grain: Grain,
}

impl Parts {
    /// Checks that the parts fit together.
    ///
    /// # Errors
    /// If a part has another number of outputs or features than it needs, a value out of range, or a
    /// time scale of other features.
    pub fn check(&self) -> Result<(), Error> {
        let n_features = self.features.len();
        let trees =
            self.regressors.iter().map(|regressor| ("regressor", &regressor.trees, N_LEVELS));
        for (part, model, expected) in trees.chain([("gate", &self.gate, 1)]) {
            if model.n_outputs() != expected {
                return Err(Error::Outputs { part, expected, found: model.n_outputs() });
            }
            if model.n_features() != n_features {
                let found = model.n_features();
                return Err(Error::FeatureCount { part, expected: n_features, found });
            }
        }
        if !(self.tail_ratio.is_finite() && self.tail_ratio > 0.0) {
            return Err(Error::Tail { found: self.tail_ratio });
        }
        let weights = self.regressors.iter().map(|regressor| regressor.weight);
        if !weights.clone().all(|weight| weight.is_finite() && weight > 0.0) || weights.len() == 0 {
            return Err(Error::Weights { found: weights.collect() });
        }
        self.calibration.check()?;
        self.recalibration.check()?;
        for regressor in &self.regressors {
            regressor.time_scale.clone().of_features(&self.features)?;
        }
        Ok(())
    }
}
