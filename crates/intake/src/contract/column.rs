//! A column of a table, as its contract declares it.

use super::column_type::ColumnType;

/// One column of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnSpec {
    /// Its name.
    pub name: String,
    /// What its values mean.
    pub description: Option<String>,
    /// Its physical type.
    pub physical: ColumnType,
    /// Whether every file must have it, without nulls. Other columns may be missing from a file.
    pub required: bool,
    /// `event_time`, `knowledge_time`, `label`, `categorical`, `key` …
    pub tags: Vec<String>,
    /// The unit of a number.
    pub unit: Option<String>,
    /// The contract and the line that declare it, for messages.
    pub declared_at: String,
}
