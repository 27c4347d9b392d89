//! Reads a file of parity vectors that nobody vouches for: its size and its columns are checked before
//! anything is decoded.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float32Type};
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use scorer::{Parts, Scorer};
use store::{PageHeader, PageKind, contained};
use terms::FeatureList;

use super::parity_columns::{PARITY_FILE, SHAP, VERSION, expected};
use crate::Error;

/// A file of more is refused. Units: bytes.
const BYTES_MAX: usize = 64 << 20;
/// Rows of more are refused: verifying them would take seconds.
const ROWS_MAX: i64 = 1 << 14;
/// What the columns may take once decompressed. Units: bytes.
const DECODED_BYTES_MAX: u64 = 512 << 20;
/// Rows that are decoded at a time.
const ROWS_AT_A_TIME: usize = 256;

/// The file of a model, some rows at a time, once its size and columns are known to be right.
pub(super) struct Reader {
    batches: ParquetRecordBatchReader,
    names: Vec<String>,
    pub(super) n_rows: usize,
}

impl Reader {
    /// # Errors
    /// If the bytes are not vectors of this form, of this model, or of a size that is verified.
    pub(super) fn new(model: (&Parts, &Scorer), bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > BYTES_MAX {
            return Err(unreadable(format!("{} bytes, at most {BYTES_MAX} are read", bytes.len())));
        }
        let bytes = Bytes::copy_from_slice(bytes);
        let metadata = decoded(|| ArrowReaderMetadata::load(&bytes, Default::default()))?;
        let of_file = metadata.metadata().file_metadata();
        let pairs = of_file.key_value_metadata().into_iter().flatten();
        let schema = pairs.filter(|pair| pair.key == "schema").find_map(|pair| pair.value.clone());
        if schema.as_deref() != Some(VERSION) {
            let found = schema.unwrap_or_else(|| "none".to_owned());
            return Err(unreadable(format!("schema {found:?}, expected {VERSION:?}")));
        }
        let n_rows = of_file.num_rows();
        if !(1..=ROWS_MAX).contains(&n_rows) {
            return Err(unreadable(format!("{n_rows} rows, expected 1 to {ROWS_MAX}")));
        }

        if model.0.features.is_empty() {
            return Err(unreadable("the model has no features".to_owned()));
        }
        let columns = columns(model)?;
        let mut positions = Vec::with_capacity(columns.len());
        for (name, (data_type, _)) in &columns {
            let Some((position, field)) = metadata.schema().column_with_name(name) else {
                return Err(unreadable(format!("no column {name:?}, which this model has")));
            };
            if !is_alike(field.data_type(), data_type) {
                let found = field.data_type();
                return Err(unreadable(format!(
                    "column {name:?} is {found}, of this model it is {data_type}"
                )));
            }
            positions.push(position);
        }
        check_sizes(&bytes, metadata.metadata(), &columns)?;
        let mask = ProjectionMask::roots(metadata.parquet_schema(), positions);
        let batches = decoded(|| {
            ParquetRecordBatchReaderBuilder::new_with_metadata(bytes.clone(), metadata.clone())
                .with_projection(mask)
                .with_batch_size(ROWS_AT_A_TIME)
                .build()
        })?;
        let names = columns.into_keys().collect();
        Ok(Self { batches, names, n_rows: n_rows as usize })
    }

    /// The next rows; `None` after the last.
    ///
    /// # Errors
    /// If they cannot be decoded, or something is missing of them that must be there.
    pub(super) fn next(&mut self) -> Result<Option<RecordBatch>, Error> {
        let batch = contained(|| self.batches.next().transpose());
        let batch = batch.map_err(unreadable)?.map_err(|error| unreadable(error.to_string()))?;
        let Some(batch) = batch else { return Ok(None) };
        for name in &self.names {
            let Some(column) = batch.column_by_name(name) else {
                return Err(unreadable(format!("column {name:?} cannot be decoded")));
            };
            let lists = column.as_fixed_size_list_opt();
            let mut present = lists.into_iter().flat_map(|lists| lists.iter().flatten());
            if present.any(|list| list.null_count() > 0)
                || !name.starts_with(SHAP) && column.null_count() > 0
            {
                return Err(unreadable(format!("column {name:?} has a null")));
            }
        }
        Ok(Some(batch))
    }
}

/// The rows of a batch, in the order of the model's features.
///
/// # Errors
/// If a feature is missing.
pub(super) fn rows(features: &FeatureList, batch: &RecordBatch) -> Result<Vec<Vec<f32>>, Error> {
    let mut rows = vec![Vec::with_capacity(features.len()); batch.num_rows()];
    for feature in &features.0 {
        let column = batch.column_by_name(&feature.name);
        let column = column.and_then(|column| column.as_primitive_opt::<Float32Type>());
        let missing = || unreadable(format!("no column {:?} of f32", feature.name));
        let values = column.ok_or_else(missing)?.values();
        rows.iter_mut().zip(values).for_each(|(row, &value)| row.push(value));
    }
    Ok(rows)
}

/// The columns that are read, with their types and how many numbers a row has there.
fn columns(model: (&Parts, &Scorer)) -> Result<BTreeMap<String, (DataType, u64)>, Error> {
    let features = model.0.features.0.iter();
    let mut columns: BTreeMap<String, (DataType, u64)> =
        features.map(|feature| (feature.name.clone(), (DataType::Float32, 1))).collect();
    for (name, array) in expected(model, &[], &[])? {
        let width = match array.data_type() {
            DataType::FixedSizeList(_, length) => (*length).unsigned_abs().max(1),
            _ => 1,
        };
        columns.insert(name, (array.data_type().clone(), width.into()));
    }
    Ok(columns)
}

/// Whether types are equal but for the names that Arrow gives to the elements of lists.
fn is_alike(found: &DataType, expected: &DataType) -> bool {
    match (found, expected) {
        (DataType::FixedSizeList(a, m), DataType::FixedSizeList(b, n)) => {
            m == n && a.data_type() == b.data_type()
        }
        _ => found == expected,
    }
}

/// Refuses a file whose columns would take more memory than their rows need, before any is decoded.
fn check_sizes(
    bytes: &Bytes,
    metadata: &ParquetMetaData,
    columns: &BTreeMap<String, (DataType, u64)>,
) -> Result<(), Error> {
    let schema = metadata.file_metadata().schema_descr();
    let (mut total, mut n_rows) = (0_u64, 0_i64);
    for group in metadata.row_groups() {
        let of_group = u64::try_from(group.num_rows()).ok();
        let of_group = of_group.ok_or_else(|| unreadable("a group of negative rows".to_owned()))?;
        n_rows = n_rows.saturating_add(group.num_rows());
        for (position, chunk) in group.columns().iter().enumerate() {
            let root = schema.get_column_root(position).name();
            if let Some((_, width)) = columns.get(root) {
                let n_values_max = of_group.saturating_mul(*width);
                let wrong = |what| unreadable(format!("column {root:?}: {what}"));
                let pages = pages(bytes, chunk).ok_or("it is beyond the file").map_err(wrong)?;
                let size = uncompressed_bytes(pages, n_values_max).map_err(wrong)?;
                total = total.saturating_add(size);
            }
        }
    }
    if n_rows != metadata.file_metadata().num_rows() {
        return Err(unreadable("its groups have other rows than it says".to_owned()));
    }
    if total > DECODED_BYTES_MAX {
        return Err(unreadable(format!(
            "{total} bytes once decompressed, at most {DECODED_BYTES_MAX} are read"
        )));
    }
    Ok(())
}

/// The pages of a column with their headers.
fn pages<'a>(bytes: &'a Bytes, chunk: &ColumnChunkMetaData) -> Option<&'a [u8]> {
    // Signed in the file: what is negative there is no place in it.
    let place = chunk.dictionary_page_offset().unwrap_or_else(|| chunk.data_page_offset());
    let start = usize::try_from(place).ok()?;
    let size = usize::try_from(chunk.compressed_size()).ok()?;
    bytes.get(start..start.checked_add(size)?)
}

/// What they decompress to, as their headers say, by which a decoder allocates.
fn uncompressed_bytes(mut pages: &[u8], n_values_max: u64) -> Result<u64, &'static str> {
    let (mut total, mut n_values) = (0_u64, 0_u64);
    while !pages.is_empty() {
        let (header, length) = PageHeader::read(pages).ok_or("the header of a page")?;
        let size = length.saturating_add(header.compressed_bytes as usize);
        pages = pages.get(size..).ok_or("a page is beyond the column")?;
        total = total.saturating_add(header.uncompressed_bytes.into());
        match header.kind {
            PageKind::Data => n_values = n_values.saturating_add(header.n_values.into()),
            PageKind::Dictionary if u64::from(header.n_values) > n_values_max => {
                return Err("a dictionary of more values than rows");
            }
            PageKind::Dictionary | PageKind::Other => {}
        }
    }
    if n_values > n_values_max { Err("more values than its rows have") } else { Ok(total) }
}

fn decoded<T>(decode: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, Error> {
    contained(decode).map_err(unreadable)?.map_err(|error| unreadable(error.to_string()))
}

pub(super) fn unreadable(problem: String) -> Error {
    Error::ParityFile { file: PARITY_FILE, problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The header of a page of a kind, in the compact protocol, and its bytes.
    fn page(kind: u64, uncompressed: u64, compressed: u64, n_values: u64) -> Vec<u8> {
        let varint = |mut zigzag: u64| {
            let mut bytes = Vec::new();
            while zigzag >= 0x80 {
                bytes.push(zigzag as u8 | 0x80);
                zigzag >>= 7;
            }
            bytes.push(zigzag as u8);
            bytes
        };
        let integer = |value: u64| [vec![0x15], varint(2 * value)].concat();
        let of_kind = [vec![if kind == 0 { 0x2c } else { 0x4c }], integer(n_values), vec![0]];
        let header = [integer(kind), integer(uncompressed), integer(compressed), of_kind.concat()];
        [header.concat(), vec![0], vec![7; compressed as usize]].concat()
    }

    #[test]
    fn pages_are_added_up_before_they_are_decompressed() {
        let (data, dictionary) = (page(0, 300, 20, 40), page(2, 100, 5, 9));
        let both = [dictionary.clone(), data.clone(), data.clone()].concat();
        assert_eq!(uncompressed_bytes(&both, 80), Ok(700));
        assert_eq!(uncompressed_bytes(&both, 79), Err("more values than its rows have"));
        assert_eq!(
            uncompressed_bytes(&dictionary, 8),
            Err("a dictionary of more values than rows")
        );
        assert_eq!(
            uncompressed_bytes(&both[..both.len() - 1], 80),
            Err("a page is beyond the column")
        );
        assert_eq!(uncompressed_bytes(&[0x15, 0], 80), Err("the header of a page"));
        // A few bytes that would become gigabytes.
        let bomb = uncompressed_bytes(&page(0, i32::MAX as u64, 20, 1), 80).unwrap();
        assert!(bomb > DECODED_BYTES_MAX);
    }
}
