//! Arrow columns of one table, written as Parquet.
//!
//! The bytes depend on the rows alone: what Parquet writes about the writer is fixed here.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, TimestampMicrosecondBuilder};
use arrow::datatypes::{Field, Schema};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use terms::{Day, column};

use crate::error::Error;

const CREATED_BY: &str = "longhaul simulate";
const ROW_GROUP_ROWS: usize = 128 * 1024;
const MICROS: i64 = 1_000_000;

/// Finished columns of one table.
#[derive(Default)]
pub(crate) struct Columns(Vec<(Field, ArrayRef)>);

impl Columns {
    pub(crate) fn required(self, name: &str, array: ArrayRef) -> Self {
        self.column(name, array, false)
    }

    pub(crate) fn nullable(self, name: &str, array: ArrayRef) -> Self {
        self.column(name, array, true)
    }

    fn column(mut self, name: &str, array: ArrayRef, nullable: bool) -> Self {
        self.0.push((Field::new(name, array.data_type().clone(), nullable), array));
        self
    }

    pub(crate) fn into_parquet(
        self,
        table: &'static str,
        recorded_on: Day,
    ) -> Result<Bytes, Error> {
        let (fields, arrays): (Vec<_>, Vec<_>) = self.0.into_iter().unzip();
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
            .map_err(|source| Error::Columns { table, recorded_on, source })?;
        write(&batch).map_err(|source| Error::Write { table, recorded_on, source })
    }
}

fn write(batch: &RecordBatch) -> Result<Bytes, ParquetError> {
    let mut properties = WriterProperties::builder()
        .set_created_by(CREATED_BY.to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS));
    // A dictionary of values that do not repeat saves nothing.
    for name in [column::ORDER_ID, column::SHIPMENT_ID] {
        properties = properties.set_column_dictionary_enabled(ColumnPath::from(name), false);
    }
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties.build()))?;
    writer.write(batch)?;
    writer.close()?;
    Ok(bytes.into())
}

/// A column of instants, given in seconds since the epoch.
pub(crate) struct Instants(TimestampMicrosecondBuilder);

impl Default for Instants {
    fn default() -> Self {
        Self(TimestampMicrosecondBuilder::new().with_timezone("UTC"))
    }
}

impl Instants {
    pub(crate) fn push(&mut self, at: Option<i64>) {
        self.0.append_option(at.map(|seconds| seconds * MICROS));
    }

    pub(crate) fn finish(mut self) -> ArrayRef {
        Arc::new(self.0.finish())
    }
}

/// The array that a builder has built.
pub(crate) fn finish(mut builder: impl arrow::array::ArrayBuilder) -> ArrayRef {
    builder.finish()
}
