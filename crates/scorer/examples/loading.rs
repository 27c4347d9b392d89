//! Measures how long a model takes to load and how much memory: `loading FOLDER`. FOLDER is a bundle; if
//! it has no manifest, a model of a usual size is generated and written there first: a gate of 100 trees
//! and two regressors of 300 trees of 31 leaves. Prints JSON, in milliseconds and bytes.
#![expect(clippy::disallowed_methods, reason = "an example measures, reads and writes")]
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]
#![expect(clippy::unwrap_used, reason = "an example that fails should stop")]
#![expect(unsafe_code, reason = "an allocator that counts")]

#[path = "generated/model.rs"]
mod generated;

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use generated::{Uniform, model};
use scorer::{MANIFEST_FILE, Parts, Scorer};
use serde_json::{Map, Value, json};
use terms::Digest;

/// How often it is loaded.
const REPEATS: usize = 51;

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// The allocator of the system, with the bytes counted that are in use.
struct Counting;

// SAFETY: everything is passed on to the allocator of the system.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = ALLOCATED.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(now, Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() {
    let folder = std::env::args_os().nth(1).map(PathBuf::from).unwrap();
    if !folder.join(MANIFEST_FILE).exists() {
        write(&folder);
    }
    let native: u64 = native_files(&folder).iter().map(|path| path.metadata().unwrap().len()).sum();

    let before = ALLOCATED.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let scorer = Scorer::load(&folder).unwrap();
    let kept = ALLOCATED.load(Ordering::Relaxed) - before;
    let peak = PEAK.load(Ordering::Relaxed) - before;
    drop(scorer);

    let mut each: Vec<f64> = (0..REPEATS)
        .map(|_| {
            let started = Instant::now();
            std::hint::black_box(Scorer::load(&folder).unwrap());
            started.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    each.sort_by(f64::total_cmp);
    let figures = json!({
        "repeats": REPEATS,
        "load_ms": each[REPEATS / 2],
        "native_bytes": native,
        "kept_bytes": kept,
        "peak_bytes": peak,
    });
    println!("{figures}");
}

/// The files that a scorer needs.
fn native_files(folder: &Path) -> Vec<PathBuf> {
    let names = Parts::load(folder).unwrap().0.encode().into_keys();
    names.map(|name| folder.join(name)).collect()
}

/// Writes a model with a manifest as far as a scorer reads it.
fn write(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    let parts = model(&mut Uniform(1), 2);
    let mut entries = Map::new();
    for (name, bytes) in parts.encode() {
        fs::write(folder.join(&name), &bytes).unwrap();
        entries.insert(name, json!({ "sha256": Digest::of(&bytes), "bytes": bytes.len() }));
    }
    let manifest = json!({ "model_id": "generated", "files": Value::from(entries) });
    fs::write(folder.join(MANIFEST_FILE), manifest.to_string()).unwrap();
}
