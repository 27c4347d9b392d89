//! A night whose process is killed at each operation by which it changes a file of the store, or that
//! meets a disk that is full, read-only or out of handles from there on.
//!
//! `make test-kills` runs it: it takes minutes, and needs a C compiler.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::program::{Folder, command, ended};

const PIPELINE: &str = "crates/longhaul/src/simulation/nights.toml";
const NIGHT: &str = "2025-10-11";

fn run(store: &Folder, as_of: &str) -> Command {
    command(&["run", PIPELINE, "--store", store.url(), "--as-of", as_of])
}

/// The library that makes writes fail.
fn library(folder: &Path) -> PathBuf {
    let source = crate::program::root().join("tests/write_faults.c");
    let library = folder.join("write_faults.so");
    let mut compiler = Command::new("cc");
    let compiler = compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source);
    let status = compiler.arg("-ldl").status().expect("a C compiler");
    assert!(status.success(), "the C compiler");
    library
}

struct Attack<'a> {
    library: &'a Path,
    /// The store before the night.
    before: &'a Folder,
    /// The objects after an undisturbed one.
    whole: &'a BTreeMap<String, Vec<u8>>,
    /// Operations of an undisturbed night.
    n: usize,
}

impl Attack<'_> {
    /// Runs the night with a fault at an operation, then without; returns what is wrong.
    fn at(&self, operation: usize, errno: Option<i32>) -> Option<String> {
        let store = self.before.copy();
        let mut night = run(&store, NIGHT);
        night.env("LD_PRELOAD", self.library).env("WRITE_FAULTS_BELOW", store.url());
        night.env("WRITE_FAULTS_AT", operation.to_string());
        errno.map(|errno| night.env("WRITE_FAULTS_ERRNO", errno.to_string()));
        let disturbed = ended(&mut night);
        let is_expected = match errno {
            // No code: it was killed. Threads that write at once share syncs of folders, so that a run
            // has some operations fewer than another, and does not reach the last numbers.
            None => disturbed.code == -1 || (disturbed.code == 0 && operation + 25 > self.n),
            // The last operations give the lease back, which may fail: it expires.
            Some(_) => matches!(disturbed.code, 0 | 20 | 30),
        };
        let what = format!("operation {operation}, errno {errno:?}");
        if !is_expected {
            return Some(format!("{what}: {}: {}", disturbed.code, disturbed.stderr));
        }
        let again = ended(&mut run(&store, NIGHT));
        if again.code != 0 {
            return Some(format!("{what}: then {}: {}", again.code, again.stderr));
        }
        let found = store.objects();
        let differ = found.keys().chain(self.whole.keys());
        let differ: Vec<&String> =
            differ.filter(|name| found.get(*name) != self.whole.get(*name)).collect();
        (!differ.is_empty()).then(|| format!("{what}: {differ:?}"))
    }

    /// All of these, on both cores; returns what is wrong.
    fn at_each(&self, operations: &[(usize, Option<i32>)]) -> Vec<String> {
        let next = AtomicUsize::new(0);
        let work = || {
            let mut wrong = Vec::new();
            while let Some((at, errno)) = operations.get(next.fetch_add(1, Ordering::Relaxed)) {
                wrong.extend(self.at(*at, *errno));
            }
            wrong
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
            threads.into_iter().flat_map(|thread| thread.join().expect("a thread")).collect()
        })
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "make test-kills prints the table")]
#[ignore = "takes minutes and needs a C compiler: make test-kills runs it"]
fn write_faults_at_each_operation_of_a_night() {
    let folder = tempfile::tempdir().expect("a folder");
    let library = library(folder.path());
    let before = Folder::empty();
    let simulate = ["simulate", PIPELINE, "--store", before.url()];
    ended(&mut command(&simulate)).ok();
    ended(&mut run(&before, "2025-10-10")).ok();
    let whole = before.copy();
    let count = folder.path().join("count");
    let mut undisturbed = run(&whole, NIGHT);
    undisturbed.env("LD_PRELOAD", &library).env("WRITE_FAULTS_BELOW", whole.url());
    ended(undisturbed.env("WRITE_FAULTS_COUNT", &count)).ok();
    let n = std::fs::read_to_string(count).expect("a count");
    let n: usize = n.trim().parse().expect("a number");
    assert!(n > 100, "{n} operations");

    let whole = whole.objects();
    let attack = Attack { library: &library, before: &before, whole: &whole, n };
    let kills: Vec<(usize, Option<i32>)> = (1..=n).map(|at| (at, None)).collect();
    // Full, read-only, out of handles.
    let errors = [28, 30, 24]
        .into_iter()
        .flat_map(|errno| (1..=n).step_by(n / 20).map(move |at| (at, Some(errno))));
    let errors: Vec<(usize, Option<i32>)> = errors.collect();
    let wrong = [attack.at_each(&kills), attack.at_each(&errors)];
    println!("fault                          nights  wrong");
    println!("killed at each of its writes   {:6}  {:5}", kills.len(), wrong[0].len());
    println!("full, read-only, no handles    {:6}  {:5}", errors.len(), wrong[1].len());
    let wrong = wrong.concat();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
