//! Running a stage idempotently: an id from its inputs, then its outputs, then a manifest.
//!
//! The id is a digest of the stage's name, the code, the digests of its inputs and the settings
//! that it reads, so a rerun with the same inputs finds the manifest and skips. Outputs count only
//! once the manifest exists; a crash before it leaves files that the next run writes again, with
//! equal bytes.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::Result;
use store::{Store, SwapOutcome, Version};
use terms::{AsOf, Digest, Fingerprint};

use crate::lease::Lease;
use crate::recorder::Recorder;
use crate::refusal::Refusal;
use crate::report::Reporter;
pub(crate) use crate::stage_manifest::{CODE_VERSION, MANIFEST, StageManifest, StageResult};

/// What all stages of one run share.
#[derive(Clone, Copy)]
pub(crate) struct RunContext<'a> {
    /// The store of all inputs and outputs.
    pub(crate) store: &'a Store,
    /// Only facts recorded before this are used.
    pub(crate) as_of: AsOf,
    /// Whether to compute again what was done before.
    pub(crate) force: bool,
    /// Prints progress.
    pub(crate) reporter: &'a Reporter,
    /// The right to work on the pipeline, of commands that may publish.
    pub(crate) lease: Option<&'a Lease>,
    /// Whether what is stored of the history state is damaged, and built again.
    pub(crate) state_is_damaged: bool,
    /// Whether the check was made of bytes that are not those in the store, and is made again.
    pub(crate) finding_is_damaged: bool,
    /// What of the tables is accepted although it is not as it should be.
    pub(crate) accepted: Accepted<'a>,
    /// Whether a stage that would run is an error, [`WouldRun`], and nothing is written.
    pub(crate) is_dry: bool,
    /// Keeps the record of the run, if it has one.
    pub(crate) recorder: Option<&'a Recorder>,
}

impl<'a> RunContext<'a> {
    /// One without force, lease, damage or anything accepted.
    pub(crate) fn new(store: &'a Store, as_of: AsOf, reporter: &'a Reporter) -> Self {
        Self {
            store,
            as_of,
            force: false,
            reporter,
            lease: None,
            state_is_damaged: false,
            finding_is_damaged: false,
            accepted: Accepted::default(),
            is_dry: false,
            recorder: None,
        }
    }
}

impl RunContext<'_> {
    /// A stage begins; what it takes from now on is counted as its own.
    pub(crate) fn stage_began(&self, stage: &str) {
        if let Some(recorder) = self.recorder {
            recorder.stage_began(stage);
        }
    }

    /// A stage is done, or was done before.
    pub(crate) fn stage_ended(&self, result: &StageResult) {
        if let Some(recorder) = self.recorder {
            recorder.stage_ended(result);
        }
    }
}

/// Reasons for which a night goes on although its tables are not as they should be.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Accepted<'a> {
    /// Why files or rows that were there are missing.
    pub(crate) missing: Option<&'a str>,
    /// Why a table is later than its contract allows.
    pub(crate) stale: Option<&'a str>,
}

/// A stage that would run, in a dry run.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the stage {stage} would run")]
pub(crate) struct WouldRun {
    pub(crate) stage: String,
    /// The id that it would have.
    pub(crate) id: String,
    /// Its inputs.
    pub(crate) inputs: BTreeMap<String, String>,
}

/// What the work of a stage returns: files, and a summary.
#[derive(Debug, Default)]
pub(crate) struct Output {
    /// The files by name.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// Counts and findings.
    pub(crate) summary: serde_json::Value,
    /// One line for people.
    pub(crate) line: String,
}

/// Runs a stage in `runs/<id>/<stage>/`, or skips it if it was done.
///
/// # Errors
/// Those of `work` and of the store; then there is no manifest.
pub(crate) fn run(
    context: &RunContext<'_>,
    stage: &str,
    inputs: BTreeMap<String, String>,
    work: impl FnOnce() -> Result<Output>,
) -> Result<StageResult> {
    let id = id(context.as_of, stage, &inputs);
    run_in(context, folder(context, stage, &inputs), id, stage, inputs, work)
}

/// The folder of the outputs of a stage with these inputs.
pub(crate) fn folder(
    context: &RunContext<'_>,
    stage: &str,
    inputs: &BTreeMap<String, String>,
) -> String {
    format!("runs/{}/{stage}", id(context.as_of, stage, inputs))
}

/// Runs a backtest in `backtests/<id>/`, or skips it if it was done.
///
/// # Errors
/// Those of `work` and of the store; then there is no manifest.
pub(crate) fn run_backtest(
    context: &RunContext<'_>,
    inputs: BTreeMap<String, String>,
    work: impl FnOnce() -> Result<Output>,
) -> Result<StageResult> {
    let id = id(context.as_of, "backtest", &inputs);
    run_in(context, backtest_folder(context, &inputs), id, "backtest", inputs, work)
}

/// The folder of the outputs of a backtest with these inputs.
pub(crate) fn backtest_folder(
    context: &RunContext<'_>,
    inputs: &BTreeMap<String, String>,
) -> String {
    format!("backtests/{}", id(context.as_of, "backtest", inputs))
}

#[expect(clippy::disallowed_methods, reason = "the reporter shows how long a stage takes")]
fn run_in(
    context: &RunContext<'_>,
    folder: String,
    id: String,
    stage: &str,
    inputs: BTreeMap<String, String>,
    work: impl FnOnce() -> Result<Output>,
) -> Result<StageResult> {
    let path = format!("{folder}/manifest.json");
    let (before, damaged) = match read_manifest(context, &path)? {
        Found::Manifest(manifest) => (Some(manifest), None),
        Found::Damaged(version) => (None, Some(version)),
        Found::Nothing => (None, None),
    };
    if let (Some(manifest), false) = (&before, context.force) {
        if !context.is_dry {
            context.reporter.skipped(stage, &id);
        }
        let result = StageResult { folder, manifest: manifest.clone(), skipped: true };
        context.stage_ended(&result);
        return Ok(result);
    }
    if context.is_dry {
        return Err(WouldRun { stage: stage.to_owned(), id, inputs }.into());
    }
    let started = Instant::now();
    context.reporter.started(stage);
    let output = work()?;
    let outputs: BTreeMap<String, Digest> =
        output.files.iter().map(|(name, bytes)| (name.clone(), Digest::of(bytes))).collect();
    if let Some(before) = &before
        && let Some((name, _)) =
            before.outputs.iter().find(|(name, digest)| outputs.get(*name) != Some(*digest))
    {
        let path = format!("{folder}/{name}");
        return Err(Refusal::NotReproduced { path, as_of: context.as_of }.into());
    }
    let manifest = StageManifest {
        stage: stage.to_owned(),
        as_of: context.as_of,
        code_version: CODE_VERSION.to_owned(),
        inputs,
        outputs,
        summary: output.summary,
        id,
    };
    let files = output.files.into_iter();
    context.store.put_many(
        files.map(|(name, bytes)| (format!("{folder}/{name}"), bytes.into())).collect(),
    )?;
    let bytes = MANIFEST.seal(&manifest)?.into();
    let outcome = context.store.compare_and_swap(&path, damaged.as_ref(), bytes)?;
    context.reporter.finished(stage, started.elapsed(), &output.line);
    if outcome == SwapOutcome::Moved && before.is_none() {
        context.reporter.note("another run finished this stage first, with the same inputs");
    }
    let result = StageResult { folder, manifest, skipped: false };
    context.stage_ended(&result);
    Ok(result)
}

/// The id of a stage with these inputs.
pub(crate) fn id(as_of: AsOf, stage: &str, inputs: &BTreeMap<String, String>) -> String {
    let start = Fingerprint::new()
        .with("stage", stage)
        .with("code", CODE_VERSION)
        .with("as_of", as_of.to_string());
    let all = inputs.iter().fold(start, |hash, (name, value)| hash.with(name, value));
    all.finish().short().to_owned()
}

/// Takes the manifest of a stage away, so that the stage is run again.
///
/// # Errors
/// If the store fails.
pub(crate) fn retire(context: &RunContext<'_>, folder: &str) -> Result<()> {
    Ok(context.store.delete(&format!("{folder}/manifest.json"))?)
}

/// What is at the place of a manifest.
enum Found {
    Manifest(StageManifest),
    /// Something else, which a manifest may replace.
    Damaged(Version),
    Nothing,
}

/// A manifest that is not as it was written is as good as none: the stage is run again.
fn read_manifest(context: &RunContext<'_>, path: &str) -> Result<Found> {
    match context.store.get_sealed(path, MANIFEST) {
        Ok(Some((manifest, _))) => Ok(Found::Manifest(manifest)),
        Ok(None) => Ok(Found::Nothing),
        Err(store::Error::Sealed { version, source, .. }) => {
            context.reporter.note(&format!("{path}: {source}; the stage is run again"));
            Ok(Found::Damaged(version))
        }
        Err(error) => Err(error.into()),
    }
}
