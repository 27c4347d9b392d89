//! Copies of quarantined rows, for a person to look at.
//!
//! One Parquet file for each file that has bad rows, with the same path under `quarantine/` instead
//! of `tables/`: all columns in their own types, and `rule`, `source_path` and `source_row`. The
//! same check writes the same bytes.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, UInt32Array};
use arrow::datatypes::{DataType, Field, Schema};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReaderBuilder, RowSelection};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use store::Store;

use crate::batches::{BYTES_PER_ROW, batches};
use crate::check::Finding;
use crate::check::report::{FileCheck, QuarantinedRow};
use crate::error::Error;

/// Copies the quarantined rows of the files that a check read, and returns the paths written, in
/// order. Those of files that it did not read were copied by the check that read them.
///
/// # Errors
/// If a file changed since it was checked, or the store fails.
pub fn write_quarantine(store: &Store, finding: &Finding) -> Result<Vec<String>, Error> {
    let files = finding.check.tables.values().flat_map(|table| &table.files);
    let files: Vec<&FileCheck> = files
        .filter(|file| !rows_of(file).is_empty() && finding.files_read.contains(&file.path))
        .collect();
    let mut written = Vec::with_capacity(files.len());
    for batch in batches(&files, |file| (1, file.rows * BYTES_PER_ROW)) {
        let mut objects = Vec::with_capacity(batch.len());
        for file in batch {
            let bytes = store.get_verified(&file.path, &file.digest)?;
            let copy = copy_rows(&bytes, file)
                .map_err(|source| Error::QuarantineWrite { path: file.path.clone(), source })?;
            let path = path_of(&file.path);
            written.push(path.clone());
            objects.push((path, Bytes::from(copy)));
        }
        store.put_many(objects)?;
    }
    Ok(written)
}

fn path_of(source: &str) -> String {
    format!("quarantine/{}", source.strip_prefix("tables/").unwrap_or(source))
}

/// The rows of a file that are copied, ascending. Released ones stay in the copy that was reviewed.
fn rows_of(file: &FileCheck) -> Vec<&QuarantinedRow> {
    let mut rows: Vec<&QuarantinedRow> = file.quarantined.iter().chain(&file.released).collect();
    rows.sort_by_key(|row| row.row);
    rows
}

fn copy_rows(bytes: &Bytes, file: &FileCheck) -> Result<Vec<u8>, ParquetError> {
    let rows = rows_of(file);
    let ranges = rows.iter().map(|bad| bad.row as usize..bad.row as usize + 1);
    let selection = RowSelection::from_consecutive_ranges(ranges, file.rows as usize);
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes.clone())?;
    // Without the source's metadata of fields, whose order is not fixed.
    let mut fields: Vec<Field> = builder.schema().fields().iter().map(without_metadata).collect();
    fields.push(Field::new("rule", DataType::Utf8, false));
    fields.push(Field::new("source_path", DataType::Utf8, false));
    fields.push(Field::new("source_row", DataType::UInt32, false));
    let schema = Arc::new(Schema::new(fields));

    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), schema.clone(), Some(properties))?;
    let mut bad = rows.as_slice();
    for batch in builder.with_row_selection(selection).build()? {
        let batch = batch?;
        let (read, rest) = bad.split_at(batch.num_rows().min(bad.len()));
        bad = rest;
        let mut columns = batch.columns().to_vec();
        columns.extend(origins(file, read));
        writer.write(&RecordBatch::try_new(schema.clone(), columns)?)?;
    }
    writer.into_inner()
}

/// The rule, the path and the position of each row.
fn origins(file: &FileCheck, rows: &[&QuarantinedRow]) -> [ArrayRef; 3] {
    [
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.reason.as_str()))),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|_| file.path.as_str()))),
        Arc::new(UInt32Array::from_iter_values(rows.iter().map(|row| row.row))),
    ]
}

fn without_metadata(field: &Arc<Field>) -> Field {
    Field::new(field.name(), field.data_type().clone(), field.is_nullable())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::*;

    #[test]
    fn bad_rows_are_copied_whole_with_rule_and_origin_and_the_same_bytes_again() {
        let store = sound_store();
        let mut rows = delivered();
        rows[3].n_units = 0;
        rows[9].status = "teleported";
        put(&store, "shipments", "2026-01-05", shipments_frame(&rows));
        let checked = find(&store, &contracts(), at("2026-01-06")).unwrap();
        let written = write_quarantine(&store, &checked).unwrap();
        assert_eq!(written, ["quarantine/shipments/recorded_on=2026-01-05/part-0000.parquet"]);

        let bytes = store.get(&written[0]).unwrap();
        let mut batches = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap();
        let batch = batches.next().unwrap().unwrap();
        let shown = |name: &str| {
            let column = batch.column_by_name(name).unwrap();
            let text = |row| arrow::util::display::array_value_to_string(column, row).unwrap();
            [text(0), text(1)]
        };
        assert_eq!(batch.num_rows(), 2);
        assert_eq!(shown("shipment_id"), ["s03", "s09"]);
        assert_eq!(shown("rule"), ["n_units_range", "status_unknown"]);
        assert_eq!(shown("source_row"), ["3", "9"]);
        assert_eq!(shown("source_path")[0], path("shipments", "2026-01-05"));

        let before = contents(&store);
        write_quarantine(&store, &checked).unwrap();
        assert_eq!(contents(&store), before);
    }
}
