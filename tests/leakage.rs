//! What is recorded after the as-of changes no feature and no model: with the later files of the
//! store altered, and by the `proof` command. That each kind of leak is found is tested in `features`.

use polars::prelude::*;
use serde_json::Value;

use crate::program::{Folder, PIPELINE, longhaul, read_frame, write_frame};

const AS_OF: &str = "2025-10-10";

fn digests(store: &Folder) -> (Value, Value) {
    let stage = |verb: &str| {
        let arguments = [verb, PIPELINE, "--store", store.url(), "--as-of", AS_OF, "--json"];
        longhaul(&arguments).ok().json()["outputs"].clone()
    };
    (stage("features"), stage("train"))
}

/// The partitions recorded at or after the as-of.
fn later(store: &Folder, table: &str) -> Vec<std::path::PathBuf> {
    let is_later = |path: &std::path::PathBuf| {
        let text = path.display().to_string();
        let date = text.split("recorded_on=").nth(1).expect("a partition");
        &date[..10] >= AS_OF
    };
    let paths: Vec<_> = store.partitions(table).into_iter().filter(is_later).collect();
    assert!(!paths.is_empty(), "the tables go on after {AS_OF}");
    paths
}

/// Moves every value but keys and times of record to another row.
fn scramble(path: &std::path::Path) {
    let mut frame = read_frame(path);
    let kept = ["shipment_id", "order_id", "recorded_at"];
    let names: Vec<String> =
        frame.get_column_names().into_iter().map(|name| name.to_string()).collect();
    for name in names.iter().filter(|name| !kept.contains(&name.as_str())) {
        let reversed =
            frame.column(name).expect("its own column").as_materialized_series().reverse();
        frame.with_column(reversed.into_column()).expect("as many rows");
    }
    write_frame(path, &mut frame);
}

#[test]
fn scrambling_the_future_leaves_features_and_models_unchanged() {
    let untouched = digests(&Folder::with_simulated_tables());
    let scrambled = Folder::with_simulated_tables();
    for table in ["orders", "shipments"] {
        later(&scrambled, table).iter().for_each(|path| scramble(path));
    }
    assert_eq!(digests(&scrambled), untouched);
}

#[test]
fn deleting_the_future_leaves_features_and_models_unchanged() {
    let untouched = digests(&Folder::with_simulated_tables());
    let deleted = Folder::with_simulated_tables();
    for table in ["orders", "shipments"] {
        for path in later(&deleted, table) {
            std::fs::remove_file(path).unwrap();
        }
    }
    assert_eq!(digests(&deleted), untouched);
}

#[test]
fn scrambling_the_past_does_change_the_features() {
    // The tests above could not fail if nothing ever changed the digests.
    let untouched = digests(&Folder::with_simulated_tables());
    let scrambled = Folder::with_simulated_tables();
    let past: Vec<_> = scrambled.partitions("shipments").into_iter().take(60).collect();
    for path in past {
        let mut frame = read_frame(&path);
        let reversed = frame.column("weight_g").unwrap().as_materialized_series().reverse();
        frame.with_column(reversed.into_column()).expect("as many rows");
        write_frame(&path, &mut frame);
    }
    assert_ne!(digests(&scrambled), untouched);
}

#[test]
fn features_of_a_row_do_not_change_when_more_becomes_known() {
    let store = Folder::with_simulated_tables();
    let matrix = |as_of: &str| {
        let arguments = ["features", PIPELINE, "--store", store.url(), "--as-of", as_of, "--json"];
        let result = longhaul(&arguments).ok().json();
        store.matrix(result["folder"].as_str().unwrap())
    };
    let (early, late) = (matrix("2025-09-10"), matrix("2025-10-20"));
    assert!(early.height() > 1000 && late.height() > early.height());
    // Rows recorded late come in between, so the rows are matched by their key.
    let keys = late.column("shipment_id").unwrap().str().unwrap().clone();
    let position: std::collections::HashMap<&str, IdxSize> =
        keys.iter().flatten().zip(0..).collect();
    let rows: IdxCa = early
        .column("shipment_id")
        .unwrap()
        .str()
        .unwrap()
        .iter()
        .flatten()
        .map(|id| position.get(id).copied())
        .collect();
    assert_eq!(rows.null_count(), 0);
    let same_rows = late.take(&rows).unwrap();
    assert!(early.equals_missing(&same_rows), "a feature looked past its own midnight");
}

#[test]
fn the_proof_holds_and_lists_what_it_compared() {
    let store = Folder::with_simulated_tables();
    let arguments = ["proof", PIPELINE, "--store", store.url(), "--as-of", AS_OF];
    let ended = longhaul(&arguments).ok();
    assert!(ended.stdout.contains("later facts scrambled"), "{}", ended.stdout);
    let result = longhaul(&[&arguments[..], &["--json"]].concat()).ok().json();
    assert_eq!(result["holds"], true);
    let parts = result["parts"].as_array().expect("parts");
    let facts: Vec<&str> = parts.iter().map(|part| part["facts"].as_str().unwrap()).collect();
    let expected = [
        "later facts kept",
        "later facts scrambled",
        "later facts deleted",
        "later facts duplicated",
        "served on 2025-10-08",
        "served on 2025-10-01",
        "served on 2025-09-10",
    ];
    assert_eq!(facts, expected);
    for part in parts {
        assert!(part["rows"].as_u64().unwrap() > 20, "{part}");
        assert!(part["snapshots"].as_u64().unwrap() > 20, "{part}");
    }
    for model in ["boost", "in_flight"] {
        assert!(result["models"][model].is_string(), "{result}");
    }
}

#[test]
fn a_proof_without_later_facts_is_refused() {
    let store = Folder::with_simulated_tables();
    let arguments = ["proof", PIPELINE, "--store", store.url(), "--as-of", "2031-01-01"];
    longhaul(&arguments).refuses(11, &["facts recorded after 2031-01-01", "hint:", "earlier"]);
}
