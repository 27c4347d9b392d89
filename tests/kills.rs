//! A run that is killed at any moment: a rerun completes it, with the same bytes.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::program::{AS_OF, Folder, PIPELINE, command, ended};

/// Runs a command and kills it as soon as the store has a file with such a name; `otherwise` says what
/// there is none of.
fn kill_once_there(
    mut command: Command,
    store: &Folder,
    otherwise: &str,
    is_awaited: impl Fn(&String) -> bool,
) {
    let mut child = command
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("the program starts");
    let started = Instant::now();
    while !store.names().iter().any(&is_awaited) {
        assert!(started.elapsed() < Duration::from_secs(120), "{otherwise}");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(child.try_wait().expect("a child").is_none(), "it ended before it was killed");
    child.kill().expect("a kill");
    child.wait().expect("an end");
}

#[test]
fn a_run_killed_again_and_again_ends_with_the_same_bytes() {
    let whole = Folder::with_simulated_tables();
    whole.run("run", &[]).ok();

    let killed = Folder::with_simulated_tables();
    let mut kills = 0;
    // Later and later, so that the kills spread over all stages.
    for millis in (0..40).map(|step| 30 + 60 * step) {
        let arguments = ["run", PIPELINE, "--store", killed.url(), "--as-of", AS_OF];
        let mut child = command(&arguments)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("the program starts");
        std::thread::sleep(Duration::from_millis(millis));
        if child.try_wait().expect("a child").is_some() {
            break;
        }
        child.kill().expect("a kill");
        child.wait().expect("an end");
        kills += 1;
        if let Ok(pointer) = std::fs::read(killed.path().join("models/small/current.json")) {
            let whole = std::fs::read(whole.path().join("models/small/current.json")).expect("one");
            assert_eq!(pointer, whole, "a pointer is whole or absent");
        }
    }
    assert!(kills > 3, "only {kills} kills");
    killed.run("run", &[]).ok();
    let (mut found, expected) = (killed.files(), whole.files());
    // Temporary files of a killed write are beside their objects, and a store never lists them.
    found.retain(|name, _| expected.contains_key(name) || !name.contains('#'));
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    assert_eq!(found, expected);
}

#[test]
fn a_training_that_was_killed_resumes_from_its_checkpoint_to_the_same_bytes() {
    let settings = [
        "--set",
        "train.boost.rounds=500",
        "--set",
        "train.checkpoint_rounds=10",
        "--as-of",
        AS_OF,
    ];
    let train = |store: &Folder| {
        let mut arguments = vec!["train", PIPELINE, "--store", store.url()];
        arguments.extend(settings);
        let mut command = command(&arguments);
        command.env("RUST_LOG", "info");
        command
    };
    let whole = Folder::with_simulated_tables();
    let unbroken = ended(&mut train(&whole)).ok();
    assert!(!unbroken.stderr.contains("went on"), "{}", unbroken.stderr);

    let killed = Folder::with_simulated_tables();
    // A temporary file has a '#' in its name.
    let is_checkpoint =
        |name: &String| name.contains("/checkpoints/boost/regressor") && !name.contains('#');
    kill_once_there(train(&killed), &killed, "no checkpoint was written", is_checkpoint);

    let resumed = ended(&mut train(&killed)).ok();
    assert!(resumed.stderr.contains("went on from a checkpoint"), "{}", resumed.stderr);
    let (mut found, expected) = (killed.files(), whole.files());
    found.retain(|name, _| expected.contains_key(name) || !name.contains('#'));
    assert!(!expected.keys().any(is_checkpoint), "checkpoints go once they are not needed");
    assert!(found == expected, "{:?}", found.keys().collect::<Vec<_>>());
}

#[test]
fn a_backtest_that_was_killed_goes_on_with_its_finished_origins_to_the_same_bytes() {
    let backtest = |store: &Folder| {
        let mut command = command(&["backtest", PIPELINE, "--store", store.url()]);
        command.args(["--from", "2025-09-01", "--to", "2025-10-06", "--every", "7d", "--export"]);
        command.args(["--set", "train.boost.rounds=120"]);
        command
    };
    let is_model = |name: &String| name.contains("/origins/") && !name.contains('#');
    let whole = Folder::with_simulated_tables();
    let unbroken = ended(&mut backtest(&whole)).ok();
    assert!(!unbroken.stderr.contains("goes on"), "{}", unbroken.stderr);

    let killed = Folder::with_simulated_tables();
    // The first origin is whole once the second one is begun.
    kill_once_there(backtest(&killed), &killed, "no model was kept", |name| {
        is_model(name) && name.contains("2025-09-08")
    });

    let resumed = ended(&mut backtest(&killed)).ok();
    let goes_on = "backtest 2025-09-01: goes on with the model that was kept";
    assert!(resumed.stderr.contains(goes_on), "{}", resumed.stderr);
    assert!(!resumed.stderr.contains("2025-09-29: goes on"), "{}", resumed.stderr);
    let (mut found, expected) = (killed.files(), whole.files());
    found.retain(|name, _| expected.contains_key(name) || !name.contains('#'));
    assert!(!expected.keys().any(is_model), "models go once they are not needed");
    assert!(found == expected, "{:?}", found.keys().collect::<Vec<_>>());
}
