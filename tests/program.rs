//! Test support: runs the program on a store in a temporary folder, and reads its outputs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use polars::prelude::*;
use serde_json::Value;
use tempfile::TempDir;

/// How a run of the program ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Asserts success.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, 0, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// The result of `--json`.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str::<Value>(&self.stdout).expect("JSON on stdout")["result"].clone()
    }

    /// Asserts an exit code, words of the error message, and that there is one message.
    #[track_caller]
    pub(crate) fn refuses(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        for word in words {
            assert!(self.stderr.contains(word), "{word:?} is not in: {}", self.stderr);
        }
        let messages = self.stderr.lines().filter(|line| line.starts_with("error: ")).count();
        assert_eq!(messages, 1, "one message: {}", self.stderr);
    }
}

/// What a stage of a run found, from the record that `run --json` prints.
#[track_caller]
pub(crate) fn summary<'a>(run: &'a Value, stage: &str) -> &'a Value {
    let stages = run["stages"].as_array().expect("the record of a run").iter();
    let found = stages.clone().find(|found| found["stage"] == stage);
    &found.expect("a stage that ended")["summary"]
}

/// The stages of a run that had been done before.
#[track_caller]
pub(crate) fn skipped(run: &Value) -> Vec<&str> {
    let stages = run["stages"].as_array().expect("the record of a run").iter();
    let skipped = stages.filter(|stage| stage["status"] == "skipped");
    skipped.filter_map(|stage| stage["stage"].as_str()).collect()
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    // Read at run time: clones that share a target folder share this program too.
    let crate_folder = std::env::var_os("CARGO_MANIFEST_DIR").expect("run by cargo");
    Path::new(&crate_folder).join("../..").canonicalize().expect("the repository")
}

/// The program with these arguments, and without the variables of this environment that it reads.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_longhaul"));
    command.current_dir(root()).args(arguments).env_remove("RUST_LOG");
    for (name, _) in std::env::vars() {
        if name.starts_with("AWS_") || name.starts_with("LONGHAUL_") {
            command.env_remove(name);
        }
    }
    command
        .env("AWS_CONFIG_FILE", "/nonexistent")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent");
    command.stdin(Stdio::null());
    command
}

/// Runs a command to its end.
pub(crate) fn ended(command: &mut Command) -> Ended {
    let output = command.output().expect("the program starts");
    Ended {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Runs the program with these arguments to its end.
pub(crate) fn longhaul(arguments: &[&str]) -> Ended {
    ended(&mut command(arguments))
}

/// The pipeline of a small simulated network: enough to learn from in a few seconds.
pub(crate) const PIPELINE: &str = "tests/small.toml";
pub(crate) const AS_OF: &str = "2025-10-29";

/// A store in a temporary folder.
pub(crate) struct Folder {
    folder: TempDir,
}

impl Folder {
    pub(crate) fn empty() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    /// A store with the tables of the simulated network, which are simulated once and copied.
    pub(crate) fn with_simulated_tables() -> Self {
        static TABLES: OnceLock<Folder> = OnceLock::new();
        let tables = TABLES.get_or_init(|| {
            let folder = Self::empty();
            longhaul(&["simulate", PIPELINE, "--store", folder.url()]).ok();
            std::fs::remove_dir_all(folder.path().join("runs")).expect("the manifest of simulate");
            // As tables of others, which tests may alter.
            let commits = folder.path().join("tables/_commits");
            std::fs::remove_dir_all(commits).expect("the commit of simulate");
            folder
        });
        tables.copy()
    }

    /// Another folder with the same files.
    pub(crate) fn copy(&self) -> Self {
        let copy = Self::empty();
        copy_all(self.path(), copy.path());
        copy
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn url(&self) -> &str {
        self.folder.path().to_str().expect("a path in UTF-8")
    }

    /// Runs a command of the small pipeline on this store.
    pub(crate) fn run(&self, verb: &str, more: &[&str]) -> Ended {
        let mut arguments = vec![verb, PIPELINE, "--store", self.url(), "--as-of", AS_OF];
        arguments.extend(more);
        longhaul(&arguments)
    }

    /// All files but leases and records of runs, which say who worked when; by path from the store's
    /// root.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let read = |name: String| {
            let bytes = std::fs::read(self.path().join(&name)).expect("a file");
            (name, bytes)
        };
        let says_when =
            |name: &String| ["locks/", "nights/"].iter().any(|folder| name.starts_with(folder));
        self.names().into_iter().filter(|name| !says_when(name)).map(read).collect()
    }

    /// All objects but leases and records of runs: the files without temporary ones and the locks of swaps.
    pub(crate) fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        self.files().into_iter().filter(|(name, _)| !name.contains('#')).collect()
    }

    /// The names of all files; may be called while a program writes and renames them.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        walk(self.path(), &mut |path| {
            names.push(path.strip_prefix(self.path()).expect("inside").display().to_string());
        });
        names
    }

    /// The files of a table's partitions, by date.
    pub(crate) fn partitions(&self, table: &str) -> Vec<PathBuf> {
        let mut paths = Vec::new();
        walk(&self.path().join("tables").join(table), &mut |path| paths.push(path.to_owned()));
        paths.sort();
        paths
    }

    /// The feature matrix of a features stage whose outputs are in `folder`: the rows of all months,
    /// sorted by shipment.
    pub(crate) fn matrix(&self, folder: &str) -> DataFrame {
        let months = std::fs::read(self.path().join(folder).join("months.json")).expect("months");
        let months: Vec<Value> = serde_json::from_slice(&months).expect("JSON");
        let rows = months.iter().map(|month| {
            read_frame(&self.path().join(month["rows"]["path"].as_str().expect("a path")))
        });
        let rows = rows.reduce(|all, month| all.vstack(&month).expect("the same features"));
        let by = ["shipment_id"];
        rows.expect("a month").sort(by, SortMultipleOptions::default()).expect("shipments")
    }

    /// The id of the champion.
    pub(crate) fn model_id(&self) -> String {
        self.champion("small")
    }

    /// The id of the champion of a pipeline.
    pub(crate) fn champion(&self, pipeline: &str) -> String {
        let path = self.path().join(format!("models/{pipeline}/current.json"));
        let pointer: Value =
            serde_json::from_slice(&std::fs::read(path).expect("a champion")).expect("a pointer");
        pointer["model_id"].as_str().expect("an id").to_owned()
    }
}

fn walk(folder: &Path, visit: &mut impl FnMut(&Path)) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { walk(&path, visit) } else { visit(&path) }
    }
}

/// Copies all files of a folder, with their times.
pub(crate) fn copy_all(from: &Path, to: &Path) {
    walk(from, &mut |path| {
        let target = to.join(path.strip_prefix(from).expect("inside"));
        std::fs::create_dir_all(target.parent().expect("a folder")).expect("a folder");
        std::fs::copy(path, &target).expect("a copy");
        // With their times of change, which are the entity tags of a store in a folder.
        let changed = std::fs::metadata(path).and_then(|file| file.modified()).expect("a time");
        let copy = std::fs::File::options().write(true).open(&target).expect("the copy");
        copy.set_modified(changed).expect("a time");
    });
}

/// The bytes with a bit in their middle flipped.
pub(crate) fn flipped(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    bytes
}

/// Flips a bit in the middle of a file.
pub(crate) fn flip(path: &Path) {
    let bytes = std::fs::read(path).expect("a file");
    std::fs::write(path, flipped(&bytes)).expect("a file");
}

pub(crate) fn read_frame(path: &Path) -> DataFrame {
    ParquetReader::new(std::fs::File::open(path).expect("a file")).finish().expect("Parquet")
}

pub(crate) fn write_frame(path: &Path, frame: &mut DataFrame) {
    let file = std::fs::File::create(path).expect("a file");
    ParquetWriter::new(file).finish(frame).expect("Parquet");
}
