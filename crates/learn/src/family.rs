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
pub(crate) struct TrainingRows<'a> {
    /// Their features.
    pub(crate) matrix: &'a Matrix,
    /// Delivery time on the time scale of the regressor, or what it is known to exceed.
    pub(crate) times: &'a [f32],
    /// Whether the delivery was observed; if not, the time is a lower bound.
    pub(crate) observed: &'a [bool],
    /// Whether the order is so old that its outcome is known, but for exceptions. A family that
    /// cannot learn from right-censored rows uses only these: among recent orders the observed
    /// deliveries are the fast ones.
    pub(crate) matured: &'a [bool],
}

/// Trees and their weight in the mean of a family's quantiles.
pub(crate) type WeightedTrees = (boost::Model, f32);

/// A learning method for the quantiles of delivery time.
pub(crate) trait Family: Sync {
    /// Its name in settings, files and reports.
    fn name(&self) -> &'static str;

    /// The settings with which a model of this family is trained, of those that are set.
    fn settings(&self, settings: &Settings) -> Settings {
        settings.clone()
    }

    /// Trains trees that predict the quantiles of `times` at [`terms::LEVELS`]; of several, it is their
    /// weighted mean that does. The same rows and settings give the same trees on any number of threads.
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
    ) -> Result<Vec<WeightedTrees>, Error>;

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
