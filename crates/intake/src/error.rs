//! What can go wrong between a file and a checked table.

use std::collections::BTreeMap;
use std::path::PathBuf;

use chrono::NaiveDate;
use parquet::errors::ParquetError;
use polars::error::PolarsError;
use terms::AsOf;

/// An error of this room.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A contract says something that is not understood.
    #[error("{contract}: {place}: expected {expected}, found {found}")]
    Contract {
        /// Its origin, usually a path.
        contract: String,
        /// Where in it.
        place: String,
        /// What is understood.
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
    /// A contract reads another table that has no contract, or that reads it in turn.
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
        /// Where it was looked for.
        prefix: String,
        /// The as-of.
        as_of: AsOf,
        /// The first partition, if there is any.
        first: Option<NaiveDate>,
    },
    /// A file holds no rows.
    #[error("{table} {path}: expected rows, found none")]
    EmptyFile {
        /// The table.
        table: String,
        /// The file.
        path: String,
    },
    /// A Parquet file lies where no partition is.
    #[error("{table} {path}: expected tables/{table}/recorded_on=YYYY-MM-DD/*.parquet")]
    Misplaced {
        /// The table.
        table: String,
        /// The file.
        path: String,
    },
    /// A file is no Parquet, or not all of one.
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
    /// A file's footer is fine and its rows are not.
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
        "{table} {path}: column {column:?}: expected {expected} ({place}), found no such column"
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
        /// Where the contract asks for it.
        place: Box<str>,
    },
    /// A column has another type than the contract says.
    #[error("{table} {path}: column {column:?}: expected {expected} ({place}), found {found}")]
    WrongType {
        /// The table.
        table: String,
        /// The file.
        path: String,
        /// The column.
        column: String,
        /// The contract's type.
        expected: &'static str,
        /// Where the contract asks for it.
        place: Box<str>,
        /// The file's type.
        found: Box<str>,
    },
    /// A row lies in the partition of another day.
    #[error("{table} {path}: column \"recorded_at\": expected {expected}, found {found}")]
    WrongDay {
        /// The table.
        table: String,
        /// The file.
        path: String,
        /// The partition's date.
        expected: NaiveDate,
        /// The first or last date in it.
        found: NaiveDate,
    },
    /// Rows without `recorded_at`: nobody can say when they were known.
    #[error("{table} {path}: column \"recorded_at\": expected no null, found {nulls}")]
    NullRecordedAt {
        /// The table.
        table: String,
        /// The file.
        path: String,
        /// How many.
        nulls: u64,
    },
    /// The same version told twice.
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
        /// Which rows are bad.
        condition: String,
        /// How many rows of the file.
        rows: u64,
        /// The first of them.
        row: u32,
    },
    /// A partition is not as it should be as a whole.
    #[error("{table} recorded_on={recorded_on}: rule {rule}: expected {expected}, found {found}")]
    PartitionRule {
        /// The table.
        table: String,
        /// The partition.
        recorded_on: NaiveDate,
        /// The rule.
        rule: String,
        /// What was expected, in words.
        expected: String,
        /// What is there, in words.
        found: String,
    },
    /// The newest partition is too old.
    #[error("{table} recorded_on={newest}: rule latency: expected {expected}, found {found}")]
    Stale {
        /// The table.
        table: String,
        /// The newest partition.
        newest: NaiveDate,
        /// What was expected, in words.
        expected: String,
        /// What is there, in words.
        found: String,
    },
    /// More rows are bad than the contract bears.
    #[error(
        "{table}: expected at most {:.1}% of rows in quarantine, found {quarantined} of {rows}: {}; first {}",
        .share_max * 100.0, counts(.reasons), .samples.join(", ")
    )]
    TooManyQuarantined {
        /// The table.
        table: String,
        /// Bad rows.
        quarantined: u64,
        /// All rows.
        rows: u64,
        /// The largest share that is borne.
        share_max: f64,
        /// Bad rows by the rule that they break.
        reasons: BTreeMap<String, u64>,
        /// The first bad rows, as path, row and rule.
        samples: Vec<String>,
    },
    /// A checked table is asked for later rows than were checked.
    #[error("{table}: checked as of {checked}, asked as of {asked}")]
    ReadPastCheck {
        /// The table.
        table: String,
        /// The check's as-of.
        checked: AsOf,
        /// The as-of asked for.
        asked: AsOf,
    },
    /// A table is asked for a column that its contract does not name.
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
        /// The file that the row lies in.
        path: String,
        /// Why.
        source: ParquetError,
    },
    /// An object among the releases is none.
    #[error("{path}: expected a release")]
    Release {
        /// The object.
        path: String,
        /// Where and why.
        source: serde_json::Error,
    },
    /// A computation on frames failed.
    #[error("{place}: a table could not be computed")]
    Frame {
        /// What was being done.
        place: String,
        /// Why.
        source: PolarsError,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),

    /// A file of the import's folder cannot be read.
    #[error("{}: cannot be read", path.display())]
    ImportFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The import's description is wrong.
    #[error("{}: expected the description of an import", path.display())]
    ImportToml {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// The import's description contradicts itself or the world.
    #[error("{}: {place}: expected {expected}, found {found}", path.display())]
    ImportDescription {
        /// The file.
        path: PathBuf,
        /// Where in it.
        place: String,
        /// What is understood.
        expected: String,
        /// What it says.
        found: String,
    },
    /// A source file is not there or cannot be read.
    #[error("source {name:?} {}: cannot be read", path.display())]
    SourceFile {
        /// Its name in SQL.
        name: String,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A source file is not of its format.
    #[error("source {name:?} {}: expected {format}", path.display())]
    SourceFormat {
        /// Its name in SQL.
        name: String,
        /// The file.
        path: PathBuf,
        /// The format.
        format: &'static str,
        /// Why.
        source: PolarsError,
    },
    /// A column named in the description is not in the source.
    #[error("source {name:?} {}: column {column:?}: not among {}", path.display(), .found.join(", "))]
    SourceColumn {
        /// Its name in SQL.
        name: String,
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// The columns that are there.
        found: Vec<String>,
    },
    /// A value is no local time.
    #[error("source {name:?} {}: column {column:?} row {row}: expected a local time like 2018-01-31 13:45:00, found {found}", path.display())]
    SourceTime {
        /// Its name in SQL.
        name: String,
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// The row, from 1, without the header.
        row: u64,
        /// The value, or the column's type.
        found: String,
    },
    /// The SQL of a target failed.
    #[error("{}: cannot be computed", path.display())]
    TargetSql {
        /// The file.
        path: PathBuf,
        /// Why.
        source: PolarsError,
    },
    /// The SQL of a target does not give what the contract asks for.
    #[error("{}: column {column:?}: expected {expected}, found {found}", path.display())]
    TargetColumn {
        /// The SQL file.
        path: PathBuf,
        /// The column.
        column: String,
        /// What the contract asks for.
        expected: String,
        /// What the SQL gives.
        found: String,
    },
    /// The SQL of a target gives no rows.
    #[error("{}: expected rows, found none", path.display())]
    TargetEmpty {
        /// The SQL file.
        path: PathBuf,
    },
    /// A partition is there already, with other rows.
    #[error(
        "{table} {path}: expected the same bytes as are there, found others ({differing} of {partitions} partitions differ)"
    )]
    PartitionDiffers {
        /// The table.
        table: String,
        /// The first such partition.
        path: String,
        /// How many differ.
        differing: usize,
        /// How many the import gives.
        partitions: usize,
    },
}

fn found_first(first: &Option<NaiveDate>) -> String {
    first.map_or_else(
        || "no partition".to_owned(),
        |first| format!("the first partition to be recorded_on={first}"),
    )
}

fn counts(reasons: &BTreeMap<String, u64>) -> String {
    let counts: Vec<String> = reasons.iter().map(|(rule, rows)| format!("{rule} {rows}")).collect();
    counts.join(", ")
}
