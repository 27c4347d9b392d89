//! The trait that the families of regressors share.
//!
//! Every family ends as trees with a vector of nine quantiles in each leaf, so that a scorer reads
//! one form of model and a backtest compares like with like.

use terms::Matrix;

use crate::checkpoints::Checkpoints;
use crate::error::Error;
use crate::gate;
use crate::settings::Settings;

/// Training rows of a regressor: shipments that were delivered, or are known to take longer than a time.
#[derive(Debug, Clone, Copy)]
pub struct TrainingRows<'a> {
    /// Their features.
    pub matrix: &'a Matrix,
    /// Delivery time on the time scale of the regressor, or what it is known to exceed.
    pub times: &'a [f32],
    /// Whether the delivery was observed; if not, the time is a lower bound.
    pub observed: &'a [bool],
    /// Whether the order is so old that its outcome is known, but for exceptions. A family that
    /// cannot learn from right-censored rows uses only these: among recent orders the observed
    /// deliveries are the fast ones.
    pub matured: &'a [bool],
}

/// A learning method for the quantiles of delivery time given that it exceeds two days.
pub trait Family: Sync {
    /// Its name in settings, files and reports.
    fn name(&self) -> &'static str;

    /// The settings with which a model of this family is trained, of those that are set.
    fn settings(&self, settings: &Settings) -> Settings {
        settings.clone()
    }

    /// Trains a model that predicts the quantiles of `times` at [`terms::LEVELS`]. The same rows and
    /// settings give the same model on any number of threads.
    ///
    /// A family that takes long may keep checkpoints under the name `regressor`, and goes on from
    /// the last one.
    ///
    /// # Errors
    /// If the rows cannot be learned from, or a checkpoint cannot be kept.
    fn train(
        &self,
        rows: &TrainingRows<'_>,
        regressor: &str,
        checkpoints: &dyn Checkpoints,
    ) -> Result<boost::Model, Error>;

    /// Trains the model of the log-odds of more than two days. Shapes: one `over` a row of the matrix.
    ///
    /// # Errors
    /// If the rows cannot be learned from.
    fn train_gate(
        &self,
        matrix: &Matrix,
        over: &[bool],
        settings: &Settings,
    ) -> Result<boost::Model, Error> {
        gate::train(matrix, over, settings)
    }
}
