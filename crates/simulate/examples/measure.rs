//! Simulates a network without keeping its tables, and prints what was made and how many bytes.
//!
//! `cargo run --release -p simulate --example measure -- SHIPMENTS DAYS [SHARE [SEED]]`
#![expect(clippy::disallowed_methods, reason = "an example measures and writes")]

use std::io::Write as _;

use simulate::{NetworkSettings, simulate};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut settings = NetworkSettings::default();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [shipments, days, rest @ ..] = arguments.as_slice() else {
        return Err("expected SHIPMENTS DAYS [SHARE [SEED]]".into());
    };
    settings.shipments = shipments.parse()?;
    settings.days = days.parse()?;
    if let Some(share) = rest.first() {
        settings.share_within_two_days = Some(share.parse()?);
    }
    if let Some(seed) = rest.get(1) {
        settings.seed = seed.parse()?;
    }
    let mut simulation = simulate(&settings.check()?);
    let mut n_bytes = 0;
    for night in simulation.by_ref() {
        n_bytes += night?.tables.iter().map(|table| table.parquet.len()).sum::<usize>();
    }
    let summary = simulation.summary();
    let share = summary.share_within_two_days();
    writeln!(std::io::stdout(), "{summary:#?}\nwithin two days {share:.4}\n{n_bytes} bytes")?;
    Ok(())
}
