//! Drawn tables for tests: orders whose records are early, late, corrected, cancelled or repeated.

use polars::prelude::*;
use terms::{DAY_MICROS, Day, HOUR_MICROS, Instant};

use crate::{QuarantinedVersion, Tables};

/// The first day on which something is recorded, since 1970-01-01.
pub(super) const FIRST_DAY: i64 = 17;
/// How many days the tables are of.
pub(super) const N_DAYS: i64 = 260;

/// Pseudorandom numbers, the same for the same seed: a linear congruential generator.
pub(super) struct Draws(pub(super) u64);

impl Draws {
    pub(super) fn below(&mut self, n: i64) -> i64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % n as u64) as i64
    }

    pub(super) fn one_in(&mut self, n: i64) -> bool {
        self.below(n) == 0
    }
}

#[derive(Clone)]
struct OrderRow {
    id: String,
    recorded_at: i64,
    ordered_at: i64,
    status: &'static str,
    promised_at: Option<i64>,
}

#[derive(Clone)]
struct LegRow {
    shipment_id: String,
    recorded_at: i64,
    index: i64,
    mile: &'static str,
    times: Option<(i64, i64)>,
    failed_attempts: Option<i64>,
    failed_attempt_at: Option<i64>,
}

#[derive(Clone)]
struct ShipmentRow {
    id: String,
    order_id: String,
    recorded_at: i64,
    status: &'static str,
    handed_over_at: Option<i64>,
    delivered_at: Option<i64>,
}

/// Orders and shipments recorded early, late, corrected, cancelled, or again after months.
pub(super) fn tables(seed: u64) -> Tables {
    let mut draws = Draws(seed);
    let (mut orders, mut shipments, mut quarantined) = (Vec::new(), Vec::new(), Vec::new());
    let mut legs = Vec::new();
    let last = (FIRST_DAY + N_DAYS) * DAY_MICROS;
    for n in 0..70 {
        let id = format!("o{n:02}");
        let recorded_at =
            (FIRST_DAY + draws.below(N_DAYS - 60)) * DAY_MICROS + draws.below(24) * HOUR_MICROS;
        let waited = match draws.below(12) {
            0 => draws.below(130),
            1..4 => draws.below(3),
            _ => 0,
        };
        let ordered_at = recorded_at - waited * DAY_MICROS - draws.below(20) * HOUR_MICROS;
        let (id_of_order, status) = (id.clone(), "placed");
        let promised_at = promise(&mut draws, ordered_at);
        let order = OrderRow { id: id_of_order, recorded_at, ordered_at, status, promised_at };
        orders.push(order.clone());
        for again in [3, 40, 95, 125, 155, 170] {
            if draws.one_in(8) {
                let recorded_at = recorded_at + again * DAY_MICROS;
                let status = if draws.one_in(2) { "cancelled" } else { "paid" };
                let promised_at = promise(&mut draws, ordered_at);
                orders.push(OrderRow { recorded_at, status, promised_at, ..order.clone() });
            }
        }
        for part in 0..1 + draws.below(2) {
            let id = format!("{id}-{part}");
            let after = match draws.below(10) {
                0 => draws.below(120),
                1 => -draws.below(3),
                2..4 => draws.below(4),
                _ => 0,
            };
            let mut at = (recorded_at + after * DAY_MICROS).max(FIRST_DAY * DAY_MICROS);
            let mut row = ShipmentRow {
                id: id.clone(),
                order_id: order.id.clone(),
                recorded_at: at,
                status: "created",
                handed_over_at: None,
                delivered_at: None,
            };
            shipments.push(row.clone());
            for _ in 0..draws.below(5) {
                let wait = if draws.one_in(9) { draws.below(170) } else { draws.below(12) };
                at += wait * DAY_MICROS + (1 + draws.below(30)) * HOUR_MICROS;
                let happened = at - draws.below(40) * HOUR_MICROS;
                row.recorded_at = at;
                match draws.below(6) {
                    0 => (row.status, row.delivered_at) = ("returned", None),
                    1 | 2 => (row.status, row.handed_over_at) = ("in_transit", Some(happened)),
                    _ => (row.status, row.delivered_at) = ("delivered", Some(happened)),
                }
                shipments.push(row.clone());
            }
            legs.extend(legs_of(&mut draws, &id, recorded_at));
            if draws.one_in(7) {
                let recorded_at = at + (draws.below(60) - 30) * DAY_MICROS + HOUR_MICROS / 7;
                let recorded_at = Instant::from_micros(recorded_at);
                quarantined.push(QuarantinedVersion { shipment_id: id, recorded_at });
            }
        }
    }
    orders.retain(|row| row.recorded_at < last);
    shipments.retain(|row| row.recorded_at < last);
    legs.retain(|row| (FIRST_DAY * DAY_MICROS..last).contains(&row.recorded_at));
    let days = Day::since_epoch(FIRST_DAY as i32)..Day::since_epoch((FIRST_DAY + N_DAYS) as i32);
    quarantined.retain(|version| days.contains(&version.recorded_at.day()));
    Tables {
        orders: orders_frame(&orders),
        shipments: shipments_frame(&shipments),
        quarantined,
        legs: legs_frame(&legs),
        nodes: nodes_frame(&mut draws),
        holidays: DataFrame::default(),
    }
}

/// A promise, if there is one.
fn promise(draws: &mut Draws, ordered_at: i64) -> Option<i64> {
    (!draws.one_in(4)).then(|| ordered_at + draws.below(20) * DAY_MICROS)
}

/// Legs not arrived, attempted, arrived, corrected, taken back, or recorded before their shipment.
fn legs_of(draws: &mut Draws, shipment_id: &str, from: i64) -> Vec<LegRow> {
    let mut legs = Vec::new();
    for index in 0..draws.below(4) {
        let mile = ["first", "middle", "last"][draws.below(3) as usize];
        let mut recorded_at = from + (draws.below(14) - 2) * DAY_MICROS;
        for _ in 0..1 + draws.below(3) {
            let wait = if draws.one_in(6) { draws.below(110) } else { draws.below(5) };
            recorded_at += wait * DAY_MICROS + draws.below(20) * HOUR_MICROS;
            let departed_at = from - draws.below(9) * HOUR_MICROS;
            let arrived_at = departed_at + draws.below(50) * HOUR_MICROS;
            let times = (!draws.one_in(3)).then_some((departed_at, arrived_at));
            // Reported with a time, without, or not at all.
            let failed_attempts = (!draws.one_in(3)).then(|| draws.below(3));
            let has_failed = failed_attempts.is_some_and(|n| n > 0) && !draws.one_in(4);
            let failed_attempt_at = has_failed.then(|| recorded_at - draws.below(30) * HOUR_MICROS);
            let shipment_id = shipment_id.to_owned();
            legs.push(LegRow {
                shipment_id,
                recorded_at,
                index,
                mile,
                times,
                failed_attempts,
                failed_attempt_at,
            });
        }
    }
    legs
}

fn legs_frame(rows: &[LegRow]) -> DataFrame {
    let time = |of: fn((i64, i64)) -> i64| rows.iter().map(|row| row.times.map(of)).collect();
    let columns = vec![
        text("shipment_id", rows, |row| &row.shipment_id),
        instant("recorded_at", rows.iter().map(|row| Some(row.recorded_at)).collect()),
        Column::new("leg_index".into(), rows.iter().map(|row| row.index).collect::<Vec<_>>()),
        text("mile", rows, |row| row.mile),
        instant("departed_at", time(|times| times.0)),
        instant("arrived_at", time(|times| times.1)),
        Column::new(
            "failed_attempts".into(),
            rows.iter().map(|row| row.failed_attempts).collect::<Vec<_>>(),
        ),
        instant("failed_attempt_at", rows.iter().map(|row| row.failed_attempt_at).collect()),
    ];
    DataFrame::new(rows.len(), columns).unwrap()
}

fn instant(name: &str, values: Vec<Option<i64>>) -> Column {
    let instant = DataType::Datetime(TimeUnit::Microseconds, None);
    Column::new(name.into(), values).cast(&instant).unwrap()
}

fn text<'a, T>(name: &str, rows: &'a [T], of: impl Fn(&'a T) -> &'a str) -> Column {
    Column::new(name.into(), rows.iter().map(of).collect::<Vec<_>>())
}

fn orders_frame(rows: &[OrderRow]) -> DataFrame {
    let columns = vec![
        text("order_id", rows, |row| &row.id),
        instant("recorded_at", rows.iter().map(|row| Some(row.recorded_at)).collect()),
        instant("ordered_at", rows.iter().map(|row| Some(row.ordered_at)).collect()),
        text("status", rows, |row| row.status),
        text("destination_time_zone", rows, |_| "Asia/Tokyo"),
        text("destination_zone", rows, |_| "77"),
        text("destination_region", rows, |_| "east"),
        instant("promised_at", rows.iter().map(|row| row.promised_at).collect()),
    ];
    DataFrame::new(rows.len(), columns).unwrap()
}

fn shipments_frame(rows: &[ShipmentRow]) -> DataFrame {
    let of_id = |byte: usize, names: &[&'static str]| -> Vec<&'static str> {
        rows.iter().map(|row| names[usize::from(row.id.as_bytes()[byte]) % names.len()]).collect()
    };
    let columns = vec![
        text("shipment_id", rows, |row| &row.id),
        text("order_id", rows, |row| &row.order_id),
        instant("recorded_at", rows.iter().map(|row| Some(row.recorded_at)).collect()),
        text("status", rows, |row| row.status),
        Column::new("origin_zone".into(), of_id(2, &["10", "20"])),
        Column::new("origin_region".into(), of_id(2, &["north", "south"])),
        Column::new("origin_node_id".into(), of_id(1, &["a1", "a2", "b1"])),
        Column::new(
            "n_units".into(),
            rows.iter().map(|row| row.recorded_at % 5).collect::<Vec<_>>(),
        ),
        instant("handed_over_at", rows.iter().map(|row| row.handed_over_at).collect()),
        instant("delivered_at", rows.iter().map(|row| row.delivered_at).collect()),
    ];
    DataFrame::new(rows.len(), columns).unwrap()
}

/// Nodes, some of which change their time zone.
fn nodes_frame(draws: &mut Draws) -> DataFrame {
    let ids = ["a1", "a2", "b1", "a1", "b1", "a1"];
    let zones = ["Europe/Berlin", "Asia/Tokyo", "Asia/Kolkata", "Asia/Tokyo", "UTC", "UTC"];
    let mut days: Vec<i64> = ids.iter().map(|_| FIRST_DAY + draws.below(N_DAYS - 60)).collect();
    days.sort_unstable();
    let columns = vec![
        Column::new("node_id".into(), ids),
        instant("recorded_at", days.iter().map(|day| Some(day * DAY_MICROS)).collect()),
        Column::new("kind".into(), ["seller"; 6]),
        Column::new("time_zone".into(), zones),
        Column::new("daily_capacity".into(), [1.0; 6]),
    ];
    DataFrame::new(ids.len(), columns).unwrap()
}
