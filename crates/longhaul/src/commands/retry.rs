//! The command `retry`: runs a night that did not complete again, as of its own day.

use anyhow::Result;
use operations::RunRecord;
use serde_json::json;
use store::Store;

use crate::command_output::envelope;
use crate::commands::runs;
use crate::recorded_run::RunRequest;
use crate::refusal::Refusal;
use crate::report::Reporter;
use crate::run_records::{self, Ending};
use crate::settings::Resolved;
use crate::stage::Accepted;
use crate::stages;

/// Runs the night of the run `name` again; without a name, that of the last run of the pipeline whose
/// night was not completed since. Where every night was, nothing is done.
///
/// # Errors
/// If there is no such run, or what the night ends with.
pub(crate) fn run(
    resolved: &Resolved,
    store: &Store,
    name: Option<&str>,
    accepted: Accepted<'_>,
    reporter: &Reporter,
) -> Result<()> {
    let pipeline = &resolved.settings.name;
    let record = match name {
        Some(name) => run_records::find(store, name, reporter)?,
        None => match last_not_completed(store, pipeline, reporter)? {
            Some(record) => record,
            None => {
                let result = json!({ "retried": null });
                reporter.result(&envelope("retry", result), || {
                    format!("every night of {pipeline} that was begun was completed")
                });
                return Ok(());
            }
        },
    };
    if record.pipeline != *pipeline {
        return Err(Refusal::Usage {
            what: format!(
                "run {}: expected one of the pipeline {pipeline}, found one of {}",
                record.run_id, record.pipeline
            ),
        }
        .into());
    }
    let as_of = record.as_of.parse()?;
    reporter.note(&format!("runs the night as of {as_of} again, after run {}", record.run_id));
    let program = (resolved, store, reporter);
    let request = RunRequest::of_night(program, as_of, accepted, Some(&record.run_id));
    let (record, output) = request.run(stages::run_all);
    runs::print_ended(&record, output, reporter)
}

/// The last run of a whole night that did not complete it, and after which no other did.
fn last_not_completed(
    store: &Store,
    pipeline: &str,
    reporter: &Reporter,
) -> Result<Option<RunRecord>> {
    let runs = run_records::list(store, Some(pipeline))?;
    let mut completed = Vec::new();
    for (position, run) in runs.iter().enumerate() {
        if completed.contains(&run.as_of) {
            continue;
        }
        let Some(record) = run.read(store, reporter)?.filter(|record| record.command == "run")
        else {
            continue;
        };
        let ending = Ending::of(&record, position == 0);
        if ending.is_complete() {
            completed.push(run.as_of);
        } else if ending != Ending::Runs {
            return Ok(Some(record));
        }
    }
    Ok(None)
}
