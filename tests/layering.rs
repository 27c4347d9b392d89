//! Which room may use which: the graph of ARCHITECTURE.md, held.

use std::collections::{BTreeMap, BTreeSet};

use toml::Table;

use crate::program::root;

/// Each room, and the rooms that it may use.
const ROOMS: &[(&str, &[&str])] = &[
    ("terms", &[]),
    ("statistics", &[]),
    ("boost", &["statistics"]),
    ("store", &["terms"]),
    ("scorer", &["terms", "boost"]),
    ("intake", &["terms", "store"]),
    ("learn", &["terms", "statistics", "boost", "scorer"]),
    ("evaluate", &["terms", "statistics"]),
    ("artifact", &["terms", "store", "scorer"]),
    ("simulate", &["terms", "statistics"]),
    ("features", &["terms"]),
    (
        "longhaul",
        &[
            "terms",
            "statistics",
            "boost",
            "store",
            "scorer",
            "intake",
            "learn",
            "evaluate",
            "artifact",
            "simulate",
            "features",
        ],
    ),
    ("s3_server", &[]),
];

/// What a room must never link, whoever would like it to.
const BANS: &[(&str, &[&str])] = &[
    ("boost", &["serde_json", "polars", "tokio", "object_store"]),
    ("scorer", &["polars", "tokio", "object_store"]),
    ("learn", &["polars", "tokio", "object_store"]),
    ("evaluate", &["polars", "tokio", "object_store", "boost"]),
    ("features", &["tokio", "object_store"]),
    ("intake", &["tokio", "object_store"]),
    ("artifact", &["polars", "object_store"]),
];

fn dependencies(room: &str) -> BTreeSet<String> {
    let path = root().join("crates").join(room).join("Cargo.toml");
    let manifest = std::fs::read_to_string(path).expect("a manifest");
    let manifest: Table = manifest.parse().expect("TOML");
    manifest["dependencies"].as_table().expect("a table").keys().cloned().collect()
}

#[test]
fn every_room_uses_only_the_rooms_that_it_may() {
    let allowed: BTreeMap<&str, &[&str]> = ROOMS.iter().copied().collect();
    let folders: BTreeSet<String> = std::fs::read_dir(root().join("crates"))
        .unwrap()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(folders, ROOMS.iter().map(|(room, _)| (*room).to_owned()).collect());
    for (room, may_use) in &allowed {
        for used in dependencies(room).iter().filter(|name| allowed.contains_key(name.as_str())) {
            assert!(may_use.contains(&used.as_str()), "{room} must not depend on {used}");
        }
    }
}

#[test]
fn no_room_links_what_it_must_not() {
    for (room, banned) in BANS {
        let used = dependencies(room);
        for name in *banned {
            assert!(!used.contains(*name), "{room} must not depend on {name}");
        }
    }
}

#[test]
fn versions_are_written_only_in_the_workspace() {
    for (room, _) in ROOMS {
        let path = root().join("crates").join(room).join("Cargo.toml");
        let manifest: Table = std::fs::read_to_string(path).unwrap().parse().unwrap();
        for section in ["dependencies", "dev-dependencies"] {
            for (name, value) in
                manifest.get(section).and_then(|s| s.as_table()).into_iter().flatten()
            {
                assert_eq!(value.get("workspace"), Some(&true.into()), "{room}: {name}");
            }
        }
    }
}

#[test]
fn every_module_says_what_it_is() {
    let mut files = Vec::new();
    let mut folders = vec![root().join("crates"), root().join("tests")];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                files.push(path);
            }
        }
    }
    assert!(files.len() > 50);
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("//!"), "{} has no header", path.display());
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        for banned in ["utils", "util", "common", "helpers", "helper", "manager"] {
            assert_ne!(name, banned, "{}: a name says what is inside", path.display());
        }
    }
}
