//! Bad input: one clear message, its exit code, and a store that did not change.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use polars::prelude::*;

use crate::program::{Folder, PIPELINE, command, ended, longhaul, read_frame, root, write_frame};

/// Breaks one partition of a store: a run must refuse it and leave the store as it was.
#[track_caller]
fn broken(table: &str, breaks: impl FnOnce(&Path), code: i32, words: &[&str]) {
    let store = Folder::with_simulated_tables();
    let partitions = store.partitions(table);
    let partition: &PathBuf = &partitions[partitions.len() / 2];
    breaks(partition);
    let before = store.files();
    let ended = store.run("run", &[]);
    let name = partition.strip_prefix(store.path()).expect("in the store").display().to_string();
    let mut words = words.to_vec();
    words.push(&name);
    ended.refuses(code, &words);
    assert_eq!(store.files(), before, "the store did not change");
}

/// Rewrites a partition.
fn with(change: impl FnOnce(DataFrame) -> DataFrame) -> impl FnOnce(&Path) {
    |path| write_frame(path, &mut change(read_frame(path)))
}

#[test]
fn a_missing_column_is_named() {
    let drop = with(|frame| frame.drop("destination_zone").unwrap());
    broken("orders", drop, 10, &["destination_zone", "hint:"]);
}

#[test]
fn a_column_of_the_wrong_type_is_named_with_both_types() {
    let text = with(|mut frame| {
        let units = frame.column("n_units").unwrap().cast(&DataType::String).unwrap();
        frame.with_column(units).unwrap();
        frame
    });
    broken("shipments", text, 10, &["n_units", "expected", "found"]);
}

#[test]
fn a_time_without_a_zone_is_refused() {
    let zoneless = with(|mut frame| {
        let naive = DataType::Datetime(TimeUnit::Microseconds, None);
        let promised = frame.column("promised_at").unwrap().cast(&naive).unwrap();
        frame.with_column(promised).unwrap();
        frame
    });
    broken("orders", zoneless, 10, &["promised_at", "zone", "hint:"]);
}

#[test]
fn an_empty_partition_is_refused() {
    broken("orders", with(|frame| frame.head(Some(0))), 11, &["row"]);
}

#[test]
fn a_truncated_file_is_refused() {
    let cut = |path: &Path| {
        let bytes = std::fs::read(path).unwrap();
        std::fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
    };
    broken("shipments", cut, 10, &["Parquet"]);
}

#[test]
fn duplicate_keys_are_refused_with_the_key() {
    let twice = with(|frame| frame.vstack(&frame.head(Some(1))).unwrap());
    broken("shipments", twice, 10, &["shipment_id", "hint:"]);
}

#[test]
fn a_missing_table_is_refused() {
    let store = Folder::with_simulated_tables();
    std::fs::remove_dir_all(store.path().join("tables/shipments")).unwrap();
    let before = store.files();
    store.run("run", &[]).refuses(11, &["shipments", "hint:"]);
    assert_eq!(store.files(), before);
}

#[test]
fn an_as_of_before_any_data_is_refused() {
    let store = Folder::with_simulated_tables();
    let before = store.files();
    let early = ["run", PIPELINE, "--store", store.url(), "--as-of", "2020-01-01"];
    longhaul(&early).refuses(11, &["2020-01-01", "hint:"]);
    assert_eq!(store.files(), before);
}

#[test]
fn too_few_matured_rows_to_train_leave_a_baseline_that_the_gates_refuse() {
    let store = Folder::with_simulated_tables();
    let early = ["run", PIPELINE, "--store", store.url(), "--as-of", "2025-07-04"];
    longhaul(&early).refuses(12, &["warning: left out: boost", "found 0", "hint:"]);
    assert!(!store.path().join("models/small/current.json").exists());
}

#[test]
fn an_unknown_family_statistic_or_flag_value_is_refused() {
    let store = Folder::with_simulated_tables();
    let set = |assignment: &str| store.run("train", &["--set", assignment]);
    set("train.families=[\"oracle\"]").refuses(30, &["oracle", "boost"]);
    set("train.boost.learning_rate=-1").refuses(30, &["learning_rate", "-1"]);
    set("simulate.shipments=0").ok();
    let simulate = ["simulate", PIPELINE, "--store", store.url(), "--set", "simulate.odd_rate=2"];
    longhaul(&simulate).refuses(30, &["odd_rate", "2"]);
}

#[test]
fn a_declaration_that_names_what_does_not_exist_is_refused() {
    let store = Folder::with_simulated_tables();
    let path = store.path().join("declared.toml");
    std::fs::write(&path, "facts = [\"horoscope\"]\n").unwrap();
    let set = format!("features.declaration={:?}", path.to_str().unwrap());
    store.run("features", &["--set", &set]).refuses(30, &["horoscope", "distance_km"]);
}

#[test]
fn a_declaration_that_lacks_a_feature_of_the_segments_is_refused_by_its_name() {
    let store = Folder::with_simulated_tables();
    let path = store.path().join("declared.toml");
    let shipped = std::fs::read_to_string(root().join("pipelines/features/default.toml")).unwrap();
    let counted = "\"delivery_hours\"\nstatistics = [\"mean\", \"count\"]\nwindows_days = ";
    let lacking = shipped.replacen(&format!("{counted}[60, 400]"), &format!("{counted}[60]"), 1);
    assert_ne!(lacking, shipped);
    std::fs::write(&path, lacking).unwrap();
    let set = format!("features.declaration={:?}", path.to_str().unwrap());
    let evaluated = store.run("evaluate", &["--set", &set]);
    evaluated.refuses(30, &["origin_node_id_delivery_hours_count_400d", "[[history]]", "hint:"]);
}

#[test]
fn tables_with_other_bytes_are_not_overwritten() {
    let store = Folder::with_simulated_tables();
    let before = store.files();
    let other = ["simulate", PIPELINE, "--store", store.url(), "--set", "simulate.seed=8"];
    longhaul(&other).refuses(10, &["recorded_on=", "--force"]);
    assert_eq!(store.files(), before);
}

#[test]
fn rows_for_predict_need_every_feature_by_its_name() {
    let store = Folder::with_simulated_tables();
    let few = ["--set", "train.families=[\"baseline\"]", "--set", "publish.exports=false"];
    store.run("publish", &few).ok();
    let place = |name: &str| store.path().join(name).display().to_string();
    let predict = |rows: &str, out: &str| {
        longhaul(&["predict", "--store", store.url(), "--rows", rows, "--out", out])
    };
    std::fs::write(place("rows.jsonl"), "{\"distance_km\": 12.5}\n").unwrap();
    // All that is missing at once, with what it is.
    let missing = ["none for 96 features: n_units (a number)", "carrier (a string)", "weight_g"];
    let of_lines = predict(&place("rows.jsonl"), &place("out.csv"));
    of_lines
        .refuses(10, &[&["rows.jsonl: line 1", "a key for each feature"], &missing[..]].concat());
    let mut frame = polars::df!("distance_km" => [12.5_f32]).unwrap();
    crate::program::write_frame(&store.path().join("rows.parquet"), &mut frame);
    let of_parquet = predict(&place("rows.parquet"), &place("out.csv"));
    of_parquet
        .refuses(10, &[&["rows.parquet: ", "a column for each feature"], &missing[..]].concat());
    predict(&place("rows.jsonl"), &place("out.xlsx")).refuses(2, &["out.xlsx", ".csv or .jsonl"]);
    // Nothing half-written.
    let left = store.names().into_iter().filter(|name| name.starts_with("out."));
    assert_eq!(left.collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn a_url_that_is_not_of_a_store_is_refused() {
    longhaul(&["doctor", "--store", "ftp://host/place"]).refuses(30, &["ftp"]);
    longhaul(&["doctor", "--store", "s3://"]).refuses(30, &["bucket"]);
}

#[test]
fn a_variable_of_ours_that_is_no_text_is_refused_by_name_and_one_of_others_is_ignored() {
    let shown = |name: &str, value: &[u8]| {
        let mut command = command(&["config", "show", PIPELINE]);
        ended(command.env(name, OsStr::from_bytes(value)))
    };
    for name in ["LONGHAUL__TRAIN__SEED", "LONGHAUL__X", "AWS_REGION"] {
        shown(name, b"\xff\xfe").refuses(30, &[name, "UTF-8"]);
    }
    shown("SOMEBODY_ELSES", b"\xff\xfe").ok();
    let mut of_no_text_at_all = command(&["config", "show", PIPELINE]);
    ended(of_no_text_at_all.env(OsStr::from_bytes(b"\xff\xfe"), "1")).ok();
}
