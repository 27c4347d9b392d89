//! Test data: small tables of orders and shipments, and stores that hold them.

use std::collections::BTreeMap;

use bytes::Bytes;
use polars::prelude::{
    Column, DataFrame, DataType, Int64Chunked, IntoColumn, NewChunkedArray, ParquetWriter,
    TimeUnit, TimeZone,
};
use store::{Store, StoreSettings};
use terms::{AsOf, HOUR_MICROS, Instant};

use crate::check::listing::Listing;
use crate::check::report::Check;
use crate::check::{Finding, check};
use crate::contract::Contract;
use crate::contract::shipped::shipped;
use crate::error::Error;

/// A shipped contract. The tables of these tests end on different days, which is not their subject.
pub(crate) fn contract(table: &str) -> Contract {
    let origin = format!("schemas/{table}.odcs.yaml");
    Contract::parse(&origin, shipped(table).unwrap()).unwrap().accepting_stale()
}

/// The contracts of orders and shipments.
pub(crate) fn contracts() -> Vec<Contract> {
    vec![contract("shipments"), contract("orders")]
}

pub(crate) fn at(text: &str) -> AsOf {
    text.parse().unwrap()
}

pub(crate) fn micros(text: &str) -> i64 {
    text.parse::<Instant>().unwrap().micros()
}

pub(crate) fn memory() -> Store {
    Store::open(&StoreSettings::resolve("memory://", &BTreeMap::new()).unwrap()).unwrap()
}

/// A version of an order. Units: microseconds since 1970-01-01.
#[derive(Clone)]
pub(crate) struct Order {
    pub(crate) order_id: String,
    pub(crate) recorded_at: i64,
    pub(crate) ordered_at: i64,
    pub(crate) paid_at: Option<i64>,
    pub(crate) promised_at: Option<i64>,
    pub(crate) status: &'static str,
    pub(crate) lat: Option<f64>,
    pub(crate) lon: Option<f64>,
}

/// A version of a shipment. Units: microseconds since 1970-01-01.
#[derive(Clone)]
pub(crate) struct Shipment {
    pub(crate) shipment_id: Option<String>,
    pub(crate) order_id: String,
    pub(crate) recorded_at: i64,
    pub(crate) status: &'static str,
    pub(crate) n_units: i64,
    pub(crate) weight_g: Option<f64>,
    pub(crate) handed_over_at: Option<i64>,
    pub(crate) delivered_at: Option<i64>,
}

/// 40 orders, one every half hour of 2026-01-02.
pub(crate) fn orders() -> Vec<Order> {
    (0..40)
        .map(|n| {
            let ordered_at = micros("2026-01-02") + n * HOUR_MICROS / 2;
            Order {
                order_id: format!("o{n:02}"),
                recorded_at: ordered_at,
                ordered_at,
                paid_at: None,
                promised_at: Some(ordered_at + 240 * HOUR_MICROS),
                status: "placed",
                lat: Some(-23.5),
                lon: Some(-46.6),
            }
        })
        .collect()
}

/// A shipment for each order, as created with it.
pub(crate) fn created() -> Vec<Shipment> {
    orders()
        .into_iter()
        .map(|order| Shipment {
            shipment_id: Some(order.order_id.replace('o', "s")),
            order_id: order.order_id,
            recorded_at: order.recorded_at,
            status: "created",
            n_units: 1,
            weight_g: Some(500.0),
            handed_over_at: None,
            delivered_at: None,
        })
        .collect()
}

/// The same shipments, handed over after a day and delivered three days after their orders.
pub(crate) fn delivered() -> Vec<Shipment> {
    created()
        .into_iter()
        .map(|shipment| {
            let ordered_at = shipment.recorded_at;
            Shipment {
                status: "delivered",
                recorded_at: ordered_at + 72 * HOUR_MICROS,
                handed_over_at: Some(ordered_at + 24 * HOUR_MICROS),
                delivered_at: Some(ordered_at + 72 * HOUR_MICROS),
                ..shipment
            }
        })
        .collect()
}

pub(crate) fn instants(name: &str, micros: Vec<Option<i64>>) -> Column {
    let dtype = DataType::Datetime(TimeUnit::Microseconds, Some(TimeZone::UTC));
    Int64Chunked::from_slice_options(name.into(), &micros).into_column().cast(&dtype).unwrap()
}

pub(crate) fn texts(name: &str, values: impl Iterator<Item = Option<String>>) -> Column {
    let values: Vec<Option<String>> = values.collect();
    polars::prelude::StringChunked::from_slice_options(name.into(), &values).into_column()
}

fn floats(name: &str, values: impl Iterator<Item = Option<f64>>) -> Column {
    let values: Vec<Option<f64>> = values.collect();
    polars::prelude::Float64Chunked::from_slice_options(name.into(), &values).into_column()
}

pub(crate) fn orders_frame(rows: &[Order]) -> DataFrame {
    let same = |name: &str, value: &str| texts(name, rows.iter().map(|_| Some(value.to_owned())));
    DataFrame::new(
        rows.len(),
        vec![
            texts("order_id", rows.iter().map(|row| Some(row.order_id.clone()))),
            instants("recorded_at", rows.iter().map(|row| Some(row.recorded_at)).collect()),
            instants("ordered_at", rows.iter().map(|row| Some(row.ordered_at)).collect()),
            instants("paid_at", rows.iter().map(|row| row.paid_at).collect()),
            texts("status", rows.iter().map(|row| Some(row.status.to_owned()))),
            same("destination_zone", "01037"),
            same("destination_region", "SP"),
            floats("destination_lat", rows.iter().map(|row| row.lat)),
            floats("destination_lon", rows.iter().map(|row| row.lon)),
            instants("promised_at", rows.iter().map(|row| row.promised_at).collect()),
        ],
    )
    .unwrap()
}

pub(crate) fn shipments_frame(rows: &[Shipment]) -> DataFrame {
    let same = |name: &str, value: &str| texts(name, rows.iter().map(|_| Some(value.to_owned())));
    let n_units: Vec<i64> = rows.iter().map(|row| row.n_units).collect();
    DataFrame::new(
        rows.len(),
        vec![
            texts("shipment_id", rows.iter().map(|row| row.shipment_id.clone())),
            texts("order_id", rows.iter().map(|row| Some(row.order_id.clone()))),
            instants("recorded_at", rows.iter().map(|row| Some(row.recorded_at)).collect()),
            texts("status", rows.iter().map(|row| Some(row.status.to_owned()))),
            same("origin_node_id", "n1"),
            same("origin_zone", "13023"),
            same("origin_region", "SP"),
            Int64Chunked::from_slice("n_units".into(), &n_units).into_column(),
            floats("weight_g", rows.iter().map(|row| row.weight_g)),
            instants("handed_over_at", rows.iter().map(|row| row.handed_over_at).collect()),
            instants("delivered_at", rows.iter().map(|row| row.delivered_at).collect()),
        ],
    )
    .unwrap()
}

pub(crate) fn parquet(mut frame: DataFrame) -> Bytes {
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).finish(&mut frame).unwrap();
    Bytes::from(bytes)
}

pub(crate) fn path(table: &str, date: &str) -> String {
    format!("tables/{table}/recorded_on={date}/part-0000.parquet")
}

pub(crate) fn put(store: &Store, table: &str, date: &str, frame: DataFrame) {
    store.put(&path(table, date), parquet(frame)).unwrap();
}

/// A store with the orders, and the shipments created and delivered, in which no row is bad.
pub(crate) fn sound_store() -> Store {
    let store = memory();
    put(&store, "orders", "2026-01-02", orders_frame(&orders()));
    put(&store, "shipments", "2026-01-02", shipments_frame(&created()));
    put(&store, "shipments", "2026-01-05", shipments_frame(&delivered()));
    store
}

/// A check without a previous one, and the files that it read.
pub(crate) fn find(store: &Store, contracts: &[Contract], as_of: AsOf) -> Result<Finding, Error> {
    check(store, contracts, &Listing::read(store, contracts, as_of)?, None)
}

/// A check without a previous one.
pub(crate) fn check_anew(
    store: &Store,
    contracts: &[Contract],
    as_of: AsOf,
) -> Result<Check, Error> {
    find(store, contracts, as_of).map(|finding| finding.check)
}

/// All objects of a store, to compare them with what they were.
pub(crate) fn contents(store: &Store) -> BTreeMap<String, Bytes> {
    let paths: Vec<String> = store.list("").unwrap().into_iter().map(|entry| entry.path).collect();
    let bytes = store.get_many(&paths).unwrap();
    paths.into_iter().zip(bytes).collect()
}
