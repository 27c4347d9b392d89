//! Writes a small speed table, and prints what lookups in it must give, one JSON document a line:
//! `small_speed_table FILE`. Tests of other languages read both.
#![expect(clippy::disallowed_methods, reason = "an example writes")]
#![expect(clippy::print_stdout, reason = "what it prints is what it is for")]
#![expect(clippy::unwrap_used, reason = "an example that fails should stop")]

#[path = "generated/speed_table.rs"]
mod generated;

use scorer::{SpeedTable, encode_speed_table};
use serde_json::json;

/// Hours for which the probability of delivery within them is printed.
const HOURS: [f64; 6] = [0.0, 20.5, 48.0, 71.9, 1_440.0, 5_000.0];

fn main() {
    let path = std::env::args_os().nth(1).unwrap();
    let bytes = encode_speed_table(&generated::header(), &generated::rows()).unwrap();
    std::fs::write(&path, bytes).unwrap();
    let table = SpeedTable::open(&path).unwrap();
    for lane in generated::requests() {
        let speed = table.lookup(&lane);
        let found = json!({
            "lane": {
                "origin_zone": lane.origin_zone,
                "origin_region": lane.origin_region,
                "destination_zone": lane.destination_zone,
                "destination_region": lane.destination_region,
                "carrier": lane.carrier,
                "service": lane.service,
                "weight_g": lane.weight_g,
            },
            "grouping": speed.grouping().name(),
            "n_shipments": speed.n_shipments(),
            "probability_over_2d": speed.probability_over_2d(),
            "hours": speed.hours(),
            "probability_by_day": speed.distribution().by_day.as_slice(),
            "probability_within": HOURS.map(|hours| [hours, speed.probability_within(hours)]),
            "can_be_delivered_quickly": speed.can_be_delivered_quickly(0.7),
        });
        println!("{found}");
    }
}
