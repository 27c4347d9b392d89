//! Speed tables of lanes as Python has them.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, RecordBatch, RecordBatchReader, StringArray, UInt32Array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float32Type, Schema};
use pyo3::prelude::*;
use scorer::{Lane, LaneGrouping};
use terms::column;

use crate::arrow_capsules::{Table, batches_of};
use crate::errors;
use crate::frame::{Ids, TableError, distribution_columns};
use crate::lane_speed::LaneSpeed;

/// The columns of a lane that are texts.
const TEXTS: [&str; 6] = [
    column::ORIGIN_ZONE,
    column::ORIGIN_REGION,
    column::DESTINATION_ZONE,
    column::DESTINATION_REGION,
    column::CARRIER,
    column::SERVICE,
];

/// A speed table that is open. It is never changed, so that threads may share it.
#[pyclass(frozen, module = "longhaul._native")]
pub(crate) struct SpeedTable {
    table: scorer::SpeedTable,
}

#[pymethods]
impl SpeedTable {
    /// Opens a file.
    #[new]
    fn new(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let table = py.detach(|| scorer::SpeedTable::open(path));
        Ok(Self { table: table.map_err(|error| errors::of_speed_table(&error))? })
    }

    /// The id of the model that made it.
    #[getter]
    fn model_id(&self) -> &str {
        &self.table.header().model_id
    }

    /// The moment whose knowledge it is of, in microseconds since 1970-01-01 UTC.
    #[getter]
    fn as_of_micros(&self) -> i64 {
        self.table.header().as_of.micros()
    }

    fn __len__(&self) -> usize {
        self.table.n_rows()
    }

    /// Compares the whole file with its digest.
    fn verify(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.table.verify()).map_err(|error| errors::of_speed_table(&error))
    }

    /// How fast a lane delivers.
    #[pyo3(signature = (*, origin_zone = None, origin_region = None, destination_zone = None,
        destination_region = None, carrier = None, service = None, weight_g = None))]
    #[expect(clippy::too_many_arguments, reason = "each is a keyword in Python")]
    fn lookup(
        &self,
        origin_zone: Option<&str>,
        origin_region: Option<&str>,
        destination_zone: Option<&str>,
        destination_region: Option<&str>,
        carrier: Option<&str>,
        service: Option<&str>,
        weight_g: Option<f64>,
    ) -> LaneSpeed {
        let lane = Lane {
            origin_zone,
            origin_region,
            destination_zone,
            destination_region,
            carrier,
            service,
            weight_g: weight_g.map(|weight| weight as f32),
        };
        LaneSpeed::new(self.table.lookup(&lane))
    }

    /// How fast the lanes of a table's rows deliver.
    fn lookup_frame(&self, py: Python<'_>, table: &Bound<'_, PyAny>) -> PyResult<Table> {
        let batches = batches_of(table)?;
        Ok(Table::new(py.detach(|| speeds(&self.table, batches))?))
    }
}

/// The speeds of a table's rows, in their order: its ids, if it has any, grouping, shipments, and the
/// columns of predictions.
///
/// # Errors
/// If it has no column of a lane, one twice, or one of another type.
fn speeds(
    table: &scorer::SpeedTable,
    batches: impl RecordBatchReader,
) -> Result<RecordBatch, TableError> {
    let schema = batches.schema();
    check_columns(&schema)?;
    let mut ids = Ids::new(&schema);
    let (mut groupings, mut n_shipments, mut distributions) = (Vec::new(), Vec::new(), Vec::new());
    for batch in batches {
        let batch = batch?;
        ids.add(&batch);
        let texts = TEXTS.iter().map(|name| texts_of(&batch, name));
        let texts = texts.collect::<Result<Vec<_>, TableError>>()?;
        let weights = weights_of(&batch)?;
        for row in 0..batch.num_rows() {
            let text = |column: usize| -> Option<&str> {
                let texts: &StringArray = texts[column].as_ref()?.as_string();
                texts.is_valid(row).then(|| texts.value(row))
            };
            let weight_g = weights.as_ref().and_then(|weights| {
                let weights = weights.as_primitive::<Float32Type>();
                weights.is_valid(row).then(|| weights.value(row))
            });
            let speed = table.lookup(&Lane {
                origin_zone: text(0),
                origin_region: text(1),
                destination_zone: text(2),
                destination_region: text(3),
                carrier: text(4),
                service: text(5),
                weight_g,
            });
            groupings.push(speed.grouping());
            n_shipments.push(speed.n_shipments());
            distributions.push(speed.distribution());
        }
    }
    let header = table.header();
    let names = LaneGrouping::ALL.map(LaneGrouping::name);
    let groupings = groupings.iter().map(|grouping| &names[grouping.index()]);
    let groupings: ArrayRef = Arc::new(StringArray::from_iter_values(groupings));
    let n_shipments: ArrayRef = Arc::new(UInt32Array::from(n_shipments));
    let mut columns = ids.columns(&schema)?;
    columns.extend([("grouping".to_owned(), groupings), ("n_shipments".to_owned(), n_shipments)]);
    columns.extend(distribution_columns(&header.model_id, header.days, &distributions)?);
    let columns = columns.into_iter().map(|(name, array)| (name, array, true));
    Ok(RecordBatch::try_from_iter_with_nullable(columns)?)
}

fn check_columns(schema: &Schema) -> Result<(), TableError> {
    let names = || TEXTS.into_iter().chain([column::WEIGHT_G]);
    let n_columns =
        |name: &str| schema.fields().iter().filter(|field| field.name() == name).count();
    let all: Vec<&str> = names().collect();
    if names().all(|name| n_columns(name) == 0) {
        let problem = format!("expected a column of {}; found none", all.join(", "));
        return Err(TableError::Columns(problem));
    }
    let twice: Vec<&str> = names().filter(|name| n_columns(name) > 1).collect();
    if !twice.is_empty() {
        let problem =
            format!("expected one column of each, found more than one: {}", twice.join(", "));
        return Err(TableError::Columns(problem));
    }
    Ok(())
}

/// A column of texts; `None` if the table has none of the name, or nothing in it.
fn texts_of(batch: &RecordBatch, name: &str) -> Result<Option<ArrayRef>, TableError> {
    let is_text = |data_type: &DataType| match data_type {
        DataType::Dictionary(_, values) => values.is_string(),
        other => other.is_string(),
    };
    cast_of(batch, name, "text", is_text, &DataType::Utf8)
}

fn weights_of(batch: &RecordBatch) -> Result<Option<ArrayRef>, TableError> {
    cast_of(batch, column::WEIGHT_G, "numbers", DataType::is_numeric, &DataType::Float32)
}

fn cast_of(
    batch: &RecordBatch,
    name: &str,
    expected: &'static str,
    fits: impl Fn(&DataType) -> bool,
    to: &DataType,
) -> Result<Option<ArrayRef>, TableError> {
    let Some(values) = batch.column_by_name(name) else { return Ok(None) };
    let data_type = values.data_type();
    // A column without a value may have any type: those of pandas have that of numbers.
    if values.logical_null_count() == values.len() {
        return Ok(None);
    }
    if !fits(data_type) {
        let (column, found) = (name.to_owned(), data_type.to_string());
        return Err(scorer::Error::ColumnType { column, expected, found }.into());
    }
    Ok(Some(cast(values, to)?))
}
