//! The errors of the program itself: what it refuses, beside the errors of the libraries.

use terms::{AsOf, ErrorClass};

use crate::hints::own_contract;

/// What the program refuses, and why.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// The command line is wrong.
    #[error("{what}")]
    Usage {
        /// What is wrong with it.
        what: String,
    },
    /// A setting is wrong.
    #[error("{place}: {problem}")]
    Configuration {
        /// The file, variable or key.
        place: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A key that does not exist.
    #[error("{place}: unknown key {key:?}")]
    UnknownKey {
        /// The file, variable or flag that sets it.
        place: String,
        /// The key.
        key: String,
        /// The most similar key that exists.
        nearest: Option<String>,
    },
    /// A row or file given on the command line is not as expected.
    #[error("{place}: {problem}")]
    Input {
        /// The file and row.
        place: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Something that is needed is not there.
    #[error("{what}: expected {expected}, found none")]
    Missing {
        /// What needs it.
        what: String,
        /// What is missing.
        expected: String,
        /// How to get it.
        hint: String,
    },
    /// Too little is known by the as-of.
    #[error("{problem}")]
    ShortHistory {
        /// What is too little.
        problem: String,
        /// Which settings or as-of would do.
        way_out: String,
    },
    /// A partition exists already, with other bytes.
    #[error("{path}: expected no such partition, found one with other bytes")]
    Occupied {
        /// The partition.
        path: String,
    },
    /// Files or rows of the tables are gone.
    #[error(
        "expected all that the tables had before, found {} gone: {}", .what.len(), first_of(.what)
    )]
    Vanished {
        /// Files, partitions and tables.
        what: Vec<String>,
    },
    /// The gates refused the model.
    #[error("model {model_id} is kept but not current: {}", gates.join("; "))]
    GateRefused {
        /// The model.
        model_id: String,
        /// The gates that refused it.
        gates: Vec<String>,
        /// What would do, where the history is too short to judge it.
        way_out: Option<String>,
    },
    /// A model that the gates refused was to be champion.
    #[error("model {model_id}: expected one that passed the gates, found one that they refused")]
    NotPassed {
        /// The model.
        model_id: String,
    },
    /// A backtest has nothing to judge.
    #[error(
        "a backtest: expected an origin at which a model can be trained, found none among {n}, \
         first {first}"
    )]
    EveryOriginLeftOut {
        /// How many origins.
        n: usize,
        /// The first, and why it was left out.
        first: String,
        /// The first midnight before which enough deliveries are known, if there is one.
        from: Option<AsOf>,
    },
    /// What is in flight cannot be judged.
    #[error("a backtest of what is in flight: expected snapshots of open shipments, found none")]
    NoSnapshots,
    /// A backtest is done, without some of its origins.
    #[error("the backtest was judged without {n} of its origins, first {first}")]
    OriginsLeftOut {
        /// How many.
        n: usize,
        /// The first, and why it was left out.
        first: String,
    },
    /// Changes of a contract are not compatible.
    #[error("{contract}: {n_breaking} of its changes break what fitted before")]
    Breaking {
        /// The new contract.
        contract: String,
        /// How many changes.
        n_breaking: usize,
    },
    /// Rows that may not be released.
    #[error("{table}: rule {rule} releases no row: {reason}")]
    NotReleasable {
        /// The table.
        table: String,
        /// The rule.
        rule: String,
        /// Why.
        reason: &'static str,
    },
    /// The proof failed: features or models depend on facts that were recorded later.
    #[error("facts from the future change what was before them: {}", found.join("; "))]
    Leaks {
        /// What differs.
        found: Vec<String>,
    },
    /// The result cannot be written to stdout.
    #[error("stdout: the result was not written")]
    OutputLost {
        /// Why.
        source: std::io::Error,
    },
    /// Objects of the store are not what was written.
    #[error("{store}: {n} objects are not as they were written")]
    Damaged {
        /// How many.
        n: usize,
        /// The store.
        store: String,
    },
    /// Another run works on the pipeline.
    #[error(
        "pipeline {pipeline} is worked on by process {process} on {host}, since {started_at} \
         ({age} ago)"
    )]
    PipelineInUse {
        /// The pipeline.
        pipeline: String,
        /// The machine of the other run.
        host: String,
        /// Its process there.
        process: u32,
        /// When it began.
        started_at: String,
        /// How long ago that is.
        age: String,
        /// So many seconds after its last sign of life it is taken over.
        expires_after: u64,
    },
    /// Another run took over while this one did not renew its lease.
    #[error("{path}: this run was paused for so long that another one has taken over")]
    LeaseLost {
        /// The lease.
        path: String,
    },
    /// A forced rerun of a stage gave other bytes.
    #[error("{path}: recomputing as of {as_of} made other bytes")]
    NotReproduced {
        /// The object that differs.
        path: String,
        /// The as-of of the stage.
        as_of: AsOf,
    },
    /// An object does not have the form that it must have.
    #[error("{path}: expected {expected}")]
    Unreadable {
        /// The object.
        path: String,
        /// What it must be.
        expected: &'static str,
    },
}

impl Refusal {
    /// What kind of error it is.
    pub(crate) fn class(&self) -> ErrorClass {
        match self {
            Self::Usage { .. } => ErrorClass::Usage,
            Self::Configuration { .. } | Self::UnknownKey { .. } => ErrorClass::Configuration,
            Self::Missing { .. }
            | Self::ShortHistory { .. }
            | Self::NoSnapshots
            | Self::EveryOriginLeftOut { .. }
            | Self::OriginsLeftOut { .. } => ErrorClass::Input,
            Self::GateRefused { .. } | Self::NotPassed { .. } | Self::Leaks { .. } => {
                ErrorClass::Gate
            }
            Self::Occupied { .. }
            | Self::Vanished { .. }
            | Self::Breaking { .. }
            | Self::NotReleasable { .. } => ErrorClass::Contract,
            Self::Input { .. } | Self::Unreadable { .. } | Self::Damaged { .. } => {
                ErrorClass::Contract
            }
            Self::OutputLost { .. } => ErrorClass::Storage,
            Self::PipelineInUse { .. } | Self::LeaseLost { .. } => ErrorClass::Locked,
            Self::NotReproduced { .. } => ErrorClass::Internal,
        }
    }

    /// What to do about it, where something can be done.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownKey { nearest, .. } => {
                nearest.as_ref().map(|key| format!("did you mean {key:?}?"))
            }
            Self::Occupied { .. } => Some(
                "choose another --store, empty this one, or replace partitions with --force".into(),
            ),
            Self::Vanished { .. } => Some(
                "restore or import them again; if they are to be gone, go on with \
                 --accept-missing REASON, which is recorded"
                    .to_owned(),
            ),
            Self::Missing { hint, .. } => Some(hint.clone()),
            Self::ShortHistory { way_out, .. } => Some(way_out.clone()),
            Self::EveryOriginLeftOut { from: Some(from), .. } => Some(format!(
                "choose --from {from} or later, when train.rows_min deliveries are known, or the \
                 family that any rows can train: --set backtest.family=baseline"
            )),
            Self::EveryOriginLeftOut { .. } | Self::OriginsLeftOut { .. } => Some(
                "choose a later --from, or the family that any rows can train: backtest.family = \
                 \"baseline\""
                    .to_owned(),
            ),
            Self::NoSnapshots => Some(
                "declare [snapshots] with a share in the feature declaration, as \
                 pipelines/features/default.toml does"
                    .to_owned(),
            ),
            Self::NotPassed { .. } => Some(
                "its report says why; with other evaluate.gates its night can be run again"
                    .to_owned(),
            ),
            Self::GateRefused { way_out: Some(way_out), .. } => Some(way_out.clone()),
            Self::GateRefused { way_out: None, .. } => Some(
                "the champion stays; report.html of the evaluate stage says why, and \
                 evaluate.gates in the pipeline file sets the limits"
                    .to_owned(),
            ),
            Self::Breaking { .. } => Some(
                "keep the column and add a nullable one beside it, or agree with everybody who \
                 writes or reads the table and raise the first part of its version"
                    .to_owned(),
            ),
            Self::NotReleasable { table, .. } => Some(format!(
                "mend the rows at their source, or change the rule in the contract of {table} ({})",
                own_contract(table)
            )),
            Self::Leaks { .. } => Some(
                "no number of an evaluation can be trusted until this holds: look for a feature \
                 that reads more than was recorded before its row's midnight"
                    .to_owned(),
            ),
            Self::Damaged { .. } => Some("the table says what is needed for each".to_owned()),
            Self::PipelineInUse { expires_after, .. } => Some(format!(
                "wait for it, or raise limits.lock_wait_seconds; a run that was killed elsewhere \
                 is taken over {expires_after} s after its last sign of life"
            )),
            Self::LeaseLost { .. } => {
                Some("nothing to do: the other run does this night's work".to_owned())
            }
            Self::NotReproduced { .. } => {
                Some("a stage is not deterministic: please report it with the pipeline file".into())
            }
            _ => None,
        }
    }
}

/// The first few of a list, as text.
fn first_of(what: &[String]) -> String {
    const SHOWN: usize = 3;
    let more = if what.len() > SHOWN { ", …" } else { "" };
    format!("{}{more}", what[..what.len().min(SHOWN)].join(", "))
}
