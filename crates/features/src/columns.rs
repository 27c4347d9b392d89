//! Typed reading of the columns of a data frame: instants, integers, numbers and texts.
//!
//! A column that must have a value in every row is read as such: a null in it is an error that
//! names the column and the row, and never a zero.

use polars::prelude::*;
use terms::Instant;

use crate::Error;

/// A column of instants, some of which may be missing. Units: microseconds since 1970-01-01.
pub(crate) fn instants(frame: &DataFrame, name: &str) -> Result<Vec<Option<Instant>>, Error> {
    let micros = frame.column(name)?.cast(&DataType::Int64)?;
    Ok(micros.i64()?.iter().map(|micros| micros.map(Instant::from_micros)).collect())
}

/// A column of instants without nulls. Units: microseconds since 1970-01-01.
pub(crate) fn required_instants(frame: &DataFrame, name: &str) -> Result<Vec<Instant>, Error> {
    required(name, instants(frame, name)?)
}

/// A column of integers, some of which may be missing.
pub(crate) fn integers(frame: &DataFrame, name: &str) -> Result<Int64Chunked, Error> {
    Ok(frame.column(name)?.cast(&DataType::Int64)?.i64()?.clone())
}

/// A column of integers without nulls.
pub(crate) fn required_integers(frame: &DataFrame, name: &str) -> Result<Vec<i64>, Error> {
    required(name, integers(frame, name)?.iter())
}

/// A column of positions without nulls.
pub(crate) fn required_positions(frame: &DataFrame, name: &str) -> Result<Vec<u32>, Error> {
    required(name, frame.column(name)?.u32()?.iter())
}

/// A column of days without nulls. Units: days since 1970-01-01, which is what a date holds.
pub(crate) fn required_days(frame: &DataFrame, name: &str) -> Result<Vec<terms::Day>, Error> {
    let days = frame.column(name)?.cast(&DataType::Int32)?;
    let days = required(name, days.i32()?.iter())?;
    Ok(days.into_iter().map(terms::Day::since_epoch).collect())
}

/// A column of texts, some of which may be missing.
pub(crate) fn texts(frame: &DataFrame, name: &str) -> Result<StringChunked, Error> {
    Ok(frame.column(name)?.cast(&DataType::String)?.str()?.rechunk().into_owned())
}

/// A column of numbers; missing is NaN.
pub(crate) fn numbers(frame: &DataFrame, name: &str) -> Result<Vec<f64>, Error> {
    let column = frame.column(name)?.cast(&DataType::Float64)?;
    Ok(column.f64()?.iter().map(|value| value.unwrap_or(f64::NAN)).collect())
}

/// Instants as a column. Units: microseconds since 1970-01-01.
pub(crate) fn of_instants(name: &str, instants: impl Iterator<Item = Instant>) -> Column {
    Column::new(name.into(), instants.map(Instant::micros).collect::<Vec<_>>())
}

/// A frame of columns of the same length.
pub(crate) fn frame_of(columns: Vec<Column>) -> Result<DataFrame, Error> {
    Ok(DataFrame::new(columns.first().map_or(0, Column::len), columns)?)
}

fn required<T>(name: &str, values: impl IntoIterator<Item = Option<T>>) -> Result<Vec<T>, Error> {
    let value = |(row, value): (usize, Option<T>)| {
        value.ok_or_else(|| Error::Null { column: name.to_owned(), row })
    };
    values.into_iter().enumerate().map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_null_where_a_value_is_required_is_an_error_with_column_and_row() {
        let at = Column::new("recorded_at".into(), [Some(5_i64), None, Some(7)]);
        let frame = frame_of(vec![at]).unwrap();
        let five = Some(Instant::from_micros(5));
        assert_eq!(instants(&frame, "recorded_at").unwrap()[..2], [five, None]);
        let error = required_instants(&frame, "recorded_at").unwrap_err();
        let expected = "column \"recorded_at\", row 1: expected a value, found none";
        assert_eq!(error.to_string(), expected);
        assert_eq!(error.class(), terms::ErrorClass::Contract);
        assert!(required_integers(&frame, "recorded_at").is_err());
        assert!(required_days(&frame, "recorded_at").is_err());
        assert!(required_positions(&frame, "recorded_at").is_err(), "another type");
    }
}
