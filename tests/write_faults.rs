//! A night whose process is killed at each operation by which it changes a file of the store, or at
//! 200 moments, or that meets a disk that is full, read-only or out of handles from there on.
//!
//! `make test-kills` runs it: it takes minutes. That names are synced is watched in every run of the
//! tests; both need a C compiler, as linking Rust does.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use statistics::SplitMix64;

use crate::program::{Folder, command, ended};

/// A network so small that a night takes about a second.
pub(crate) const PIPELINE: &str = "crates/longhaul/src/simulation/nights.toml";
pub(crate) const NIGHT: &str = "2025-10-11";
/// Moments at which it is killed, beside its writes.
const N_MOMENTS: usize = 200;

/// A night of it.
pub(crate) fn run(store: &Folder, as_of: &str) -> Command {
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
        self.mended_by_the_next(&store, &what)
    }

    /// Kills the night after some time, which may be that of a whole one; returns what is wrong.
    fn after(&self, time: Duration) -> Option<String> {
        let store = self.before.copy();
        let mut night = run(&store, NIGHT);
        let quiet = night.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = quiet.spawn().expect("the program starts");
        std::thread::sleep(time);
        // SIGKILL.
        child.kill().expect("a kill");
        child.wait().expect("an end");
        self.mended_by_the_next(&store, &format!("killed after {time:?}"))
    }

    /// Runs the night once more, undisturbed; returns what is wrong with the store then.
    fn mended_by_the_next(&self, store: &Folder, what: &str) -> Option<String> {
        let again = ended(&mut run(store, NIGHT));
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
    fn each<T: Sync>(
        &self,
        all: &[T],
        attack: impl Fn(&Self, &T) -> Option<String> + Sync,
    ) -> Vec<String> {
        let next = AtomicUsize::new(0);
        let work = || {
            let mut wrong = Vec::new();
            while let Some(one) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                wrong.extend(attack(self, one));
            }
            wrong
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
            threads.into_iter().flat_map(|thread| thread.join().expect("a thread")).collect()
        })
    }
}

/// What ends a part of a night: after a power cut it must not be there without what it names.
fn ends_a_part(name: &str) -> bool {
    let name = name.rsplit('/').next().unwrap_or_default();
    ["manifest.json", "current.json", "latest.json"].contains(&name)
}

#[test]
fn names_are_on_the_disk_before_a_manifest_or_a_pointer_says_that_they_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Folder::empty();
    ended(&mut command(&["simulate", PIPELINE, "--store", store.url()])).ok();
    let trace = folder.path().join("names");
    let mut night = run(&store, NIGHT);
    night.env("LD_PRELOAD", library(folder.path())).env("WRITE_FAULTS_BELOW", store.url());
    ended(night.env("WRITE_FAULTS_NAMES", &trace)).ok();

    let trace = std::fs::read_to_string(trace).expect("names");
    // Another thread writes these, at any time.
    let of_others = ["/locks", "/nights"].map(|name| format!("{}{name}", store.url()));
    let is_rooted = |rest: &str| rest.starts_with('/');
    // Names that a power cut may take away, by their folder.
    let mut at_risk: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut n_ends = 0;
    for line in trace.lines() {
        let (what, path) = line.split_once(' ').expect("what and a path");
        let (folder, _) = path.rsplit_once('/').expect("a path");
        if what == "synced" {
            at_risk.remove(path);
        } else if !of_others.iter().any(|other| path.starts_with(other)) {
            if ends_a_part(path) {
                n_ends += 1;
                // The folders that it is in may be new: they are synced with its name.
                let is_above = |name: &str| path.strip_prefix(name).is_some_and(is_rooted);
                let names = at_risk.values().flatten().filter(|name| !is_above(name));
                let names: Vec<&&str> = names.collect();
                assert!(
                    names.is_empty(),
                    "{path} before {} names, {:?}",
                    names.len(),
                    names.last()
                );
            }
            at_risk.entry(folder).or_default().push(path);
        }
    }
    // Of six stages, a model and a champion, predictions and which are the newest.
    assert!(n_ends >= 10, "{trace}");
    assert!(at_risk.is_empty(), "never synced: {at_risk:?}");
}

#[test]
#[expect(clippy::print_stdout, reason = "make test-kills prints the table")]
#[ignore = "takes minutes: make test-kills runs it"]
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
    let started = Instant::now();
    ended(undisturbed.env("WRITE_FAULTS_COUNT", &count)).ok();
    let longest = started.elapsed();
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
    let at = |attack: &Attack<'_>, fault: &(usize, Option<i32>)| attack.at(fault.0, fault.1);
    // Two run at once, and take longer than one alone.
    let mut random = SplitMix64::new(18);
    let moments: Vec<Duration> =
        (0..N_MOMENTS).map(|_| longest.mul_f64(1.5 * random.unit())).collect();
    let wrong = [
        attack.each(&kills, at),
        attack.each(&moments, |attack, time| attack.after(*time)),
        attack.each(&errors, at),
    ];
    println!("fault                          nights  wrong");
    println!("killed at each of its writes   {:6}  {:5}", kills.len(), wrong[0].len());
    println!("killed at any moment           {:6}  {:5}", moments.len(), wrong[1].len());
    println!("full, read-only, no handles    {:6}  {:5}", errors.len(), wrong[2].len());
    let wrong = wrong.concat();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
