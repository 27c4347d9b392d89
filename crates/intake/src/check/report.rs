//! What a check found, by table, file and row: the content of `check.json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use terms::{AsOf, Day, Digest, Instant};

/// What a check found in all tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Rows recorded before this instant were checked, and no others.
    pub as_of: AsOf,
    /// By name, without optional tables that the store does not have.
    pub tables: BTreeMap<String, TableCheck>,
    /// What was not as it should be and was accepted by a person, and why: files that are gone,
    /// tables that are late.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub accepted: BTreeMap<String, String>,
}

/// What a check found in one table.
///
/// `rows_in = rows_ok + rows_quarantined + rows_dropped`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableCheck {
    /// The table.
    pub table: String,
    /// Rows recorded before this instant were checked, and no others.
    pub as_of: AsOf,
    /// Version of the contract.
    pub contract_version: String,
    /// Digest of the contract's text.
    pub contract_digest: Digest,
    /// Rows recorded before the as-of.
    pub rows_in: u64,
    /// Rows that may be used.
    pub rows_ok: u64,
    /// Rows in quarantine.
    pub rows_quarantined: u64,
    /// Rows that are not used and not quarantined either, by rules that say so.
    pub rows_dropped: u64,
    /// Rows quarantined or dropped, by the first rule that they break.
    pub reasons: BTreeMap<String, u64>,
    /// Rows that break rules which only warn, by rule; they are used.
    pub warnings: BTreeMap<String, u64>,
    /// Rows that break a rule and are used since they were released, by rule.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub released: BTreeMap<String, u64>,
    /// Violations of rules on whole partitions that only warn.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<Notice>,
    /// All files with rows recorded before the as-of, by date and name.
    pub files: Vec<FileCheck>,
}

/// A violation of a rule on whole partitions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The rule.
    pub rule: String,
    /// The partition.
    pub recorded_on: Day,
    /// What was expected, as text.
    pub expected: String,
    /// What was found, as text.
    pub found: String,
}

impl Notice {
    /// The name of the rule on how late the newest partition may be.
    pub const LATENCY: &str = "latency";
}

/// What a check found in one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileCheck {
    /// Its path in the store.
    pub path: String,
    /// The date of its partition.
    pub recorded_on: Day,
    /// SHA-256 of its bytes.
    pub digest: Digest,
    /// Rows in the file.
    pub rows: u64,
    /// Rows among them recorded at or after the as-of, which were not checked.
    pub rows_later: u64,
    /// Rows in quarantine, ascending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quarantined: Vec<QuarantinedRow>,
    /// Rows that were released from quarantine and are used, ascending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub released: Vec<QuarantinedRow>,
    /// Positions of dropped rows, ascending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dropped: Vec<u32>,
    /// Rows quarantined or dropped, by the first rule that they break.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reasons: BTreeMap<String, u64>,
    /// Rows that break rules which only warn, by rule.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub warnings: BTreeMap<String, u64>,
    /// Nulls of the columns that rules on whole partitions count, by column. Not counted in a file
    /// with later rows.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub nulls: BTreeMap<String, u64>,
}

/// A row in quarantine, or released from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantinedRow {
    /// Its position in the file, from 0.
    pub row: u32,
    /// The first rule that it breaks, or from which it was released.
    pub reason: String,
    /// The first column of its key, if it has one.
    pub key: Option<String>,
    /// When it was recorded. Serialised as microseconds since 1970-01-01.
    #[serde(with = "micros")]
    pub recorded_at: Instant,
}

/// An instant as a number of microseconds since 1970-01-01.
mod micros {
    use serde::{Deserialize as _, Deserializer, Serializer};
    use terms::Instant;

    pub(super) fn serialize<S: Serializer>(at: &Instant, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_i64(at.micros())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Instant, D::Error> {
        i64::deserialize(from).map(Instant::from_micros)
    }
}
