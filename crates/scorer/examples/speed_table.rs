//! Measures lookups in a speed table of a million rows on one thread: `speed_table FILE [ROWS]`. FILE is
//! written first. Prints JSON: nanoseconds of one lookup, each timed by itself (`timer` is what the
//! timing of nothing takes, and is not subtracted), and milliseconds of the file as a whole.
//!
//! - `first`: lanes at random, right after opening, so that every page is touched for the first time.
//! - `random`: the same lanes again: the file is mapped, and its rows are where they fall, in caches or
//!   in memory.
//! - `repeated`: a thousand lanes over and over, as those of a service that ranks for a few places.
//! - `one_read`: of a cache line of the file at random, which waits for the one before: what the machine's
//!   memory takes.
//!
//! Half of the lanes have a row of the finest grouping, the others are made of values at random, of
//! which some are in no row, and fall through to coarser ones.
#![expect(clippy::disallowed_methods, reason = "an example measures, reads and writes")]
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]
#![expect(clippy::unwrap_used, reason = "an example that fails should stop")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use scorer::{
    Lane, LaneGrouping, LaneRow, Mixture, SpeedTable, SpeedTableHeader, encode_speed_table,
};
use serde_json::{Value, json};
use terms::{DayGrid, MEDIAN};

/// Lanes that are looked up.
const REQUESTS: usize = 400_000;
/// Lanes that are looked up again and again.
const REPEATED: usize = 1_000;

/// Numbers that look random.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        ((self.0 >> 33) as usize) % end
    }

    fn one_of<'a>(&mut self, texts: &'a [String]) -> Option<&'a str> {
        Some(&texts[self.below(texts.len())])
    }
}

/// The places and carriers of a large shop.
struct Network {
    origins: Vec<String>,
    destinations: Vec<String>,
    carriers: Vec<String>,
    services: Vec<String>,
    regions: Vec<String>,
}

impl Network {
    fn new() -> Self {
        let named = |n: usize, name: &dyn Fn(usize) -> String| (0..n).map(name).collect();
        Self {
            origins: named(800, &|at| format!("{:05}", 1_067 + 97 * at)),
            destinations: named(25_000, &|at| format!("{:05}", 1_067 + 3 * at)),
            carriers: named(8, &|at| format!("carrier {at}")),
            services: named(4, &|at| ["standard", "express", "economy", "freight"][at].to_owned()),
            regions: named(120, &|at| format!("DE-{at:03}")),
        }
    }

    fn lane(&self, random: &mut Random) -> Lane<'_> {
        let (from, to) = (random.below(self.origins.len()), random.below(self.destinations.len()));
        Lane {
            origin_zone: Some(&self.origins[from]),
            origin_region: Some(&self.regions[from % self.regions.len()]),
            destination_zone: Some(&self.destinations[to]),
            destination_region: Some(&self.regions[to % self.regions.len()]),
            carrier: random.one_of(&self.carriers),
            service: random.one_of(&self.services),
            weight_g: Some(random.below(40_000) as f32),
        }
    }

    /// So many rows of lanes at random, each lane once. Of the finer groupings there are more.
    fn rows(&self, n: usize, random: &mut Random) -> Vec<LaneRow<'_>> {
        let mut rows = BTreeMap::new();
        let mut tries = 0;
        while rows.len() < n - 1 {
            tries += 1;
            let lane = self.lane(random);
            // When the coarser groupings are full, the rest are of the finest.
            let grouping = match random.below(1_000) {
                _ if tries > 4 * n => 0,
                0..380 => 0,
                380..680 => 1,
                680..840 => 3,
                840..930 => 5,
                930..970 => 6,
                970..985 => 7,
                985..998 => 9,
                _ => 11,
            };
            let grouping = LaneGrouping::ALL[grouping];
            let value = |column: &&str| lane.text(column);
            let key: Vec<Option<&str>> = grouping.columns().iter().map(value).collect();
            rows.entry((grouping, key)).or_insert_with(|| row(grouping, lane, random));
        }
        rows.into_values()
            .chain([row(LaneGrouping::ALL_SHIPMENTS, Lane::default(), random)])
            .collect()
    }
}

fn row<'a>(grouping: LaneGrouping, lane: Lane<'a>, random: &mut Random) -> LaneRow<'a> {
    let median = 30.0 + random.below(100) as f64;
    let hours = [0.4, 0.5, 0.7, 0.9, 1.0, 1.15, 1.4, 2.0, 2.5].map(|share| share * median);
    let over_2d = (median / 130.0).clamp(0.05, 0.95);
    let distribution = Mixture::new(over_2d, hours, 0.4).distribution();
    LaneRow { grouping, lane, n_shipments: 20 + random.below(1_000) as u32, distribution }
}

fn main() {
    let mut arguments = std::env::args_os().skip(1);
    let file = arguments.next().unwrap();
    let file = Path::new(&file);
    let n_rows = arguments.next().map_or(1_000_000, |n| n.to_str().unwrap().parse().unwrap());
    let (network, mut random) = (Network::new(), Random(1));
    let rows = network.rows(n_rows, &mut random);
    let as_of = "2026-11-20".parse().unwrap();
    let header = SpeedTableHeader { model_id: "measured".into(), as_of, days: DayGrid::DAILY };
    let started = Instant::now();
    let bytes = encode_speed_table(&header, &rows).unwrap();
    let encode_ms = millis(started);
    std::fs::write(file, &bytes).unwrap();

    let unknown = ["90210".to_owned(), "parcel post".to_owned()];
    let lanes: Vec<Lane<'_>> = (0..REQUESTS)
        .map(|at| {
            let lane = network.lane(&mut random);
            match at % 20 {
                0..10 => rows[random.below(rows.len())].lane,
                10 => Lane { destination_zone: Some(&unknown[0]), ..lane },
                11 => Lane { carrier: Some(&unknown[1]), ..lane },
                _ => lane,
            }
        })
        .collect();
    let repeated: Vec<Lane<'_>> =
        lanes[..REPEATED].iter().copied().cycle().take(REQUESTS).collect();

    let started = Instant::now();
    let table = SpeedTable::open(file).unwrap();
    let open_ms = millis(started);
    let first = percentiles(&lanes, |lane| looked_up(&table, lane));
    let random = least(&lanes, |lane| looked_up(&table, lane));
    let repeated_times = least(&repeated, |lane| looked_up(&table, lane));
    let read = least(&lanes, |lane| read(&table, lane));
    let timer = least(&lanes, |lane| f64::from(lane.weight_g.unwrap_or(0.0)));
    let started = Instant::now();
    lanes.iter().for_each(|lane| _ = black_box(looked_up(&table, black_box(lane))));
    let in_a_row = started.elapsed().as_secs_f64() * 1e9 / lanes.len() as f64;
    let one_read_ns = one_read_ns(&bytes);
    let started = Instant::now();
    table.verify().unwrap();
    let verify_ms = millis(started);
    let started = Instant::now();
    let owned = SpeedTable::from_bytes(std::fs::read(file).unwrap()).unwrap();
    let read_ms = millis(started);
    let of_bytes = least(&lanes, |lane| looked_up(&owned, lane));

    let mut n_found = vec![0; LaneGrouping::ALL.len()];
    lanes.iter().for_each(|lane| n_found[table.lookup(lane).grouping().index()] += 1);
    println!(
        "{}",
        json!({
            "rows": table.n_rows(),
            "bytes": std::fs::metadata(file).unwrap().len(),
            "lookups_by_grouping": n_found,
            "first": first, "random": random, "repeated": repeated_times,
            "random_and_read": read, "random_of_bytes": of_bytes, "timer": timer,
            "random_in_a_row_ns": in_a_row, "one_read_ns": one_read_ns,
            "encode_ms": encode_ms, "open_ms": open_ms, "read_ms": read_ms,
            "verify_ms": verify_ms,
        })
    );
}

/// What a read takes that depends on the one before, of a cache line at random.
fn one_read_ns(bytes: &[u8]) -> f64 {
    let n_lines = bytes.len() / 64;
    let (mut random, mut line, mut least) = (Random(2), 0, f64::MAX);
    for _ in 0..5 {
        let started = Instant::now();
        for _ in 0..REQUESTS {
            // Another line for each byte that was read, so that the address waits for it.
            let read = usize::from(black_box(bytes[64 * line]));
            random.0 ^= read as u64;
            line = random.below(n_lines);
        }
        least = least.min(started.elapsed().as_secs_f64() * 1e9 / REQUESTS as f64);
    }
    least
}

fn millis(started: Instant) -> f64 {
    started.elapsed().as_secs_f64() * 1e3
}

/// A lookup, and as much of its row as says that it is there.
fn looked_up(table: &SpeedTable, lane: &Lane<'_>) -> f64 {
    f64::from(table.lookup(lane).n_shipments())
}

/// A lookup, and what a ranking reads of it.
fn read(table: &SpeedTable, lane: &Lane<'_>) -> f64 {
    let speed = table.lookup(lane);
    speed.probability_within(72.0) + f64::from(speed.hours()[MEDIAN])
}

/// Of several passes the least of each percentile: what the machine does besides only adds.
fn least(lanes: &[Lane<'_>], work: impl Fn(&Lane<'_>) -> f64) -> Value {
    let passes: Vec<Value> = (0..5).map(|_| percentiles(lanes, &work)).collect();
    let least = |part: &str| passes.iter().filter_map(|pass| pass[part].as_u64()).min();
    json!({"p50": least("p50"), "p99": least("p99"), "p999": least("p999")})
}

/// Nanoseconds of each lane, timed by itself.
fn percentiles(lanes: &[Lane<'_>], work: impl Fn(&Lane<'_>) -> f64) -> Value {
    let mut times: Vec<u64> = lanes
        .iter()
        .map(|lane| {
            let started = Instant::now();
            black_box(work(black_box(lane)));
            started.elapsed().as_nanos() as u64
        })
        .collect();
    times.sort_unstable();
    let [p50, p99, p999] =
        [0.5, 0.99, 0.999].map(|share| times[(share * (times.len() - 1) as f64) as usize]);
    json!({"p50": p50, "p99": p99, "p999": p999})
}
