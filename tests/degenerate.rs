//! Networks that lack things: from their files to predictions, or to a gate that refuses and says why.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::program::{Ended, Folder, longhaul, read_frame, root};

/// An invented network, by what it lacks.
#[derive(Clone, Copy)]
struct Network {
    /// Orders each day, from 2025-01-01 on.
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
        longhaul(&[
            "import",
            "parcels",
            "--imports",
            imports,
            "--from",
            from,
            "--store",
            store_url,
        ])
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

/// What a run says, whatever its end: no panic, and a prediction for each open shipment if a model was
/// published, or a gate that says why not.
#[track_caller]
fn ends_well(network: Network) -> (Folder, Ended) {
    let store = network.store();
    let ended = run(&store, "run", &[]);
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    match ended.code {
        0 => {
            let predictions = ended.stdout.lines().find_map(|line| {
                let (_, path) = line.split_once("predictions  file://")?;
                path.split_once(' ').map(|(path, _)| path.to_owned())
            });
            let frame = read_frame(Path::new(&predictions.expect("predictions")));
            assert!(frame.height() > 0);
            for name in ["hours_p05", "hours_p50", "hours_p95"] {
                let hours = frame.column(name).expect("a column").f32().expect("numbers").clone();
                assert!(hours.iter().all(|hours| hours.is_some_and(|h| h.is_finite() && h > 0.0)));
            }
        }
        12 => ended.refuses(12, &["is kept but not current", "hint:"]),
        code => panic!("{code}\n{}\n{}", ended.stdout, ended.stderr),
    }
    (store, ended)
}

/// The metrics of the evaluation of a run.
fn metrics(store: &Folder) -> Value {
    let is_metrics = |name: &&String| name.ends_with("evaluate/metrics.json");
    let names = store.names();
    let name = names.iter().find(is_metrics).expect("metrics");
    serde_json::from_slice(&fs::read(store.path().join(name)).expect("a file")).expect("JSON")
}

/// The family of the only model.
fn family(store: &Folder) -> String {
    let listed = longhaul(&["models", "list", "--store", store.url(), "--json"]).ok().json();
    listed["models"][0]["family"].as_str().expect("a family").to_owned()
}

#[test]
fn dates_without_a_clock_are_learned_from() {
    ends_well(Network { dates_only: true, ..NETWORK });
}

#[test]
fn no_origins_and_no_carriers_leave_what_needs_them_missing() {
    let (store, ended) = ends_well(Network { origins: false, carriers: false, ..NETWORK });
    assert!(ended.stderr.contains("0 in quarantine"), "{}", ended.stderr);
    let segments = metrics(&store)["segments"].clone();
    assert!(!segments.to_string().contains("\"carrier\""), "{segments}");
}

#[test]
fn one_lane_is_enough() {
    ends_well(Network { regions: 1, origins: false, carriers: false, ..NETWORK });
}

#[test]
fn where_all_take_less_than_two_days_there_is_a_model_of_them() {
    let (store, ended) = ends_well(Network { hours: (2.0, 40.0), ..NETWORK });
    assert_eq!(metrics(&store)["about"]["left_out"], Value::Null, "{}", ended.stderr);
    let over = metrics(&store)["overall"][0]["metrics"]["brier_over_2d"].as_f64().expect("a score");
    assert!(over < 1e-3, "{over}");
}

#[test]
fn a_family_without_enough_deliveries_is_left_out_and_the_others_go_on() {
    let store = NETWORK.store();
    let ended = run(&store, "run", &["--set", "train.rows_min=100000"]);
    for family in ["boost", "forest"] {
        let warning = format!("warning: left out: {family}: ");
        assert!(ended.stderr.contains(&warning), "{}", ended.stderr);
        assert!(metrics(&store)["about"]["left_out"].to_string().contains(family));
    }
    assert_eq!(family(&store), "baseline");
    assert!(ended.stdout.contains("left out     boost, forest"), "{}", ended.stdout);
    let report = store.names().into_iter().find(|name| name.ends_with("evaluate/report.html"));
    let report = fs::read_to_string(store.path().join(report.expect("a report"))).expect("HTML");
    assert!(
        report.contains("left out: boost")
            && report.contains("observed deliveries (train.rows_min), found")
    );
}

#[test]
fn where_nothing_is_delivered_the_gates_say_so_and_a_baseline_is_kept() {
    let (store, ended) = ends_well(Network { delivered: 0, ..NETWORK });
    ended.refuses(12, &["deliveries known at the start of the hold-out", "found 0.000"]);
    assert_eq!(family(&store), "baseline");
    assert_eq!(metrics(&store)["verdict"]["passed"], false);
    // What is kept is not what scores.
    run(&store, "score", &[]).refuses(11, &["a published model"]);
    let again = run(&store, "run", &[]);
    again.refuses(12, &["deliveries known at the start of the hold-out"]);
}

#[test]
fn a_few_dozen_orders_are_a_baseline_that_smaller_gates_publish() {
    let (store, ended) = ends_well(Network { orders_a_day: 1, ..NETWORK });
    ended.refuses(12, &["shipments whose outcome is known: found", "needed at least 100"]);
    assert_eq!(family(&store), "baseline");
    let smaller =
        ["--set", "evaluate.gates.rows_min=10", "--set", "evaluate.gates.baseline_worse_max=0.3"];
    let published = run(&store, "run", &smaller).ok();
    assert!(published.stdout.contains("(baseline)"), "{}", published.stdout);
}

#[test]
fn an_origin_without_enough_deliveries_is_left_out_of_a_backtest_and_the_others_are_judged() {
    let store = NETWORK.store();
    let origins = ["--from", "2025-01-20", "--to", "2025-04-14", "--every", "21d"];
    let set = ["--set", "train.rows_min=700", "--json"];
    let backtest = || run(&store, "backtest", &[origins.as_slice(), &set].concat());
    let ended = backtest();
    let left_out = "the backtest was judged without 2 of its origins, first 2025-01-20";
    ended.refuses(11, &[left_out, "warning: left out: 2025-02-10: family boost", "hint:"]);
    let result: Value = serde_json::from_str(&ended.stdout).expect("one JSON document");
    assert_eq!(result["error"]["exit_code"], 11);
    let summary = &result["result"]["summary"];
    assert_eq!(summary["left_out"].as_array().expect("a list").len(), 2);
    let folder = store.path().join(result["result"]["folder"].as_str().expect("a folder"));
    let frame = read_frame(&folder.join("predictions.parquet"));
    assert_eq!(frame.column("origin").expect("origins").n_unique().expect("a count"), 2);
    let metrics = fs::read_to_string(folder.join("metrics.json")).expect("metrics");
    let report = fs::read_to_string(folder.join("report.html")).expect("a report");
    assert!(metrics.contains("2025-01-20: ") && report.contains("left out: 2025-02-10"));
    // Done before: the same end.
    let again = backtest();
    again.refuses(11, &[left_out, "skipped"]);
    // With a family that any rows can train, none is.
    let baseline = ["--set", "backtest.family=baseline"];
    run(&store, "backtest", &[origins.as_slice(), &baseline].concat()).ok();
    let early = ["--from", "2024-12-20", "--to", "2025-01-03", "--every", "7d"];
    run(&store, "backtest", &early).refuses(11, &["found none among 2", "2024-12-20", "hint:"]);
}
