//! The door: nothing reaches a feature that has not passed a contract.
//!
//! What is here: contracts ([`Contract`], Open Data Contract Standard v3.1), the check of tables
//! against them ([`check`]), quarantine ([`write_quarantine`]), the only way to read a checked
//! table ([`read_checked`]), and the import of foreign data ([`import`]).
//!
//! What is not: no as-of join and no features (that is `features`), no clock, no network of its
//! own: all bytes of tables go through `store`.
//!
//! Nouns: a *table* is a folder of *partitions* by `recorded_on`; a partition holds one or more
//! *files*; a row is a *version* of a fact. A *rule* says which rows are bad. Bad rows are
//! neither errors nor lost: they are counted, kept aside and named; too many are an error.
//!
//! Order of work of a check:
//! 1. list the partitions that can hold rows recorded before the as-of, and no others
//!    ([`Listed`]); take over the verdicts of an earlier check ([`Earlier`]) up to the first day on
//!    which a file is not what it was;
//! 2. of each other file: its physical schema and the range of `recorded_at`, from the footer;
//! 3. its rows: the rules of the contract in their order, then keys told twice;
//! 4. the whole table: rules that fail it, and the share in quarantine;
//! 5. only when every table has passed may the caller write the quarantine.
//!
//! A verdict on a partition reads only partitions recorded up to its day and before the as-of, so
//! once its day is over it holds for good.
//!
//! Limits: a file is held in memory whole, a few at a time. Duplicate keys are looked for within
//! a partition, which is enough because the key holds `recorded_at`.

mod advice;
mod check;
mod column_type;
mod compile;
mod contract;
mod diff;
mod error;
mod evaluate;
mod explain;
mod footer;
mod import;
mod join;
mod layout;
mod listed;
mod odcs;
mod output;
mod partition;
mod partition_rule;
mod quarantine;
mod read;
mod release;
mod report;
mod rows;
mod rule;
mod workers;

#[cfg(test)]
mod fixture;

pub use check::{Finding, check, review};
pub use column_type::ColumnType;
pub use contract::{ColumnSpec, Contract, JoinSpec, shipped, shipped_tables};
pub use diff::Change;
pub use error::Error;
pub use explain::{Explained, Sample, explain};
pub use import::{ImportReport, ImportedTable, import};
pub use layout::FileVersion;
pub use listed::{Earlier, Listed};
pub use odcs::Description;
pub use output::check_output;
pub use partition_rule::{Against, Latency, Measure, PartitionRule};
pub use quarantine::write_quarantine;
pub use read::{CheckedFrame, read_checked};
pub use release::{Release, ReleasedFile, Releases};
pub use report::{Check, FileCheck, Notice, Quarantined, TableCheck};
pub use rule::{OnViolation, Rule};
