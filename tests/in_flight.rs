//! What is in flight: the model of the time that is left, its predictions, and the backtest that judges it.

use std::collections::BTreeMap;

use polars::prelude::*;
use serde_json::Value;
use terms::column;

use crate::program::{Folder, longhaul, read_frame, root};

fn numbers(frame: &DataFrame, name: &str) -> Vec<f64> {
    let numbers = frame.column(name).expect(name).cast(&DataType::Float64).expect(name);
    numbers.f64().expect(name).iter().map(|number| number.unwrap_or(f64::NAN)).collect()
}

fn predictions(store: &Folder, more: &[&str]) -> DataFrame {
    let scored = store.run("score", &[&["--json"], more].concat()).ok().json();
    let folder = store.path().join(scored["folder"].as_str().expect("a folder"));
    read_frame(&folder.join("predictions.parquet"))
}

#[test]
fn of_a_parcel_of_five_days_no_quantile_is_below_five_days() {
    let store = Folder::with_simulated_tables();
    store.run("publish", &[]).ok();
    let model = format!("models/{}/in_flight/mixture.json", store.model_id());
    assert!(store.path().join(model).exists(), "the model of what is in flight is published");
    let frame = predictions(&store, &[]);
    let by = frame.column(column::FORECAST_BY).unwrap().str().unwrap().clone();
    let in_flight: Vec<usize> =
        (0..frame.height()).filter(|&row| by.get(row) == Some("in_flight")).collect();
    assert!(in_flight.len() * 10 > frame.height() * 9, "{} of {}", in_flight.len(), frame.height());
    let (ages, earliest) = (numbers(&frame, column::AGE_HOURS), numbers(&frame, "hours_p05"));
    let eta = frame.column("eta_p05").unwrap().cast(&DataType::Int64).unwrap();
    let as_of = frame.column(column::AS_OF).unwrap().cast(&DataType::Int64).unwrap();
    for &row in &in_flight {
        // In hours of 32 bits.
        assert!(earliest[row] > ages[row] - 1e-3, "{} at {}", earliest[row], ages[row]);
        let (eta, as_of) = (eta.i64().unwrap().get(row), as_of.i64().unwrap().get(row));
        assert!(eta >= as_of, "{eta:?} before {as_of:?}");
    }
    assert!(in_flight.iter().any(|&row| ages[row] > 120.0), "there are parcels of five days");

    // Of the youngest the model of orders says the same given their age, but for noise: a tenth on average.
    let (other, set) = without_snapshots();
    other.run("publish", &["--set", &set]).ok();
    let by_orders = predictions(&other, &["--set", &set]);
    let ids = |frame: &DataFrame| frame.column(column::SHIPMENT_ID).unwrap().clone();
    assert_eq!(ids(&by_orders), ids(&frame));
    let (known, order) = (numbers(&frame, "hours_p50"), numbers(&by_orders, "hours_p50"));
    let youngest = ages.iter().copied().fold(f64::INFINITY, f64::min);
    let young: Vec<usize> =
        in_flight.into_iter().filter(|&row| ages[row] < youngest + 24.0).collect();
    assert!(young.len() > 50, "{}", young.len());
    let ratio = |&row: &usize| (known[row] / order[row]).ln();
    let mean = young.iter().map(ratio).sum::<f64>() / young.len() as f64;
    assert!(mean.abs() < 0.1, "{mean}");
}

#[test]
fn the_report_has_forecasts_from_order_to_delivery_and_the_error_by_milestone() {
    let store = Folder::with_simulated_tables();
    let run = store.run("evaluate", &["--json"]).ok().json();
    let folder = store.path().join(run["folder"].as_str().expect("a folder"));
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).expect(name);
    let [extras, metrics] = ["report.json", "metrics.json"]
        .map(|name| -> Value { serde_json::from_str(&read(name)).expect(name) });
    let shipments = extras["followed"]["shipments"].as_array().expect("shipments");
    assert!(shipments.len() >= 2, "{}", extras["followed"]);
    for shipment in shipments {
        let number = |value: &Value| value.as_f64().expect("a number");
        let delivered = number(&shipment["delivered"]);
        let forecasts = shipment["forecasts"].as_array().expect("forecasts");
        let [ages, low, median, high] = ["age", "low", "median", "high"].map(|name| {
            forecasts.iter().map(|forecast| number(&forecast[name])).collect::<Vec<f64>>()
        });
        // At the order, then every night: a day apart, and not long after the delivery was recorded.
        assert_eq!(ages[0], 0.0);
        assert!(ages.len() > 4 && ages[1] < 48.0, "{ages:?}");
        assert!(ages[1..].windows(2).all(|two| (two[1] - two[0] - 24.0).abs() < 1e-3), "{ages:?}");
        assert!(ages[ages.len() - 1] < delivered + 48.0, "{ages:?}, {delivered}");
        for night in 0..ages.len() {
            let rises = [ages[night] - 1e-3, low[night], median[night], high[night]];
            assert!(rises.is_sorted(), "{rises:?}");
        }
        for milestone in shipment["milestones"].as_array().expect("milestones") {
            let hours = number(&milestone[0]);
            assert!((0.0..delivered).contains(&hours), "{milestone}, delivered at {delivered}");
        }
    }
    let segments = metrics["in_flight"]["segments"].as_array().expect("segments");
    let after: Vec<&str> = segments
        .iter()
        .filter(|segment| segment["by"] == "first night after")
        .map(|segment| segment["name"].as_str().expect("a name"))
        .collect();
    assert_eq!(after, ["ordered", "handed over", "none: later nights"]);
    let page = read("report.html");
    for id in ["in-flight-milestones-title", "followed-1-title", "followed-2-title"] {
        assert!(page.contains(&format!("id=\"{id}\"")), "{id}");
    }
}

/// A store, and the setting of a declaration without snapshots.
fn without_snapshots() -> (Folder, String) {
    let store = Folder::with_simulated_tables();
    let default = root().join("pipelines/features/default.toml");
    let default = std::fs::read_to_string(default).expect("the declaration");
    let (declaration, _) =
        default.split_once("# Snapshots of open shipments").expect("[snapshots]");
    let path = store.path().join("without_snapshots.toml");
    std::fs::write(&path, declaration).expect("a file");
    let set = format!("features.declaration={:?}", path.to_str().expect("UTF-8"));
    (store, set)
}

#[test]
fn the_backtest_of_what_is_in_flight_judges_three_forecasts_by_age_and_milestone() {
    let store = Folder::with_simulated_tables();
    let arguments = ["--from", "2025-09-15", "--to", "2025-10-06", "--every", "7d", "--in-flight"];
    let run = store.run("backtest", &[&arguments[..], &["--json"]].concat()).ok().json();
    let folder = store.path().join(run["folder"].as_str().expect("a folder"));
    let metrics = std::fs::read_to_string(folder.join("metrics.json")).unwrap();
    let metrics: Value = serde_json::from_str(&metrics).unwrap();
    let overall = metrics["overall"].as_array().unwrap();
    let pinball = |name: &str| {
        let entry = overall.iter().find(|entry| entry["forecast"] == name);
        let entry = entry.unwrap_or_else(|| panic!("no {name}"));
        entry["metrics"]["mean_pinball_hours"].as_f64().unwrap()
    };
    let in_flight = pinball("in_flight");
    assert!(in_flight < pinball("lane_remaining_28d"), "{in_flight}");
    assert!(in_flight < 1.1 * pinball("at_order_given_age"), "{in_flight}");
    let families: Vec<&str> = metrics["segments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|family| family["family"].as_str().unwrap())
        .collect();
    assert_eq!(families, ["age", "milestone"]);
    // A rerun finds it done.
    let again = store.run("backtest", &arguments).ok();
    assert!(again.stderr.contains("skip"), "{}", again.stderr);
}

/// How many rows of each role there are.
fn rows_of_roles(labels: &DataFrame) -> BTreeMap<String, usize> {
    let mut rows = BTreeMap::new();
    let roles = labels.column("role").expect("a column").str().expect("texts");
    for role in roles.iter() {
        *rows.entry(role.expect("a role").to_owned()).or_insert(0) += 1;
    }
    rows
}

#[test]
fn an_export_of_what_is_in_flight_has_what_another_learner_needs_and_nothing_of_later() {
    let store = Folder::with_simulated_tables();
    let span = ["--from", "2025-09-15", "--to", "2025-09-29", "--every", "7d"];
    let arguments = ["--in-flight", "--export", "--json"];
    let run = store.run("backtest", &[&span[..], &arguments].concat()).ok().json();
    let folder = store.path().join(run["folder"].as_str().expect("a folder"));
    let read = |name: &str| read_frame(&folder.join(format!("{name}.parquet")));
    let [matrix, snapshots, labels] = ["matrix", "snapshots", "labels"].map(read);
    let [predictions, baselines] = ["predictions", "baselines"].map(read);

    // A row of the matrix is a snapshot.
    assert_eq!(matrix.height(), snapshots.height());
    let ages = numbers(&snapshots, column::AGE_HOURS);
    assert_eq!(numbers(&matrix, column::AGE_HOURS), ages);
    let features = std::fs::read_to_string(folder.join("features.json")).unwrap();
    let features: Vec<Value> = serde_json::from_str(&features).unwrap();
    let names: Vec<&str> = features.iter().map(|f| f["name"].as_str().unwrap()).collect();
    let columns: Vec<&str> = matrix.get_column_names().iter().map(|name| name.as_str()).collect();
    assert_eq!(names, columns);

    // What is known of a row at an origin: recorded before, and taken before.
    let rows: Vec<usize> = numbers(&labels, "row").into_iter().map(|row| row as usize).collect();
    let [origins, taken] = ["origin", "snapshot_at"].map(|name| numbers(&labels, name));
    let recorded = numbers(&snapshots, "delivery_recorded_at");
    let left = numbers(&snapshots, "remaining_hours");
    let hours = numbers(&labels, "hours");
    let roles = labels.column("role").unwrap().str().unwrap().clone();
    let moments = numbers(&snapshots, "snapshot_at");
    let mut corrected = 0;
    for at in 0..labels.height() {
        let row = rows[at];
        assert_eq!(taken[at], moments[row]);
        match roles.get(at) {
            Some("predict") => assert!(taken[at] >= origins[at] && hours[at].is_nan()),
            Some("delivered") => {
                assert!(taken[at] < origins[at]);
                // A later version may have corrected what was known.
                if recorded[row] < origins[at] {
                    assert!((hours[at] - left[row]).abs() < 1e-3, "{} {}", hours[at], left[row]);
                } else {
                    corrected += 1;
                }
            }
            _ => assert!(taken[at] < origins[at] && hours[at] > 0.0),
        }
    }
    let of_roles = rows_of_roles(&labels);
    assert!(corrected * 20 < of_roles["delivered"], "{corrected} of {of_roles:?}");
    assert!(of_roles["open"] > 0, "{of_roles:?}");

    // Three forecasts of each snapshot to predict, ours in the order of the labels.
    assert_eq!(predictions.height(), of_roles["predict"]);
    assert_eq!(baselines.height(), 2 * predictions.height());
    let predicted: Vec<f64> = (0..rows.len())
        .filter(|&at| roles.get(at) == Some("predict"))
        .map(|at| ages[rows[at]])
        .collect();
    assert_eq!(numbers(&predictions, column::AGE_HOURS), predicted);
}

#[test]
fn without_snapshots_open_shipments_are_forecast_by_the_model_of_orders() {
    let (store, set) = without_snapshots();
    store.run("publish", &["--set", &set]).ok();
    let frame = predictions(&store, &["--set", &set]);
    let by = frame.column(column::FORECAST_BY).unwrap().str().unwrap();
    assert!(by.iter().all(|by| by == Some("at_order")));
    let arguments = ["--from", "2025-09-15", "--to", "2025-10-06", "--every", "7d", "--in-flight"];
    let refused = store.run("backtest", &[&arguments[..], &["--set", &set]].concat());
    refused.refuses(11, &["snapshots of open shipments", "[snapshots]"]);
    longhaul(&["predict", "--in-flight", "--store", store.url()])
        .refuses(11, &["a model of what is in flight"]);
}
