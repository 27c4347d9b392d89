//! Refusals of the program itself; those of the rooms are their own errors.

use terms::{AsOf, ErrorClass};

/// Why the program would not go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// The command's words are off.
    #[error("{what}")]
    Usage {
        /// What is off.
        what: String,
    },
    /// A setting makes no sense.
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
        /// What named it.
        place: String,
        /// The key.
        key: String,
        /// The key that was meant, perhaps.
        nearest: Option<String>,
    },
    /// A row or file that was handed in and makes no sense.
    #[error("{place}: {problem}")]
    Input {
        /// The file and row.
        place: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Something that should have been there before.
    #[error("{what}: expected {expected}, found none")]
    Missing {
        /// What needs it.
        what: String,
        /// What is missing.
        expected: String,
        /// How to get it.
        way_out: String,
    },
    /// Tables of another world are in the way.
    #[error("{path}: expected no such partition, found one with other bytes")]
    Occupied {
        /// The partition.
        path: String,
    },
    /// The model did not pass.
    #[error("model {model_id} is kept but not current: {}", gates.join("; "))]
    GateRefused {
        /// The model.
        model_id: String,
        /// The gates that said no.
        gates: Vec<String>,
    },
    /// A new contract does not take what the old one took.
    #[error("{contract}: {n_breaking} of its changes break what fitted before")]
    Breaking {
        /// The new contract.
        contract: String,
        /// How many.
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
    /// Something depends on what was not known yet.
    #[error("facts from the future change what was before them: {}", found.join("; "))]
    Leaks {
        /// What differs.
        found: Vec<String>,
    },
    /// A rerun made other bytes.
    #[error("{path}: recomputing as of {as_of} made other bytes")]
    NotReproduced {
        /// The object that differs.
        path: String,
        /// The moment.
        as_of: AsOf,
    },
    /// An object is not what its manifest says.
    #[error("{path}: expected {expected}")]
    Unreadable {
        /// The object.
        path: String,
        /// What it should hold.
        expected: &'static str,
    },
}

impl Refusal {
    /// What kind of error it is.
    pub(crate) fn class(&self) -> ErrorClass {
        match self {
            Self::Usage { .. } => ErrorClass::Usage,
            Self::Configuration { .. } | Self::UnknownKey { .. } => ErrorClass::Configuration,
            Self::Missing { .. } => ErrorClass::Input,
            Self::GateRefused { .. } | Self::Leaks { .. } => ErrorClass::Gate,
            Self::Occupied { .. } | Self::Breaking { .. } | Self::NotReleasable { .. } => {
                ErrorClass::Contract
            }
            Self::Input { .. } | Self::Unreadable { .. } => ErrorClass::Contract,
            Self::NotReproduced { .. } => ErrorClass::Internal,
        }
    }

    /// The way out, where there is one.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownKey { nearest, .. } => {
                nearest.as_ref().map(|key| format!("did you mean {key:?}?"))
            }
            Self::Occupied { .. } => Some(
                "choose another --store, empty this one, or replace partitions with --force".into(),
            ),
            Self::Missing { way_out, .. } => Some(way_out.clone()),
            Self::GateRefused { .. } => Some(
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
                "mend the rows at their source, or change the rule in schemas/{table}.odcs.yaml"
            )),
            Self::Leaks { .. } => Some(
                "no number of an evaluation can be trusted until this holds: look for a feature \
                 that reads more than was recorded before its row's midnight"
                    .to_owned(),
            ),
            Self::NotReproduced { .. } => {
                Some("a stage is not deterministic: please report it with the pipeline file".into())
            }
            _ => None,
        }
    }
}
