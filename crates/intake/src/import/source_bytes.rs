//! The bytes of a source file: unpacked if they are gzip, and as UTF-8 if they are another encoding.

use std::io::{Error, Read as _};

use encoding_rs::{DecoderResult, Encoding, UTF_8};
use flate2::read::MultiGzDecoder;

/// The first bytes of a gzip member (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// What files begin with that are no text, and what they are.
const BINARY: [(&[u8], &str); 7] = [
    (b"PK\x03\x04", "a zip archive, or a workbook of a spreadsheet"),
    (b"\xd0\xcf\x11\xe0", "a workbook of a spreadsheet"),
    (b"\x28\xb5\x2f\xfd", "a file packed with zstd"),
    (b"\xfd7zXZ\x00", "a file packed with xz"),
    (b"BZh91AY&SY", "a file packed with bzip2"),
    (b"PAR1", "Parquet"),
    (b"SQLite format 3\x00", "an SQLite database"),
];

/// What a file is that is no text, by its first bytes.
pub(crate) fn binary_format(bytes: &[u8]) -> Option<&'static str> {
    BINARY.iter().find(|(first, _)| bytes.starts_with(first)).map(|(_, name)| *name)
}

/// Why a file cannot be unpacked.
#[derive(Debug)]
pub(crate) enum Unpacking {
    /// It is damaged or cut off.
    Damaged(Error),
    /// It is larger than allowed.
    TooLarge,
}

/// The bytes, unpacked if they are gzip, whatever the file is called; at most `bytes_max` are made.
pub(crate) fn unpacked(bytes: Vec<u8>, bytes_max: u64) -> Result<Vec<u8>, Unpacking> {
    if !bytes.starts_with(&GZIP) {
        return Ok(bytes);
    }
    let mut unpacked = Vec::new();
    MultiGzDecoder::new(bytes.as_slice())
        .take(bytes_max.saturating_add(1))
        .read_to_end(&mut unpacked)
        .map_err(Unpacking::Damaged)?;
    if unpacked.len() as u64 > bytes_max { Err(Unpacking::TooLarge) } else { Ok(unpacked) }
}

/// Bytes that are no text of their encoding.
#[derive(Debug)]
pub(crate) struct Malformed {
    /// The name of the encoding.
    pub(crate) encoding: &'static str,
    /// The text before them.
    pub(crate) before: String,
    /// The bytes, and those that follow; at most four.
    pub(crate) bytes: Vec<u8>,
}

/// How many bytes of a malformed text are shown.
const SHOWN: usize = 4;

/// The text as UTF-8, without a byte order mark, which tells the encoding, whatever is declared.
pub(crate) fn decoded(
    mut bytes: Vec<u8>,
    declared: &'static Encoding,
) -> Result<Vec<u8>, Malformed> {
    let (encoding, mark) = Encoding::for_bom(&bytes).unwrap_or((declared, 0));
    if mark > 0 {
        bytes.drain(..mark);
    }
    let malformed = |before: String, at: usize, bytes: &[u8]| Malformed {
        encoding: encoding.name(),
        before,
        bytes: bytes[at..].iter().take(SHOWN).copied().collect(),
    };
    if encoding == UTF_8 {
        return match std::str::from_utf8(&bytes) {
            Ok(_) => Ok(bytes),
            Err(error) => {
                let (valid, _) = bytes.split_at(error.valid_up_to());
                let before = String::from_utf8_lossy(valid).into_owned();
                Err(malformed(before, valid.len(), &bytes))
            }
        };
    }
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let mut text = String::with_capacity(bytes.len() + bytes.len() / 8);
    let mut read = 0;
    loop {
        let rest = &bytes[read..];
        let (result, n) = decoder.decode_to_string_without_replacement(rest, &mut text, true);
        read += n;
        match result {
            DecoderResult::InputEmpty => return Ok(text.into_bytes()),
            // At least the longest sequence that one step may write.
            DecoderResult::OutputFull => text.reserve(16 + (bytes.len() - read)),
            DecoderResult::Malformed(length, more) => {
                let at = read.saturating_sub(usize::from(length) + usize::from(more));
                return Err(malformed(text, at, &bytes));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write as _;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn gzip_is_unpacked_up_to_a_limit_and_never_half() {
        let text = b"a,b\n1,2\n".repeat(1000);
        assert_eq!(unpacked(text.clone(), 0).unwrap(), text);
        assert_eq!(unpacked(packed(&text), 8000).unwrap(), text);
        assert!(matches!(unpacked(packed(&text), 7999), Err(Unpacking::TooLarge)));
        // As of `cat a.gz b.gz`.
        let two = [packed(b"a\n"), packed(b"1\n")].concat();
        assert_eq!(unpacked(two.clone(), 100).unwrap(), b"a\n1\n");
        for cut in [two.len() - 1, two.len() - 5, 12] {
            assert!(matches!(unpacked(two[..cut].to_vec(), 100), Err(Unpacking::Damaged(_))));
        }
    }

    #[test]
    fn a_bomb_takes_no_more_memory_than_the_limit() {
        // A thousand times as large as it looks.
        let bomb = packed(&vec![b'0'; 50 << 20]);
        assert!(bomb.len() < 60_000, "{}", bomb.len());
        assert!(matches!(unpacked(bomb, 1 << 20), Err(Unpacking::TooLarge)));
    }

    #[test]
    fn texts_of_other_encodings_become_utf_8() {
        let text = |bytes: &[u8], label: &str| {
            let encoding = Encoding::for_label(label.as_bytes()).unwrap();
            String::from_utf8(decoded(bytes.to_vec(), encoding).unwrap()).unwrap()
        };
        assert_eq!(text(b"M\xfcnchen \x80 5", "windows-1252"), "München € 5");
        assert_eq!(text(b"M\xfcnchen", "latin1"), "München");
        assert_eq!(text(b"\x88\xae\x90\xec", "shift_jis"), "旭川");
        assert_eq!(text("München".as_bytes(), "utf-8"), "München");
        // A byte order mark tells what it is.
        assert_eq!(text(b"\xef\xbb\xbfa\xc3\xbc", "windows-1252"), "aü");
        assert_eq!(text(b"\xff\xfea\0,\0b\0", "utf-8"), "a,b");
        let long: Vec<u8> = vec![0xfc; 100_000];
        assert_eq!(text(&long, "windows-1252").chars().filter(|c| *c == 'ü').count(), 100_000);
    }

    #[test]
    fn bytes_that_are_no_text_are_found_where_they_are() {
        let refused = |bytes: &[u8], label: &str| {
            let encoding = Encoding::for_label(label.as_bytes()).unwrap();
            let Malformed { encoding, before, bytes } =
                decoded(bytes.to_vec(), encoding).unwrap_err();
            format!("{encoding} {before} {bytes:02X?}")
        };
        assert_eq!(refused(b"a\nM\xfcnchen", "utf-8"), "UTF-8 a\nM [FC, 6E, 63, 68]");
        assert_eq!(refused(b"\xc3\xbc\xc3", "utf-8"), "UTF-8 ü [C3]");
        assert_eq!(refused(b"\x88\xae,\x88", "shift_jis"), "Shift_JIS 旭, [88]");
        assert_eq!(refused(b"a\xff\xff1", "shift_jis"), "Shift_JIS a [FF, FF, 31]");
    }

    #[test]
    fn what_is_no_text_is_known_by_its_first_bytes() {
        assert_eq!(binary_format(b"id,zip\n"), None);
        assert_eq!(binary_format(b"PK\x03\x04\x14"), Some(BINARY[0].1));
        assert_eq!(binary_format(b"PAR1\x15"), Some("Parquet"));
    }
}
