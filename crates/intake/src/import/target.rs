//! A target table of an import: computed by SQL, cast to the types of its contract, and split by
//! the UTC day of `recorded_at`.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use polars::error::PolarsError;
use polars::prelude::{
    Column, DataFrame, DataType, ParquetCompression, ParquetWriter, PolarsResult,
    SortMultipleOptions, StatisticsOptions, TimeUnit,
};
use polars::sql::SQLContext;
use rayon::prelude::*;
use terms::{Day, Instant, column};

use super::error::ImportError;
use super::nearest_names::with_nearest_columns;
use crate::check::rows::instants;
use crate::check::workers::on_workers;
use crate::contained::contained_result;
use crate::contract::Contract;
use crate::contract::column::ColumnSpec;
use crate::contract::column_type::ColumnType;
use crate::contract::rule::{END_OF_9999, YEAR_1};
use crate::error::Error;
use crate::sql_text::{TARGET_TOKENS_MAX, reads_a_file, too_long};

/// One partition of a target, as the bytes of its file.
pub(crate) struct Partition {
    pub(crate) recorded_on: Day,
    pub(crate) rows: u64,
    pub(crate) bytes: Bytes,
}

/// Runs the SQL of a target over the sources in `context`.
#[expect(clippy::disallowed_methods, reason = "the files of an import are not in the store")]
pub(crate) fn compute(
    context: &mut SQLContext,
    contract: &Contract,
    sql: &Path,
) -> Result<Vec<Partition>, Error> {
    let text = std::fs::read_to_string(sql)
        .map_err(|source| ImportError::Folder { path: sql.to_owned(), source })?;
    if let Some(function) = reads_a_file(&text) {
        let path = sql.to_owned();
        return Err(ImportError::TargetText {
            path,
            expected: "tables that import.toml declares as sources".to_owned(),
            found: format!("the function {function}"),
        }
        .into());
    }
    if let Some((expected, found)) = too_long(&text, TARGET_TOKENS_MAX) {
        return Err(ImportError::TargetText { path: sql.to_owned(), expected, found }.into());
    }
    // With a stack on which a chain of that length fits.
    let compute = || context.execute(&text).and_then(polars::prelude::LazyFrame::collect);
    let frame = on_workers(|| contained_result(compute));
    let failed =
        |error| ImportError::TargetSql { path: sql.to_owned(), source: without_plan(error) };
    let frame = frame.map_err(failed)?;
    if frame.height() == 0 {
        return Err(ImportError::TargetEmpty { path: sql.to_owned() }.into());
    }
    let frame = Target { contract, sql }.cast(&frame)?;
    let failed = |source| Error::Frame { step: format!("rows of {}", sql.display()), source };
    let frame = sorted(contract, &frame).map_err(failed)?;
    split(&frame).map_err(failed)
}

/// The error alone, with the nearest of the columns that there are: Polars repeats it, with the whole
/// query plan, for each layer of a query, and lists all columns.
fn without_plan(error: PolarsError) -> PolarsError {
    error.remove_context().wrap_msg(|message| {
        let first = message.split_once("\n\nResolved plan").map_or(message, |(first, _)| first);
        with_nearest_columns(first)
    })
}

/// The SQL of a target and its contract.
struct Target<'a> {
    contract: &'a Contract,
    sql: &'a Path,
}

impl Target<'_> {
    fn refuse(
        &self,
        column: &str,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> ImportError {
        ImportError::TargetColumn {
            path: PathBuf::from(self.sql),
            column: column.to_owned(),
            expected: expected.into(),
            found: found.into(),
        }
    }

    /// The columns of the contract, in its order and types.
    fn cast(&self, frame: &DataFrame) -> Result<DataFrame, ImportError> {
        for name in frame.get_column_names() {
            if self.contract.column(name).is_none() {
                let expected: Vec<&str> =
                    self.contract.columns().iter().map(|column| column.name.as_str()).collect();
                let expected = format!("one of {}", expected.join(", "));
                return Err(self.refuse(
                    name,
                    expected,
                    "a column that the contract does not name",
                ));
            }
        }
        let mut columns = Vec::with_capacity(frame.width());
        for spec in self.contract.columns() {
            match frame.column(&spec.name) {
                Ok(column) => columns.push(self.cast_column(spec, column)?),
                Err(_) if spec.required => {
                    let expected = spec.physical.message_name();
                    return Err(self.refuse(&spec.name, expected, "no such column"));
                }
                Err(_) => {}
            }
        }
        let fitted = DataFrame::new(frame.height(), columns)
            .map_err(|source| ImportError::TargetSql { path: self.sql.to_owned(), source })?;
        // Without it a row belongs to no partition.
        let nulls = fitted.column(column::RECORDED_AT).map_or(0, Column::null_count);
        if nulls > 0 {
            let found = format!("{nulls} rows without");
            return Err(self.refuse(column::RECORDED_AT, "an instant in every row", found));
        }
        self.require_years(&fitted)?;
        Ok(fitted)
    }

    /// A partition is named after the day of its rows, which needs a year of four digits.
    fn require_years(&self, fitted: &DataFrame) -> Result<(), ImportError> {
        let failed = |source| ImportError::TargetSql { path: self.sql.to_owned(), source };
        let recorded_at = instants(fitted, column::RECORDED_AT).map_err(failed)?;
        // Year 1 east of Greenwich begins in year 0.
        let days = YEAR_1.plus(-366)..=END_OF_9999;
        let is_outside = |at: &Instant| !days.contains(&at.day());
        let outside: Vec<Instant> = recorded_at.into_iter().flatten().filter(is_outside).collect();
        let Some(first) = outside.first() else { return Ok(()) };
        let found = format!("{} rows outside, first {} us", outside.len(), first.micros());
        Err(self.refuse(column::RECORDED_AT, "instants of the years 0 to 9999", found))
    }

    fn cast_column(&self, spec: &ColumnSpec, column: &Column) -> Result<Column, ImportError> {
        let expected = spec.physical.message_name();
        let from = column.dtype();
        let possible = match spec.physical {
            ColumnType::Instant => {
                matches!(from, DataType::Datetime(_, Some(_)) | DataType::Null)
            }
            ColumnType::Date => matches!(from, DataType::Date | DataType::Null),
            ColumnType::Boolean => matches!(from, DataType::Boolean | DataType::Null),
            ColumnType::Floats => matches!(from, DataType::List(_) | DataType::Null),
            ColumnType::Text => {
                from.is_integer() || matches!(from, DataType::String | DataType::Null)
            }
            ColumnType::Int32 | ColumnType::Int64 | ColumnType::Float32 | ColumnType::Float64 => {
                from.is_primitive_numeric() || matches!(from, DataType::String | DataType::Null)
            }
        };
        if !possible {
            let found = match from {
                DataType::Datetime(_, None) => "timestamp without zone".to_owned(),
                other => other.to_string(),
            };
            return Err(self.refuse(&spec.name, expected, found));
        }
        if coarser_overflows(column) {
            return Err(self.refuse(&spec.name, expected, "instants beyond 64 bits of it"));
        }
        column
            .strict_cast(&spec.physical.polars())
            .map_err(|error| self.refuse(&spec.name, expected, error.to_string()))
    }
}

/// Whether milliseconds of a column are too many for microseconds, which a cast would not say.
fn coarser_overflows(column: &Column) -> bool {
    if !matches!(column.dtype(), DataType::Datetime(TimeUnit::Milliseconds, _)) {
        return false;
    }
    let millis = column.datetime().map(|instants| instants.physical().clone());
    millis.is_ok_and(|millis| millis.iter().flatten().any(|at| at.checked_mul(1000).is_none()))
}

/// Sorts rows in a total order, so that the same rows always make the same bytes.
fn sorted(contract: &Contract, frame: &DataFrame) -> PolarsResult<DataFrame> {
    let mut by = vec![column::RECORDED_AT.to_owned()];
    by.extend(contract.keys().iter().filter(|key| *key != column::RECORDED_AT).cloned());
    // The check will refuse rows that share a key; here they only need a fixed order.
    let rest = frame.get_column_names().into_iter().map(ToString::to_string);
    let rest: Vec<String> = rest.filter(|name| !by.contains(name)).collect();
    by.extend(rest);
    frame.sort(by, SortMultipleOptions::default())
}

fn split(frame: &DataFrame) -> PolarsResult<Vec<Partition>> {
    let days: Vec<Day> =
        instants(frame, column::RECORDED_AT)?.into_iter().flatten().map(Instant::day).collect();
    let mut start = 0;
    let mut slices = Vec::new();
    for same_day in days.chunk_by(|a, b| a == b) {
        slices.push((same_day[0], frame.slice(start as i64, same_day.len())));
        start += same_day.len();
    }
    slices
        .into_par_iter()
        .map(|(recorded_on, mut rows)| {
            let mut bytes = Vec::new();
            ParquetWriter::new(&mut bytes)
                .with_compression(ParquetCompression::Zstd(None))
                .with_statistics(StatisticsOptions::default())
                .set_parallel(false)
                .finish(&mut rows)?;
            Ok(Partition { recorded_on, rows: rows.height() as u64, bytes: Bytes::from(bytes) })
        })
        .collect()
}
