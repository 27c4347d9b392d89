//! The tables of the tiny network, its nights, and what undisturbed runs of them leave.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use store::{FaultPlan, Limits, SimulatedStorage, VirtualClock};
use terms::AsOf;

use super::night::{self, Ended};
use crate::commands;
use crate::flags::{Global, LogFormat};
use crate::report::Reporter;
use crate::settings::Resolved;
use crate::stage::RunContext;

/// Nights of each scenario.
pub(super) const N_NIGHTS: usize = 3;

/// Objects by path, without what may differ between runs that end alike.
pub(super) type Objects = BTreeMap<String, Bytes>;

/// The network, and its nights as they are when nothing disturbs them.
pub(crate) struct Network {
    resolved: Resolved,
    reporter: Reporter,
    /// From tables alone.
    pub(super) first_nights: Course,
    /// From the store of a night before.
    pub(super) later_nights: Course,
}

/// Nights in a row from a store on.
#[derive(Default)]
pub(super) struct Course {
    start: Objects,
    pub(super) nights: Vec<UndisturbedNight>,
    /// Operations of the longest night.
    pub(super) n_operations: u64,
}

/// A night that nothing disturbs.
pub(super) struct UndisturbedNight {
    pub(super) as_of: AsOf,
    pub(super) ended: Ended,
    /// What is there after it.
    pub(super) objects: Objects,
}

impl Network {
    pub(super) fn new() -> Self {
        let (mut network, storage, end) = Self::with_tables(&[]);
        let end = end.plus_days(-(N_NIGHTS as i64));
        network.first_nights = network.undisturbed(storage.objects(), end);
        let _ = network.run_undisturbed(&storage, end);
        network.later_nights = network.undisturbed(storage.objects(), end.plus_days(1));
        network
    }

    /// One without nights, a storage with its tables, and their end. `set` changes settings.
    pub(crate) fn with_tables(set: &[&str]) -> (Self, SimulatedStorage, AsOf) {
        let crate_folder = std::env::var_os("CARGO_MANIFEST_DIR").expect("run by cargo");
        let pipeline: PathBuf = Path::new(&crate_folder).join("src/simulation/nights.toml");
        let global = Global {
            store: None,
            set: set.iter().map(|&set| set.to_owned()).collect(),
            json: false,
            quiet: true,
            log_format: LogFormat::Text,
        };
        let resolved =
            Resolved::new(Some(&pipeline), &global, BTreeMap::new()).expect("settings of the test");
        let simulated = resolved.settings.simulate.clone().check().expect("settings of the test");
        let settings = simulated.settings();
        let first = AsOf::start_of(settings.first_day);
        let end = first.plus_days(i64::from(settings.days));
        let reporter = Reporter::new(&global);

        let storage = SimulatedStorage::new(FaultPlan::none(), VirtualClock::default());
        let store = storage.open(Limits::default());
        let context = RunContext::new(&store, end, &reporter);
        commands::simulate::write(&context, Path::new("nights"), &simulated).expect("tables");
        let (first_nights, later_nights) = (Course::default(), Course::default());
        (Self { resolved, reporter, first_nights, later_nights }, storage, end)
    }

    fn undisturbed(&self, start: Objects, first: AsOf) -> Course {
        let mut course = Course { start, ..Course::default() };
        let storage = course.storage();
        for night in 0..N_NIGHTS {
            let (as_of, before) = (first.plus_days(night as i64), storage.n_operations());
            let ended = self.run_undisturbed(&storage, as_of);
            let n_operations = storage.n_operations() - before;
            course.n_operations = course.n_operations.max(n_operations);
            course.nights.push(UndisturbedNight { as_of, ended, objects: comparable(&storage) });
        }
        course
    }

    /// What a run of it needs beside a store.
    pub(super) fn program(&self) -> (&Resolved, &Reporter) {
        (&self.resolved, &self.reporter)
    }

    pub(crate) fn run_undisturbed(&self, storage: &SimulatedStorage, as_of: AsOf) -> Ended {
        let store = storage.open(Limits::default());
        let ended = night::run(self.program(), &store, (storage.clock(), Duration::ZERO), as_of);
        let ended = Ended::of(&ended);
        assert!(ended.is_done(), "an undisturbed night: {ended:?}");
        ended
    }
}

impl Course {
    /// A storage that holds what is there before the first night.
    pub(super) fn storage(&self) -> SimulatedStorage {
        let storage = SimulatedStorage::new(FaultPlan::none(), VirtualClock::default());
        for (path, bytes) in &self.start {
            storage.insert(path, bytes.clone());
        }
        storage
    }
}

/// The objects of a store, but for leases, and without the fencing number of a pointer: both say how
/// many runs there were.
pub(super) fn comparable(storage: &SimulatedStorage) -> Objects {
    let objects = storage.objects().into_iter().filter(|(path, _)| !path.starts_with("locks/"));
    objects
        .map(|(path, bytes)| {
            if !path.ends_with("/current.json") {
                return (path, bytes);
            }
            let mut pointer: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
            if let Some(pointer) = pointer.as_object_mut() {
                pointer.remove("fence");
                pointer.remove("sha256");
            }
            (path, pointer.to_string().into_bytes().into())
        })
        .collect()
}
