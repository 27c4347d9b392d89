//! The memory as files, to go on from on another night.

use std::collections::BTreeMap;

use polars::prelude::*;
use rayon::prelude::*;
use terms::column;

use super::Memory;
use super::tracked::{Orders, Shipments, Tracked};
use crate::Error;
use crate::as_of::{Page, Total};
use crate::declaration::Declaration;
use crate::frame::{from_parquet, to_parquet};
use crate::legs::Counted;
use crate::surroundings::Surroundings;
use crate::timeline::{from_columns, known_instants, texts, to_columns};

/// Names of the files.
const ORDERS: &str = "orders.parquet";
const CANCELLED: &str = "cancelled.parquet";
const SHIPMENTS: &str = "shipments.parquet";
const VERSIONS: &str = "versions.parquet";
const KEYS: &str = "keys.parquet";
const LEGS: &str = "legs.parquet";
const NODES: &str = "nodes.parquet";
const HOLIDAYS: &str = "holidays.parquet";

/// Columns of their own.
const ORDER: &str = "order";
const AT: &str = "at";
const N_VERSIONS: &str = "n_versions";
const KEY: &str = "key";
const TEXT: &str = "text";
const LEDGER: &str = "ledger";
const DAY: &str = "day";
const TOTALS: [&str; 3] = ["count", "sum", "squares"];

/// Files by name.
pub type Saved = BTreeMap<String, Vec<u8>>;

impl Memory {
    /// Everything but the pages of its months.
    ///
    /// # Errors
    /// If Polars cannot write it.
    pub fn save(&self) -> Result<Saved, Error> {
        let Some(Tracked { orders, shipments }) = &self.tracked else { return Ok(Saved::new()) };
        let (cancelled, at): (Vec<u32>, Vec<i64>) = orders.cancelled.iter().copied().unzip();
        let ids: StringChunked = shipments.ids.iter().map(|id| Some(id.as_str())).collect();
        let n_versions: Vec<u32> =
            (0..shipments.ids.len()).map(|s| shipments.timelines.of(s).len() as u32).collect();
        let mut columns = vec![
            ids.with_name(column::SHIPMENT_ID.into()).into_column(),
            Column::new(ORDER.into(), &shipments.orders),
            Column::new(N_VERSIONS.into(), n_versions),
        ];
        for (key, positions) in shipments.keys.iter().enumerate() {
            columns.push(Column::new(format!("{KEY}_{key}").into(), positions));
        }
        let mut keys: (Vec<u32>, Vec<String>) = (Vec::new(), Vec::new());
        for (key, positions) in self.positions.iter().enumerate() {
            for text in positions.texts() {
                keys.0.push(key as u32);
                keys.1.push(text.to_string());
            }
        }
        let frames = [
            (ORDERS, orders.firsts.clone()),
            (
                CANCELLED,
                frame(vec![Column::new(ORDER.into(), cancelled), Column::new(AT.into(), at)])?,
            ),
            (SHIPMENTS, frame(columns)?),
            (VERSIONS, frame(to_columns(shipments.timelines.versions.iter()).to_vec())?),
            (LEGS, shipments.legs.to_frame()?),
            (KEYS, frame(vec![Column::new(KEY.into(), keys.0), Column::new(TEXT.into(), keys.1)])?),
        ];
        let frames = frames.into_par_iter();
        let written = frames.map(|(name, frame)| Ok((name.to_owned(), to_parquet(frame)?)));
        let mut saved = written.collect::<Result<Saved, Error>>()?;
        let [nodes, holidays] = self.surroundings.to_parquet()?;
        saved.extend([(NODES.to_owned(), nodes), (HOLIDAYS.to_owned(), holidays)]);
        Ok(saved)
    }

    /// What was saved after the day before `until`. `months` are those of its pages; the last one
    /// has to be [recalled](Self::recall) before more is learned.
    ///
    /// # Errors
    /// If a file is missing or no Parquet of that kind.
    pub fn restore(
        declared: &Declaration,
        until: i32,
        months: &[i32],
        saved: &BTreeMap<String, impl AsRef<[u8]> + Sync>,
    ) -> Result<Self, Error> {
        let bytes = |name: &'static str| {
            saved.get(name).map(AsRef::as_ref).ok_or(Error::MemoryMissing { name })
        };
        let files = [ORDERS, CANCELLED, SHIPMENTS, VERSIONS, LEGS, KEYS].into_par_iter();
        let frames = files.map(|name| Ok((name, from_parquet(bytes(name)?)?)));
        let frames = frames.collect::<Result<BTreeMap<_, _>, Error>>()?;
        let mut memory = Self::new(declared)?;
        memory.until = Some(until);
        memory.months = months.to_vec();
        for ledger in &mut memory.ledgers {
            months.iter().for_each(|&month| ledger.note(month));
        }
        let keys = &frames[KEYS];
        let names = texts(keys, TEXT)?;
        for (key, text) in positions(keys, KEY)?.into_iter().zip(names.iter()) {
            if let Some(positions) = memory.positions.get_mut(key as usize) {
                positions.note(text.unwrap_or_default());
            }
        }
        let orders = restore_orders(&frames[ORDERS], &frames[CANCELLED])?;
        let n_keys = memory.positions.len();
        let mut shipments =
            restore_shipments(&frames[SHIPMENTS], &frames[VERSIONS], &orders, n_keys)?;
        shipments.legs = Counted::from_frame(&frames[LEGS])?;
        memory.tracked = Some(Tracked { orders, shipments });
        memory.surroundings = Surroundings::from_parquet([bytes(NODES)?, bytes(HOLIDAYS)?])?;
        Ok(memory)
    }

    /// The page of a month.
    ///
    /// # Errors
    /// If Polars cannot write it.
    pub fn page(&self, month: i32) -> Result<Vec<u8>, Error> {
        let (mut ledgers, mut keys, mut days) = (Vec::new(), Vec::new(), Vec::new());
        let mut totals: [Vec<i64>; 3] = Default::default();
        for (ledger, pages) in self.ledgers.iter().enumerate() {
            let Some(page) = pages.page(month) else { continue };
            for (key, day, total) in page.entries(month) {
                ledgers.push(ledger as u32);
                keys.push(key);
                days.push(day);
                for (values, value) in
                    totals.iter_mut().zip([total.count, total.sum, total.squares])
                {
                    values.push(value);
                }
            }
        }
        let mut columns = vec![
            Column::new(LEDGER.into(), ledgers),
            Column::new(KEY.into(), keys),
            Column::new(DAY.into(), days),
        ];
        for (name, values) in TOTALS.into_iter().zip(totals) {
            columns.push(Column::new(name.into(), values));
        }
        to_parquet(frame(columns)?)
    }

    /// Puts a page back into its month.
    ///
    /// # Errors
    /// If the bytes are no page.
    pub fn recall(&mut self, month: i32, page: &[u8]) -> Result<(), Error> {
        let frame = from_parquet(page)?;
        let (ledgers, keys) = (positions(&frame, LEDGER)?, positions(&frame, KEY)?);
        let days = frame.column(DAY)?.i32()?.rechunk().into_owned();
        let [counts, sums, squares] = TOTALS.map(|name| known_instants(&frame, name));
        let (counts, sums, squares) = (counts?, sums?, squares?);
        self.ledgers.par_iter_mut().enumerate().for_each(|(ledger, pages)| {
            let ledger = ledger as u32;
            let place = |ledger: u32| ledgers.partition_point(|&known| known < ledger);
            let entries = (place(ledger)..place(ledger + 1)).map(|i| {
                let total = Total { count: counts[i], sum: sums[i], squares: squares[i] };
                (keys[i], days.get(i).unwrap_or_default(), total)
            });
            pages.recall(month, Page::from_entries(month, entries));
        });
        Ok(())
    }
}

fn frame(columns: Vec<Column>) -> Result<DataFrame, Error> {
    Ok(DataFrame::new(columns.first().map_or(0, Column::len), columns)?)
}

fn positions(frame: &DataFrame, name: &str) -> Result<Vec<u32>, Error> {
    Ok(frame.column(name)?.u32()?.iter().map(Option::unwrap_or_default).collect())
}

fn restore_orders(firsts: &DataFrame, cancelled: &DataFrame) -> Result<Orders, Error> {
    let at = known_instants(cancelled, AT)?;
    Ok(Orders {
        recorded_at: known_instants(firsts, column::RECORDED_AT)?,
        ordered_at: known_instants(firsts, column::ORDERED_AT)?,
        cancelled: positions(cancelled, ORDER)?.into_iter().zip(at).collect(),
        firsts: firsts.clone(),
    })
}

fn restore_shipments(
    frame: &DataFrame,
    versions: &DataFrame,
    of: &Orders,
    n_keys: usize,
) -> Result<Shipments, Error> {
    let ids = texts(frame, column::SHIPMENT_ID)?;
    let orders = positions(frame, ORDER)?;
    let mut shipments = Shipments {
        ids: ids.iter().map(|id| id.unwrap_or_default().into()).collect(),
        ordered_at: orders.iter().map(|&order| of.ordered_at[order as usize]).collect(),
        keys: (0..n_keys)
            .map(|key| positions(frame, &format!("{KEY}_{key}")))
            .collect::<Result<_, _>>()?,
        orders,
        ..Shipments::default()
    };
    let mut versions = from_columns(versions)?.into_iter();
    for n in positions(frame, N_VERSIONS)? {
        shipments.timelines.push(versions.by_ref().take(n as usize));
    }
    Ok(shipments)
}
