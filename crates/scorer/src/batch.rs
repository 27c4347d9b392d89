//! Scoring of Arrow record batches: columns are found by name, whatever their order and number
//! type, and converted to the feature matrix.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float32Array, ListArray, RecordBatch};
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float32Type, Schema};
use terms::{DAYS_AHEAD, DayGrid, Feature, Matrix, column};

use crate::distribution::Distribution;
use crate::error::Error;
use crate::scorer::Scorer;

impl Scorer {
    /// The distributions of a batch's rows as columns, in the order of the rows: P(over two days), the
    /// quantiles in hours, and a list of P(delivered by day) in a column whose name says the days. They
    /// are named as those of the product's predictions: [`column::PROBABILITY_OVER_2D`],
    /// [`column::HOURS`], [`DayGrid::column`](terms::DayGrid::column).
    ///
    /// Rows are read as by [`distributions`](Self::distributions).
    ///
    /// # Errors
    /// As those of [`distributions`](Self::distributions).
    pub fn score_batch(&self, batch: &RecordBatch) -> Result<RecordBatch, Error> {
        Ok(as_batch(self.days(), &self.distributions(batch)?))
    }

    /// The distributions of a batch's rows.
    ///
    /// Columns are found by name; other columns than the features are ignored. Numbers and booleans
    /// are converted to f32, texts (plain, view or dictionary) to the positions of their levels;
    /// null is missing, and so is an unlisted level.
    ///
    /// # Errors
    /// If a feature has no column, or text for numbers or numbers for text; names the column.
    pub fn distributions(&self, batch: &RecordBatch) -> Result<Vec<Distribution>, Error> {
        self.score(&self.matrix_of(batch)?)
    }

    /// The matrix of a batch's rows, as [`distributions`](Self::distributions) reads them.
    ///
    /// # Errors
    /// If a feature has no column, or text for numbers or numbers for text; names the column.
    pub fn matrix_of(&self, batch: &RecordBatch) -> Result<Matrix, Error> {
        let features = self.features().clone();
        let column = |feature: &Feature| match batch.column_by_name(&feature.name) {
            None => Err(Error::MissingColumn { column: feature.name.clone() }),
            Some(column) => values(feature, column),
        };
        let columns = features.0.iter().map(column).collect::<Result<_, Error>>()?;
        Ok(Matrix { features, columns })
    }
}

/// Distributions as columns. All are of these days.
fn as_batch(days: DayGrid, distributions: &[Distribution]) -> RecordBatch {
    let numbers = |of: &dyn Fn(&Distribution) -> f32| -> ArrayRef {
        Arc::new(Float32Array::from_iter_values(distributions.iter().map(of)))
    };
    let mut columns =
        vec![(column::PROBABILITY_OVER_2D.to_owned(), numbers(&|d| d.probability_over_2d))];
    for (level, name) in column::HOURS.into_iter().enumerate() {
        columns.push((name.to_owned(), numbers(&|d| d.hours[level])));
    }
    let by_day = distributions.iter().flat_map(|distribution| distribution.by_day);
    let by_day = Float32Array::from_iter_values(by_day);
    let item = Arc::new(Field::new_list_field(DataType::Float32, false));
    let lengths = OffsetBuffer::from_lengths(distributions.iter().map(|_| DAYS_AHEAD));
    columns.push((days.column(), Arc::new(ListArray::new(item, lengths, Arc::new(by_day), None))));
    let fields: Vec<Field> = (columns.iter())
        .map(|(name, values)| Field::new(name, values.data_type().clone(), false))
        .collect();
    let columns = columns.into_iter().map(|(_, values)| values).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
        .expect("columns of one length with the types of their fields")
}

fn values(feature: &Feature, column: &ArrayRef) -> Result<Vec<f32>, Error> {
    let data_type = column.data_type();
    let expected = if feature.is_categorical() { "text" } else { "numbers" };
    let wrong = || Error::ColumnType {
        column: feature.name.clone(),
        expected,
        found: data_type.to_string(),
    };
    // A column of nulls only may have the null type, whatever the feature.
    if *data_type == DataType::Null {
        return Ok(vec![f32::NAN; column.len()]);
    }
    let is_text = match data_type {
        DataType::Dictionary(_, values) => is_text(values),
        other => is_text(other),
    };
    let is_number = data_type.is_numeric() || *data_type == DataType::Boolean;
    if feature.is_categorical() {
        let texts = if is_text { cast(column, &DataType::Utf8) } else { return Err(wrong()) };
        let texts = texts.map_err(|_| wrong())?;
        let code = |text: Option<&str>| text.map_or(f32::NAN, |text| feature.code(text));
        Ok(texts.as_string::<i32>().iter().map(code).collect())
    } else {
        let numbers =
            if is_number { cast(column, &DataType::Float32) } else { return Err(wrong()) };
        let numbers = numbers.map_err(|_| wrong())?;
        let number = |value: Option<f32>| value.unwrap_or(f32::NAN);
        Ok(numbers.as_primitive::<Float32Type>().iter().map(number).collect())
    }
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}
