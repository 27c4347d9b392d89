//! The tables of the tiny network, its nights, and what undisturbed runs of them leave.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use store::{FaultPlan, Limits, SimulatedStorage, VirtualClock};
use terms::AsOf;

use super::N_NIGHTS;
use super::night::{self, Ended};
use crate::flags::{Global, LogFormat};
use crate::report::Reporter;
use crate::settings::Resolved;

/// Objects by path, without what may differ between runs that end alike.
pub(super) type Objects = BTreeMap<String, Bytes>;

/// The network, and the store after each of its undisturbed nights.
pub(super) struct Network {
    pub(super) resolved: Resolved,
    pub(super) reporter: Reporter,
    pub(super) nights: Vec<AsOf>,
    tables: Objects,
    /// How each night ends, and the objects after it.
    pub(super) undisturbed: Vec<(Ended, Objects)>,
    /// Operations of an undisturbed night.
    pub(super) n_operations: u64,
}

impl Network {
    pub(super) fn new() -> Self {
        let crate_folder = std::env::var_os("CARGO_MANIFEST_DIR").expect("run by cargo");
        let pipeline: PathBuf = Path::new(&crate_folder).join("src/simulation/nights.toml");
        let global = Global {
            store: None,
            set: Vec::new(),
            json: false,
            quiet: true,
            log_format: LogFormat::Text,
        };
        let resolved =
            Resolved::new(Some(&pipeline), &global, BTreeMap::new()).expect("settings of the test");
        let simulated = resolved.settings.simulate.clone().check().expect("settings of the test");
        let settings = simulated.settings();
        let last = AsOf::start_of(settings.first_day).plus_days(i64::from(settings.days));
        let nights = (0..N_NIGHTS).map(|night| last.plus_days(night as i64 + 1 - N_NIGHTS as i64));
        let mut network = Self {
            nights: nights.collect(),
            tables: tables(&simulated),
            reporter: Reporter::new(&global),
            undisturbed: Vec::new(),
            n_operations: 0,
            resolved,
        };
        let storage = network.storage(VirtualClock::default());
        for &as_of in &network.nights {
            let before = storage.n_operations();
            let ended = night::run(
                &network,
                &storage.open(Limits::default()),
                (storage.clock(), Duration::ZERO),
                as_of,
            );
            let ended = Ended::of(&ended);
            assert!(ended.is_done(), "an undisturbed night: {ended:?}");
            network.n_operations = storage.n_operations() - before;
            network.undisturbed.push((ended, comparable(&storage)));
        }
        network
    }

    /// A storage that holds the tables.
    pub(super) fn storage(&self, clock: VirtualClock) -> SimulatedStorage {
        let storage = SimulatedStorage::new(FaultPlan::none(), clock);
        for (path, bytes) in &self.tables {
            storage.insert(path, bytes.clone());
        }
        storage
    }
}

fn tables(network: &simulate::CheckedNetwork) -> Objects {
    let mut tables = Objects::new();
    for extract in simulate::simulate(network) {
        let extract = extract.expect("an extract");
        for table in extract.tables {
            let (name, date) = (table.name, extract.recorded_on);
            let path = format!("tables/{name}/recorded_on={date}/part-0000.parquet");
            tables.insert(path, table.parquet);
        }
    }
    tables
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
