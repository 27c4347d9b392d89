//! Declared history features, compiled to look-ups in ledgers.

use std::collections::{HashMap, HashSet};

use polars::prelude::*;
use rayon::prelude::*;
use terms::DAY_MICROS;

use crate::Error;
use crate::as_of::{Ledger, Total};
use crate::declaration::{Declaration, History, Quantity, Statistic, key_parts};
use crate::events;
use crate::timeline::{Placed, texts};

/// So many facts weigh as much as the coarser key does, when a sparse mean falls back on it.
const FALL_BACK_WEIGHT: f64 = 5.0;

/// One column for each declared key, quantity, statistic and window.
pub(crate) fn columns(placed: &Placed, declared: &Declaration) -> Result<Vec<Column>, Error> {
    // As of: a row may use what was recorded before the midnight at or before its order.
    let days: Vec<i32> =
        placed.ordered_at.iter().map(|at| at.div_euclid(DAY_MICROS) as i32).collect();
    let ledgers = Ledgers::new(placed, &declared.history)?;
    let columns: Vec<Vec<Column>> =
        declared.history.par_iter().map(|history| of_one_key(&ledgers, &days, history)).collect();
    Ok(columns.into_iter().flatten().collect())
}

fn of_one_key(ledgers: &Ledgers<'_>, days: &[i32], history: &History) -> Vec<Column> {
    let quantity = history.quantity;
    let mut columns = Vec::new();
    for window in history.windows() {
        let totals = ledgers.before(quantity, &history.key, days, window);
        let parents =
            (history.fall_back.as_ref()).map(|key| ledgers.before(quantity, key, days, window));
        for &statistic in &history.statistics {
            let parent = |row: usize| parents.as_ref().map(|totals| &totals[row]);
            let values: Vec<Option<f32>> = (totals.iter().enumerate())
                .map(|(row, total)| {
                    let value = match statistic {
                        Statistic::Count => Some(total.count as f64),
                        Statistic::Mean if quantity == Quantity::Open => {
                            mean_age_hours(total, days[row])
                        }
                        Statistic::Mean => {
                            let unit = if is_duration(quantity) { 3600.0 } else { 1.0 };
                            mean(total, parent(row)).map(|value| value / unit)
                        }
                        Statistic::Sd => sd(total, is_duration(quantity)),
                    };
                    value.map(|value| value as f32)
                })
                .collect();
            columns.push(Column::new(history.feature_name(statistic, window).into(), values));
        }
    }
    columns
}

/// How long those that are open have been so, at the start of `day`. Units: hours; the sums hold
/// seconds since the epoch at which they were ordered.
fn mean_age_hours(total: &Total, day: i32) -> Option<f64> {
    let midnight = i64::from(day) * (DAY_MICROS / 1_000_000);
    (total.count > 0)
        .then(|| (total.count * midnight - total.sum) as f64 / total.count as f64 / 3600.0)
}

fn is_duration(quantity: Quantity) -> bool {
    matches!(quantity, Quantity::DeliveryHours | Quantity::HandlingHours | Quantity::TransitHours)
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

/// The position of each row's key, and how many keys there are.
type Positions = (Vec<u32>, usize);

/// Every ledger that is asked for, once, and where each row's key is in it.
struct Ledgers<'a> {
    positions: HashMap<&'a [String], Positions>,
    ledgers: HashMap<(Quantity, &'a [String]), Ledger>,
}

impl<'a> Ledgers<'a> {
    fn new(placed: &Placed, declared: &'a [History]) -> Result<Self, Error> {
        let asked = |history: &'a History| {
            let keys = std::iter::once(&history.key).chain(&history.fall_back);
            keys.map(|key| (history.quantity, key.as_slice()))
        };
        let wanted: HashSet<(Quantity, &[String])> = declared.iter().flat_map(asked).collect();
        let keys: HashSet<&[String]> = wanted.iter().map(|&(_, key)| key).collect();
        let positions = keys
            .into_par_iter()
            .map(|key| Ok((key, key_positions(placed, key)?)))
            .collect::<Result<HashMap<_, _>, Error>>()?;
        let ledger = |(quantity, key): (Quantity, &'a [String])| {
            let (keys, n_keys) = &positions[key];
            ((quantity, key), Ledger::new(events::of(quantity, placed, keys), *n_keys))
        };
        let ledgers = wanted.into_par_iter().map(ledger).collect();
        Ok(Self { positions, ledgers })
    }

    /// What each row's key had at its day. Shapes: one a row.
    fn before(
        &self,
        quantity: Quantity,
        key: &[String],
        days: &[i32],
        window: Option<u16>,
    ) -> Vec<Total> {
        let (keys, _) = &self.positions[key];
        let ledger = &self.ledgers[&(quantity, key)];
        keys.iter().zip(days).map(|(&key, &day)| ledger.before(key, day, window)).collect()
    }
}

/// For each row the position of its key, in order of first appearance, and how many keys.
fn key_positions(placed: &Placed, key: &[String]) -> Result<Positions, Error> {
    let mut parts = Vec::new();
    for part in key_parts(key)? {
        parts.push((texts(&placed.firsts, &part.column)?, part.prefix));
    }
    let mut positions: HashMap<String, u32> = HashMap::new();
    let mut keys = Vec::with_capacity(placed.len());
    let mut text = String::new();
    for row in 0..placed.len() {
        text.clear();
        for (column, prefix) in &parts {
            let whole = column.get(row).unwrap_or_default();
            let part = match prefix {
                Some(length) => {
                    whole.char_indices().nth(*length).map_or(whole, |(end, _)| &whole[..end])
                }
                None => whole,
            };
            text.push_str(part);
            text.push('\u{1f}');
        }
        let next = positions.len() as u32;
        let position = match positions.get(&text) {
            Some(&position) => position,
            None => {
                positions.insert(text.clone(), next);
                next
            }
        };
        keys.push(position);
    }
    Ok((keys, positions.len()))
}
