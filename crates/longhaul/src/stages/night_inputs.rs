//! What a night reads beside its tables, written down once: `runs/<night>/inputs.json`.
//!
//! Champion, models and stored forecasts change with every night, this one included. So the first run
//! of a night writes down which of them there were, and every later run of the same night, after a
//! crash or years later, reads that. A night is the pipeline, the as-of, the code, the settings and
//! the features; other tables or settings make another night.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use store::{Store, SwapOutcome};
use terms::{AsOf, Schema};

use crate::settings::Resolved;
use crate::stage::{self, RunContext};
use crate::stages::nightly::stored_nights;

const NIGHT_INPUTS: Schema = Schema { name: "night-inputs", version: 1 };

/// What `inputs.json` holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NightInputs {
    pipeline: String,
    pub(crate) as_of: AsOf,
    /// The champion: it scores, should tonight's model be refused.
    pub(crate) champion: Option<String>,
    /// The models of the pipeline's earlier nights, newest first.
    pub(crate) models: Vec<String>,
    /// Stored forecasts that may be compared, oldest first.
    pub(crate) nights: Vec<String>,
}

impl NightInputs {
    /// What is written down at a path.
    ///
    /// # Errors
    /// If the store fails, or it is not as it was written.
    pub(crate) fn at(store: &Store, path: &str) -> Result<Option<Self>, store::Error> {
        Ok(store.get_sealed(path, NIGHT_INPUTS)?.map(|(found, _)| found))
    }

    /// What the first run of this night read; that of now, if this is the first. `inputs` are those
    /// of the stage that asks.
    ///
    /// # Errors
    /// If the store fails.
    pub(crate) fn of(
        context: &RunContext<'_>,
        resolved: &Resolved,
        inputs: &BTreeMap<String, String>,
    ) -> Result<Self> {
        let pipeline = &resolved.settings.name;
        let mut inputs = inputs.clone();
        inputs.insert("pipeline".to_owned(), pipeline.clone());
        let path = format!("runs/{}/inputs.json", stage::id(context.as_of, "night", &inputs));
        // Until one is there that can be read.
        loop {
            let damaged = match context.store.get_sealed(&path, NIGHT_INPUTS) {
                Ok(Some((found, _))) => return Ok(found),
                Ok(None) => None,
                Err(store::Error::Sealed { version, source, .. }) => {
                    context.reporter.warn(&format!("{path}: {source}; written again"));
                    Some(version)
                }
                Err(error) => return Err(error.into()),
            };
            let now = Self::now(context, resolved)?;
            if context.is_dry {
                return Ok(now);
            }
            let bytes = NIGHT_INPUTS.seal(&now)?.into();
            let swapped = context.store.compare_and_swap(&path, damaged.as_ref(), bytes)?;
            if swapped == SwapOutcome::Swapped {
                return Ok(now);
            }
        }
    }

    /// What there is now.
    fn now(context: &RunContext<'_>, resolved: &Resolved) -> Result<Self> {
        let pipeline = &resolved.settings.name;
        let found = artifact::list(context.store)?;
        for (_, error) in &found.damaged {
            context.reporter.warn(&format!("{error}; the model is left out"));
        }
        let models = found.manifests;
        let models = models.into_iter().filter(|model| model.about.pipeline == *pipeline);
        let models: Vec<artifact::Manifest> = models.collect();
        let decisions = artifact::Decisions::of(context.store, pipeline)?;
        for (_, error) in &decisions.damaged {
            context.reporter.warn(&format!("{error}; what it withdrew may score again"));
        }
        let may_score = |model_id: &str| decisions.against(model_id).is_none();
        let pointer = artifact::current(context.store, pipeline)?;
        let current = pointer
            .filter(|champion| champion.as_of <= context.as_of && may_score(&champion.model_id));
        let champion = current.map(|champion| champion.model_id).or_else(|| {
            let is_earlier = |model: &&artifact::Manifest| {
                model.about.passed
                    && model.about.as_of < context.as_of
                    && may_score(&model.model_id)
            };
            models.iter().find(is_earlier).map(|model| model.model_id.clone())
        });
        let earlier = models.into_iter().filter(|model| model.about.as_of < context.as_of);
        let nights = stored_nights(context, pipeline, resolved.settings.network.lost_after_days)?;
        Ok(Self {
            pipeline: pipeline.clone(),
            as_of: context.as_of,
            champion,
            models: earlier.map(|model| model.model_id).collect(),
            nights: nights.into_iter().map(|night| night.path).collect(),
        })
    }

    /// The manifests of [`models`](Self::models). One that is damaged or gone is left out, with a note.
    ///
    /// # Errors
    /// If the store fails.
    pub(crate) fn manifests(&self, context: &RunContext<'_>) -> Result<Vec<artifact::Manifest>> {
        let mut manifests = Vec::with_capacity(self.models.len());
        for model_id in &self.models {
            match artifact::read_manifest_of(context.store, model_id) {
                Ok(manifest) => manifests.push(manifest),
                Err(error) if error.is_damage() => {
                    context.reporter.warn(&format!("{error}; the model is left out"));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(manifests)
    }
}
