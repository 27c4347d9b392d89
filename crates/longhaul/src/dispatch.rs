//! From the command line to a command: resolves the settings, opens the store, and runs it.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use store::Store;

use crate::command_output::CommandOutput;
use crate::commands;
use crate::commands::backfill::Nights;
use crate::flags::{
    Accept, Command, Config, Contract, Features, Flags, Global, Job, Models, Origins, Runs,
};
use crate::folds::Span;
use crate::lease::{Lease, Renewal};
use crate::machine::SystemClock;
use crate::recorded_run::{RunRequest, under_lease};
use crate::recorder::Origin;
use crate::refusal::Refusal;
use crate::report::Reporter;
use crate::settings::Resolved;
use crate::stage::{Accepted, RunContext};
use crate::stages::{self, Stage};

/// Runs the command of `flags`.
///
/// # Errors
/// What the command refuses, or its error.
pub(crate) fn run(flags: &Flags, reporter: &Reporter) -> Result<()> {
    let global = &flags.global;
    match &flags.command {
        Command::Run(job) => {
            recorded(("run", Stage::Score), job, global, reporter, stages::run_all)
        }
        Command::Plan(job) => {
            let resolved = resolve(Some(&job.pipeline), global)?;
            let store = open(&resolved)?;
            let as_of = resolved.as_of(job.as_of)?;
            let context = RunContext {
                force: job.force,
                accepted: of_job(job),
                ..RunContext::new(&store, as_of, reporter)
            };
            print(commands::plan::run(&context, &resolved)?, reporter)
        }
        Command::Retry { pipeline, run, accept } => {
            let resolved = resolve(Some(pipeline), global)?;
            let store = open(&resolved)?;
            commands::retry::run(&resolved, &store, run.as_deref(), of_nights(accept), reporter)
        }
        Command::Backfill { pipeline, from, to, every, only, dry_run, accept } => {
            let resolved = resolve(Some(pipeline), global)?;
            let store = open(&resolved)?;
            let nights = Nights { from: *from, to: *to, every: *every, only: *only };
            if *dry_run {
                return commands::backfill::plan(&resolved, &store, &nights, reporter);
            }
            commands::backfill::run(&resolved, &store, &nights, of_nights(accept), reporter)
        }
        Command::Runs(Runs::List { pipeline, last }) => {
            let store = open(&resolve(None, global)?)?;
            commands::runs::list(&store, pipeline.as_deref(), *last, reporter)
        }
        Command::Runs(Runs::Show { run }) => {
            commands::runs::show(&open(&resolve(None, global)?)?, run, reporter)
        }
        Command::Runs(Runs::Diff { old, new }) => {
            let store = open(&resolve(None, global)?)?;
            commands::run_diff::run(&store, old, new, reporter)
        }
        Command::Runs(Runs::Schema) => {
            commands::runs::schema(reporter);
            Ok(())
        }
        Command::Check { job, explain: true, .. } => {
            on_stages(job, global, reporter, commands::quarantine::explain)
        }
        Command::Check { job, release: Some(rule), .. } => {
            on_stages(job, global, reporter, |context, resolved| {
                commands::quarantine::release(context, resolved, rule)
            })
        }
        Command::Check { job, .. } => by_hand(Stage::Check, job, global, reporter),
        Command::Features { command: Some(Features::Ablate { job, origins }), .. } => {
            on_origins(job, origins, global, reporter, commands::ablate::run)
        }
        Command::Features { job: Some(job), .. } => by_hand(Stage::Features, job, global, reporter),
        Command::Features { .. } => Err(Refusal::Usage {
            what: "expected a pipeline, such as longhaul features pipelines/demo.toml".to_owned(),
        }
        .into()),
        Command::Train(job) => by_hand(Stage::Train, job, global, reporter),
        Command::Evaluate(job) => by_hand(Stage::Evaluate, job, global, reporter),
        Command::Publish(job) => by_hand(Stage::Publish, job, global, reporter),
        Command::Score(job) => by_hand(Stage::Score, job, global, reporter),
        Command::Proof(job) => {
            stages::check_configuration(&resolve(Some(&job.pipeline), global)?, false)?;
            on_stages(job, global, reporter, commands::proof::run)
        }
        Command::Backtest { job, origins, export, in_flight } => {
            on_origins(job, origins, global, reporter, |context, resolved, span| {
                let backtest = if *in_flight {
                    commands::backtest_in_flight::run
                } else {
                    commands::backtest::run
                };
                backtest(context, resolved, span, *export)
            })
        }
        Command::Import { name, from, imports, force } => {
            let resolved = resolve(None, global)?;
            commands::import::run(&resolved, name, from, imports, *force, reporter)
        }
        Command::Simulate { pipeline, force } => {
            let resolved = resolve(Some(pipeline), global)?;
            commands::simulate::run(&resolved, pipeline, *force, reporter)
        }
        Command::Predict { model, rows, out, in_flight } => {
            let resolved = resolve(None, global)?;
            commands::predict::run(&resolved, (model, *in_flight), (rows, out), reporter)
        }
        Command::Speed(flags) => {
            print(commands::speed::run(&open(&resolve(None, global)?)?, flags)?, reporter)
        }
        Command::Serve(flags) => {
            let resolved = resolve(None, global)?;
            commands::serve::run(&resolved, flags, reporter)
        }
        Command::Contract(Contract::Diff { old, new }) => {
            commands::contract::diff(old, new.as_deref(), reporter)
        }
        Command::Contract(Contract::Show { table }) => commands::contract::show(table, reporter),
        Command::Contract(Contract::Docs) => commands::contract_docs::print(reporter),
        Command::Models(Models::List) => {
            commands::models::list(&open(&resolve(None, global)?)?, reporter)
        }
        Command::Models(Models::Show { model_id }) => {
            commands::models::show(&open(&resolve(None, global)?)?, model_id, reporter)
        }
        Command::Models(Models::Export { model_id, to }) => {
            let store = open(&resolve(None, global)?)?;
            commands::models_export::run(&store, model_id, to, reporter)
        }
        Command::Models(Models::Verify { model_id, from, key }) => {
            let store = open(&resolve(None, global)?)?;
            let named = (model_id.as_str(), from.as_deref());
            print(commands::models_verify::verify(&store, named, key.as_deref())?, reporter)
        }
        Command::Models(Models::Sign { model_id, key }) => {
            let store = open(&resolve(None, global)?)?;
            print(commands::models_verify::sign(&store, model_id, key)?, reporter)
        }
        Command::Models(Models::Schema) => {
            commands::models::schema(reporter);
            Ok(())
        }
        Command::Models(Models::Promote { pipeline, model_id, reason }) => {
            on_champion(pipeline, (Some(model_id), reason), global, reporter)
        }
        Command::Models(Models::Rollback { pipeline, reason }) => {
            on_champion(pipeline, (None, reason), global, reporter)
        }
        Command::Config(Config::Show { pipeline }) => {
            commands::config::show(&resolve(Some(pipeline), global)?, reporter);
            Ok(())
        }
        Command::Config(Config::Docs) => {
            commands::settings_docs::print(reporter);
            Ok(())
        }
        Command::Config(Config::Schema) => {
            commands::config::schema(reporter);
            Ok(())
        }
        Command::Doctor { pipeline } => {
            commands::doctor::run(&resolve(pipeline.as_deref(), global)?, reporter)
        }
        Command::Verify { repair } => {
            let store = open(&resolve(None, global)?)?;
            let leases = match repair {
                true => Lease::take_all(&store, &SystemClock::new())?,
                false => Vec::new(),
            };
            let output = commands::verify::run(&store, *repair, reporter)?;
            drop(leases);
            print(output, reporter)
        }
        Command::Gc { keep, delete } => {
            let store = open(&resolve(None, global)?)?;
            let (keep, clock) = (*keep as usize, SystemClock::new());
            let output = commands::gc::run(&store, keep, !delete, &clock, clock.time())?;
            print(output, reporter)
        }
        Command::Completions { shell } => {
            commands::manual::completions(*shell, reporter);
            Ok(())
        }
        Command::Man => commands::manual::page(reporter),
    }
}

/// Runs one stage by hand, after those that it needs, and prints its result.
fn by_hand(stage: Stage, job: &Job, global: &Global, reporter: &Reporter) -> Result<()> {
    recorded((stage.name(), stage), job, global, reporter, |context, resolved| {
        stages::run_through(context, resolved, stage)
    })
}

/// Runs stages of a pipeline as of the job as a recorded run, and prints its result; that of the whole
/// night is its record.
fn recorded(
    (command, through): (&str, Stage),
    job: &Job,
    global: &Global,
    reporter: &Reporter,
    stages: impl FnOnce(&RunContext<'_>, &Resolved) -> Result<CommandOutput>,
) -> Result<()> {
    let resolved = resolve(Some(&job.pipeline), global)?;
    let store = open(&resolved)?;
    let request = RunRequest {
        resolved: &resolved,
        store: &store,
        reporter,
        as_of: resolved.as_of(job.as_of)?,
        force: job.force,
        accepted: of_job(job),
        origin: Origin { command, retry_of: None },
        through,
    };
    let (record, output) = request.run(stages);
    if command == "run" {
        return commands::runs::print_ended(&record, output, reporter);
    }
    print(output?, reporter)
}

/// Runs a command on the stages of a pipeline as of the job, and prints its result.
fn on_stages(
    job: &Job,
    global: &Global,
    reporter: &Reporter,
    command: impl FnOnce(&RunContext<'_>, &Resolved) -> Result<CommandOutput>,
) -> Result<()> {
    let resolved = resolve(Some(&job.pipeline), global)?;
    let store = open(&resolved)?;
    let as_of = resolved.as_of(job.as_of)?;
    let (pipeline, patience) = (&resolved.settings.name, resolved.settings.limits.lock_wait());
    let clock = SystemClock::new();
    let lease = under_lease(pipeline, &store, (&clock, patience, Renewal::InBackground), reporter)?;
    let context = RunContext {
        force: job.force,
        lease: Some(&lease),
        accepted: of_job(job),
        ..RunContext::new(&store, as_of, reporter)
    };
    let output = command(&context, &resolved)?;
    drop(lease);
    print(output, reporter)
}

/// Makes a model champion by hand: the one before, if none is given.
fn on_champion(
    pipeline: &Path,
    (model_id, reason): (Option<&String>, &str),
    global: &Global,
    reporter: &Reporter,
) -> Result<()> {
    let resolved = resolve(Some(pipeline), global)?;
    let store = open(&resolved)?;
    let (name, patience) = (&resolved.settings.name, resolved.settings.limits.lock_wait());
    let clock = SystemClock::new();
    let lease = under_lease(name, &store, (&clock, patience, Renewal::InBackground), reporter)?;
    let wanted = model_id.map(String::as_str);
    let output = commands::champion::choose(&store, (&lease, &clock), name, wanted, reason)?;
    drop(lease);
    print(output, reporter)
}

fn print(output: CommandOutput, reporter: &Reporter) -> Result<()> {
    let CommandOutput { json, text, refused } = output;
    reporter.result(&json, || text);
    match refused {
        Some(refusal) => Err(refusal.into()),
        None => Ok(()),
    }
}

fn of_job(job: &Job) -> Accepted<'_> {
    Accepted { missing: job.accept_missing.as_deref(), stale: job.accept_stale.as_deref() }
}

fn of_nights(accept: &Accept) -> Accepted<'_> {
    Accepted { missing: accept.accept_missing.as_deref(), stale: accept.accept_stale.as_deref() }
}

/// Runs a command that trains as of past origins. Without `--as-of`, outcomes are those known at the
/// end of the tables; features are always those known as of their own order.
fn on_origins(
    job: &Job,
    origins: &Origins,
    global: &Global,
    reporter: &Reporter,
    command: impl FnOnce(&RunContext<'_>, &Resolved, Span) -> Result<()>,
) -> Result<()> {
    let resolved = resolve(Some(&job.pipeline), global)?;
    stages::check_configuration(&resolved, true)?;
    let span = Span::of(origins)?;
    let store = open(&resolved)?;
    let as_of = match job.as_of {
        Some(as_of) => as_of,
        None => stages::end_of_tables(&store)?,
    };
    let context = RunContext {
        force: job.force,
        // It is about the past, to which all tables reach; where each ends does not matter.
        accepted: Accepted { stale: Some("of the past"), ..of_job(job) },
        ..RunContext::new(&store, as_of, reporter)
    };
    command(&context, &resolved, span)
}

#[expect(clippy::disallowed_methods, reason = "the environment is read here, once")]
fn resolve(pipeline: Option<&Path>, global: &Global) -> Result<Resolved> {
    let mut variables = BTreeMap::new();
    for (name, value) in std::env::vars_os() {
        // What is no text is none of ours, unless its name says so.
        let Some(name) = name.to_str() else { continue };
        match value.into_string() {
            Ok(value) => drop(variables.insert(name.to_owned(), value)),
            Err(_) if ["LONGHAUL", "AWS_"].iter().any(|prefix| name.starts_with(prefix)) => {
                return Err(Refusal::Configuration {
                    place: name.to_owned(),
                    problem: "expected text in UTF-8, found other bytes".to_owned(),
                }
                .into());
            }
            Err(_) => {}
        }
    }
    Ok(Resolved::new(pipeline, global, variables)?)
}

fn open(resolved: &Resolved) -> Result<Store> {
    Ok(Store::open(&resolved.store()?)?)
}
