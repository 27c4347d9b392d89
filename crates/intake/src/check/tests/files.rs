//! Each way in which a file can be wrong, with the message that it gets.

use bytes::Bytes;
use polars::prelude::{DataFrame, DataType, TimeUnit};
use terms::ErrorClass;

use super::{checked, fails};
use crate::fixture::*;

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
fn a_file_in_the_wrong_place_is_named() {
    let store = sound_store();
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
    let store = sound_store();
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
    let store = sound_store();
    let mut bytes = parquet(orders_frame(&orders())).to_vec();
    let length = bytes.len();
    for byte in &mut bytes[4..400] {
        *byte ^= 0x5a;
    }
    store.put(&path("orders", "2026-01-02"), Bytes::from(bytes)).unwrap();
    fails(
        &store,
        &format!(
            "orders tables/orders/recorded_on=2026-01-02/part-0000.parquet: expected Parquet, \
             found {length} bytes that are not a whole file"
        ),
        ErrorClass::Contract,
    );
}

#[test]
fn a_file_without_rows_is_named() {
    let store = sound_store();
    put(&store, "orders", "2026-01-03", orders_frame(&[]));
    fails(
        &store,
        "orders tables/orders/recorded_on=2026-01-03/part-0000.parquet: expected rows, found none",
        ErrorClass::Input,
    );
}

#[test]
fn a_missing_column_is_named() {
    let store = sound_store();
    let frame = without(shipments_frame(&delivered()), "n_units");
    put(&store, "shipments", "2026-01-05", frame);
    let line = &contract("shipments").column("n_units").unwrap().declared_at.clone();
    fails(
        &store,
        &format!(
            "shipments tables/shipments/recorded_on=2026-01-05/part-0000.parquet: column \
             \"n_units\": expected int64 ({line}), found no such column"
        ),
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
        let store = sound_store();
        let mut frame = shipments_frame(&delivered());
        if dtype == DataType::Null {
            let nulls = polars::prelude::Column::full_null(column.into(), frame.height(), &dtype);
            frame.with_column(nulls).unwrap();
        } else {
            frame = cast(frame, column, &dtype);
        }
        put(&store, "shipments", "2026-01-05", frame);
        let place = "shipments tables/shipments/recorded_on=2026-01-05/part-0000.parquet";
        let line = &contract("shipments").column(column).unwrap().declared_at.clone();
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
    let store = sound_store();
    let frame = cast(shipments_frame(&delivered()), "n_units", &DataType::Int32);
    let frame = without(cast(frame, "weight_g", &DataType::Float32), "handed_over_at");
    put(&store, "shipments", "2026-01-05", frame);
    assert_eq!(checked(&store).tables["shipments"].rows_ok, 80);
}

#[test]
fn a_dictionary_of_text_is_text() {
    use arrow::datatypes::{DataType, Field, Schema};
    use parquet::arrow::{ArrowWriter, arrow_reader::ParquetRecordBatchReaderBuilder};
    let store = sound_store();
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
    let store = sound_store();
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
    let store = sound_store();
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
fn a_duplicate_key_is_named_in_one_file_and_across_files() {
    let store = sound_store();
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
