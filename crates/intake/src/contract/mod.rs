//! A data contract: the columns of one table, its key, the rules on its rows and partitions, and
//! the columns of other tables that these rules read.
//!
//! A contract is written in YAML, in the Open Data Contract Standard v3.1. [`parser`] turns the
//! text into a [`Contract`]; whatever in it would constrain the data is either understood or
//! refused.

pub(crate) mod column;
pub(crate) mod column_type;
pub(crate) mod diff;
pub(crate) mod join;
pub(crate) mod odcs;
pub(crate) mod parser;
pub(crate) mod partition_rule;
pub(crate) mod rule;
pub(crate) mod shipped;

use terms::Digest;

use self::column::ColumnSpec;
use self::join::JoinSpec;
use self::odcs::Description;
use self::partition_rule::{Latency, PartitionRule};
use self::rule::{OnViolation, Rule};

/// The contract of one table.
#[derive(Debug, Clone)]
pub struct Contract {
    pub(crate) origin: String,
    pub(crate) table: String,
    pub(crate) version: String,
    pub(crate) description: Description,
    pub(crate) granularity: Option<String>,
    pub(crate) path: Option<String>,
    pub(crate) is_output: bool,
    pub(crate) digest: Digest,
    pub(crate) columns: Vec<ColumnSpec>,
    pub(crate) keys: Vec<String>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) joins: Vec<JoinSpec>,
    pub(crate) partition_rules: Vec<PartitionRule>,
    pub(crate) latency: Option<Latency>,
    pub(crate) quarantine_share_max: f64,
    pub(crate) optional: bool,
}

impl Contract {
    /// What names it in messages, usually a path.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The table's name.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// The contract's own version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// What the table is for.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// What one row is.
    pub fn granularity(&self) -> Option<&str> {
        self.granularity.as_deref()
    }

    /// The path of its files in a store, as a pattern.
    pub fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// Whether this program writes the table; such a table has no partitions by `recorded_on`.
    pub fn is_output(&self) -> bool {
        self.is_output
    }

    /// The SHA-256 of its text, for fingerprints.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The columns of a file, in order, without the column that the table is partitioned by.
    pub fn columns(&self) -> &[ColumnSpec] {
        &self.columns
    }

    /// The column called `name`.
    pub fn column(&self, name: &str) -> Option<&ColumnSpec> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The columns of the primary key, including `recorded_at` unless the table is an output.
    pub fn keys(&self) -> &[String] {
        &self.keys
    }

    /// The rules on rows, in the order in which they are evaluated.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// What the rules read of other tables.
    pub fn joins(&self) -> &[JoinSpec] {
        &self.joins
    }

    /// The rules on whole partitions.
    pub fn partition_rules(&self) -> &[PartitionRule] {
        &self.partition_rules
    }

    /// The same contract by which a table that is too late is only warned of.
    #[must_use]
    pub fn accepting_stale(mut self) -> Self {
        if let Some(latency) = &mut self.latency {
            latency.on_violation = OnViolation::Warn;
        }
        self
    }

    /// How late the newest partition may be.
    pub fn latency(&self) -> Option<&Latency> {
        self.latency.as_ref()
    }

    /// Whether a rule on rows, on a join or on whole partitions has this name.
    pub fn has_rule(&self, rule: &str) -> bool {
        self.joins().iter().any(|join| join.rule == rule)
            || self.rules().iter().any(|own| own.name == rule)
            || self.partition_rules().iter().any(|own| own.name == rule)
    }

    /// The largest share of quarantined rows with which the table still passes.
    pub fn quarantine_share_max(&self) -> f64 {
        self.quarantine_share_max
    }

    /// Whether the table may be missing from a store.
    pub fn is_optional(&self) -> bool {
        self.optional
    }
}
