//! A night under too little memory: it ends with a code that is not 0 and says why, what it left is
//! right or nothing, and the next night succeeds.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::program::{Ended, Folder, command, ended};
use crate::write_faults::{NIGHT, PIPELINE, run};

/// The address space of a night, from what a program cannot even start with. Units: MiB.
const LIMITS: [u64; 8] = [300, 500, 600, 650, 700, 750, 800, 900];
/// A night takes some seconds, and is ended two minutes after it began.
const PATIENCE: Duration = Duration::from_secs(240);

/// Objects by name.
type Objects = BTreeMap<String, Vec<u8>>;

/// The night in a process of so much address space; `None` if it does not end.
fn limited(store: &Folder, mebibytes: u64) -> Option<Ended> {
    let mut night = run(store, NIGHT);
    // Should it wait for ever for something, its deadline ends it.
    night.args(["--set", "limits.night_minutes=1"]);
    let mut limited = Command::new("sh");
    let limit = format!("ulimit -v {}; exec \"$0\" \"$@\"", mebibytes << 10);
    limited.args(["-c", &limit]).arg(night.get_program()).args(night.get_args());
    limited.current_dir(night.get_current_dir().expect("a folder"));
    for (name, value) in night.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    // Into a file: a pipe that nobody reads would fill.
    let said = tempfile::NamedTempFile::new().expect("a file");
    limited.stdin(Stdio::null()).stdout(Stdio::null());
    limited.stderr(said.reopen().expect("a file")).env("RUST_BACKTRACE", "0");
    let mut child = limited.spawn().expect("the program starts");
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child") {
            break status;
        }
        if started.elapsed() > PATIENCE {
            child.kill().expect("a kill");
            child.wait().expect("an end");
            return None;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let stderr = std::fs::read_to_string(said.path()).unwrap_or_default();
    Some(Ended { code: status.code().unwrap_or(-1), stdout: String::new(), stderr })
}

/// Names what differs.
fn assert_same(limit: u64, objects: &Objects, whole: &Objects) {
    let names = objects.keys().chain(whole.keys());
    let others: BTreeSet<&String> =
        names.filter(|name| objects.get(*name) != whole.get(*name)).collect();
    assert!(others.is_empty(), "{limit} MiB: {others:?}");
}

#[test]
fn a_night_under_too_little_memory_ends_and_says_so_and_the_next_one_succeeds() {
    let before = Folder::empty();
    ended(&mut command(&["simulate", PIPELINE, "--store", before.url()])).ok();
    let whole = before.copy();
    ended(&mut run(&whole, NIGHT)).ok();
    let whole = whole.objects();
    let mut n_failed = 0;
    for limit in LIMITS {
        let store = before.copy();
        let Some(night) = limited(&store, limit) else { panic!("{limit} MiB: it does not end") };
        let objects = store.objects();
        if night.code == 0 {
            assert_same(limit, &objects, &whole);
            continue;
        }
        n_failed += 1;
        let stderr = night.stderr.to_lowercase();
        let says_so = ["memory", "thread", "resource", "null pointer", "limits.night_minutes"]
            .iter()
            .any(|word| stderr.contains(word));
        assert!(says_so, "{limit} MiB, {}: {}", night.code, night.stderr);
        // Nothing but what an undisturbed night leaves, or leaves for a while.
        for (name, bytes) in &objects {
            let is_right = whole.get(name) == Some(bytes);
            assert!(is_right || name.contains("/checkpoints/"), "{limit} MiB: {name}");
        }
        ended(&mut run(&store, NIGHT)).ok();
        assert_same(limit, &store.objects(), &whole);
    }
    assert!(n_failed > 2, "{n_failed} nights had too little memory");
}
