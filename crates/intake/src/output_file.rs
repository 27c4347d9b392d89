//! The file of a table that this program writes for others, as its contract says: columns in its order
//! and of its types, required ones as REQUIRED, and in the metadata which contract it is.
//!
//! Polars writes every column as one that may have nulls. Arrow's writer does not.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float32Array, Float64Array, Int32Array, Int64Array, ListArray,
    RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType as ArrowType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use polars::prelude::{Column, DataFrame, DataType, PolarsError, PolarsResult};

use crate::contract::Contract;
use crate::contract::column::ColumnSpec;
use crate::contract::column_type::ColumnType;
use crate::error::Error;

/// Before the keys of this program in the metadata of a file.
const KEY_PREFIX: &str = "longhaul.";

const ROW_GROUP_ROWS: usize = 1 << 17;

/// A table as a file, written piece by piece, so that it need not be in memory as a whole: equal frames
/// give equal bytes.
pub struct OutputFile<'a> {
    contract: &'a Contract,
    properties: WriterProperties,
    /// There is one once something was written.
    writer: Option<ArrowWriter<Vec<u8>>>,
}

impl<'a> OutputFile<'a> {
    /// A file of the contract's table. `metadata` is written beside `longhaul.contract` and
    /// `longhaul.contract_version`, each key with `longhaul.` before it.
    pub fn new(contract: &'a Contract, metadata: &[(&str, &str)]) -> Self {
        let of_contract =
            [("contract", contract.table()), ("contract_version", contract.version())];
        let metadata = of_contract.iter().chain(metadata);
        let metadata = metadata
            .map(|(key, value)| KeyValue::new(format!("{KEY_PREFIX}{key}"), (*value).to_owned()));
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .set_key_value_metadata(Some(metadata.collect()));
        Self { contract, properties: properties.build(), writer: None }
    }

    /// Adds the rows of a frame.
    ///
    /// # Errors
    /// If a column of the contract is not there, is of another type or has a null although it is
    /// required; or the frame has one that is not in the contract.
    pub fn write(&mut self, frame: &DataFrame) -> Result<(), Error> {
        let names = frame.get_column_names();
        if let Some(column) = names.into_iter().find(|name| self.contract.column(name).is_none()) {
            let table = self.contract.table().to_owned();
            return Err(Error::UnknownColumn { table, column: column.to_string() });
        }
        // As arrays there would be a second copy of all rows. A frame without rows has a schema.
        for start in (0..frame.height().max(1)).step_by(ROW_GROUP_ROWS) {
            let rows = frame.slice(start as i64, ROW_GROUP_ROWS);
            self.write_rows(&rows).map_err(|source| self.failed(source))?;
        }
        Ok(())
    }

    fn write_rows(&mut self, rows: &DataFrame) -> Result<(), ParquetError> {
        let (mut fields, mut arrays) = (Vec::new(), Vec::new());
        for spec in self.contract.columns() {
            let array = array_of(rows, spec).map_err(external)?;
            fields.push(Field::new(&spec.name, array.data_type().clone(), !spec.required));
            arrays.push(array);
        }
        let schema = Arc::new(Schema::new(fields));
        let batch = RecordBatch::try_new(schema.clone(), arrays)?;
        let mut writer = match self.writer.take() {
            Some(writer) => writer,
            None => ArrowWriter::try_new(Vec::new(), schema, Some(self.properties.clone()))?,
        };
        writer.write(&batch)?;
        self.writer = Some(writer);
        Ok(())
    }

    /// The bytes of the file.
    ///
    /// # Errors
    /// If nothing was written, not even a frame without rows.
    pub fn finish(mut self) -> Result<Vec<u8>, Error> {
        let nothing = || ParquetError::General("no rows and no columns were written".to_owned());
        let writer = self.writer.take().ok_or_else(nothing);
        writer.and_then(ArrowWriter::into_inner).map_err(|source| self.failed(source))
    }

    fn failed(&self, source: ParquetError) -> Error {
        Error::OutputWrite { table: self.contract.table().to_owned(), source }
    }
}

fn external(error: PolarsError) -> ParquetError {
    ParquetError::External(Box::new(error))
}

/// A column as an array of its physical type.
fn array_of(frame: &DataFrame, spec: &ColumnSpec) -> PolarsResult<ArrayRef> {
    let column = frame.column(&spec.name)?;
    let expected = spec.physical.polars();
    if *column.dtype() != expected {
        let found = column.dtype();
        let message = format!("column {:?}: expected {expected}, found {found}", spec.name);
        return Err(PolarsError::SchemaMismatch(message.into()));
    }
    Ok(match spec.physical {
        ColumnType::Text => Arc::new(column.str()?.iter().collect::<StringArray>()),
        ColumnType::Int32 => Arc::new(column.i32()?.iter().collect::<Int32Array>()),
        ColumnType::Int64 => Arc::new(column.i64()?.iter().collect::<Int64Array>()),
        ColumnType::Float32 => Arc::new(column.f32()?.iter().collect::<Float32Array>()),
        ColumnType::Float64 => Arc::new(column.f64()?.iter().collect::<Float64Array>()),
        ColumnType::Boolean => Arc::new(column.bool()?.iter().collect::<BooleanArray>()),
        ColumnType::Date => {
            let days = column.cast(&DataType::Int32)?;
            let days: Int32Array = days.i32()?.iter().collect();
            Arc::new(days.reinterpret_cast::<arrow::datatypes::Date32Type>())
        }
        ColumnType::Instant => {
            let micros = column.cast(&DataType::Int64)?;
            let micros: TimestampMicrosecondArray = micros.i64()?.iter().collect();
            Arc::new(micros.with_timezone("UTC"))
        }
        ColumnType::Floats => Arc::new(lists(column)?),
    })
}

/// Lists of numbers, of which neither a list nor a number is null.
fn lists(column: &Column) -> PolarsResult<ListArray> {
    let null =
        || PolarsError::InvalidOperation(format!("column {:?} has nulls", column.name()).into());
    let (mut values, mut lengths) = (Vec::new(), Vec::with_capacity(column.len()));
    for list in column.list()?.amortized_iter() {
        let list = list.ok_or_else(null)?;
        let numbers = list.as_ref().f32()?;
        lengths.push(numbers.len());
        for number in numbers.iter() {
            values.push(number.ok_or_else(null)?);
        }
    }
    let item = Arc::new(Field::new_list_field(ArrowType::Float32, false));
    let offsets = OffsetBuffer::from_lengths(lengths);
    Ok(ListArray::new(item, offsets, Arc::new(Float32Array::from(values)), None))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use parquet::basic::Repetition;
    use parquet::file::reader::{FileReader as _, SerializedFileReader};
    use polars::prelude::*;

    use super::*;
    use crate::check::output::check_output;
    use crate::fixture::{contract, instants, texts};

    fn write_output(
        contract: &Contract,
        frame: &DataFrame,
        metadata: &[(&str, &str)],
    ) -> Result<Vec<u8>, Error> {
        let mut file = OutputFile::new(contract, metadata);
        file.write(frame)?;
        file.finish()
    }

    fn lanes(rows: usize) -> DataFrame {
        let text = |name: &str| texts(name, (0..rows).map(|row| Some(format!("{name} {row}"))));
        let mut columns = vec![
            texts("grouped_by", (0..rows).map(|_| Some("origin_zone,carrier".to_owned()))),
            text("origin_zone"),
            texts("destination_zone", (0..rows).map(|_| None)),
            texts("origin_region", (0..rows).map(|_| None)),
            texts("destination_region", (0..rows).map(|_| None)),
            text("carrier"),
            texts("service", (0..rows).map(|_| None)),
            texts("weight_band", (0..rows).map(|_| None)),
            instants("as_of", vec![Some(0); rows]),
            text("model_id"),
            Column::new("n_shipments".into(), vec![3_i64; rows]),
            Column::new("probability_over_2d".into(), vec![0.5_f32; rows]),
        ];
        for (level, name) in terms::column::HOURS.into_iter().enumerate() {
            columns.push(Column::new(name.into(), vec![10.0 + level as f32; rows]));
        }
        let by_day = DataType::Float32;
        let name = "probability_by_day".into();
        let mut days = ListPrimitiveChunkedBuilder::<Float32Type>::new(name, rows, rows, by_day);
        (0..rows).for_each(|row| days.append_slice(&[row as f32 / 100.0, 0.9]));
        columns.push(days.finish().into_column());
        DataFrame::new(rows, columns).unwrap()
    }

    #[test]
    fn a_file_is_as_its_contract_says_and_says_which_that_is() {
        let contract = contract("speed_table");
        let frame = lanes(40);
        // In chunks and in another order of columns: the contract's counts.
        let mut chunks = frame.slice(0, 15);
        chunks.vstack_mut(&frame.slice(15, 25)).unwrap();
        let names: Vec<_> = frame.get_column_names().into_iter().rev().cloned().collect();
        let chunks = chunks.select(names).unwrap();
        let write = |frame| write_output(&contract, frame, &[("model_id", "m1")]).unwrap();
        let bytes = Bytes::from(write(&frame));
        assert_eq!(write(&chunks), bytes);
        let mut pieces = OutputFile::new(&contract, &[("model_id", "m1")]);
        pieces.write(&frame.slice(0, 15)).unwrap();
        pieces.write(&frame.slice(15, 25)).unwrap();
        assert_eq!(pieces.finish().unwrap(), bytes);
        assert!(OutputFile::new(&contract, &[]).finish().is_err(), "a file without columns");
        assert_eq!(check_output(&contract, "s.parquet", &bytes).unwrap(), 40);
        let read = ParquetReader::new(std::io::Cursor::new(&bytes)).finish().unwrap();
        assert!(read.equals_missing(&frame), "{read}");

        let reader = SerializedFileReader::new(bytes).unwrap();
        let file = reader.metadata().file_metadata();
        for field in file.schema_descr().root_schema().get_fields() {
            let spec = contract.column(field.name()).unwrap();
            let repetition = field.get_basic_info().repetition();
            assert_eq!(repetition == Repetition::REQUIRED, spec.required, "{}", field.name());
        }
        let metadata = file.key_value_metadata().unwrap().iter();
        let metadata: Vec<(&str, Option<&str>)> = metadata
            .filter(|entry| entry.key.starts_with(KEY_PREFIX))
            .map(|entry| (entry.key.as_str(), entry.value.as_deref()))
            .collect();
        let expected = [
            ("longhaul.contract", Some("speed_table")),
            ("longhaul.contract_version", Some(contract.version())),
            ("longhaul.model_id", Some("m1")),
        ];
        assert_eq!(metadata, expected);
    }

    #[test]
    fn what_is_not_as_the_contract_says_is_not_written() {
        let contract = contract("speed_table");
        let refused = |column: Column| {
            let mut frame = lanes(2);
            frame.with_column(column).unwrap();
            let error = write_output(&contract, &frame, &[]).unwrap_err();
            format!("{:#}", anyhow_like(&error))
        };
        let message = refused(texts("colour", (0..2).map(|_| None)));
        assert!(message.contains("\"colour\": not in the contract"), "{message}");
        let message = refused(texts("model_id", (0..2).map(|_| None)));
        assert!(message.contains("model_id"), "{message}");
        let message = refused(Column::new("n_shipments".into(), vec![1_i32; 2]));
        assert!(message.contains("expected i64, found i32"), "{message}");
        let lists = Series::new("probability_by_day".into(), [None::<Series>, None]);
        let lists = lists.cast(&ColumnType::Floats.polars()).unwrap();
        let message = refused(lists.into_column());
        assert!(message.contains("has nulls"), "{message}");
    }

    /// An error and its causes as one text.
    fn anyhow_like(error: &Error) -> String {
        let mut text = error.to_string();
        let mut cause = std::error::Error::source(error);
        while let Some(next) = cause {
            text += &format!(": {next}");
            cause = next.source();
        }
        text
    }
}
