//! Fills the record of a run while its stages run, and hands it on when the run begins and ends: to the
//! store, to a file of metrics, to lineage and to a webhook.
//!
//! What the settings ask to be told never decides how a run ends: what cannot be delivered is a
//! warning.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use intake::{Check, FileCheck};
use operations::{
    Failure, LineageMoment, RUN_RECORD, RunId, RunRecord, StageRecord, StageStatus, Status,
    StorageTraffic, TableRecord,
};
use store::{Store, Traffic};
use terms::{AsOf, Fingerprint};

use crate::diagnosis::Diagnosis;
use crate::exit_code::ExitCode;
use crate::machine::{Clock as _, Process, SystemClock, peak_memory, reset_peak_memory};
use crate::settings::{OperationsSection, Resolved, is_url};
use crate::stage_manifest::{CODE_VERSION, StageResult};

/// The record of a run that is under way.
pub(crate) struct Recorder {
    progress: Mutex<Progress>,
    store: Store,
    clock: SystemClock,
    operations: OperationsSection,
}

struct Progress {
    record: RunRecord,
    /// The stage that is under way.
    current: Option<Current>,
}

struct Current {
    stage: String,
    began: Duration,
    traffic: Traffic,
}

/// How a run came about.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Origin<'a> {
    /// The command.
    pub(crate) command: &'a str,
    /// The run that it repeats.
    pub(crate) retry_of: Option<&'a str>,
}

impl Recorder {
    /// The record of a run that begins now.
    pub(crate) fn new(store: &Store, resolved: &Resolved, as_of: AsOf, origin: Origin<'_>) -> Self {
        let clock = SystemClock::new();
        let process = Process::current();
        let settings = resolved.values().into_iter().map(|(key, value)| {
            (key, serde_json::to_value(value).unwrap_or(serde_json::Value::Null))
        });
        let record = RunRecord {
            run_id: RunId::new(clock.unix_millis()).to_string(),
            pipeline: resolved.settings.name.clone(),
            command: origin.command.to_owned(),
            as_of: as_of.to_string(),
            status: Status::Running,
            started_at: clock.now(),
            ended_at: None,
            seconds: None,
            exit_code: None,
            error: None,
            retry_of: origin.retry_of.map(str::to_owned),
            host: process.host().to_owned(),
            process: process.id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            code_version: CODE_VERSION.to_owned(),
            store: store.url().to_owned(),
            settings: settings.collect(),
            accepted: BTreeMap::new(),
            tables: BTreeMap::new(),
            champion_before: None,
            champion_after: None,
            stages: Vec::new(),
            outputs: BTreeMap::new(),
            storage: StorageTraffic::default(),
            peak_memory_bytes: None,
        };
        let progress = Mutex::new(Progress { record, current: None });
        let operations = resolved.settings.operations.clone();
        Self { progress, store: store.clone(), clock, operations }
    }

    /// Writes the record of a run that has begun.
    ///
    /// # Errors
    /// If the store fails.
    pub(crate) fn begin(&self) -> Result<()> {
        let champion = self.champion();
        let record = {
            let mut progress = self.progress();
            progress.record.champion_before = champion;
            progress.record.clone()
        };
        self.store.put(&path_of(&record), RUN_RECORD.seal(&record)?.into())?;
        self.send_lineage(&record, LineageMoment::Start);
        Ok(())
    }

    /// The id of the run.
    pub(crate) fn run_id(&self) -> String {
        self.progress().record.run_id.clone()
    }

    /// A stage begins.
    pub(crate) fn stage_began(&self, stage: &str) {
        reset_peak_memory();
        let began = self.clock.elapsed();
        let current = Current { stage: stage.to_owned(), began, traffic: self.store.traffic() };
        self.progress().current = Some(current);
    }

    /// A stage is done, or was done before.
    pub(crate) fn stage_ended(&self, result: &StageResult) {
        let manifest = &result.manifest;
        let status = if result.skipped { StageStatus::Skipped } else { StageStatus::Completed };
        let mut progress = self.progress();
        let mut stage = self.measured(progress.current.take(), &manifest.stage, status);
        // A stage that is looked at again, after another one was mended, was done all the same.
        let before = progress.record.stages.iter().find(|before| before.stage == stage.stage);
        if let Some(before) = before
            && result.skipped
            && before.id.as_ref() == Some(&manifest.id)
        {
            return;
        }
        stage.id = Some(manifest.id.clone());
        stage.folder = Some(result.folder.clone());
        stage.inputs = manifest.inputs.clone();
        let outputs = manifest.outputs.iter();
        stage.outputs = outputs.map(|(name, digest)| (name.clone(), digest.to_string())).collect();
        stage.summary = manifest.summary.clone();
        let store = &self.store;
        for (what, of_stage, file) in [
            ("predictions", "score", "predictions.parquet"),
            ("at_risk", "score", "at_risk.parquet"),
            ("speed_table", "score", "speed_table.parquet"),
            ("report", "evaluate", "report.html"),
        ] {
            if manifest.stage == of_stage {
                let url = store.url_of(&format!("{}/{file}", result.folder));
                progress.record.outputs.insert(what.to_owned(), url);
            }
        }
        if let Some(model_id) = manifest.summary["model_id"].as_str()
            && manifest.stage == "publish"
        {
            let url = store.url_of(&format!("models/{model_id}"));
            progress.record.outputs.insert("model".to_owned(), url);
        }
        progress.record.stages.retain(|before| before.stage != stage.stage);
        progress.record.stages.push(stage);
    }

    /// What the check found in the tables.
    pub(crate) fn checked(&self, check: &Check) {
        let table = |files: &[FileCheck], rows: u64, rows_quarantined: u64| {
            let days = || files.iter().map(|file| file.recorded_on);
            let digest = files
                .iter()
                .fold(Fingerprint::new(), |all, file| all.with(&file.path, file.digest.as_str()));
            TableRecord {
                files: files.len() as u64,
                rows,
                rows_quarantined,
                first_day: days().min().map(|day| day.to_string()),
                last_day: days().max().map(|day| day.to_string()),
                digest: digest.finish().to_string(),
            }
        };
        let tables = check.tables.iter().map(|(name, found)| {
            (name.clone(), table(&found.files, found.rows_in, found.rows_quarantined))
        });
        let mut progress = self.progress();
        progress.record.tables = tables.collect();
        progress.record.accepted = check.accepted.clone();
    }

    /// Ends the record of a run that ended with this, or with nothing amiss, and returns it.
    pub(crate) fn end(&self, error: Option<Diagnosis>) -> RunRecord {
        let (exit_code, failure) = match error {
            None => (0, None),
            Some(Diagnosis { message, hint, exit_code }) => {
                (exit_code.number(), Some(Failure { message, hint }))
            }
        };
        let status = match exit_code {
            0 => Status::Succeeded,
            code if code == ExitCode::GateRefused.number() => Status::Refused,
            _ => Status::Failed,
        };
        let champion = self.champion();
        let record = self.ended(status, exit_code, failure, champion);
        self.deliver(&record, &self.store);
        record
    }

    /// Ends the record of a run that a signal ends, by a store of its own: no other write begins.
    pub(crate) fn interrupt(&self, store: &Store, exit_code: u8, signal: &str) {
        let failure = Failure {
            message: format!("the run was ended by {signal}"),
            hint: Some("run it again: what was done is skipped".to_owned()),
        };
        let champion = self.progress().record.champion_before.clone();
        let record = self.ended(Status::Interrupted, exit_code, Some(failure), champion);
        self.deliver(&record, store);
    }

    fn ended(
        &self,
        status: Status,
        exit_code: u8,
        error: Option<Failure>,
        champion_after: Option<String>,
    ) -> RunRecord {
        let mut progress = self.progress();
        if let Some(current) = progress.current.take() {
            let name = current.stage.clone();
            let failed = self.measured(Some(current), &name, StageStatus::Failed);
            progress.record.stages.retain(|before| before.stage != name);
            progress.record.stages.push(failed);
        }
        let peak = progress.record.stages.iter().filter_map(|stage| stage.peak_memory_bytes).max();
        let record = &mut progress.record;
        record.status = status;
        record.exit_code = Some(exit_code);
        record.error = error;
        record.champion_after = champion_after;
        record.ended_at = Some(self.clock.now());
        record.seconds = Some(seconds(self.clock.elapsed()));
        record.storage = as_recorded(self.store.traffic());
        record.peak_memory_bytes = peak.max(peak_memory());
        record.clone()
    }

    /// A stage with what it took, from its beginning until now.
    fn measured(&self, current: Option<Current>, name: &str, status: StageStatus) -> StageRecord {
        let (began, traffic) = match current {
            Some(current) if current.stage == name => (current.began, current.traffic),
            _ => (self.clock.elapsed(), self.store.traffic()),
        };
        StageRecord {
            stage: name.to_owned(),
            status,
            id: None,
            folder: None,
            seconds: seconds(self.clock.elapsed().saturating_sub(began)),
            storage: as_recorded(self.store.traffic().since(traffic)),
            peak_memory_bytes: peak_memory(),
            inputs: BTreeMap::new(),
            outputs: BTreeMap::new(),
            summary: serde_json::Value::Null,
        }
    }

    fn deliver(&self, record: &RunRecord, store: &Store) {
        let written = RUN_RECORD.seal(record).map_err(anyhow::Error::from);
        let written = written.and_then(|bytes| Ok(store.put(&path_of(record), bytes.into())?));
        warn("the record of the run was not written", written);
        self.write_metrics(record);
        self.send_lineage(record, LineageMoment::End);
        let webhook = &self.operations.webhook;
        let is_news = matches!(record.status, Status::Failed | Status::Refused);
        if !webhook.is_empty() && is_news {
            let sent = operations::post(webhook, &operations::message(record));
            warn("the webhook was not reached", sent.map_err(Into::into));
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the file of metrics is no data of a store")]
    fn write_metrics(&self, record: &RunRecord) {
        let path = Path::new(&self.operations.metrics_file);
        if path.as_os_str().is_empty() {
            return;
        }
        let before = std::fs::read_to_string(path).ok();
        let unix_seconds = self.clock.unix_millis() as f64 / 1_000.0;
        let text = operations::metrics(record, unix_seconds, before.as_deref());
        let written = operations::replace(path, &text);
        warn("the file of metrics was not written", written.map_err(Into::into));
    }

    fn send_lineage(&self, record: &RunRecord, moment: LineageMoment) {
        let OperationsSection { openlineage: to, openlineage_namespace, .. } = &self.operations;
        if to.is_empty() {
            return;
        }
        let event = operations::lineage_event(record, moment, openlineage_namespace);
        let sent = match is_url(to) {
            true => operations::post(to, &event),
            false => operations::append(Path::new(to), &event.to_string()),
        };
        warn("the lineage event was not delivered", sent.map_err(Into::into));
    }

    /// The champion now; `None` if there is none that can be read.
    fn champion(&self) -> Option<String> {
        let pipeline = self.progress().record.pipeline.clone();
        let pointer = artifact::current(&self.store, &pipeline).ok().flatten();
        pointer.map(|pointer| pointer.model_id)
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the record of a run is: the runs of a pipeline as of a moment are beside each other, and sort
/// by when they began.
fn path_of(record: &RunRecord) -> String {
    let RunRecord { pipeline, as_of, run_id, .. } = record;
    format!("nights/{pipeline}/{as_of}/{run_id}.json")
}

fn as_recorded(traffic: Traffic) -> StorageTraffic {
    let Traffic { requests, retries, bytes_read, bytes_written } = traffic;
    StorageTraffic { requests, retries, bytes_read, bytes_written }
}

/// Seconds, to a thousandth.
fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1_000.0).round() / 1_000.0
}

fn warn(what: &str, done: Result<()>) {
    if let Err(error) = done {
        tracing::warn!("{what}: {error:#}");
    }
}
