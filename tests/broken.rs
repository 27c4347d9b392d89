//! The message of the check for a file or a table that breaks each kind of rule.
//!
//! The messages are kept in `tests/snapshots/`; `RENEW_SNAPSHOTS=1 cargo test --workspace broken`
//! writes them again, to be reviewed before they are committed.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use polars::prelude::*;

use crate::program::{Folder, PIPELINE, command, ended, longhaul, read_frame, root, write_frame};

/// An as-of with more than four weeks of rows before it.
const AS_OF: &str = "2025-08-05";

/// A store with small simulated tables in which no row is bad, and contracts of its own whose rules
/// fail the table.
fn sound() -> Folder {
    static STORE: OnceLock<Folder> = OnceLock::new();
    let store = STORE.get_or_init(|| {
        let store = Folder::empty();
        let set = ["simulate.days=40", "simulate.shipments=2000", "simulate.odd_rate=0"];
        let mut arguments = vec!["simulate", PIPELINE, "--store", store.url()];
        set.iter().for_each(|set| arguments.extend(["--set", set]));
        longhaul(&arguments).ok();
        std::fs::remove_dir_all(store.path().join("tables/_commits")).expect("a commit");
        let contracts = store.path().join("contracts");
        std::fs::create_dir_all(&contracts).expect("a folder");
        for table in ["orders", "shipments"] {
            let name = format!("{table}.odcs.yaml");
            let text = std::fs::read_to_string(root().join("schemas").join(&name)).expect("one");
            let strict = text
                .replace("onViolation, value: quarantine", "onViolation, value: fail")
                .replace("onLatency, value: warn", "onLatency, value: fail")
                .replace("severity: warning", "severity: error")
                .replace("quarantineShareMax, value: 0.05", "quarantineShareMax, value: 0");
            std::fs::write(contracts.join(name), strict).expect("a contract");
        }
        store
    });
    store.copy()
}

/// The file of a day.
fn day(store: &Folder, table: &str, date: &str) -> PathBuf {
    let path = format!("tables/{table}/recorded_on={date}/part-0000.parquet");
    store.path().join(path)
}

/// The message of the check of a store after `breaks`, with `STORE` for the folder's name.
#[track_caller]
fn message_is(name: &str, breaks: impl FnOnce(&Folder)) {
    let store = sound();
    breaks(&store);
    let before = store.files();
    let set = format!("check.contracts={:?}", store.path().join("contracts"));
    let arguments = ["check", PIPELINE, "--store", store.url(), "--as-of", AS_OF, "--set", &set];
    let ended = ended(&mut command(&arguments));
    let message = format!("{}(exit code {})\n", ended.stderr, ended.code);
    let message = message.replace(store.url(), "STORE");
    let path = root().join("tests/snapshots").join(format!("{name}.txt"));
    if std::env::var_os("RENEW_SNAPSHOTS").is_some() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, &message).expect("a snapshot");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(message, kept, "{}", path.display());
    assert!(ended.code >= 10 && message.contains("\nhint: "), "{message}");
    assert_eq!(store.files(), before, "the store did not change");
}

/// Rewrites the rows of a day in the middle of the table.
fn with(table: &'static str, change: impl FnOnce(DataFrame) -> DataFrame) -> impl FnOnce(&Folder) {
    move |store| {
        let path = day(store, table, "2025-08-01");
        write_frame(&path, &mut change(read_frame(&path)));
    }
}

/// Puts a text into a column of the third row.
fn text(column: &str, value: Option<&str>) -> impl FnOnce(DataFrame) -> DataFrame {
    move |mut frame| {
        let old = frame
            .column(column)
            .expect("a column of the store")
            .str()
            .expect("a column of the store")
            .clone();
        let new: StringChunked =
            old.iter().enumerate().map(|(row, old)| if row == 2 { value } else { old }).collect();
        frame
            .with_column(new.with_name(column.into()).into_column())
            .expect("a column of the store");
        frame
    }
}

fn cast(column: &str, dtype: DataType) -> impl FnOnce(DataFrame) -> DataFrame {
    move |mut frame| {
        let values = frame
            .column(column)
            .expect("a column of the store")
            .cast(&dtype)
            .expect("a column of the store");
        frame.with_column(values).expect("a column of the store");
        frame
    }
}

#[test]
fn files_that_are_not_a_partition_of_the_table() {
    message_is("cut_off", |store| {
        let path = day(store, "orders", "2025-08-01");
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..1000]).unwrap();
    });
    message_is("no_rows", with("orders", |frame| frame.head(Some(0))));
    message_is("misplaced", |store| {
        let from = day(store, "orders", "2025-08-01");
        std::fs::rename(from, store.path().join("tables/orders/day.parquet")).unwrap();
    });
    message_is("other_day", |store| {
        let other = day(store, "orders", "2025-07-31");
        std::fs::copy(other, day(store, "orders", "2025-08-01")).unwrap();
    });
    message_is("no_table", |store| {
        std::fs::remove_dir_all(store.path().join("tables/orders")).unwrap()
    });
}

#[test]
fn columns_that_are_not_as_the_contract_says() {
    message_is("column_missing", with("orders", |frame| frame.drop("destination_zone").unwrap()));
    message_is("column_narrowed", with("shipments", cast("n_units", DataType::String)));
    let zoneless = DataType::Datetime(TimeUnit::Microseconds, None);
    message_is("column_without_zone", with("orders", cast("promised_at", zoneless)));
}

#[test]
fn rows_that_break_each_kind_of_rule() {
    message_is("rule_missing", with("orders", text("destination_zone", None)));
    message_is("rule_allowed_values", with("orders", text("status", Some("shipped"))));
    message_is(
        "rule_range",
        with("shipments", |mut frame| {
            let units = Column::new("n_units".into(), vec![0_i32; frame.height()]);
            frame.with_column(units).unwrap();
            frame
        }),
    );
    message_is(
        "rule_sql",
        with("orders", |mut frame| {
            let late = frame.column("recorded_at").unwrap().clone().with_name("promised_at".into());
            let early = late.cast(&DataType::Int64).unwrap() - 90 * 86_400_000_000_i64;
            let early = early.cast(late.dtype()).unwrap();
            frame.with_column(early).unwrap();
            frame
        }),
    );
    message_is("rule_join", with("shipments", text("order_id", Some("nobody's"))));
    message_is("rule_key", with("shipments", |frame| frame.vstack(&frame.head(Some(1))).unwrap()));
    message_is("rule_pattern", |store| {
        let path = store.path().join("contracts/orders.odcs.yaml");
        let plain = "leading zeros.\n        logicalType: string\n        logicalTypeOptions: {";
        let with_pattern = format!("{plain}pattern: \"^[A-Z0-9-]+$\", ");
        edit(&path, plain, &with_pattern);
        with("orders", text("destination_zone", Some("nowhere")))(store);
    });
}

#[test]
fn partitions_that_break_a_rule_on_whole_partitions() {
    message_is("partition_rows", with("orders", |frame| frame.head(Some(3))));
    message_is(
        "partition_nulls",
        with("orders", |mut frame| {
            let promised = frame.column("promised_at").unwrap();
            let nulls =
                Column::full_null(promised.name().clone(), promised.len(), promised.dtype());
            frame.with_column(nulls).unwrap();
            frame
        }),
    );
    message_is("partition_late", |store| {
        for table in ["orders", "shipments"] {
            for date in ["2025-08-01", "2025-08-02", "2025-08-03", "2025-08-04"] {
                let folder = day(store, table, date).parent().unwrap().to_owned();
                std::fs::remove_dir_all(folder).unwrap();
            }
        }
    });
}

#[test]
fn contracts_with_elements_that_are_not_supported() {
    let orders = |store: &Folder| store.path().join("contracts/orders.odcs.yaml");
    message_is("contract_metric", |store| {
        edit(&orders(store), "metric: invalidValues", "metric: missingValues");
    });
    message_is("contract_type", |store| {
        edit(&orders(store), "physicalType: float64", "physicalType: real")
    });
    message_is("contract_partition_unit", |store| {
        edit(&orders(store), "unit: percent", "unit: rows")
    });
    message_is("contract_latency", |store| {
        edit(&orders(store), "value: 2, unit: d", "value: 2, unit: y")
    });
}

fn edit(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).expect("a contract");
    assert!(text.contains(from), "{from}");
    std::fs::write(path, text.replacen(from, to, 1)).expect("a contract");
}
