//! A lookup of columns of another table by key: of each key the version that was the last one
//! recorded by the end of a row's own day.

use std::collections::{BTreeSet, HashMap};

use polars::prelude::{Column, DataFrame, IdxCa, IdxSize, NewChunkedArray, PolarsResult, Schema};
use store::Store;
use terms::{AsOf, Day, Instant, column};

use super::checked_frame::read_files;
use super::report::{FileCheck, TableCheck};
use super::rows::instants;
use crate::contract::Contract;
use crate::contract::column::ColumnSpec;
use crate::contract::join::JoinSpec;
use crate::error::Error;

/// So many files are read first, and twice as many at each further step into the past.
const FIRST_FILES: usize = 8;

/// The versions of another table by key, read from the newest partition backwards and only as far
/// as the rows that were checked need.
///
/// A row sees only versions recorded by the end of its own day, so that its check is never changed
/// by what is recorded later. This is also why reading may stop early: of two versions of a key the
/// later one is read first.
#[derive(Debug)]
pub(crate) struct JoinLookup<'a> {
    join: &'a JoinSpec,
    contract: &'a Contract,
    as_of: AsOf,
    /// Files not read so far, by date: all are older than those that were.
    unread: &'a [FileCheck],
    /// For each key the instants at which its versions were recorded, and their rows in `values`.
    /// Only looked up, never iterated.
    versions: HashMap<Box<str>, Vec<(Instant, IdxSize)>>,
    /// The joined columns, called `table.column`.
    values: DataFrame,
}

impl<'a> JoinLookup<'a> {
    /// A lookup in a table that was checked, of which nothing is read yet. Rows in quarantine are
    /// not found. Without a check nothing is found: the table is optional and missing.
    pub(crate) fn new(
        join: &'a JoinSpec,
        contract: &'a Contract,
        checked: Option<&'a TableCheck>,
        as_of: AsOf,
    ) -> Self {
        let columns = join.columns.iter().filter_map(|name| contract.column(name));
        let schema: Schema = columns
            .map(|column| (joined_name(join, &column.name).into(), column.physical.polars()))
            .collect();
        Self {
            join,
            contract,
            as_of,
            unread: checked.map_or(&[], |checked| &checked.files),
            versions: HashMap::new(),
            values: DataFrame::empty_with_schema(&schema),
        }
    }

    /// Whether the whole table was read.
    pub(crate) fn is_complete(&self) -> bool {
        self.unread.is_empty()
    }

    /// Reads backwards until every key has a version recorded on or before its day, or nothing is
    /// left: a key without any version costs the whole table.
    ///
    /// # Errors
    /// If a partition changed since it was checked.
    pub(crate) fn load(
        &mut self,
        store: &Store,
        keys_by_day: &[(Day, BTreeSet<String>)],
    ) -> Result<(), Error> {
        let mut missing: Vec<(&str, Instant)> = keys_by_day
            .iter()
            .flat_map(|(day, keys)| keys.iter().map(|key| (key.as_str(), day.end())))
            .collect();
        let mut n_files = FIRST_FILES;
        loop {
            missing.retain(|(key, before)| self.last_version(key, *before).is_none());
            if missing.is_empty() || self.is_complete() {
                return Ok(());
            }
            let start = self.unread.len().saturating_sub(n_files);
            // A partition is read whole, so that the versions that are read begin at a midnight.
            let day = self.unread[start].recorded_on;
            let start = self.unread.partition_point(|file| file.recorded_on < day);
            let (older, newer) = self.unread.split_at(start);
            self.read(store, newer)?;
            self.unread = older;
            n_files *= 2;
        }
    }

    fn read(&mut self, store: &Store, files: &[FileCheck]) -> Result<(), Error> {
        let own = [self.join.on.as_str(), column::RECORDED_AT];
        let names: BTreeSet<&str> =
            own.into_iter().chain(self.join.columns.iter().map(String::as_str)).collect();
        let columns = names.into_iter().map(|name| {
            self.contract.column(name).ok_or_else(|| Error::UnknownColumn {
                table: self.join.table.clone(),
                column: name.to_owned(),
            })
        });
        let columns: Vec<&ColumnSpec> = columns.collect::<Result<_, _>>()?;
        let files: Vec<&FileCheck> = files.iter().collect();
        let frame = read_files(store, self.contract, &files, &columns, self.as_of)?;
        self.append(&frame).map_err(|source| Error::Frame {
            step: format!("versions of {}", self.join.table),
            source,
        })
    }

    fn append(&mut self, frame: &DataFrame) -> PolarsResult<()> {
        let first = self.values.height();
        let recorded_at = instants(frame, column::RECORDED_AT)?;
        let keys = frame.column(&self.join.on)?.str()?;
        for (row, (key, at)) in keys.iter().zip(recorded_at).enumerate() {
            if let (Some(key), Some(at)) = (key, at) {
                let version = (at, (first + row) as IdxSize);
                match self.versions.get_mut(key) {
                    Some(versions) => versions.push(version),
                    None => drop(self.versions.insert(Box::from(key), vec![version])),
                }
            }
        }
        let mut values = frame.select(self.join.columns.iter().map(String::as_str))?;
        for name in &self.join.columns {
            values.rename(name, joined_name(self.join, name).into())?;
        }
        self.values.vstack_mut(&values)?;
        self.values.rechunk_mut_par();
        Ok(())
    }

    /// The row in `values` of the last version of `key` recorded before an instant.
    fn last_version(&self, key: &str, before: Instant) -> Option<IdxSize> {
        let versions = self.versions.get(key)?.iter();
        let earlier = versions.filter(|(at, _)| *at < before);
        earlier.max_by_key(|(at, _)| *at).map(|(_, row)| *row)
    }

    /// The joined columns for each of `keys`, null where the key has no version, and whether it has
    /// none although it is not null. All keys were loaded.
    ///
    /// As of: versions recorded strictly before `before`.
    pub(crate) fn look_up(
        &self,
        keys: &Column,
        before: Instant,
    ) -> PolarsResult<(Vec<Column>, Vec<bool>)> {
        let keys = keys.str()?;
        let found: Vec<Option<IdxSize>> =
            keys.iter().map(|key| self.last_version(key?, before)).collect();
        let unknown =
            keys.iter().zip(&found).map(|(key, row)| key.is_some() && row.is_none()).collect();
        let rows = IdxCa::from_iter_options("row".into(), found.into_iter());
        Ok((self.values.take(&rows)?.into_columns(), unknown))
    }
}

fn joined_name(join: &JoinSpec, column: &str) -> String {
    format!("{}.{column}", join.table)
}
