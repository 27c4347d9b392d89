//! The lane speed table of a night, and `speed`, which answers from it.

use polars::prelude::*;
use terms::column;

use crate::program::{AS_OF, Folder, longhaul, read_frame};

/// A column of texts; missing is empty.
fn texts(frame: &DataFrame, name: &str) -> Vec<String> {
    let texts = frame.column(name).expect(name).str().expect(name).clone();
    texts.iter().map(|text| text.unwrap_or_default().to_owned()).collect()
}

fn numbers(frame: &DataFrame, name: &str) -> Vec<f64> {
    let numbers = frame.column(name).expect(name).cast(&DataType::Float64).expect(name);
    numbers.f64().expect(name).iter().map(|number| number.unwrap_or(f64::NAN)).collect()
}

#[test]
fn speed_answers_from_the_finest_row_and_says_which() {
    let store = Folder::with_simulated_tables();
    longhaul(&["speed", "--store", store.url()]).refuses(11, &["predictions/", "longhaul run"]);
    store.run("run", &[]).ok();
    let night = store.path().join(format!("predictions/small/as_of={AS_OF}"));
    let table = read_frame(&night.join("speed_table.parquet"));
    let grouped_by = texts(&table, "grouped_by");
    let speed = |more: &[&str]| {
        longhaul(&[&["speed", "--store", store.url(), "--json"], more].concat()).ok().json()
    };
    for grouping in ["destination_zone", "origin_region, destination_region", "all"] {
        let row = grouped_by.iter().position(|found| found == grouping);
        let row = row.unwrap_or_else(|| panic!("no row by {grouping}"));
        let of = |name: &str| texts(&table, name)[row].clone();
        let arguments = match grouping {
            "destination_zone" => vec!["--to".to_owned(), of(column::DESTINATION_ZONE)],
            "all" => vec!["--to".to_owned(), "no such zone".to_owned()],
            _ => vec![
                "--from-region".to_owned(),
                of(column::ORIGIN_REGION),
                "--to-region".to_owned(),
                of(column::DESTINATION_REGION),
            ],
        };
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let found = speed(&arguments);
        let median = numbers(&table, "hours_p50")[row];
        assert_eq!(found["n_shipments"].as_f64(), Some(numbers(&table, "n_shipments")[row]));
        assert!((found["hours"]["hours_p50"].as_f64().unwrap() - median).abs() < 1e-3);
        let columns = found["grouped_by"].as_object().unwrap().len();
        assert_eq!(columns, if grouping == "all" { 0 } else { grouping.split(", ").count() });
        // By the midnight after so many days the probability is that of the day in the table.
        let by_day = table.column(column::PROBABILITY_BY_DAY).unwrap().list().unwrap();
        let by_day = by_day.get_as_series(row).unwrap();
        let expected = f64::from(by_day.f32().unwrap().get(4).unwrap());
        let found = speed(&[&arguments[..], &["--by", "2025-11-02", "--at-least", "0.5"]].concat());
        let probability = found["probability"].as_f64().unwrap();
        assert!((probability - expected).abs() < 1e-5, "{probability}, {expected}");
        assert_eq!(found["arrives"].as_bool(), Some(expected >= 0.5));
    }
    let text = longhaul(&["speed", "small", "--to", "no such zone", "--store", store.url()]).ok();
    assert!(text.stdout.contains("answered by      all shipments"), "{}", text.stdout);
    assert!(text.stdout.contains("too few by       destination_zone"), "{}", text.stdout);
    longhaul(&["speed", "other", "--store", store.url()]).refuses(11, &["predictions/other"]);
    longhaul(&["speed", "--by", "soon", "--store", store.url()]).refuses(2, &["soon"]);
}

#[test]
fn what_the_table_answers_and_loses_is_in_the_metrics() {
    let store = Folder::with_simulated_tables();
    let evaluated = store.run("evaluate", &["--json"]).ok().json();
    let folder = store.path().join(evaluated["folder"].as_str().expect("a folder"));
    let metrics = std::fs::read_to_string(folder.join("metrics.json")).unwrap();
    let metrics: serde_json::Value = serde_json::from_str(&metrics).unwrap();
    let scores = &metrics["speed_table"];
    let sum: u64 = scores["groupings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|grouping| grouping["requests"].as_u64().unwrap())
        .sum();
    assert_eq!(Some(sum), scores["requests"].as_u64());
    assert!(scores["answered_share"].as_f64().unwrap() > 0.9, "{scores}");
    let [table, scored] =
        ["table", "scored"].map(|of| scores["overall"][of]["mean_pinball_days"].as_f64().unwrap());
    assert!(scored < table && table < 1.6 * scored, "{table}, {scored}");
}
