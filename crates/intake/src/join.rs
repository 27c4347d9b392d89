//! What rules may read of another table: columns of the first known version of each key.

use std::collections::HashMap;

use polars::prelude::{
    Column, DataFrame, IdxCa, IdxSize, NewChunkedArray, PolarsResult, SortMultipleOptions,
};
use store::Store;
use terms::column;

use crate::contract::{Contract, JoinSpec};
use crate::error::Error;
use crate::read::read_checked;
use crate::report::TableCheck;

/// The first known versions of another table, by key.
#[derive(Debug)]
pub struct Known {
    /// Where the first version of a key stands in `values`. Only looked up, never iterated.
    rows: HashMap<Box<str>, IdxSize>,
    /// The joined columns, called `table.column`.
    values: DataFrame,
}

impl Known {
    /// Reads what `join` asks of a table that was checked; rows in quarantine are not known.
    ///
    /// As of: the check's.
    ///
    /// # Errors
    /// If the table cannot be read, or lacks the columns.
    pub fn read(
        store: &Store,
        join: &JoinSpec,
        contract: &Contract,
        checked: &TableCheck,
    ) -> Result<Self, Error> {
        let mut columns = vec![join.on.as_str(), column::RECORDED_AT];
        columns.extend(join.columns.iter().map(String::as_str));
        let frame = read_checked(store, contract, checked, Some(&columns), checked.as_of)?;
        Self::first_versions(join, &frame).map_err(|source| Error::Frame {
            place: format!("first versions of {}", join.table),
            source,
        })
    }

    /// Nothing known, of an optional table that is not there.
    pub(crate) fn nothing(join: &JoinSpec, contract: &Contract) -> Self {
        let columns = join.columns.iter().filter_map(|name| contract.column(name)).map(|column| {
            let name = format!("{}.{}", join.table, column.name);
            Column::new_empty(name.into(), &column.physical.polars())
        });
        let values = DataFrame::new(0, columns.collect()).unwrap_or_default();
        Self { rows: HashMap::new(), values }
    }

    fn first_versions(join: &JoinSpec, frame: &DataFrame) -> PolarsResult<Self> {
        let by_time = SortMultipleOptions::default().with_maintain_order(true);
        let frame = frame.sort([column::RECORDED_AT], by_time)?;
        let mut rows = HashMap::new();
        let mut first: Vec<IdxSize> = Vec::new();
        for (row, key) in frame.column(&join.on)?.str()?.iter().enumerate() {
            let Some(key) = key else { continue };
            if !rows.contains_key(key) {
                rows.insert(Box::from(key), first.len() as IdxSize);
                first.push(row as IdxSize);
            }
        }
        let mut values = frame
            .select(join.columns.iter().map(String::as_str))?
            .take(&IdxCa::from_vec("first".into(), first))?;
        for name in &join.columns {
            values.rename(name, format!("{}.{name}", join.table).into())?;
        }
        Ok(Self { rows, values })
    }

    /// The joined columns for each of `keys`, null where the key is not known, and which rows have
    /// a key that is not known.
    pub(crate) fn look_up(&self, keys: &Column) -> PolarsResult<(Vec<Column>, Vec<bool>)> {
        let keys = keys.str()?;
        let found: Vec<Option<IdxSize>> =
            keys.iter().map(|key| self.rows.get(key?).copied()).collect();
        let unknown =
            keys.iter().zip(&found).map(|(key, row)| key.is_some() && row.is_none()).collect();
        let positions = IdxCa::from_iter_options("row".into(), found.into_iter());
        Ok((self.values.take(&positions)?.into_columns(), unknown))
    }
}
