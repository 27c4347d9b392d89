//! Fuzzing of what is parsed: contracts, pipelines, declarations, imports, control objects, the files
//! of a model and of tables. An input may be refused; it must not panic, take more time or memory
//! than [`SECONDS_MAX`] and [`MEBIBYTES_MAX`].
//!
//! Inputs are mutations of those in `tests/corpus`, and of mutations that ended in a way which was
//! not seen before: errors say much of how far a parser came, so they guide as coverage would. Of
//! that there is none, because instrumented dependencies would mean to compile Polars again.
//!
//! Each target runs in a process of its own, whose address space is limited. It writes an input down
//! before it runs it, so that whatever kills it is known. `make fuzz-parsers` runs it for longer.
#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "test code")]

mod corpus;
mod mutation;
mod targets;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use terms::Digest;

use self::corpus::Seed;
use self::mutation::Mutator;
use self::targets::{Prepared, TARGETS, Target};

/// An input that takes longer hangs. Units: seconds.
const SECONDS_MAX: u64 = 20;
/// The address space of a process: what may be decoded at once is 2 GiB, the program and its stacks
/// take another. Units: MiB.
const MEBIBYTES_MAX: u64 = 5 << 10;
/// Mutations of each target in an ordinary test run.
const N_INPUTS: u64 = 300;
/// The name of the test that is run as a process of its own.
const WORKER: &str = "fuzzing::inputs_of_a_target";
/// Before the line with what a worker did.
const MARK: &str = "fuzzed: ";

#[test]
fn whatever_is_parsed_is_refused_or_read_within_time_and_memory() {
    let found: Vec<String> = TARGETS
        .iter()
        .filter_map(|target| worker(target, Budget::Inputs(N_INPUTS), 1).err())
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
#[ignore = "make fuzz-parsers SECONDS=600 runs it"]
fn parsers_for_a_while() {
    let number = |name, default| variable(name).map_or(default, |text| text.parse().expect(name));
    let (seconds, mut seed) = (number("SECONDS", 60), number("SEED", 1));
    let only = variable("ONLY").unwrap_or_default();
    let targets: Vec<&Target> =
        TARGETS.iter().filter(|target| only.is_empty() || only == target.name).collect();
    let each = Duration::from_secs(seconds) / targets.len() as u32;
    println!("{:12} {:>9} {:>8} {:>6} {:>9}", "target", "inputs", "accepted", "ends", "peak MiB");
    let mut found = Vec::new();
    for target in targets {
        let started = Instant::now();
        // After something was found, what else there is.
        while let Some(left) = each.checked_sub(started.elapsed()).filter(|left| left.as_secs() > 0)
        {
            match worker(target, Budget::Seconds(left.as_secs()), seed) {
                Ok(line) => println!("{line}"),
                Err(problem) => {
                    println!("{problem}");
                    found.push(problem);
                }
            }
            seed += 1;
        }
    }
    assert!(found.is_empty(), "{} findings", found.len());
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// How long a worker goes on after the inputs of the corpus.
#[derive(Debug, Clone, Copy)]
enum Budget {
    Inputs(u64),
    Seconds(u64),
}

impl Budget {
    /// That of [`text`](Self::text).
    fn parse(text: &str) -> Self {
        let (unit, n) = text.split_once(' ').expect("a unit and a number");
        let n = n.parse().expect("a number");
        if unit == "inputs" { Self::Inputs(n) } else { Self::Seconds(n) }
    }

    fn text(self) -> String {
        match self {
            Self::Inputs(n) => format!("inputs {n}"),
            Self::Seconds(n) => format!("seconds {n}"),
        }
    }

    fn is_over(self, inputs: u64, started: Instant) -> bool {
        match self {
            Self::Inputs(n) => inputs >= n,
            Self::Seconds(n) => started.elapsed().as_secs() >= n,
        }
    }
}

/// Runs a target in a process of its own.
fn worker(target: &Target, budget: Budget, seed: u64) -> Result<String, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let input = folder.path().join("input");
    let program = std::env::current_exe().expect("this program");
    let limit = format!("ulimit -v {}; exec \"$0\" \"$@\"", MEBIBYTES_MAX << 10);
    let output = Command::new("sh")
        .args(["-c", &limit])
        .arg(program)
        .args([WORKER, "--exact", "--ignored", "--nocapture", "--quiet"])
        .env("FUZZ_TARGET", target.name)
        .env("FUZZ_BUDGET", budget.text())
        .env("RUST_BACKTRACE", "0")
        .env("FUZZ_SEED", seed.to_string())
        .env("FUZZ_INPUT", &input)
        .env("RAYON_NUM_THREADS", "2")
        .env("POLARS_MAX_THREADS", "2")
        .env("RUST_MIN_STACK", (16 << 20).to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .expect("a worker");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find_map(|line| line.strip_prefix(MARK));
    match line {
        Some(line) if output.status.success() => Ok(line.to_owned()),
        _ => {
            let kept = keep(target.name, &input);
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            let lines = errors.lines().chain(text.lines()).filter(|line| !line.trim().is_empty());
            let last = lines.take(6).collect::<Vec<_>>().join("\n  ");
            Err(format!("{}, kept as {kept}: {}\n  {last}", target.name, output.status))
        }
    }
}

/// Keeps an input in the folder of what was found; returns its path.
fn keep(target: &str, input: &Path) -> String {
    let Ok(bytes) = std::fs::read(input) else { return "nothing".to_owned() };
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or_default();
    let (name, bytes) =
        (String::from_utf8_lossy(&bytes[..end]), &bytes[bytes.len().min(end + 1)..]);
    let folder = PathBuf::from(variable("FUZZ_KEEP").unwrap_or_else(|| ".fuzz".to_owned()));
    let folder = folder.join(target);
    let name = format!("{}--{}", corpus::kind_of(&name), &Digest::of(bytes).short()[..8]);
    let path = folder.join(name);
    match std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&path, bytes)) {
        Ok(()) => path.display().to_string(),
        Err(error) => format!("nothing ({error})"),
    }
}

#[test]
#[ignore = "a part of the tests of this file, which run it as a process of its own"]
fn inputs_of_a_target() {
    let Some(name) = variable("FUZZ_TARGET") else { return };
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target");
    let input = PathBuf::from(variable("FUZZ_INPUT").expect("a path"));
    let budget = Budget::parse(&variable("FUZZ_BUDGET").expect("a budget"));
    let seed = variable("FUZZ_SEED").and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let mut run = Run::new(target, input);
    for position in 0..run.pool.len() {
        let seed = run.pool[position].clone();
        run.one(&seed.name, &seed.bytes);
    }
    let mut mutator = Mutator::new(seed);
    let started = Instant::now();
    let mut inputs = 0;
    while !budget.is_over(inputs, started) {
        let pool = &run.pool;
        let (seed, other) = (&pool[mutator.below(pool.len())], &pool[mutator.below(pool.len())]);
        let (name, bytes) = (seed.name.clone(), mutator.mutated(&seed.bytes, &other.bytes));
        run.one(&name, &bytes);
        inputs += 1;
    }
    let Run { inputs, accepted, ends, peak, .. } = &run;
    println!("{MARK}{name:12} {inputs:9} {accepted:8} {:6} {peak:9}", ends.len());
}

/// The inputs of one target so far.
struct Run {
    target: &'static Target,
    prepared: Prepared,
    /// Where an input is written down before it is run.
    input: PathBuf,
    /// What is mutated.
    pool: Vec<Seed>,
    /// How inputs ended, without numbers and names.
    ends: BTreeSet<String>,
    inputs: u64,
    accepted: u64,
    /// Of memory in use. Units: MiB.
    peak: u64,
    /// When the input that runs began, in milliseconds since the start.
    began: Arc<AtomicU64>,
    started: Instant,
}

impl Run {
    fn new(target: &'static Target, input: PathBuf) -> Self {
        let pool = corpus::seeds(target.name);
        let prepared = Prepared::new(pool.clone());
        let (began, started) = (Arc::new(AtomicU64::new(0)), Instant::now());
        let watched = began.clone();
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(Duration::from_millis(200));
                let now = started.elapsed().as_millis() as u64;
                if now.saturating_sub(watched.load(Ordering::Relaxed)) > SECONDS_MAX * 1000 {
                    println!("an input took more than {SECONDS_MAX} s");
                    std::process::abort();
                }
            }
        });
        let ends = BTreeSet::new();
        Self {
            target,
            prepared,
            input,
            pool,
            ends,
            inputs: 0,
            accepted: 0,
            peak: 0,
            began,
            started,
        }
    }

    /// Runs an input, and takes it among those to be mutated if it ended as none did before.
    fn one(&mut self, name: &str, bytes: &[u8]) {
        std::fs::write(&self.input, [name.as_bytes(), b"\n", bytes].concat()).expect("a file");
        self.began.store(self.started.elapsed().as_millis() as u64, Ordering::Relaxed);
        let end = (self.target.run)(&self.prepared, name, bytes);
        self.inputs += 1;
        self.accepted += u64::from(end.starts_with("ok"));
        if self.inputs.is_multiple_of(16) {
            self.peak = peak_mebibytes();
        }
        // Words, without what is different each time.
        let words = end.split_whitespace().filter(|word| word.chars().all(char::is_alphabetic));
        let end = words.take(30).collect::<Vec<_>>().join(" ");
        if self.ends.len() < 2_000 && self.ends.insert(end) {
            self.pool.push(Seed { name: name.to_owned(), bytes: bytes.to_vec() });
        }
    }
}

/// The most memory that this process had so far; 0 where the system does not say.
fn peak_mebibytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = peak.and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok());
    kibibytes.unwrap_or_default() >> 10
}
