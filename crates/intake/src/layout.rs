//! Where tables lie: `tables/<table>/recorded_on=YYYY-MM-DD/<name>.parquet`.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use store::Store;
use terms::AsOf;

use crate::error::Error;

/// A file of a table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TableFile {
    pub(crate) recorded_on: NaiveDate,
    pub(crate) path: String,
    pub(crate) version: FileVersion,
}

/// What says that a file is still the same, without reading it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FileVersion {
    /// Its size.
    pub bytes: u64,
    /// The store's entity tag; without one a file is never taken for the same.
    pub etag: Option<String>,
}

pub(crate) fn table_prefix(table: &str) -> String {
    format!("tables/{table}/")
}

pub(crate) fn partition_prefix(table: &str, recorded_on: NaiveDate) -> String {
    format!("tables/{table}/recorded_on={recorded_on}/")
}

/// The first moment of a partition.
pub(crate) fn start_of(recorded_on: NaiveDate) -> AsOf {
    AsOf::start_of(recorded_on.into())
}

/// The first moment after a partition.
pub(crate) fn end_of(recorded_on: NaiveDate) -> AsOf {
    start_of(recorded_on).plus_days(1)
}

/// The files of a table, by date and name, whenever they were recorded.
///
/// Objects that are no Parquet, and hidden ones (`_…`, `.…`), are not the table's.
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

fn recorded_on(prefix: &str, path: &str) -> Option<NaiveDate> {
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
        let day = NaiveDate::from_ymd_opt(2018, 1, 5);
        assert_eq!(date("tables/orders/recorded_on=2018-01-05/part-0000.parquet"), day);
        assert_eq!(date("tables/orders/recorded_on=2018-1-5/part-0000.parquet"), None);
        assert_eq!(date("tables/orders/recorded_on=2018-01-05/a/part-0000.parquet"), None);
        assert_eq!(date("tables/orders/part-0000.parquet"), None);
    }
}
