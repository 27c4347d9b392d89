//! The runbook of `docs/operations.md`: every command in it exists, and following it leads from each
//! failure to a night that is done.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;
use std::sync::OnceLock;

use serde_json::Value;

use crate::program::{AS_OF, Ended, Folder, PIPELINE, command, ended, flip, longhaul, root};

const EVENING_BEFORE: &str = "2025-10-25";
const LAX: [&str; 3] = [
    "evaluate.gates.worse_than_champion_max=9",
    "evaluate.gates.coverage_80_min=0.3",
    "evaluate.gates.coverage_80_max=1",
];
const STRICT: [&str; 2] = ["--set", "evaluate.gates.coverage_80_min=0.99"];

fn on(store: &Folder, arguments: &[&str]) -> Ended {
    ended(command(arguments).args(["--store", store.url()]))
}

fn night(store: &Folder, as_of: &str, more: &[&str]) -> Ended {
    with_lax_gates(store, &[&["run", PIPELINE, "--as-of", as_of], more].concat())
}

/// Runs the night that failed again, which must be that of `AS_OF`, to its end.
#[track_caller]
fn retry(store: &Folder) {
    let retried = with_lax_gates(store, &["retry", PIPELINE, "--json"]).ok().json();
    assert_eq!(retried["as_of"], AS_OF, "{retried}");
}

fn with_lax_gates(store: &Folder, arguments: &[&str]) -> Ended {
    // Before the others, which go before them.
    let (verb, more) = arguments.split_at(1);
    let lax: Vec<&str> = LAX.iter().flat_map(|set| ["--set", set]).collect();
    on(store, &[verb, &lax[..], more].concat())
}

/// A store with a champion, of a night some days before.
fn with_a_champion() -> Folder {
    static STORE: OnceLock<Folder> = OnceLock::new();
    let store = STORE.get_or_init(|| {
        let store = Folder::with_simulated_tables();
        night(&store, EVENING_BEFORE, &[]).ok();
        store
    });
    store.copy()
}

/// Asserts that the champion of `with_a_champion` scores as before, whatever failed since.
#[track_caller]
fn champion_goes_on(store: &Folder, before: &str) {
    assert_eq!(store.model_id(), before);
    on(store, &["predict", "--rows", "/dev/null"]).ok();
}

/// Moves partitions of October 2025 away, or back.
fn move_days(from: &Path, to: &Path, table: &str, days: std::ops::Range<u32>) {
    for day in days {
        let path = format!("tables/{table}/recorded_on=2025-10-{day:02}");
        std::fs::create_dir_all(to.join(&path).parent().expect("a folder")).expect("a folder");
        std::fs::rename(from.join(&path), to.join(&path)).expect("a partition");
    }
}

#[test]
fn every_exit_code_has_an_entry_and_every_command_exists() {
    let page = std::fs::read_to_string(root().join("docs/operations.md")).expect("the page");
    for code in [0, 1, 2, 10, 11, 12, 13, 20, 21, 30, 101] {
        assert!(page.contains(&format!("\n### Exit code {code}\n")), "{code}");
    }
    assert!(page.contains("\n### Exit codes 130 and 143\n"));

    let is_word = |word: &&str| word.chars().all(|c| c.is_ascii_lowercase()) && !word.is_empty();
    let mut commands = BTreeSet::new();
    for text in page.split('`').flat_map(str::lines).filter_map(|t| t.strip_prefix("longhaul ")) {
        let text = text.split(" #").next().unwrap_or_default();
        let verbs: Vec<&str> = text.split_whitespace().take_while(is_word).take(2).collect();
        let flags = text.split_whitespace().filter(|word| word.starts_with("--"));
        for flag in flags.chain(["--help"]) {
            commands.insert((verbs.clone(), flag.trim_end_matches(['.', ',']).to_owned()));
        }
    }
    assert!(commands.len() > 30, "{commands:?}");
    let unknown: Vec<_> = (commands.iter())
        .filter(|(verbs, flag)| {
            let help = longhaul(&[&verbs[..], &["--help"]].concat());
            help.code != 0 || !help.stdout.contains(flag.as_str())
        })
        .collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn code_11_a_table_that_was_not_exported_arrives() {
    let (store, away) = (with_a_champion(), Folder::empty());
    let champion = store.model_id();
    move_days(store.path(), away.path(), "orders", 25..30);
    night(&store, AS_OF, &[]).refuses(11, &["orders", "latency", "hint:", "--accept-stale"]);
    champion_goes_on(&store, &champion);
    move_days(away.path(), store.path(), "orders", 25..30);
    retry(&store);
    assert_ne!(store.model_id(), champion);
}

#[test]
fn code_11_a_store_without_tables() {
    let store = Folder::empty();
    night(&store, AS_OF, &[]).refuses(11, &["orders"]);
    on(&store, &["score", PIPELINE, "--as-of", AS_OF]).refuses(11, &["orders"]);
}

#[test]
fn code_10_days_that_are_gone_are_restored() {
    let (store, away) = (with_a_champion(), Folder::empty());
    let champion = store.model_id();
    move_days(store.path(), away.path(), "shipments", 11..13);
    night(&store, AS_OF, &[]).refuses(10, &["2 gone", "--accept-missing"]);
    champion_goes_on(&store, &champion);
    move_days(away.path(), store.path(), "shipments", 11..13);
    retry(&store);
}

#[test]
fn code_10_a_damaged_champion_is_repaired() {
    let store = with_a_champion();
    let champion = store.model_id();
    flip(&store.path().join(format!("models/{champion}/regressor_0.bin")));
    on(&store, &["verify"]).refuses(10, &["1 objects"]);
    on(&store, &["verify", "--repair"]).ok();
    on(&store, &["verify"]).ok();
    champion_goes_on(&store, &champion);
    night(&store, AS_OF, &[]).ok();
}

#[test]
fn code_12_a_refused_night_is_scored_by_the_champion() {
    let store = with_a_champion();
    let champion = store.model_id();
    let refused = night(&store, AS_OF, &STRICT);
    refused.refuses(12, &["kept but not current", "report.html", "evaluate.gates"]);
    assert!(refused.stdout.contains(&format!("champion     {champion} (kept)")));
    assert!(refused.stdout.contains("predictions  "), "{}", refused.stdout);
    champion_goes_on(&store, &champion);
    assert!(on(&store, &["models", "list"]).ok().stdout.contains("refused"));
    night(&store, AS_OF, &[]).ok();
    assert_ne!(store.model_id(), champion);
}

#[test]
fn code_20_a_storage_that_does_not_answer() {
    let store = with_a_champion();
    let elsewhere = ["--store", "s3://bucket/prefix", "--set", "limits.storage_retry_seconds=0"];
    let mut run = command(&["doctor", PIPELINE]);
    let unreachable = run
        .args(elsewhere)
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        .env("AWS_REGION", "eu-central-1")
        .env("AWS_ACCESS_KEY_ID", "key")
        .env("AWS_SECRET_ACCESS_KEY", "a-secret");
    let unreachable = ended(unreachable);
    assert_eq!(unreachable.code, 20, "{}", unreachable.stderr);
    assert!(!format!("{unreachable:?}").contains("a-secret"), "{unreachable:?}");
    on(&store, &["doctor", PIPELINE]).ok();
}

#[test]
fn codes_21_and_a_kill_the_other_run_ends_and_the_night_goes_on() {
    let store = with_a_champion();
    let champion = store.model_id();
    let mut first = command(&["run", PIPELINE, "--store", store.url(), "--as-of", AS_OF]);
    let mut first = first.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a run");
    let lease = store.path().join("locks/small.json");
    while !std::fs::read_to_string(&lease).is_ok_and(|text| text.contains("\"host\"")) {
        assert!(first.try_wait().expect("a run").is_none(), "it ended before it was seen");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let now = ["--set", "limits.lock_wait_seconds=0"];
    let words = [&format!("process {} on ", first.id())[..], "hint: wait"];
    night(&store, AS_OF, &now).refuses(21, &words);
    on(&store, &["gc", "--keep", "1"]).refuses(21, &words[..1]);
    first.kill().expect("a kill");
    first.wait().expect("an end");
    champion_goes_on(&store, &champion);
    retry(&store);
}

#[test]
fn codes_2_and_30_a_wrong_command_and_a_wrong_setting_change_nothing() {
    let store = with_a_champion();
    let before = store.objects();
    let wrong = night(&store, AS_OF, &["--as-off", AS_OF]);
    assert_eq!(wrong.code, 2, "{}", wrong.stderr);
    let mut run = command(&["run", PIPELINE, "--as-of", AS_OF, "--store", store.url()]);
    let wrong = ended(run.env("LONGHAUL__LIMITS__NIGHT_MINUTES", "0"));
    let place = "limits.night_minutes (LONGHAUL__LIMITS__NIGHT_MINUTES)";
    wrong.refuses(30, &[place, "expected 1 to 10080, found 0"]);
    assert!(store.objects() == before);
    night(&store, EVENING_BEFORE, &[]).ok();
}

#[test]
fn a_store_is_moved_and_goes_on_where_it_was() {
    let (old, new) = (with_a_champion(), Folder::empty());
    let is_late = |name: &str| {
        name.ends_with("/manifest.json")
            || name.ends_with("/inputs.json")
            || ["state/nights/", "tables/_commits/"].iter().any(|of| name.starts_with(of))
    };
    let is_last = |name: &str| name.ends_with("/current.json") || name.ends_with("/latest.json");
    let passes: [&dyn Fn(&str) -> bool; 3] =
        [&|name| !is_late(name) && !is_last(name), &|name| is_late(name), &|name| is_last(name)];
    for pass in passes {
        for (name, bytes) in old.objects().into_iter().filter(|(name, _)| pass(name)) {
            let path = new.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(path, bytes).expect("a file");
        }
        // Whenever the copy ends, what is there says nothing that is not so.
        on(&new, &["verify"]).ok();
    }
    assert!(old.objects() == new.objects());
    // The check reads once what has other dates.
    for n_skipped in [5, 6] {
        let again = night(&new, EVENING_BEFORE, &["--json"]).ok().json();
        let stages = again["stages"].as_array().expect("stages");
        let skipped = stages.iter().filter(|stage| stage["status"] == "skipped").count();
        assert_eq!((skipped, stages.len()), (n_skipped, 6), "{again}");
        assert_eq!(stages[5]["summary"]["model_id"], Value::from(old.model_id()));
    }
}
