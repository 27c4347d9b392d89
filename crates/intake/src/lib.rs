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
//! 1. list the partitions that can hold rows recorded before the as-of, and no others;
//! 2. of each file: its physical schema and the range of `recorded_at`, from the footer;
//! 3. its rows: the rules of the contract in their order, then keys told twice;
//! 4. the whole table: rules that fail it, and the share in quarantine;
//! 5. only when every table has passed may the caller write the quarantine.
//!
//! Limits: a file is held in memory whole, a few at a time. Duplicate keys are looked for within
//! a partition, which is enough because the key holds `recorded_at`.

mod advice;
mod check;
mod column_type;
mod compile;
mod contract;
mod error;
mod evaluate;
mod footer;
mod import;
mod join;
mod layout;
mod odcs;
mod quarantine;
mod read;
mod report;
mod rows;
mod rule;
mod workers;

#[cfg(test)]
mod fixture;

pub use check::{check, check_table};
pub use column_type::ColumnType;
pub use contract::{ColumnSpec, Contract, JoinSpec, shipped};
pub use error::Error;
pub use import::{ImportReport, ImportedTable, import};
pub use join::Known;
pub use quarantine::write_quarantine;
pub use read::{CheckedFrame, read_checked};
pub use report::{Check, FileCheck, Quarantined, TableCheck};
pub use rule::{OnViolation, Rule};
