//! A contract, compiled: the columns of one table, its key, its rules in the order in which they
//! are tried, and what they may read of other tables.

use serde::Deserialize;
use terms::Digest;

use crate::column_type::ColumnType;
use crate::compile::Compiler;
use crate::error::Error;
use crate::odcs::{Description, Document};
use crate::partition_rule::{Latency, PartitionRule};
use crate::rule::Rule;

/// The contracts that are shipped: by table, and as text.
const CONTRACTS: [(&str, &str); 7] = [
    ("orders", include_str!("../../../schemas/orders.odcs.yaml")),
    ("shipments", include_str!("../../../schemas/shipments.odcs.yaml")),
    ("nodes", include_str!("../../../schemas/nodes.odcs.yaml")),
    ("legs", include_str!("../../../schemas/legs.odcs.yaml")),
    ("holidays", include_str!("../../../schemas/holidays.odcs.yaml")),
    ("predictions", include_str!("../../../schemas/predictions.odcs.yaml")),
    ("speed_table", include_str!("../../../schemas/speed_table.odcs.yaml")),
];

/// The tables that a contract is shipped for.
pub fn shipped_tables() -> impl Iterator<Item = &'static str> {
    CONTRACTS.iter().map(|(table, _)| *table)
}

/// The contract that is shipped for `table`, as text.
pub fn shipped(table: &str) -> Option<&'static str> {
    CONTRACTS.iter().find(|(name, _)| *name == table).map(|(_, text)| *text)
}

/// One column of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnSpec {
    /// Its name.
    pub name: String,
    /// What it says.
    pub description: Option<String>,
    /// Its physical type.
    pub physical: ColumnType,
    /// Whether it must be there and hold no null. Other columns may be absent from a file.
    pub required: bool,
    /// `event_time`, `knowledge_time`, `label`, `categorical`, `key` …
    pub tags: Vec<String>,
    /// The unit of a number.
    pub unit: Option<String>,
    /// Where the contract says so, for messages.
    pub place: String,
}

/// Columns of another table that rules may read, as they were last known on the row's own day.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JoinSpec {
    /// The other table.
    pub table: String,
    /// The column that both tables share; text.
    pub on: String,
    /// What is read of it; rules call it `"table.column"`.
    pub columns: Vec<String>,
    /// The rule that a row breaks whose key the other table does not know.
    pub rule: String,
}

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
    /// Reads a contract. `origin` names the text in messages, as a path does.
    ///
    /// # Errors
    /// If the text is no ODCS v3.1 document of one table, or holds a constraint that is not
    /// understood, or a rule over columns that are not there.
    pub fn parse(origin: &str, text: &str) -> Result<Self, Error> {
        let document: Document = serde_yaml_ng::from_str(text)
            .map_err(|source| Error::ContractYaml { contract: origin.to_owned(), source })?;
        Compiler { origin, text }.contract(document, Digest::of(text.as_bytes()))
    }

    /// The contract that is shipped for `table`, if there is one.
    ///
    /// # Errors
    /// If it is not understood, which a test rules out.
    pub fn shipped(table: &str) -> Option<Result<Self, Error>> {
        shipped(table).map(|text| Self::parse(&format!("shipped {table}.odcs.yaml"), text))
    }

    /// What names it in messages, as a path does.
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

    /// What one row of it is.
    pub fn granularity(&self) -> Option<&str> {
        self.granularity.as_deref()
    }

    /// Where it lies in a store.
    pub fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// Whether this program writes it; such a table is not recorded day by day.
    pub fn is_output(&self) -> bool {
        self.is_output
    }

    /// The digest of its text, for fingerprints.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The columns of a file, in order; the partition's column is not among them.
    pub fn columns(&self) -> &[ColumnSpec] {
        &self.columns
    }

    /// The column called `name`.
    pub fn column(&self, name: &str) -> Option<&ColumnSpec> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Names of the columns with a tag.
    pub fn tagged<'a>(&'a self, tag: &'a str) -> impl Iterator<Item = &'a str> {
        self.columns
            .iter()
            .filter(move |column| column.tags.iter().any(|own| own == tag))
            .map(|column| column.name.as_str())
    }

    /// The columns of the key, `recorded_at` among them.
    pub fn keys(&self) -> &[String] {
        &self.keys
    }

    /// The rules on rows, in the order in which they are tried.
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

    /// How late the newest partition may be.
    pub fn latency(&self) -> Option<&Latency> {
        self.latency.as_ref()
    }

    /// The largest share of quarantined rows with which the table still passes.
    pub fn quarantine_share_max(&self) -> f64 {
        self.quarantine_share_max
    }

    /// Whether a store without this table is fine.
    pub fn is_optional(&self) -> bool {
        self.optional
    }
}
