//! Rows that no network makes, such as a date that means none: they go to quarantine by file and
//! row, and by contracts that let them through the night goes on all the same.

use std::path::PathBuf;

use polars::prelude::*;
use serde_json::Value;

use crate::program::{AS_OF, Folder, PIPELINE, longhaul, read_frame, root, write_frame};

/// The instant that .NET writes for none. Units: microseconds since 1970-01-01.
const YEAR_1: i64 = -62_135_596_800_000_000;
/// A day of 1677, near the first that fits 64 bits in nanoseconds.
const YEAR_1677: i64 = -9_223_372_036_854_775;

/// What is put into a column of a row.
enum Put {
    Micros(i64),
    Number(f64),
    Text(String),
}

/// Puts a value into a column of a row of a partition; returns the partition's path in the store.
fn spoil(
    store: &Folder,
    (table, partition): (&str, usize),
    row: usize,
    column: &str,
    value: &Put,
) -> String {
    let path: PathBuf = store.partitions(table)[partition].clone();
    let mut frame = read_frame(&path);
    let old = frame.column(column).expect("a column").clone();
    let height = frame.height();
    let mut mask = vec![false; height];
    mask[row] = true;
    let mask = BooleanChunked::from_slice("mask".into(), &mask);
    let new = match value {
        Put::Micros(micros) => Column::new(column.into(), vec![*micros; height]).cast(old.dtype()),
        Put::Number(number) => Ok(Column::new(column.into(), vec![*number; height])),
        Put::Text(text) => Ok(Column::new(column.into(), vec![text.as_str(); height])),
    };
    let new = new.expect("a value").zip_with(&mask, &old).expect("the same type");
    frame.with_column(new).expect("as many rows");
    write_frame(&path, &mut frame);
    path.strip_prefix(store.path()).expect("inside").display().to_string()
}

/// Rows that no network makes: where they are put, and the rule that each breaks.
fn implausible() -> Vec<(&'static str, &'static str, Put, &'static str)> {
    use Put::*;
    vec![
        ("orders", "ordered_at", Micros(i64::MIN), "ordered_at_range"),
        ("orders", "ordered_at", Micros(i64::MAX), "ordered_at_range"),
        ("orders", "ordered_at", Micros(YEAR_1), "ordered_years_before_recorded"),
        ("orders", "ordered_at", Micros(YEAR_1677), "ordered_years_before_recorded"),
        ("orders", "promised_at", Micros(i64::MAX), "promised_at_range"),
        (
            "orders",
            "destination_time_zone",
            Text("Mars/Phobos".into()),
            "destination_time_zone_format",
        ),
        ("orders", "destination_zone", Text("9".repeat(201)), "destination_zone_length"),
        ("shipments", "handed_over_at", Micros(i64::MIN), "handed_over_at_range"),
        ("shipments", "delivered_at", Micros(i64::MAX), "delivered_at_range"),
        ("shipments", "ship_by_at", Micros(i64::MIN), "ship_by_at_range"),
        ("shipments", "ship_by_at", Micros(YEAR_1), "ship_by_years_from_recorded"),
        ("shipments", "weight_g", Number(1e39), "weight_g_range"),
        ("shipments", "item_value", Number(f64::MAX), "item_value_range"),
    ]
}

/// Spoils one row for each kind of implausible value, each in a partition of its own. Returns path,
/// row and rule of each.
fn spoiled(store: &Folder) -> Vec<(String, u64, &'static str)> {
    let put = |(i, (table, column, value, rule)): (
        usize,
        (&'static str, &'static str, Put, &'static str),
    )| {
        let path = spoil(store, (table, 20 + 3 * i), i, column, &value);
        (path, i as u64, rule)
    };
    implausible().into_iter().enumerate().map(put).collect()
}

fn months(store: &Folder) -> usize {
    store
        .names()
        .iter()
        .filter(|name| name.starts_with("state/") && name.ends_with(".parquet"))
        .count()
}

#[test]
fn rows_that_no_network_makes_are_quarantined_by_file_and_row() {
    let store = Folder::with_simulated_tables();
    let clean = store.copy();
    let spoiled = spoiled(&store);
    let check = store.run("check", &["--json"]).ok().json();
    let found = store.path().join(check["folder"].as_str().expect("a folder")).join("check.json");
    let found: Value =
        serde_json::from_slice(&std::fs::read(found).expect("a finding")).expect("JSON");
    let mut quarantined = Vec::new();
    for table in found["tables"].as_object().expect("tables").values() {
        for file in table["files"].as_array().expect("files") {
            for row in file["quarantined"].as_array().into_iter().flatten() {
                let reason = row["reason"].as_str().expect("a reason").to_owned();
                quarantined.push((
                    file["path"].as_str().expect("a path").to_owned(),
                    row["row"].as_u64().expect("a row"),
                    reason,
                ));
            }
        }
    }
    for (path, row, rule) in spoiled {
        let row = (path, row, rule.to_owned());
        assert!(quarantined.contains(&row), "{row:?} is not in quarantine");
    }

    // And nothing of them is in the features: no more months of state than without them.
    store.run("features", &[]).ok();
    clean.run("features", &[]).ok();
    assert_eq!(months(&store), months(&clean));
}

#[test]
fn contracts_that_let_such_rows_through_end_no_night() {
    let store = Folder::with_simulated_tables();
    let contracts = store.path().join("contracts");
    std::fs::create_dir_all(&contracts).expect("a folder");
    for table in ["orders", "shipments"] {
        let name = format!("{table}.odcs.yaml");
        let text = std::fs::read_to_string(root().join("schemas").join(&name)).expect("one");
        // No rule on years, zones and lengths, and whatever is broken only warns.
        let lax: String = text
            .replace(", format: iana-time-zone", "")
            .replace("{maxLength: 200}", "{}")
            .replace(
                "dimension: timeliness\n        severity: error",
                "dimension: timeliness\n        severity: warning",
            )
            .replace(
                "dimension: consistency\n        severity: error",
                "dimension: consistency\n        severity: warning",
            )
            .replace("onViolation, value: quarantine", "onViolation, value: warn");
        assert!(lax.len() < text.len());
        std::fs::write(contracts.join(name), lax).expect("a contract");
    }
    for (i, (table, column, value, _)) in implausible().into_iter().enumerate() {
        // Twenty rows each: sums of squares of two thousand years do not fit 64 bits.
        for row in 0..20 {
            spoil(&store, (table, 20 + 3 * i), row, column, &value);
        }
    }
    let set = format!("check.contracts={contracts:?}");
    let ended =
        longhaul(&["run", PIPELINE, "--store", store.url(), "--as-of", AS_OF, "--set", &set]);
    assert!([0, 12].contains(&ended.code), "{}: {}", ended.code, ended.stderr);
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
}
