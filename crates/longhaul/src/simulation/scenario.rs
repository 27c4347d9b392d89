//! A scenario: a few nights in a row, each disturbed as its seed says, then run without faults.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use statistics::SplitMix64;
use store::{FaultPlan, Limits, Operation, SimulatedStorage};
use terms::AsOf;

use super::network::{Course, Network, UndisturbedNight, comparable};
use super::night::{self, Ended};
use super::tally::Tally;

/// Attempts at a night before the one without faults.
const N_ATTEMPTS: u64 = 3;

/// How long a run waits for another one.
const PATIENCE: Duration = Duration::from_secs(90);

/// One of so many scenarios begins with the first night of a store, which takes longer.
const FIRST_NIGHTS_EVERY: u64 = 10;

/// Shares of operations that fail, in thousandths.
const RATES: [u64; 5] = [0, 2, 10, 40, 150];

pub(super) struct Scenario {
    seed: u64,
    network: Arc<Network>,
    /// Whether it begins with the first night of a store.
    is_first: bool,
    random: SplitMix64,
    storage: SimulatedStorage,
    tally: Tally,
}

/// Another run that comes in between.
struct Other {
    /// Before which operation.
    at: u64,
    /// How long the first one was paused before.
    pause: Duration,
    /// How long it waits for the first one.
    patience: Duration,
    /// Whether, and at which of its operations, it crashes.
    crash: Option<u64>,
}

impl Scenario {
    pub(super) fn new(seed: u64, network: &Arc<Network>) -> Self {
        let is_first = seed.is_multiple_of(FIRST_NIGHTS_EVERY);
        let network = Arc::clone(network);
        let mut scenario = Self {
            seed,
            is_first,
            storage: network.first_nights.storage(),
            random: SplitMix64::new(seed),
            tally: Tally::default(),
            network,
        };
        scenario.storage = scenario.course().storage();
        scenario
    }

    /// Runs all nights.
    pub(super) fn run(mut self) -> Tally {
        for night in 0..self.course().nights.len() {
            self.night(night);
        }
        self.tally.operations = self.storage.n_operations();
        for (fault, n) in self.storage.faults() {
            self.tally.faults.insert(format!("{fault:?}"), n);
        }
        self.tally
    }

    /// The operations of all nights, in their order.
    pub(super) fn trace(mut self) -> Vec<String> {
        let trace = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&trace);
        self.storage.set_hook(move |operation: &Operation| {
            seen.lock().expect("a trace").push(format!("{operation:?}"));
        });
        for night in 0..self.course().nights.len() {
            self.attempt_with_faults(night);
            self.storage.set_plan(FaultPlan::none());
            let _ = self.run_once(self.course().nights[night].as_of);
        }
        self.storage.remove_hook();
        trace.lock().expect("a trace").clone()
    }

    fn night(&mut self, night: usize) {
        self.tally.nights += 1;
        let as_of = self.course().nights[night].as_of;
        for _ in 0..self.below(N_ATTEMPTS + 1) {
            self.attempt(night);
        }
        self.storage.set_plan(FaultPlan::none());
        self.storage.remove_hook();
        self.storage.clock().advance(Duration::from_secs(3_600));
        let ended = self.run_once(as_of);
        let network = Arc::clone(&self.network);
        let UndisturbedNight { ended: expected, objects, .. } =
            &self.course_of(&network).nights[night];
        if ended.code != expected.code {
            self.wrong(night, &format!("a run without faults ends with {ended:?}"));
            return;
        }
        let found = comparable(&self.storage);
        let differ = found.iter().filter(|(path, bytes)| objects.get(*path) != Some(bytes));
        let missing = objects.keys().filter(|path| !found.contains_key(*path));
        let differ: Vec<&String> = differ.map(|(path, _)| path).chain(missing).collect();
        if !differ.is_empty() {
            self.wrong(night, &format!("{} objects differ: {:?}", differ.len(), differ));
        }
        let again = self.run_once(as_of);
        if again.code != ended.code || comparable(&self.storage) != found {
            self.wrong(night, &format!("the finished night, run again, changes: {again:?}"));
        }
    }

    /// A run that meets faults, crashes, or another one.
    fn attempt(&mut self, night: usize) {
        let other = (self.below(4) == 0).then(|| Other {
            at: self.storage.n_operations() + 1 + self.operation(),
            pause: Duration::from_secs([0, 20, 200][self.below(3) as usize]),
            patience: [Duration::from_secs(10), PATIENCE][self.below(2) as usize],
            crash: (self.below(2) == 0).then(|| self.operation()),
        });
        let is_alone = other.is_none();
        let others = Arc::new(Mutex::new(Vec::new()));
        if let Some(other) = other {
            self.interrupt(night, other, Arc::clone(&others));
        }
        let (ended, crashed) = self.attempt_with_faults(night);
        self.storage.remove_hook();
        let others = std::mem::take(&mut *others.lock().expect("another run"));
        self.tally.interleaved += u64::from(!others.is_empty());
        for ended in std::iter::once(ended).chain(others) {
            self.judge(night, &ended, crashed, is_alone);
        }
    }

    fn judge(&mut self, night: usize, ended: &Ended, crashed: bool, is_alone: bool) {
        *self.tally.ends.entry(ended.code).or_default() += 1;
        if !ended.is_done() && !ended.is_clear() && !crashed {
            self.wrong(night, &format!("no clear end: {ended:?}"));
        }
        if ended.code == 101 {
            self.wrong(night, &format!("a panic: {}", ended.message));
        }
        if is_alone && ended.code == crate::exit_code::ExitCode::LockHeld.number() {
            self.tally.phantom_losers += 1;
        }
    }

    /// Runs a night with seeded faults, and perhaps a crash.
    fn attempt_with_faults(&mut self, night: usize) -> (Ended, bool) {
        let rate = RATES[self.below(RATES.len() as u64) as usize];
        self.storage.set_plan(FaultPlan::seeded(self.random.next_u64(), rate));
        let crashes = self.below(2) == 0;
        if crashes {
            let number = self.storage.n_operations() + 1 + self.operation();
            let after = self.below(2) == 0;
            self.storage.crash_at(number, after);
            self.tally.crashes += 1;
        }
        let ended = self.run_once(self.course().nights[night].as_of);
        self.storage.crash_at(u64::MAX, false);
        (ended, crashes)
    }

    /// Lets another run of the night begin in the middle of the next one.
    fn interrupt(&self, night: usize, other: Other, ended: Arc<Mutex<Vec<Ended>>>) {
        let storage = self.storage.clone();
        let network = Arc::clone(&self.network);
        let as_of = self.course().nights[night].as_of;
        let mut is_due = true;
        self.storage.set_hook(move |operation: &Operation| {
            if !is_due || operation.number < other.at {
                return;
            }
            is_due = false;
            storage.clock().advance(other.pause);
            if let Some(crash) = other.crash {
                storage.crash_at(storage.n_operations() + 1 + crash, true);
            }
            let store = storage.open(Limits::default());
            let clock = (storage.clock(), other.patience);
            let end = night::run_to_its_end(network.program(), &store, clock, as_of);
            ended.lock().expect("another run").push(end);
        });
    }

    fn run_once(&mut self, as_of: AsOf) -> Ended {
        let store = self.storage.open(Limits::default());
        night::run_to_its_end(
            self.network.program(),
            &store,
            (self.storage.clock(), PATIENCE),
            as_of,
        )
    }

    /// One of the operations of a night.
    fn operation(&mut self) -> u64 {
        let n = self.course().n_operations;
        self.below(n)
    }

    fn course(&self) -> &Course {
        self.course_of(&self.network)
    }

    fn course_of<'a>(&self, network: &'a Network) -> &'a Course {
        if self.is_first { &network.first_nights } else { &network.later_nights }
    }

    fn below(&mut self, n: u64) -> u64 {
        self.random.next_u64() % n.max(1)
    }

    fn wrong(&mut self, night: usize, what: &str) {
        self.tally.wrong.push(format!("seed {}, night {night}: {what}", self.seed));
    }
}
