//! Where the models come from that replace each other under load.

use scorer::{LiveScorer, Scorer};

use crate::metrics::Metrics;

/// Why there is no other model; for a log.
pub type SourceError = Box<dyn std::error::Error + Send + Sync>;

/// Where models come from.
pub trait ModelSource: Send + Sync {
    /// The model that is to answer from now on; `None` if that is the one with this id.
    ///
    /// # Errors
    /// If it cannot be known, read or trusted. The one that answers goes on.
    fn newer_than(&self, model_id: &str) -> Result<Option<Scorer>, SourceError>;
}

/// Asks the source, and lets its model answer from then on.
pub(crate) fn reload(model: &LiveScorer, source: &dyn ModelSource, metrics: &Metrics) {
    let before = model.current().model_id().to_owned();
    match source.newer_than(&before) {
        Ok(None) => {}
        Ok(Some(scorer)) => {
            tracing::info!(model = scorer.model_id(), before, "another model answers");
            metrics.model_replaced(&before, scorer.model_id());
            model.replace(scorer);
        }
        Err(error) => {
            metrics.reload_failed();
            tracing::warn!(model = before, "no other model, this one goes on: {error}");
        }
    }
}
