//! The level of the network: how long a delivery would take at the pace of the last weeks.
//!
//! It is the median of the life table of a period: of every age, how many hours were spent at risk
//! in it in the days before, and how many deliveries happened. No order has to have matured for it,
//! and a backlog that is worked off does not make it longer, as it does the mean of what arrived.
//!
//! Where many shipments are never delivered, half of all would be reached late or never. So where less
//! than nine tenths of the table's shipments are delivered, it is the quantile of as much less than
//! one half.
//!
//! Source: `statistics::life_table_quantile`.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use polars::prelude::*;
use serde::{Deserialize, Serialize};
use statistics::{life_table_quantile, life_table_share};
use terms::{Day, column};

use crate::Error;
use crate::as_of::CumulativeTotals;
use crate::at_risk::life_table;

/// With fewer deliveries the longest window has no level.
const DELIVERIES_MIN: f64 = 30.0;

/// Where so large a share is delivered, the level is the median of all shipments.
const DELIVERED_SHARE: f64 = 0.9;

/// Which windows the level of the network is estimated over.
///
/// The shorter a window, the sooner the level follows the network, and the noisier it is. So it is that of the
/// shortest window with enough deliveries: a large network has it of a week, a small one of a month, and the
/// week of a strike is left out while there is little else in the short one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LevelDeclaration {
    /// Lengths in days of recording before the order's midnight, ascending.
    pub windows_days: Vec<u16>,
    /// How many deliveries a window must have for a longer one not to be taken. Default 300. Of the longest 30
    /// are enough.
    #[serde(default = "deliveries_min")]
    pub deliveries_min: u32,
}

fn deliveries_min() -> u32 {
    300
}

impl LevelDeclaration {
    pub(crate) fn check(&self) -> Result<(), Error> {
        let is_ascending = self.windows_days.is_sorted_by(|a, b| a < b);
        let in_range = self.windows_days.iter().all(|window| (1..=366).contains(window));
        if self.windows_days.is_empty() || !is_ascending || !in_range {
            return Err(Error::Impossible {
                feature: "level".to_owned(),
                expected: "windows_days that ascend, from 1 to 366",
                found: format!("windows_days = {:?}", self.windows_days),
            });
        }
        Ok(())
    }
}

/// The level of each row. `before` has for each the day before which facts count; the totals are of ages up to
/// `lost_after_days`. Units: hours.
///
/// # Errors
/// If a page that they need is evicted.
pub(crate) fn column(
    declared: &LevelDeclaration,
    totals: &CumulativeTotals,
    (before, lost_after_days): (&[Day], i32),
) -> Result<Column, Error> {
    let mut by_day: BTreeMap<Day, Option<f64>> = BTreeMap::new();
    for &day in before {
        if let Entry::Vacant(entry) = by_day.entry(day) {
            entry.insert(of_day(declared, totals, (day, lost_after_days))?);
        }
    }
    let level = |day: &Day| by_day.get(day)?.map(|level| level as f32);
    Ok(Column::new(column::LEVEL_HOURS.into(), before.iter().map(level).collect::<Vec<_>>()))
}

/// The level on a day: of the shortest window that has one.
fn of_day(
    declared: &LevelDeclaration,
    totals: &CumulativeTotals,
    day: (Day, i32),
) -> Result<Option<f64>, Error> {
    let longest = declared.windows_days.len().saturating_sub(1);
    for (position, &window) in declared.windows_days.iter().enumerate() {
        let needed = f64::from(declared.deliveries_min);
        let needed = if position == longest { DELIVERIES_MIN } else { needed };
        let level = of_window(totals, day, (window, needed))?;
        if level.is_some() {
            return Ok(level);
        }
    }
    Ok(None)
}

/// The level of a window of days; `None` if too little was delivered in it.
fn of_window(
    totals: &CumulativeTotals,
    (day, lost_after_days): (Day, i32),
    (window, deliveries_min): (u16, f64),
) -> Result<Option<f64>, Error> {
    let days = day.plus(-i32::from(window))..day;
    let evicted = Error::PageMissing { month: day.first_of_month() };
    let table = life_table(totals, days, lost_after_days).ok_or(evicted)?;
    let deliveries: f64 = table.iter().map(|interval| interval.events).sum();
    if deliveries < deliveries_min {
        return Ok(None);
    }
    let share = (life_table_share(&table) / DELIVERED_SHARE).min(1.0);
    Ok(life_table_quantile(&table, 0.5 * share))
}
