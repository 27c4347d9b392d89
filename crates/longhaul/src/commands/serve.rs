//! The command `serve`: the HTTP service over the champion, which the next champion replaces.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use artifact::Bundle;
use artifact::export::{PARITY_FILE, verify_parity};
use scorer::{LiveScorer, Scorer};
use serde_json::json;
use serve::{Limits, ModelSource, SourceError};
use store::Store;
use tokio::net::TcpListener;

use super::models;
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
    let source = Arc::new(Source::of(resolved, &flags.model)?);
    let scorer = source.load("")?.context("a model that answers from the start")?;
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

/// Where the models are.
enum Source {
    /// In a store, by id or as the champion of then.
    Store(Store, String),
    /// In a folder, which somebody may replace.
    Folder(PathBuf),
}

impl Source {
    #[expect(clippy::disallowed_methods, reason = "a bundle may be a folder of the caller's")]
    fn of(resolved: &Resolved, model: &str) -> Result<Self> {
        let folder = PathBuf::from(model);
        if folder.join("manifest.json").is_file() {
            return Ok(Self::Folder(folder));
        }
        Ok(Self::Store(Store::open(&resolved.store()?)?, model.to_owned()))
    }

    /// The model of now, verified; `None` if it has this id.
    ///
    /// # Errors
    /// If it is not there, altered, or does not score its parity vectors as they say.
    fn load(&self, model_id: &str) -> Result<Option<Scorer>> {
        let bundle = match self {
            Self::Store(store, name) => {
                let found = models::named(store, name)?;
                if found == model_id {
                    return Ok(None);
                }
                let is_wanted = |name: &str| scorer::is_model_file(name) || name == PARITY_FILE;
                artifact::read_files(store, &found, is_wanted)?
            }
            Self::Folder(folder) => {
                if artifact::read_folder_manifest(folder)?.model_id == model_id {
                    return Ok(None);
                }
                artifact::read_folder(folder)?.0
            }
        };
        verified(&bundle).map(Some)
    }
}

/// The scorer of a bundle, once it has scored the bundle's parity vectors as they say.
fn verified(bundle: &Bundle) -> Result<Scorer> {
    let scorer = bundle.scorer()?;
    if let Some(vectors) = bundle.files.get(PARITY_FILE) {
        verify_parity(&scorer, vectors)?;
    }
    Ok(scorer)
}

impl ModelSource for Source {
    fn newer_than(&self, model_id: &str) -> Result<Option<Scorer>, SourceError> {
        Ok(self.load(model_id)?)
    }
}
