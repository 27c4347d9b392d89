//! A feed that died, and files that are gone: the night refuses, unless a person accepts it with a
//! reason, which is recorded.

use serde_json::Value;

use crate::program::{AS_OF, Folder, PIPELINE, longhaul};

fn check(store: &Folder, as_of: &str, more: &[&str]) -> crate::program::Ended {
    let arguments = ["check", PIPELINE, "--store", store.url(), "--as-of", as_of];
    longhaul(&[&arguments[..], more].concat())
}

/// Removes the partitions of a table of some days of October 2025.
fn remove(store: &Folder, table: &str, days: std::ops::Range<u32>) {
    for day in days {
        let path = store.path().join(format!("tables/{table}/recorded_on=2025-10-{day:02}"));
        std::fs::remove_dir_all(path).expect("a partition");
    }
}

/// The summary and the finding of a check of `--json`.
fn finding(store: &Folder, ended: &crate::program::Ended) -> (Value, Value) {
    let result = ended.json();
    let folder = store.path().join(result["folder"].as_str().expect("a folder"));
    let found = std::fs::read(folder.join("check.json")).expect("a finding");
    (result, serde_json::from_slice(&found).expect("JSON"))
}

#[test]
fn a_feed_that_died_ends_the_night_with_11_unless_it_is_accepted() {
    let store = Folder::with_simulated_tables();
    let before = store.files();
    let late = "2025-11-18";
    check(&store, late, &[]).refuses(11, &["latency", "--accept-stale", "hint:"]);
    let run = ["run", PIPELINE, "--store", store.url(), "--as-of", late];
    longhaul(&run).refuses(11, &["latency"]);
    let mut after = store.files();
    after.retain(|name, _| name.starts_with("tables/") || name.starts_with("models/"));
    assert_eq!(after.len(), before.keys().filter(|name| name.starts_with("tables/")).count());

    let reason = ["--accept-stale", "moving house", "--json"];
    let ended = check(&store, late, &reason).ok();
    assert!(ended.stderr.contains("accepted: moving house"), "{}", ended.stderr);
    let (_, found) = finding(&store, &ended);
    assert_eq!(found["accepted"]["orders: latency"], "moving house");
    check(&store, late, &[]).refuses(11, &["latency"]);
    check(&store, AS_OF, &[]).ok();
}

#[test]
fn seven_days_that_are_gone_are_refused_unless_it_is_accepted() {
    let store = Folder::with_simulated_tables();
    check(&store, "2025-10-28", &[]).ok();
    remove(&store, "shipments", 11..18);
    let words = ["7 gone", "tables/shipments/recorded_on=2025-10-11", "--accept-missing"];
    check(&store, AS_OF, &[]).refuses(10, &words);
    // Without what the last check left nothing says what there was.
    let ended = check(&store, AS_OF, &["--accept-missing", "never delivered", "--json"]).ok();
    let (_, found) = finding(&store, &ended);
    assert_eq!(found["accepted"].as_object().map(serde_json::Map::len), Some(7), "{found}");
    // Once accepted, it stays so.
    check(&store, AS_OF, &[]).ok();
    remove(&store, "orders", 20..21);
    check(&store, AS_OF, &[]).refuses(10, &["1 gone", "tables/orders/recorded_on=2025-10-20"]);
}

#[test]
fn a_day_left_out_in_between_is_refused_without_any_earlier_check() {
    let store = Folder::with_simulated_tables();
    remove(&store, "orders", 25..26);
    let words = ["tables/orders/recorded_on=2025-10-25/", "--accept-missing"];
    check(&store, AS_OF, &[]).refuses(10, &words);
    check(&store, AS_OF, &["--accept-missing", "closed"]).ok();
    check(&store, AS_OF, &[]).ok();
}
