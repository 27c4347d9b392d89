//! The values of history features: statistics over windows, from cumulative totals by key.

use std::collections::BTreeSet;

use polars::prelude::*;
use rayon::prelude::*;
use terms::{DAY_MICROS, Day, KeyIdx};

use crate::Error;
use crate::as_of::{CumulativeTotals, Totals};
use crate::declaration::{Declaration, HistoryFeature};
use crate::quantity::{Quantity, Statistic};

/// Weight of the coarser key's mean, in facts, when a sparse mean is shrunk towards it.
const FALL_BACK_WEIGHT: f64 = 5.0;

/// The keys and totals that a declaration needs, each once, in a fixed order.
pub(crate) struct HistoryPlan {
    /// Declared keys.
    pub(crate) keys: Vec<Vec<String>>,
    /// For each of the totals their quantity and the position of their key.
    pub(crate) totals: Vec<(Quantity, usize)>,
}

impl HistoryPlan {
    pub(crate) fn of(declared: &Declaration) -> Self {
        let mut plan = Self { keys: Vec::new(), totals: Vec::new() };
        for feature in &declared.history {
            for key in std::iter::once(&feature.key).chain(&feature.fall_back) {
                let position = plan.keys.iter().position(|known| known == key);
                let position = position.unwrap_or_else(|| {
                    plan.keys.push(key.clone());
                    plan.keys.len() - 1
                });
                if !plan.totals.contains(&(feature.quantity, position)) {
                    plan.totals.push((feature.quantity, position));
                }
            }
        }
        plan
    }

    /// The positions of the totals of a quantity by a key, and of the key.
    fn positions(&self, quantity: Quantity, key: &[String]) -> Option<(usize, usize)> {
        let key = self.keys.iter().position(|known| known == key)?;
        let totals = self.totals.iter().position(|known| *known == (quantity, key))?;
        Some((totals, key))
    }
}

/// Days before which totals are read for rows whose history ends before `day`: that day, and the
/// starts of the windows.
pub(crate) fn days_read(declared: &Declaration, day: Day) -> BTreeSet<Day> {
    let of_history = declared.history.iter().flat_map(HistoryFeature::windows).flatten();
    let of_level = declared.level.iter().flat_map(|level| level.windows_days.iter().copied());
    let windows = of_history.chain(of_level);
    windows.map(|window| day.plus(-i32::from(window))).chain([day]).collect()
}

/// The rows to build, and the totals that their history is read from.
pub(crate) struct HistoryRows<'a> {
    pub(crate) plan: &'a HistoryPlan,
    pub(crate) totals: &'a [CumulativeTotals],
    /// For each declared key the index of each row's.
    pub(crate) keys: Vec<&'a [KeyIdx]>,
    /// For each row the day before which facts count.
    pub(crate) days: &'a [Day],
}

/// One column for each declared key, quantity, statistic and window.
///
/// # Errors
/// If a page that they need is evicted.
pub(crate) fn columns(
    rows: &HistoryRows<'_>,
    declared: &Declaration,
) -> Result<Vec<Column>, Error> {
    let columns = declared.history.par_iter().map(|feature| rows.columns_of(feature));
    Ok(columns.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

impl HistoryRows<'_> {
    fn columns_of(&self, feature: &HistoryFeature) -> Result<Vec<Column>, Error> {
        let quantity = feature.quantity;
        let read = |key: &[String]| self.before(quantity, key, 0);
        let all = read(&feature.key)?;
        let all_coarse = match &feature.fall_back {
            Some(key) => Some((key, read(key)?)),
            None => None,
        };
        let mut columns = Vec::new();
        for window in feature.windows() {
            let totals = self.within(&all, quantity, &feature.key, window)?;
            let coarse = (all_coarse.as_ref())
                .map(|(key, all)| self.within(all, quantity, key, window))
                .transpose()?;
            for &statistic in &feature.statistics {
                let value = |(row, total): (usize, &Totals)| {
                    let coarse = coarse.as_ref().map(|totals| &totals[row]);
                    let value = self.value(quantity, statistic, row, total, coarse);
                    value.map(|value| value as f32)
                };
                let values: Vec<Option<f32>> = totals.iter().enumerate().map(value).collect();
                columns.push(Column::new(feature.feature_name(statistic, window).into(), values));
            }
        }
        Ok(columns)
    }

    fn value(
        &self,
        quantity: Quantity,
        statistic: Statistic,
        row: usize,
        total: &Totals,
        coarse: Option<&Totals>,
    ) -> Option<f64> {
        match statistic {
            Statistic::Count => Some(total.count as f64),
            Statistic::Mean if quantity == Quantity::Open => mean_age_hours(total, self.days[row]),
            Statistic::Mean => {
                let unit = if quantity.is_duration() { 3600.0 } else { 1.0 };
                mean(total, coarse).map(|value| value / unit)
            }
            Statistic::Sd => sd(total, quantity.is_duration()),
        }
    }

    /// The total of each row's key, of what was recorded until so many days before the row's day.
    /// Shapes: one a row.
    fn before(
        &self,
        quantity: Quantity,
        key: &[String],
        days_before: u16,
    ) -> Result<Vec<Totals>, Error> {
        let Some((totals, key)) = self.plan.positions(quantity, key) else {
            return Ok(Vec::new());
        };
        let totals = &self.totals[totals];
        let rows = self.keys[key].iter().zip(self.days);
        rows.map(|(&key, &day)| {
            let day = day.plus(-i32::from(days_before));
            let evicted = || Error::PageMissing { month: day.first_of_month() };
            totals.before(key, day).ok_or_else(evicted)
        })
        .collect()
    }

    /// The part of `all` that was recorded in the `window` days before each row's day; everything
    /// without a window.
    fn within(
        &self,
        all: &[Totals],
        quantity: Quantity,
        key: &[String],
        window: Option<u16>,
    ) -> Result<Vec<Totals>, Error> {
        let Some(days) = window else { return Ok(all.to_vec()) };
        let before = self.before(quantity, key, days)?;
        Ok(all.iter().zip(before).map(|(&all, before)| all - before).collect())
    }
}

/// The mean age of open shipments at the start of `day`. Units: hours; the sum is of the seconds
/// since 1970-01-01 at which they were ordered.
fn mean_age_hours(total: &Totals, day: Day) -> Option<f64> {
    let midnight = i64::from(day.days_since_epoch()) * (DAY_MICROS / 1_000_000);
    (total.count > 0)
        // Exact, but for a sum of instants that nobody lived at.
        .then(|| {
            total.count.saturating_mul(midnight).saturating_sub(total.sum) as f64
                / total.count as f64
                / 3600.0
        })
}

/// The mean, shrunk towards the coarser key's mean if there is one. Units: those of the sums.
fn mean(total: &Totals, coarse: Option<&Totals>) -> Option<f64> {
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
fn sd(total: &Totals, is_duration: bool) -> Option<f64> {
    if total.count < 2 {
        return None;
    }
    let n = total.count as f64;
    let (scale, unit) = if is_duration { (60.0, 60.0) } else { (1.0, 1.0) };
    let mean = total.sum as f64 / scale / n;
    Some((total.squares as f64 / n - mean * mean).max(0.0).sqrt() / unit)
}
