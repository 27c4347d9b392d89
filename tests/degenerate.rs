//! Networks that lack things: from their files to predictions, or to a gate that refuses and says why.

use std::fmt::Write as _;
use std::fs;

use crate::program::{Ended, Folder, longhaul, read_frame, root};

/// An invented network, by what it lacks.
#[derive(Clone, Copy)]
struct Network {
    /// Orders each day, for 120 days from 2025-01-01 on.
    orders_a_day: usize,
    /// Whether instants are dates: midnights.
    dates_only: bool,
    origins: bool,
    carriers: bool,
    /// Regions that are delivered to.
    regions: usize,
    /// Hours that a delivery takes, at least and at most.
    hours: (f64, f64),
    /// Of a hundred orders so many are delivered.
    delivered: usize,
}

const NETWORK: Network = Network {
    orders_a_day: 20,
    dates_only: false,
    origins: true,
    carriers: true,
    regions: 4,
    hours: (20.0, 160.0),
    delivered: 97,
};

const DAYS: usize = 120;
const AS_OF: &str = "2025-05-01";

const IMPORT: &str = r#"
[sources.parcels]
file = "parcels.csv"
local_times = ["ordered", "delivered"]
local_time_zone = "Etc/UTC"
[targets.orders]
sql = "orders.sql"
[targets.shipments]
sql = "shipments.sql"
"#;

const ORDERS: &str = "
SELECT id AS order_id, ordered AS recorded_at, ordered AS ordered_at, 'paid' AS status,
  'Z' || region AS destination_zone, region AS destination_region
FROM parcels";

const SHIPMENTS: &str = "
SELECT id AS shipment_id, id AS order_id, ordered AS recorded_at, 'created' AS status,
  node AS origin_node_id, node AS origin_zone, node AS origin_region, carrier AS carrier,
  1 AS n_units, NULL AS delivered_at
FROM parcels
UNION ALL
SELECT id AS shipment_id, id AS order_id, delivered AS recorded_at, 'delivered' AS status,
  node AS origin_node_id, node AS origin_zone, node AS origin_region, carrier AS carrier,
  1 AS n_units, delivered AS delivered_at
FROM parcels WHERE delivered IS NOT NULL";

impl Network {
    /// Its parcels, as a shop would export them.
    fn csv(&self) -> String {
        let mut csv = "id,ordered,delivered,region,node,carrier\n".to_owned();
        let mut state = 7u64;
        let mut uniform = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as f64 / (1u64 << 31) as f64
        };
        let start = chrono::NaiveDate::from_ymd_opt(2025, 1, 1).expect("a date");
        let start = start.and_time(chrono::NaiveTime::MIN);
        for row in 0..DAYS * self.orders_a_day {
            let day = (row / self.orders_a_day) as f64;
            let region = (uniform() * self.regions as f64) as usize;
            let (least, most) = self.hours;
            let slower = (region + 1) as f64 / self.regions as f64;
            let hours = least + (most - least) * (0.3 * slower + 0.7 * uniform());
            let at = |hours: f64| {
                let at = start + chrono::Duration::seconds((hours * 3600.0) as i64);
                let form = if self.dates_only { "%Y-%m-%d" } else { "%Y-%m-%d %H:%M:%S" };
                at.format(form).to_string()
            };
            let ordered = 24.0 * (day + uniform());
            let is_delivered = uniform() * 100.0 < self.delivered as f64;
            let delivered = if is_delivered { at(ordered + hours) } else { String::new() };
            let node = if self.origins { format!("N{}", row % 3) } else { String::new() };
            let carrier = if self.carriers { format!("C{}", row % 2) } else { String::new() };
            let ordered = at(ordered);
            let _ = writeln!(csv, "P{row},{ordered},{delivered},R{region},{node},{carrier}");
        }
        csv
    }

    /// Imported into a store.
    fn store(&self) -> Folder {
        let (files, store) = (Folder::empty(), Folder::empty());
        let import = files.path().join("parcels");
        fs::create_dir_all(&import).expect("a folder");
        let written = [
            ("import.toml", IMPORT),
            ("orders.sql", ORDERS),
            ("shipments.sql", SHIPMENTS),
            ("parcels.csv", &self.csv()),
        ];
        for (name, text) in written {
            fs::write(import.join(name), text).expect("a file");
        }
        let (imports, from) = (files.url(), import.to_str().expect("UTF-8"));
        let store_url = store.url();
        longhaul(&["import", "parcels", "--imports", imports, "--from", from, "--store", store_url])
            .ok();
        fs::write(store.path().join("pipeline.toml"), pipeline()).expect("a file");
        store
    }
}

/// Default settings but for the time that they take.
fn pipeline() -> String {
    let declaration = root().join("pipelines/features/default.toml");
    format!(
        "[features]\ndeclaration = {declaration:?}\n[train]\nfamilies = [\"boost\", \"forest\"]\n\
         [train.boost]\nrounds = 30\n[train.forest]\ntrees = 10\n[evaluate]\nbootstrap_rounds = 20\n"
    )
}

fn run(store: &Folder, verb: &str, more: &[&str]) -> Ended {
    let pipeline = store.path().join("pipeline.toml");
    let pipeline = pipeline.to_str().expect("UTF-8");
    let arguments = [verb, pipeline, "--store", store.url(), "--as-of", AS_OF];
    longhaul(&[arguments.as_slice(), more].concat())
}

#[test]
fn explore() {
    for (name, network) in [
        ("plain", NETWORK),
        ("dates", Network { dates_only: true, ..NETWORK }),
        ("nocarrier", Network { carriers: false, ..NETWORK }),
        ("noorigin", Network { origins: false, ..NETWORK }),
        ("onelane", Network { regions: 1, ..NETWORK }),
        ("within", Network { hours: (2.0, 40.0), ..NETWORK }),
        ("none", Network { delivered: 0, ..NETWORK }),
        ("few", Network { orders_a_day: 1, ..NETWORK }),
        ("tiny", Network { orders_a_day: 1, delivered: 20, ..NETWORK }),
    ] {
        let store = network.store();
        let started = std::time::Instant::now();
        let ended = run(&store, "run", &[]);
        eprintln!("=== {name} {} {:?}\n{}\n{}", ended.code, started.elapsed(), ended.stdout, ended.stderr);
        let _ = read_frame;
    }
}
