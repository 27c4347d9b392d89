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

/// With fewer deliveries a window has no level.
const DELIVERIES_MIN: f64 = 30.0;

/// Where so large a share is delivered, the level is the median of all shipments.
const DELIVERED_SHARE: f64 = 0.9;

/// Which windows the level of the network is estimated over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LevelDeclaration {
    /// Lengths in days of recording before the order's midnight, ascending. The last one is the
    /// level that delivery times are relative to; of each shorter one there is a feature, its level
    /// as a multiple of that.
    pub windows_days: Vec<u16>,
}

impl LevelDeclaration {
    /// The longest window.
    pub(crate) fn longest(&self) -> u16 {
        self.windows_days.iter().copied().max().unwrap_or_default()
    }

    /// The columns that it declares: the level, and for each shorter window its feature.
    pub(crate) fn columns(&self) -> Vec<String> {
        let shorter = self.windows_days.iter().filter(|&&window| window < self.longest());
        let ratio = |window: &u16| format!("level_{window}d_over_{}d", self.longest());
        std::iter::once(column::LEVEL_HOURS.to_owned()).chain(shorter.map(ratio)).collect()
    }

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

/// The declared columns. `before` has for each row the day before which facts count; the totals are
/// of ages up to `lost_after_days`. Units: hours, and multiples.
///
/// # Errors
/// If a page that they need is evicted.
pub(crate) fn columns(
    declared: &LevelDeclaration,
    totals: &CumulativeTotals,
    (before, lost_after_days): (&[Day], i32),
) -> Result<Vec<Column>, Error> {
    let mut by_day: BTreeMap<Day, Vec<Option<f64>>> = BTreeMap::new();
    for &day in before {
        if let Entry::Vacant(entry) = by_day.entry(day) {
            entry.insert(of_day(declared, totals, (day, lost_after_days))?);
        }
    }
    let names = declared.columns().into_iter().enumerate();
    let column = |(position, name): (usize, String)| {
        let value = |day: &Day| by_day.get(day)?[position].map(|value| value as f32);
        Column::new(name.into(), before.iter().map(value).collect::<Vec<_>>())
    };
    Ok(names.map(column).collect())
}

/// The values of the declared columns on a day; totals are of ages up to so many days.
fn of_day(
    declared: &LevelDeclaration,
    totals: &CumulativeTotals,
    day: (Day, i32),
) -> Result<Vec<Option<f64>>, Error> {
    let longest = level(totals, day, declared.longest())?;
    let mut values = vec![longest];
    for &window in declared.windows_days.iter().filter(|&&window| window < declared.longest()) {
        let shorter = level(totals, day, window)?;
        values.push(shorter.zip(longest).map(|(shorter, longest)| shorter / longest));
    }
    Ok(values)
}

/// The level of a window of days; `None` if too little was delivered in it.
fn level(
    totals: &CumulativeTotals,
    (day, lost_after_days): (Day, i32),
    window: u16,
) -> Result<Option<f64>, Error> {
    let days = day.plus(-i32::from(window))..day;
    let evicted = Error::PageMissing { month: day.first_of_month() };
    let table = life_table(totals, days, lost_after_days).ok_or(evicted)?;
    let deliveries: f64 = table.iter().map(|interval| interval.events).sum();
    if deliveries < DELIVERIES_MIN {
        return Ok(None);
    }
    let share = (life_table_share(&table) / DELIVERED_SHARE).min(1.0);
    Ok(life_table_quantile(&table, 0.5 * share))
}
