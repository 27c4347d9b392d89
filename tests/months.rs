//! A network whose deliveries take months, from its files to predictions: with settings of its own,
//! and with those of a network of days, which cut it off and say so.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use crate::program::{Ended, Folder, longhaul, read_frame, summary};

const PIPELINE: &str = "tests/months.toml";
const AS_OF: &str = "2026-06-01";
/// The first day of orders, since 1970-01-01: 2023-10-03.
const FIRST_DAY: i64 = 19_633;
const DAYS: i64 = 960;
const ORDERS_A_DAY: i64 = 6;

const IMPORT: &str = r#"
[sources.goods]
file = "goods.csv"
local_times = ["ordered", "ordered_known", "shipped", "shipped_known", "arrived", "arrived_known"]
local_time_zone = "UTC"
[targets.orders]
sql = "orders.sql"
[targets.shipments]
sql = "shipments.sql"
"#;

const ORDERS: &str = "
SELECT id AS order_id, ordered_known AS recorded_at, ordered AS ordered_at, 'paid' AS status,
  destination AS destination_zone, destination AS destination_region
FROM goods";

const SHIPMENTS: &str = "
WITH versions AS (
  SELECT id, ordered_known AS recorded_at, 'created' AS status, NULL AS shipped, NULL AS arrived FROM goods
  UNION ALL
  SELECT id, shipped_known AS recorded_at, 'in_transit' AS status, shipped, NULL AS arrived FROM goods
  WHERE shipped IS NOT NULL
  UNION ALL
  SELECT id, arrived_known AS recorded_at, 'delivered' AS status, shipped, arrived FROM goods
  WHERE arrived IS NOT NULL
)
SELECT versions.id AS shipment_id, versions.id AS order_id, versions.recorded_at AS recorded_at,
  versions.status AS status, goods.origin AS origin_node_id, goods.origin AS origin_zone,
  goods.origin AS origin_region, goods.carrier AS carrier, goods.units AS n_units,
  versions.shipped AS handed_over_at, versions.arrived AS delivered_at
FROM versions JOIN goods ON versions.id = goods.id";

/// Pseudorandom numbers from 0 to 1, the same for the same seed: a linear congruential generator.
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> f64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f64 / (1u64 << 31) as f64
    }
}

/// Writes an import and its file: median deliveries of 75 days, from 40 to 140 by origin, destination
/// and carrier; one of 50 never arrives. All that happens in a week becomes known at its end, so that
/// there are few partitions.
fn write_files(folder: &Path) {
    let imports = folder.join("slow");
    std::fs::create_dir_all(&imports).expect("a folder");
    for (name, text) in
        [("import.toml", IMPORT), ("orders.sql", ORDERS), ("shipments.sql", SHIPMENTS)]
    {
        std::fs::write(imports.join(name), text).expect("a file");
    }
    let end = (FIRST_DAY + DAYS + 12) * 24;
    let time = |hours: i64| {
        let day = terms::Day::since_epoch(hours.div_euclid(24) as i32);
        format!("{day} {:02}:00:00", hours.rem_euclid(24))
    };
    let known = |(at, nth): (i64, i64)| (at / 168 + 1) * 168 + nth;
    let mut draws = Draws(11);
    let mut rows = "id,ordered,ordered_known,shipped,shipped_known,arrived,arrived_known,origin,\
                    destination,carrier,units\n"
        .to_owned();
    for n in 0..DAYS * ORDERS_A_DAY {
        let ordered = (FIRST_DAY + n / ORDERS_A_DAY) * 24 + (24.0 * draws.next()) as i64;
        let [origin, destination, carrier] =
            [4.0, 5.0, 2.0].map(|choices| (choices * draws.next()) as usize);
        let slow = [0.75, 0.9, 1.1, 1.35][origin] * [0.8, 1.25][carrier];
        let spread = 0.25 * (0..6).map(|_| draws.next() - 0.5).sum::<f64>();
        let hours = 24.0 * 75.0 * slow * (1.0 + 0.05 * destination as f64) * spread.exp();
        let shipped = ordered + (hours * 0.2) as i64 + 1;
        let arrived = ordered + hours as i64 + 2;
        let arrives = draws.next() > 0.02;
        let text = |event: (i64, i64), happens: bool| match happens && known(event) < end {
            true => format!("{},{}", time(event.0), time(known(event))),
            false => ",".to_owned(),
        };
        let (ordered, shipped) = (text((ordered, 0), true), text((shipped, 1), true));
        let arrived = text((arrived, 2), arrives);
        let units = 1 + n % 3;
        let _ = writeln!(
            rows,
            "G{n:05},{ordered},{shipped},{arrived},port{origin},town{destination},line{carrier},{units}"
        );
    }
    std::fs::write(folder.join("goods.csv"), rows).expect("a file");
}

/// A store with the tables of the network.
fn imported() -> Folder {
    let (files, store) = (Folder::empty(), Folder::empty());
    write_files(files.path());
    let import = ["import", "slow", "--from", files.url(), "--imports", files.url()];
    longhaul(&[&import[..], &["--store", store.url()]].concat()).ok();
    store
}

fn run(store: &Folder, verb: &str, more: &[&str]) -> Ended {
    let arguments = [verb, PIPELINE, "--store", store.url(), "--as-of", AS_OF, "--json"];
    // The last week ended longer ago than the contract of daily tables allows.
    let accepted = ["--accept-stale", "tables come once a week"];
    longhaul(&[&arguments[..], &accepted, more].concat())
}

fn json(store: &Folder, path: &str) -> Value {
    let text = std::fs::read_to_string(store.path().join(path)).expect("a file");
    serde_json::from_str(&text).expect("JSON")
}

/// The settings whose limits a features stage found to cut off shipments.
fn settings_cut_off(features: &Value) -> BTreeSet<String> {
    let found = features["summary"]["cut_off"].as_array().into_iter().flatten();
    found.map(|found| found["setting"].as_str().expect("a setting").to_owned()).collect()
}

#[test]
fn a_network_of_months_goes_from_its_files_to_predictions_by_days_of_its_own() {
    let store = imported();
    let features = run(&store, "features", &[]).ok();
    assert!(!features.stderr.contains("raise that setting"), "{}", features.stderr);
    assert_eq!(settings_cut_off(&features.json()), BTreeSet::new());
    let done = run(&store, "run", &[]).ok().json();
    assert_eq!(summary(&done, "publish")["promoted"], true);

    let evaluated = run(&store, "evaluate", &[]).ok().json();
    let folder = evaluated["folder"].as_str().unwrap();
    let metrics = json(&store, &format!("{folder}/metrics.json"));
    let overall = metrics["overall"].as_array().unwrap();
    let pinball = |entry: &Value| entry["metrics"]["mean_pinball_days"].as_f64().unwrap();
    for baseline in overall.iter().filter(|entry| entry["role"] == "baseline") {
        assert!(pinball(&overall[0]) < pinball(baseline), "{overall:?}");
        assert_eq!(baseline["metrics"]["by_day"]["days_ahead"], 360);
    }
    let coverage = overall[0]["metrics"]["interval_80"]["coverage"].as_f64().unwrap();
    assert!((0.65..0.92).contains(&coverage), "{coverage}");
    let by_day = &overall[0]["metrics"]["by_day"];
    assert_eq!((&by_day["days_ahead"], &by_day["at"][0]["day"]), (&360.into(), &6.into()));
    let report = std::fs::read_to_string(store.path().join(folder).join("report.html")).unwrap();
    assert!(report.contains("Day 126") && report.contains("Mean of days 6, 12 … 360"));
    assert!(!report.contains("cuts off shipments"));

    // Shipments that are open for longer than sixty days have predictions, by days of the grid.
    let scored = run(&store, "score", &[]).ok().json();
    let folder = store.path().join(scored["folder"].as_str().unwrap());
    for name in ["predictions", "speed_table"] {
        let frame = read_frame(&folder.join(format!("{name}.parquet")));
        assert!(frame.column("probability_by_day").is_err(), "its days are not every day");
        let by_day = frame.column("probability_by_6_days").unwrap().list().unwrap().clone();
        for row in 0..by_day.len() {
            let shares = by_day.get_as_series(row).unwrap();
            assert_eq!(shares.len(), 60);
            let shares: Vec<f32> = shares.f32().unwrap().iter().flatten().collect();
            assert!(shares.is_sorted() && shares[59] > 0.5, "{shares:?}");
        }
        let days = terms::DayGrid::up_to(360).unwrap();
        let contract = intake::Contract::shipped_on(name, days).unwrap().unwrap();
        let bytes = std::fs::read(folder.join(format!("{name}.parquet"))).unwrap().into();
        assert_eq!(intake::check_output(&contract, name, &bytes).unwrap(), frame.height() as u64);
    }
    let predictions = read_frame(&folder.join("predictions.parquet"));
    let lowest = predictions.column("hours_p05").unwrap().f32().unwrap().clone();
    let old = lowest.iter().flatten().filter(|hours| *hours > 24.0 * 61.0).count();
    assert!(old > 100 && predictions.height() > 300, "{old} of {}", predictions.height());
}

#[test]
fn the_limits_of_a_network_of_days_cut_it_off_and_say_so() {
    let store = imported();
    let slow = run(&store, "features", &[]).ok().json();
    let of_days = [
        "--set",
        "network.lost_after_days=60",
        "--set",
        "network.history_days=90",
        "--set",
        "network.days_ahead=60",
    ];
    // A state of other limits is not continued: every day is read again.
    let features = run(&store, "features", &of_days).ok();
    let days_read = |ended: &Ended| {
        let (before, _) = ended.stderr.split_once(" days read").expect("days read");
        before.rsplit(' ').next().unwrap().parse::<i64>().unwrap()
    };
    assert!(days_read(&features) > 900, "{}", features.stderr);
    let all = ["network.days_ahead", "network.history_days", "network.lost_after_days"];
    let quick = features.json();
    assert_eq!(settings_cut_off(&quick), all.map(str::to_owned).into());
    assert_ne!(quick["outputs"]["months.json"], slow["outputs"]["months.json"]);
    for says in ["than network.lost_after_days = 60: raise that setting", "= 90: raise"] {
        assert!(features.stderr.contains(says), "{}", features.stderr);
    }

    let evaluated = run(&store, "evaluate", &of_days).ok().json();
    let folder = evaluated["folder"].as_str().unwrap();
    let metrics = json(&store, &format!("{folder}/metrics.json"));
    assert_eq!(metrics["cut_off"], quick["summary"]["cut_off"]);
    let report = std::fs::read_to_string(store.path().join(folder).join("report.html")).unwrap();
    assert!(report.contains("than network.lost_after_days = 60: raise that setting"));

    // Other days of the probabilities alone need no other history, and another model.
    let longer =
        run(&store, "features", &[&of_days[..4], &["--set", "network.days_ahead=360"]].concat())
            .ok();
    assert_eq!(days_read(&longer), 0);
    assert_eq!(longer.json()["outputs"], quick["outputs"]);
    assert_eq!(
        settings_cut_off(&longer.json()),
        all[1..].iter().map(|key| (*key).to_owned()).collect()
    );
}
