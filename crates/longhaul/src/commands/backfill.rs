//! The command `backfill`: runs nights of the past, each as of its own day.

use anyhow::Result;
use serde_json::{Value, json};
use store::Store;
use terms::AsOf;

use crate::command_output::envelope;
use crate::diagnosis::Diagnosis;
use crate::exit_code::ExitCode;
use crate::flags::Only;
use crate::recorded_run::RunRequest;
use crate::refusal::Refusal;
use crate::report::{Reporter, table};
use crate::run_records::{self, Ending, RunPath};
use crate::settings::Resolved;
use crate::stage::Accepted;
use crate::stages;

/// The nights of a backfill.
pub(crate) struct Nights {
    pub(crate) from: AsOf,
    /// No night at or after this.
    pub(crate) to: AsOf,
    /// Days from one to the next.
    pub(crate) every: u32,
    /// Those that were not completed, if it is not given.
    pub(crate) only: Option<Only>,
}

/// A night, and how its last run ended; `None` if there is none.
struct PastNight {
    as_of: AsOf,
    ending: Option<Ending>,
    /// Whether it is run.
    is_wanted: bool,
}

impl PastNight {
    fn before(&self) -> &'static str {
        self.ending.map_or("missing", Ending::name)
    }
}

/// How a night of a backfill went.
struct NightResult {
    as_of: AsOf,
    before: &'static str,
    run_id: String,
    /// What it ended with.
    error: Option<Diagnosis>,
}

/// Says which nights would be run.
///
/// # Errors
/// If there is no night between the two, or the store fails.
pub(crate) fn plan(
    resolved: &Resolved,
    store: &Store,
    nights: &Nights,
    reporter: &Reporter,
) -> Result<()> {
    let nights = nights.of(store, &resolved.settings.name, reporter)?;
    let entries: Vec<Value> = (nights.iter())
        .map(|night| {
            let as_of = night.as_of.to_string();
            json!({ "as_of": as_of, "before": night.before(), "runs": night.is_wanted })
        })
        .collect();
    reporter.result(&envelope("backfill", json!({ "dry_run": true, "nights": entries })), || {
        let n = nights.iter().filter(|night| night.is_wanted).count();
        let rows: Vec<Vec<String>> = (nights.iter())
            .map(|night| {
                let what = if night.is_wanted { "RUN" } else { "SKIP" };
                vec![night.as_of.to_string(), night.before().to_owned(), what.to_owned()]
            })
            .collect();
        format!(
            "{n} of {} nights would run\n\n{}",
            nights.len(),
            table(&["as of", "before", ""], &rows)
        )
    });
    Ok(())
}

/// Runs the nights, oldest first. One that fails does not keep the others from running, unless what it
/// failed of would stop them as well: the storage, a lock, the settings, the program.
///
/// # Errors
/// What the first night that failed ended with, after all.
pub(crate) fn run(
    resolved: &Resolved,
    store: &Store,
    nights: &Nights,
    accepted: Accepted<'_>,
    reporter: &Reporter,
) -> Result<()> {
    let nights = nights.of(store, &resolved.settings.name, reporter)?;
    let wanted: Vec<&PastNight> = nights.iter().filter(|night| night.is_wanted).collect();
    let mut done = Vec::with_capacity(wanted.len());
    let mut first_error = None;
    for (position, night) in wanted.iter().enumerate() {
        let as_of = night.as_of;
        reporter.note(&format!("night {} of {}, as of {as_of}", position + 1, wanted.len()));
        let program = (resolved, store, reporter);
        let request = RunRequest::of_night(program, as_of, accepted, None);
        let (record, output) = request.run(stages::run_all);
        let error = match output {
            Ok(output) => output.refused.map(anyhow::Error::new),
            Err(error) => Some(error),
        };
        let diagnosis = error.as_ref().map(Diagnosis::of);
        if let Some(diagnosis) = &diagnosis {
            reporter.warn(&format!("as of {as_of}: {}", diagnosis.message));
        }
        let stops = diagnosis.as_ref().is_some_and(|diagnosis| stops_others(diagnosis.exit_code));
        done.push(NightResult {
            as_of,
            before: night.before(),
            run_id: record.run_id,
            error: diagnosis,
        });
        first_error = first_error.or(error);
        if stops {
            break;
        }
    }
    let n_left = wanted.len() - done.len();
    print(&done, n_left, reporter);
    first_error.map_or(Ok(()), Err)
}

fn print(done: &[NightResult], n_left: usize, reporter: &Reporter) {
    let entries: Vec<Value> = (done.iter())
        .map(|night| {
            let exit_code = night.error.as_ref().map_or(0, |error| error.exit_code.number());
            json!({
                "as_of": night.as_of.to_string(),
                "before": night.before,
                "run_id": night.run_id,
                "exit_code": exit_code,
                "error": night.error.as_ref().map(Diagnosis::json),
            })
        })
        .collect();
    let result = json!({ "dry_run": false, "nights": entries, "not_begun": n_left });
    reporter.result(&envelope("backfill", result), || {
        let rows: Vec<Vec<String>> = (done.iter())
            .map(|night| {
                let (code, what) = match &night.error {
                    None => ("0".to_owned(), String::new()),
                    Some(error) => (error.exit_code.number().to_string(), error.message.clone()),
                };
                vec![night.as_of.to_string(), night.before.to_owned(), code, what]
            })
            .collect();
        let n_failed = done.iter().filter(|night| night.error.is_some()).count();
        let left = match n_left {
            0 => String::new(),
            n => format!(", {n} not begun"),
        };
        let text = table(&["as of", "before", "exit code", ""], &rows);
        format!("{} nights run, {n_failed} of them not with 0{left}\n\n{text}", done.len())
    });
}

/// Whether what one night failed of would stop the next as well.
fn stops_others(exit_code: ExitCode) -> bool {
    match exit_code {
        ExitCode::ContractFailed | ExitCode::InputMissing | ExitCode::GateRefused => false,
        ExitCode::Unexpected
        | ExitCode::Usage
        | ExitCode::StorageFailed
        | ExitCode::LockHeld
        | ExitCode::Configuration => true,
    }
}

impl Nights {
    /// The nights of a pipeline, oldest first, and which of them are wanted.
    fn of(&self, store: &Store, pipeline: &str, reporter: &Reporter) -> Result<Vec<PastNight>> {
        let runs = run_records::list(store, Some(pipeline))?;
        let mut nights = Vec::new();
        let mut as_of = self.from;
        while as_of < self.to {
            let ending = last_ending(&runs, as_of, store, reporter)?;
            nights.push(PastNight { as_of, ending, is_wanted: self.wants(ending) });
            as_of = as_of.plus_days(i64::from(self.every));
        }
        if nights.is_empty() {
            return Err(Refusal::Usage {
                what: format!("--from {} --to {}: expected --to after --from", self.from, self.to),
            }
            .into());
        }
        Ok(nights)
    }

    fn wants(&self, ending: Option<Ending>) -> bool {
        match self.only {
            Some(Only::All) => true,
            Some(Only::Missing) => ending.is_none(),
            Some(Only::Failed) => ending.is_some_and(|ending| !ending.is_complete()),
            None => !ending.is_some_and(Ending::is_complete),
        }
    }
}

/// How the last run of a whole night ended; `None` if there is none.
fn last_ending(
    runs: &[RunPath],
    as_of: AsOf,
    store: &Store,
    reporter: &Reporter,
) -> Result<Option<Ending>> {
    for (position, run) in runs.iter().enumerate().filter(|(_, run)| run.as_of == as_of) {
        if let Some(record) = run.read(store, reporter)?
            && record.command == "run"
        {
            return Ok(Some(Ending::of(&record, position == 0)));
        }
    }
    Ok(None)
}
