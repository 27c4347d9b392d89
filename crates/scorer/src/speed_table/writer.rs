//! Writing a speed table: rows in any order to the same bytes.

use std::collections::{BTreeSet, HashMap};

use terms::Digest;

use super::format::{
    ALIGNMENT, Counts, DIGEST_BYTES, Layout, ONE, ROW_BYTES, ROWS_MAX, RowCounts, SpeedTableHeader,
};
use super::lane::{Lane, LaneGrouping, N_KEY_COLUMNS};
use super::{buckets, hash};
use crate::distribution::Distribution;
use crate::error::Error;

/// A row of a speed table as it is written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LaneRow<'a> {
    /// By which columns it is grouped.
    pub grouping: LaneGrouping,
    /// Its values in these columns; others do not count.
    pub lane: Lane<'a>,
    /// Of how many shipments it is.
    pub n_shipments: u32,
    /// Their distribution of delivery time.
    pub distribution: Distribution,
}

/// A row's grouping and key, in whose order rows are written, and its position among those given.
type Sorted = (LaneGrouping, [u32; N_KEY_COLUMNS], usize);

/// The file of a speed table. The same rows in any order give the same bytes.
///
/// # Errors
/// If a row's probabilities are of other days than the header's, or it is no distribution; if a lane
/// has two rows; if there is no row of all shipments; if there is more than 32 bits can count.
pub fn encode_speed_table(
    header: &SpeedTableHeader,
    rows: &[LaneRow<'_>],
) -> Result<Vec<u8>, Error> {
    check_rows(header, rows)?;
    let texts: BTreeSet<&str> = rows.iter().flat_map(texts_of).collect();
    let texts: Vec<&str> = texts.into_iter().collect();
    let (text_section, numbers) = numbered(&texts)?;
    let sorted = sorted(rows, &numbers)?;
    if sorted.last().is_none_or(|(last, ..)| *last != LaneGrouping::ALL_SHIPMENTS) {
        return Err(refused("expected a row of all shipments, found none".to_owned()));
    }

    let mut counts = Counts {
        model_id_bytes: counted("bytes of the model id", header.model_id.len())?,
        n_texts: counted("texts", texts.len())?,
        text_bytes: counted("bytes of texts", text_section.len())?,
        ..Counts::default()
    };
    let entries = texts.iter().map(|text| (hash::of_text(text), numbers[text]));
    let entries: Vec<(u64, u32)> = entries.collect();
    let mut text_buckets = Vec::new();
    counts.longest_text_probe = buckets::append(&entries, &mut text_buckets);
    let row_buckets = LaneGrouping::ALL.map(|grouping| {
        let of_grouping = sorted.iter().filter(|(of, ..)| *of == grouping);
        let hashes = of_grouping.map(|(_, key, _)| hash::of_key(key));
        let entries: Vec<(u64, u32)> = hashes.zip(0..).collect();
        let mut row_buckets = Vec::new();
        let longest_probe = buckets::append(&entries, &mut row_buckets);
        counts.rows[grouping.index()] = RowCounts { n: entries.len() as u32, longest_probe };
        row_buckets
    });
    let too_large = || refused("expected what memory can hold".to_owned());
    let layout = counts.layout().ok_or_else(too_large)?;

    let mut file = counts.head(header, &layout);
    file.reserve(layout.digest.end);
    section(&mut file).extend(header.model_id.as_bytes());
    section(&mut file).extend(text_buckets);
    section(&mut file).extend(text_section);
    row_buckets.into_iter().for_each(|buckets| section(&mut file).extend(buckets));
    for (_, key, position) in &sorted {
        append_row(key, &rows[*position], section(&mut file));
    }
    Ok(sealed(file, &layout))
}

/// Fills a file up to where its next section begins.
fn section(file: &mut Vec<u8>) -> &mut Vec<u8> {
    file.resize(file.len().next_multiple_of(ALIGNMENT), 0);
    file
}

/// The file with its digest at its end.
fn sealed(mut file: Vec<u8>, layout: &Layout) -> Vec<u8> {
    debug_assert_eq!(file.len(), layout.digest.start);
    let digest = Digest::of(&file);
    debug_assert_eq!(digest.as_str().len(), DIGEST_BYTES);
    file.extend(digest.as_str().as_bytes());
    file
}

fn check_rows(header: &SpeedTableHeader, rows: &[LaneRow<'_>]) -> Result<(), Error> {
    if rows.len() > ROWS_MAX {
        return Err(refused(format!("expected at most {ROWS_MAX} rows, found {}", rows.len())));
    }
    for (position, row) in rows.iter().enumerate() {
        let Distribution { probability_over_2d, hours, by_day, days } = &row.distribution;
        let problem = if *days != header.days {
            let (expected, found) = (header.days.last_day(), days.last_day());
            format!(
                "expected probabilities up to day {expected}, as the header says, found {found}"
            )
        } else if !(0.0..=1.0).contains(probability_over_2d) {
            format!("expected a probability of more than two days, found {probability_over_2d}")
        } else if !hours.is_sorted() || !hours.iter().all(|hours| hours.is_finite()) {
            format!("expected ascending hours, found {hours:?}")
        } else if !by_day.is_sorted() || !by_day.iter().all(|p| (0.0..=1.0).contains(p)) {
            format!("expected ascending probabilities by day, found {by_day:?}")
        } else {
            continue;
        };
        return Err(refused(format!("row {position}, by {}: {problem}", row.grouping)));
    }
    Ok(())
}

/// The texts of a row, as far as its grouping has them.
fn texts_of<'a>(row: &LaneRow<'a>) -> impl Iterator<Item = &'a str> {
    let texts = row.lane.texts();
    row.grouping.positions().filter_map(move |position| *texts.get(position)?)
}

/// The section of these texts, and the number of each.
fn numbered<'a>(texts: &[&'a str]) -> Result<(Vec<u8>, HashMap<&'a str, u32>), Error> {
    let mut section = Vec::new();
    let mut numbers = HashMap::with_capacity(texts.len());
    for text in texts {
        numbers.insert(*text, counted("bytes of texts", section.len())?);
        section.extend(counted("bytes of a text", text.len())?.to_le_bytes());
        section.extend(text.as_bytes());
    }
    Ok((section, numbers))
}

/// The rows in the order in which they are written.
fn sorted(rows: &[LaneRow<'_>], numbers: &HashMap<&str, u32>) -> Result<Vec<Sorted>, Error> {
    // A text that is of none of the grouping's columns has no number, and none is looked at.
    let word = |text: Option<&str>| text.and_then(|text| numbers.get(text)).map_or(0, |at| at + 1);
    let key_of = |row: &LaneRow<'_>| row.lane.words(row.lane.texts().map(word)).key(row.grouping);
    let keyed = rows.iter().enumerate().map(|(at, row)| (row.grouping, key_of(row), at));
    let mut sorted: Vec<Sorted> = keyed.collect();
    sorted.sort_unstable();
    match sorted.array_windows().find(|[a, b]| (a.0, a.1) == (b.0, b.1)) {
        None => Ok(sorted),
        Some([(grouping, _, first), (.., second)]) => {
            let lane = &rows[*first].lane;
            Err(refused(format!(
                "expected one row of each lane, found rows {first} and {second} by {grouping}, of {lane:?}"
            )))
        }
    }
}

fn append_row(key: &[u32; N_KEY_COLUMNS], row: &LaneRow<'_>, file: &mut Vec<u8>) {
    let Distribution { probability_over_2d, hours, by_day, .. } = &row.distribution;
    let start = file.len();
    let numbers = key.iter().copied().chain([row.n_shipments, probability_over_2d.to_bits()]);
    let numbers = numbers.chain(hours.iter().map(|hours| hours.to_bits()));
    file.extend(numbers.flat_map(u32::to_le_bytes));
    let by_day =
        by_day.iter().map(|&probability| (f64::from(probability) * f64::from(ONE)).round() as u16);
    file.extend(by_day.flat_map(u16::to_le_bytes));
    file.resize(start + ROW_BYTES, 0);
}

fn counted(what: &str, n: usize) -> Result<u32, Error> {
    let fits = u32::try_from(n).ok().filter(|&n| n as usize <= ROWS_MAX);
    fits.ok_or_else(|| refused(format!("expected at most {ROWS_MAX} {what}, found {n}")))
}

fn refused(problem: String) -> Error {
    Error::SpeedTableRows { problem }
}
