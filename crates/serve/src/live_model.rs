//! The model that answers, which is replaced under load without a lock for those who read it.

use std::sync::Arc;

use arc_swap::ArcSwap;
use scorer::Scorer;

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

/// The model that answers. A request takes it once, so that all its rows are of one model.
pub struct LiveModel(ArcSwap<Scorer>);

impl LiveModel {
    /// One that answers from the start.
    pub fn new(scorer: Scorer) -> Self {
        Self(ArcSwap::from_pointee(scorer))
    }

    /// The model of now. Whoever holds it keeps it, whatever comes after.
    pub fn current(&self) -> Arc<Scorer> {
        self.0.load_full()
    }

    /// Asks the source, and lets its model answer from then on.
    pub(crate) fn reload(&self, source: &dyn ModelSource, metrics: &Metrics) {
        let before = self.current().model_id().to_owned();
        match source.newer_than(&before) {
            Ok(None) => {}
            Ok(Some(scorer)) => {
                tracing::info!(model = scorer.model_id(), before, "another model answers");
                metrics.model_replaced(&before, scorer.model_id());
                self.0.store(Arc::new(scorer));
            }
            Err(error) => {
                metrics.reload_failed();
                tracing::warn!(model = before, "no other model, this one goes on: {error}");
            }
        }
    }
}
