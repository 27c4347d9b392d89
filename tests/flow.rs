//! A run on a small simulated network, from tables to predictions: stage by stage and at once, run
//! again, and with the same bytes each time.

use polars::prelude::*;
use serde_json::Value;

use crate::program::{
    AS_OF, Folder, PIPELINE, longhaul, read_frame, skipped, summary, write_frame,
};

const STAGES: [&str; 6] = ["check", "features", "train", "evaluate", "publish", "score"];

#[test]
fn a_run_goes_from_tables_to_predictions_and_a_second_run_skips_every_stage() {
    let store = Folder::with_simulated_tables();
    let first = store.run("run", &["--json"]).ok().json();
    assert_eq!(skipped(&first), [""; 0]);
    let check = summary(&first, "check");
    let count = |name: &str| check[name].as_u64().expect("a count");
    assert!(count("rows_quarantined") > 0, "the simulated tables have odd rows: {check}");
    assert_eq!(count("rows_in"), count("rows_ok") + count("rows_quarantined"));
    let reasons: u64 =
        check["reasons"].as_object().expect("reasons").values().filter_map(Value::as_u64).sum();
    assert_eq!(reasons, count("rows_quarantined"));
    assert_eq!(summary(&first, "publish")["promoted"], true);
    assert_eq!(summary(&first, "score")["model_id"].as_str(), Some(store.model_id().as_str()));

    let before = store.files();
    let second = store.run("run", &["--json"]).ok().json();
    assert_eq!(skipped(&second), STAGES);
    assert_eq!(store.files(), before, "a second run writes nothing");

    // With --force every stage is computed again, and refuses to give other bytes.
    let forced = store.run("run", &["--json", "--force"]).ok().json();
    assert_eq!(skipped(&forced), [""; 0]);
    assert_eq!(store.files(), before);
}

#[test]
fn stages_by_hand_give_the_same_model_as_a_run() {
    let (by_hand, at_once) = (Folder::with_simulated_tables(), Folder::with_simulated_tables());
    for stage in STAGES {
        by_hand.run(stage, &[]).ok();
    }
    at_once.run("run", &[]).ok();
    assert_eq!(by_hand.files(), at_once.files());
}

#[test]
fn predictions_have_one_sane_row_for_each_open_shipment_and_each_lane() {
    let store = Folder::with_simulated_tables();
    let result = store.run("score", &["--json"]);
    result.refuses(11, &["published model"]);
    store.run("publish", &[]).ok();
    let scored = store.run("score", &["--json"]).ok().json();
    let folder = store.path().join(scored["folder"].as_str().unwrap());
    let frame = read_frame(&folder.join("predictions.parquet"));
    assert!(frame.height() > 100, "{} rows", frame.height());
    let lanes = read_frame(&folder.join("speed_table.parquet"));
    for (table, frame) in [("predictions", &frame), ("speed_table", &lanes)] {
        let contract = intake::Contract::shipped(table).unwrap().unwrap();
        let bytes = std::fs::read(folder.join(format!("{table}.parquet"))).unwrap().into();
        let rows = intake::check_output(&contract, table, &bytes).unwrap();
        assert_eq!(rows, frame.height() as u64, "all rows fulfil the contract");
        are_sane(frame, &terms::column::HOURS);
    }
    let features = store.run("features", &["--json"]).ok().json();
    let matrix = store.matrix(features["folder"].as_str().unwrap());
    let ordered_at = matrix.column("ordered_at").unwrap().cast(&DataType::Int64).unwrap();
    let since = AS_OF.parse::<terms::AsOf>().unwrap().plus_days(-28).instant().micros();
    let recent = ordered_at.i64().unwrap().iter().flatten().filter(|at| *at >= since).count();
    let grouped_by = lanes.column("grouped_by").unwrap().str().unwrap();
    let all = grouped_by.iter().position(|by| by == Some("all")).unwrap();
    let n_shipments = lanes.column("n_shipments").unwrap().i64().unwrap().get(all);
    assert_eq!(n_shipments, Some(recent as i64), "each order of four weeks counts");
    assert!(recent > 1_000 && lanes.height() > 50, "{recent} in {} lanes", lanes.height());
    let ids = frame.column("shipment_id").unwrap();
    assert_eq!(ids.n_unique().unwrap(), frame.height());
}

/// Quantiles ascend, and so do the probabilities by day.
#[track_caller]
fn are_sane(frame: &DataFrame, quantiles: &[&str]) {
    for pair in quantiles.windows(2) {
        let lower = frame.column(pair[0]).and_then(|hours| hours.f32().cloned()).expect("hours");
        let upper = frame.column(pair[1]).and_then(|hours| hours.f32().cloned()).expect("hours");
        for (a, b) in lower.iter().zip(upper.iter()) {
            let (a, b) = (a.expect("hours"), b.expect("hours"));
            assert!(0.0 < a && a <= b, "{} {a} > {} {b}", pair[0], pair[1]);
        }
    }
    let by_day =
        frame.column("probability_by_day").and_then(|days| days.list().cloned()).expect("days");
    for row in 0..by_day.len() {
        let days = by_day.get_as_series(row).expect("days");
        let days: Vec<f32> = days.f32().expect("days").iter().flatten().collect();
        assert_eq!(days.len(), 60);
        assert!(days.is_sorted() && days[0] >= 0.0 && days[59] <= 1.0, "{days:?}");
    }
}

#[test]
fn predict_gives_what_a_backtest_gave_for_the_same_rows() {
    let store = Folder::with_simulated_tables();
    store.run("run", &[]).ok();
    // Rows of the feature matrix are predicted as they are, from Parquet and from JSON lines.
    let features = store.run("features", &["--json"]).ok().json();
    let matrix = store.path().join("matrix.parquet");
    write_frame(&matrix, &mut store.matrix(features["folder"].as_str().unwrap()));
    let predict = |rows: &str| {
        let out = store.path().join("out.parquet");
        let out = out.to_str().unwrap();
        longhaul(&["predict", "--store", store.url(), "--rows", rows, "--out", out]).ok();
        read_frame(&store.path().join("out.parquet"))
    };
    let from_parquet = predict(matrix.to_str().unwrap());
    let lines = store.path().join("rows.jsonl");
    std::fs::write(&lines, as_json_lines(&read_frame(&matrix))).unwrap();
    let from_lines = predict(lines.to_str().unwrap());
    assert_eq!(from_parquet.height(), read_frame(&matrix).height());
    assert!(from_parquet.equals_missing(&from_lines), "both formats give the same");

    // So do rows of the state, month by month, and every form of predictions holds the same.
    let of_state: Vec<String> = (store.names().into_iter())
        .filter(|name| name.starts_with("state/rows/"))
        .map(|name| store.path().join(name).display().to_string())
        .collect();
    let of_months: usize = of_state.iter().map(|rows| predict(rows).height()).sum();
    assert_eq!(of_months, from_parquet.height());
    let table = |name: &str| {
        let out = store.path().join(name).display().to_string();
        longhaul(&["predict", "--store", store.url(), "--rows", &of_state[0], "--out", &out]).ok();
        std::fs::read_to_string(out).unwrap()
    };
    let (csv, lines) = (table("out.csv"), table("out.jsonl"));
    assert_eq!(csv.lines().count(), lines.lines().count() + 1);
    let header: Vec<&str> = csv.lines().next().unwrap().split(',').collect();
    for (row, line) in csv.lines().skip(1).zip(lines.lines()).take(50) {
        let row: Vec<&str> = row.split(',').collect();
        let cell = |name: &str| row[header.iter().position(|found| *found == name).unwrap()];
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(cell("shipment_id"), line["shipment_id"]);
        let number = |text: &str| text.parse::<f32>().unwrap();
        for name in ["hours_p05", "hours_p95", "probability_over_2d"] {
            assert_eq!(number(cell(name)), line[name].as_f64().unwrap() as f32, "{name}");
        }
        let by_day = &line["probability_by_day"][2];
        assert_eq!(number(cell("probability_by_day_3")), by_day.as_f64().unwrap() as f32);
    }

    // Unless conditioned on being open still, the score stage predicts the same.
    let scored =
        store.run("score", &["--json", "--set", "score.given_still_open=false"]).ok().json();
    let scored = store.path().join(scored["folder"].as_str().unwrap()).join("predictions.parquet");
    let scored = read_frame(&scored);
    let ids: Vec<_> = from_parquet.column("shipment_id").unwrap().str().unwrap().iter().collect();
    let medians = from_parquet.column("hours_p50").unwrap().f32().unwrap().clone();
    for (id, median) in scored
        .column("shipment_id")
        .unwrap()
        .str()
        .unwrap()
        .iter()
        .zip(scored.column("hours_p50").unwrap().f32().unwrap().iter())
    {
        let row = ids.iter().position(|known| *known == id).expect("a row of the matrix");
        assert_eq!(medians.get(row), median, "shipment {id:?}");
    }
}

fn as_json_lines(frame: &DataFrame) -> String {
    let mut text = String::new();
    for row in 0..frame.height() {
        let mut object = serde_json::Map::new();
        for column in frame.columns() {
            let value = match column.get(row).expect("a row of the frame") {
                AnyValue::Null => Value::Null,
                AnyValue::String(text) => text.into(),
                AnyValue::StringOwned(text) => text.as_str().into(),
                AnyValue::Float32(number) => f64::from(number).into(),
                _ => continue,
            };
            object.insert(column.name().to_string(), value);
        }
        text += &Value::from(object).to_string();
        text.push('\n');
    }
    text
}

#[test]
fn a_backtest_beats_every_baseline_and_knows_its_actuals() {
    let store = Folder::with_simulated_tables();
    let arguments = [
        "backtest",
        PIPELINE,
        "--store",
        store.url(),
        "--from",
        "2025-09-15",
        "--to",
        "2025-10-06",
        "--every",
        "7d",
        "--export",
        "--json",
    ];
    let result = longhaul(&arguments).ok().json();
    let scores = result["summary"]["scores"].as_array().unwrap();
    let pinball = |score: &Value| score["mean_pinball_days"].as_f64().unwrap();
    assert_eq!(scores[0]["name"], "boost");
    assert_eq!(scores.len(), 4, "the model and three baselines: {scores:?}");
    for baseline in &scores[1..] {
        assert!(pinball(&scores[0]) < pinball(baseline), "{scores:?}");
    }
    let folder = store.path().join(result["folder"].as_str().unwrap());
    assert!(result["folder"].as_str().unwrap().starts_with("backtests/"));
    let frame = read_frame(&folder.join("predictions.parquet"));
    let origins = frame.column("origin").unwrap().n_unique().unwrap();
    assert_eq!(origins, 3);
    let known = frame.height() - frame.column("actual_hours").unwrap().null_count();
    assert_eq!(result["summary"]["counts"]["judged"].as_u64(), Some(known as u64));
    assert!(folder.join("metrics.json").is_file());
    // Level and recalibration of each origin.
    let report = std::fs::read_to_string(folder.join("report.html")).unwrap();
    for origin in ["2025-09-15", "2025-09-22", "2025-09-29"] {
        for of in [", all stretches", ", first stretch", ", last stretch"] {
            assert!(report.contains(&format!("{origin}{of}")), "{origin}{of}");
        }
        let (_, level) = report.split_once(&format!("<title>{origin}: ")).expect("a level");
        let (level, _) = level.split_once(" days<").expect("its unit");
        assert!((0.5..20.0).contains(&level.parse::<f64>().unwrap()), "{level}");
    }
    let weights = frame.column("weight").unwrap().f32().unwrap().clone();
    assert_eq!(weights.null_count(), frame.height() - known, "a weight where there is an outcome");
    assert!(weights.iter().flatten().all(|weight| (1.0..=20.0).contains(&weight)));
    let sum = result["summary"]["counts"]["weight_sum"].as_f64().unwrap();
    assert!((f64::from(weights.sum().unwrap()) / sum - 1.0).abs() < 1e-4);

    // The baselines are there for the rows that labels says are to be predicted.
    let baselines = read_frame(&folder.join("baselines.parquet"));
    assert_eq!(baselines.height(), 3 * frame.height());
    assert_eq!(baselines.column("forecast").unwrap().n_unique().unwrap(), 3);
    let labels = read_frame(&folder.join("labels.parquet"));
    let role = labels.column("role").unwrap().str().unwrap().clone();
    let rows_of = |frame: &DataFrame| frame.column("row").unwrap().u32().unwrap().clone();
    let to_predict: Vec<Option<u32>> = (rows_of(&labels).iter().zip(role.iter()))
        .filter_map(|(row, role)| (role == Some("predict")).then_some(row))
        .collect();
    let mut of_baselines: Vec<Option<u32>> = rows_of(&baselines).iter().collect();
    of_baselines.sort_unstable();
    of_baselines.dedup();
    assert_eq!(of_baselines, to_predict);
    let days = baselines.column("probability_by_day").unwrap().list().unwrap().clone();
    assert_eq!(days.get_as_series(0).unwrap().len(), 60);
    let again = longhaul(&arguments).ok();
    assert!(again.stderr.contains("skipped"), "{}", again.stderr);
}

#[test]
fn a_run_as_of_an_earlier_day_keeps_the_newer_champion() {
    let store = Folder::with_simulated_tables();
    store.run("run", &[]).ok();
    let champion = store.model_id();
    let earlier = ["run", PIPELINE, "--store", store.url(), "--as-of", "2025-10-20", "--json"];
    let result = longhaul(&earlier).ok().json();
    assert_eq!(summary(&result, "publish")["promoted"], false);
    assert_eq!(store.model_id(), champion);
    // It is scored by its own model, since the champion was trained on later facts.
    assert_eq!(summary(&result, "score")["model_id"], summary(&result, "publish")["model_id"]);
    let listed = longhaul(&["models", "list", "--store", store.url(), "--json"]).ok().json();
    assert_eq!(listed["champions"]["small"].as_str(), Some(champion.as_str()));
    assert_eq!(listed["models"].as_array().unwrap().len(), 2);
}

#[test]
fn a_model_that_the_gates_refuse_is_kept_but_not_current() {
    let store = Folder::with_simulated_tables();
    let refused = store.run("run", &["--set", "evaluate.gates.rows_min=1000000"]);
    refused.refuses(12, &["is kept but not current", "hint:"]);
    assert!(!store.path().join("models/small/current.json").exists());
    let listed = longhaul(&["models", "list", "--store", store.url(), "--json"]).ok().json();
    assert_eq!(listed["models"].as_array().unwrap().len(), 1, "{AS_OF}");
}

#[test]
fn an_altered_model_is_noticed_before_it_scores() {
    let store = Folder::with_simulated_tables();
    store.run("publish", &[]).ok();
    let path = store.path().join("models").join(store.model_id()).join("regressor_0.bin");
    crate::program::flip(&path);
    store.run("score", &[]).refuses(10, &["regressor_0.bin"]);
}

#[test]
fn an_ablation_reports_the_gain_and_the_cost_of_each_group_of_features() {
    let store = Folder::with_simulated_tables();
    let arguments = [
        "features",
        "ablate",
        PIPELINE,
        "--store",
        store.url(),
        "--from",
        "2025-10-01",
        "--to",
        "2025-10-15",
        "--every",
        "14d",
        "--json",
    ];
    let result = longhaul(&arguments).ok().json();
    let all = result["mean_pinball_days"].as_f64().expect("a loss");
    let groups = result["groups"].as_array().expect("groups");
    let names: Vec<&str> = groups.iter().map(|group| group["group"].as_str().unwrap()).collect();
    for name in ["facts", "categories", "calendar", "node", "lane", "early alarm"] {
        assert!(names.contains(&name), "{name} is not among {names:?}");
    }
    let mut features = 0;
    for group in groups {
        let without = group["mean_pinball_days_without"].as_f64().unwrap();
        let gain = group["gain_days"].as_f64().unwrap();
        assert!((without - all - gain).abs() < 1e-9, "{without} - {all} is not {gain}");
        assert!(group["build_ms"].as_f64().unwrap() >= 0.0);
        features += group["features"].as_array().unwrap().len();
    }
    let built = store.run("features", &["--json"]).ok().json();
    assert_eq!(built["summary"]["features"].as_u64(), Some(features as u64));
    assert!(groups.iter().any(|group| group["gain_days"].as_f64() != Some(0.0)), "{result}");
}
