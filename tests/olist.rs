//! The public orders of Olist, where they are available: `make test-olist DIR=<folder of the CSVs>`.

use serde_json::Value;

use crate::program::{Ended, Folder, longhaul, read_frame, summary};

fn source() -> String {
    std::env::var("OLIST_DIR").expect("OLIST_DIR names the folder with the public CSVs")
}

fn import(store: &Folder) -> Ended {
    longhaul(&["import", "olist", "--from", &source(), "--store", store.url(), "--json"]).ok()
}

#[test]
#[ignore = "needs the public Olist CSVs: make test-olist DIR=folder"]
fn olist_runs_from_import_to_predictions() {
    let store = Folder::empty();
    let imported = import(&store).json();
    let rows = |table: &str| -> u64 {
        let tables = imported["tables"].as_array().unwrap();
        tables.iter().find(|t| t["table"] == table).unwrap()["rows"].as_u64().unwrap()
    };

    // Every imported version is ok or in quarantine, with a reason. The export has ended long before.
    let end = ["--as-of", "2100-01-01", "--accept-stale", "the export ended in 2018", "--json"];
    let mut arguments = vec!["check", "pipelines/olist.toml", "--store", store.url()];
    arguments.extend(end);
    let check = longhaul(&arguments).ok().json()["summary"].clone();
    let count = |name: &str| check[name].as_u64().unwrap();
    assert_eq!(count("rows_in"), rows("orders") + rows("shipments"));
    assert_eq!(count("rows_in"), count("rows_ok") + count("rows_quarantined"));
    let reasons = check["reasons"].as_object().unwrap();
    let named: u64 = reasons.values().filter_map(Value::as_u64).sum();
    assert_eq!(named, count("rows_quarantined"));
    for reason in ["delivered_before_handover", "handed_over_before_ordered"] {
        assert!(reasons.keys().any(|known| known.ends_with(reason)), "{reason}: {reasons:?}");
    }

    // A second import finds everything in place.
    let again = import(&store).json();
    for table in again["tables"].as_array().unwrap() {
        assert_eq!(table["partitions_written"], 0, "{table}");
    }

    let boost_only = ["--set", "train.families=[\"boost\"]", "--json"];
    let mut arguments =
        vec!["run", "pipelines/olist.toml", "--store", store.url(), "--as-of", "2018-05-01"];
    arguments.extend(boost_only);
    let run = longhaul(&arguments).ok().json();
    let scores = summary(&run, "evaluate")["scores"].as_array().unwrap();
    let pinball = |score: &Value| score["mean_pinball_days"].as_f64().unwrap();
    let mae = |score: &Value| score["mae_days"].as_f64().unwrap();
    for baseline in &scores[1..] {
        assert!(pinball(&scores[0]) < pinball(baseline), "{scores:?}");
        assert!(mae(&scores[0]) < mae(baseline), "{scores:?}");
    }
    assert!(summary(&run, "score")["rows"].as_u64().unwrap() > 1000);
}

#[test]
#[ignore = "needs the public Olist CSVs: make test-olist DIR=folder"]
fn olist_backtest_beats_all_three_baselines() {
    let store = Folder::empty();
    import(&store);
    let result = longhaul(&[
        "backtest",
        "pipelines/olist.toml",
        "--store",
        store.url(),
        "--from",
        "2018-01-01",
        "--to",
        "2018-02-26",
        "--every",
        "28d",
        "--json",
    ])
    .ok()
    .json();
    let scores = result["summary"]["scores"].as_array().unwrap();
    assert_eq!(scores.len(), 4, "{scores:?}");
    for name in ["mean_pinball_days", "mae_days"] {
        let of = |score: &Value| score[name].as_f64().unwrap();
        for baseline in &scores[1..] {
            assert!(of(&scores[0]) < of(baseline), "{name}: {scores:?}");
        }
    }
    let folder = store.path().join(result["folder"].as_str().unwrap());
    let frame = read_frame(&folder.join("predictions.parquet"));
    assert_eq!(frame.column("origin").unwrap().n_unique().unwrap(), 2);
}

#[test]
#[ignore = "needs the public Olist CSVs: make test-olist DIR=folder"]
fn olist_proves_that_no_later_fact_changes_a_feature_or_a_model() {
    let store = Folder::empty();
    import(&store);
    let result = longhaul(&[
        "proof",
        "pipelines/olist.toml",
        "--store",
        store.url(),
        "--as-of",
        "2018-03-01",
        "--set",
        "train.families=[\"boost\"]",
        "--set",
        "train.boost.rounds=20",
        "--json",
    ])
    .ok()
    .json();
    assert_eq!(result["holds"], true);
    for part in result["parts"].as_array().unwrap() {
        assert!(part["rows"].as_u64().unwrap() > 100, "{part}");
    }
}
