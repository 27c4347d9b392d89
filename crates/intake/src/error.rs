//! The errors of this crate: what can be wrong with a contract, a table or a file.

use std::collections::BTreeMap;

use parquet::errors::ParquetError;
use polars::error::PolarsError;
use terms::{AsOf, Day, ErrorClass};

use crate::check::decoded_size::DECODED_BYTES_MAX;
use crate::commit_error::CommitError;
use crate::import::error::ImportError;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A contract has something that is not supported.
    #[error("{contract}: {element}: expected {expected}, found {found}")]
    Contract {
        /// Its origin, usually a path.
        contract: String,
        /// The element of it.
        element: String,
        /// What is supported.
        expected: String,
        /// What it says.
        found: String,
    },
    /// A contract is not YAML, or not an ODCS document.
    #[error("{contract}: expected a data contract (ODCS v3.1, YAML)")]
    ContractYaml {
        /// Its origin, usually a path.
        contract: String,
        /// Where and why.
        source: serde_yaml_ng::Error,
    },
    /// A contract joins a table that has no contract, or that joins it in turn.
    #[error("{table}: joins {join}: expected a table that is checked before it")]
    JoinOrder {
        /// The table.
        table: String,
        /// What it joins.
        join: String,
    },
    /// A table has no partition before the as-of.
    #[error("{table} {prefix}: expected rows recorded before {as_of}, found {}", found_first(.first))]
    NoPartition {
        /// The table.
        table: String,
        /// Where partitions are expected.
        prefix: String,
        /// The as-of.
        as_of: AsOf,
        /// The first partition, if there is any.
        first: Option<Day>,
    },
    /// A file has no rows.
    #[error("{table} {path}: expected rows, found none")]
    EmptyFile {
        /// The table.
        table: String,
        /// The file.
        path: String,
    },
    /// A Parquet file is outside the partitions of its table.
    #[error("{table} {path}: expected tables/{table}/recorded_on=YYYY-MM-DD/*.parquet")]
    Misplaced {
        /// The table.
        table: String,
        /// The file.
        path: String,
    },
    /// A file is not Parquet, or only part of one.
    #[error("{table} {path}: expected Parquet, found {bytes} bytes that are not a whole file")]
    NotParquet {
        /// The table.
        table: String,
        /// The file.
        path: String,
        /// Its size.
        bytes: u64,
        /// Why.
        source: ParquetError,
    },
    /// The rows of a file may take more memory than a file may.
    #[error(
        "{table} {path}: expected rows that decode to at most {} MiB, found up to {} MiB",
        DECODED_BYTES_MAX >> 20, found >> 20
    )]
    TooLarge {
        /// The table.
        table: String,
        /// The file.
        path: String,
        /// An upper bound of what they decode to. Units: bytes.
        found: u64,
    },
    /// The rows of a file cannot be read although its footer can.
    #[error("{table} {path}: its rows cannot be read")]
    Unreadable {
        /// The table.
        table: String,
        /// The file.
        path: String,
        /// Why.
        source: PolarsError,
    },
    /// A required column is not in a file.
    #[error(
        "{table} {path}: column {column:?}: expected {expected} ({declared_at}), found no such column"
    )]
    MissingColumn {
        /// The table.
        table: String,
        /// The file.
        path: String,
        /// The column.
        column: String,
        /// Its type.
        expected: &'static str,
        /// The contract and the line that declare it.
        declared_at: Box<str>,
    },
    /// A column has another type than the contract says.
    #[error(
        "{table} {path}: column {column:?}: expected {expected} ({declared_at}), found {found}"
    )]
    WrongType {
        /// The table.
        table: String,
        /// The file.
        path: String,
        /// The column.
        column: String,
        /// The contract's type.
        expected: &'static str,
        /// The contract and the line that declare it.
        declared_at: Box<str>,
        /// The file's type.
        found: Box<str>,
    },
    /// A row is in the partition of another day.
    #[error("{table} {path}: column \"recorded_at\": expected {expected}, found {found}")]
    WrongDay {
        /// The table.
        table: String,
        /// The file.
        path: String,
        /// The partition's date.
        expected: Day,
        /// The date of its first or last row.
        found: Day,
    },
    /// Rows without `recorded_at`, to which no as-of can be applied.
    #[error("{table} {path}: column \"recorded_at\": expected no null, found {nulls}")]
    NullRecordedAt {
        /// The table.
        table: String,
        /// The file.
        path: String,
        /// How many.
        nulls: u64,
    },
    /// Rows with the same key.
    #[error(
        "{table} {path}: key ({keys}): expected once, found {rows} rows that share theirs, first {first}"
    )]
    DuplicateKey {
        /// The table.
        table: String,
        /// The file, or the partition if it has several.
        path: String,
        /// The columns of the key.
        keys: String,
        /// How many rows are involved.
        rows: u64,
        /// The first of them.
        first: String,
    },
    /// Rows break a rule that fails the table.
    #[error(
        "{table} {path}: rule {rule} ({condition}): expected no such row, found {rows}, first row {row}"
    )]
    RuleBroken {
        /// The table.
        table: String,
        /// The first such file.
        path: String,
        /// The rule.
        rule: String,
        /// The condition of a bad row.
        condition: String,
        /// How many rows of the file.
        rows: u64,
        /// The first of them.
        row: u32,
    },
    /// A partition breaks a rule on whole partitions that fails the table.
    #[error("{table} recorded_on={recorded_on}: rule {rule}: expected {expected}, found {found}")]
    PartitionRule {
        /// The table.
        table: String,
        /// The partition.
        recorded_on: Day,
        /// The rule.
        rule: String,
        /// What was expected, as text.
        expected: String,
        /// What was found, as text.
        found: String,
    },
    /// The newest partition is too old.
    #[error("{table} recorded_on={newest}: rule latency: expected {expected}, found {found}")]
    Stale {
        /// The table.
        table: String,
        /// The newest partition.
        newest: Day,
        /// What was expected, as text.
        expected: String,
        /// What was found, as text.
        found: String,
    },
    /// More rows are in quarantine than the contract allows.
    #[error(
        "{table}: expected at most {:.1}% of rows in quarantine, found {quarantined} of {rows}: {}; first {}",
        .share_max * 100.0, counts(.reasons), .samples.join(", ")
    )]
    TooManyQuarantined {
        /// The table.
        table: String,
        /// Rows in quarantine.
        quarantined: u64,
        /// All rows.
        rows: u64,
        /// The largest share that is allowed.
        share_max: f64,
        /// Rows in quarantine or dropped, by the rule that they break.
        reasons: BTreeMap<String, u64>,
        /// The first rows in quarantine, as path, row and rule.
        samples: Vec<String>,
    },
    /// A checked table is read as of a later instant than its check.
    #[error("{table}: checked as of {checked}, read as of {as_of}")]
    ReadPastCheck {
        /// The table.
        table: String,
        /// The check's as-of.
        checked: AsOf,
        /// The as-of of the read.
        as_of: AsOf,
    },
    /// A column that the contract does not name.
    #[error("{table}: column {column:?}: not in the contract")]
    UnknownColumn {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// A quarantined row could not be copied.
    #[error("{path}: cannot be copied to quarantine")]
    QuarantineWrite {
        /// The file of the row.
        path: String,
        /// Why.
        source: ParquetError,
    },
    /// An output could not be written as its contract says.
    #[error("{table}: cannot be written as its contract says")]
    OutputWrite {
        /// The table.
        table: String,
        /// Why.
        source: ParquetError,
    },
    /// An object among the releases is not a release.
    #[error("{path}: expected a release")]
    Release {
        /// The object.
        path: String,
        /// Where and why.
        source: serde_json::Error,
    },
    /// A computation on data frames failed.
    #[error("{step}: a table could not be computed")]
    Frame {
        /// What was computed.
        step: String,
        /// Why.
        source: PolarsError,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A control object could not be written as JSON.
    #[error("a control object: expected JSON")]
    Json {
        /// Why.
        source: serde_json::Error,
    },
    /// Tables are not as their commits say.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// An import failed.
    #[error(transparent)]
    Import(#[from] ImportError),
}

impl Error {
    /// What kind of error it is.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Store(source) => source.class(),
            Self::Import(source) => source.class(),
            Self::Commit(source) => source.class(),
            Self::NoPartition { .. } | Self::EmptyFile { .. } | Self::Stale { .. } => {
                ErrorClass::Input
            }
            Self::Contract { .. } | Self::ContractYaml { .. } | Self::JoinOrder { .. } => {
                ErrorClass::Configuration
            }
            Self::ReadPastCheck { .. }
            | Self::UnknownColumn { .. }
            | Self::QuarantineWrite { .. }
            | Self::OutputWrite { .. }
            | Self::Json { .. }
            | Self::Frame { .. } => ErrorClass::Internal,
            Self::Misplaced { .. }
            | Self::NotParquet { .. }
            | Self::TooLarge { .. }
            | Self::Unreadable { .. }
            | Self::MissingColumn { .. }
            | Self::WrongType { .. }
            | Self::WrongDay { .. }
            | Self::NullRecordedAt { .. }
            | Self::DuplicateKey { .. }
            | Self::RuleBroken { .. }
            | Self::PartitionRule { .. }
            | Self::TooManyQuarantined { .. }
            | Self::Release { .. } => ErrorClass::Contract,
        }
    }

    /// The table whose contract the hint speaks of.
    pub fn contract(&self) -> Option<&str> {
        match self {
            Self::MissingColumn { table, .. }
            | Self::WrongType { table, .. }
            | Self::RuleBroken { table, .. }
            | Self::PartitionRule { table, .. }
            | Self::TooManyQuarantined { table, .. }
            | Self::Stale { table, .. } => Some(table),
            _ => None,
        }
    }

    /// What to do about it, if there is something that always helps.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Store(source) => return source.hint(),
            Self::Import(source) => return source.hint(),
            Self::Commit(source) => source.hint(),
            Self::Contract { .. } => "a constraint that nobody executes is refused: say it as the \
                shipped contracts do, or for people alone with type: text"
                .to_owned(),
            Self::NoPartition { first: None, table, .. } => {
                format!("bring {table} into the store, or choose the store that has it")
            }
            Self::NoPartition { first: Some(first), .. } => {
                format!("choose an as-of after {first}")
            }
            Self::EmptyFile { path, .. } => {
                format!("export the day again, or remove {path} if it has no rows")
            }
            Self::Misplaced { path, .. } => {
                format!("move {path} into the partition of its day, or out of the table")
            }
            Self::NotParquet { path, .. } | Self::Unreadable { path, .. } => {
                format!("upload {path} again: it is likely cut off")
            }
            Self::TooLarge { .. } => "look for a text that is far too long, split the day into \
                several files, or write it with zstd or snappy, whose pages can be looked into"
                .to_owned(),
            Self::MissingColumn { table, column, .. } => format!(
                "add {column:?} at export, or make it optional (required: false) in \
                 the contract of {table}"
            ),
            Self::WrongType { found, table, column, .. } if found.starts_with("timestamp") => {
                format!(
                    "write {column:?} as timestamp[us, tz=UTC] at export; \
                     the contract of {table} describes it"
                )
            }
            Self::WrongType { expected, table, column, .. } => format!(
                "write {column:?} as {expected} at export; the contract of {table} describes it"
            ),
            Self::WrongDay { .. } => {
                "a partition holds the versions recorded on its UTC date; sort them at export"
                    .to_owned()
            }
            Self::NullRecordedAt { .. } => {
                "fill recorded_at at export with the time at which each row became known".to_owned()
            }
            Self::DuplicateKey { .. } => "a correction is a new version with a later \
                recorded_at; remove rows that were exported twice"
                .to_owned(),
            Self::RuleBroken { table, .. } => format!(
                "mend the rows at their source, or change onViolation in \
                 the contract of {table}"
            ),
            Self::TooManyQuarantined { table, .. } => format!(
                "mend the rows at their source, release those that are good, or change \
                 quarantineShareMax in the contract of {table}"
            ),
            Self::Release { path, .. } => {
                format!("restore {path} as it was written, or move it out of the releases")
            }
            Self::PartitionRule { table, rule, .. } => format!(
                "export the day again if it is not whole; if it is right, change {rule} in \
                 the contract of {table}"
            ),
            Self::Stale { table, .. } => format!(
                "look why {table} is not exported any more, or change latency or onLatency in \
                 the contract of {table}"
            ),
            _ => return None,
        })
    }
}

fn found_first(first: &Option<Day>) -> String {
    first.map_or_else(
        || "no partition".to_owned(),
        |first| format!("the first partition to be recorded_on={first}"),
    )
}

fn counts(reasons: &BTreeMap<String, u64>) -> String {
    let counts: Vec<String> = reasons.iter().map(|(rule, rows)| format!("{rule} {rows}")).collect();
    counts.join(", ")
}
