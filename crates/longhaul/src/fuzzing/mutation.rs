//! Mutations of inputs: bits, bytes, ranges, numbers and lengths that nobody writes.
//!
//! Control objects and models carry a checksum; after a mutation it is most often put right, since
//! otherwise nothing behind it would ever be reached.

use statistics::SplitMix64;
use terms::Digest;

/// Inputs do not grow beyond this.
const BYTES_MAX: usize = 64 << 10;

/// Numbers at the ends of types, as texts.
const NUMBERS: [&str; 16] = [
    "0",
    "-1",
    "1",
    "255",
    "65536",
    "2147483647",
    "-2147483648",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615",
    "1e308",
    "1e-320",
    "1e999",
    "99999999999999999999999999",
];

/// Texts with a meaning somewhere.
const TEXTS: [&str; 28] = [
    "null",
    "true",
    "nan",
    "-inf",
    "\"\"",
    "''",
    "[]",
    "{}",
    "[[[[[[[[",
    "((((((((",
    "{{{{{{{{",
    "- - - - ",
    "&a [*a]",
    "<<: *a",
    "\\u0000",
    "\u{feff}",
    "\u{202e}",
    "0001-01-01",
    "9999-12-31T23:59:59.999999Z",
    "+262142-12-31",
    "2024-02-30",
    "Mars/Phobos",
    "../../x",
    "SELECT * FROM orders a, orders b",
    "NOT NOT NOT NOT ",
    "-- ",
    "/*",
    "'''",
];

/// Whole numbers at the ends of types, little-endian and as the variable-length integers of Thrift.
const BYTES: [&[u8]; 12] = [
    &[0xff, 0xff, 0xff, 0xff],
    &[0xff, 0xff, 0xff, 0x7f],
    &[0, 0, 0, 0x80],
    &[0, 0, 0, 0],
    &[0xff; 8],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
    &[0xfe, 0xff, 0xff, 0xff, 0x0f],
    &[0xff, 0xff, 0xff, 0xff, 0x0f],
    &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
    &[0x80, 0x80, 0x80, 0x80, 0x08],
    &[0, 0, 0xc0, 0x7f],
    &[0, 0, 0x80, 0xff],
];

/// Draws mutations.
pub(super) struct Mutator {
    random: SplitMix64,
}

impl Mutator {
    pub(super) fn new(seed: u64) -> Self {
        Self { random: SplitMix64::new(seed) }
    }

    /// A number below `n`; 0 if there is none.
    pub(super) fn below(&mut self, n: usize) -> usize {
        self.random.next_u64() as usize % n.max(1)
    }

    /// A place; in a binary file half of them near its end, where Parquet has its footer.
    fn place(&mut self, bytes: &[u8]) -> usize {
        let tail = bytes.len().min(600);
        if bytes.starts_with(b"PAR1") && self.below(2) == 0 {
            return bytes.len() - tail + self.below(tail);
        }
        self.below(bytes.len())
    }

    /// Where a range begins and ends, mostly a short one.
    fn range(&mut self, bytes: &[u8]) -> (usize, usize) {
        let start = self.place(bytes);
        let length_max = if self.below(4) == 0 { bytes.len() } else { 40 };
        (start, (start + 1 + self.below(length_max)).min(bytes.len()))
    }

    /// The input with a few mutations; `other` is another one, of which parts may be taken.
    pub(super) fn mutated(&mut self, input: &[u8], other: &[u8]) -> Vec<u8> {
        let mut bytes = input.to_vec();
        let n = 1 + self.below(3) * self.below(3);
        for _ in 0..n {
            self.mutate(&mut bytes, other);
            bytes.truncate(BYTES_MAX);
        }
        if self.below(8) > 0 {
            put_checksum_right(&mut bytes);
        }
        bytes
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>, other: &[u8]) {
        if bytes.is_empty() {
            bytes.extend(other);
            return;
        }
        let (start, end) = self.range(bytes);
        match self.below(13) {
            0 | 1 => bytes[start] ^= 1 << self.below(8),
            2 => bytes[start] = self.below(256) as u8,
            3 => bytes.truncate(start),
            4 => drop(bytes.drain(start..end)),
            5 => {
                let repeated = bytes[start..end].to_vec();
                let n = if self.below(6) == 0 { 2 << self.below(12) } else { 1 };
                let n = n.min(BYTES_MAX / repeated.len().max(1));
                bytes.splice(start..start, repeated.repeat(n));
            }
            6 => {
                let (from, to) = self.range(other);
                let part = other.get(from..to).unwrap_or_default().to_vec();
                bytes.splice(start..end, part);
            }
            7 => {
                let part = bytes[start..end].to_vec();
                let to = self.below(bytes.len());
                bytes.splice(to..to, part);
            }
            8 => {
                let hostile = BYTES[self.below(BYTES.len())];
                let end = (start + hostile.len()).min(bytes.len());
                bytes.splice(start..end, hostile.iter().copied());
            }
            9 | 10 => {
                // Of a number in the text all digits.
                let is_of_number = |byte: &u8| byte.is_ascii_digit();
                let digits = bytes[start..].iter().position(is_of_number).map(|at| at + start);
                let Some(digits) = digits else { return };
                let n = bytes[digits..].iter().take_while(|byte| is_of_number(byte)).count();
                let number = NUMBERS[self.below(NUMBERS.len())].bytes();
                bytes.splice(digits..digits + n, number);
            }
            11 => {
                let text = TEXTS[self.below(TEXTS.len())];
                let n = if self.below(6) == 0 { 1 << self.below(11) } else { 1 };
                bytes.splice(start..start, text.repeat(n).into_bytes());
            }
            _ => {
                // A word, or what is between two signs, by another one of the same text.
                let is_of_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
                let word = |at: usize| {
                    let n = bytes[at..].iter().take_while(|byte| is_of_word(byte)).count();
                    at..at + n
                };
                let (from, to) = (word(start), word(self.below(bytes.len())));
                let part = bytes[from].to_vec();
                bytes.splice(to, part);
            }
        }
    }
}

/// Puts the digest of a control object right, or the checksum of a model.
fn put_checksum_right(bytes: &mut [u8]) {
    const FIELD: &[u8] = b"\"sha256\": \"";
    if bytes.starts_with(b"{\n  \"schema\"") {
        let field = bytes.windows(FIELD.len()).position(|window| window == FIELD);
        let Some(start) = field.map(|at| at + FIELD.len()) else { return };
        if bytes.len() < start + 64 {
            return;
        }
        bytes[start..start + 64].fill(b'0');
        let digest = Digest::of(bytes);
        bytes[start..start + 64].copy_from_slice(digest.as_str().as_bytes());
    } else if bytes.starts_with(b"LHBT") && bytes.len() >= 12 {
        let end = bytes.len() - 8;
        let checksum = bytes[..end].iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        bytes[end..].copy_from_slice(&checksum.to_le_bytes());
    }
}

#[test]
fn what_is_mutated_differs_and_its_checksum_is_put_right() {
    const SCHEMA: terms::Schema = terms::Schema { name: "test", version: 1 };
    let sealed = SCHEMA.seal(&serde_json::json!({ "rows": 17 })).unwrap();
    let mut mutator = Mutator::new(1);
    let (mut opened, mut differing) = (0, 0);
    for _ in 0..1000 {
        let bytes = mutator.mutated(&sealed, b"{ \"rows\": 18 }");
        differing += u32::from(bytes != sealed);
        opened += u32::from(bytes != sealed && SCHEMA.open::<serde_json::Value>(&bytes).is_ok());
    }
    assert!(differing > 800 && opened > 100, "{differing} differ, {opened} of them are sealed");
}
