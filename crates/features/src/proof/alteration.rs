//! Alterations of what was recorded after the cut: scrambled, deleted, duplicated.

use std::collections::{HashMap, HashSet};

use polars::prelude::*;
use terms::{HOUR_MICROS, Instant, column};

use crate::columns::{instants, texts};
use crate::{Error, QuarantinedVersion, Tables};

/// What is done to the facts recorded from the cut on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alteration {
    /// Nothing.
    Kept,
    /// Every value but keys and times of record is moved to another row.
    Scrambled,
    /// They are deleted.
    Deleted,
    /// Each is there again, and once more an hour later.
    Duplicated,
}

impl Alteration {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Kept, Self::Scrambled, Self::Deleted, Self::Duplicated];

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Scrambled => "scrambled",
            Self::Deleted => "deleted",
            Self::Duplicated => "duplicated",
        }
    }
}

impl Alteration {
    /// The later facts after the alteration. First versions of the `control_orders` and of their
    /// shipments stay.
    pub(super) fn of(
        self,
        later: &Tables,
        control_orders: &HashSet<String>,
    ) -> Result<Tables, Error> {
        let table = |table: &DataFrame, key: &str| -> Result<DataFrame, Error> {
            let firsts = first_versions(table, key, control_orders)?;
            let altered = alter(&table.filter(&!&firsts)?, self)?;
            Ok(table.filter(&firsts)?.vstack(&altered)?)
        };
        Ok(Tables {
            orders: table(&later.orders, column::ORDER_ID)?,
            shipments: table(&later.shipments, column::SHIPMENT_ID)?,
            quarantined: alter_quarantined(&later.quarantined, self),
            legs: alter(&later.legs, self)?,
            nodes: alter(&later.nodes, self)?,
            holidays: alter(&later.holidays, self)?,
        })
    }
}

/// Which rows are the first version of their key, of an order among `orders`.
fn first_versions(
    table: &DataFrame,
    key: &str,
    orders: &HashSet<String>,
) -> Result<BooleanChunked, Error> {
    let (keys, order_ids) = (texts(table, key)?, texts(table, column::ORDER_ID)?);
    let recorded_at = instants(table, column::RECORDED_AT)?;
    let mut first: HashMap<&str, (Instant, usize)> = HashMap::new();
    for (row, (key, order)) in keys.iter().zip(order_ids.iter()).enumerate() {
        if order.is_some_and(|order| orders.contains(order)) {
            let at = (recorded_at[row].unwrap_or(Instant::MAX), row);
            let earliest = first.entry(key.unwrap_or_default()).or_insert(at);
            *earliest = at.min(*earliest);
        }
    }
    let rows: HashSet<usize> = first.into_values().map(|(_, row)| row).collect();
    Ok((0..table.height()).map(|row| Some(rows.contains(&row))).collect())
}

fn alter(table: &DataFrame, alteration: Alteration) -> Result<DataFrame, Error> {
    let n = table.height();
    if table.width() == 0 {
        return Ok(table.clone());
    }
    Ok(match alteration {
        Alteration::Kept => table.clone(),
        Alteration::Deleted => table.clear(),
        Alteration::Scrambled => {
            let fixed = [column::ORDER_ID, column::SHIPMENT_ID, column::RECORDED_AT];
            // Each column is rotated by another number of rows: they no longer fit together.
            let rotated = |(position, column): (usize, &Column)| -> Result<Column, Error> {
                if n == 0 || fixed.contains(&column.name().as_str()) {
                    return Ok(column.clone());
                }
                let from = |row: usize| ((row + 1 + position * 7919) % n) as IdxSize;
                Ok(column.take(&IdxCa::from_vec("".into(), (0..n).map(from).collect()))?)
            };
            let columns = table.columns().iter().enumerate().map(rotated);
            DataFrame::new(n, columns.collect::<Result<_, Error>>()?)?
        }
        Alteration::Duplicated => {
            let recorded_at = table.column(column::RECORDED_AT)?;
            let hour = Series::new("".into(), &[HOUR_MICROS])
                .cast(&DataType::Duration(TimeUnit::Microseconds))?;
            let later = recorded_at.as_materialized_series().cast(&INSTANT)? + hour;
            let later = later?.cast(recorded_at.dtype())?.into_column();
            let mut again = table.clone();
            again.with_column(later.with_name(column::RECORDED_AT.into()))?;
            table.vstack(table)?.vstack(&again)?
        }
    })
}

pub(super) const INSTANT: DataType = DataType::Datetime(TimeUnit::Microseconds, None);

fn alter_quarantined(
    versions: &[QuarantinedVersion],
    alteration: Alteration,
) -> Vec<QuarantinedVersion> {
    match alteration {
        Alteration::Kept => versions.to_vec(),
        Alteration::Deleted => Vec::new(),
        Alteration::Scrambled => {
            let ids = versions.iter().cycle().skip(1).map(|version| &version.shipment_id);
            let rotated =
                versions.iter().zip(ids).map(|(version, shipment_id)| QuarantinedVersion {
                    shipment_id: shipment_id.clone(),
                    recorded_at: version.recorded_at,
                });
            rotated.collect()
        }
        Alteration::Duplicated => [versions, versions].concat(),
    }
}
