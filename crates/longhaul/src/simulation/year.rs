//! A year of nights with `gc` every week: the store grows with its tables and their history alone.

use std::collections::BTreeMap;
use std::time::SystemTime;

use store::{Limits, SimulatedStorage};

use super::network::Network;
use super::night::LeaseClock;
use crate::commands::gc;
use crate::report::table;

const DAYS: i64 = 420;
/// Nights before these have too few orders to judge.
const FIRST_NIGHT: i64 = 55;
const KEEP: usize = 7;
/// Nights from one `gc` to the next.
const GC_EVERY: i64 = 7;

/// Objects and bytes by folder: tables and the history state hold the data and grow with them.
fn sizes(storage: &SimulatedStorage) -> BTreeMap<&'static str, (usize, usize)> {
    let mut sizes = BTreeMap::new();
    for (path, bytes) in storage.objects() {
        let folder = match path.split('/').next().unwrap_or_default() {
            "tables" | "quarantine" => "tables and quarantine",
            "state" => "state",
            "models" => "models",
            "runs" => "runs",
            "predictions" => "predictions",
            _ => "other",
        };
        let (n, total) = sizes.entry(folder).or_insert((0, 0));
        *n += 1;
        *total += bytes.len();
    }
    sizes
}

#[test]
#[ignore = "takes minutes: make test-nights runs it"]
fn a_year_of_nights_with_gc_stays_as_small_as_a_quarter() {
    let set = [&format!("simulate.days={DAYS}"), "simulate.shipments=3000"];
    let (network, storage, end) = Network::with_tables(&set);
    let mut at = Vec::new();
    for night in FIRST_NIGHT..=DAYS {
        let _ = network.run_undisturbed(&storage, end.plus_days(night - DAYS));
        let n_nights = night - FIRST_NIGHT + 1;
        if n_nights % GC_EVERY == 0 {
            let (store, clock) = (storage.open(Limits::default()), LeaseClock(storage.clock()));
            gc::run(&store, KEEP, false, &clock, SystemTime::UNIX_EPOCH).expect("gc");
        }
        if [91, 182, 273, 364].contains(&n_nights) {
            at.push((n_nights, sizes(&storage)));
        }
    }
    let folders: Vec<&str> = at[0].1.keys().copied().collect();
    let mut header = vec!["nights"];
    header.extend(&folders);
    let rows: Vec<Vec<String>> = (at.iter())
        .map(|(nights, sizes)| {
            let cell = |folder: &&str| {
                let (n, bytes) = sizes.get(folder).copied().unwrap_or_default();
                format!("{n} / {:.1} MB", bytes as f64 / 1e6)
            };
            std::iter::once(nights.to_string()).chain(folders.iter().map(cell)).collect()
        })
        .collect();
    println!("objects / size after so many nights\n{}", table(&header, &rows));
    let (first, last) = (&at[0].1, &at[at.len() - 1].1);
    for folder in ["runs", "models", "predictions", "state", "other"] {
        let objects = |sizes: &BTreeMap<&str, (usize, usize)>| sizes.get(folder).map_or(0, |s| s.0);
        // The history state has four objects for each month (rows, versions, totals, snapshots),
        // and one list with a few files for each half-year.
        let more = if folder == "state" { 9 * 4 + 2 * 6 } else { 5 };
        let (then, now) = (objects(first), objects(last));
        assert!(now <= then + more, "{folder}: {then} objects after a quarter, {now} after a year");
    }
}
