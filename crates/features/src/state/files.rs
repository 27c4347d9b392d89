//! History state as files, to go on from on another night. The pages of its months are files of
//! their own, which a [`MonthStore`](crate::MonthStore) keeps.

use std::collections::BTreeMap;

use polars::prelude::*;
use rayon::prelude::*;
use terms::{Day, Instant, KeyIdx, column};

use crate::Error;
use crate::as_of::CumulativeTotals;
use crate::columns::{frame_of, of_instants, required_instants, required_positions, texts};
use crate::declaration::Declaration;
use crate::legs::LegVersions;
use crate::parquet::{from_parquet, to_parquet};
use crate::reference_data::ReferenceData;
use crate::state::active_shipments::ActiveShipments;
use crate::state::history_state::HistoryState;
use crate::state::order_idx::{ORDER, OrderIdx};
use crate::state::orders::{Cancellation, Orders};
use crate::state::promises::Promises;
use crate::state::shipments::Shipments;
use crate::timeline::{from_columns, to_columns};

/// Names of the files.
const ORDERS: &str = "orders.parquet";
const CANCELLED: &str = "cancelled.parquet";
const PROMISES: &str = "promises.parquet";
const SHIPMENTS: &str = "shipments.parquet";
const VERSIONS: &str = "versions.parquet";
const KEYS: &str = "keys.parquet";
const LEGS: &str = "legs.parquet";
const NODES: &str = "nodes.parquet";
const HOLIDAYS: &str = "holidays.parquet";

/// Columns that the tables do not have.
const AT: &str = "at";
const N_VERSIONS: &str = "n_versions";
const KEY: &str = "key";
const TEXT: &str = "text";

/// Files by name.
pub type StateFiles = BTreeMap<String, Vec<u8>>;

impl HistoryState {
    /// Everything but the pages of its months.
    ///
    /// # Errors
    /// If Polars cannot write it.
    pub fn save(&self) -> Result<StateFiles, Error> {
        let Some(ActiveShipments { orders, shipments, .. }) = &self.active else {
            return Ok(StateFiles::new());
        };
        let versions = to_columns(shipments.timelines.versions.iter()).to_vec();
        let frames = [
            (ORDERS, orders.firsts.clone()),
            (CANCELLED, frame_of_cancellations(&orders.cancellations)?),
            (PROMISES, orders.promises.to_frame()?),
            (SHIPMENTS, frame_of_shipments(shipments)?),
            (VERSIONS, frame_of(versions)?),
            (LEGS, shipments.legs.to_frame()?),
            (KEYS, self.frame_of_keys()?),
        ];
        let frames = frames.into_par_iter();
        let files = frames.map(|(name, frame)| Ok((name.to_owned(), to_parquet(frame)?)));
        let mut files = files.collect::<Result<StateFiles, Error>>()?;
        let [nodes, holidays] = self.reference.to_parquet()?;
        files.extend([(NODES.to_owned(), nodes), (HOLIDAYS.to_owned(), holidays)]);
        Ok(files)
    }

    /// What was saved when it had ingested everything before `until`, of the same declaration with the
    /// same limits. `months` are the first days
    /// of the months that were started by then, ascending.
    ///
    /// # Errors
    /// If a file is missing or no Parquet of that kind.
    pub fn restore(
        declared: &Declaration,
        until: Day,
        months: &[Day],
        files: &BTreeMap<String, impl AsRef<[u8]> + Sync>,
    ) -> Result<Self, Error> {
        let bytes = |name: &'static str| {
            files.get(name).map(AsRef::as_ref).ok_or(Error::StateFileMissing { name })
        };
        let names = [ORDERS, CANCELLED, PROMISES, SHIPMENTS, VERSIONS, LEGS, KEYS].into_par_iter();
        let frames = names.map(|name| Ok((name, from_parquet(bytes(name)?)?)));
        let frames = frames.collect::<Result<BTreeMap<_, _>, Error>>()?;
        let mut state = Self::new(declared)?;
        state.until = Some(until);
        state.months = months.to_vec();
        state.totals.iter_mut().for_each(|totals| *totals = CumulativeTotals::evicted(months));
        state.restore_keys(&frames[KEYS])?;
        let limits = declared.limits;
        let of_orders = [ORDERS, CANCELLED, PROMISES].map(|name| &frames[name]);
        let orders = restore_orders(of_orders, limits.history_days())?;
        let n_keys = state.keys.len();
        let mut shipments =
            restore_shipments(&frames[SHIPMENTS], &frames[VERSIONS], &orders, n_keys)?;
        shipments.legs = LegVersions::from_frame(&frames[LEGS])?;
        state.active = Some(ActiveShipments { orders, shipments, limits });
        state.reference = ReferenceData::from_parquet([bytes(NODES)?, bytes(HOLIDAYS)?])?;
        Ok(state)
    }

    fn frame_of_keys(&self) -> Result<DataFrame, Error> {
        let (mut keys, mut texts): (Vec<u32>, Vec<String>) = (Vec::new(), Vec::new());
        for (key, interner) in self.keys.iter().enumerate() {
            for text in interner.texts() {
                keys.push(key as u32);
                texts.push(text.to_string());
            }
        }
        frame_of(vec![Column::new(KEY.into(), keys), Column::new(TEXT.into(), texts)])
    }

    fn restore_keys(&mut self, frame: &DataFrame) -> Result<(), Error> {
        let texts = texts(frame, TEXT)?;
        for (key, text) in required_positions(frame, KEY)?.into_iter().zip(texts.iter()) {
            if let Some(interner) = self.keys.get_mut(key as usize) {
                interner.intern(text.unwrap_or_default());
            }
        }
        Ok(())
    }
}

fn frame_of_cancellations(cancellations: &[Cancellation]) -> Result<DataFrame, Error> {
    let orders: Vec<u32> = cancellations.iter().map(|cancelled| cancelled.order.0).collect();
    let at = of_instants(AT, cancellations.iter().map(|cancelled| cancelled.recorded_at));
    frame_of(vec![Column::new(ORDER.into(), orders), at])
}

fn frame_of_shipments(shipments: &Shipments) -> Result<DataFrame, Error> {
    let ids: StringChunked = shipments.ids.iter().map(|id| Some(id.as_str())).collect();
    let orders: Vec<u32> = shipments.orders.iter().map(|order| order.0).collect();
    let n_versions: Vec<u32> =
        (0..shipments.len()).map(|row| shipments.timelines.of(row).len() as u32).collect();
    let mut columns = vec![
        ids.with_name(column::SHIPMENT_ID.into()).into_column(),
        Column::new(ORDER.into(), orders),
        Column::new(N_VERSIONS.into(), n_versions),
    ];
    for (key, indices) in shipments.keys.iter().enumerate() {
        let indices: Vec<u32> = indices.iter().map(|index| index.0).collect();
        columns.push(Column::new(format!("{KEY}_{key}").into(), indices));
    }
    frame_of(columns)
}

fn restore_orders(
    [firsts, cancelled, promises]: [&DataFrame; 3],
    history_days: i32,
) -> Result<Orders, Error> {
    let orders = required_positions(cancelled, ORDER)?.into_iter().map(OrderIdx);
    let cancellation =
        |(order, recorded_at): (OrderIdx, Instant)| Cancellation { order, recorded_at };
    Ok(Orders {
        recorded_at: required_instants(firsts, column::RECORDED_AT)?,
        ordered_at: required_instants(firsts, column::ORDERED_AT)?,
        promises: Promises::from_frames(firsts, promises)?,
        cancellations: orders.zip(required_instants(cancelled, AT)?).map(cancellation).collect(),
        firsts: firsts.clone(),
        history_days,
    })
}

fn restore_shipments(
    frame: &DataFrame,
    versions: &DataFrame,
    of: &Orders,
    n_keys: usize,
) -> Result<Shipments, Error> {
    let ids = texts(frame, column::SHIPMENT_ID)?;
    let orders: Vec<OrderIdx> =
        required_positions(frame, ORDER)?.into_iter().map(OrderIdx).collect();
    let keys = |key: usize| -> Result<Vec<KeyIdx>, Error> {
        let indices = required_positions(frame, &format!("{KEY}_{key}"))?;
        Ok(indices.into_iter().map(KeyIdx).collect())
    };
    let mut shipments = Shipments {
        ids: ids.iter().map(|id| id.unwrap_or_default().into()).collect(),
        ordered_at: orders.iter().map(|&order| of.ordered_at[order.as_usize()]).collect(),
        keys: (0..n_keys).map(keys).collect::<Result<_, _>>()?,
        orders,
        ..Shipments::default()
    };
    let mut versions = from_columns(versions)?.into_iter();
    for n in required_positions(frame, N_VERSIONS)? {
        shipments.timelines.push(versions.by_ref().take(n as usize));
    }
    Ok(shipments)
}
