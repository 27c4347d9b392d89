//! Each rule that a row can break, and what happens to the row.

use std::collections::BTreeMap;

use store::Store;
use terms::ErrorClass;

use super::checked;
use crate::contract::Contract;
use crate::contract::shipped::shipped;
use crate::fixture::*;

/// With these delivered versions one row is quarantined, for this reason.
#[track_caller]
fn quarantines_delivered(reason: &str, spoil: impl FnOnce(&mut Shipment)) {
    let store = sound_store();
    let mut rows = delivered();
    spoil(&mut rows[7]);
    put(&store, "shipments", "2026-01-05", shipments_frame(&rows));
    one_quarantined(&store, "shipments", reason);
}

#[track_caller]
fn quarantines_order(reason: &str, spoil: impl FnOnce(&mut Order)) {
    let store = sound_store();
    let mut rows = orders();
    // An order without a shipment, so that only the order itself is in quarantine.
    rows.push(Order { order_id: "alone".to_owned(), ..rows[7].clone() });
    spoil(&mut rows[40]);
    put(&store, "orders", "2026-01-02", orders_frame(&rows));
    one_quarantined(&store, "orders", reason);
}

#[track_caller]
fn one_quarantined(store: &Store, table: &str, reason: &str) {
    let check = checked(store);
    let found = &check.tables[table];
    assert_eq!(found.reasons, BTreeMap::from([(reason.to_owned(), 1)]));
    assert_eq!(found.rows_quarantined, 1);
    assert_eq!(found.rows_in, found.rows_ok + found.rows_quarantined + found.rows_dropped);
    let rows = found.files.iter().flat_map(|file| &file.quarantined);
    assert_eq!(rows.map(|row| row.reason.as_str()).collect::<Vec<_>>(), [reason]);
}

#[test]
fn each_rule_on_shipments_has_its_reason() {
    let hour = terms::HOUR_MICROS;
    quarantines_delivered("shipment_id_missing", |row| row.shipment_id = None);
    quarantines_delivered("n_units_range", |row| row.n_units = 0);
    quarantines_delivered("weight_g_range", |row| row.weight_g = Some(-1.0));
    quarantines_delivered("weight_g_range", |row| row.weight_g = Some(f64::NAN));
    quarantines_delivered("status_unknown", |row| row.status = "teleported");
    quarantines_delivered("order_known", |row| row.order_id = "o99".to_owned());
    quarantines_delivered("delivered_without_time", |row| row.delivered_at = None);
    quarantines_delivered("delivered_yet_open", |row| row.status = "in_transit");
    quarantines_delivered("delivered_yet_cancelled", |row| row.status = "cancelled");
    quarantines_delivered("delivered_after_recorded", |row| {
        row.delivered_at = Some(row.recorded_at + 1);
    });
    quarantines_delivered("handed_over_after_recorded", |row| {
        (row.status, row.delivered_at) = ("in_transit", None);
        row.handed_over_at = Some(row.recorded_at + 1);
    });
    // It is also after recorded_at: the more specific rule comes first.
    quarantines_delivered("delivered_before_handover", |row| {
        row.handed_over_at = Some(row.recorded_at + hour);
    });
    quarantines_delivered("handed_over_before_ordered", |row| {
        row.handed_over_at = Some(row.recorded_at - 73 * hour);
    });
    quarantines_delivered("delivered_before_ordered", |row| {
        row.handed_over_at = None;
        row.delivered_at = Some(row.recorded_at - 73 * hour);
    });
}

#[test]
fn each_rule_on_orders_has_its_reason() {
    quarantines_order("status_unknown", |row| row.status = "shipped");
    quarantines_order("paid_before_ordered", |row| row.paid_at = Some(row.ordered_at - 1));
    quarantines_order("promised_before_ordered", |row| row.promised_at = Some(row.ordered_at - 1));
    quarantines_order("ordered_after_recorded", |row| row.ordered_at += 1);
    quarantines_order("paid_after_recorded", |row| row.paid_at = Some(row.recorded_at + 1));
    quarantines_order("destination_lat_range", |row| row.lat = Some(90.5));
    quarantines_order("destination_lon_range", |row| row.lon = Some(f64::INFINITY));
    quarantines_order("destination_point_halved", |row| row.lon = None);
}

#[test]
fn a_shipment_of_an_order_in_quarantine_is_quarantined_too() {
    let store = sound_store();
    let mut rows = orders();
    rows[0].paid_at = Some(rows[0].ordered_at - 1);
    put(&store, "orders", "2026-01-02", orders_frame(&rows));
    let check = checked(&store);
    assert_eq!(check.tables["orders"].reasons["paid_before_ordered"], 1);
    assert_eq!(check.tables["shipments"].reasons["order_known"], 2);
    // Both versions of it, with the instants at which they were recorded.
    let rows = check.tables["shipments"].files.iter().flat_map(|file| &file.quarantined);
    let rows = rows.map(|row| (row.key.as_deref(), row.recorded_at.micros()));
    let expected = [micros("2026-01-02"), micros("2026-01-05")].map(|at| (Some("s00"), at));
    assert_eq!(rows.collect::<Vec<_>>(), expected);
}

/// The contract of shipments with another `onViolation` for deliveries before handover.
fn contracts_with(on_violation: &str) -> Vec<Contract> {
    let rule = "handed_over_at\n        mustBe: 0";
    let to = format!(
        "{rule}\n        customProperties: [{{property: onViolation, value: {on_violation}}}]"
    );
    let text = shipped("shipments").unwrap().replacen(rule, &to, 1);
    assert!(text.contains(&to));
    vec![contract("orders"), Contract::parse("shipments", &text).unwrap().accepting_stale()]
}

#[test]
fn a_rule_may_fail_the_table_drop_the_row_or_only_warn() {
    let store = sound_store();
    let mut rows = delivered();
    rows[7].handed_over_at = Some(rows[7].recorded_at + 1);
    put(&store, "shipments", "2026-01-05", shipments_frame(&rows));
    let as_of = at("2026-01-06");

    let error = check_anew(&store, &contracts_with("fail"), as_of).unwrap_err();
    assert_eq!(
        error.to_string(),
        "shipments tables/shipments/recorded_on=2026-01-05/part-0000.parquet: rule \
         delivered_before_handover (delivered_at < handed_over_at): expected no such row, found \
         1, first row 7"
    );
    assert_eq!(error.class(), ErrorClass::Contract);

    let dropped = check_anew(&store, &contracts_with("drop"), as_of).unwrap();
    let shipments = &dropped.tables["shipments"];
    assert_eq!((shipments.rows_ok, shipments.rows_dropped, shipments.rows_quarantined), (79, 1, 0));
    assert_eq!(shipments.files[1].dropped, [7]);

    // A rule that warns leaves the row to the next rule.
    let warned = check_anew(&store, &contracts_with("warn"), as_of).unwrap();
    let shipments = &warned.tables["shipments"];
    assert_eq!(shipments.warnings["delivered_before_handover"], 1);
    assert_eq!(shipments.reasons["handed_over_after_recorded"], 1);
}
