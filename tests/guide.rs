//! The import of `docs/guide-import.md`: a foreign data set, mapped by SQL and TOML only.

use std::path::Path;
use std::process::Command;

use polars::prelude::*;
use serde_json::{Map, Value};

use crate::program::{Folder, longhaul, root};

const PIPELINE: &str = "pipelines/kagu.toml";
/// An as-of after every row of the files.
const END: &str = "2026-04-20";
/// Why the last orders are some days old then.
const WHY: &str = "the files end on 15 April";

/// Makes the files that the guide maps, and returns what they were made of.
fn made(folder: &Path) -> Value {
    let maker = root().join("pipelines/imports/kagu/make.py");
    let output = Command::new("python3").arg(maker).arg(folder).output().expect("python3");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("what was made, as JSON")
}

/// A feature of a shipment.
fn feature(matrix: &DataFrame, shipment: &str, name: &str) -> Option<f32> {
    let ids = matrix.column("shipment_id").expect("ids").str().expect("texts");
    let row = ids.iter().position(|id| id == Some(shipment)).expect("the shipment");
    matrix.column(name).expect("a feature").f32().expect("numbers").get(row)
}

#[test]
fn the_guides_import_gives_what_its_files_were_made_of() {
    let (files, store) = (Folder::empty(), Folder::empty());
    let made = made(files.path());
    let import = ["import", "kagu", "--from", files.url(), "--store", store.url(), "--json"];
    let imported = longhaul(&import).ok().json();
    let tables = imported["tables"].as_array().unwrap();
    assert_eq!(tables[0]["rows"], made["order_versions"]);
    assert_eq!(tables[1]["rows"], made["shipment_versions"]);

    // The rows that were made wrong are in quarantine, each by its rule, and no others.
    let at_the_end = ["--store", store.url(), "--as-of", END, "--json", "--accept-stale", WHY];
    let stage = |verb: &str| {
        let arguments = [[verb, PIPELINE].as_slice(), at_the_end.as_slice()].concat();
        longhaul(&arguments).ok().json()
    };
    let check = stage("check");
    let odd = made["odd"].as_object().unwrap();
    let by_rule: Map<String, Value> = (odd.iter())
        .map(|(rule, rows)| match rule.as_str() {
            "order_status_unknown" => ("orders: status_unknown".to_owned(), rows.clone()),
            rule => (format!("shipments: {rule}"), rows.clone()),
        })
        .collect();
    assert_eq!(check["summary"]["reasons"], Value::Object(by_rule));
    assert_eq!(odd.len(), 7, "{odd:?}");

    // Local hours at the destination, in the nights on which clocks change and on other days.
    let features = stage("features");
    let matrix = store.matrix(features["folder"].as_str().unwrap());
    let hours = [
        ("K00000/1", 1.5),  // Sydney to Sydney, before clocks go back
        ("K00001/1", 2.5),  // half past midnight in Perth: Sydney's second half past two
        ("K00002/1", 2.75), // a quarter to one in Tokyo: a quarter to three, the first
        ("K00003/1", 2.0),  // Sydney's first half past two, in Adelaide
        ("K00004/1", 3.5),  // half past two in a night without that hour
        ("K00005/1", 12.0), // Perth, which never changes
        ("K00006/1", 8.25), // Tokyo to Hokkaido
    ];
    for (shipment, hour) in hours {
        assert_eq!(feature(&matrix, shipment, "ordered_hour"), Some(hour), "{shipment}");
    }
    // Ten pounds; 40 x 20 x 15.5 inches; 84,000 cents.
    let first = |name: &str| feature(&matrix, "K00000/1", name).unwrap();
    assert_eq!(first("weight_g"), 4535.924);
    assert_eq!(first("longest_side_cm"), 101.6);
    assert_eq!(first("volume_cm3"), 203_199.6);
    assert_eq!(first("item_value"), 840.0);
    // Coordinates are missing where the depot or the post code has none.
    assert_eq!(feature(&matrix, "K00006/1", "origin_lat"), None);
    assert_eq!(feature(&matrix, "K00006/1", "distance_km"), None);
    assert_eq!(feature(&matrix, "K00005/1", "destination_lat"), None);
    // One parcel of 400 has no sale, and one has no pieces: all others have a row.
    let sound = (0..made["parcels"].as_u64().unwrap()).filter(|n| ![50, 100].contains(&(n % 400)));
    assert_eq!(features["summary"]["rows"], sound.count());
}

#[test]
fn a_proof_holds_on_the_guides_import() {
    let (files, store) = (Folder::empty(), Folder::empty());
    made(files.path());
    longhaul(&["import", "kagu", "--from", files.url(), "--store", store.url()]).ok();
    let quick = ["--set", "train.boost.rounds=20", "--json"];
    let proof = ["proof", PIPELINE, "--store", store.url(), "--as-of", "2026-03-30"];
    let proof = longhaul(&[proof.as_slice(), quick.as_slice()].concat()).ok().json();
    assert_eq!(proof["holds"], true);
}
