//! Champions that a person chose: a rollback holds on reruns of its night, and until a later night
//! passes the gates.

use std::sync::OnceLock;

use serde_json::Value;

use crate::program::{Ended, Folder, PIPELINE, command, ended, flip};

/// Gates that the small network passes on every night.
const LAX: [&str; 4] = [
    "evaluate.gates.worse_than_champion_max=9",
    "evaluate.gates.coverage_80_min=0.3",
    "evaluate.gates.coverage_80_max=1",
    "evaluate.gates.rows_min=20",
];

fn on(store: &Folder, arguments: &[&str]) -> Ended {
    ended(command(arguments).args(["--store", store.url()]))
}

fn night(store: &Folder, as_of: &str, more: &[&str]) -> Ended {
    let mut arguments = vec!["run", PIPELINE, "--as-of", as_of, "--json"];
    for set in LAX {
        arguments.extend(["--set", set]);
    }
    arguments.extend(more);
    on(store, &arguments)
}

fn rollback(store: &Folder, reason: &str) -> Ended {
    on(store, &["models", "rollback", PIPELINE, "--reason", reason, "--json"])
}

/// The model of a stage of a night, refused or not.
fn model_of(ended: &Ended, stage: &str) -> String {
    let night = ended.json();
    let mut stages = night["stages"].as_array().expect("stages").iter();
    let found = stages.find(|found| found["stage"] == stage).expect("the stage");
    found["summary"]["model_id"].as_str().expect("a model").to_owned()
}

/// The model that scored a night.
fn scored_by(ended: &Ended) -> String {
    model_of(ended, "score")
}

/// A store after two nights, and their models.
fn after_two_nights() -> (Folder, String, String) {
    static STORE: OnceLock<(Folder, String, String)> = OnceLock::new();
    let (store, first, second) = STORE.get_or_init(|| {
        let store = Folder::with_simulated_tables();
        let [first, second] = ["2025-10-27", "2025-10-28"].map(|as_of| {
            assert_eq!(scored_by(&night(&store, as_of, &[]).ok()), store.model_id());
            store.model_id()
        });
        assert_ne!(first, second);
        (store, first, second)
    });
    (store.copy(), first.clone(), second.clone())
}

#[test]
fn a_model_that_was_rolled_back_stays_away_until_a_later_night_passes_the_gates() {
    let empty = Folder::empty();
    rollback(&empty, "too early").refuses(11, &["expected a champion", "longhaul run"]);
    let (store, first, second) = after_two_nights();
    rollback(&store, " ").refuses(2, &["--reason"]);

    let decided = rollback(&store, "late in the south").ok().json();
    assert_eq!(decided["champion"], first.as_str());
    assert_eq!(decided["before"], second.as_str());
    assert_eq!(decided["withdrawn"], serde_json::json!([second]));
    let list = on(&store, &["models", "list"]).ok().stdout;
    assert!(list.contains("withdrawn: late in the south"), "{list}");
    rollback(&store, "once more").refuses(11, &["expected a model that passed before"]);

    // The same night again, and computed again, is scored by the champion and changes it not.
    for more in [&[][..], &["--force"]] {
        let again = night(&store, "2025-10-28", more).ok();
        assert_eq!(scored_by(&again), first, "{}", again.stderr);
        let says = "was withdrawn by hand: late in the south; the champion scores";
        assert!(again.stderr.contains(says), "{}", again.stderr);
        assert_eq!(store.model_id(), first);
    }
    let by_hand = on(&store, &["score", PIPELINE, "--as-of", "2025-10-28", "--json"]).ok().json();
    assert_eq!(by_hand["summary"]["model_id"], first.as_str());

    // A later night that the gates refuse is scored by it, one that passes replaces it.
    let refused = night(&store, "2025-10-29", &["--set", "evaluate.gates.rows_min=1000000"]);
    assert_eq!((refused.code, scored_by(&refused)), (12, first.clone()), "{}", refused.stderr);
    night(&store, "2025-10-29", &[]).ok();
    let third = store.model_id();
    assert!(third != first && third != second);
    let verified = on(&store, &["verify", "--json"]).ok().json();
    assert_eq!(verified["damaged"], serde_json::json!([]));
}

#[test]
fn a_model_is_promoted_by_hand_if_it_is_whole_and_passed_the_gates() {
    let (store, first, second) = after_two_nights();
    let refused = night(&store, "2025-10-29", &["--set", "evaluate.gates.rows_min=1000000"]);
    assert_eq!(refused.code, 12);
    let refused = model_of(&refused, "publish");
    let promote = |model_id: &str| {
        let arguments = ["models", "promote", PIPELINE, model_id, "--reason", "a try", "--json"];
        on(&store, &arguments)
    };
    promote(&refused).refuses(12, &["expected one that passed the gates", "hint:"]);
    promote("0123456789abcdef").refuses(11, &["not found"]);
    let elsewhere = ["--set", "name=other"];
    let arguments = ["models", "promote", PIPELINE, &first, "--reason", "a try"];
    on(&store, &[&arguments[..], &elsewhere].concat())
        .refuses(10, &["pipeline other, found small"]);
    assert_eq!(store.model_id(), second);

    // To an older one, which is a rollback, and back again, which ends the withdrawal.
    assert_eq!(promote(&first).ok().json()["withdrawn"], serde_json::json!([second]));
    assert_eq!(store.model_id(), first);
    let back = promote(&second).ok().json();
    assert_eq!(
        (&back["before"], &back["withdrawn"]),
        (&serde_json::json!(first), &serde_json::json!([]))
    );
    assert_eq!(promote(&second).ok().json()["before"], Value::Null);
    assert_eq!(scored_by(&night(&store, "2025-10-28", &["--force"]).ok()), second);

    flip(&store.path().join(format!("models/{first}/regressor_0.bin")));
    promote(&first).refuses(10, &[&first]);
    assert_eq!(store.model_id(), second);
}

#[test]
fn a_rollback_that_was_killed_before_the_pointer_moved_holds_and_is_finished_by_another() {
    let (store, first, second) = after_two_nights();
    let pointer = store.path().join("models/small/current.json");
    let before = std::fs::read(&pointer).expect("a pointer");
    rollback(&store, "killed").ok();
    std::fs::write(&pointer, before).expect("a pointer");
    assert_eq!(store.model_id(), second);
    let by_hand = on(&store, &["score", PIPELINE, "--as-of", "2025-10-28", "--json"]).ok().json();
    assert_eq!(by_hand["summary"]["model_id"], first.as_str());
    assert_eq!(scored_by(&night(&store, "2025-10-28", &[]).ok()), first);
    assert_eq!(rollback(&store, "again").ok().json()["champion"], first.as_str());
    assert_eq!(store.model_id(), first);
}
