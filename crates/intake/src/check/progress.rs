//! How far a check is.

/// How far the check of a table is.
#[derive(Debug, Clone, Copy)]
pub struct CheckProgress<'a> {
    /// The table.
    pub table: &'a str,
    /// Files that have been checked, of those that are read.
    pub files: usize,
    /// Files that are read.
    pub of: usize,
}
