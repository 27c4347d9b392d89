//! Lists of differences in a page of a Parquet file, as which the lengths of texts may be written: that
//! they hold no more values than the page, since a decoder makes room for what they say.
//!
//! Source of the layout: Apache Parquet, `Encodings.md` (delta encoding, delta-length byte array, delta
//! strings).

use parquet::basic::Encoding;
use parquet::column::page::Page;

/// Whether each list of a page has at most as many values as the page. `levels` says for repetition and
/// definition whether the page has such levels.
pub(crate) fn fit(page: &Page, levels: [bool; 2]) -> bool {
    let n_lists = match page.encoding() {
        Encoding::DELTA_LENGTH_BYTE_ARRAY => 1,
        Encoding::DELTA_BYTE_ARRAY => 2,
        _ => return true,
    };
    let bytes = page.buffer();
    let values = match page {
        Page::DataPage { .. } => {
            // Before the values, each with its length.
            levels.iter().filter(|is_there| **is_there).try_fold(&bytes[..], |rest, _| {
                let (length, rest) = rest.split_first_chunk::<4>()?;
                rest.get(u32::from_le_bytes(*length) as usize..)
            })
        }
        Page::DataPageV2 { def_levels_byte_len, rep_levels_byte_len, .. } => {
            let length = u64::from(*def_levels_byte_len) + u64::from(*rep_levels_byte_len);
            bytes.get(length as usize..)
        }
        Page::DictionaryPage { .. } => return true,
    };
    let Some(mut rest) = values else { return false };
    // Of a page of nulls there is none.
    if rest.is_empty() {
        return true;
    }
    (0..n_lists).all(|_| skip(&mut rest, page.num_values().into()).is_some())
}

/// Goes behind a list of at most `n_max` values.
fn skip(rest: &mut &[u8], n_max: u64) -> Option<()> {
    let (block, n_parts, n_values) = (number(rest)?, number(rest)?, number(rest)?);
    let _first = number(rest)?;
    if n_values > n_max || n_parts == 0 || block > 1 << 20 || n_parts > block {
        return None;
    }
    let of_part = block / n_parts;
    let mut left = n_values.saturating_sub(1);
    while left > 0 {
        let _least = number(rest)?;
        let widths = rest.get(..n_parts as usize)?;
        *rest = &rest[widths.len()..];
        for width in widths {
            if left == 0 {
                break;
            }
            let length = (of_part * u64::from(*width)).div_ceil(8);
            // The last part may be cut off behind its values.
            *rest = rest.get(length as usize..).unwrap_or_default();
            left = left.saturating_sub(of_part);
        }
    }
    Some(())
}

/// A number of variable length.
fn number(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(bytes: Vec<u8>, num_values: u32) -> Page {
        Page::DataPageV2 {
            buf: bytes.into(),
            num_values,
            encoding: Encoding::DELTA_BYTE_ARRAY,
            num_nulls: 0,
            num_rows: num_values,
            def_levels_byte_len: 0,
            rep_levels_byte_len: 0,
            is_compressed: false,
            statistics: None,
        }
    }

    #[test]
    fn a_list_of_more_values_than_its_page_is_none() {
        // Blocks of 128 values in 4 parts: the prefixes 0 and 1, then the suffixes 1 and 1.
        let prefixes = [0x80, 1, 4, 2, 0, 2, 0, 0, 0, 0];
        let suffixes = [0x80, 1, 4, 2, 2, 0, 0, 0, 0, 0];
        let bytes = |n: &[u8]| {
            let mut bytes = [&prefixes[..], &suffixes[..], b"ab"].concat();
            bytes.splice(13..14, n.iter().copied());
            bytes
        };
        assert!(fit(&page(bytes(&[2]), 2), [false, false]));
        assert!(!fit(&page(bytes(&[2]), 1), [false, false]));
        let tera = [0xff, 0xff, 0xff, 0xff, 0xff, 0x1f];
        assert!(!fit(&page(bytes(&tera), 2), [false, false]));
        assert!(!fit(&page(vec![0x80], 2), [false, false]));
        assert!(fit(&page(Vec::new(), 2), [false, false]));
    }
}
