//! What an import or a simulation has not committed is not used, and what it has is verified.

use std::time::Duration;

use crate::program::{Ended, Folder, PIPELINE, command, longhaul};

const SIMULATED: [&str; 4] = ["--set", "simulate.days=60", "--set", "simulate.shipments=3000"];

fn simulate(store: &Folder, more: &[&str]) -> Ended {
    let arguments = ["simulate", PIPELINE, "--store", store.url()];
    longhaul(&[&arguments[..], &SIMULATED, more].concat())
}

fn check(store: &Folder, more: &[&str]) -> Ended {
    let arguments = ["check", PIPELINE, "--store", store.url(), "--as-of", "2025-08-28"];
    longhaul(&[&arguments[..], more].concat())
}

#[test]
fn tables_that_are_half_written_do_not_pass() {
    let mut halves = 0;
    for millis in (0..12).map(|step| 40 + 90 * step) {
        let store = Folder::empty();
        let arguments = ["simulate", PIPELINE, "--store", store.url()];
        let mut child = command(&[&arguments[..], &SIMULATED].concat())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("the program starts");
        std::thread::sleep(Duration::from_millis(millis));
        let _ = child.kill();
        child.wait().expect("an end");
        let names = store.names();
        let is_committed = names.iter().any(|name| name.ends_with("_commits/000001.json"));
        let ended = check(&store, &[]);
        if !is_committed {
            halves += usize::from(names.iter().any(|name| name.ends_with(".parquet")));
            assert_eq!(ended.code, 11, "{millis} ms: {}", ended.stderr);
        }
        simulate(&store, &[]).ok();
        check(&store, &[]).ok();
    }
    assert!(halves > 0, "no kill came in between");
}

#[test]
fn committed_files_are_verified_and_missed() {
    let store = Folder::empty();
    simulate(&store, &[]).ok();
    check(&store, &[]).ok();
    let partition = store.partitions("orders")[20].clone();
    let whole = std::fs::read(&partition).expect("a file");
    let mut altered = whole.clone();
    altered[whole.len() / 2] ^= 1;
    std::fs::write(&partition, &altered).expect("a file");
    let name = partition.strip_prefix(store.path()).expect("inside").display().to_string();
    check(&store, &[]).refuses(10, &[&name, "SHA-256", "000001.json", "hint:"]);
    std::fs::remove_file(&partition).expect("a file");
    std::fs::remove_dir_all(store.path().join("state")).expect("the last check");
    check(&store, &[]).refuses(10, &[&name, "--accept-missing"]);
    // Written again, it is as it was.
    std::fs::remove_dir_all(store.path().join("runs")).expect("the manifest of simulate");
    simulate(&store, &[]).ok();
    assert_eq!(std::fs::read(&partition).expect("a file"), whole);
    check(&store, &[]).ok();
}

/// A store whose last check received one file otherwise than it is in the store: the listing is the
/// same, the bytes are not.
fn with_a_finding_of_other_bytes() -> Folder {
    let store = Folder::with_simulated_tables();
    let partition = store.partitions("shipments")[100].clone();
    let changed = std::fs::metadata(&partition).and_then(|file| file.modified()).expect("a time");
    let write = |bytes: &[u8]| {
        std::fs::write(&partition, bytes).expect("a file");
        let file = std::fs::File::options().write(true).open(&partition).expect("a file");
        file.set_modified(changed).expect("a time");
    };
    let whole = std::fs::read(&partition).expect("a file");
    let mut altered = whole.clone();
    // The name of the writer in the footer: every row can still be read.
    let name = b"longhaul simulate";
    let at = altered.windows(name.len()).rposition(|bytes| bytes == name).expect("a writer");
    altered[at] ^= 1;
    write(&altered);
    store.run("check", &[]).ok();
    write(&whole);
    store
}

#[test]
fn a_finding_of_damaged_bytes_is_made_again() {
    let undisturbed = Folder::with_simulated_tables();
    undisturbed.run("features", &[]).ok();
    let store = with_a_finding_of_other_bytes();
    let ended = store.run("features", &[]).ok();
    assert!(ended.stderr.contains("it is made again"), "{}", ended.stderr);
    let of_runs = |store: &Folder| -> Vec<(String, Vec<u8>)> {
        let files = store.files().into_iter();
        files.filter(|(name, _)| name.starts_with("runs/") && !name.contains('#')).collect()
    };
    assert!(of_runs(&store) == of_runs(&undisturbed), "as if nothing had been");
}

#[test]
fn a_forced_check_replaces_what_was_found_in_damaged_bytes() {
    let store = with_a_finding_of_other_bytes();
    let ended = store.run("check", &["--force"]).ok();
    assert!(ended.stderr.contains("is not what was checked before"), "{}", ended.stderr);
    store.run("features", &[]).ok();
    // And insists on the same finding where the bytes are the same.
    store.run("check", &["--force"]).ok();
}
