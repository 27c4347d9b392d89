//! A model that is replaced while rows are scored with it, without a lock on the way of a row.

use std::ops::Deref;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::scorer::Scorer;

/// The model that scores now. Threads share it by reference, and any of them may replace it.
///
/// Rows are built with the model that scores them, since the next one may have other features and
/// levels: [`current`](Self::current) gives one model for both, which stays as it is.
///
/// ```
/// # use boost::{Model, OutputOrder};
/// # use scorer::{Calibration, Parts, Recalibration, Regressor, TimeScale};
/// # use terms::{DayGrid, FeatureList, Grain};
/// use scorer::{LiveScorer, Scorer};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let quantiles = vec![10.0, 20.0, 30.0, 40.0, 48.0, 60.0, 80.0, 120.0, 150.0];
/// # let model = |log_odds| Scorer::from_parts(Parts {
/// #     features: FeatureList(Vec::new()),
/// #     days: DayGrid::DAILY,
/// #     gate: Model::new(vec![log_odds], Vec::new(), 0, OutputOrder::AsAdded)?,
/// #     regressors: vec![Regressor {
/// #         trees: Model::new(quantiles.clone(), Vec::new(), 0, OutputOrder::Rising)?,
/// #         time_scale: TimeScale::hours(),
/// #         weight: 1.0,
/// #     }],
/// #     tail_ratio: 0.4,
/// #     calibration: Calibration::identity(),
/// #     recalibration: Recalibration::identity(),
/// #     grain: Grain::Instant,
/// # }).map_err(Box::<dyn std::error::Error>::from);
/// # let (yesterdays, todays) = (model(0.0)?, model(1.0)?);
/// let live = LiveScorer::new(yesterdays);
/// let scorer = live.current();
/// live.replace(todays);
/// // A request that has begun ends with the model that it began with.
/// let row: Vec<f32> = scorer.features().0.iter().map(|_| f32::NAN).collect();
/// assert_eq!(scorer.score_row(&row).probability_over_2d, 0.5);
/// assert!(live.current().score_row(&row).probability_over_2d > 0.5);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct LiveScorer(ArcSwap<Scorer>);

impl LiveScorer {
    /// With this model at first.
    pub fn new(scorer: Scorer) -> Self {
        Self(ArcSwap::from_pointee(scorer))
    }

    /// The model as of now. What is given is let go of soon, after a request or a batch: a thread that
    /// holds many of them makes the next ones slower.
    pub fn current(&self) -> impl Deref<Target = Arc<Scorer>> {
        self.0.load()
    }

    /// Replaces the model, and returns the one before, which is dropped once no row is scored with it.
    /// Nobody waits for it.
    pub fn replace(&self, scorer: Scorer) -> Arc<Scorer> {
        self.0.swap(Arc::new(scorer))
    }
}
