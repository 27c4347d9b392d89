//! The header of a page of a Parquet file: the few fields of it that say how much memory the page
//! takes, read without trust.

/// What kind of page it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageKind {
    /// Values, of either version.
    Data,
    /// The values that data pages refer to.
    Dictionary,
    /// An index, which is not read.
    Other,
}

/// The header of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageHeader {
    /// What kind of page it is.
    pub kind: PageKind,
    /// Its size in the file, without the header. Units: bytes.
    pub compressed_bytes: u32,
    /// Its size once decompressed. Units: bytes.
    pub uncompressed_bytes: u32,
    /// How many values it has.
    pub n_values: u32,
    /// Whether the lengths of its texts are written as lists of differences.
    pub has_lists: bool,
    /// Whether its texts are written as what they share with the one before, and the rest: so that
    /// they may be longer than the page.
    pub shares_prefixes: bool,
}

// Encodings of which that is so.
const DELTA_LENGTH_BYTE_ARRAY: i64 = 6;
const DELTA_BYTE_ARRAY: i64 = 7;

/// Structs within structs: a header has two levels.
const DEPTH_MAX: usize = 8;

impl PageHeader {
    /// Reads the header at the start of `bytes`, and says how long it is.
    pub fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        let mut reader = Reader { rest: bytes };
        let (mut kind, mut uncompressed, mut compressed) = (None, None, None);
        let (mut n_values, mut encoding) = (0, None);
        let mut id = 0;
        while let Some(field) = reader.field(&mut id)? {
            match (id, field) {
                (1, I32) => kind = Some(reader.integer()?),
                (2, I32) => uncompressed = Some(reader.integer()?),
                (3, I32) => compressed = Some(reader.integer()?),
                // Of data, of a dictionary, of data of the second version.
                (5 | 7 | 8, STRUCT) => {
                    let integers = reader.integers()?;
                    n_values = integers[0]?;
                    encoding = if id == 8 { integers[3] } else { integers[1] };
                }
                (_, field) => reader.skip(field, DEPTH_MAX)?,
            }
        }
        let size = |size: Option<i64>| u32::try_from(size?).ok();
        let header = Self {
            kind: match kind? {
                0 | 3 => PageKind::Data,
                2 => PageKind::Dictionary,
                _ => PageKind::Other,
            },
            compressed_bytes: size(compressed)?,
            uncompressed_bytes: size(uncompressed)?,
            n_values: size(Some(n_values))?,
            has_lists: matches!(encoding, Some(DELTA_LENGTH_BYTE_ARRAY | DELTA_BYTE_ARRAY)),
            shares_prefixes: encoding == Some(DELTA_BYTE_ARRAY),
        };
        Some((header, bytes.len() - reader.rest.len()))
    }
}

// Types of the compact protocol.
const TRUE: u8 = 1;
const FALSE: u8 = 2;
const I8: u8 = 3;
const I16: u8 = 4;
const I32: u8 = 5;
const I64: u8 = 6;
const DOUBLE: u8 = 7;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const SET: u8 = 10;
const STRUCT: u8 = 12;

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    /// The type of the next field, and its number in `id`; `None` within if there is no more.
    fn field(&mut self, id: &mut i64) -> Option<Option<u8>> {
        let head = self.byte()?;
        if head == 0 {
            return Some(None);
        }
        *id = match head >> 4 {
            0 => self.integer()?,
            step => id.checked_add(step.into())?,
        };
        Some(Some(head & 0x0f))
    }

    fn unsigned(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// In zigzag.
    fn integer(&mut self) -> Option<i64> {
        let value = self.unsigned()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// The integers among the first four fields of a struct, and nothing else of it.
    fn integers(&mut self) -> Option<[Option<i64>; 4]> {
        let (mut id, mut integers) = (0, [None; 4]);
        while let Some(field) = self.field(&mut id)? {
            match (id, field) {
                (1..=4, I32) => integers[id as usize - 1] = Some(self.integer()?),
                (_, field) => self.skip(field, DEPTH_MAX - 1)?,
            }
        }
        Some(integers)
    }

    fn skip(&mut self, field: u8, depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match field {
            TRUE | FALSE => {}
            I8 => drop(self.byte()?),
            I16 | I32 | I64 => drop(self.integer()?),
            DOUBLE => self.skip_bytes(8)?,
            BINARY => {
                let length = self.unsigned()?;
                self.skip_bytes(length)?;
            }
            LIST | SET => {
                let head = self.byte()?;
                let length = match head >> 4 {
                    15 => self.unsigned()?,
                    length => length.into(),
                };
                for _ in 0..length {
                    match head & 0x0f {
                        TRUE | FALSE => drop(self.byte()?),
                        element => self.skip(element, depth)?,
                    }
                }
            }
            STRUCT => {
                let mut id = 0;
                while let Some(field) = self.field(&mut id)? {
                    self.skip(field, depth)?;
                }
            }
            _ => return None,
        }
        Some(())
    }

    fn skip_bytes(&mut self, length: u64) -> Option<()> {
        self.rest = self.rest.get(usize::try_from(length).ok()?..)?;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_with_its_length_and_anything_else_is_none() {
        // type 0, 300 bytes uncompressed, 200 compressed, crc 7, 40 values of encoding 0 …
        let header = [
            0x15, 0, 0x15, 0xd8, 4, 0x15, 0x90, 3, 0x15, 14, 0x1c, 0x15, 80, 0x15, 0, 0x15, 6,
            0x15, 6, 0, 0, 99,
        ];
        let (read, length) = PageHeader::read(&header).unwrap();
        let expected = PageHeader {
            kind: PageKind::Data,
            compressed_bytes: 200,
            uncompressed_bytes: 300,
            n_values: 40,
            has_lists: false,
            shares_prefixes: false,
        };
        assert_eq!((read, length), (expected, header.len() - 1));
        for end in 0..length {
            assert_eq!(PageHeader::read(&header[..end]), None);
        }
        // Whatever the bytes, it ends.
        let mut state = 3_u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        };
        for _ in 0..20_000 {
            let bytes: Vec<u8> = (0..40).map(|_| random()).collect();
            let _ = PageHeader::read(&bytes);
        }
        assert_eq!(PageHeader::read(&[0x1c; 4000]), None, "too deep");
    }
}
