//! Looking after a store: `verify` finds and mends what is damaged, `gc` deletes what nobody reads.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use crate::program::{Ended, Folder, PIPELINE, command, ended, flip, skipped};

const NIGHTS: [&str; 4] = ["2025-10-26", "2025-10-27", "2025-10-28", "2025-10-29"];

fn on(store: &Folder, arguments: &[&str]) -> Ended {
    let mut command = command(arguments);
    ended(command.args(["--store", store.url()]))
}

fn night(store: &Folder, as_of: &str) -> Ended {
    let ended = on(store, &["run", PIPELINE, "--as-of", as_of]);
    assert!(ended.code == 0 || ended.code == 12, "{}", ended.stderr);
    ended
}

/// A store after some nights.
fn after_nights() -> Folder {
    static STORE: OnceLock<Folder> = OnceLock::new();
    let store = STORE.get_or_init(|| {
        // With their commits, which say what each file must be.
        let store = Folder::empty();
        on(&store, &["simulate", PIPELINE]).ok();
        for as_of in NIGHTS {
            night(&store, as_of);
        }
        store
    });
    store.copy()
}

/// What a killed write left, and what a write under way has; their names.
fn temporary_files(store: &Folder) -> [String; 2] {
    [("models/small/current.json#4711.0", 2), ("tables/part#4711.1", 0)].map(|(name, days)| {
        let written = SystemTime::now() - Duration::from_secs(days * 86_400);
        let file = std::fs::File::create(store.path().join(name)).expect("a file");
        file.set_modified(written).expect("a time");
        name.to_owned()
    })
}

/// The first file whose path has all of these parts.
fn file(store: &Folder, parts: &[&str]) -> PathBuf {
    let names = store.objects().into_keys();
    let mut found = names.filter(|name| parts.iter().all(|part| name.contains(part)));
    store.path().join(found.next().expect("a file"))
}

#[test]
fn a_whole_store_is_verified_and_a_damaged_one_is_mended() {
    let store = after_nights();
    let (whole, champion) = (store.objects(), store.model_id());
    let verified = on(&store, &["verify", "--json"]).ok().json();
    assert_eq!(verified["damaged"].as_array().map(Vec::len), Some(0), "{verified}");
    // All that is not a lock, a quarantined copy, or a pointer of the check, which may be lost.
    let of_no_other = |name: &&String| {
        ["quarantine/", "state/check/", "tables/_commits/"].iter().any(|of| name.starts_with(of))
    };
    let known = whole.keys().filter(|name| !of_no_other(name)).count() as u64;
    let says_when = |name: &&String| name.starts_with("locks/") || name.starts_with("nights/");
    let more = store.names().iter().filter(|name| !name.contains('#')).filter(says_when).count();
    let more = more as u64;
    assert_eq!(verified["verified"].as_u64(), Some(known + more), "with the lease and the records");

    let damaged = [
        file(&store, &["models/", "/regressor_0.bin"]),
        file(&store, &["models/small/current.json"]),
        file(&store, &["runs/", "/train/boost/gate.bin"]),
        file(&store, &["runs/", "/evaluate/manifest.json"]),
        file(&store, &["state/nights/"]),
        file(&store, &["state/rows/"]),
    ];
    damaged.iter().for_each(|path| flip(path));
    let found = on(&store, &["verify"]);
    found.refuses(10, &["6 objects are not as they were written", "hint:"]);
    for path in &damaged {
        let name = path.strip_prefix(store.path()).expect("inside").display().to_string();
        assert!(found.stdout.contains(&name), "{name}: {}", found.stdout);
    }
    let mended = on(&store, &["verify", "--repair"]).ok();
    assert!(mended.stdout.contains("mended"), "{}", mended.stdout);
    on(&store, &["verify"]).ok();
    // What was taken away is made again by the nights that need it.
    for as_of in NIGHTS {
        night(&store, as_of);
    }
    let after = store.objects();
    assert_eq!(store.model_id(), champion);
    let of_runs_and_models = |name: &&String| {
        (name.starts_with("runs/") || name.starts_with("models/"))
            && !name.ends_with("current.json")
    };
    for name in whole.keys().filter(of_runs_and_models) {
        assert!(after.get(name) == whole.get(name), "{name}");
    }
}

#[test]
fn what_cannot_be_mended_is_named_with_what_is_needed() {
    let store = after_nights();
    let table = file(&store, &["tables/orders/"]);
    // Not the champion's: its pointer would be found as well.
    let champion = store.model_id();
    let names = store.objects().into_keys();
    let is_other = |name: &String| {
        let is_manifest = name.starts_with("models/") && name.ends_with("/manifest.json");
        is_manifest && !name.contains(&champion)
    };
    let manifest = store.path().join(names.into_iter().find(is_other).expect("another model"));
    [table, manifest].iter().for_each(|path| flip(path));
    let left = on(&store, &["verify", "--repair"]);
    left.refuses(10, &["2 objects"]);
    assert!(left.stdout.contains("import again with --force"), "{}", left.stdout);
    assert!(left.stdout.contains("again: longhaul run"), "{}", left.stdout);
}

#[test]
fn gc_says_what_it_would_delete_and_the_kept_and_the_next_nights_read_none_of_it() {
    let store = after_nights();
    let before = store.objects();
    let [of_a_killed_write, under_way] = temporary_files(&store);
    let all = store.names();
    let dry = on(&store, &["gc", "--keep", "2"]).ok();
    assert!(dry.stdout.contains("would be deleted; --delete does it"), "{}", dry.stdout);
    assert!(store.objects() == before, "a dry run deletes nothing");
    assert!(all.iter().all(|name| store.path().join(name).exists()));

    let undisturbed = store.copy();
    on(&store, &["gc", "--keep", "2", "--delete"]).ok();
    assert!(!store.path().join(of_a_killed_write).exists());
    assert!(store.path().join(under_way).exists());
    let after = store.objects();
    assert!(after.len() < before.len() - 20, "{} of {} objects", after.len(), before.len());
    assert!(after.iter().all(|(name, bytes)| before.get(name) == Some(bytes)));
    let of_tables = |name: &&String| name.starts_with("tables/") || name.starts_with("quarantine/");
    assert!(before.keys().filter(of_tables).all(|name| after.contains_key(name)));
    on(&store, &["verify"]).ok();
    // The kept nights are done, and the next one comes to the model that it comes to without.
    for as_of in &NIGHTS[2..] {
        let again = on(&store, &["run", PIPELINE, "--as-of", as_of, "--json"]).json();
        assert_eq!(skipped(&again).len(), 6, "{as_of}");
    }
    assert!(store.objects() == after);
    for store in [&store, &undisturbed] {
        let next = night(store, "2025-10-30");
        assert!(next.stderr.contains(", 1 days read"), "{}", next.stderr);
    }
    assert_eq!(store.model_id(), undisturbed.model_id());
    let again = on(&store, &["gc", "--keep", "2", "--json"]).ok().json();
    assert_eq!(again["nights"].as_array().map(Vec::len), Some(2), "{again}");
}

#[test]
fn gc_takes_away_backtests_that_nobody_ended_and_folds_the_commits_of_tables() {
    let store = after_nights();
    let put = |path: &str| {
        let path = store.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, b"part of a model").expect("a file");
    };
    // Killed long ago, killed lately, by an older version.
    put("backtests/0000000000000001/origins/2025-09-20/2025-06-02/gate.bin");
    put("backtests/0000000000000001/predictions.parquet");
    put("backtests/0000000000000002/origins/2025-10-29/2025-06-02/gate.bin");
    put("backtests/0000000000000003/origins/2025-06-02/gate.bin");
    let backtest = ["backtest", PIPELINE, "--as-of", "2025-10-26", "--set", "train.boost.rounds=5"];
    let origins = ["--from", "2025-09-01", "--to", "2025-09-08", "--every", "7d"];
    on(&store, &[&backtest[..], &origins].concat()).ok();
    let names = store.objects().into_keys();
    let finished: Vec<String> = names.filter(|name| name.starts_with("backtests/")).collect();
    let manifest = finished.iter().find_map(|name| name.strip_suffix("/manifest.json"));
    let finished_folder = manifest.expect("a backtest that is done");
    // It was killed before it had taken its models away.
    put(&format!("{finished_folder}/origins/2025-10-26/2025-09-01/gate.bin"));

    on(&store, &["gc", "--keep", "2", "--delete"]).ok();
    let left: Vec<String> =
        store.objects().into_keys().filter(|name| name.starts_with("backtests/")).collect();
    let recent = "backtests/0000000000000002/origins/2025-10-29/2025-06-02/gate.bin";
    let is_kept = |name: &String| name == recent || name.starts_with(finished_folder);
    assert!(left.iter().all(is_kept), "{left:?}");
    assert!(left.iter().any(|name| name == recent));
    let outputs = finished.iter().filter(|name| name.starts_with(finished_folder));
    assert!(outputs.clone().count() > 2 && outputs.clone().all(|name| left.contains(name)));
    assert_eq!(left.len(), outputs.count() + 1);
    on(&store, &["verify"]).ok();
}
