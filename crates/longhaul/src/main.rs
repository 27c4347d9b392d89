//! The program `longhaul`: starts the logs and the worker threads, runs one command and reports how it
//! ended.
//!
//! `flags` is the command line, `settings` resolves it with the environment and the pipeline file,
//! `dispatch` runs the command, and `report` prints. The libraries know neither flags nor the
//! environment nor the clock.

mod command_output;
mod commands;
mod damage;
mod deadline;
mod diagnosis;
mod dispatch;
mod exit_code;
mod flags;
mod folds;
#[cfg(test)]
mod fuzzing;
mod hints;
mod interruption;
mod inventory;
mod lease;
mod left_out;
mod logs;
mod machine;
#[cfg(test)]
mod mentions;
mod predictions;
mod predictions_folder;
mod recorded_run;
mod recorder;
mod refusal;
mod report;
mod run_records;
mod settings;
#[cfg(test)]
mod simulation;
mod stage;
mod stage_manifest;
mod stages;
mod stored_models;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use exit_code::ExitCode as ExitStatus;
use flags::Flags;
use report::Reporter;

fn main() -> ExitCode {
    let flags = Flags::try_parse().unwrap_or_else(|error| {
        report::wrong_usage(&error, std::env::args_os().any(|argument| argument == "--json"))
    });
    logs::start(flags.global.log_format);
    interruption::watch();
    let reporter = Reporter::new(&flags.global);
    let done = start_workers()
        .and_then(|()| dispatch::run(&flags, &reporter))
        .and_then(|()| Ok(reporter.delivered()?));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => ExitCode::from(reporter.failed(&error).number()),
    }
}

/// Starts the worker threads with a large stack: a worker that waits for Polars takes up other work
/// meanwhile, on the same stack, and unoptimised the usual 2 MiB overflow. Only what is touched
/// takes memory.
///
/// All of them now: a pool that cannot be started later would be an error of whatever needs it first.
/// And in time: a runtime of Polars waits for ever for a thread that could not be started (tokio, whose
/// runtime then waits for those of its threads that it has).
fn start_workers() -> anyhow::Result<()> {
    const WITHIN: Duration = Duration::from_secs(60);
    let what =
        "cannot start the worker threads within a minute: too little memory, or too many threads";
    let _deadline = interruption::Deadline::after(WITHIN, ExitStatus::Unexpected, what);
    let started = intake::worker_threads().build_global().map_err(|error| error.to_string());
    started.and_then(|()| intake::start_workers()).map_err(|problem| {
        anyhow::anyhow!(
            "cannot start the worker threads: too little memory, or too many threads: {problem}"
        )
    })
}
