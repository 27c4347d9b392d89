//! The command line: commands, arguments and flags. Nothing here reads a file or the environment;
//! `settings` does.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use serve::Limits;
use terms::{AsOf, Instant};

use crate::deadline::Deadline;

/// Learns nightly how long deliveries take once they take more than two days.
#[derive(Debug, Parser)]
#[command(name = "longhaul", version, max_term_width = 100)]
#[command(after_help = "Exit codes: 0 done · 1 unexpected · 2 usage · 10 contract failed · \
    11 input stale or missing · 12 gate refused · 13 approval pending · \
    20 storage failed after retries (a retry may help) · 21 lock held · 30 configuration · \
    130 SIGINT · 143 SIGTERM")]
pub(crate) struct Flags {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Flags that every command takes.
    #[command(flatten)]
    pub(crate) global: Global,
}

/// Flags that every command takes.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Where tables, runs and models are kept: a folder, file:///abs/path or s3://bucket/prefix
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) store: Option<String>,
    /// Sets one key over the pipeline file, such as train.boost.rounds=200
    #[arg(long = "set", global = true, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Prints the result as JSON on stdout
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Prints nothing but the result and errors
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// How messages on stderr are written
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,
}

/// How messages on stderr are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people.
    Text,
    /// A JSON object a line.
    Json,
}

/// A pipeline and its as-of.
#[derive(Debug, Args)]
pub(crate) struct Job {
    /// The pipeline file, such as pipelines/demo.toml
    pub(crate) pipeline: PathBuf,
    /// Uses only facts recorded before this date or instant; default: the pipeline's, or today
    #[arg(long, value_name = "DATE")]
    pub(crate) as_of: Option<AsOf>,
    /// Computes again what was done before, and insists on the same bytes
    #[arg(long)]
    pub(crate) force: bool,
    /// Goes on without files or rows of tables that were there, and records why
    #[arg(long, value_name = "REASON")]
    pub(crate) accept_missing: Option<String>,
    /// Goes on with tables that are later than their contracts allow, and records why
    #[arg(long, value_name = "REASON")]
    pub(crate) accept_stale: Option<String>,
}

/// What a run accepts of its tables although it is not as it should be.
#[derive(Debug, Args)]
pub(crate) struct Accept {
    /// Goes on without files or rows of tables that were there, and records why
    #[arg(long, value_name = "REASON")]
    pub(crate) accept_missing: Option<String>,
    /// Goes on with tables that are later than their contracts allow, and records why
    #[arg(long, value_name = "REASON")]
    pub(crate) accept_stale: Option<String>,
}

/// Which nights a backfill runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Only {
    /// Those of which there is no run.
    Missing,
    /// Those whose last run did not complete.
    Failed,
    /// Every one; what was done with the same inputs is skipped.
    All,
}

/// Shows what ran, and what was different.
#[derive(Debug, Subcommand)]
pub(crate) enum Runs {
    /// One line a run, the newest first
    List {
        /// The pipeline's name; default: all
        pipeline: Option<String>,
        /// How many
        #[arg(long, value_name = "N", default_value_t = 20)]
        last: usize,
    },
    /// Everything about one
    Show {
        /// Its id or the beginning of it, an as-of (its last run), or "latest"
        run: String,
    },
    /// What two runs did not have in common: code, settings, tables, stages, scores
    Diff {
        /// The earlier one, as for show
        old: String,
        /// The later one
        new: String,
    },
    /// Prints the JSON Schema of the record of a run
    Schema,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs all stages: check, features, train, evaluate, publish, score
    Run(Job),
    /// Says what a run would do, stage by stage and partition by partition, and why
    Plan(Job),
    /// Runs the last night that failed again, as of its own day
    Retry {
        /// The pipeline file, such as pipelines/demo.toml
        pipeline: PathBuf,
        /// Another run than the last one that failed: its id or the beginning of it, or its as-of
        run: Option<String>,
        /// What the night accepts
        #[command(flatten)]
        accept: Accept,
    },
    /// Runs nights of the past, each as of its own day
    Backfill {
        /// The pipeline file, such as pipelines/demo.toml
        pipeline: PathBuf,
        /// The first night
        #[arg(long, value_name = "DATE")]
        from: AsOf,
        /// No night at or after this
        #[arg(long, value_name = "DATE")]
        to: AsOf,
        /// The step from night to night, in days
        #[arg(long, value_name = "DAYS", value_parser = days, default_value = "1d")]
        every: u32,
        /// Which nights: those without any run, those whose last run failed, or all; default: those
        /// that were not completed
        #[arg(long, value_enum)]
        only: Option<Only>,
        /// Says which nights would run, and runs none
        #[arg(long)]
        dry_run: bool,
        /// What the nights accept
        #[command(flatten)]
        accept: Accept,
    },
    /// Shows what ran, and what was different
    #[command(subcommand)]
    Runs(Runs),
    /// Checks the tables against their contracts; bad rows go to quarantine
    Check {
        /// The pipeline and the moment
        #[command(flatten)]
        job: Job,
        /// Shows why rows are in quarantine, with a few of each rule, and writes nothing
        #[arg(long, conflicts_with = "release")]
        explain: bool,
        /// Takes all rows back in that RULE (or TABLE.RULE) keeps in quarantine, then checks
        #[arg(long, value_name = "RULE")]
        release: Option<String>,
    },
    /// Builds point-in-time features
    #[command(args_conflicts_with_subcommands = true)]
    Features {
        /// Something else to do with them
        #[command(subcommand)]
        command: Option<Features>,
        /// The pipeline and the moment
        #[command(flatten)]
        job: Option<Job>,
    },
    /// Trains the gate and the regressors of every family
    Train(Job),
    /// Judges the families on a hold-out in time, against baselines and the champion
    Evaluate(Job),
    /// Publishes the best family if the gates let it through
    Publish(Job),
    /// Scores the open shipments with the champion
    Score(Job),
    /// Trains and predicts at one origin after another, as if it were then
    Backtest {
        /// The pipeline and the moment up to which outcomes are known (default: all there are)
        #[command(flatten)]
        job: Job,
        /// From which origin to which
        #[command(flatten)]
        origins: Origins,
        /// Also writes the matrix and the labels of each origin, for another learner to try
        #[arg(long)]
        export: bool,
        /// Judges the time that is left of open shipments, on snapshots, and not that of orders
        #[arg(long)]
        in_flight: bool,
    },
    /// Proves that nothing recorded after the as-of changes features, models or predictions
    Proof(Job),
    /// Brings foreign tables in, by SQL
    Import {
        /// A folder under pipelines/imports
        name: String,
        /// The folder of the source files
        #[arg(long, value_name = "DIR")]
        from: PathBuf,
        /// Where the folder NAME is
        #[arg(long, value_name = "DIR", default_value = "pipelines/imports")]
        imports: PathBuf,
        /// Replaces partitions that hold other bytes
        #[arg(long)]
        force: bool,
    },
    /// Makes the tables of an invented network
    Simulate {
        /// The pipeline file with a [simulate] section
        pipeline: PathBuf,
        /// Replaces partitions that hold other bytes
        #[arg(long)]
        force: bool,
    },
    /// Predicts rows of features
    Predict {
        /// A model id in the store, "current" or "current:PIPELINE", or a folder that holds a bundle
        #[arg(long, default_value = "current")]
        model: String,
        /// The rows: a .parquet file (state/rows has some), a .jsonl file, or - for JSON lines on stdin
        #[arg(long, value_name = "FILE", default_value = "-")]
        rows: PathBuf,
        /// The predictions: a .parquet, .csv or .jsonl file, or - for JSON lines on stdout
        #[arg(long, value_name = "FILE", default_value = "-")]
        out: PathBuf,
        /// Predicts the time that is left of open shipments, of rows of snapshots
        #[arg(long)]
        in_flight: bool,
    },
    /// Says how fast a lane delivers, and whether by a date, from the newest lane speed table
    Speed(Speed),
    /// Answers HTTP requests with predictions of the champion, of the next one once there is one
    Serve(Serve),
    /// Compares contracts, and shows the shipped ones
    #[command(subcommand)]
    Contract(Contract),
    /// Shows published models
    #[command(subcommand)]
    Models(Models),
    /// Shows settings and where each comes from
    #[command(subcommand)]
    Config(Config),
    /// Shows the store's settings and tries it: list, put, conditional put, delete
    Doctor {
        /// A pipeline file whose [store] section counts
        pipeline: Option<PathBuf>,
    },
    /// Reads every object of the store that says what it must be, and mends what is damaged
    Verify {
        /// Mends what can be mended, and takes away what is made again when it is needed
        #[arg(long)]
        repair: bool,
    },
    /// Deletes what neither the last nights nor later ones read; says what, unless --delete is given
    Gc {
        /// How many nights are kept
        #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
        keep: u32,
        /// Deletes it
        #[arg(long)]
        delete: bool,
    },
    /// Prints a completion script
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
    },
    /// Prints the manual page
    Man,
}

/// What else is done with features.
#[derive(Debug, Subcommand)]
pub(crate) enum Features {
    /// Leaves one group of features out after the other, and says what each gains and costs
    Ablate {
        /// The pipeline and the moment up to which outcomes are known (default: all there are)
        #[command(flatten)]
        job: Job,
        /// From which origin to which
        #[command(flatten)]
        origins: Origins,
    },
}

/// The origins of a backtest.
#[derive(Debug, Args)]
pub(crate) struct Origins {
    /// The first origin
    #[arg(long, value_name = "DATE")]
    pub(crate) from: AsOf,
    /// No origin at or after this
    #[arg(long, value_name = "DATE")]
    pub(crate) to: AsOf,
    /// The step from origin to origin, in days, such as 7d
    #[arg(long, value_name = "DAYS", value_parser = days)]
    pub(crate) every: u32,
    /// Trains anew at every so many days; default: at every origin
    #[arg(long, value_name = "DAYS", value_parser = days)]
    pub(crate) train_every: Option<u32>,
}

/// Compares contracts, and shows the shipped ones.
#[derive(Debug, Subcommand)]
pub(crate) enum Contract {
    /// Lists what changed, and ends with 10 if a change breaks what fitted before
    Diff {
        /// The old contract: its file, or a table's name for the shipped one
        old: String,
        /// The new one; without it, OLD is compared with the shipped contract of its table
        new: Option<String>,
    },
    /// Prints the shipped contract of a table, to change it and name its folder in check.contracts
    Show {
        /// The table, such as orders
        table: String,
    },
    /// Prints docs/contracts.md: every table with its columns and rules
    Docs,
}

/// Shows published models, and chooses the champion.
#[derive(Debug, Subcommand)]
pub(crate) enum Models {
    /// One line a model, the newest first
    List,
    /// Everything about one
    Show {
        /// Its id, or "current"
        model_id: String,
    },
    /// Writes a model for other programs: ONNX, MLflow, LightGBM's text, and rows that prove them
    Export {
        /// Its id, "current" or "current:PIPELINE"
        #[arg(default_value = "current")]
        model_id: String,
        /// The folder to be made
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
    },
    /// Checks that a model is as it was published: files, parity vectors and, with a key, its signature
    Verify {
        /// Its id, "current" or "current:PIPELINE"
        #[arg(default_value = "current")]
        model_id: String,
        /// A copy of a bundle, in place of a model of the store
        #[arg(long, value_name = "DIR", conflicts_with = "model_id")]
        from: Option<PathBuf>,
        /// The public key that must have signed it, a PEM file
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
    },
    /// Signs a model, so that whoever has the public key knows that it is yours
    Sign {
        /// Its id, "current" or "current:PIPELINE"
        #[arg(default_value = "current")]
        model_id: String,
        /// The secret key of Ed25519, a PEM file
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
    /// Prints the JSON Schema of metrics.json
    Schema,
    /// Makes a model that passed the gates champion, and withdraws those of its night and later
    Promote {
        /// The pipeline file
        pipeline: PathBuf,
        /// The id of the model
        model_id: String,
        /// Why, for those who look later
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Makes the champion before champion again, and withdraws the one of now
    Rollback {
        /// The pipeline file
        pipeline: PathBuf,
        /// Why, for those who look later
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

/// The lane that `speed` looks up, and by when an order is to be delivered. What is not given is not known.
#[derive(Debug, Args)]
pub(crate) struct Speed {
    /// The pipeline's name; needed where several have scored into the store
    pub(crate) pipeline: Option<String>,
    /// The zone that it goes to, as in the tables
    #[arg(long, value_name = "ZONE")]
    pub(crate) to: Option<String>,
    /// The region that it goes to, which answers for zones without a row
    #[arg(long, value_name = "REGION")]
    pub(crate) to_region: Option<String>,
    /// The zone that it leaves from
    #[arg(long, value_name = "ZONE")]
    pub(crate) from: Option<String>,
    /// The region that it leaves from
    #[arg(long, value_name = "REGION")]
    pub(crate) from_region: Option<String>,
    /// Who carries it
    #[arg(long, value_name = "NAME")]
    pub(crate) carrier: Option<String>,
    /// The carrier's service
    #[arg(long, value_name = "NAME")]
    pub(crate) service: Option<String>,
    /// How heavy it is
    #[arg(long, value_name = "GRAMS")]
    pub(crate) weight_g: Option<f32>,
    /// By the end of which day of UTC, or by which instant, it is to be delivered
    #[arg(long, value_name = "DATE")]
    pub(crate) by: Option<Deadline>,
    /// The least probability with which it counts as delivered by then
    #[arg(long, value_name = "PROBABILITY", requires = "by", value_parser = probability)]
    pub(crate) at_least: Option<f64>,
    /// When it is ordered; default: the as-of of the table
    #[arg(long, value_name = "INSTANT")]
    pub(crate) ordered_at: Option<Instant>,
}

/// What `serve` answers, where, and within which limits.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// "current:PIPELINE", "current", a model id in the store, or a folder that holds a bundle
    #[arg(long, default_value = "current")]
    pub(crate) model: String,
    /// The address and port to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,
    /// Seconds after which to look for another champion
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) reload_seconds: u32,
    /// Rows of a request at most
    #[arg(long, value_name = "N", default_value_t = Limits::default().rows)]
    pub(crate) rows: usize,
    /// Bytes of a request's body at most
    #[arg(long, value_name = "N", default_value_t = Limits::default().body_bytes)]
    pub(crate) body_bytes: usize,
    /// Connections at a time
    #[arg(long, value_name = "N", default_value_t = Limits::default().connections, value_parser = connections)]
    pub(crate) connections: usize,
}

/// Shows settings.
#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Every key with its value and its origin
    Show {
        /// The pipeline file
        pipeline: PathBuf,
    },
    /// Prints docs/settings.md: every key with its type, default, range and meaning
    Docs,
    /// Prints the JSON Schema of pipeline files, for editors
    Schema,
}

/// A number of connections that the system can count.
fn connections(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(connections @ 1..=65_536) => Ok(connections),
        _ => Err(format!("expected 1 to 65536, found {text:?}")),
    }
}

/// A number from 0 to 1.
fn probability(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(probability) if (0.0..=1.0).contains(&probability) => Ok(probability),
        _ => Err(format!("expected 0 to 1, found {text:?}")),
    }
}

/// A number of days, with or without the unit.
fn days(text: &str) -> Result<u32, String> {
    let digits = text.strip_suffix('d').unwrap_or(text);
    match digits.parse() {
        Ok(days) if days > 0 => Ok(days),
        _ => Err(format!("expected a number of days such as 7d, found {text:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_are_consistent() {
        use clap::CommandFactory;
        Flags::command().debug_assert();
    }

    #[test]
    fn days_need_to_be_days() {
        assert_eq!(days("7d"), Ok(7));
        assert_eq!(days("7"), Ok(7));
        assert!(days("0d").is_err() && days("1w").is_err());
    }
}
