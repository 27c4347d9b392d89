//! The program: flags to settings, settings to one command, one report.
//!
//! Rooms below know neither flags nor files nor the clock. `settings` is the only place that gives
//! meaning to the environment, `report` the only one that prints and chooses the exit code.

mod commands;
mod flags;
mod folds;
mod predictions;
mod refusal;
mod report;
mod settings;
mod stage;
mod stages;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use serde_json::Value;
use tracing_subscriber::EnvFilter;

use flags::{Command, Config, Contract, Features, Flags, Global, Job, LogFormat, Models, Origins};
use folds::Span;
use refusal::Refusal;
use report::Reporter;
use settings::Resolved;
use stage::RunContext;
use store::Store;

fn main() -> ExitCode {
    let flags = Flags::parse();
    start_logs(flags.global.log_format);
    give_workers_room();
    let reporter = Reporter::new(&flags.global);
    match dispatch(&flags, &reporter) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => ExitCode::from(reporter.failed(&error)),
    }
}

/// A worker that waits for Polars takes up other work meanwhile, on the same stack; unoptimised,
/// the usual 2 MiB overflow. Only what is touched takes memory.
fn give_workers_room() {
    const STACK_BYTES: usize = 64 << 20;
    if let Err(error) = rayon::ThreadPoolBuilder::new().stack_size(STACK_BYTES).build_global() {
        tracing::warn!("workers keep their usual stack: {error}");
    }
}

/// Logs go to stderr; `RUST_LOG` chooses how much. As text only warnings show, since the reporter
/// writes its own lines.
fn start_logs(format: LogFormat) {
    let default = if format == LogFormat::Json { "longhaul=info,warn" } else { "warn" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => logs.without_time().init(),
        LogFormat::Json => logs.json().flatten_event(true).init(),
    }
}

fn dispatch(flags: &Flags, reporter: &Reporter) -> Result<()> {
    let global = &flags.global;
    match &flags.command {
        Command::Run(job) => on_night(job, global, reporter, stages::run_all),
        Command::Check { job, explain: true, .. } => {
            on_night(job, global, reporter, commands::quarantine::explain)
        }
        Command::Check { job, release: Some(rule), .. } => {
            on_night(job, global, reporter, |context, resolved| {
                commands::quarantine::release(context, resolved, rule)
            })
        }
        Command::Check { job, .. } => on_night(job, global, reporter, stages::check_only),
        Command::Features { command: Some(Features::Ablate { job, origins }), .. } => {
            on_origins(job, origins, global, reporter, commands::ablate::run)
        }
        Command::Features { job: Some(job), .. } => {
            on_night(job, global, reporter, stages::features_only)
        }
        Command::Features { .. } => Err(Refusal::Usage {
            what: "expected a pipeline, such as longhaul features pipelines/demo.toml".to_owned(),
        }
        .into()),
        Command::Train(job) => on_night(job, global, reporter, stages::train_only),
        Command::Evaluate(job) => on_night(job, global, reporter, stages::evaluate_only),
        Command::Publish(job) => on_night(job, global, reporter, stages::publish_only),
        Command::Score(job) => on_night(job, global, reporter, stages::score_only),
        Command::Proof(job) => on_night(job, global, reporter, commands::proof::run),
        Command::Backtest { job, origins, export } => {
            on_origins(job, origins, global, reporter, |context, resolved, span| {
                commands::backtest::run(context, resolved, span, *export)
            })
        }
        Command::Import { name, from, imports, force } => {
            let resolved = resolve(None, global)?;
            commands::import::run(&resolved, name, from, imports, *force, reporter)
        }
        Command::Simulate { pipeline, force } => {
            let resolved = resolve(Some(pipeline), global)?;
            commands::simulate::run(&resolved, *force, reporter)
        }
        Command::Predict { model, rows, out } => {
            let resolved = resolve(None, global)?;
            commands::predict::run(&resolved, model, rows, out)
        }
        Command::Contract(Contract::Diff { old, new }) => {
            commands::contract::diff(old, new.as_deref(), reporter)
        }
        Command::Contract(Contract::Docs) => commands::contract_docs::print(reporter),
        Command::Models(Models::List) => {
            commands::models::list(&open(&resolve(None, global)?)?, reporter)
        }
        Command::Models(Models::Show { model_id }) => {
            commands::models::show(&open(&resolve(None, global)?)?, model_id, reporter)
        }
        Command::Config(Config::Show { pipeline }) => {
            commands::config::show(&resolve(Some(pipeline), global)?, reporter);
            Ok(())
        }
        Command::Doctor { pipeline } => {
            commands::doctor::run(&resolve(pipeline.as_deref(), global)?, reporter)
        }
        Command::Completions { shell } => {
            commands::manual::completions(*shell);
            Ok(())
        }
        Command::Man => commands::manual::page(),
    }
}

/// Runs stages of a pipeline, then prints what they found.
fn on_night(
    job: &Job,
    global: &Global,
    reporter: &Reporter,
    stages: impl FnOnce(&RunContext<'_>, &Resolved) -> Result<stages::Outcome>,
) -> Result<()> {
    let resolved = resolve(Some(&job.pipeline), global)?;
    let store = open(&resolved)?;
    let as_of = resolved.as_of(job.as_of)?;
    let context = RunContext { store: &store, as_of, force: job.force, reporter };
    let outcome = stages(&context, &resolved)?;
    reporter.result(&outcome.json, || outcome.text.clone());
    match outcome.refused {
        Some(refusal) => Err(refusal.into()),
        None => Ok(()),
    }
}

/// Runs what looks back from origins. Outcomes count as far as anything is known; features never
/// look past their own order.
fn on_origins(
    job: &Job,
    origins: &Origins,
    global: &Global,
    reporter: &Reporter,
    command: impl FnOnce(&RunContext<'_>, &Resolved, Span) -> Result<()>,
) -> Result<()> {
    let resolved = resolve(Some(&job.pipeline), global)?;
    let span = Span::of(origins)?;
    let store = open(&resolved)?;
    let as_of = match job.as_of {
        Some(as_of) => as_of,
        None => stages::end_of_tables(&store)?,
    };
    command(&RunContext { store: &store, as_of, force: job.force, reporter }, &resolved, span)
}

fn resolve(pipeline: Option<&Path>, global: &Global) -> Result<Resolved> {
    let variables: BTreeMap<String, String> = std::env::vars().collect();
    Ok(Resolved::new(pipeline, global, variables)?)
}

fn open(resolved: &Resolved) -> Result<Store> {
    Ok(Store::open(&resolved.store()?)?)
}

/// The envelope of every `--json` result.
fn envelope(command: &str, result: Value) -> Value {
    serde_json::json!({ "schema_version": 1, "command": command, "result": result })
}
