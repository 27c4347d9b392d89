//! What a check found: the content of its manifest.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use terms::{AsOf, Digest};

/// What a check found in all tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Rows recorded before this moment were looked at, and no others.
    pub as_of: AsOf,
    /// By name. An optional table that is not there is left out.
    pub tables: BTreeMap<String, TableCheck>,
}

/// What a check found in one table.
///
/// `rows_in = rows_ok + rows_quarantined + rows_dropped`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableCheck {
    /// The table.
    pub table: String,
    /// Rows recorded before this moment were looked at, and no others.
    pub as_of: AsOf,
    /// Version of the contract.
    pub contract_version: String,
    /// Digest of the contract's text.
    pub contract_digest: Digest,
    /// Rows recorded before the as-of.
    pub rows_in: u64,
    /// Rows that may be used.
    pub rows_ok: u64,
    /// Rows kept aside.
    pub rows_quarantined: u64,
    /// Rows left out, by rules that say so.
    pub rows_dropped: u64,
    /// Rows quarantined or dropped, by the first rule that they break.
    pub reasons: BTreeMap<String, u64>,
    /// Rows that break rules which only warn; they are used.
    pub warnings: BTreeMap<String, u64>,
    /// Rows that break a rule and are used nevertheless, since they were released.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub released: BTreeMap<String, u64>,
    /// What rules on whole partitions found that only warn.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<Notice>,
    /// All files with rows recorded before the as-of, by date and name.
    pub files: Vec<FileCheck>,
}

/// A partition that is not as it should be as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The rule.
    pub rule: String,
    /// The partition.
    pub recorded_on: NaiveDate,
    /// What was expected, in words.
    pub expected: String,
    /// What is there, in words.
    pub found: String,
}

/// What a check found in one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileCheck {
    /// Where it lies in the store.
    pub path: String,
    /// The date of its partition.
    pub recorded_on: NaiveDate,
    /// SHA-256 of its bytes.
    pub digest: Digest,
    /// Rows in the file.
    pub rows: u64,
    /// Rows among them recorded at or after the as-of, which were not looked at.
    pub rows_later: u64,
    /// Rows kept aside, ascending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quarantined: Vec<Quarantined>,
    /// Rows that were released from quarantine and are used, ascending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub released: Vec<Quarantined>,
    /// Positions of rows left out, ascending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dropped: Vec<u32>,
    /// Rows kept aside or left out, by the first rule that they break.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reasons: BTreeMap<String, u64>,
    /// Rows that break rules which only warn.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub warnings: BTreeMap<String, u64>,
    /// Rows without a value, by the columns that a rule on whole partitions asks about.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub nulls: BTreeMap<String, u64>,
}

/// A row kept aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantined {
    /// Its position in the file, from 0.
    pub row: u32,
    /// The first rule that it breaks, or from which it was released.
    pub reason: String,
    /// The first column of its key, if it has one.
    pub key: Option<String>,
    /// When it was recorded. Units: microseconds since the epoch, UTC.
    pub recorded_at: i64,
}

impl TableCheck {
    /// Keys with a version in quarantine, each with the moment of the first such version, before
    /// `as_of`. From that moment on nothing reliable is known of them.
    ///
    /// Units: microseconds since the epoch, UTC. As of: strictly before.
    pub fn in_doubt(&self, as_of: AsOf) -> BTreeMap<&str, i64> {
        let mut first = BTreeMap::new();
        for row in self.files.iter().flat_map(|file| &file.quarantined) {
            let Some(key) = row.key.as_deref() else { continue };
            if row.recorded_at < as_of.micros() {
                first
                    .entry(key)
                    .and_modify(|at: &mut i64| *at = row.recorded_at.min(*at))
                    .or_insert(row.recorded_at);
            }
        }
        first
    }
}
