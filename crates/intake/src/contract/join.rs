//! Columns of another table that the rules of a contract read.

use serde::Deserialize;

/// Columns of another table, of the version of each key that was the last one recorded by the end
/// of the row's own day.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JoinSpec {
    /// The other table.
    pub table: String,
    /// The column that both tables share; text.
    pub on: String,
    /// The columns that are read; a rule calls one `"table.column"`.
    pub columns: Vec<String>,
    /// The rule that a row breaks if the other table has no such key by then.
    pub rule: String,
}
