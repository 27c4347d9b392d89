//! A leak of each kind is planted in the features, and the proof finds it.

use polars::prelude::*;
use terms::{DAY_MICROS, Day, HOUR_MICROS};

use super::alteration::INSTANT;
use super::differences::SNAPSHOT;
use super::*;
use crate::{Declaration, QuarantinedVersion};

const DECLARED: &str = r#"
    facts = ["n_units", "n_shipments"]
    categories = ["origin_region"]
    calendar = ["hour"]
    [[history]]
    key = ["origin_region"]
    quantity = "delivery_hours"
    statistics = ["mean", "count"]
    windows_days = [7]
    [[history]]
    key = []
    quantity = "unshipped"
    statistics = ["count"]
    [snapshots]
    share = 0.3
"#;
const HOUR: i64 = HOUR_MICROS;
const CUT: Day = Day::since_epoch(30);
const N_DAYS: i64 = 60;
const END: Day = Day::since_epoch(N_DAYS as i32);

/// Seven orders a day for sixty days, delivered within one to nine days, and all recorded in
/// the night after; every eleventh delivery is recorded five days late.
fn fixture() -> Tables {
    let mut orders: Vec<(String, i64, i64)> = Vec::new();
    let mut shipments: Vec<(String, i64, &str, Option<i64>)> = Vec::new();
    for n in 0..N_DAYS * 7 {
        let (day, id) = (n / 7, format!("o{n:04}"));
        let ordered_at = day * DAY_MICROS + (n % 7) * 3 * HOUR;
        let recorded_at = (day + 1) * DAY_MICROS - HOUR;
        orders.push((id.clone(), recorded_at, ordered_at));
        shipments.push((id.clone(), recorded_at, "created", None));
        let delivered_at = ordered_at + (20 + n * 37 % 200) * HOUR;
        let late = if n % 11 == 0 { 5 } else { 0 };
        let recorded_at = (delivered_at / DAY_MICROS + 1 + late) * DAY_MICROS - HOUR;
        shipments.push((id, recorded_at, "delivered", Some(delivered_at)));
    }
    let instant = |name: &str, values: Vec<Option<i64>>| {
        Column::new(name.into(), values).cast(&INSTANT).unwrap()
    };
    let order_ids: Vec<&str> = orders.iter().map(|order| order.0.as_str()).collect();
    let ids: Vec<&str> = shipments.iter().map(|shipment| shipment.0.as_str()).collect();
    let n = orders.len();
    let orders = DataFrame::new(
        n,
        vec![
            Column::new("order_id".into(), order_ids),
            instant("recorded_at", orders.iter().map(|o| Some(o.1)).collect()),
            instant("ordered_at", orders.iter().map(|o| Some(o.2)).collect()),
            Column::new("status".into(), vec!["placed"; n]),
            Column::new("destination_zone".into(), vec!["77"; n]),
            Column::new("destination_time_zone".into(), vec!["Asia/Tokyo"; n]),
            instant("promised_at", orders.iter().map(|o| Some(o.2 + 99 * HOUR)).collect()),
        ],
    );
    let n = shipments.len();
    let regions = ["north", "south", "west"];
    let region = |id: &str| regions[id.bytes().map(usize::from).sum::<usize>() % 3];
    let shipments = DataFrame::new(
        n,
        vec![
            Column::new("shipment_id".into(), ids.clone()),
            Column::new("order_id".into(), ids.clone()),
            instant("recorded_at", shipments.iter().map(|s| Some(s.1)).collect()),
            Column::new("status".into(), shipments.iter().map(|s| s.2).collect::<Vec<_>>()),
            Column::new("origin_zone".into(), vec!["10"; n]),
            Column::new(
                "origin_region".into(),
                ids.iter().map(|id| region(id)).collect::<Vec<_>>(),
            ),
            Column::new("origin_node_id".into(), ids.clone()),
            Column::new("n_units".into(), (0..n as i64).map(|i| i % 5).collect::<Vec<_>>()),
            instant("handed_over_at", shipments.iter().map(|s| s.3).collect()),
            instant("delivered_at", shipments.iter().map(|s| s.3).collect()),
        ],
    );
    let quarantined = [("o0007", 9), ("o0150", 33), ("o0160", 34)]
        .map(|(id, day)| QuarantinedVersion {
            shipment_id: id.to_owned(),
            recorded_at: Day::since_epoch(day).start(),
        })
        .to_vec();
    let nothing = DataFrame::default;
    let (orders, shipments) = (orders.unwrap(), shipments.unwrap());
    let [legs, nodes, holidays] = [nothing(), nothing(), nothing()];
    Tables { orders, shipments, quarantined, legs, nodes, holidays }
}

fn honest(tables: &Tables, as_of: AsOf) -> Result<Built, Error> {
    let declared = Declaration::read(DECLARED).unwrap();
    crate::build(tables, &declared, as_of)
}

/// Honest features, and one more of each row's order time.
fn with_leak(tables: &Tables, as_of: AsOf, value: impl Fn(Instant) -> f32) -> Result<Built, Error> {
    let Built { frame, outcomes, snapshots } = honest(tables, as_of)?;
    let leak: Vec<f32> = frame.ordered_at()?.into_iter().map(value).collect();
    let mut columns = frame.0.columns().to_vec();
    columns.push(Column::new("leak".into(), leak));
    let frame = Frame(DataFrame::new(frame.n_rows(), columns)?);
    Ok(Built { frame, outcomes, snapshots })
}

/// Honest features, and snapshots with one more column, of the moment of each.
fn with_leaking_snapshots(
    tables: &Tables,
    as_of: AsOf,
    value: impl Fn(Instant) -> f32,
) -> Result<Built, Error> {
    let mut built = honest(tables, as_of)?;
    built.snapshots.drawn.add("leak", value)?;
    Ok(built)
}

/// Instants of the shipments recorded before the as-of.
fn of_shipments(tables: &Tables, as_of: AsOf, name: &str) -> Vec<Instant> {
    let recorded_at = instants(&tables.shipments, column::RECORDED_AT).unwrap();
    let values = instants(&tables.shipments, name).unwrap();
    let known = |at: &Option<Instant>| at.is_some_and(|at| as_of.knows(at));
    let known = recorded_at.iter().zip(values).filter(|(at, _)| known(at));
    known.filter_map(|(_, value)| value).collect()
}

fn n_before(instants: &[Instant], at: Instant) -> f32 {
    instants.iter().filter(|&&instant| instant < at).count() as f32
}

/// Columns that differ, by alteration; those of serving last.
fn differing(build: &Build<'_>) -> Vec<(&'static str, Vec<String>)> {
    let tables = fixture();
    let proof =
        Proof::new(&tables, &tables, (AsOf::start_of(CUT), AsOf::start_of(END)), build).unwrap();
    let names = |found: Vec<Difference>| found.into_iter().map(|d| d.column).collect();
    let mut all: Vec<(&str, Vec<String>)> = (Alteration::ALL.iter())
        .map(|&alteration| {
            let result = proof.with(alteration).unwrap();
            assert!(result.rows > 150, "{} rows compared", result.rows);
            assert!(result.snapshots > 50, "{} snapshots compared", result.snapshots);
            (alteration.name(), names(result.differences))
        })
        .collect();
    let served = proof.served_on(CUT.plus(-8).start()).unwrap();
    assert!(served.frame.n_rows() <= 7 && served.snapshots > 20, "{}", served.snapshots);
    all.push(("served", names(served.differences)));
    all
}

#[test]
fn honest_features_pass() {
    for (alteration, columns) in differing(&honest) {
        assert_eq!(columns, Vec::<String>::new(), "{alteration}");
    }
}

#[test]
fn a_fact_dated_by_its_event_is_found() {
    let found = differing(&|tables, as_of| {
        let delivered = of_shipments(tables, as_of, column::DELIVERED_AT);
        with_leak(tables, as_of, |at| n_before(&delivered, at.midnight()))
    });
    for (alteration, columns) in found {
        assert_eq!(columns, ["leak"], "{alteration}");
    }
}

#[test]
fn a_fact_of_a_snapshot_dated_by_its_event_is_found() {
    let found = differing(&|tables, as_of| {
        let delivered = of_shipments(tables, as_of, column::DELIVERED_AT);
        with_leaking_snapshots(tables, as_of, |at| n_before(&delivered, at))
    });
    for (alteration, columns) in found {
        // Later facts that are deleted leak nothing.
        let expected: &[&str] = if alteration == "deleted" { &[] } else { &["leak of snapshots"] };
        assert_eq!(columns, expected, "{alteration}");
    }
}

#[test]
fn a_snapshot_that_later_facts_take_away_is_found() {
    let found = differing(&|tables, as_of| {
        let mut built = honest(tables, as_of)?;
        let delivered = built.outcomes.as_of(as_of);
        built.snapshots.drawn.retain(|row| delivered[row].delivered().is_none())?;
        Ok(built)
    });
    for (alteration, columns) in found {
        // Deleted facts too: at the cut what was delivered last counts as open.
        assert_eq!(columns, [SNAPSHOT], "{alteration}");
    }
}

#[test]
fn counting_the_day_itself_is_found() {
    let found = differing(&|tables, as_of| {
        let recorded = of_shipments(tables, as_of, column::RECORDED_AT);
        with_leak(tables, as_of, |at| n_before(&recorded, at.day().end()))
    });
    let of = |name: &str| found.iter().find(|(a, _)| *a == name).unwrap().1.clone();
    // Of the day after the cut, where counts change; values are not looked at by this leak.
    assert_eq!([of("deleted"), of("duplicated")], [["leak"], ["leak"]]);
    assert_eq!([of("kept"), of("scrambled")], [const { [""; 0] }; 2]);
}

#[test]
fn a_filter_by_outcome_is_found() {
    let found = differing(&|tables, as_of| {
        let recorded_at = instants(&tables.shipments, column::RECORDED_AT)?;
        let ids = texts(&tables.shipments, column::SHIPMENT_ID)?;
        let delivered = instants(&tables.shipments, column::DELIVERED_AT)?;
        let is_delivered: HashSet<&str> = (0..ids.len())
            .filter(|&row| delivered[row].is_some() && recorded_at[row] < Some(as_of.instant()))
            .filter_map(|row| ids.get(row))
            .collect();
        let kept: BooleanChunked =
            ids.iter().map(|id| id.is_some_and(|id| is_delivered.contains(id))).collect();
        let shipments = tables.shipments.filter(&kept)?;
        honest(&Tables { shipments, ..tables.clone() }, as_of)
    });
    for (alteration, columns) in &found {
        assert!(columns.iter().any(|column| column == ROW), "{alteration}: {columns:?}");
    }
}

#[test]
fn a_statistic_over_the_whole_table_is_found() {
    let found = differing(&|tables, as_of| {
        let delivered = of_shipments(tables, as_of, column::DELIVERED_AT);
        let sum: i64 = delivered.iter().map(|at| at.micros()).sum();
        let mean = sum / delivered.len().max(1) as i64;
        with_leak(tables, as_of, |at| (at.micros() - mean) as f32)
    });
    let with_leak: Vec<&str> =
        found.iter().filter(|(_, columns)| columns == &["leak"]).map(|(name, _)| *name).collect();
    assert_eq!(with_leak, ["kept", "scrambled", "deleted", "duplicated", "served"]);
}

#[test]
fn features_that_differ_when_served_are_found() {
    let found = differing(&|tables, as_of| {
        with_leak(tables, as_of, |at| as_of.hours_since(at).min(9.0 * 24.0) as f32)
    });
    let (_, served) = found.last().unwrap();
    assert_eq!(served, &["leak"]);
}
