//! Each way in which a file or a row can be wrong, with the message that it gets.

use polars::prelude::{DataFrame, DataType, TimeUnit};

use terms::ErrorClass;

use super::*;
use crate::fixture::*;

fn checked(store: &Store) -> Check {
    check_anew(store, &contracts(), at("2026-01-06")).unwrap()
}

/// The check of a store fails with this message and exit code, and changes nothing in it.
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
    assert!(error.hint().is_some(), "no way out named");
    assert_eq!(contents(store), before);
}

/// With these delivered versions one row is quarantined, for this reason.
#[track_caller]
fn quarantines_delivered(reason: &str, spoil: impl FnOnce(&mut Shipment)) {
    let store = world();
    let mut rows = delivered();
    spoil(&mut rows[7]);
    put(&store, "shipments", "2026-01-05", shipments_frame(&rows));
    one_quarantined(&store, "shipments", reason);
}

#[track_caller]
fn quarantines_order(reason: &str, spoil: impl FnOnce(&mut Order)) {
    let store = world();
    let mut rows = orders();
    // An order that no shipment needs, so that only the order itself is in quarantine.
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

fn without(mut frame: DataFrame, column: &str) -> DataFrame {
    frame.drop_in_place(column).unwrap();
    frame
}

fn cast(mut frame: DataFrame, column: &str, dtype: &DataType) -> DataFrame {
    let values = frame.column(column).unwrap().cast(dtype).unwrap();
    frame.with_column(values).unwrap();
    frame
}

#[test]
fn a_sound_world_passes_whole() {
    let check = checked(&world());
    let shipments = &check.tables["shipments"];
    assert_eq!((shipments.rows_in, shipments.rows_ok), (80, 80));
    assert_eq!(check.tables["orders"].rows_ok, 40);
    assert_eq!(shipments.files.len(), 2);
    let text = serde_json::to_string(&check).unwrap();
    assert_eq!(serde_json::from_str::<Check>(&text).unwrap(), check);
    assert_eq!(serde_json::to_string(&checked(&world())).unwrap(), text);
}

#[test]
fn rows_recorded_at_or_after_the_as_of_are_not_looked_at() {
    let store = world();
    store.put(&path("shipments", "2026-01-06"), Bytes::from_static(b"later, and broken")).unwrap();
    assert_eq!(checked(&store).tables["shipments"].rows_in, 80);

    let noon = check_anew(&store, &contracts(), at("2026-01-05T12:00:00Z")).unwrap();
    let shipments = &noon.tables["shipments"];
    assert_eq!((shipments.rows_in, shipments.files[1].rows_later), (64, 16));
}

#[test]
fn a_table_that_is_not_there_or_begins_later_is_named() {
    let store = memory();
    put(&store, "orders", "2026-01-02", orders_frame(&orders()));
    fails(
        &store,
        "shipments tables/shipments/: expected rows recorded before 2026-01-06, found no partition",
        ErrorClass::Input,
    );
    fails_as_of(
        &world(),
        "2026-01-02",
        "orders tables/orders/: expected rows recorded before 2026-01-02, found the first \
         partition to be recorded_on=2026-01-02",
        ErrorClass::Input,
    );
}

#[test]
fn a_file_in_the_wrong_place_is_named() {
    let store = world();
    let stray = "tables/orders/part-0000.parquet";
    store.put(stray, parquet(orders_frame(&orders()))).unwrap();
    store.put("tables/orders/_SUCCESS", Bytes::new()).unwrap();
    fails(
        &store,
        "orders tables/orders/part-0000.parquet: expected \
         tables/orders/recorded_on=YYYY-MM-DD/*.parquet",
        ErrorClass::Contract,
    );
}

#[test]
fn a_file_that_is_cut_off_is_named() {
    let store = world();
    let whole = parquet(orders_frame(&orders()));
    let half = whole.slice(..whole.len() / 2);
    let message = format!(
        "orders {}: expected Parquet, found {} bytes that are not a whole file",
        path("orders", "2026-01-02"),
        half.len(),
    );
    store.put(&path("orders", "2026-01-02"), half).unwrap();
    fails(&store, &message, ErrorClass::Contract);
    store.put(&path("orders", "2026-01-02"), Bytes::new()).unwrap();
    fails(
        &store,
        "orders tables/orders/recorded_on=2026-01-02/part-0000.parquet: expected Parquet, found \
         0 bytes that are not a whole file",
        ErrorClass::Contract,
    );
}

#[test]
fn a_file_whose_middle_is_damaged_is_named() {
    let store = world();
    let mut bytes = parquet(orders_frame(&orders())).to_vec();
    for byte in &mut bytes[4..400] {
        *byte ^= 0x5a;
    }
    store.put(&path("orders", "2026-01-02"), Bytes::from(bytes)).unwrap();
    fails(
        &store,
        "orders tables/orders/recorded_on=2026-01-02/part-0000.parquet: its rows cannot be read",
        ErrorClass::Contract,
    );
}

#[test]
fn a_file_without_rows_is_named() {
    let store = world();
    put(&store, "orders", "2026-01-03", orders_frame(&[]));
    fails(
        &store,
        "orders tables/orders/recorded_on=2026-01-03/part-0000.parquet: expected rows, found none",
        ErrorClass::Input,
    );
}

#[test]
fn a_missing_column_is_named() {
    let store = world();
    let frame = without(shipments_frame(&delivered()), "origin_zone");
    put(&store, "shipments", "2026-01-05", frame);
    fails(
        &store,
        "shipments tables/shipments/recorded_on=2026-01-05/part-0000.parquet: column \
         \"origin_zone\": expected text (schemas/shipments.odcs.yaml line 146), found no such column",
        ErrorClass::Contract,
    );
}

#[test]
fn a_wrong_type_is_named() {
    for (column, dtype, expected_and_found) in [
        ("n_units", DataType::String, "expected int64 (LINE), found text"),
        ("status", DataType::Null, "expected text (LINE), found null"),
        (
            "delivered_at",
            DataType::Datetime(TimeUnit::Microseconds, None),
            "expected timestamp in UTC with microseconds (LINE), found timestamp without zone",
        ),
        (
            "delivered_at",
            DataType::Datetime(TimeUnit::Nanoseconds, Some(polars::prelude::TimeZone::UTC)),
            "expected timestamp in UTC with microseconds (LINE), found timestamp in UTC with nanoseconds",
        ),
    ] {
        let store = world();
        let mut frame = shipments_frame(&delivered());
        if dtype == DataType::Null {
            let nulls = polars::prelude::Column::full_null(column.into(), frame.height(), &dtype);
            frame.with_column(nulls).unwrap();
        } else {
            frame = cast(frame, column, &dtype);
        }
        put(&store, "shipments", "2026-01-05", frame);
        let place = "shipments tables/shipments/recorded_on=2026-01-05/part-0000.parquet";
        let line = &contract("shipments").column(column).unwrap().place.clone();
        assert!(line.starts_with("schemas/shipments.odcs.yaml line "), "{line}");
        let expected_and_found = expected_and_found.replace("LINE", line);
        fails(
            &store,
            &format!("{place}: column {column:?}: {expected_and_found}"),
            ErrorClass::Contract,
        );
    }
}

#[test]
fn narrow_numbers_are_widened_and_absent_optional_columns_are_null() {
    let store = world();
    let frame = cast(shipments_frame(&delivered()), "n_units", &DataType::Int32);
    let frame = without(cast(frame, "weight_g", &DataType::Float32), "handed_over_at");
    put(&store, "shipments", "2026-01-05", frame);
    assert_eq!(checked(&store).tables["shipments"].rows_ok, 80);
}

#[test]
fn a_dictionary_of_text_is_text() {
    use arrow::datatypes::{DataType, Field, Schema};
    use parquet::arrow::{ArrowWriter, arrow_reader::ParquetRecordBatchReaderBuilder};
    let store = world();
    let bytes = parquet(orders_frame(&orders()));
    let mut batches = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap();
    let batch = batches.next().unwrap().unwrap();
    let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let mut fields: Vec<Field> =
        batch.schema().fields().iter().map(|field| Field::clone(field)).collect();
    let mut columns = batch.columns().to_vec();
    let status = batch.schema().index_of("status").unwrap();
    columns[status] = arrow::compute::cast(&columns[status], &dictionary).unwrap();
    fields[status] = Field::new("status", dictionary, true);
    let schema = std::sync::Arc::new(Schema::new(fields));
    let batch = arrow::array::RecordBatch::try_new(schema.clone(), columns).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), schema, None).unwrap();
    writer.write(&batch).unwrap();
    store.put(&path("orders", "2026-01-02"), writer.into_inner().unwrap().into()).unwrap();
    assert_eq!(checked(&store).tables["orders"].rows_ok, 40);
}

#[test]
fn a_row_of_another_day_is_named() {
    let store = world();
    put(&store, "orders", "2026-01-03", orders_frame(&orders()));
    fails(
        &store,
        "orders tables/orders/recorded_on=2026-01-03/part-0000.parquet: column \"recorded_at\": \
         expected 2026-01-03, found 2026-01-02",
        ErrorClass::Contract,
    );
}

#[test]
fn a_row_without_recorded_at_is_named() {
    let store = world();
    let mut frame = orders_frame(&orders());
    let mut times: Vec<Option<i64>> =
        orders().iter().map(|order| Some(order.recorded_at)).collect();
    times[3] = None;
    frame.with_column(instants("recorded_at", times)).unwrap();
    put(&store, "orders", "2026-01-02", frame);
    fails(
        &store,
        "orders tables/orders/recorded_on=2026-01-02/part-0000.parquet: column \"recorded_at\": \
         expected no null, found 1",
        ErrorClass::Contract,
    );
}

#[test]
fn a_version_told_twice_is_named_in_one_file_and_across_files() {
    let store = world();
    let mut rows = delivered();
    rows[8] = rows[7].clone();
    put(&store, "shipments", "2026-01-05", shipments_frame(&rows));
    let end = "key (shipment_id, recorded_at): expected once, found 2 rows that share theirs, \
               first (s07, 2026-01-05 03:30:00 UTC)";
    let place = "shipments tables/shipments/recorded_on=2026-01-05/";
    fails(&store, &format!("{place}part-0000.parquet: {end}"), ErrorClass::Contract);

    put(&store, "shipments", "2026-01-05", shipments_frame(&delivered()));
    let again = parquet(shipments_frame(&delivered()[7..8]));
    store.put("tables/shipments/recorded_on=2026-01-05/part-0001.parquet", again).unwrap();
    fails(&store, &format!("{place}: {end}"), ErrorClass::Contract);
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
    // Also after recorded_at: the useful reason is given.
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
fn a_shipment_of_an_order_in_quarantine_is_not_known_either() {
    let store = world();
    let mut rows = orders();
    rows[0].paid_at = Some(rows[0].ordered_at - 1);
    put(&store, "orders", "2026-01-02", orders_frame(&rows));
    let check = checked(&store);
    assert_eq!(check.tables["orders"].reasons["paid_before_ordered"], 1);
    assert_eq!(check.tables["shipments"].reasons["order_known"], 2);
    // Both versions of it: in doubt from the first.
    let in_doubt = check.tables["shipments"].in_doubt(at("2026-01-06"));
    assert_eq!(in_doubt, BTreeMap::from([("s00", micros("2026-01-02"))]));
    assert_eq!(check.tables["shipments"].in_doubt(at("2026-01-02")), BTreeMap::new());
}

#[test]
fn too_many_bad_rows_are_an_error_with_counts_and_samples() {
    let store = world();
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

/// The contract of shipments with another `onViolation` for deliveries before handover.
fn contracts_with(on_violation: &str) -> Vec<Contract> {
    let rule = "handed_over_at\n        mustBe: 0";
    let to = format!(
        "{rule}\n        customProperties: [{{property: onViolation, value: {on_violation}}}]"
    );
    let text = crate::shipped("shipments").unwrap().replacen(rule, &to, 1);
    assert!(text.contains(&to));
    vec![contract("orders"), Contract::parse("shipments", &text).unwrap()]
}

#[test]
fn a_rule_may_fail_the_table_drop_the_row_or_only_warn() {
    let store = world();
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

    // With a warning alone the next rule decides.
    let warned = check_anew(&store, &contracts_with("warn"), as_of).unwrap();
    let shipments = &warned.tables["shipments"];
    assert_eq!(shipments.warnings["delivered_before_handover"], 1);
    assert_eq!(shipments.reasons["handed_over_after_recorded"], 1);
}

#[test]
fn an_optional_table_may_be_absent() {
    let mut all = contracts();
    all.push(contract("nodes"));
    let check = check_anew(&world(), &all, at("2026-01-06")).unwrap();
    assert_eq!(check.tables.keys().collect::<Vec<_>>(), ["orders", "shipments"]);
}

#[test]
fn a_join_without_its_table_is_refused() {
    let error = check_anew(&world(), &[contract("shipments")], at("2026-01-06")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "shipments: joins orders: expected a table that is checked before it"
    );
}

#[test]
fn batches_hold_everything_once_and_in_order() {
    let items: Vec<u64> = (0..1000).collect();
    let batches = batches(&items, |item| (1, if *item == 500 { BATCH_BYTES * 2 } else { 10 }));
    assert_eq!(batches.concat(), items);
    assert!(batches.iter().all(|batch| batch.len() <= BATCH_FILES));
    assert!(batches.contains(&[500].as_slice()));
}
