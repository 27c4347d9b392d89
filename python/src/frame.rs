//! Tables scored: which columns they need, and the table of predictions.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Float32Array, ListArray, RecordBatch, RecordBatchReader, StringArray,
    new_empty_array,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::concat;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;
use scorer::{Distribution, Scorer};
use terms::{DAYS_AHEAD, DayGrid, Feature, column};

/// Why a table cannot be scored.
#[derive(Debug)]
pub(crate) enum TableError {
    /// Columns are missing, or there twice.
    Columns(String),
    /// A column cannot be read as its feature.
    Rows(scorer::Error),
    /// The library that has the table cannot hand it over.
    Arrow(ArrowError),
}

impl From<ArrowError> for TableError {
    fn from(error: ArrowError) -> Self {
        Self::Arrow(error)
    }
}

impl From<scorer::Error> for TableError {
    fn from(error: scorer::Error) -> Self {
        Self::Rows(error)
    }
}

/// What is said of features that are not there: all of them, with what each is.
pub(crate) fn missing_features(missing: &[&Feature], what: &str) -> String {
    let name = |feature: &&Feature| {
        let kind = if feature.is_categorical() { "text" } else { "number" };
        format!("{} ({kind})", feature.name)
    };
    let names: Vec<String> = missing.iter().map(name).collect();
    let n = missing.len();
    let plural = if n == 1 { "" } else { "s" };
    format!(
        "expected a {what} for each feature, null where a value is missing; found none for {n} feature{plural}: {}",
        names.join(", ")
    )
}

/// Checks that a table has each feature once.
///
/// # Errors
/// Names all that are missing, or all that are there more than once.
pub(crate) fn check_columns(scorer: &Scorer, schema: &Schema) -> Result<(), TableError> {
    let n_columns = |feature: &Feature| {
        schema.fields().iter().filter(|field| *field.name() == feature.name).count()
    };
    let features = &scorer.features().0;
    let missing: Vec<&Feature> =
        features.iter().filter(|feature| n_columns(feature) == 0).collect();
    if !missing.is_empty() {
        return Err(TableError::Columns(missing_features(&missing, "column")));
    }
    let twice: Vec<&str> = (features.iter())
        .filter(|feature| n_columns(feature) > 1)
        .map(|feature| feature.name.as_str())
        .collect();
    if !twice.is_empty() {
        let problem = format!(
            "expected one column for each feature, found more than one: {}",
            twice.join(", ")
        );
        return Err(TableError::Columns(problem));
    }
    Ok(())
}

/// The predictions of a table's rows, in their order: its ids, if it has any, and the columns of
/// `longhaul predict`.
///
/// # Errors
/// If a feature has no column, or one of another type.
pub(crate) fn predictions(
    scorer: &Scorer,
    batches: impl RecordBatchReader,
) -> Result<RecordBatch, TableError> {
    let schema = batches.schema();
    check_columns(scorer, &schema)?;
    let mut ids = Ids::new(&schema);
    let mut distributions = Vec::new();
    for batch in batches {
        let batch = batch?;
        distributions.extend(scorer.score(&scorer.matrix_of(&batch)?)?);
        ids.add(&batch);
    }
    let mut columns = ids.columns(&schema)?;
    columns.extend(distribution_columns(scorer.model_id(), scorer.days(), &distributions)?);
    Ok(RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    )?)
}

/// The ids of a table's rows, batch by batch: of shipments, of orders, both or none.
pub(crate) struct Ids(Vec<(&'static str, Vec<ArrayRef>)>);

impl Ids {
    /// None yet, of those that the table has.
    pub(crate) fn new(schema: &Schema) -> Self {
        let names = [column::SHIPMENT_ID, column::ORDER_ID].into_iter();
        let names = names.filter(|name| schema.column_with_name(name).is_some());
        Self(names.map(|name| (name, Vec::new())).collect())
    }

    /// Adds those of a batch.
    pub(crate) fn add(&mut self, batch: &RecordBatch) {
        for (name, parts) in &mut self.0 {
            parts.extend(batch.column_by_name(name).cloned());
        }
    }

    /// A column of each, by its name.
    ///
    /// # Errors
    /// If batches are of different types.
    pub(crate) fn columns(self, schema: &Schema) -> Result<Vec<(String, ArrayRef)>, ArrowError> {
        let column = |(name, parts): (&str, Vec<ArrayRef>)| {
            let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
            let all = match parts.as_slice() {
                [] => new_empty_array(schema.field_with_name(name)?.data_type()),
                parts => concat(parts)?,
            };
            Ok((name.to_owned(), all))
        };
        self.0.into_iter().map(column).collect()
    }
}

/// Distributions of a model as columns, all of these days.
///
/// # Errors
/// None that can happen: the list of probabilities has a length that Arrow checks.
pub(crate) fn distribution_columns(
    model_id: &str,
    days: DayGrid,
    distributions: &[Distribution],
) -> Result<Vec<(String, ArrayRef)>, ArrowError> {
    let n_rows = distributions.len();
    let numbers = |of: &dyn Fn(&Distribution) -> f32| -> ArrayRef {
        Arc::new(Float32Array::from_iter_values(distributions.iter().map(of)))
    };
    let model_ids = StringArray::from_iter_values(std::iter::repeat_n(model_id, n_rows));
    let mut columns: Vec<(String, ArrayRef)> = vec![
        (column::MODEL_ID.to_owned(), Arc::new(model_ids)),
        (column::PROBABILITY_OVER_2D.to_owned(), numbers(&|d| d.probability_over_2d)),
    ];
    for (level, name) in column::HOURS.into_iter().enumerate() {
        columns.push((name.to_owned(), numbers(&|d| d.hours[level])));
    }
    let by_day = Float32Array::from_iter_values(distributions.iter().flat_map(|d| d.by_day));
    let item = Arc::new(Field::new_list_field(DataType::Float32, true));
    let offsets = OffsetBuffer::from_lengths(std::iter::repeat_n(DAYS_AHEAD, n_rows));
    let by_day = ListArray::try_new(item, offsets, Arc::new(by_day), None)?;
    columns.push((days.column(), Arc::new(by_day)));
    Ok(columns)
}
