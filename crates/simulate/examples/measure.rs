//! Simulates a world without keeping it, to see what it costs and what was made.
//!
//! `cargo run --release -p simulate --example measure -- SHIPMENTS DAYS [SHARE [SEED]]`
#![expect(clippy::disallowed_methods, reason = "an example measures and writes")]

use std::io::Write as _;

use simulate::{World, simulate};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut world = World::default();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [shipments, days, rest @ ..] = arguments.as_slice() else {
        return Err("expected SHIPMENTS DAYS [SHARE [SEED]]".into());
    };
    world.shipments = shipments.parse()?;
    world.days = days.parse()?;
    if let Some(share) = rest.first() {
        world.share_within_two_days = share.parse()?;
    }
    if let Some(seed) = rest.get(1) {
        world.seed = seed.parse()?;
    }
    let mut simulation = simulate(&world.check()?);
    let mut n_bytes = 0;
    for night in simulation.by_ref() {
        n_bytes += night?.tables.iter().map(|table| table.parquet.len()).sum::<usize>();
    }
    let summary = simulation.summary();
    let share = summary.share_within_two_days();
    writeln!(std::io::stdout(), "{summary:#?}\nwithin two days {share:.4}\n{n_bytes} bytes")?;
    Ok(())
}
