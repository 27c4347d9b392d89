//! Where everything is in the file of a speed table. `docs/speed-table.md` is the description of it.
//!
//! Numbers are little-endian. The head has a fixed size and all counts; the sections follow it in a
//! fixed order, each from the next multiple of 64 bytes on, so that their places follow from the counts.

use std::ops::Range;

use terms::{DAYS_AHEAD, DayGrid, Instant, N_LEVELS};

use super::buckets::{BUCKET_BYTES, n_buckets};
use super::lane::{LaneGrouping, N_GROUPINGS, N_KEY_COLUMNS};
use super::numbers::{u32_at, u64_at};

pub(super) const MAGIC: [u8; 8] = *b"LHSPEED\n";
pub(super) const VERSION: u32 = 1;
/// Bytes of the head up to its groupings, and of each of those.
const FIXED_BYTES: usize = 64;
const GROUPING_BYTES: usize = 16;
pub(super) const HEAD_BYTES: usize = FIXED_BYTES + N_GROUPINGS * GROUPING_BYTES;
/// A row begins with its key; its probabilities by day begin with its second cache line.
pub(super) const ROW_BYTES: usize = 192;
pub(super) const ROW_SHIPMENTS: usize = 4 * N_KEY_COLUMNS;
pub(super) const ROW_OVER_2D: usize = ROW_SHIPMENTS + 4;
pub(super) const ROW_HOURS: usize = ROW_OVER_2D + 4;
pub(super) const ROW_BY_DAY: usize = ROW_HOURS + 4 * N_LEVELS;
const _: () = assert!(ROW_BY_DAY == 64 && ROW_BY_DAY + 2 * DAYS_AHEAD <= ROW_BYTES);
/// The SHA-256 of everything before it, as hexadecimal digits.
pub(super) const DIGEST_BYTES: usize = 64;
/// Sections begin at multiples of this, the size of a cache line.
pub(super) const ALIGNMENT: usize = 64;
/// More rows are no table of lanes, and their numbers would not fit into buckets.
pub(super) const ROWS_MAX: usize = 1 << 30;
/// A probability of 1, as it is written.
pub(super) const ONE: f32 = 65_535.0;

/// What a speed table says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpeedTableHeader {
    /// The model that made its distributions.
    pub model_id: String,
    /// The moment whose knowledge was used.
    pub as_of: Instant,
    /// The days of its probabilities.
    pub days: DayGrid,
}

/// How much of everything there is.
#[derive(Debug, Clone, Default)]
pub(super) struct Counts {
    pub(super) model_id_bytes: u32,
    pub(super) n_texts: u32,
    pub(super) text_bytes: u32,
    pub(super) longest_text_probe: u32,
    pub(super) rows: [RowCounts; N_GROUPINGS],
}

/// How many rows a grouping has, and how many buckets are looked at, at most, to find one.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RowCounts {
    pub(super) n: u32,
    pub(super) longest_probe: u32,
}

/// Where the sections are.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub(super) model_id: Range<usize>,
    pub(super) text_buckets: Range<usize>,
    pub(super) texts: Range<usize>,
    /// For each grouping.
    pub(super) row_buckets: [Range<usize>; N_GROUPINGS],
    pub(super) rows: [Range<usize>; N_GROUPINGS],
    pub(super) digest: Range<usize>,
}

impl Counts {
    /// Where sections of these sizes are; `None` if this machine cannot address so much.
    pub(super) fn layout(&self) -> Option<Layout> {
        // Counts have 32 bits, so sums of a few of them times a row's bytes fit into 64.
        let mut end = HEAD_BYTES as u64;
        let mut section = |bytes: u64| -> Option<Range<usize>> {
            let start = end.next_multiple_of(ALIGNMENT as u64);
            end = start + bytes;
            Some(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
        };
        let empty = [const { 0..0 }; N_GROUPINGS];
        let mut layout = Layout {
            model_id: section(self.model_id_bytes.into())?,
            text_buckets: section(n_buckets(self.n_texts) * BUCKET_BYTES as u64)?,
            texts: section(self.text_bytes.into())?,
            row_buckets: empty.clone(),
            rows: empty,
            digest: 0..0,
        };
        for (buckets, rows) in layout.row_buckets.iter_mut().zip(&self.rows) {
            *buckets = section(n_buckets(rows.n) * BUCKET_BYTES as u64)?;
        }
        for (range, rows) in layout.rows.iter_mut().zip(&self.rows) {
            *range = section(u64::from(rows.n) * ROW_BYTES as u64)?;
        }
        layout.digest = section(DIGEST_BYTES as u64)?;
        Some(layout)
    }

    /// The head of a file with this layout.
    pub(super) fn head(&self, header: &SpeedTableHeader, layout: &Layout) -> Vec<u8> {
        let mut head = Vec::with_capacity(HEAD_BYTES);
        head.extend(MAGIC);
        for number in [VERSION, N_GROUPINGS as u32, ROW_BYTES as u32, header.days.last_day()] {
            head.extend(number.to_le_bytes());
        }
        head.extend(header.as_of.micros().to_le_bytes());
        head.extend((layout.digest.end as u64).to_le_bytes());
        let Self { model_id_bytes, n_texts, text_bytes, longest_text_probe, rows } = self;
        let text_buckets = (layout.text_buckets.len() / BUCKET_BYTES) as u32;
        for number in [model_id_bytes, n_texts, text_bytes, &text_buckets, longest_text_probe, &0] {
            head.extend(number.to_le_bytes());
        }
        for ((grouping, rows), buckets) in
            LaneGrouping::ALL.into_iter().zip(rows).zip(&layout.row_buckets)
        {
            let n_buckets = (buckets.len() / BUCKET_BYTES) as u32;
            for number in [grouping.column_bits(), rows.n, n_buckets, rows.longest_probe] {
                head.extend(number.to_le_bytes());
            }
        }
        head
    }

    /// The counts and the layout of a file, and what it says of itself. Nothing is allocated before all
    /// sections are known to be there.
    ///
    /// # Errors
    /// What was expected and what was found.
    pub(super) fn read(file: &[u8]) -> Result<(Self, Layout, SpeedTableHeader), String> {
        let head = file.get(..HEAD_BYTES).filter(|head| head.starts_with(&MAGIC));
        let head = head.ok_or("expected a file that begins with LHSPEED and has a whole head")?;
        let fixed: [u32; 4] = std::array::from_fn(|at| u32_at(head, 8 + 4 * at));
        let [version, n_groupings, row_bytes, last_day] = fixed;
        if (version, n_groupings, row_bytes) != (VERSION, N_GROUPINGS as u32, ROW_BYTES as u32) {
            return Err(format!(
                "expected version {VERSION} with {N_GROUPINGS} groupings and rows of {ROW_BYTES} bytes, \
                 found version {version} with {n_groupings} and {row_bytes}"
            ));
        }
        let days = DayGrid::try_from(last_day)?;
        let as_of = Instant::from_micros(u64_at(head, 24).cast_signed());
        let mut counts = Self {
            model_id_bytes: u32_at(head, 40),
            n_texts: u32_at(head, 44),
            text_bytes: u32_at(head, 48),
            longest_text_probe: u32_at(head, 56),
            rows: Default::default(),
        };
        check_buckets("texts", counts.n_texts, u32_at(head, 52), counts.longest_text_probe)?;
        for (grouping, rows) in LaneGrouping::ALL.into_iter().zip(&mut counts.rows) {
            let at = FIXED_BYTES + GROUPING_BYTES * grouping.index();
            let [bits, n, n_buckets, longest_probe] =
                std::array::from_fn(|number| u32_at(head, at + 4 * number));
            if bits != grouping.column_bits() {
                let expected = grouping.column_bits();
                return Err(format!(
                    "grouping {grouping}: expected columns {expected:#b}, found {bits:#b}"
                ));
            }
            check_buckets(&grouping.name(), n, n_buckets, longest_probe)?;
            *rows = RowCounts { n, longest_probe };
        }
        let n = counts.rows[LaneGrouping::ALL_SHIPMENTS.index()].n;
        if n != 1 {
            return Err(format!("expected one row of all shipments, found {n}"));
        }
        let layout = counts.layout().ok_or("expected a file that this machine can address")?;
        let (said, found, expected) = (u64_at(head, 32), file.len(), layout.digest.end);
        if found != expected || said != expected as u64 {
            return Err(format!(
                "expected {expected} bytes, as its counts add up to, found {found}; its head says {said}"
            ));
        }
        let model_id = std::str::from_utf8(&file[layout.model_id.clone()]);
        let model_id = model_id.map_err(|_| "expected a model id in UTF-8")?.to_owned();
        Ok((counts, layout, SpeedTableHeader { model_id, as_of, days }))
    }
}

/// Checks what the head says of the buckets of so many entries.
fn check_buckets(of: &str, n: u32, found: u32, longest_probe: u32) -> Result<(), String> {
    let expected = n_buckets(n);
    if n as usize > ROWS_MAX || u64::from(found) != expected || longest_probe > n {
        return Err(format!(
            "{of}: expected {expected} buckets for {n} entries and at most as many to look at, \
             found {found} and {longest_probe}"
        ));
    }
    Ok(())
}
