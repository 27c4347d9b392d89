//! What rules may read of another table: columns of the version of each key that was known when a
//! partition was recorded.

use std::collections::{BTreeSet, HashMap};

use chrono::NaiveDate;
use polars::prelude::{Column, DataFrame, IdxCa, IdxSize, NewChunkedArray, PolarsResult, Schema};
use store::Store;
use terms::{AsOf, column};

use crate::contract::{ColumnSpec, Contract, JoinSpec};
use crate::error::Error;
use crate::layout::end_of;
use crate::read::read_files;
use crate::report::{FileCheck, TableCheck};
use crate::rows::instants;

/// So many files are read first, and twice as many at each further step into the past.
const FIRST_FILES: usize = 8;

/// Versions of another table by key, read from the newest partition backwards, and only as far as
/// anybody asked.
///
/// A row sees the last version that was recorded up to the end of its own day, so that a verdict
/// once reached is never changed by what is recorded later. And it is why reading may stop: of two
/// versions the later one is found first.
#[derive(Debug)]
pub(crate) struct Known<'a> {
    join: &'a JoinSpec,
    contract: &'a Contract,
    as_of: AsOf,
    /// Files that nobody needed yet, by date: all are older than what was read.
    unread: &'a [FileCheck],
    /// For each key when its versions were recorded, and where they stand in `values`. Only looked
    /// up, never iterated.
    versions: HashMap<Box<str>, Vec<(i64, IdxSize)>>,
    /// The joined columns, called `table.column`.
    values: DataFrame,
}

impl<'a> Known<'a> {
    /// Of a table that was checked, of which nothing is read yet; rows in quarantine are not
    /// known. Without a check nothing is known: an optional table that is not there.
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

    /// Whether there is nothing more to read.
    pub(crate) fn is_whole(&self) -> bool {
        self.unread.is_empty()
    }

    /// Reads backwards until every key is known that was recorded on or before its day, or nothing
    /// is left: a key that nobody knows costs the whole table.
    ///
    /// # Errors
    /// If a partition is not what it was when it was checked.
    pub(crate) fn reach(
        &mut self,
        store: &Store,
        asked: &[(NaiveDate, BTreeSet<String>)],
    ) -> Result<(), Error> {
        let mut missing: Vec<(&str, AsOf)> = asked
            .iter()
            .flat_map(|(day, keys)| keys.iter().map(|key| (key.as_str(), end_of(*day))))
            .collect();
        let mut n_files = FIRST_FILES;
        loop {
            missing.retain(|(key, before)| self.version(key, *before).is_none());
            if missing.is_empty() || self.is_whole() {
                return Ok(());
            }
            let start = self.unread.len().saturating_sub(n_files);
            // A partition is read whole: its files are of one moment.
            let day = self.unread[start].recorded_on;
            let start = self.unread.partition_point(|file| file.recorded_on < day);
            let (older, now) = self.unread.split_at(start);
            self.read(store, now)?;
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
        self.take_up(&frame).map_err(|source| Error::Frame {
            place: format!("versions of {}", self.join.table),
            source,
        })
    }

    fn take_up(&mut self, frame: &DataFrame) -> PolarsResult<()> {
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

    /// Where the last version of `key` recorded before a moment stands.
    fn version(&self, key: &str, before: AsOf) -> Option<IdxSize> {
        let versions = self.versions.get(key)?.iter();
        let known = versions.filter(|(at, _)| *at < before.micros());
        known.max_by_key(|(at, _)| *at).map(|(_, row)| *row)
    }

    /// The joined columns for each of `keys`, null where the key is not known, and which rows have
    /// a key that is not known. All keys were reached.
    ///
    /// As of: versions recorded strictly before.
    pub(crate) fn look_up(
        &self,
        keys: &Column,
        before: AsOf,
    ) -> PolarsResult<(Vec<Column>, Vec<bool>)> {
        let keys = keys.str()?;
        let found: Vec<Option<IdxSize>> =
            keys.iter().map(|key| self.version(key?, before)).collect();
        let unknown =
            keys.iter().zip(&found).map(|(key, row)| key.is_some() && row.is_none()).collect();
        let positions = IdxCa::from_iter_options("row".into(), found.into_iter());
        Ok((self.values.take(&positions)?.into_columns(), unknown))
    }
}

fn joined_name(join: &JoinSpec, column: &str) -> String {
    format!("{}.{column}", join.table)
}
