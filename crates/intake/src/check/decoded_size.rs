//! How much memory the rows of a Parquet file can take, from the headers of its pages: before any of
//! them is decompressed.
//!
//! A small file may hold a text of megabytes that a hundred thousand rows refer to, a page that
//! decompresses to gigabytes, or a page of two thousand million equal values. So every page of every
//! column that is read is accounted for: what it decompresses to, how many values it has, and how
//! long the longest text of a dictionary is, since each of its values may be that one.
//!
//! Source of the layout: Apache Parquet, `parquet.thrift` (PageHeader), in the compact protocol of
//! Apache Thrift.

use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::PageType;
use parquet::basic::Type;
use parquet::column::page::PageReader as _;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::serialized_reader::SerializedPageReader;

use super::page_header::{PageHeader, PageKind};

/// A file of more is refused: a day's partition has to fit in memory, with others beside it.
pub(crate) const DECODED_BYTES_MAX: u64 = 2 << 30;
/// Bytes of a value of fixed size, its validity included; of a text those beside its characters.
const VALUE_BYTES: u64 = 17;

/// An upper bound of the memory that `columns` of a file take once decoded. Units: bytes.
///
/// # Errors
/// If the pages are not as the footer says.
pub(crate) fn decoded_bytes_max(
    bytes: &Bytes,
    metadata: &ParquetMetaData,
    columns: &[&str],
) -> Result<u64> {
    let schema = metadata.file_metadata().schema_descr();
    let mut total: u64 = 0;
    let mut rows: i64 = 0;
    for group in metadata.row_groups() {
        rows = rows.checked_add(group.num_rows()).ok_or_else(|| damaged("its rows"))?;
        for (position, chunk) in group.columns().iter().enumerate() {
            let name = schema.column(position).path().parts().first().cloned().unwrap_or_default();
            if columns.contains(&name.as_str()) {
                let of_chunk = of_chunk(bytes, chunk, group.num_rows())?;
                total = total.saturating_add(of_chunk);
            }
        }
    }
    if rows != metadata.file_metadata().num_rows() {
        return Err(damaged("its number of rows"));
    }
    Ok(total)
}

fn of_chunk(bytes: &Bytes, chunk: &ColumnChunkMetaData, n_rows: i64) -> Result<u64> {
    let (start, length) = chunk.byte_range();
    let end = start.checked_add(length).filter(|end| *end <= bytes.len() as u64);
    let end = end.ok_or_else(|| damaged("the place of a column"))?;
    let mut pages = bytes.slice(start as usize..end as usize);
    let (mut total, mut n_values, mut in_dictionary) = (0_u64, 0_u64, None);
    while !pages.is_empty() {
        let (header, header_bytes) =
            PageHeader::read(&pages).ok_or_else(|| damaged("the header of a page"))?;
        let size = header_bytes + header.compressed_bytes as usize;
        if size > pages.len() {
            return Err(damaged("the size of a page"));
        }
        pages = pages.slice(size..);
        total += u64::from(header.uncompressed_bytes);
        match header.kind {
            PageKind::Dictionary if n_values == 0 && in_dictionary.is_none() => {
                in_dictionary = Some(header);
            }
            PageKind::Dictionary => return Err(damaged("a second dictionary")),
            PageKind::Data => n_values += u64::from(header.n_values),
            PageKind::Other => {}
        }
    }
    // Of a list each row has several.
    let is_flat = chunk.column_descr().max_rep_level() == 0;
    if is_flat && n_values != n_rows as u64 || n_values != chunk.num_values() as u64 {
        return Err(damaged("the number of values"));
    }
    if total > DECODED_BYTES_MAX {
        return Ok(total);
    }
    total += n_values * VALUE_BYTES;
    if chunk.column_type() != Type::BYTE_ARRAY {
        return Ok(total);
    }
    // What is not in a dictionary is in the pages as it is.
    let Some(dictionary) = in_dictionary else { return Ok(total) };
    let longest = longest_text(bytes, chunk, n_rows, &dictionary)?;
    Ok(total.saturating_add(n_values.saturating_mul(longest)))
}

/// The longest text of a dictionary. Units: bytes.
fn longest_text(
    bytes: &Bytes,
    chunk: &ColumnChunkMetaData,
    n_rows: i64,
    dictionary: &PageHeader,
) -> Result<u64> {
    let reader = Arc::new(bytes.clone());
    let pages = SerializedPageReader::new(reader, chunk, n_rows as usize, None);
    let page = match pages.and_then(|mut pages| pages.get_next_page()) {
        Ok(page) => page,
        // A codec that Polars knows and this reader does not: any text may be all of it.
        Err(ParquetError::General(_) | ParquetError::NYI(_)) => {
            return Ok(dictionary.uncompressed_bytes.into());
        }
        Err(error) => return Err(error),
    };
    let dictionary = page.filter(|page| page.page_type() == PageType::DICTIONARY_PAGE);
    let dictionary = dictionary.ok_or_else(|| damaged("its dictionary"))?;
    let (mut rest, mut longest) = (&dictionary.buffer()[..], 0);
    while let Some((length, texts)) = rest.split_first_chunk::<4>() {
        let length = u32::from_le_bytes(*length);
        rest = texts.get(length as usize..).ok_or_else(|| damaged("a text of its dictionary"))?;
        longest = longest.max(u64::from(length));
    }
    Ok(longest)
}

fn damaged(what: &str) -> ParquetError {
    ParquetError::General(format!("{what} is not what the footer says"))
}

#[cfg(test)]
mod tests {
    use polars::prelude::{Column, DataFrame, ParquetCompression, ParquetWriter};
    use statistics::SplitMix64;
    use store::Store;
    use terms::ErrorClass;

    use super::*;
    use crate::check::report::Check;
    use crate::error::Error;
    use crate::fixture::*;

    fn checked(store: &Store) -> Result<Check, Error> {
        check_anew(store, &contracts(), at("2026-01-06"))
    }

    fn put_orders(store: &Store, bytes: Vec<u8>) {
        store.put(&path("orders", "2026-01-02"), bytes.into()).unwrap();
    }

    fn written(mut frame: DataFrame, compression: ParquetCompression) -> Vec<u8> {
        let mut bytes = Vec::new();
        let writer = ParquetWriter::new(&mut bytes).with_compression(compression);
        writer.with_row_group_size(Some(17)).finish(&mut frame).unwrap();
        bytes
    }

    #[test]
    fn a_text_that_all_rows_might_refer_to_is_refused_before_it_is_decoded() {
        let zone = |n: usize, text: &str| if n == 7 { text.repeat(33_000) } else { "1".to_owned() };
        let rows: Vec<Order> = (0..70_000)
            .map(|n| Order { order_id: format!("o{n}"), ..orders()[0].clone() })
            .collect();
        let mut frame = orders_frame(&rows);
        let zones: Vec<String> = (0..rows.len()).map(|n| zone(n, "a")).collect();
        frame.with_column(Column::new("destination_zone".into(), zones)).unwrap();
        let mut bytes = Vec::new();
        ParquetWriter::new(&mut bytes)
            .with_compression(ParquetCompression::Zstd(None))
            .finish(&mut frame)
            .unwrap();
        let store = sound_store();
        put_orders(&store, bytes);
        let error = checked(&store).unwrap_err();
        assert_eq!(error.class(), ErrorClass::Contract);
        let place = path("orders", "2026-01-02");
        let expected = format!("orders {place}: expected rows that decode to at most 2048 MiB");
        assert!(error.to_string().starts_with(&expected), "{error}");
        assert!(error.hint().is_some());
    }

    #[test]
    fn whatever_is_altered_in_a_file_it_is_checked_or_refused_by_its_name() {
        let random = &mut SplitMix64::new(18);
        let (mut refused, mut passed) = (0, 0);
        for n in 0..200 {
            let compression = [
                ParquetCompression::Uncompressed,
                ParquetCompression::Snappy,
                ParquetCompression::Zstd(None),
            ][n % 3];
            let mut bytes = written(orders_frame(&orders()), compression);
            let length = bytes.len() as u64;
            // Half of them in the footer, where lengths and places are.
            let footer = u64::from(u32::from_le_bytes(
                bytes[bytes.len() - 8..bytes.len() - 4].try_into().unwrap(),
            ));
            let from = if n % 2 == 0 { 4 } else { length - 8 - footer };
            for _ in 0..=random.next_u64() % 4 {
                let at = (from + random.next_u64() % (length - from)) as usize;
                bytes[at] = match random.next_u64() % 3 {
                    0 => random.next_u64() as u8,
                    1 => 0xff,
                    _ => bytes[at] ^ (1 << (random.next_u64() % 8)),
                };
            }
            let store = sound_store();
            put_orders(&store, bytes);
            match checked(&store) {
                Ok(_) => passed += 1,
                Err(error) => {
                    refused += 1;
                    let refused = [ErrorClass::Contract, ErrorClass::Input];
                    assert!(refused.contains(&error.class()), "{n}: {error}");
                    // Shipments whose orders are not what they were, or the file itself.
                    let text = error.to_string();
                    assert!(text.contains("2026-01-02") || text.contains("quarantine"), "{text}");
                }
            }
        }
        assert!(refused > 50 && passed > 5, "{refused} refused, {passed} passed");
    }

    #[test]
    fn what_is_found_beforehand_is_at_least_what_the_rows_take() {
        let frame = orders_frame(&orders());
        let size = frame.estimated_size() as u64;
        for compression in [ParquetCompression::Uncompressed, ParquetCompression::Zstd(None)] {
            let bytes = Bytes::from(written(frame.clone(), compression));
            let contract = contract("orders");
            let footer =
                crate::check::footer::Footer::read_unpartitioned(&contract, "p", &bytes).unwrap();
            let bound = footer.decoded_bytes_max;
            assert!((size / 2..50 * size).contains(&bound), "{bound} for {size}");
        }
    }
}
