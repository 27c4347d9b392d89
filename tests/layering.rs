//! Which crate may use which: the graph of ARCHITECTURE.md, held over the whole tree of
//! dependencies.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

use toml::Table;

use crate::program::root;

/// Each crate, and those of our crates that it may name as dependencies.
const CRATES: &[(&str, &[&str])] = &[
    ("terms", &[]),
    ("statistics", &[]),
    ("boost", &["statistics"]),
    ("store", &["terms"]),
    ("scorer", &["terms", "boost"]),
    ("scorer_c", &["terms", "scorer"]),
    ("intake", &["terms", "store"]),
    ("learn", &["terms", "statistics", "boost", "scorer"]),
    ("evaluate", &["terms", "statistics"]),
    ("artifact", &["terms", "statistics", "boost", "store", "scorer"]),
    ("simulate", &["terms", "statistics"]),
    ("features", &["terms", "statistics"]),
    ("operations", &["terms"]),
    ("serve", &["terms", "boost", "scorer"]),
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
            "operations",
            "serve",
        ],
    ),
    ("s3_server", &[]),
];

/// What a crate must never link, directly or through others.
struct Ban {
    of: &'static str,
    /// Dependencies through which it is allowed: `store` is there to reach the network, and Polars
    /// brings an object store and a runtime of its own, of which no feature is turned on.
    unless_through: &'static [&'static str],
    banned: &'static [&'static str],
}

const NETWORK: &[&str] = &["tokio", "object_store", "reqwest", "hyper"];
const FRAMES_AND_NETWORK: &[&str] = &["polars", "tokio", "object_store", "reqwest", "hyper"];

const BANS: &[Ban] = &[
    Ban { of: "terms", unless_through: &[], banned: FRAMES_AND_NETWORK },
    Ban {
        of: "statistics",
        unless_through: &[],
        banned: &["polars", "tokio", "object_store", "serde_json", "terms"],
    },
    Ban {
        of: "boost",
        unless_through: &[],
        banned: &["polars", "tokio", "object_store", "serde_json", "terms", "chrono"],
    },
    Ban { of: "scorer", unless_through: &[], banned: FRAMES_AND_NETWORK },
    Ban { of: "scorer_c", unless_through: &[], banned: FRAMES_AND_NETWORK },
    Ban { of: "learn", unless_through: &[], banned: FRAMES_AND_NETWORK },
    Ban { of: "evaluate", unless_through: &[], banned: FRAMES_AND_NETWORK },
    Ban { of: "evaluate", unless_through: &[], banned: &["boost", "smartcore", "linfa"] },
    Ban { of: "simulate", unless_through: &[], banned: FRAMES_AND_NETWORK },
    Ban { of: "features", unless_through: &["polars"], banned: NETWORK },
    Ban { of: "intake", unless_through: &["polars", "store"], banned: NETWORK },
    Ban { of: "operations", unless_through: &[], banned: &["polars", "object_store"] },
    Ban { of: "artifact", unless_through: &["store"], banned: FRAMES_AND_NETWORK },
];

fn manifest(name: &str) -> Table {
    let path = root().join("crates").join(name).join("Cargo.toml");
    std::fs::read_to_string(path).expect("a manifest").parse().expect("TOML")
}

/// Names of every package that a crate links, itself included, apart from what it links only
/// through `unless_through`.
fn linked(name: &str, unless_through: &[&str]) -> BTreeSet<String> {
    let cargo = std::env::var_os("CARGO").map_or_else(|| "cargo".into(), PathBuf::from);
    let mut tree = Command::new(cargo);
    tree.current_dir(root())
        .args(["tree", "--locked", "--offline", "--edges", "normal", "--package", name])
        .args(["--prefix", "none", "--format", "{lib}"]);
    for through in unless_through {
        tree.args(["--prune", through]);
    }
    let output = tree.output().expect("cargo tree");
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("names");
    text.lines().map(|line| line.trim_end_matches(" (*)").to_owned()).collect()
}

#[test]
fn every_crate_uses_only_the_crates_that_it_may() {
    let allowed: BTreeMap<&str, &[&str]> = CRATES.iter().copied().collect();
    let folders: BTreeSet<String> = std::fs::read_dir(root().join("crates"))
        .unwrap()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(folders, CRATES.iter().map(|(name, _)| (*name).to_owned()).collect());
    for (name, may_use) in &allowed {
        let manifest = manifest(name);
        let used = manifest["dependencies"].as_table().expect("a table").keys();
        for used in used.filter(|used| allowed.contains_key(used.as_str())) {
            assert!(may_use.contains(&used.as_str()), "{name} must not depend on {used}");
        }
    }
}

#[test]
fn no_crate_links_what_it_must_not_however_indirectly() {
    for Ban { of, unless_through, banned } in BANS {
        let linked = linked(of, unless_through);
        let manifest = manifest(of);
        let library = manifest.get("lib").and_then(|library| library.get("name"));
        let library = library.and_then(|name| name.as_str()).unwrap_or(of);
        assert!(linked.contains(library), "{of}: {linked:?}");
        for name in *banned {
            assert!(!linked.contains(*name), "{of} links {name}: cargo tree -p {of} -i {name}");
        }
    }
    // Were the tree not read through to its ends, this would not be in it.
    assert!(linked("intake", &[]).contains("object_store"));
}

/// The Python package is a workspace of its own, and its lock file lists all that it can link.
#[test]
fn the_python_package_uses_the_scorer_and_links_neither_frames_nor_network() {
    let read = |name: &str| -> Table {
        let path = root().join("python").join(name);
        std::fs::read_to_string(path).unwrap().parse().unwrap()
    };
    let manifest = read("Cargo.toml");
    let used = manifest["dependencies"].as_table().unwrap().iter();
    let ours: BTreeSet<&str> =
        used.filter(|(_, value)| value.get("path").is_some()).map(|(name, _)| &**name).collect();
    assert_eq!(ours, BTreeSet::from(["boost", "scorer", "terms"]));
    let lock = read("Cargo.lock");
    let packages = lock["package"].as_array().unwrap().iter();
    let linked: BTreeSet<&str> = packages.filter_map(|package| package["name"].as_str()).collect();
    assert!(linked.contains("scorer") && linked.contains("arrow-array"), "{linked:?}");
    for name in FRAMES_AND_NETWORK {
        assert!(!linked.contains(name), "the Python package links {name}");
    }
}

#[test]
fn versions_are_written_only_in_the_workspace() {
    for (name, _) in CRATES {
        let manifest = manifest(name);
        for section in ["dependencies", "dev-dependencies"] {
            let section = manifest.get(section).and_then(|section| section.as_table());
            for (used, value) in section.into_iter().flatten() {
                assert_eq!(value.get("workspace"), Some(&true.into()), "{name}: {used}");
            }
        }
    }
}
