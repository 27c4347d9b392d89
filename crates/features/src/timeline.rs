//! From versions to timelines: what each shipment was known to be, and since when.

use std::collections::HashMap;

use polars::prelude::*;
use terms::{AsOf, column};

use crate::Error;

/// A version of a shipment that is in quarantine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// Its shipment.
    pub shipment_id: String,
    /// When it was recorded, in microseconds since the epoch.
    pub recorded_at: i64,
}

/// What a shipment was known to be. Instants are microseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Waiting,
    HandedOver {
        at: i64,
    },
    Delivered {
        handed_over_at: Option<i64>,
        at: i64,
    },
    /// Cancelled, lost, returned, or in doubt: no delivery time comes of it.
    Gone,
}

impl State {
    pub(crate) fn handed_over_at(self) -> Option<i64> {
        match self {
            Self::HandedOver { at } => Some(at),
            Self::Delivered { handed_over_at, .. } => handed_over_at,
            Self::Waiting | Self::Gone => None,
        }
    }

    pub(crate) fn delivered_at(self) -> Option<i64> {
        match self {
            Self::Delivered { at, .. } => Some(at),
            Self::Waiting | Self::HandedOver { .. } | Self::Gone => None,
        }
    }
}

/// From when on which state was known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Version {
    pub(crate) recorded_at: i64,
    pub(crate) state: State,
}

/// All shipments known before some moment, by (ordered_at, shipment_id).
pub(crate) struct Placed {
    /// The first version of each shipment, with the first version of its order beside it.
    pub(crate) firsts: DataFrame,
    pub(crate) ordered_at: Vec<i64>,
    /// For each shipment where its versions start; one longer than there are shipments.
    pub(crate) starts: Vec<usize>,
    /// By shipment, then recorded_at.
    pub(crate) versions: Vec<Version>,
}

impl Placed {
    pub(crate) fn len(&self) -> usize {
        self.ordered_at.len()
    }

    pub(crate) fn versions_of(&self, row: usize) -> &[Version] {
        &self.versions[self.starts[row]..self.starts[row + 1]]
    }

    /// The columns that say which row is which; no features.
    pub(crate) fn key_columns(&self) -> Result<Vec<Column>, Error> {
        [column::SHIPMENT_ID, column::ORDER_ID, column::ORDERED_AT]
            .into_iter()
            .map(|name| Ok(self.firsts.column(name)?.clone()))
            .collect()
    }
}

/// Reads all versions recorded before `as_of` into timelines.
pub(crate) fn read(
    orders: &DataFrame,
    shipments: &DataFrame,
    doubts: &[Doubt],
    as_of: AsOf,
) -> Result<Placed, Error> {
    let (orders, order_starts) = versions_before(orders, column::ORDER_ID, as_of)?;
    let (shipments, starts) = versions_before(shipments, column::SHIPMENT_ID, as_of)?;
    let n_shipments = starts.len() - 1;

    // The first version of a shipment says what the shop knew when it was ordered.
    let first_rows = IdxCa::from_vec(
        "".into(),
        starts[..n_shipments].iter().map(|&row| row as IdxSize).collect(),
    );
    let firsts = shipments.take(&first_rows)?;
    let order_of = orders_of(&firsts, &orders, &order_starts)?;
    let first_orders = IdxCa::from_vec(
        "".into(),
        order_of.iter().map(|&order| order_starts[order] as IdxSize).collect(),
    );
    let mut firsts = firsts;
    for order_column in orders.take(&first_orders)?.columns() {
        // Keys and times of the version itself are the shipment's.
        if firsts.column(order_column.name()).is_err() {
            firsts.with_column(order_column.clone())?;
        }
    }

    let mut timelines = shipment_states(&shipments, &starts)?;
    add_cancelled_orders(&mut timelines, &order_of, &orders, &order_starts)?;
    add_doubts(&mut timelines, &firsts, doubts, as_of)?;

    let ordered_at = instants(&firsts, column::ORDERED_AT)?;
    let mut sequence: Vec<IdxSize> = (0..n_shipments as IdxSize).collect();
    // Already by shipment_id, and the sort is stable.
    sequence.sort_by_key(|&row| ordered_at[row as usize]);
    let mut placed = Placed {
        firsts: firsts.take(&IdxCa::from_vec("".into(), sequence.clone()))?,
        ordered_at: Vec::with_capacity(n_shipments),
        starts: vec![0],
        versions: Vec::new(),
    };
    for &row in &sequence {
        let mut versions = std::mem::take(&mut timelines[row as usize]);
        versions.sort_by_key(|version| version.recorded_at);
        placed.ordered_at.push(ordered_at[row as usize].unwrap_or(0));
        placed.versions.append(&mut versions);
        placed.starts.push(placed.versions.len());
    }
    Ok(placed)
}

/// Rows recorded before `as_of` by (key, recorded_at), and where the versions of each key start.
fn versions_before(
    table: &DataFrame,
    key: &str,
    as_of: AsOf,
) -> Result<(DataFrame, Vec<usize>), Error> {
    let known: BooleanChunked = instants(table, column::RECORDED_AT)?
        .into_iter()
        .map(|at| at.is_some_and(|at| at < as_of.micros()))
        .collect();
    let table =
        table.filter(&known)?.sort([key, column::RECORDED_AT], SortMultipleOptions::default())?;
    let keys = texts(&table, key)?;
    let mut starts = Vec::new();
    let mut previous = None;
    for (row, key) in keys.iter().enumerate() {
        if row == 0 || key != previous {
            starts.push(row);
        }
        previous = key;
    }
    starts.push(table.height());
    Ok((table, starts))
}

/// For each shipment the position of its order.
fn orders_of(
    firsts: &DataFrame,
    orders: &DataFrame,
    order_starts: &[usize],
) -> Result<Vec<usize>, Error> {
    let order_ids = texts(orders, column::ORDER_ID)?;
    let position: HashMap<&str, usize> = order_starts[..order_starts.len() - 1]
        .iter()
        .enumerate()
        .filter_map(|(order, &row)| Some((order_ids.get(row)?, order)))
        .collect();
    let shipment_ids = texts(firsts, column::SHIPMENT_ID)?;
    texts(firsts, column::ORDER_ID)?
        .iter()
        .enumerate()
        .map(|(row, order_id)| {
            let order_id = order_id.unwrap_or_default();
            position.get(order_id).copied().ok_or_else(|| Error::OrderMissing {
                shipment_id: shipment_ids.get(row).unwrap_or_default().to_owned(),
                order_id: order_id.to_owned(),
            })
        })
        .collect()
}

fn shipment_states(shipments: &DataFrame, starts: &[usize]) -> Result<Vec<Vec<Version>>, Error> {
    let recorded_at = instants(shipments, column::RECORDED_AT)?;
    let handed_over_at = instants(shipments, column::HANDED_OVER_AT)?;
    let delivered_at = instants(shipments, column::DELIVERED_AT)?;
    let statuses = texts(shipments, column::STATUS)?;
    let version = |row: usize| Version {
        recorded_at: recorded_at[row].unwrap_or(0),
        state: match (statuses.get(row).unwrap_or_default(), delivered_at[row]) {
            ("cancelled" | "lost" | "returned", _) | ("delivered", None) => State::Gone,
            (_, Some(at)) => State::Delivered { handed_over_at: handed_over_at[row], at },
            (_, None) => handed_over_at[row].map_or(State::Waiting, |at| State::HandedOver { at }),
        },
    };
    Ok(starts.windows(2).map(|range| (range[0]..range[1]).map(version).collect()).collect())
}

/// A cancelled order takes its shipments with it, from when it was known.
fn add_cancelled_orders(
    timelines: &mut [Vec<Version>],
    order_of: &[usize],
    orders: &DataFrame,
    order_starts: &[usize],
) -> Result<(), Error> {
    let statuses = texts(orders, column::STATUS)?;
    let recorded_at = instants(orders, column::RECORDED_AT)?;
    for (timeline, &order) in timelines.iter_mut().zip(order_of) {
        let versions = order_starts[order]..order_starts[order + 1];
        for row in versions.filter(|&row| statuses.get(row) == Some("cancelled")) {
            let recorded_at = recorded_at[row].unwrap_or(0);
            timeline.push(Version { recorded_at, state: State::Gone });
        }
    }
    Ok(())
}

fn add_doubts(
    timelines: &mut [Vec<Version>],
    firsts: &DataFrame,
    doubts: &[Doubt],
    as_of: AsOf,
) -> Result<(), Error> {
    if doubts.is_empty() {
        return Ok(());
    }
    let shipment_ids = texts(firsts, column::SHIPMENT_ID)?;
    let row_of: HashMap<&str, usize> = shipment_ids
        .iter()
        .enumerate()
        .filter_map(|(row, shipment_id)| Some((shipment_id?, row)))
        .collect();
    for doubt in doubts.iter().filter(|doubt| doubt.recorded_at < as_of.micros()) {
        if let Some(&row) = row_of.get(doubt.shipment_id.as_str()) {
            timelines[row].push(Version { recorded_at: doubt.recorded_at, state: State::Gone });
        }
    }
    Ok(())
}

/// A column of instants. Units: microseconds since the epoch.
pub(crate) fn instants(frame: &DataFrame, name: &str) -> Result<Vec<Option<i64>>, Error> {
    Ok(frame.column(name)?.cast(&DataType::Int64)?.i64()?.iter().collect())
}

/// A column of texts.
pub(crate) fn texts(frame: &DataFrame, name: &str) -> Result<StringChunked, Error> {
    Ok(frame.column(name)?.cast(&DataType::String)?.str()?.rechunk().into_owned())
}

/// A column of numbers; missing is NaN.
pub(crate) fn numbers(frame: &DataFrame, name: &str) -> Result<Vec<f64>, Error> {
    let column = frame.column(name)?.cast(&DataType::Float64)?;
    Ok(column.f64()?.iter().map(|value| value.unwrap_or(f64::NAN)).collect())
}
