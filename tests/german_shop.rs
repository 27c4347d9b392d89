//! A German media shop that records dates and no times of day, four fifths of whose deliveries take no more
//! than two days and a sixth of whose orders never arrive: `make test-shop DIR=<folder of orders.csv>`.

use serde_json::Value;

use crate::program::{Ended, Folder, longhaul, summary};

fn import(store: &Folder) -> Ended {
    let source = std::env::var("SHOP_DIR").expect("SHOP_DIR names the folder with orders.csv");
    longhaul(&["import", "shop_de", "--from", &source, "--store", store.url(), "--json"]).ok()
}

fn by<'a>(scores: &'a Value, name: &str) -> Vec<(&'a str, f64)> {
    let of = |score: &'a Value| {
        let (of, value) = (score["name"].as_str(), score[name].as_f64());
        (of.expect("a name"), value.expect("a number"))
    };
    scores.as_array().expect("a list").iter().map(of).collect()
}

#[test]
#[ignore = "needs the German shop's orders: make test-shop DIR=folder"]
fn german_shop_runs_from_import_to_predictions() {
    let store = Folder::empty();
    let imported = import(&store).json();
    let tables = imported["tables"].as_array().unwrap();
    let rows = |name: &str| {
        tables.iter().find(|table| table["table"] == name).unwrap()["rows"].as_u64().unwrap()
    };
    // An order each, and a version more for each delivery.
    assert_eq!((rows("orders"), rows("shipments")), (64_855, 64_855 + 54_028));
    let run = longhaul(&[
        "run",
        "pipelines/shop_de.toml",
        "--store",
        store.url(),
        "--as-of",
        "2008-12-01",
        "--set",
        "train.families=[\"boost\"]",
        "--json",
    ])
    .ok()
    .json();
    let pinball = by(&summary(&run, "evaluate")["scores"], "mean_pinball_days");
    assert_eq!(pinball[0].0, "boost", "{pinball:?}");
    assert!(pinball[1..].iter().all(|other| pinball[0].1 < other.1), "{pinball:?}");
    assert!(summary(&run, "score")["rows"].as_u64().unwrap() > 1000);
}

#[test]
#[ignore = "needs the German shop's orders: make test-shop DIR=folder"]
fn german_shop_is_forecast_by_days() {
    let store = Folder::empty();
    import(&store);
    let result = longhaul(&[
        "backtest",
        "pipelines/shop_de.toml",
        "--store",
        store.url(),
        "--from",
        "2008-08-04",
        "--to",
        "2008-11-24",
        "--every",
        "28d",
        "--as-of",
        "2009-06-01",
        "--json",
    ])
    .ok()
    .json();
    let scores = &result["summary"]["scores"];
    let pinball = by(scores, "mean_pinball_days");
    assert!(pinball[1..].iter().all(|other| pinball[0].1 < other.1), "{pinball:?}");
    // Of whole days: by the share of a day's step that is inside.
    let coverage = by(scores, "coverage_80")[0].1;
    assert!((0.76..0.84).contains(&coverage), "{coverage}");
    let folder = store.path().join(result["folder"].as_str().unwrap());
    let metrics: Value =
        serde_json::from_slice(&std::fs::read(folder.join("metrics.json")).unwrap()).unwrap();
    let below = metrics["overall"][0]["metrics"]["share_below"].as_array().unwrap();
    assert!((below[4].as_f64().unwrap() - 0.5).abs() < 0.05, "{below:?}");
}
