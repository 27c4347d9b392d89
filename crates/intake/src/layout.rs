//! The files of a table in a store: `tables/<table>/recorded_on=YYYY-MM-DD/<name>.parquet`.

use serde::{Deserialize, Serialize};
use store::{Entry, Store};
use terms::Day;

use crate::error::Error;

/// A file of a table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TableFile {
    pub(crate) recorded_on: Day,
    pub(crate) path: String,
    pub(crate) version: FileVersion,
}

impl TableFile {
    /// The file as the store listed it.
    pub(crate) fn entry(&self) -> Entry {
        let FileVersion { bytes: size, etag } = self.version.clone();
        Entry { path: self.path.clone(), size, etag }
    }
}

/// Size and entity tag of a file: equal if it did not change, without reading it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FileVersion {
    /// Its size.
    pub bytes: u64,
    /// The store's entity tag. A file without one counts as changed.
    pub etag: Option<String>,
}

pub(crate) fn table_prefix(table: &str) -> String {
    format!("tables/{table}/")
}

pub(crate) fn partition_prefix(table: &str, recorded_on: Day) -> String {
    format!("tables/{table}/recorded_on={recorded_on}/")
}

/// The files of all partitions of a table, by date and name.
///
/// Objects that are not Parquet, and hidden ones (`_…`, `.…`), are ignored.
pub(crate) fn files_of(store: &Store, table: &str) -> Result<Vec<TableFile>, Error> {
    let prefix = table_prefix(table);
    let mut files = Vec::new();
    for entry in store.list(&prefix)? {
        let name = entry.path.rsplit('/').next().unwrap_or_default();
        if !name.ends_with(".parquet") || name.starts_with(['_', '.']) {
            continue;
        }
        let recorded_on = recorded_on(&prefix, &entry.path).ok_or_else(|| Error::Misplaced {
            table: table.to_owned(),
            path: entry.path.clone(),
        })?;
        let version = FileVersion { bytes: entry.size, etag: entry.etag };
        files.push(TableFile { recorded_on, path: entry.path, version });
    }
    files.sort();
    Ok(files)
}

/// The day of the partition that a path of a table's file names.
pub(crate) fn recorded_on_of(path: &str) -> Option<Day> {
    let table = path.strip_prefix("tables/")?.split('/').next()?;
    recorded_on(&table_prefix(table), path)
}

fn recorded_on(prefix: &str, path: &str) -> Option<Day> {
    let (partition, name) = path.strip_prefix(prefix)?.split_once('/')?;
    let date = partition.strip_prefix("recorded_on=")?;
    // Ten digits and dashes: "2018-1-5" would be another folder for the same day.
    (date.len() == 10 && !name.contains('/')).then(|| date.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_date_is_a_partition() {
        let date = |path| recorded_on("tables/orders/", path);
        let day = "2018-01-05".parse().ok();
        assert!(day.is_some());
        assert_eq!(date("tables/orders/recorded_on=2018-01-05/part-0000.parquet"), day);
        assert_eq!(date("tables/orders/recorded_on=2018-1-5/part-0000.parquet"), None);
        assert_eq!(date("tables/orders/recorded_on=2018-01-05/a/part-0000.parquet"), None);
        assert_eq!(date("tables/orders/part-0000.parquet"), None);
        assert_eq!(date("tables/orders/recorded_on=+262142-12-31/part-0000.parquet"), None);
    }
}
