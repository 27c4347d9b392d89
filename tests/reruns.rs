//! Reruns and damage: a finished night run again changes nothing, whatever other nights did since,
//! and what is damaged in the store is made again.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use crate::program::{
    AS_OF, Ended, Folder, PIPELINE, command, ended, flip, flipped, skipped, summary,
};

fn run(store: &Folder, as_of: &str, more: &[&str]) -> Ended {
    let mut arguments = vec!["run", PIPELINE, "--store", store.url(), "--as-of", as_of];
    arguments.extend(more);
    ended(&mut command(&arguments))
}

/// A store after one night.
fn after_a_night() -> Folder {
    static STORE: std::sync::OnceLock<Folder> = std::sync::OnceLock::new();
    let store = STORE.get_or_init(|| {
        let store = Folder::with_simulated_tables();
        run(&store, AS_OF, &[]).ok();
        store
    });
    store.copy()
}

/// The files whose path has all of these parts.
fn files_with(store: &Folder, parts: &[&str]) -> Vec<PathBuf> {
    let names = store.names().into_iter().filter(|name| !name.contains('#'));
    let found = names.filter(|name| parts.iter().all(|part| name.contains(part)));
    let paths: Vec<PathBuf> = found.map(|name| store.path().join(name)).collect();
    assert!(!paths.is_empty(), "{parts:?}");
    paths
}

#[test]
fn a_night_run_again_changes_nothing_though_others_were_run_since() {
    let store = Folder::with_simulated_tables();
    // So early that the later night compares with its model, which is no more the champion then.
    run(&store, "2025-09-05", &[]).ok();
    run(&store, AS_OF, &[]).ok();
    let before = store.files();
    run(&store, AS_OF, &[]).ok();
    is_as(&store, &before);
    // A night in between that was missed adds a model, which the finished night did not know.
    run(&store, "2025-10-10", &[]).ok();
    let before = store.files();
    let again = run(&store, AS_OF, &["--json"]).ok();
    is_as(&store, &before);
    assert_eq!(skipped(&again.json()).len(), 6);
}

/// Asserts that the files are those of before; names the others.
#[track_caller]
fn is_as(store: &Folder, before: &BTreeMap<String, Vec<u8>>) {
    let found = store.files();
    let names = found.keys().chain(before.keys());
    let differ: Vec<&String> = names.filter(|name| found.get(*name) != before.get(*name)).collect();
    assert!(differ.is_empty(), "{differ:?}");
}

#[test]
fn each_pipeline_of_a_store_has_its_own_champion() {
    let store = after_a_night();
    let first = store.champion("small");
    let other = ["--set", "name=\"other\"", "--set", "train.boost.rounds=20"];
    let result = run(&store, AS_OF, &other).ok();
    assert!(result.stderr.contains("the first champion"), "{}", result.stderr);
    assert_eq!(store.champion("small"), first);
    let second = store.champion("other");
    assert_ne!(second, first);
    let again = run(&store, AS_OF, &["--json"]).ok().json();
    assert_eq!(summary(&again, "score")["model_id"].as_str(), Some(first.as_str()));

    let predict = |model: &str| {
        let arguments = ["predict", "--store", store.url(), "--model", model];
        ended(&mut command(&arguments))
    };
    predict("current").refuses(10, &["current:other or current:small"]);
    predict("current:small").ok();
    predict("current:none").refuses(11, &["models/none/current.json"]);
    let unnamed = run(&store, AS_OF, &["--set", "name=\"../models\""]);
    unnamed.refuses(30, &["name (--set)", "letters, digits"]);
}

/// The outputs of features stages, and the history state after the last day with what it lists.
fn of_the_last_night(store: &Folder) -> BTreeMap<String, Vec<u8>> {
    let files = store.objects();
    let lists = files.iter().filter(|(name, _)| name.starts_with("state/nights/"));
    let lists = lists.filter_map(|(name, bytes)| {
        let list: Value = serde_json::from_slice(bytes).ok()?;
        Some((list["until"].as_str()?.to_owned(), name.clone(), list.to_string()))
    });
    let (_, last, list) = lists.max().expect("a state");
    let is_of_it = |name: &String| {
        let is_listed = name.starts_with("state/") && list.contains(name.as_str());
        *name == last || is_listed || name.contains("/features/")
    };
    files.into_iter().filter(|(name, _)| is_of_it(name)).collect()
}

/// Damages the files with these parts in their path, and runs the night again.
#[track_caller]
fn healed_by_a_rerun(parts: &[&str], damage: impl Fn(&[u8]) -> Vec<u8>) -> Ended {
    let store = after_a_night();
    let whole = store.objects();
    for path in files_with(&store, parts) {
        let bytes = std::fs::read(&path).expect("a file");
        std::fs::write(&path, damage(&bytes)).expect("a file");
    }
    assert!(store.objects() != whole, "{parts:?}");
    let result = run(&store, AS_OF, &[]).ok();
    let healed = store.objects();
    let differ: Vec<&String> =
        whole.keys().filter(|name| healed.get(*name) != whole.get(*name)).collect();
    assert!(differ.is_empty() && healed.len() == whole.len(), "{parts:?}: {differ:?}");
    result
}

fn cut(bytes: &[u8]) -> Vec<u8> {
    bytes[..bytes.len() / 2].to_vec()
}

#[test]
fn a_damaged_pointer_is_rebuilt() {
    for damage in [cut, flipped, |_: &[u8]| Vec::new()] {
        let store = after_a_night();
        let before = store.champion("small");
        let path = store.path().join("models/small/current.json");
        std::fs::write(&path, damage(&std::fs::read(&path).expect("a pointer"))).expect("a file");
        let result = run(&store, AS_OF, &[]).ok();
        assert!(result.stderr.contains("was not as it was written"), "{}", result.stderr);
        assert_eq!(store.champion("small"), before);
        // It goes on to be moved by later nights.
        let next = run(&store, "2025-10-30", &[]);
        assert!(next.code == 0 || next.code == 12, "{}", next.stderr);
    }
}

#[test]
fn damaged_manifests_and_outputs_of_stages_are_made_again() {
    for stage in ["check", "features", "train", "evaluate", "publish", "score"] {
        let manifest = format!("/{stage}/manifest.json");
        let result = healed_by_a_rerun(&["runs/", &manifest], |_| Vec::new());
        assert!(result.stderr.contains("the stage is run again"), "{}", result.stderr);
    }
    // An output is read if a stage that needs it is run again.
    for (output, reader) in [
        ("check/check.json", "features"),
        ("features/months.json", "score"),
        ("train/boost/mixture.json", "publish"),
        ("evaluate/metrics.json", "publish"),
    ] {
        let store = after_a_night();
        let whole = store.objects();
        for path in files_with(&store, &["runs/", output]) {
            flip(&path);
        }
        for path in files_with(&store, &["runs/", &format!("/{reader}/manifest.json")]) {
            std::fs::remove_file(path).expect("a manifest");
        }
        let result = run(&store, AS_OF, &[]).ok();
        assert!(result.stderr.contains("it is made again"), "{output}: {}", result.stderr);
        assert!(store.objects() == whole, "{output}");
    }
}

#[test]
fn what_a_night_read_is_written_down_again_if_it_is_damaged() {
    let store = after_a_night();
    let whole = store.objects();
    let path = files_with(&store, &["inputs.json"]).remove(0);
    std::fs::write(&path, b"{}").expect("a file");
    let result = run(&store, AS_OF, &[]).ok();
    assert!(result.stderr.contains("inputs.json: expected a document"), "{}", result.stderr);
    let mut healed = store.objects();
    let name = path.strip_prefix(store.path()).expect("inside").display().to_string();
    let (found, before) = (healed.remove(&name).expect("inputs"), &whole[&name]);
    let [found, before] =
        [&found, before].map(|bytes| -> Value { serde_json::from_slice(bytes).expect("JSON") });
    // Published since: the champion is that of this night.
    assert_eq!(before["champion"], Value::Null);
    assert_eq!(found["champion"].as_str(), Some(store.champion("small").as_str()));
    assert_eq!((&found["models"], &found["nights"]), (&before["models"], &before["nights"]));
    assert!(healed.iter().all(|(name, bytes)| whole.get(name) == Some(bytes)));
}

#[test]
fn a_damaged_file_of_the_champion_is_written_again() {
    // The last stage reads the bundle, so that it must be run.
    for file in ["regressor_0.bin", "manifest.json"] {
        let store = after_a_night();
        let whole = store.objects();
        let model = store.champion("small");
        let path = store.path().join(format!("models/{model}/{file}"));
        flip(&path);
        for path in files_with(&store, &["/score/manifest.json"]) {
            std::fs::remove_file(path).expect("a manifest");
        }
        run(&store, AS_OF, &[]).ok();
        assert!(store.objects() == whole, "{file}");
    }
}

#[test]
fn damaged_state_is_a_miss_that_is_rebuilt_to_the_same_bytes() {
    // The next day reads the state of the day before.
    let next_day = |damage: &dyn Fn(&Folder)| {
        let store = Folder::with_simulated_tables();
        let features = |as_of: &str| {
            let arguments = ["features", PIPELINE, "--store", store.url(), "--as-of", as_of];
            ended(&mut command(&arguments)).ok()
        };
        features("2025-09-24");
        damage(&store);
        let stderr = features("2025-09-25").stderr;
        (stderr, of_the_last_night(&store))
    };
    let (undisturbed, whole) = next_day(&|_| {});
    assert!(undisturbed.contains(", 1 days read"), "{undisturbed}");
    // Each edit is one that was followed by another model.
    type Edit = fn(&str) -> String;
    let edits: [(&str, Edit); 3] = [
        ("another last day", |text| {
            let (before, after) = text.split_once("\"until\": \"").expect("a state");
            let (date, after) = after.split_once('"').expect("a date");
            let (date, day) = date.split_at(8);
            let day: u32 = day.parse().expect("a day");
            format!("{before}\"until\": \"{date}{:02}\"{after}", if day > 1 { day - 1 } else { 2 })
        }),
        ("another first day", |text| text.replace("\"first_day\": 20", "\"first_day\": 10")),
        ("a schema of tomorrow", |text| text.replace("longhaul/state/2", "longhaul/state/3")),
    ];
    for (what, edit) in edits {
        let (stderr, found) = next_day(&|store| {
            for path in files_with(store, &["state/nights/"]) {
                let text = std::fs::read_to_string(&path).expect("a state");
                let edited = edit(&text);
                assert_ne!(edited, text, "{what}");
                std::fs::write(path, edited).expect("a state");
            }
        });
        assert!(stderr.contains("an earlier one is used"), "{what}: {stderr}");
        assert!(found == whole, "{what}");
    }
    for part in ["state/memory/", "state/pages/", "state/rows/"] {
        let (stderr, found) = next_day(&|store| {
            for path in files_with(store, &[part]) {
                flip(&path);
            }
        });
        assert!(stderr.contains("it is made again"), "{part}: {stderr}");
        assert!(found == whole, "{part}");
    }
}

#[test]
fn of_two_runs_at_once_one_works_and_the_other_says_who() {
    let store = after_a_night();
    let lease = files_with(&store, &["locks/small.json"]).remove(0);
    let text = std::fs::read_to_string(&lease).expect("a lease");
    assert!(text.contains("\"holder\": null"), "{text}");

    let held = store.copy();
    let mut first = command(&["run", PIPELINE, "--store", held.url(), "--as-of", "2025-10-30"]);
    let mut first = first.stderr(std::process::Stdio::null()).spawn().expect("a run");
    let is_held = || {
        let text = std::fs::read_to_string(held.path().join("locks/small.json"));
        text.is_ok_and(|text| text.contains("\"host\""))
    };
    while !is_held() {
        assert!(first.try_wait().expect("a run").is_none(), "it ended before it was seen");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let process = format!("process {} on ", first.id());
    let impatient = run(&held, "2025-10-30", &["--set", "limits.lock_wait_seconds=0"]);
    impatient.refuses(21, &["pipeline small is worked on by", &process, " ago)", "hint:"]);
    first.kill().expect("a kill");
    first.wait().expect("an end");
    // One that was killed on this machine is not waited for.
    let after = run(&held, "2025-10-30", &["--set", "limits.lock_wait_seconds=0"]);
    assert!(after.code == 0 || after.code == 12, "{}", after.stderr);
}

#[test]
fn a_result_that_cannot_be_written_is_an_error() {
    let store = after_a_night();
    let full = || std::fs::File::options().write(true).open("/dev/full").expect("a full device");
    let mut list = command(&["models", "list", "--store", store.url()]);
    let output = list.stdout(full()).output().expect("a run");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(20), "{stderr}");
    assert!(stderr.contains("stdout: the result was not written: No space left"), "{stderr}");
}

#[test]
fn the_champion_is_the_model_that_was_promoted() {
    let store = after_a_night();
    let model = store.champion("small");
    let manifest = store.path().join(format!("models/{model}/manifest.json"));
    let mut bytes = std::fs::read(&manifest).expect("a manifest");
    bytes.push(b'\n');
    std::fs::write(manifest, bytes).expect("a manifest");
    let arguments = ["predict", "--store", store.url(), "--model", "current"];
    let refused = ended(&mut command(&arguments));
    refused.refuses(10, &["manifest.json: expected SHA-256"]);
}
