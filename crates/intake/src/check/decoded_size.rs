//! How much memory the rows of a Parquet file can take, from the headers of its pages: before any of
//! them is decompressed.
//!
//! A small file may hold a text of megabytes that a hundred thousand rows refer to, a page that
//! decompresses to gigabytes, or a page of two thousand million equal values. So every page of every
//! column that is read is accounted for: what it decompresses to, how many values it has, and how
//! long the longest text is that each of them may be. Where that is too much, the lengths of the texts
//! are counted value by value, without a copy of any: one long text among many short ones is no harm.
//!
//! Source of the layout: Apache Parquet, `parquet.thrift` (PageHeader), in the compact protocol of
//! Apache Thrift.

use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::PageType;
use parquet::basic::Type;
use parquet::column::page::PageReader as _;
use parquet::column::reader::{get_column_reader, get_typed_column_reader};
use parquet::data_type::ByteArrayType;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::serialized_reader::SerializedPageReader;
use store::{PageHeader, PageKind};

use super::delta_lists;

/// A file of more is refused: a day's partition has to fit in memory, with others beside it.
pub(crate) const DECODED_BYTES_MAX: u64 = 2 << 30;
/// Bytes of a value of fixed size, its validity included; of a text those beside its characters.
const VALUE_BYTES: u64 = 17;
/// Bytes of an entry of a dictionary beside its characters.
const ENTRY_BYTES: u64 = 40;
/// So much of texts may be held at once while they are counted. Units: bytes.
const COUNTED_BYTES: u64 = 32 << 20;

/// An upper bound of the memory that `columns` of a file take once decoded. Units: bytes.
///
/// # Errors
/// If the pages are not as the footer says.
pub(crate) fn decoded_bytes_max(
    bytes: &Bytes,
    metadata: &ParquetMetaData,
    columns: &[&str],
) -> Result<u64> {
    match of_columns(bytes, metadata, columns, |texts| texts.longest())? {
        total if total > DECODED_BYTES_MAX => {
            of_columns(bytes, metadata, columns, |texts| texts.counted())
        }
        total => Ok(total),
    }
}

fn of_columns(
    bytes: &Bytes,
    metadata: &ParquetMetaData,
    columns: &[&str],
    of_texts: fn(&Texts<'_>) -> Result<u64>,
) -> Result<u64> {
    let schema = metadata.file_metadata().schema_descr();
    let mut total: u64 = 0;
    let mut rows: i64 = 0;
    for group in metadata.row_groups() {
        rows = rows.checked_add(group.num_rows()).ok_or_else(|| damaged("its rows"))?;
        for (position, chunk) in group.columns().iter().enumerate() {
            let name = schema.column(position).path().parts().first().cloned().unwrap_or_default();
            if columns.contains(&name.as_str()) {
                let of_chunk = of_chunk(bytes, chunk, group.num_rows(), of_texts)?;
                total = total.saturating_add(of_chunk);
            }
        }
    }
    if rows != metadata.file_metadata().num_rows() {
        return Err(damaged("its number of rows"));
    }
    Ok(total)
}

fn of_chunk(
    bytes: &Bytes,
    chunk: &ColumnChunkMetaData,
    n_rows: i64,
    of_texts: fn(&Texts<'_>) -> Result<u64>,
) -> Result<u64> {
    let (start, length) = chunk.byte_range();
    let end = start.checked_add(length).filter(|end| *end <= bytes.len() as u64);
    let end = end.ok_or_else(|| damaged("the place of a column"))?;
    let mut pages = bytes.slice(start as usize..end as usize);
    let (mut total, mut n_values) = (0_u64, 0_u64);
    let (mut in_dictionary, mut sharing, mut has_lists) = (None, 0, false);
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
                // A text has four bytes of length at least.
                let n_entries = u64::from(header.n_values);
                let is_of_texts = chunk.column_type() == Type::BYTE_ARRAY;
                if is_of_texts && n_entries * 4 > u64::from(header.uncompressed_bytes) {
                    return Err(damaged("the size of its dictionary"));
                }
                total += n_entries * ENTRY_BYTES;
                in_dictionary = Some(header);
            }
            PageKind::Dictionary => return Err(damaged("a second dictionary")),
            PageKind::Data => {
                n_values += u64::from(header.n_values);
                has_lists |= header.has_lists;
                if header.shares_prefixes {
                    sharing = header.uncompressed_bytes.max(sharing);
                }
            }
            PageKind::Other => {}
        }
    }
    // Of a list each row has several.
    let is_flat = chunk.column_descr().max_rep_level() == 0;
    if is_flat && n_values != n_rows as u64 || n_values != chunk.num_values() as u64 {
        return Err(damaged("the number of values"));
    }
    total += n_values * VALUE_BYTES;
    if total > DECODED_BYTES_MAX || chunk.column_type() != Type::BYTE_ARRAY {
        return Ok(total);
    }
    let texts = Texts { bytes, chunk, n_rows, n_values, in_dictionary, sharing: sharing.into() };
    if has_lists {
        texts.require_lists_that_fit()?;
    }
    // What is not in a dictionary, and shares nothing, is in the pages as it is.
    if texts.in_dictionary.is_none() && sharing == 0 {
        return Ok(total);
    }
    Ok(total.saturating_add(of_texts(&texts)?))
}

/// The texts of a column of which some may be repeated.
struct Texts<'a> {
    bytes: &'a Bytes,
    chunk: &'a ColumnChunkMetaData,
    n_rows: i64,
    n_values: u64,
    in_dictionary: Option<PageHeader>,
    /// The largest page whose texts share beginnings; 0 if there is none. Units: bytes.
    sharing: u64,
}

impl Texts<'_> {
    /// Their lengths, if each were the longest. Units: bytes.
    fn longest(&self) -> Result<u64> {
        let of_dictionary = match &self.in_dictionary {
            Some(dictionary) => self.longest_of_dictionary(dictionary)?,
            None => 0,
        };
        Ok(self.n_values.saturating_mul(of_dictionary.max(self.sharing)))
    }

    fn pages(&self) -> Result<SerializedPageReader<Bytes>> {
        let reader = Arc::new(self.bytes.clone());
        SerializedPageReader::new(reader, self.chunk, self.n_rows as usize, None)
    }

    /// Refuses pages whose lists of lengths would take more memory than the page has values.
    fn require_lists_that_fit(&self) -> Result<()> {
        let column = self.chunk.column_descr();
        let levels = [column.max_rep_level() > 0, column.max_def_level() > 0];
        let mut pages = self.pages()?;
        loop {
            match pages.get_next_page() {
                Ok(Some(page)) if !delta_lists::fit(&page, levels) => {
                    return Err(damaged("the number of lengths of texts"));
                }
                Ok(Some(_)) => {}
                // A codec that this reader does not know: it decodes none of it either.
                Ok(None) | Err(ParquetError::General(_) | ParquetError::NYI(_)) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    fn longest_of_dictionary(&self, dictionary: &PageHeader) -> Result<u64> {
        let page = match self.pages().and_then(|mut pages| pages.get_next_page()) {
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
            let after = texts.get(length as usize..);
            rest = after.ok_or_else(|| damaged("a text of its dictionary"))?;
            longest = longest.max(u64::from(length));
        }
        Ok(longest)
    }

    /// Their lengths, value by value, up to what is too much; texts of a dictionary are not copied.
    /// Units: bytes.
    fn counted(&self) -> Result<u64> {
        let pages = Box::new(self.pages()?);
        let column = get_column_reader(self.chunk.column_descr_ptr(), pages);
        let mut column = get_typed_column_reader::<ByteArrayType>(column);
        // Texts that share their beginnings are copied, and each may be as long as its page.
        let at_once = (COUNTED_BYTES / self.sharing.max(1)).clamp(1, 1024) as usize;
        let (mut texts, mut definitions, mut repetitions) = (Vec::new(), Vec::new(), Vec::new());
        let mut total = 0;
        loop {
            texts.clear();
            definitions.clear();
            repetitions.clear();
            let levels = (Some(&mut definitions), Some(&mut repetitions));
            let read = column.read_records(at_once, levels.0, levels.1, &mut texts);
            let n_records = match read {
                Ok((n_records, _, _)) => n_records,
                // As above.
                Err(ParquetError::General(_) | ParquetError::NYI(_)) => return self.longest(),
                Err(error) => return Err(error),
            };
            total += texts.iter().map(|text| text.len() as u64).sum::<u64>();
            if n_records == 0 || total > DECODED_BYTES_MAX {
                return Ok(total);
            }
        }
    }
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
    use crate::check::listing::Listing;
    use crate::check::report::Check;
    use crate::check::review;
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

    /// Orders of which each has a zone.
    fn with_zones(zones: Vec<String>) -> DataFrame {
        let order = orders()[0].clone();
        let row = |n: usize| Order { order_id: format!("o{n}"), ..order.clone() };
        let mut frame = orders_frame(&(0..zones.len()).map(row).collect::<Vec<_>>());
        frame.with_column(Column::new("destination_zone".into(), zones)).unwrap();
        frame
    }

    #[test]
    fn one_long_text_among_short_ones_is_no_harm() {
        // Were each as long, 2.3 GB.
        let zone = |n: usize| if n == 7 { "a".repeat(33_000) } else { (n % 50).to_string() };
        let mut bytes = Vec::new();
        let mut frame = with_zones((0..70_000).map(zone).collect());
        ParquetWriter::new(&mut bytes)
            .with_compression(ParquetCompression::Zstd(None))
            .finish(&mut frame)
            .unwrap();
        let file = Bytes::from(bytes.clone());
        let contract = contract("orders");
        let footer =
            crate::check::footer::Footer::read_unpartitioned(&contract, "p", &file).unwrap();
        assert!(footer.decoded_bytes_max < 64 << 20, "{}", footer.decoded_bytes_max);
        let store = sound_store();
        put_orders(&store, bytes);
        let contracts = contracts();
        let listing = Listing::read(&store, &contracts, at("2026-01-06")).unwrap();
        let reviewed = review(&store, &contracts, &listing, None).unwrap().check;
        assert_eq!(reviewed.tables["orders"].rows_in, 70_000);
        assert_eq!(reviewed.tables["orders"].rows_quarantined, 1, "it is too long for a zone");
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
