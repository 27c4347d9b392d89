//! Tests of whole simulations, on the tables read back from their Parquet.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Float64Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use terms::{DAY_MICROS, Digest, HOUR_MICROS, column};

use crate::{NetworkSettings, NightlyExtract, Summary, simulate};

mod episodes;
mod networks;
mod seasons;

/// A small network in which every fact is recorded the night after, and correctly.
fn quiet() -> NetworkSettings {
    NetworkSettings {
        shipments: 6_000,
        days: 60,
        n_nodes: 40,
        n_zones: 60,
        late_rate: 0.0,
        corrected_rate: 0.0,
        odd_rate: 0.0,
        ..NetworkSettings::default()
    }
}

fn run(settings: NetworkSettings) -> (Vec<NightlyExtract>, Summary) {
    let mut simulation = simulate(&settings.check().unwrap());
    let nights = simulation.by_ref().collect::<Result<_, _>>().unwrap();
    (nights, simulation.summary().clone())
}

fn digest(nights: &[NightlyExtract]) -> Digest {
    let tables = nights.iter().flat_map(|night| &night.tables);
    Digest::of(&tables.flat_map(|table| table.parquet.to_vec()).collect::<Vec<u8>>())
}

fn batches(nights: &[NightlyExtract], name: &str) -> Vec<RecordBatch> {
    let tables = nights.iter().flat_map(|night| &night.tables).filter(|table| table.name == name);
    tables
        .flat_map(|table| {
            let reader = ParquetRecordBatchReaderBuilder::try_new(table.parquet.clone()).unwrap();
            let batches: Vec<_> = reader.build().unwrap().map(Result::unwrap).collect();
            assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), table.n_rows);
            batches
        })
        .collect()
}

/// A row of `shipments`; instants in microseconds.
#[derive(Debug, Clone)]
struct Row {
    shipment_id: String,
    order_id: String,
    recorded_at: i64,
    status: String,
    n_units: i32,
    weight_g: Option<f64>,
    handed_over_at: Option<i64>,
    delivered_at: Option<i64>,
}

fn instant(batch: &RecordBatch, name: &str, row: usize) -> Option<i64> {
    let column = batch[name].as_primitive::<TimestampMicrosecondType>();
    column.is_valid(row).then(|| column.value(row))
}

fn integer(batch: &RecordBatch, name: &str, row: usize) -> Option<i64> {
    let column = batch[name].as_primitive::<Int64Type>();
    column.is_valid(row).then(|| column.value(row))
}

fn text(batch: &RecordBatch, name: &str, row: usize) -> String {
    batch[name].as_string::<i32>().value(row).to_owned()
}

fn shipments(nights: &[NightlyExtract]) -> Vec<Row> {
    let row = |batch: &RecordBatch, row: usize| {
        let weight = batch[column::WEIGHT_G].as_primitive::<Float64Type>();
        Row {
            shipment_id: text(batch, column::SHIPMENT_ID, row),
            order_id: text(batch, column::ORDER_ID, row),
            recorded_at: instant(batch, column::RECORDED_AT, row).unwrap(),
            status: text(batch, column::STATUS, row),
            n_units: batch[column::N_UNITS].as_primitive::<Int32Type>().value(row),
            weight_g: weight.is_valid(row).then(|| weight.value(row)),
            handed_over_at: instant(batch, column::HANDED_OVER_AT, row),
            delivered_at: instant(batch, column::DELIVERED_AT, row),
        }
    };
    batches(nights, "shipments")
        .iter()
        .flat_map(|batch| (0..batch.num_rows()).map(|index| row(batch, index)).collect::<Vec<_>>())
        .collect()
}

/// When each order was placed, and when it was first recorded.
fn orders(nights: &[NightlyExtract]) -> BTreeMap<String, (i64, i64)> {
    let mut orders = BTreeMap::new();
    for batch in batches(nights, "orders") {
        for row in 0..batch.num_rows() {
            let ordered_at = instant(&batch, column::ORDERED_AT, row).unwrap();
            let recorded_at = instant(&batch, column::RECORDED_AT, row).unwrap();
            let id = text(&batch, column::ORDER_ID, row);
            orders.entry(id).or_insert((ordered_at, recorded_at));
        }
    }
    orders
}

/// Whether a version has an impossible value.
fn odd(row: &Row, ordered_at: i64) -> bool {
    row.n_units < 1
        || row.weight_g.is_some_and(|weight| weight < 0.0)
        || row.handed_over_at.is_some_and(|at| at < ordered_at || at > row.recorded_at)
        || row.delivered_at.is_some_and(|at| at > row.recorded_at || Some(at) < row.handed_over_at)
        || (row.status == "delivered") != row.delivered_at.is_some()
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let settings =
        NetworkSettings { late_rate: 0.1, corrected_rate: 0.1, odd_rate: 0.1, ..quiet() };
    let first = digest(&run(settings.clone()).0);
    assert_eq!(first, digest(&run(settings.clone()).0));
    assert_ne!(first, digest(&run(NetworkSettings { seed: 2, ..settings }).0));
}

#[test]
fn columns_are_those_of_the_tables() {
    let (nights, _) = run(NetworkSettings { legs: true, ..quiet() });
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    for (table, n_columns) in [("orders", 12), ("shipments", 21), ("nodes", 9), ("legs", 10)] {
        let schema = batches(&nights, table)[0].schema();
        assert_eq!(schema.fields().len(), n_columns, "{table}");
        for field in schema.fields() {
            let expected = match field.name().as_str() {
                column::N_UNITS | "daily_capacity" => DataType::Int32,
                "leg_index" | "failed_attempts" => DataType::Int64,
                name if name.ends_with("_at") => utc.clone(),
                "weight_g" | "volume_cm3" | "longest_side_cm" => DataType::Float64,
                name if name.ends_with("_value") => DataType::Float64,
                name if name.ends_with("lat") || name.ends_with("lon") => DataType::Float64,
                _ => DataType::Utf8,
            };
            assert_eq!(field.data_type(), &expected, "{table} {}", field.name());
        }
    }
}

#[test]
fn keys_are_unique_and_every_shipment_has_its_order() {
    let (nights, summary) = run(NetworkSettings { late_rate: 0.2, split_rate: 0.5, ..quiet() });
    let rows = shipments(&nights);
    let keys: BTreeSet<_> = rows.iter().map(|row| (&row.shipment_id, row.recorded_at)).collect();
    assert_eq!(keys.len(), rows.len());
    assert_eq!(rows.len() as u64, summary.shipment_versions);
    let orders = orders(&nights);
    assert!(rows.iter().all(|row| orders[&row.order_id].1 <= row.recorded_at));
    assert_eq!(summary.shipments, 6_000);
    let mut keys = BTreeSet::new();
    for batch in batches(&nights, "orders") {
        for row in 0..batch.num_rows() {
            let recorded_at = instant(&batch, column::RECORDED_AT, row);
            assert!(keys.insert((text(&batch, column::ORDER_ID, row), recorded_at)));
        }
    }
    assert_eq!(keys.len() as u64, summary.order_versions);
}

#[test]
fn the_share_within_two_days_is_near_the_wanted_one() {
    for wanted in [0.05, 0.2, 0.4, 0.6, 0.85] {
        let settings = NetworkSettings {
            shipments: 20_000,
            days: 180,
            share_within_two_days: Some(wanted),
            ..quiet()
        };
        let share = run(settings).1.share_within_two_days();
        let tolerance = if wanted > 0.5 { 0.03 } else { 0.02 };
        assert!((share - wanted).abs() < tolerance, "wanted {wanted}, found {share}");
    }
}

#[test]
fn odd_rows_come_at_their_rate_and_are_the_only_ones() {
    for (rate, most) in [(0.0, 0), (0.05, 1_200)] {
        let (nights, summary) = run(NetworkSettings { odd_rate: rate, late_rate: 0.1, ..quiet() });
        let orders = orders(&nights);
        let rows = shipments(&nights);
        let found = rows.iter().filter(|row| odd(row, orders[&row.order_id].0)).count() as u64;
        assert_eq!(found, summary.n_odd_versions());
        assert!(found <= most && found as f64 >= 0.85 * rate * rows.len() as f64, "{found}");
        assert!(rate == 0.0 || summary.odd_versions.values().all(|&count| count > 0));
    }
}

#[test]
fn every_fact_is_recorded_the_night_after_it_happened() {
    let (nights, summary) = run(quiet());
    let orders = orders(&nights);
    assert!(orders.values().all(|(at, recorded)| recorded / DAY_MICROS == at / DAY_MICROS + 1));
    let mut last: BTreeMap<String, Row> = BTreeMap::new();
    for row in shipments(&nights) {
        let night = row.recorded_at / DAY_MICROS;
        assert!(row.recorded_at % DAY_MICROS >= 2 * HOUR_MICROS);
        let before = last.insert(row.shipment_id.clone(), row.clone());
        // A version has a new fact, and it is from the day before.
        let new_fact = match (row.status.as_str(), before) {
            (_, None) => orders[&row.order_id].0,
            ("in_transit", Some(before)) if before.status == "created" => {
                row.handed_over_at.unwrap()
            }
            ("delivered", Some(before)) if before.status != "delivered" => {
                row.delivered_at.unwrap()
            }
            ("cancelled" | "lost" | "returned", Some(_)) => continue,
            (status, before) => panic!("{status} after {before:?}"),
        };
        assert_eq!(new_fact / DAY_MICROS + 1, night);
    }
    assert_eq!(last.len() as u64, summary.shipments);
    assert_eq!(summary.nights, 60);
    assert_eq!(nights[59].recorded_on.to_string(), "2025-08-30");
}

#[test]
fn legs_lead_from_the_handover_to_the_delivery_and_change_nothing_else() {
    let settings = NetworkSettings { legs: true, late_rate: 0.1, returned_rate: 0.02, ..quiet() };
    let (nights, summary) = run(settings.clone());
    let delivered: BTreeMap<String, (i64, i64)> = (shipments(&nights).into_iter())
        .filter_map(|row| Some((row.shipment_id, (row.handed_over_at?, row.delivered_at?))))
        .collect();
    let mut created: BTreeMap<String, i64> = BTreeMap::new();
    let mut returned: BTreeSet<String> = BTreeSet::new();
    for row in shipments(&nights) {
        if row.status == "returned" {
            returned.insert(row.shipment_id.clone());
        }
        created.entry(row.shipment_id).or_insert(row.recorded_at / DAY_MICROS);
    }
    let mut legs: BTreeMap<String, Vec<(i64, i64)>> = BTreeMap::new();
    let (mut failed, mut n_versions): (BTreeMap<String, Vec<i64>>, u64) = Default::default();
    for batch in batches(&nights, "legs") {
        n_versions += batch.num_rows() as u64;
        for row in 0..batch.num_rows() {
            let [departed_at, recorded_at] =
                ["departed_at", "recorded_at"].map(|name| instant(&batch, name, row).unwrap());
            let n_failed = integer(&batch, "failed_attempts", row);
            let failed_at = instant(&batch, "failed_attempt_at", row);
            assert_eq!(failed_at.is_some(), n_failed.is_some_and(|n| n > 0));
            let Some(arrived_at) = instant(&batch, "arrived_at", row) else {
                // An attempt to deliver that failed: the parcel is still at the station.
                let id = text(&batch, column::SHIPMENT_ID, row);
                let failed_at = failed_at.unwrap();
                assert!(departed_at < failed_at && failed_at < recorded_at, "{id}");
                let night = (failed_at / DAY_MICROS + 1).max(created[&id]);
                assert_eq!(recorded_at / DAY_MICROS, night, "{id}");
                let failed = failed.entry(id).or_default();
                failed.push(failed_at);
                assert!(failed.is_sorted() && n_failed >= Some(failed.len() as i64));
                continue;
            };
            assert!(departed_at <= arrived_at && arrived_at <= recorded_at);
            assert!(failed_at.is_none_or(|at| departed_at < at && at < arrived_at));
            let index = batch["leg_index"].as_primitive::<Int64Type>().value(row);
            assert_eq!(text(&batch, "mile", row), ["middle", "last"][index as usize]);
            let id = text(&batch, column::SHIPMENT_ID, row);
            if index == 0 {
                // Long before the delivery, which may be recorded late.
                let night = (arrived_at / DAY_MICROS + 1).max(created[&id]);
                assert_eq!(recorded_at / DAY_MICROS, night, "{id}");
            }
            let legs = legs.entry(id).or_default();
            assert_eq!(legs.len() as i64, index, "the station before the customer");
            legs.push((departed_at, arrived_at));
        }
    }
    assert_eq!(n_versions, summary.leg_versions);
    let share = failed.len() as f64 / delivered.len() as f64;
    assert!((0.03..0.2).contains(&share), "{share}");
    assert!(delivered.len() > 4_000, "{}", delivered.len());
    for (id, (handed_over_at, delivered_at)) in delivered {
        let legs = &legs[&id];
        assert_eq!((legs[0].0, legs[1].1), (handed_over_at, delivered_at), "{id}");
        assert_eq!(legs[0].1, legs[1].0, "{id}");
    }

    // That a parcel has come to the station does not say that it will be delivered.
    let at_station = returned.iter().filter(|id| legs[*id].len() == 1).count();
    assert!(at_station > 20 && at_station == returned.len(), "{at_station}");

    let without = run(NetworkSettings { legs: false, ..settings }).0;
    let others = |nights: Vec<NightlyExtract>| -> Vec<NightlyExtract> {
        let mut nights = nights;
        nights.iter_mut().for_each(|night| night.tables.retain(|table| table.name != "legs"));
        nights
    };
    assert_eq!(digest(&others(nights)), digest(&without));
}

#[test]
fn late_and_corrected_facts_come_at_their_rates() {
    let settings = NetworkSettings { late_rate: 0.1, corrected_rate: 0.1, ..quiet() };
    let (nights, summary) = run(settings);
    assert!((450..750).contains(&summary.late), "{}", summary.late);
    assert!((450..700).contains(&summary.corrected), "{}", summary.corrected);
    let mut times: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
    let mut n_late = 0;
    for row in shipments(&nights) {
        if let Some(at) = row.delivered_at {
            assert!(at <= row.recorded_at && Some(at) > row.handed_over_at);
            n_late += u64::from(row.recorded_at / DAY_MICROS > at / DAY_MICROS + 1);
            times.entry(row.shipment_id).or_default().insert(at);
        }
    }
    let corrected = times.values().filter(|times| times.len() == 2).count();
    assert!((350..600).contains(&corrected), "{corrected}");
    assert!(n_late > 200, "{n_late}");
}

#[test]
fn the_peak_is_seen_in_orders_and_in_waiting() {
    let (nights, _) = run(NetworkSettings { shipments: 20_000, days: 180, ..quiet() });
    let orders = orders(&nights);
    let mut by_day: BTreeMap<i64, (f64, Vec<f64>)> = BTreeMap::new();
    for (ordered_at, _) in orders.values() {
        by_day.entry(ordered_at / DAY_MICROS).or_default().0 += 1.0;
    }
    for row in shipments(&nights) {
        if let Some(delivered_at) = row.delivered_at {
            let ordered_at = orders[&row.order_id].0;
            let hours = (delivered_at - ordered_at) as f64 / HOUR_MICROS as f64;
            by_day.entry(ordered_at / DAY_MICROS).or_default().1.push(hours);
        }
    }
    // 2025-11-28 is day 20,420; the weeks of September are ordinary ones.
    let mean = |from: i64, until: i64| {
        let days: Vec<_> = by_day.range(from..until).map(|(_, day)| day).collect();
        let placed: f64 = days.iter().map(|day| day.0).sum();
        let hours: Vec<f64> = days.iter().flat_map(|day| day.1.clone()).collect();
        (placed / days.len() as f64, hours.iter().sum::<f64>() / hours.len() as f64)
    };
    let (ordinary, peak) = (mean(20_332, 20_360), mean(20_417, 20_424));
    assert!(peak.0 > 1.6 * ordinary.0, "{ordinary:?} {peak:?}");
    assert!(peak.1 > 1.05 * ordinary.1, "{ordinary:?} {peak:?}");
}

#[test]
fn only_shipments_with_facts_to_come_are_held() {
    let settings = NetworkSettings { shipments: 20_000, days: 180, ..quiet() };
    let mut simulation = simulate(&settings.check().unwrap());
    while let Some(night) = simulation.next() {
        night.unwrap();
        let held: u64 = simulation.n_held();
        assert!(held <= simulation.summary().open, "{held}");
    }
    let summary = simulation.summary();
    assert!(summary.open > 0 && summary.open_max < summary.shipments / 8, "{summary:?}");
}

#[test]
fn one_shipment_on_one_day_can_be_simulated() {
    let settings = NetworkSettings {
        shipments: 1,
        days: 1,
        n_nodes: 8,
        n_zones: 8,
        ..NetworkSettings::default()
    };
    let (nights, summary) = run(settings);
    assert_eq!((nights.len(), summary.shipments, summary.orders), (1, 1, 1));
    assert_eq!(nights[0].recorded_on.to_string(), "2025-07-02");
}
