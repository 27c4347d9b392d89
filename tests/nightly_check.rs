//! Night after night the check reads only new files, and finds what a check of all files finds.

use std::path::PathBuf;

use crate::program::{Folder, PIPELINE, longhaul, read_frame, write_frame};

/// How many files a check read, and what it found.
fn check(store: &Folder, as_of: &str) -> (usize, Vec<u8>) {
    let arguments = ["check", PIPELINE, "--store", store.url(), "--as-of", as_of, "--json"];
    let ended = longhaul(&arguments).ok();
    let folder = PathBuf::from(ended.json()["folder"].as_str().expect("a folder"));
    let found = std::fs::read(store.path().join(folder).join("check.json")).expect("a finding");
    let words: Vec<&str> = ended.stderr.split_whitespace().collect();
    let read = words.windows(2).find(|words| words[0] == "read").expect("how many were read");
    (read[1].parse().expect("a number"), found)
}

#[test]
fn a_second_night_reads_its_own_files_and_finds_the_same() {
    let (nightly, at_once) = (Folder::with_simulated_tables(), Folder::with_simulated_tables());
    let (all, _) = check(&nightly, "2025-10-27");
    assert!(all > 200, "{all} files");
    let (read, found) = check(&nightly, "2025-10-28");
    // One partition of each table, and none of its past.
    assert!((2..=3).contains(&read), "{read} files");
    let (anew, expected) = check(&at_once, "2025-10-28");
    assert!(anew > 200 && found == expected);

    // Without the pointer to the last check all files are read, and after a change of an earlier
    // partition all files from its day on.
    std::fs::remove_dir_all(nightly.path().join("state")).expect("the pointer");
    let (read, found) = check(&nightly, "2025-10-29");
    assert!(read > 200 && found == check(&at_once, "2025-10-29").1);
    for store in [&nightly, &at_once] {
        let partitions = store.partitions("shipments");
        let changed = &partitions[partitions.len() - 10];
        let mut frame = read_frame(changed);
        frame = frame.reverse();
        write_frame(changed, &mut frame);
    }
    std::fs::remove_dir_all(at_once.path().join("state")).expect("the pointer");
    let (read, found) = check(&nightly, "2025-10-29");
    assert!((5..12).contains(&read), "{read} files");
    assert!(found == check(&at_once, "2025-10-29").1);
}
