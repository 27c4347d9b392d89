//! A speed table that is open: looking lanes up where they are in the file.
#![expect(unsafe_code, reason = "a file is mapped into memory")]

use std::fmt;
use std::fs::File;
use std::path::Path;

use memmap2::Mmap;
use terms::Digest;

use super::buckets::Buckets;
use super::format::{Counts, Layout, ROW_BYTES, RowCounts, SpeedTableHeader};
use super::hash;
use super::lane::{Lane, LaneGrouping, N_GROUPINGS, N_KEY_COLUMNS, Words};
use super::lane_speed::LaneSpeed;
use super::numbers::u32_at;
use crate::error::Error;

/// What is said of a table that is in no file.
const IN_MEMORY: &str = "in memory";
/// What a key has for a text that is in no row: more than it can have for others.
const IN_NO_ROW: u32 = u32::MAX;

/// The speed of lanes, as a night has written it. It is never changed: threads share it by reference.
/// To take the next one, open it, and let the old one go.
///
/// ```
/// use scorer::{Lane, LaneGrouping, LaneRow, Mixture, SpeedTable, SpeedTableHeader};
/// use terms::DayGrid;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let as_of = "2026-11-20".parse()?;
/// # let all = LaneGrouping::ALL_SHIPMENTS;
/// # let by_zone = |grouping: &LaneGrouping| grouping.name() == "destination_zone";
/// # let fast = LaneGrouping::ALL.into_iter().find(by_zone).ok_or("no grouping by zone")?;
/// let slow_hours = [30.0, 40.0, 48.0, 60.0, 72.0, 84.0, 96.0, 120.0, 144.0];
/// let slow = Mixture::new(0.75, slow_hours, 0.4).distribution();
/// let quick = Mixture::new(0.05, slow_hours.map(|hours| hours / 3.0), 0.4).distribution();
/// let hamburg = Lane { destination_zone: Some("22041"), ..Lane::default() };
/// let rows = [
///     LaneRow { grouping: all, lane: Lane::default(), n_shipments: 9_000, distribution: slow },
///     LaneRow { grouping: fast, lane: hamburg, n_shipments: 40, distribution: quick },
/// ];
/// let header = SpeedTableHeader { model_id: "m1".into(), as_of, days: DayGrid::DAILY };
/// let table = SpeedTable::from_bytes(scorer::encode_speed_table(&header, &rows)?)?;
///
/// let speed = table.lookup(&hamburg);
/// assert_eq!((speed.grouping().name(), speed.n_shipments()), ("destination_zone".into(), 40));
/// assert!(speed.arrives_within(72.0, 0.95) && speed.can_be_delivered_quickly(0.9));
/// // Of a lane that has no row, the next coarser one is given: here that of all shipments.
/// let munich = Lane { destination_zone: Some("80331"), ..Lane::default() };
/// assert_eq!(table.lookup(&munich).grouping().name(), "all");
/// assert!(!table.lookup(&munich).can_be_delivered_quickly(0.9));
/// # Ok(())
/// # }
/// ```
pub struct SpeedTable {
    bytes: Bytes,
    header: SpeedTableHeader,
    rows: [RowCounts; N_GROUPINGS],
    longest_text_probe: u32,
    layout: Layout,
}

/// The bytes of a file.
enum Bytes {
    Mapped(Mmap),
    Owned(Vec<u8>),
}

impl SpeedTable {
    /// Opens a file and maps it into memory, where all processes that do so share it.
    ///
    /// A file that is open must stay as it is: the next one is written beside it and renamed to its
    /// name, as `longhaul speed` does. If one were written in place or cut off, lookups could give
    /// anything, or end the process.
    ///
    /// # Errors
    /// If it cannot be read, or is not of the form that this version reads.
    #[expect(clippy::disallowed_methods, reason = "a speed table is a file beside the service")]
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let name = || path.as_ref().display().to_string();
        let unreadable = |source| Error::SpeedTableUnreadable { file: name(), source };
        let file = File::open(&path).map_err(unreadable)?;
        // Reading a file of 217 MB into memory takes about a thousand times as long, and each process
        // would have a copy of its own (examples/speed_table.rs).
        // SAFETY: the mapping is read-only, and its bytes are the file's as long as nobody changes the
        // file in place; writers do not, they rename a new file to its name, which leaves this one alone.
        // Nothing is assumed of the bytes: each is read anew and checked where it is used, no reference
        // to anything but bytes is made, and no text is taken as UTF-8 without a look.
        let mapped = unsafe { Mmap::map(&file) }.map_err(unreadable)?;
        Self::new(Bytes::Mapped(mapped)).map_err(|problem| form_error(name(), problem))
    }

    /// The table of a file's bytes.
    ///
    /// # Errors
    /// If they are not of the form that this version reads.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, Error> {
        Self::new(Bytes::Owned(bytes)).map_err(|problem| form_error(IN_MEMORY.to_owned(), problem))
    }

    fn new(bytes: Bytes) -> Result<Self, String> {
        let (counts, layout, header) = Counts::read(bytes.as_slice())?;
        let Counts { rows, longest_text_probe, .. } = counts;
        Ok(Self { bytes, header, rows, longest_text_probe, layout })
    }

    /// What it says of itself.
    pub fn header(&self) -> &SpeedTableHeader {
        &self.header
    }

    /// How many rows it has.
    pub fn n_rows(&self) -> usize {
        self.rows.iter().map(|rows| rows.n as usize).sum()
    }

    /// The finest row that there is for a lane, that of all shipments if there is no other. A value that
    /// is not known matches only rows whose value is not known either.
    pub fn lookup(&self, lane: &Lane<'_>) -> LaneSpeed<'_> {
        let file = self.bytes.as_slice();
        let words = self.words(file, lane);
        // All keys are looked for at once, since waiting for memory is nearly all that this takes.
        let keys = LaneGrouping::ALL.map(|grouping| words.key(grouping));
        let hashes = keys.map(|key| hash::of_key(&key));
        let may_have: [bool; N_GROUPINGS] =
            std::array::from_fn(|at| self.row_buckets(file, at).may_have(hashes[at]));
        for (at, grouping) in LaneGrouping::ALL.into_iter().enumerate() {
            if !may_have[at] {
                continue;
            }
            let rows = &file[self.layout.rows[at].clone()];
            let is_it = |number| row_at(rows, number).is_some_and(|row| key_of(row) == keys[at]);
            let number = self.row_buckets(file, at).find(hashes[at], is_it);
            if let Some(row) = number.and_then(|number| row_at(rows, number)) {
                return LaneSpeed { row, grouping, days: self.header.days };
            }
        }
        // What was written has been found by now: an altered file has at least a row in its place.
        let row = row_at(&file[self.layout.rows[N_GROUPINGS - 1].clone()], 0);
        LaneSpeed {
            row: row.unwrap_or(&[0; ROW_BYTES]),
            grouping: LaneGrouping::ALL_SHIPMENTS,
            days: self.header.days,
        }
    }

    /// What keys have for the values of a lane.
    fn words(&self, file: &[u8], lane: &Lane<'_>) -> Words {
        let buckets = &file[self.layout.text_buckets.clone()];
        let buckets = Buckets::new(buckets, self.longest_text_probe);
        let texts = &file[self.layout.texts.clone()];
        let lane_texts = lane.texts();
        let hashes = lane_texts.map(|text| text.map_or(0, hash::of_text));
        let may_have = hashes.map(|hash| buckets.may_have(hash));
        let word = |column: usize| {
            let Some(text) = lane_texts[column] else { return 0 };
            let is_it = |number| text_at(texts, number) == Some(text.as_bytes());
            let found = if may_have[column] { buckets.find(hashes[column], is_it) } else { None };
            found.map_or(IN_NO_ROW, |number| number + 1)
        };
        lane.words(std::array::from_fn(word))
    }

    fn row_buckets<'a>(&self, file: &'a [u8], grouping: usize) -> Buckets<'a> {
        let bytes = &file[self.layout.row_buckets[grouping].clone()];
        Buckets::new(bytes, self.rows[grouping].longest_probe)
    }

    /// Reads the whole file and compares it with its digest.
    ///
    /// # Errors
    /// If it is not what was written.
    pub fn verify(&self) -> Result<(), Error> {
        let (written, expected) = self.bytes.as_slice().split_at(self.layout.digest.start);
        let found = Digest::of(written);
        if found.as_str().as_bytes() == expected {
            return Ok(());
        }
        let expected = String::from_utf8_lossy(expected).into_owned();
        Err(Error::SpeedTableAltered { expected, found })
    }
}

fn form_error(file: String, problem: String) -> Error {
    Error::SpeedTableForm { file, problem }
}

/// The text of a number: of where it begins.
fn text_at(texts: &[u8], number: u32) -> Option<&[u8]> {
    let (length, text) = texts.get(number as usize..)?.split_first_chunk()?;
    text.get(..u32::from_le_bytes(*length) as usize)
}

fn row_at(rows: &[u8], number: u32) -> Option<&[u8; ROW_BYTES]> {
    rows.as_chunks().0.get(number as usize)
}

fn key_of(row: &[u8; ROW_BYTES]) -> [u32; N_KEY_COLUMNS] {
    std::array::from_fn(|column| u32_at(row, 4 * column))
}

impl Bytes {
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Mapped(mapped) => mapped,
            Self::Owned(bytes) => bytes,
        }
    }
}

impl fmt::Debug for SpeedTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpeedTable")
            .field("header", &self.header)
            .field("n_rows", &self.n_rows())
            .finish_non_exhaustive()
    }
}
