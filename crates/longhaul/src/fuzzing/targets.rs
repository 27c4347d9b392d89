//! What is parsed, each with the inputs that it begins with: bytes in, how it ended out.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use features::Declaration;
use intake::{Contract, Listing};
use scorer::{Parts, Scorer};
use store::{Store, StoreSettings};
use terms::{AsOf, DayGrid};

use super::corpus::{self, Seed};
use crate::commands::{gc, verify};
use crate::flags::{Global, LogFormat};
use crate::inventory::Inventory;
use crate::lease::{Lease, Renewal};
use crate::machine::Clock;
use crate::report::Reporter;
use crate::settings::Resolved;

/// One thing that is parsed.
pub(super) struct Target {
    pub(super) name: &'static str,
    /// Of an input with the name of its seed: a text that tells ends of different kinds apart.
    pub(super) run: fn(&Prepared, &str, &[u8]) -> String,
}

pub(super) const TARGETS: [Target; 7] = [
    Target { name: "contract", run: contract },
    Target { name: "declaration", run: declaration },
    Target { name: "pipeline", run: pipeline },
    Target { name: "import", run: import },
    Target { name: "control", run: control },
    Target { name: "bundle", run: bundle },
    Target { name: "parquet", run: parquet },
];

/// What a target needs beside its input.
pub(super) struct Prepared {
    folder: tempfile::TempDir,
    seeds: Vec<Seed>,
    contracts: Vec<Contract>,
    /// A sound file of each table.
    files: BTreeMap<&'static str, Vec<u8>>,
}

impl Prepared {
    pub(super) fn new(seeds: Vec<Seed>) -> Self {
        let contracts = corpus::TABLES.map(|table| {
            let contract = Contract::shipped_on(table, DayGrid::default());
            contract.expect("a shipped contract").expect("a contract that parses")
        });
        let folder = tempfile::tempdir().expect("a folder");
        let files = corpus::TABLES.map(|table| (table, corpus::file_of(table))).into();
        Self { folder, seeds, contracts: contracts.into(), files }
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).expect("a file");
        path
    }
}

fn ended<T, E: std::fmt::Display>(result: Result<T, E>) -> String {
    match result {
        Ok(_) => "ok".to_owned(),
        Err(error) => error.to_string(),
    }
}

/// A clock that only sleeping moves.
#[derive(Default)]
struct Hurrying(Cell<Duration>);

impl Clock for Hurrying {
    fn elapsed(&self) -> Duration {
        self.0.get()
    }
    fn sleep(&self, duration: Duration) {
        self.0.set(self.0.get() + duration.max(Duration::from_secs(1)));
    }
    fn now(&self) -> String {
        "now".to_owned()
    }
    fn age_of(&self, _: &str) -> String {
        "some time".to_owned()
    }
}

/// A store in memory with these objects.
fn store<'a>(objects: impl IntoIterator<Item = (String, &'a [u8])>) -> Store {
    let settings = StoreSettings::resolve("memory://", &BTreeMap::new()).expect("a store");
    let store = Store::open(&settings).expect("a store");
    for (path, bytes) in objects {
        store.put(&path, Bytes::copy_from_slice(bytes)).expect("a put");
    }
    store
}

fn global() -> Global {
    let log_format = LogFormat::Text;
    Global { store: None, set: Vec::new(), json: true, quiet: true, log_format }
}

/// A contract: parsed, and if it is one of a table, used to check a file of that table.
fn contract(prepared: &Prepared, _: &str, bytes: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(bytes) else { return "not UTF-8".to_owned() };
    let contract = match Contract::parse("fuzzed.odcs.yaml", text) {
        Ok(contract) => contract,
        Err(error) => return error.to_string(),
    };
    let shipped = Contract::shipped(contract.table());
    let changes =
        shipped.and_then(Result::ok).map(|shipped| contract.changes_since(&shipped).len());
    let file = prepared.files.get(contract.table());
    let object = file.map(|file| (corpus::path_of_table(contract.table()), file.as_slice()));
    let checked = check(&store(object), &[contract]);
    format!("{} {checked}", changes.is_some())
}

fn declaration(_: &Prepared, _: &str, bytes: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(bytes) else { return "not UTF-8".to_owned() };
    ended(Declaration::read(text).map(|declaration| declaration.groups()))
}

fn pipeline(prepared: &Prepared, _: &str, bytes: &[u8]) -> String {
    let path = prepared.write("fuzzed.toml", bytes);
    let resolved = match Resolved::new(Some(&path), &global(), BTreeMap::new()) {
        Ok(resolved) => resolved,
        Err(error) => return error.to_string(),
    };
    let settings = &resolved.settings;
    [
        ended(settings.simulate.clone().check()),
        ended(settings.train.check()),
        ended(resolved.as_of(None)),
        ended(resolved.store()),
        (resolved.show().len() > 10).to_string(),
    ]
    .join(" ")
}

/// The description of an import with its SQL and its sources, as one text with a line before each
/// file.
fn import(prepared: &Prepared, _: &str, bytes: &[u8]) -> String {
    let folder = prepared.folder.path().join("files");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir(&folder).expect("a folder");
    for (name, bytes) in corpus::files_of(bytes) {
        std::fs::write(folder.join(name), bytes).expect("a file");
    }
    let contracts = &prepared.contracts;
    ended(intake::import(&store([]), &folder, &folder, contracts, false))
}

/// A control object at its place among others: all that reads any of them.
fn control(prepared: &Prepared, seed: &str, bytes: &[u8]) -> String {
    let path = corpus::path_of_control(seed);
    let others = prepared.seeds.iter().filter(|other| other.name != seed);
    let others = others.map(|other| (corpus::path_of_control(&other.name), other.bytes.as_slice()));
    let store = store(others.chain([(path, bytes)]));
    let reporter = Reporter::new(&global());
    let clock = Hurrying::default();
    let lease = Lease::take(&store, "nights", (&clock, Duration::ZERO), Renewal::ByCaller);
    let lease = ended(lease.map(drop));
    let pointer = ended(artifact::current(&store, "nights"));
    let committed = ended(intake::committed_files(&store));
    let listed = ended(Listing::read(&store, &prepared.contracts, corpus::as_of()));
    let inventory = ended(Inventory::of(&store));
    let swept = ended(gc::run(&store, 1, true, &clock, SystemTime::UNIX_EPOCH));
    let rebuilt = ended(artifact::rebuild(&store, "nights", 7));
    let verified = ended(verify::run(&store, true, &reporter));
    [lease, pointer, committed, listed, inventory, swept, rebuilt, verified].join(" ")
}

/// A file of a model among the others: decoded, and if it fits, a row is scored; of parity vectors all are.
fn bundle(prepared: &Prepared, seed: &str, bytes: &[u8]) -> String {
    let name = corpus::kind_of(seed);
    let others = prepared.seeds.iter().filter(|other| !other.name.contains("--"));
    let mut files: BTreeMap<String, Vec<u8>> =
        others.map(|other| (other.name.clone(), other.bytes.clone())).collect();
    files.insert(name.to_owned(), bytes.to_vec());
    let parts = match Parts::decode(&files) {
        Ok(parts) => parts,
        Err(error) => return error.to_string(),
    };
    if name == corpus::VECTORS {
        return ended(artifact::export::verify_parity(&parts, bytes));
    }
    let scorer = Scorer::from_parts(parts.clone()).expect("parts that were checked");
    let n = scorer.features().0.len();
    for value in [f32::NAN, 0.0, 1.0, 12.5] {
        let row = vec![value; n];
        if scorer.check_row(&row).is_ok() {
            let distribution = scorer.score_row(&row);
            let hours = &distribution.hours;
            assert!(hours.is_sorted(), "quantiles that cross: {hours:?}");
        }
    }
    assert_eq!(
        Parts::decode(&parts.encode()).map(|again| again.encode()).ok(),
        Some(parts.encode())
    );
    "ok".to_owned()
}

/// A file of a table among those of the others: checked, read as a checked one, its bad rows copied.
fn parquet(prepared: &Prepared, seed: &str, bytes: &[u8]) -> String {
    let others = prepared.files.iter().filter(|(table, _)| !seed.starts_with(*table));
    let others = others.map(|(table, file)| (corpus::path_of_table(table), file.as_slice()));
    let table = corpus::TABLES.into_iter().find(|table| seed.starts_with(table));
    let path = corpus::path_of_table(table.expect("a seed that begins with its table"));
    check(&store(others.chain([(path, bytes)])), &prepared.contracts)
}

fn check(store: &Store, contracts: &[Contract]) -> String {
    let as_of: AsOf = corpus::as_of();
    let listing = match Listing::read(store, contracts, as_of) {
        Ok(listing) => listing,
        Err(error) => return error.to_string(),
    };
    let finding = match intake::review(store, contracts, &listing, None) {
        Ok(finding) => finding,
        Err(error) => return error.to_string(),
    };
    let mut ends = vec![ended(intake::write_quarantine(store, &finding))];
    for contract in contracts {
        if let Some(checked) = finding.check.tables.get(contract.table()) {
            ends.push(ended(intake::read_checked(store, contract, checked, None, as_of)));
        }
    }
    ends.join(" ")
}

#[test]
fn a_file_of_few_bytes_that_takes_gigabytes_is_refused_before_it_is_decoded() {
    let prepared = Prepared::new(Vec::new());
    for name in ["orders--one-long-text", "orders--shared-beginnings"] {
        let bytes = std::fs::read(corpus::folder("parquet").join(name)).unwrap();
        assert!(bytes.len() <= 261_000);
        let end = parquet(&prepared, name, &bytes);
        let expected = "expected rows that decode to at most 2048 MiB";
        assert!(end.contains(expected), "{name}: {end}");
    }
}

#[test]
fn a_file_on_which_a_decoder_panics_is_refused_by_its_name() {
    let seeds = corpus::seeds("parquet");
    let forms = ["shipments--plain", "shipments--zstd", "shipments--delta"];
    let is_damaged =
        |seed: &&Seed| seed.name.starts_with("shipments--") && !forms.contains(&seed.name.as_str());
    let damaged: Vec<&Seed> = seeds.iter().filter(is_damaged).collect();
    assert!(damaged.len() >= 5);
    let prepared = Prepared::new(seeds.clone());
    for seed in damaged {
        let end = parquet(&prepared, &seed.name, &seed.bytes);
        assert!(end.contains(&corpus::path_of_table("shipments")), "{}: {end}", seed.name);
    }
}

#[test]
fn a_sound_file_of_any_form_is_read() {
    let seeds = corpus::seeds("parquet");
    let prepared = Prepared::new(seeds.clone());
    for form in ["shipments", "shipments--plain", "shipments--zstd", "shipments--delta"] {
        let seed = seeds.iter().find(|seed| seed.name == form).expect("a form");
        let end = parquet(&prepared, form, &seed.bytes);
        assert!(end.split(' ').all(|end| end == "ok"), "{form}: {end}");
    }
}
