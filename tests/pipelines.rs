//! The command line and the settings: every shipped pipeline and declaration resolves, help prints,
//! a wrong key is refused, and `doctor` probes the store.

use crate::program::{Folder, longhaul, root};

#[test]
fn every_shipped_pipeline_resolves_and_shows_the_origin_of_each_value() {
    let mut seen = 0;
    for entry in std::fs::read_dir(root().join("pipelines")).unwrap().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|end| end == "toml") {
            let name = path.to_str().unwrap();
            let shown = longhaul(&["config", "show", name, "--json"]).ok().json();
            let declaration = &shown["features.declaration"];
            assert_eq!(declaration["origin"].as_str(), Some(name), "{declaration}");
            assert_eq!(shown["evaluate.bootstrap_rounds"]["origin"], "default");
            seen += 1;
        }
    }
    assert!(seen >= 2, "demo and olist, at least");
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_one() {
    let folder = Folder::empty();
    let path = folder.path().join("job.toml");
    std::fs::write(&path, "[evaluate]\nholdout_dayz = 7\n").unwrap();
    let ended = longhaul(&["check", path.to_str().unwrap(), "--store", folder.url()]);
    ended.refuses(30, &["evaluate.holdout_dayz", "job.toml", "evaluate.holdout_days"]);
}

#[test]
fn help_manual_and_completions_print() {
    let help = longhaul(&["--help"]).ok().stdout;
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for word in ["import", "simulate", "backtest", "doctor", "Exit codes", "12 gate refused"] {
        assert!(help.contains(word), "{word}");
    }
    assert!(longhaul(&["man"]).ok().stdout.contains("longhaul"));
    assert!(longhaul(&["completions", "bash"]).ok().stdout.contains("_longhaul"));
    assert_eq!(longhaul(&["forecast"]).code, 2);
}

#[test]
fn doctor_probes_the_store_and_leaves_nothing() {
    let folder = Folder::empty();
    let result = longhaul(&["doctor", "--store", folder.url(), "--json"]).ok().json();
    let probe = result["probe"].as_array().unwrap();
    assert!(probe.len() >= 5 && probe.iter().all(|step| step["ok"] == true), "{probe:?}");
    assert!(folder.files().is_empty(), "{:?}", folder.files().keys());
}
