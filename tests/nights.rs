//! Nightly runs, each from the history state of the one before, give the same as a build from nothing.

use serde_json::Value;

use crate::program::{Folder, PIPELINE, longhaul, read_frame, root, write_frame};

const NIGHTS: [&str; 4] = ["2025-09-29", "2025-09-30", "2025-10-01", "2025-10-04"];
const LAST: &str = "2025-10-05";

/// Features of legs, declared after the shipped ones.
const LEGS: &str = r#"
    [[history]]
    key = ["destination_zone"]
    quantity = "last_mile_hours"
    statistics = ["mean", "count"]
    windows_days = [14]
    fall_back = ["destination_region"]
    [[history]]
    key = ["origin_region", "destination_region"]
    quantity = "middle_mile_hours"
    statistics = ["mean", "sd"]
    windows_days = [30]
"#;

/// The digests of the outputs of the features stage as of a day, and its lines for people.
fn features(store: &Folder, as_of: &str, more: &[&str]) -> (Value, String) {
    let arguments = ["features", PIPELINE, "--store", store.url(), "--as-of", as_of, "--json"];
    let arguments = [&arguments[..], &["--accept-missing", "altered"]].concat();
    let ended = longhaul(&[&arguments[..], more].concat()).ok();
    (ended.json()["outputs"].clone(), ended.stderr)
}

#[test]
fn a_night_reads_its_own_days_and_ends_as_a_full_build_does() {
    let (nightly, whole) = (Folder::with_simulated_tables(), Folder::with_simulated_tables());
    let days: Vec<String> = (NIGHTS.iter().chain([&LAST]))
        .map(|as_of| features(&nightly, as_of, &[]).1)
        .map(|lines| lines.split(" days read").next().unwrap_or_default().to_owned())
        .map(|lines| lines.rsplit(' ').next().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(days[1..], ["1", "1", "3", "1"], "days read after the first night's {}", days[0]);
    let (of_nights, _) = features(&nightly, LAST, &["--force"]);
    let (at_once, _) = features(&whole, LAST, &[]);
    assert_eq!(of_nights, at_once, "computed again from nothing, beside the nights");
    let (of_nights, _) = features(&nightly, LAST, &[]);
    assert_eq!(of_nights, at_once);
}

#[test]
fn legs_switch_their_features_on_and_are_ingested_night_by_night() {
    let (nightly, without) = (Folder::empty(), Folder::with_simulated_tables());
    let declaration = nightly.path().join("features.toml");
    let text = std::fs::read_to_string(root().join("pipelines/features/default.toml"));
    std::fs::write(&declaration, text.unwrap() + LEGS).unwrap();
    let set = format!("features.declaration={declaration:?}");
    let simulated = ["--set", "simulate.legs=true", "--set", "simulate.shipments=4000"];
    let simulate = ["simulate", PIPELINE, "--store", nightly.url()];
    longhaul(&[&simulate[..], &simulated].concat()).ok();
    let more = ["--set", set.as_str()];
    let whole = nightly.copy();
    for as_of in NIGHTS {
        features(&nightly, as_of, &more);
    }
    let (of_nights, _) = features(&nightly, LAST, &more);
    let (at_once, _) = features(&whole, LAST, &more);
    assert_eq!(of_nights, at_once);

    let matrix = |store: &Folder, more: &[&str]| {
        let arguments = ["features", PIPELINE, "--store", store.url(), "--as-of", LAST, "--json"];
        let ended = longhaul(&[&arguments[..], more].concat()).ok();
        store.matrix(ended.json()["folder"].as_str().unwrap())
    };
    let name = "destination_zone_last_mile_hours_mean_14d";
    let with_legs = matrix(&nightly, &more);
    let hours = with_legs.column(name).unwrap().f32().unwrap();
    assert!(hours.iter().flatten().count() * 2 > with_legs.height(), "{hours:?}");
    assert!(hours.iter().flatten().all(|hours| (0.0..500.0).contains(&hours)), "{hours:?}");
    assert!(matrix(&without, &more).column(name).is_err(), "there are no legs");
}

#[test]
fn a_partition_that_was_altered_leads_back_to_the_night_before_it() {
    let (nightly, whole) = (Folder::with_simulated_tables(), Folder::with_simulated_tables());
    let before = NIGHTS.map(|as_of| features(&nightly, as_of, &[]).0);
    for store in [&nightly, &whole] {
        let partitions = store.partitions("shipments");
        let altered = partitions.iter().find(|path| path.display().to_string().contains("09-30"));
        let path = altered.expect("a partition of that day");
        let frame = read_frame(path);
        write_frame(path, &mut frame.slice(0, frame.height() - 3));
    }
    let (of_nights, lines) = features(&nightly, NIGHTS[3], &[]);
    assert!(lines.contains(" 4 days read"), "{lines}");
    let (at_once, _) = features(&whole, NIGHTS[3], &[]);
    assert_eq!(of_nights, at_once);
    assert_ne!(of_nights, before[3]);
}
