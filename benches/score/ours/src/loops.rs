//! How long one row takes in a closed and in an open loop, and how long many rows take.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::{Value, json};

use crate::peers::Peer;

/// Rows that one of the two scores before it is the other's turn.
const TURN: usize = 500;

fn nanos(since: Instant) -> u64 {
    since.elapsed().as_nanos() as u64
}

/// Microseconds of the shares of times.
fn percentiles(times: &mut [u64]) -> [f64; 3] {
    times.sort_unstable();
    [0.5, 0.99, 0.999].map(|share| times[(share * (times.len() - 1) as f64) as usize] as f64 / 1e3)
}

/// One row after the other, each timed by itself, ours and theirs in turn on the same rows. Of several
/// passes the least of each percentile: what the machine does besides only adds.
pub(crate) fn closed<'a>(
    ours: &'a mut dyn Peer,
    theirs: &'a mut dyn Peer,
    rows: &[f32],
    n_features: usize,
    passes: usize,
) -> [Value; 2] {
    let mut both = [ours, theirs];
    let mut least = [[f64::MAX; 3]; 2];
    for _ in 0..passes {
        let mut times = [Vec::new(), Vec::new()];
        for turn in rows.chunks(TURN * n_features) {
            for (peer, times) in both.iter_mut().zip(&mut times) {
                for row in turn.chunks_exact(n_features) {
                    let started = Instant::now();
                    peer.row(black_box(row));
                    times.push(nanos(started));
                }
            }
        }
        for (least, times) in least.iter_mut().zip(&mut times) {
            let found = percentiles(times);
            least.iter_mut().zip(found).for_each(|(least, found)| *least = least.min(found));
        }
    }
    least.map(|[p50, p99, p999]| json!({"p50": p50, "p99": p99, "p999": p999}))
}

/// Seconds for all rows at once on two threads, ours and theirs in turn; the least of several passes.
pub(crate) fn batch_seconds<'a>(
    ours: &'a mut dyn Peer,
    theirs: &'a mut dyn Peer,
    rows: &[f32],
    n_features: usize,
    passes: usize,
) -> Result<[f64; 2]> {
    let mut least = [f64::MAX; 2];
    let mut both = [ours, theirs];
    both.iter_mut().for_each(|peer| peer.prepare(rows, n_features));
    for _ in 0..passes {
        for (peer, least) in both.iter_mut().zip(&mut least) {
            let started = Instant::now();
            peer.batch(rows)?;
            *least = least.min(started.elapsed().as_secs_f64());
        }
    }
    Ok(least)
}

/// Rows that arrive at random moments, half as many as could be scored, and how long each takes from
/// its arrival on, waiting included.
pub(crate) fn open(ours: &mut dyn Peer, rows: &[f32], n_features: usize) -> Value {
    let started = Instant::now();
    rows.chunks_exact(n_features).for_each(|row| ours.row(black_box(row)));
    let each = started.elapsed().as_secs_f64() / (rows.len() / n_features) as f64;
    let mean_gap = 2.0 * each;
    let mut random = 1u64;
    let (mut arrival, mut times) = (Duration::ZERO, Vec::new());
    let started = Instant::now();
    for row in rows.chunks_exact(n_features) {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        let uniform = ((random >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
        arrival += Duration::from_secs_f64(-mean_gap * uniform.ln());
        while started.elapsed() < arrival {
            std::hint::spin_loop();
        }
        ours.row(black_box(row));
        times.push((started.elapsed() - arrival).as_nanos() as u64);
    }
    let [p50, p99, p999] = percentiles(&mut times);
    // By powers of two of a microsecond.
    let mut histogram = Vec::new();
    let (mut from, mut to) = (0, 1_000);
    while from < times.len() {
        let end = times.partition_point(|&time| time <= to);
        histogram.push(json!({"up_to_us": to as f64 / 1e3, "rows": end - from}));
        (from, to) = (end, to * 2);
    }
    json!({"arrivals_a_second": 1.0 / mean_gap, "p50": p50, "p99": p99, "p999": p999,
           "histogram": histogram})
}
