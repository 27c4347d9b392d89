//! Where training keeps its checkpoints, so that one that was killed can go on.

/// Why a checkpoint could not be kept.
pub type CheckpointError = Box<dyn std::error::Error + Send + Sync>;

/// Storage for checkpoints: one for each regressor of a training, by the regressor's name; and who is
/// told how far a training is.
pub trait Checkpoints: Sync {
    /// The last checkpoint of a regressor, if there is one.
    ///
    /// # Errors
    /// If the storage cannot be read.
    fn read(&self, regressor: &str) -> Result<Option<Vec<u8>>, CheckpointError>;

    /// Keeps a checkpoint in place of the one before.
    ///
    /// # Errors
    /// If the storage cannot be written.
    fn write(&self, regressor: &str, checkpoint: Vec<u8>) -> Result<(), CheckpointError>;

    /// Is called after each round of a regressor that is trained in rounds.
    fn round(&self, _regressor: &str, _done: u32, _total: u32) {}
}

/// No storage: a training that is killed begins anew.
pub struct NoCheckpoints;

impl Checkpoints for NoCheckpoints {
    fn read(&self, _: &str) -> Result<Option<Vec<u8>>, CheckpointError> {
        Ok(None)
    }

    fn write(&self, _: &str, _: Vec<u8>) -> Result<(), CheckpointError> {
        Ok(())
    }
}
