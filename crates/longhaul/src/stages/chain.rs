//! The chain of stages, written once: which stages each one needs, and running them in order.

use std::cell::RefCell;
use std::collections::BTreeMap;

use anyhow::{Context as _, Result};

use super::bundle::PublishInputs;
use super::check::{self, Checked};
use super::{evaluate, features, publish, score, train};
use crate::damage::{self, Part};
use crate::predictions_folder;
use crate::refusal::Refusal;
use crate::settings::Resolved;
use crate::stage::{self, RunContext, StageResult};

/// A stage of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Every table against its contract.
    Check,
    /// Point-in-time features, and the outcomes since.
    Features,
    /// The gate and the regressors of every family.
    Train,
    /// The families on a hold-out in time.
    Evaluate,
    /// The best family as a bundle, and as champion if the gates pass it.
    Publish,
    /// The open shipments, by the champion.
    Score,
}

impl Stage {
    /// Every stage, in the order in which they run.
    pub(super) const ALL: [Self; 6] =
        [Self::Check, Self::Features, Self::Train, Self::Evaluate, Self::Publish, Self::Score];

    /// Its name in manifests, records and messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Features => "features",
            Self::Train => "train",
            Self::Evaluate => "evaluate",
            Self::Publish => "publish",
            Self::Score => "score",
        }
    }

    /// The stages whose results this one reads. Scoring reads the champion, whoever published it,
    /// and evaluating trains models of its own, as of the past.
    pub(super) fn needs(self) -> &'static [Self] {
        match self {
            Self::Check => &[],
            Self::Features => &[Self::Check],
            Self::Train | Self::Evaluate | Self::Score => &[Self::Features],
            Self::Publish => &[Self::Features, Self::Train, Self::Evaluate],
        }
    }

    /// This stage and all that it needs, directly or not, in the order in which they run.
    pub(super) fn with_needs(self) -> Vec<Self> {
        let mut wanted = vec![self];
        // A stage needs only earlier ones, so one pass backwards finds them all.
        for stage in Self::ALL.into_iter().rev() {
            if wanted.contains(&stage) {
                wanted.extend(stage.needs());
            }
        }
        Self::ALL.into_iter().filter(|stage| wanted.contains(stage)).collect()
    }
}

/// The results of the stages that were run.
#[derive(Default)]
pub(super) struct Results {
    by_stage: BTreeMap<Stage, StageResult>,
    checked: Option<Checked>,
    /// Why the published model is not champion, if the gates refused it.
    pub(super) refused: Option<Refusal>,
    /// The model that scores this night: its own if it passed, else the champion before it.
    scores: Option<String>,
}

impl Results {
    /// The result of a stage.
    ///
    /// # Errors
    /// If it was not run.
    pub(super) fn of(&self, stage: Stage) -> Result<&StageResult> {
        self.by_stage.get(&stage).with_context(|| format!("the stage {stage:?} was not run"))
    }

    /// The tables that the check passed.
    ///
    /// # Errors
    /// If the check was not run.
    pub(super) fn checked(&self) -> Result<&Checked> {
        self.checked.as_ref().context("the stage Check was not run")
    }

    /// The model that scores: that of this night, once it has published; else the champion as of then.
    fn model(&self, context: &RunContext<'_>, resolved: &Resolved) -> Result<String> {
        let pipeline = &resolved.settings.name;
        match &self.scores {
            Some(model_id) => {
                let decisions = artifact::Decisions::of(context.store, pipeline)?;
                let Some(decision) = decisions.against(model_id) else {
                    return Ok(model_id.clone());
                };
                context.reporter.warn(&format!(
                    "model {model_id} was withdrawn by hand: {}; the champion scores",
                    decision.reason
                ));
                score::model_as_of(context, pipeline)
            }
            None if self.by_stage.contains_key(&Stage::Publish) => {
                Err(score::no_model(context.as_of).into())
            }
            None => score::model_as_of(context, pipeline),
        }
    }

    /// The folder of the publish stage, if it published this model.
    fn publisher_of(&self, model_id: &str) -> Option<&str> {
        let published = self.by_stage.get(&Stage::Publish)?;
        let summary: publish::Summary = published.summary().ok()?;
        (summary.model_id == model_id).then_some(&published.folder)
    }

    /// The tables that the check passed, and the result of the features stage.
    ///
    /// # Errors
    /// If one of the two stages was not run.
    pub(super) fn into_features(mut self) -> Result<(Checked, StageResult)> {
        let checked = self.checked.take().context("the stage Check was not run")?;
        Ok((checked, self.of(Stage::Features)?.clone()))
    }
}

/// Runs `stages`, which are in order and complete: each with those that it needs. A stage that was
/// done before with the same inputs is skipped. A model that the gates refuse does not keep the
/// champion from scoring. Outputs of earlier runs that are damaged are made again.
///
/// # Errors
/// The first stage that fails.
pub(super) fn run(
    context: &RunContext<'_>,
    resolved: &Resolved,
    stages: &[Stage],
) -> Result<Results> {
    let results = RefCell::new(Results::default());
    let work = |context: &RunContext<'_>| {
        let mut results = results.borrow_mut();
        *results = Results::default();
        run_once(context, resolved, stages, &mut results)
    };
    let retire = |context: &RunContext<'_>, part: &Part| {
        let results = results.borrow();
        let folder = match part {
            Part::Stage(folder) => Some(folder.as_str()),
            Part::State => results.by_stage.get(&Stage::Features).map(|done| &*done.folder),
            Part::Model(id) => results.publisher_of(id),
            Part::Finding => None,
        };
        match (part, folder) {
            (_, Some(folder)) => stage::retire(context, folder).map(|()| true),
            // The features stage itself has found it; and the check retires its own finding.
            (Part::State | Part::Finding, None) => Ok(true),
            (Part::Stage(_) | Part::Model(_), None) => Ok(false),
        }
    };
    damage::mended(context, work, retire)?;
    Ok(results.into_inner())
}

fn run_once(
    context: &RunContext<'_>,
    resolved: &Resolved,
    stages: &[Stage],
    results: &mut Results,
) -> Result<()> {
    stages.iter().try_for_each(|&stage| run_stage(context, resolved, stage, results))
}

/// Runs one stage, whose needs are among the results, and adds its own.
///
/// # Errors
/// If it fails.
pub(super) fn run_stage(
    context: &RunContext<'_>,
    resolved: &Resolved,
    stage: Stage,
    results: &mut Results,
) -> Result<()> {
    context.stage_began(stage.name());
    let result = match stage {
        Stage::Check => {
            let checked = check::run(context, resolved)?;
            results.checked.insert(checked).result.clone()
        }
        Stage::Features => features::run(context, resolved, results.checked()?)?,
        Stage::Train => train::run(context, resolved, results.of(Stage::Features)?)?,
        Stage::Evaluate => {
            let evaluated = evaluate::run(context, resolved, results.of(Stage::Features)?)?;
            results.scores = evaluated.champion;
            evaluated.result
        }
        Stage::Publish => {
            let [features, train, evaluate] =
                [Stage::Features, Stage::Train, Stage::Evaluate].map(|stage| results.of(stage));
            let night = PublishInputs {
                checked: results.checked()?,
                features: features?,
                train: train?,
                evaluate: evaluate?,
                parent: results.scores.as_deref(),
            };
            let published = publish::run(context, resolved, night)?;
            results.refused = published.refused;
            results.scores = published.model.or(results.scores.take());
            published.result
        }
        Stage::Score => {
            let scored = results.model(context, resolved).and_then(|model_id| {
                let features = results.of(Stage::Features)?;
                let scored = score::run(context, resolved, features, model_id.clone())?;
                // Also if it was done before: other inputs may have been scored since.
                if !context.is_dry {
                    let pipeline = &resolved.settings.name;
                    predictions_folder::publish(context, pipeline, model_id, &scored)?;
                }
                Ok(scored)
            });
            // Without any model yet, the refusal is the reason to give.
            scored.map_err(|error| results.refused.take().map_or(error, Into::into))?
        }
    };
    results.by_stage.insert(stage, result);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_needs_only_stages_that_run_before_it() {
        for stage in Stage::ALL {
            assert!(stage.needs().iter().all(|needed| *needed < stage), "{stage:?}");
        }
        assert!(Stage::ALL.is_sorted());
    }

    #[test]
    fn a_stage_by_hand_runs_what_it_needs_and_no_more() {
        use Stage::{Check, Evaluate, Features, Publish, Score, Train};
        assert_eq!(Check.with_needs(), [Check]);
        assert_eq!(Train.with_needs(), [Check, Features, Train]);
        assert_eq!(Evaluate.with_needs(), [Check, Features, Evaluate]);
        assert_eq!(Publish.with_needs(), [Check, Features, Train, Evaluate, Publish]);
        assert_eq!(Score.with_needs(), [Check, Features, Score]);
    }
}
