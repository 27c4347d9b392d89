//! Scores rows with our scorer and with its peers, in turn, and prints what they took as JSON.
//!
//! usage: bench-score train FOLDER LEAVES
//!        bench-score measure FOLDER [--lightgbm LIB] [--onnx LIB] [--compiled FOLDER] [--passes 5]
//!
//! FOLDER of `measure` is what `cargo run -p artifact --example export` wrote of a bundle.

mod loops;
mod peers;
mod work;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use scorer::Instructions;
use serde_json::{Value, json};

use loops::{batch_seconds, closed, open};
use peers::{Compiled, LightGbm, Nexus, Onnx, Ours, Part, Peer};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["train", folder, leaves] => work::train(&PathBuf::from(folder), leaves.parse()?),
        ["measure", folder, options @ ..] => {
            println!("{}", measure(&PathBuf::from(folder), options)?);
            Ok(())
        }
        _ => bail!("bench-score train FOLDER LEAVES | measure FOLDER [OPTIONS]"),
    }
}

/// Every peer that can be had, against ours.
fn measure(folder: &PathBuf, options: &[&str]) -> Result<Value> {
    let option = |name: &str| {
        let at = options.iter().position(|&option| option == name)?;
        options.get(at + 1).copied()
    };
    let passes = option("--passes").map_or(Ok(5), str::parse)?;
    let n_rows = option("--rows").map_or(Ok(40_000), str::parse)?;
    let n_batch = option("--batch").map_or(Ok(100_000), str::parse)?;
    rayon::ThreadPoolBuilder::new().num_threads(2).build_global()?;
    let parts = work::load(folder)?;
    let rows = work::rows(&parts, n_rows.max(n_batch));
    let n_features = parts.features.len();

    let mut peers: Vec<(&str, Result<Box<dyn Peer>>)> = Vec::new();
    if let Some(library) = option("--lightgbm") {
        peers.push(("LightGBM", LightGbm::load(library, folder, n_features).map(boxed)));
    }
    if let Some(library) = option("--onnx") {
        peers.push(("ONNX Runtime", Onnx::load(library, folder, n_features).map(boxed)));
    }
    if let Some(compiled) = option("--compiled") {
        peers.push(("tl2cgen", Compiled::load(&PathBuf::from(compiled), n_features).map(boxed)));
    }
    peers.push(("nexus-inference", Nexus::load(folder, n_features).map(boxed)));
    for (name, part, instructions) in [
        ("ours, quantiles only", Part::Quantiles, Instructions::best()),
        ("ours, portable", Part::All, Instructions::Portable),
        ("ours, as before", Part::All, Instructions::Plain),
    ] {
        peers.push((name, Ours::of(&parts, part, instructions).map(boxed)));
    }

    let mut ours = Ours::of(&parts, Part::All, Instructions::best())?;
    let mut found = Vec::new();
    for (name, peer) in peers {
        let mut peer = match peer {
            Ok(peer) => peer,
            Err(error) => {
                found.push(json!({"peer": name, "why": format!("{error:#}")}));
                continue;
            }
        };
        let at_once = rows[..n_batch * n_features].to_vec();
        let [ours_row, theirs_row] =
            closed(&mut ours, &mut *peer, &rows[..n_rows * n_features], n_features, passes);
        let [ours_batch, theirs_batch] =
            batch_seconds(&mut ours, &mut *peer, &at_once, n_features, passes.min(3))
                .with_context(|| format!("{name}: batch"))?;
        found.push(json!({
            "peer": name,
            "row": {"ours": ours_row, "theirs": theirs_row},
            "batch_seconds": {"ours": ours_batch, "theirs": theirs_batch, "rows": n_batch},
        }));
    }
    let open = open(&mut ours, &rows[..n_rows * n_features], n_features);
    Ok(json!({
        "features": n_features,
        "instructions": format!("{:?}", Instructions::best()),
        "peers": found,
        "open_loop": open,
    }))
}

fn boxed<P: Peer + 'static>(peer: P) -> Box<dyn Peer> {
    Box::new(peer)
}
