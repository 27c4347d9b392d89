//! The program `longhaul`: starts the logs and the worker threads, runs one command and reports how it
//! ended.
//!
//! `flags` is the command line, `settings` resolves it with the environment and the pipeline file,
//! `dispatch` runs the command, and `report` prints. The libraries know neither flags nor the
//! environment nor the clock.

mod command_output;
mod commands;
mod damage;
mod diagnosis;
mod dispatch;
mod exit_code;
mod flags;
mod folds;
#[cfg(test)]
mod fuzzing;
mod hints;
mod inventory;
mod lease;
mod left_out;
mod machine;
mod predictions;
mod refusal;
mod report;
mod settings;
#[cfg(test)]
mod simulation;
mod stage;
mod stages;
mod stored_models;

use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use flags::{Flags, LogFormat};
use report::Reporter;

fn main() -> ExitCode {
    let flags = Flags::parse();
    start_logs(flags.global.log_format);
    let reporter = Reporter::new(&flags.global);
    let done = start_workers().and_then(|()| dispatch::run(&flags, &reporter));
    // The command's own error says more.
    let done = done.and_then(|()| reporter.lost().map_or(Ok(()), |lost| Err(lost.into())));
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
fn start_workers() -> anyhow::Result<()> {
    let started = intake::worker_threads().build_global().map_err(|error| error.to_string());
    started.and_then(|()| intake::start_workers()).map_err(|problem| {
        anyhow::anyhow!(
            "cannot start the worker threads: too little memory, or too many threads: {problem}"
        )
    })
}

/// Starts the logs, on stderr; `RUST_LOG` selects the level. As text only warnings are shown, since
/// the reporter writes its own lines.
#[expect(clippy::disallowed_methods, reason = "logs go to stderr")]
fn start_logs(format: LogFormat) {
    let default = if format == LogFormat::Json { "longhaul=info,warn" } else { "warn" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => logs.without_time().init(),
        LogFormat::Json => logs.json().flatten_event(true).init(),
    }
}
