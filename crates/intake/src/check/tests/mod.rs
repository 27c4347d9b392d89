//! The check of whole tables; of files, rows and previous checks in the files beside this one.

mod files;
mod incremental;
mod row_rules;

use bytes::Bytes;
use store::Store;
use terms::ErrorClass;

use super::*;
use crate::fixture::*;

fn checked(store: &Store) -> Check {
    check_anew(store, &contracts(), at("2026-01-06")).unwrap()
}

/// The check of a store fails with this message and class, and changes nothing in it.
#[track_caller]
fn fails(store: &Store, message: &str, class: ErrorClass) {
    fails_as_of(store, "2026-01-06", message, class);
}

#[track_caller]
fn fails_as_of(store: &Store, as_of: &str, message: &str, class: ErrorClass) {
    let before = contents(store);
    let error = check_anew(store, &contracts(), at(as_of)).unwrap_err();
    assert_eq!(error.to_string(), message);
    assert_eq!(error.class(), class);
    assert!(error.hint().is_some(), "no hint");
    assert_eq!(contents(store), before);
}

#[test]
fn every_row_of_a_sound_store_is_ok() {
    let check = checked(&sound_store());
    let shipments = &check.tables["shipments"];
    assert_eq!((shipments.rows_in, shipments.rows_ok), (80, 80));
    assert_eq!(check.tables["orders"].rows_ok, 40);
    assert_eq!(shipments.files.len(), 2);
    let text = serde_json::to_string(&check).unwrap();
    assert_eq!(serde_json::from_str::<Check>(&text).unwrap(), check);
    assert_eq!(serde_json::to_string(&checked(&sound_store())).unwrap(), text);
}

#[test]
fn rows_recorded_at_or_after_the_as_of_are_not_checked() {
    let store = sound_store();
    store.put(&path("shipments", "2026-01-06"), Bytes::from_static(b"later, and broken")).unwrap();
    assert_eq!(checked(&store).tables["shipments"].rows_in, 80);

    let noon = check_anew(&store, &contracts(), at("2026-01-05T12:00:00Z")).unwrap();
    let shipments = &noon.tables["shipments"];
    assert_eq!((shipments.rows_in, shipments.files[1].rows_later), (64, 16));
}

#[test]
fn a_table_that_is_missing_or_begins_later_is_named() {
    let store = memory();
    put(&store, "orders", "2026-01-02", orders_frame(&orders()));
    fails(
        &store,
        "shipments tables/shipments/: expected rows recorded before 2026-01-06, found no partition",
        ErrorClass::Input,
    );
    fails_as_of(
        &sound_store(),
        "2026-01-02",
        "orders tables/orders/: expected rows recorded before 2026-01-02, found the first \
         partition to be recorded_on=2026-01-02",
        ErrorClass::Input,
    );
}

#[test]
fn too_many_bad_rows_are_an_error_with_counts_and_samples() {
    let store = sound_store();
    let mut rows = delivered();
    for row in &mut rows[..4] {
        row.n_units = 0;
    }
    rows[4].status = "teleported";
    put(&store, "shipments", "2026-01-05", shipments_frame(&rows));
    let file = path("shipments", "2026-01-05");
    let message = format!(
        "shipments: expected at most 5.0% of rows in quarantine, found 5 of 80: n_units_range 4, \
         status_unknown 1; first {file} row 0 n_units_range, {file} row 1 n_units_range, {file} \
         row 2 n_units_range, {file} row 3 n_units_range, {file} row 4 status_unknown"
    );
    fails(&store, &message, ErrorClass::Contract);
}

#[test]
fn an_optional_table_may_be_absent() {
    let mut all = contracts();
    all.push(contract("nodes"));
    let check = check_anew(&sound_store(), &all, at("2026-01-06")).unwrap();
    assert_eq!(check.tables.keys().collect::<Vec<_>>(), ["orders", "shipments"]);
}

#[test]
fn a_join_without_its_table_is_refused() {
    let error = check_anew(&sound_store(), &[contract("shipments")], at("2026-01-06")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "shipments: joins orders: expected a table that is checked before it"
    );
}
