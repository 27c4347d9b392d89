//! A simulation of nights that go wrong: the real stages on a tiny network, in one thread, on a store
//! in memory whose operations meet planned faults, on a virtual clock.
//!
//! A seed decides everything: which operations fail and how, where a run crashes, when another run of
//! the same night comes in between, and whether the first one was paused for so long that its lease
//! has expired. After each disturbed night a run without faults must succeed, leave the objects that
//! an undisturbed run leaves, and change nothing when it is run again.
//!
//! `make test-nights` runs it; `NIGHTS` and `SEED` choose how many nights and which seeds.
#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "test code")]

mod network;
mod night;
mod scenario;
mod tally;
mod year;

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use self::network::N_NIGHTS;
pub(crate) use self::network::Network;
use self::scenario::Scenario;
use self::tally::Tally;

/// Scenarios in an ordinary test run.
const N_SCENARIOS: u64 = 40;

/// The name of the test that is run as a process of its own.
const WORKER: &str = "simulation::a_share_of_the_scenarios";

#[test]
fn disturbed_nights_end_as_undisturbed_ones_do() {
    let n_nights = variable("NIGHTS", N_SCENARIOS * N_NIGHTS as u64);
    let first = variable("SEED", 1);
    let n_scenarios = n_nights.div_ceil(N_NIGHTS as u64);
    let n_workers = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    // Each in a process of its own, in which everything runs on one thread.
    let workers: Vec<_> = (0..n_workers.min(n_scenarios))
        .map(|worker| {
            let program = std::env::current_exe().expect("this program");
            Command::new(program)
                .args([WORKER, "--exact", "--ignored", "--nocapture", "--quiet"])
                .env("SIMULATION_SEEDS", format!("{first} {n_scenarios} {worker} {n_workers}"))
                .env("RAYON_NUM_THREADS", "1")
                .env("POLARS_MAX_THREADS", "1")
                .env("RUST_MIN_STACK", (256 << 20).to_string())
                .stdout(Stdio::piped())
                .spawn()
                .expect("a worker")
        })
        .collect();
    let mut tally = Tally::default();
    for worker in workers {
        let output = worker.wait_with_output().expect("a worker");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}");
        let line = text.lines().find_map(|line| line.strip_prefix(tally::MARK));
        tally.add(serde_json::from_str(line.expect("a tally")).expect("a tally"));
    }
    println!("{}", tally.table(n_workers));
    assert_eq!(tally.nights, n_scenarios * N_NIGHTS as u64);
    assert!(tally.wrong.is_empty(), "{}", tally.wrong.join("\n"));
    assert_eq!(tally.phantom_losers, 0, "runs that lost to nobody");
}

#[test]
#[ignore = "a part of disturbed_nights_end_as_undisturbed_ones_do, which runs it on one thread"]
fn a_share_of_the_scenarios() {
    let seeds = std::env::var("SIMULATION_SEEDS").unwrap_or_else(|_| "1 1 0 1".to_owned());
    let numbers: Vec<u64> = seeds.split(' ').map(|n| n.parse().expect("a number")).collect();
    let [first, n, worker, n_workers] = numbers[..] else { panic!("{seeds}: four numbers") };
    let network = Arc::new(Network::new());
    if worker == 0 {
        let trace = || Scenario::new(first, &network).trace();
        let operations = trace();
        assert!(operations.len() > 100, "{} operations", operations.len());
        assert!(operations == trace(), "a seed gives the same operations again");
    }
    let started = Instant::now();
    let mut tally = Tally::default();
    for seed in (first..first + n).filter(|seed| seed % n_workers == worker) {
        tally.add(Scenario::new(seed, &network).run());
    }
    tally.seconds = started.elapsed().as_secs_f64();
    println!("{}{}", tally::MARK, serde_json::to_string(&tally).expect("a tally"));
}

/// A number of the environment.
fn variable(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().expect("a number"))
}
