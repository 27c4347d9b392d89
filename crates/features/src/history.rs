//! Declared history features, compiled to look-ups in ledgers.

use std::collections::BTreeSet;

use polars::prelude::*;
use rayon::prelude::*;
use terms::DAY_MICROS;

use crate::as_of::{Ledger, Total};
use crate::declaration::{Declaration, History, Quantity, Statistic};

/// So many facts weigh as much as the coarser key does, when a sparse mean falls back on it.
const FALL_BACK_WEIGHT: f64 = 5.0;

/// The keys and ledgers that a declaration asks for, each once, in a fixed order.
pub(crate) struct Asked {
    /// Declared keys.
    pub(crate) keys: Vec<Vec<String>>,
    /// A quantity and the place of a key.
    pub(crate) ledgers: Vec<(Quantity, usize)>,
}

impl Asked {
    pub(crate) fn by(declared: &Declaration) -> Self {
        let mut asked = Self { keys: Vec::new(), ledgers: Vec::new() };
        for history in &declared.history {
            for key in std::iter::once(&history.key).chain(&history.fall_back) {
                let place = asked.keys.iter().position(|known| known == key).unwrap_or_else(|| {
                    asked.keys.push(key.clone());
                    asked.keys.len() - 1
                });
                if !asked.ledgers.contains(&(history.quantity, place)) {
                    asked.ledgers.push((history.quantity, place));
                }
            }
        }
        asked
    }

    fn ledger_of(&self, quantity: Quantity, key: &[String]) -> Option<(usize, usize)> {
        let place = self.keys.iter().position(|known| known == key)?;
        let ledger = self.ledgers.iter().position(|known| *known == (quantity, place))?;
        Some((ledger, place))
    }
}

/// Days at which the declaration asks ledgers for rows whose history ends before `day`.
pub(crate) fn days_asked(declared: &Declaration, day: i32) -> BTreeSet<i32> {
    let windows = declared.history.iter().flat_map(History::windows).flatten();
    windows.map(|window| day - i32::from(window)).chain([day]).collect()
}

/// What columns of history are built from. Rows are those that are built.
pub(crate) struct Rows<'a> {
    pub(crate) asked: &'a Asked,
    pub(crate) ledgers: &'a [Ledger],
    /// For each declared key the position of each row's.
    pub(crate) keys: Vec<&'a [u32]>,
    /// For each row the day before which facts count.
    pub(crate) days: &'a [i32],
}

/// One column for each declared key, quantity, statistic and window.
pub(crate) fn columns(rows: &Rows<'_>, declared: &Declaration) -> Vec<Column> {
    let columns: Vec<Vec<Column>> =
        declared.history.par_iter().map(|history| rows.of_one_key(history)).collect();
    columns.into_iter().flatten().collect()
}

impl Rows<'_> {
    fn of_one_key(&self, history: &History) -> Vec<Column> {
        let quantity = history.quantity;
        let mut columns = Vec::new();
        let now = self.until(quantity, &history.key, 0);
        let parents_now = history.fall_back.as_ref().map(|key| (key, self.until(quantity, key, 0)));
        for window in history.windows() {
            let totals = self.within(&now, quantity, &history.key, window);
            let parents =
                (parents_now.as_ref()).map(|(key, now)| self.within(now, quantity, key, window));
            for &statistic in &history.statistics {
                let parent = |row: usize| parents.as_ref().map(|totals| &totals[row]);
                let values: Vec<Option<f32>> = (totals.iter().enumerate())
                    .map(|(row, total)| {
                        let value = match statistic {
                            Statistic::Count => Some(total.count as f64),
                            Statistic::Mean if quantity == Quantity::Open => {
                                mean_age_hours(total, self.days[row])
                            }
                            Statistic::Mean => {
                                let unit = if quantity.is_duration() { 3600.0 } else { 1.0 };
                                mean(total, parent(row)).map(|value| value / unit)
                            }
                            Statistic::Sd => sd(total, quantity.is_duration()),
                        };
                        value.map(|value| value as f32)
                    })
                    .collect();
                columns.push(Column::new(history.feature_name(statistic, window).into(), values));
            }
        }
        columns
    }

    /// What was recorded for each row's key until so many days before the row's day. Shapes: one a
    /// row.
    fn until(&self, quantity: Quantity, key: &[String], days_before: u16) -> Vec<Total> {
        let Some((ledger, key)) = self.asked.ledger_of(quantity, key) else { return Vec::new() };
        let ledger = &self.ledgers[ledger];
        let rows = self.keys[key].iter().zip(self.days);
        rows.map(|(&key, &day)| ledger.until(key, day - i32::from(days_before))).collect()
    }

    /// What of `now` was recorded on the `window` days before each row's, or on all of them.
    fn within(
        &self,
        now: &[Total],
        quantity: Quantity,
        key: &[String],
        window: Option<u16>,
    ) -> Vec<Total> {
        let Some(days) = window else { return now.to_vec() };
        let then = self.until(quantity, key, days);
        now.iter().zip(then).map(|(&now, then)| now - then).collect()
    }
}

/// How long those that are open have been so, at the start of `day`. Units: hours; the sums hold
/// seconds since the epoch at which they were ordered.
fn mean_age_hours(total: &Total, day: i32) -> Option<f64> {
    let midnight = i64::from(day) * (DAY_MICROS / 1_000_000);
    (total.count > 0)
        .then(|| (total.count * midnight - total.sum) as f64 / total.count as f64 / 3600.0)
}

/// The mean, shrunk towards the coarser key's if there is one. Units: as the sums.
fn mean(total: &Total, coarse: Option<&Total>) -> Option<f64> {
    let coarse = coarse.filter(|t| t.count > 0).map(|t| t.sum as f64 / t.count as f64);
    match (total.count > 0, coarse) {
        (false, coarse) => coarse,
        (true, None) => Some(total.sum as f64 / total.count as f64),
        (true, Some(coarse)) => Some(
            (total.sum as f64 + FALL_BACK_WEIGHT * coarse)
                / (total.count as f64 + FALL_BACK_WEIGHT),
        ),
    }
}

/// The standard deviation in hours, from squares of whole minutes.
fn sd(total: &Total, is_duration: bool) -> Option<f64> {
    if total.count < 2 {
        return None;
    }
    let n = total.count as f64;
    let (scale, unit) = if is_duration { (60.0, 60.0) } else { (1.0, 1.0) };
    let mean = total.sum as f64 / scale / n;
    Some((total.squares as f64 / n - mean * mean).max(0.0).sqrt() / unit)
}
