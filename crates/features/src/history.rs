//! Declared history features, compiled to look-ups in ledgers.

use std::collections::HashMap;

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
    let columns: Vec<Vec<Column>> = declared
        .history
        .par_iter()
        .map(|history| of_one_key(placed, &days, history))
        .collect::<Result<_, Error>>()?;
    Ok(columns.into_iter().flatten().collect())
}

fn of_one_key(placed: &Placed, days: &[i32], history: &History) -> Result<Vec<Column>, Error> {
    let own = KeyedLedger::new(placed, history.quantity, &history.key)?;
    let coarse = match &history.fall_back {
        Some(key) => Some(KeyedLedger::new(placed, history.quantity, key)?),
        None => None,
    };
    let unit = if is_duration(history.quantity) { 3600.0 } else { 1.0 };
    let mut columns = Vec::new();
    for window in history.windows() {
        let totals: Vec<Total> = own.before(days, window);
        let parents = coarse.as_ref().map(|ledger| ledger.before(days, window));
        for &statistic in &history.statistics {
            let values: Vec<Option<f32>> = totals
                .iter()
                .enumerate()
                .map(|(row, total)| {
                    let value = match statistic {
                        Statistic::Count => Some(total.count as f64),
                        Statistic::Mean => mean(total, parents.as_ref().map(|totals| &totals[row]))
                            .map(|value| value / unit),
                        Statistic::Sd => sd(total, is_duration(history.quantity)),
                    };
                    value.map(|value| value as f32)
                })
                .collect();
            columns.push(Column::new(history.feature_name(statistic, window).into(), values));
        }
    }
    Ok(columns)
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

/// A ledger, and the position of each row's key in it.
struct KeyedLedger {
    keys: Vec<u32>,
    ledger: Ledger,
}

impl KeyedLedger {
    fn new(placed: &Placed, quantity: Quantity, key: &[String]) -> Result<Self, Error> {
        let (keys, n_keys) = key_positions(placed, key)?;
        let ledger = Ledger::new(events::of(quantity, placed, &keys), n_keys);
        Ok(Self { keys, ledger })
    }

    fn before(&self, days: &[i32], window: Option<u16>) -> Vec<Total> {
        self.keys
            .iter()
            .zip(days)
            .map(|(&key, &day)| self.ledger.before(key, day, window))
            .collect()
    }
}

/// For each row the position of its key, in order of first appearance, and how many keys.
fn key_positions(placed: &Placed, key: &[String]) -> Result<(Vec<u32>, usize), Error> {
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
