//! The command `serve`: the HTTP service over the champion, which the next champion replaces.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use artifact::export::{PARITY_FILE, verified_scorer};
use scorer::{LiveScorer, Scorer};
use serde_json::json;
use serve::{Limits, ModelSource, SourceError};
use tokio::net::TcpListener;

use super::model_place::ModelPlace;
use crate::command_output::envelope;
use crate::flags::Serve;
use crate::interruption;
use crate::report::Reporter;
use crate::settings::Resolved;

/// Beside the time that requests under way may take.
const LAST_STEPS: Duration = Duration::from_secs(2);

/// Answers requests until a signal ends it.
///
/// # Errors
/// If there is no such model, it does not score its parity vectors as they say, or nobody may listen on
/// the address.
pub(crate) fn run(resolved: &Resolved, flags: &Serve, reporter: &Reporter) -> Result<()> {
    let source = Arc::new(Source(ModelPlace::of(resolved, &flags.model)?));
    let scorer = source.load(None)?.context("a model that answers from the start")?;
    let model_id = scorer.model_id().to_owned();
    let limits = Limits {
        rows: flags.rows,
        body_bytes: flags.body_bytes,
        connections: flags.connections,
        ..Limits::default()
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (stopped, ending) = interruption::stops_service(limits.stop + LAST_STEPS);
    let served = runtime.block_on(async {
        let listener = TcpListener::bind(flags.listen);
        let listener = listener.await.with_context(|| format!("listen on {}", flags.listen))?;
        let address = listener.local_addr()?;
        let result = json!({ "model_id": model_id, "address": address });
        reporter.result(&envelope("serve", result), || {
            format!("model {model_id} answers on http://{address}/v1/predict")
        });
        // Whoever waits for the address reads it now.
        reporter.delivered()?;
        let model = Arc::new(LiveScorer::new(scorer));
        let how = (limits, Duration::from_secs(flags.reload_seconds.into()));
        let stop = async { drop(stopped.await) };
        serve::serve(listener, model, source, how, stop).await.context("the service ended")
    });
    runtime.shutdown_timeout(Duration::ZERO);
    served?;
    interruption::ended(ending);
    Ok(())
}

/// A place, as the service asks it.
struct Source(ModelPlace);

impl Source {
    /// The model of now, once it has scored its parity vectors as they say; `None` if its id is `known`.
    ///
    /// # Errors
    /// If it is not there, was altered, or scores its vectors otherwise.
    fn load(&self, known: Option<&str>) -> Result<Option<Scorer>> {
        let is_wanted = |name: &str| scorer::is_model_file(name) || name == PARITY_FILE;
        let bundle = self.0.read(known, is_wanted)?;
        Ok(bundle.map(|bundle| verified_scorer(&bundle)).transpose()?.map(|(scorer, _)| scorer))
    }
}

impl ModelSource for Source {
    fn newer_than(&self, model_id: &str) -> Result<Option<Scorer>, SourceError> {
        Ok(self.load(Some(model_id))?)
    }
}
