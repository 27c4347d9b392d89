//! First nights on short histories: the refusal names settings and as-of that would do, and they do.

use crate::program::{Ended, Folder};

/// The texts after `start` in a hint, each up to a blank or a comma.
fn after<'a>(ended: &'a Ended, start: &str) -> Vec<&'a str> {
    let parts = ended.stderr.split(start).skip(1);
    parts.map(|part| part.split([' ', ',', '\n']).next().unwrap_or_default()).collect()
}

fn at<'a>(as_of: &'a str, set: &[&'a str]) -> Vec<&'a str> {
    let settings = set.iter().flat_map(|&setting| ["--set", setting]);
    // The tests' own settings of the hold-out would be right for four months.
    let quick = ["--as-of", as_of, "--set", "evaluate.bootstrap_rounds=10"];
    quick.into_iter().chain(settings).collect()
}

fn run(store: &Folder, verb: &str, arguments: &[&str]) -> Ended {
    let fixed = [verb, crate::program::PIPELINE, "--store", store.url()];
    crate::program::longhaul(&[&fixed, arguments].concat())
}

#[test]
fn a_first_night_names_settings_and_an_as_of_that_would_do() {
    let store = Folder::with_simulated_tables();
    let early = run(&store, "run", &at("2025-07-28", &[]));
    early.refuses(
        12,
        &["evaluate.holdout_days = 21", "evaluate.maturity_days = 14", "train.rows_min"],
    );
    let set = after(&early, "--set ");
    assert_eq!(set.len(), 2, "{}", early.stderr);
    let later = after(&early, "--as-of ");
    assert_eq!(later.len(), 1, "{}", early.stderr);
    for proposed in [at("2025-07-28", &set), at(later[0], &[])] {
        let ended = run(&store, "evaluate", &[&proposed[..], &["--json"]].concat()).ok().json();
        let refused = ended["summary"]["refused"].to_string();
        assert!(!refused.contains("whose outcome is known"), "{proposed:?}: {refused}");
        assert!(!refused.contains("baselines are made"), "{proposed:?}: {refused}");
        assert_eq!(ended["summary"]["left_out"], serde_json::json!([]), "{proposed:?}");
        assert_eq!(ended["summary"]["way_out"], serde_json::Value::Null);
    }
    // Nothing helps but more days.
    let first = run(&store, "run", &at("2025-07-03", &[]));
    first.refuses(12, &["import the tables of more days"]);
}

#[test]
fn a_proof_on_a_short_history_names_an_as_of_that_would_do_and_leaves_out_what_was_not_served() {
    let store = Folder::with_simulated_tables();
    let quick = "train.boost.rounds=5";
    let early = run(&store, "proof", &at("2025-07-04", &[quick]));
    early.refuses(
        11,
        &["observed deliveries (train.rows_min)", "--set 'train.families=[\"baseline\"]'"],
    );
    let later = after(&early, "--as-of ");
    assert_eq!(later.len(), 1, "{}", early.stderr);
    let proof = run(&store, "proof", &at(later[0], &[quick])).ok();
    assert!(proof.stderr.contains("nothing was known yet"), "{}", proof.stderr);
    assert!(!proof.stdout.contains("differ"), "{}", proof.stdout);

    let late = run(&store, "proof", &at("2026-01-01", &[]));
    late.refuses(
        11,
        &["facts recorded after 2026-01-01", "choose an earlier --as-of, such as 2025-"],
    );
}

#[test]
fn a_backtest_that_begins_too_early_names_a_day_that_would_do() {
    let store = Folder::with_simulated_tables();
    let span = ["--from", "2025-07-02", "--to", "2025-07-05", "--every", "1d"];
    let early = run(&store, "backtest", &[&span[..], &["--set", "train.boost.rounds=5"]].concat());
    early.refuses(11, &["among 3", "train.rows_min"]);
    let from = after(&early, "--from ");
    assert!(from[0] > "2025-07-04" && from[0] < "2025-07-20", "{from:?}");
}

#[test]
fn what_is_configured_is_checked_before_anything_is_run() {
    let store = Folder::with_simulated_tables();
    // But for the records of runs.
    let names = || -> Vec<String> {
        store.names().into_iter().filter(|name| !name.starts_with("nights/")).collect()
    };
    let before = names();
    let declaration = store.path().join("declared.toml");
    let declared = format!("features.declaration={:?}", declaration.to_str().unwrap());
    let refuses = |verb: &[&str], set: &str, words: &[&str]| {
        let more: &[&str] = match verb[0] {
            "backtest" => &["--from", "2025-09-01", "--to", "2025-10-01", "--every", "30d"],
            _ => &[],
        };
        let fixed = [crate::program::PIPELINE, "--store", store.url(), "--set", set];
        let ended = crate::program::longhaul(&[verb, &fixed, more].concat());
        ended.refuses(30, words);
        let _ = std::fs::remove_file(&declaration);
        assert_eq!(names(), before, "{verb:?} {set}");
    };
    for verb in ["run", "features", "train", "evaluate", "publish", "score", "proof", "backtest"] {
        refuses(&[verb], &declared, &["features.declaration", "declared.toml", "expected a file"]);
    }
    let write = |text: &str| std::fs::write(&declaration, text).unwrap();
    write("facts = [\"distance\"]\n");
    refuses(&["run"], &declared, &["declared.toml", "fact \"distance\"", "distance_km"]);
    write(
        "[[history]]\nkey = []\nquantity = \"delivery_hours\"\nstatistics = [\"mode\"]\n\
         windows_days = [7]\n",
    );
    refuses(&["run"], &declared, &["declared.toml", "mode", "`mean`"]);
    // An evaluation needs the number of an origin's deliveries; features alone do not.
    write("facts = [\"distance_km\"]\n");
    refuses(
        &["evaluate"],
        &declared,
        &["declared.toml", "origin_node_id_delivery_hours_count_400d"],
    );
    for (set, words) in [
        ("train.rows_min=0", ["setting train.rows_min", "at least 1"]),
        ("train.boost.rounds=0", ["train.boost", "rounds must be 1 to 100000"]),
        (
            "train.monotone.distanc_km=rising",
            ["train.monotone.distanc_km", "train.monotone.distance_km"],
        ),
        ("train.monotone.carrier=rising", ["train.monotone.carrier", "a categorical feature"]),
        ("train.time_scale.clock_by=nobody", ["train.time_scale.clock_by", "nobody"]),
    ] {
        refuses(&["run"], set, &words);
    }
}
