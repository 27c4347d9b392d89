//! A run of stages of a pipeline as one recorded run: under its lease, with a record of what it did, and
//! in a way that a signal can end.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use operations::RunRecord;
use store::Store;
use terms::AsOf;

use crate::command_output::CommandOutput;
use crate::diagnosis::Diagnosis;
use crate::interruption::Interruptible;
use crate::lease::{Lease, Renewal};
use crate::machine::{Clock, SystemClock};
use crate::recorder::{Origin, Recorder};
use crate::report::Reporter;
use crate::settings::Resolved;
use crate::stage::{Accepted, RunContext};
use crate::stages::{self, Stage};

/// What is run.
pub(crate) struct RunRequest<'a> {
    pub(crate) resolved: &'a Resolved,
    pub(crate) store: &'a Store,
    pub(crate) reporter: &'a Reporter,
    pub(crate) as_of: AsOf,
    pub(crate) force: bool,
    pub(crate) accepted: Accepted<'a>,
    pub(crate) origin: Origin<'a>,
    /// Which of its stages is the last one: what those up to it are configured to be is checked before
    /// anything is run.
    pub(crate) through: Stage,
}

impl<'a> RunRequest<'a> {
    /// A run of all stages of a night.
    pub(crate) fn of_night(
        (resolved, store, reporter): (&'a Resolved, &'a Store, &'a Reporter),
        as_of: AsOf,
        accepted: Accepted<'a>,
        retry_of: Option<&'a str>,
    ) -> Self {
        let origin = Origin { command: "run", retry_of };
        let (force, through) = (false, Stage::Score);
        Self { resolved, store, reporter, as_of, force, accepted, origin, through }
    }

    /// Runs `command` and returns its record and what it left, or the error that it ended with.
    pub(crate) fn run(
        &self,
        command: impl FnOnce(&RunContext<'_>, &Resolved) -> Result<CommandOutput>,
    ) -> (RunRecord, Result<CommandOutput>) {
        let Self { resolved, store, reporter, as_of, .. } = *self;
        let recorder = Arc::new(Recorder::new(store, resolved, as_of, self.origin));
        reporter.begin_run(&recorder.run_id());
        let output = self.recorded(&recorder, command);
        let error = match &output {
            Ok(output) => output.refused.as_ref().map(Diagnosis::from),
            Err(error) => Some(Diagnosis::of(error)),
        };
        (recorder.end(error), output)
    }

    /// Whether it is of all stages.
    fn is_night(&self) -> bool {
        self.origin.command == "run"
    }

    fn recorded(
        &self,
        recorder: &Arc<Recorder>,
        command: impl FnOnce(&RunContext<'_>, &Resolved) -> Result<CommandOutput>,
    ) -> Result<CommandOutput> {
        let Self { resolved, store, reporter, as_of, .. } = *self;
        if self.through != Stage::Check {
            let judges =
                matches!(self.through, Stage::Evaluate | Stage::Publish) || self.is_night();
            stages::check_configuration(resolved, judges)?;
        }
        let (pipeline, limits) = (&resolved.settings.name, &resolved.settings.limits);
        let clock = SystemClock::new();
        let waits = (&clock as _, limits.lock_wait(), Renewal::InBackground);
        let lease = under_lease(pipeline, store, waits, reporter)?;
        // What is written last has no time for attempts.
        let last = store::Limits { retry_for: Duration::from_secs(1), ..limits.of_store() };
        let interruptible = Interruptible {
            store: store.clone(),
            settings: resolved.store()?.with_limits(last),
            recorder: Arc::clone(recorder),
            claim: lease.claim(),
            deadline: limits.night(),
        };
        let _guard = interruptible.guarded();
        recorder.begin()?;
        let context = RunContext {
            force: self.force,
            lease: Some(&lease),
            accepted: self.accepted,
            recorder: Some(recorder),
            ..RunContext::new(store, as_of, reporter)
        };
        command(&context, resolved)
    }
}

/// Takes the lease of a pipeline, by a clock and waiting for so long. A pointer to its champion that
/// is damaged is mended.
pub(crate) fn under_lease(
    pipeline: &str,
    store: &Store,
    (clock, patience, renewal): (&dyn Clock, Duration, Renewal),
    reporter: &Reporter,
) -> Result<Lease> {
    let lease = Lease::take(store, pipeline, (clock, patience), renewal)?;
    if let Some(pointer) = artifact::rebuild(store, pipeline, lease.fence())? {
        let (path, model_id) = (artifact::pointer_path(pipeline), pointer.model_id);
        reporter.warn(&format!(
            "{path} was not as it was written; it points to {model_id} again, the newest \
             model that passed"
        ));
    }
    Ok(lease)
}
