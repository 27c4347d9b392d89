//! `check --explain` and `check --release`.

use polars::prelude::Column;
use serde_json::Value;

use crate::program::{AS_OF, Folder, PIPELINE, command, longhaul};

fn rows(result: &Value, name: &str) -> u64 {
    result[name].as_u64().unwrap_or_else(|| panic!("{name}: {result}"))
}

#[test]
fn an_explanation_counts_by_table_and_rule_and_writes_nothing() {
    let store = Folder::with_simulated_tables();
    let before = store.files();
    let result = store.run("check", &["--explain", "--json"]).ok().json();
    assert_eq!(store.files(), before);
    let shipments = &result["tables"]["shipments"];
    let rules = result["rules"].as_array().unwrap();
    let counted: u64 = rules.iter().map(|rule| rows(rule, "rows")).sum();
    assert_eq!(counted, rows(shipments, "rows_quarantined"));
    let units = rules.iter().find(|rule| rule["rule"] == "n_units_range").unwrap();
    assert_eq!(units["samples"][0]["values"], serde_json::json!([["n_units", "0"]]));
    let path = units["samples"][0]["path"].as_str().unwrap();
    assert!(store.path().join(path).is_file(), "{path}");
    let joined = rules.iter().find(|rule| rule["rule"] == "handed_over_before_ordered").unwrap();
    let names: Vec<&str> = joined["samples"][0]["values"]
        .as_array()
        .unwrap()
        .iter()
        .map(|value| value[0].as_str().unwrap())
        .collect();
    assert_eq!(names, ["handed_over_at", "orders.ordered_at"]);

    let text = store.run("check", &["--explain"]).ok().stdout;
    assert!(text.contains("shipments: n_units_range: "), "{text}");
    assert!(text.contains("n_units=0"), "{text}");
}

#[test]
fn released_rows_are_used_from_then_on_and_written_once() {
    let store = Folder::with_simulated_tables();
    let before = store.run("check", &["--json"]).ok().json();
    let quarantined = store.files().into_iter().filter(|(name, _)| name.starts_with("quarantine/"));
    let quarantined: Vec<_> = quarantined.collect();
    let (ok, bad) =
        (rows(&before["summary"], "rows_ok"), rows(&before["summary"], "rows_quarantined"));
    let n = rows(&before["summary"]["reasons"], "shipments: n_units_range");

    let first = store.run("check", &["--release", "n_units_range", "--json"]).ok().json();
    let summary = &first["check"]["summary"];
    assert_eq!(rows(&first, "rows"), n);
    assert_eq!(rows(summary, "rows_ok"), ok + n);
    assert_eq!(rows(summary, "rows_quarantined"), bad - n);
    assert_eq!(rows(summary, "rows_in"), rows(&before["summary"], "rows_in"));
    assert_eq!(rows(&summary["released"], "shipments: n_units_range"), n);
    assert_ne!(first["check"]["id"], before["id"], "another check");
    let release = store.path().join(first["path"].as_str().unwrap());
    let written: Value = serde_json::from_slice(&std::fs::read(&release).unwrap()).unwrap();
    assert_eq!(written["rule"], "n_units_range");
    assert_eq!(written["as_of"], AS_OF);

    // Repeated, it is the same, and nothing more is written; nothing in quarantine changes.
    let files = store.files();
    let again = store.run("check", &["--release", "shipments.n_units_range", "--json"]).ok().json();
    assert_eq!(again["released_before"], true);
    assert_eq!(again["path"], first["path"]);
    assert_eq!(store.files(), files);
    for (name, bytes) in quarantined {
        assert!(files.get(&name) == Some(&bytes), "{name} changed");
    }

    // A check as of an earlier night does not see the release.
    let earlier = ["check", PIPELINE, "--store", store.url(), "--as-of", "2025-10-28", "--json"];
    let earlier = longhaul(&earlier).ok().json();
    assert!(earlier["summary"].get("released").is_none(), "{earlier}");
    store.run("run", &[]).ok();
}

#[test]
fn killed_while_it_releases_it_can_be_repeated() {
    let store = Folder::with_simulated_tables();
    let whole = Folder::with_simulated_tables();
    whole.run("check", &["--release", "n_units_range"]).ok();
    for millis in (0..12).map(|step| 20 + 60 * step) {
        let arguments = ["check", PIPELINE, "--store", store.url(), "--as-of", AS_OF];
        let mut child = command(&arguments)
            .args(["--release", "n_units_range"])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("the program starts");
        std::thread::sleep(std::time::Duration::from_millis(millis));
        child.kill().expect("a kill");
        child.wait().expect("an end");
    }
    store.run("check", &["--release", "n_units_range"]).ok();
    let (mut found, expected) = (store.files(), whole.files());
    found.retain(|name, _| expected.contains_key(name) || !name.contains('#'));
    assert!(found == expected, "{:?}", found.keys().collect::<Vec<_>>());
}

#[test]
fn rows_that_may_not_be_released_are_refused() {
    let store = Folder::with_simulated_tables();
    let before = store.files();
    let release = |rule: &str| store.run("check", &["--release", rule]);
    release("order_known").refuses(10, &["order_known", "belongs to", "hint:"]);
    release("status_missing").refuses(2, &["status_missing", "several"]);
    release("orders.status_missing").refuses(10, &["required", "hint:"]);
    release("sunspots").refuses(2, &["sunspots", "shipments.n_units_range"]);
    release("paid_before_ordered").refuses(11, &["paid_before_ordered", "--explain"]);
    assert_eq!(store.files(), before);
}

#[test]
fn too_many_bad_rows_can_be_explained_and_released() {
    let store = Folder::with_simulated_tables();
    for path in store.partitions("shipments") {
        let mut frame = crate::program::read_frame(&path);
        let zero = Column::new("n_units".into(), vec![0_i32; frame.height()]);
        frame.with_column(zero).unwrap();
        crate::program::write_frame(&path, &mut frame);
    }
    store.run("check", &[]).refuses(10, &["n_units_range", "--explain"]);
    let text = store.run("check", &["--explain"]).ok().stdout;
    assert!(text.contains("shipments: n_units_range: "), "{text}");
    store.run("check", &["--release", "n_units_range"]).ok();
    store.run("check", &[]).ok();
}
