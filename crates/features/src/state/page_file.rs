//! A month's page of running totals as a Parquet file.

use polars::prelude::*;
use rayon::prelude::*;
use terms::{Day, KeyIdx};

use crate::Error;
use crate::as_of::{CumulativeTotals, MonthPage, Totals};
use crate::columns::{frame_of, required_days, required_integers, required_positions};
use crate::parquet::{from_parquet, to_parquet};

/// Columns: the position of the quantity and key in the plan, the key, the day, the totals.
const POSITION: &str = "position";
const KEY: &str = "key";
const DAY: &str = "day";
const TOTALS: [&str; 3] = ["count", "sum", "squares"];

/// The page of a month, of all `totals`.
///
/// # Errors
/// If it is not in memory.
pub(super) fn write(totals: &[CumulativeTotals], month: Day) -> Result<Vec<u8>, Error> {
    let (mut positions, mut keys, mut days) = (Vec::new(), Vec::new(), Vec::new());
    let mut values: [Vec<i64>; 3] = Default::default();
    for (position, totals) in totals.iter().enumerate() {
        let page = totals.page(month).ok_or(Error::PageMissing { month })?;
        for (key, day, total) in page.entries(month) {
            positions.push(position as u32);
            keys.push(key.0);
            days.push(day.days_since_epoch());
            let total = [total.count, total.sum, total.squares];
            values.iter_mut().zip(total).for_each(|(values, value)| values.push(value));
        }
    }
    let mut columns = vec![
        Column::new(POSITION.into(), positions),
        Column::new(KEY.into(), keys),
        Column::new(DAY.into(), days),
    ];
    for (name, values) in TOTALS.into_iter().zip(values) {
        columns.push(Column::new(name.into(), values));
    }
    to_parquet(frame_of(columns)?)
}

/// Puts the page of a month back into all `totals`.
///
/// # Errors
/// If the bytes are not those of [`write`].
pub(super) fn load(totals: &mut [CumulativeTotals], month: Day, bytes: &[u8]) -> Result<(), Error> {
    let frame = from_parquet(bytes)?;
    let positions = required_positions(&frame, POSITION)?;
    let keys = required_positions(&frame, KEY)?;
    let days = required_days(&frame, DAY)?;
    let [counts, sums, squares] = TOTALS.map(|name| required_integers(&frame, name));
    let (counts, sums, squares) = (counts?, sums?, squares?);
    totals.par_iter_mut().enumerate().for_each(|(position, totals)| {
        let start_of = |position: usize| positions.partition_point(|&p| (p as usize) < position);
        let entries = (start_of(position)..start_of(position + 1)).map(|i| {
            let total = Totals { count: counts[i], sum: sums[i], squares: squares[i] };
            (KeyIdx(keys[i]), days[i], total)
        });
        totals.load_page(month, MonthPage::from_entries(month, entries));
    });
    Ok(())
}
