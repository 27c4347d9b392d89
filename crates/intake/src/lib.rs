//! Data contracts, and the tables that passed their check.
//!
//! What is here: contracts ([`Contract`], Open Data Contract Standard v3.1), the check of tables
//! against them ([`check`]), quarantine of bad rows ([`write_quarantine`], [`explain`],
//! [`Release`]), the only way to read the rows of a checked table ([`read_checked`]), and the
//! import of foreign files by SQL ([`import`]).
//!
//! What is not: no as-of join and no features (these are in `features`), no clock, no network: all
//! bytes of tables go through `store`.
//!
//! Nouns: a *table* is a folder of *partitions* by `recorded_on`, the UTC day of `recorded_at`; a
//! partition has one or more Parquet *files*; a row is one *version* of a fact. A *rule* is the
//! condition of a bad row. Bad rows are neither an error nor lost: they are counted and copied to
//! quarantine with the name of the rule. A larger share of them than the contract allows is an
//! error.
//!
//! Steps of a check:
//! 1. list the partitions that can have rows recorded before the as-of ([`Listing`]), and take over
//!    the reports of a previous check ([`PreviousCheck`]) up to the first day on which a file
//!    changed;
//! 2. of each other file: compare its physical schema and the range of `recorded_at` in its footer;
//! 3. its rows: evaluate the rules of the contract in their order, then look for duplicate keys;
//! 4. the whole table: its share of quarantined rows, and the rules on whole partitions;
//! 5. only when every table has passed may the caller write the quarantine.
//!
//! Limits: a file is held in memory whole, a few at a time.

mod batches;
mod check;
mod commit_error;
mod contained;
mod contract;
mod error;
mod import;
mod layout;
mod output_file;
mod quarantine;
mod sql_text;
mod table_commits;
mod table_write;

#[cfg(test)]
mod fixture;

pub use check::checked_frame::{CheckedFrame, read_checked};
pub use check::listing::{Listing, PreviousCheck};
pub use check::output::check_output;
pub use check::partition_state::{PartitionState, partition_states};
pub use check::progress::CheckProgress;
pub use check::report::{Check, FileCheck, Notice, QuarantinedRow, TableCheck};
pub use check::workers::{start_workers, worker_threads};
pub use check::{Finding, check, check_with_progress, review};
pub use commit_error::CommitError;
pub use contract::Contract;
pub use contract::column::ColumnSpec;
pub use contract::column_type::ColumnType;
pub use contract::diff::Change;
pub use contract::join::JoinSpec;
pub use contract::odcs::Description;
pub use contract::partition_rule::{Against, Latency, Measure, PartitionRule};
pub use contract::rule::{FIRST_RECORD, OnViolation, Rule};
pub use contract::shipped::{shipped, shipped_tables};
pub use error::Error;
pub use import::error::ImportError;
pub use import::source_problem::SourceProblem;
pub use import::{ImportReport, ImportedTable, import};
pub use layout::FileVersion;
pub use output_file::OutputFile;
pub use quarantine::copies::write_quarantine;
pub use quarantine::explanation::{ExplainedRule, Sample, explain};
pub use quarantine::release::{Release, ReleasedFile, Releases};
pub use table_commits::{CommittedFile, committed_files};
pub use table_write::{TableWrite, fold_commits};
