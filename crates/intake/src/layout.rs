//! Where tables lie: `tables/<table>/recorded_on=YYYY-MM-DD/<name>.parquet`.

use chrono::NaiveDate;
use store::Store;
use terms::AsOf;

use crate::contract::Contract;
use crate::error::Error;

/// A file of a table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TableFile {
    pub(crate) recorded_on: NaiveDate,
    pub(crate) path: String,
    pub(crate) bytes: u64,
}

pub(crate) fn table_prefix(table: &str) -> String {
    format!("tables/{table}/")
}

pub(crate) fn partition_prefix(table: &str, recorded_on: NaiveDate) -> String {
    format!("tables/{table}/recorded_on={recorded_on}/")
}

/// The first moment of a partition.
pub(crate) fn start_of(recorded_on: NaiveDate) -> AsOf {
    let midnight = recorded_on.and_time(chrono::NaiveTime::MIN);
    AsOf::from_micros(midnight.and_utc().timestamp_micros())
}

/// The files that can hold rows recorded before `as_of`, by date and name.
///
/// Objects that are no Parquet, and hidden ones (`_…`, `.…`), are not the table's.
pub(crate) fn files_before(
    store: &Store,
    contract: &Contract,
    as_of: AsOf,
) -> Result<Vec<TableFile>, Error> {
    let table = contract.table();
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
        files.push(TableFile { recorded_on, path: entry.path, bytes: entry.size });
    }
    files.sort();
    let first = files.first().map(|file| file.recorded_on);
    files.retain(|file| start_of(file.recorded_on) < as_of);
    if files.is_empty() {
        return Err(Error::NoPartition { table: table.to_owned(), prefix, as_of, first });
    }
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
