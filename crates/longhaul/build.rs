//! Computes the code version: a digest of the sources of all crates, the contracts and the lock
//! file. The id of a stage contains it, so that a result of other code is never taken for this one's.
#![expect(clippy::disallowed_methods, reason = "a build script reads the sources")]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

fn main() {
    // Read at run time: clones that share a target folder share this script too.
    let folder = env::var_os("CARGO_MANIFEST_DIR").expect("run by cargo");
    let root = Path::new(&folder).join("../..");
    let mut files = vec![root.join("Cargo.lock")];
    for folder in ["crates", "schemas"] {
        collect(&root.join(folder), &mut files);
        println!("cargo::rerun-if-changed={}", root.join(folder).display());
    }
    println!("cargo::rerun-if-changed={}", root.join("Cargo.lock").display());
    files.sort();
    let mut hash = Fnv::new();
    for file in &files {
        let name = file.strip_prefix(&root).unwrap_or(file).to_string_lossy().into_owned();
        hash.update(name.as_bytes());
        hash.update(&fs::read(file).unwrap_or_default());
    }
    println!("cargo::rustc-env=LONGHAUL_CODE_VERSION={:032x}", hash.0);
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let is_source = path.extension().is_some_and(|end| end == "rs" || end == "yaml");
        if path.is_dir() {
            collect(&path, files);
        } else if is_source {
            files.push(path);
        }
    }
}

/// The hash FNV-1a with 128 bits, which needs no dependency at build time.
struct Fnv(u128);

impl Fnv {
    fn new() -> Self {
        Self(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d)
    }

    fn update(&mut self, bytes: &[u8]) {
        for &byte in (bytes.len() as u64).to_le_bytes().iter().chain(bytes) {
            self.0 = (self.0 ^ u128::from(byte)).wrapping_mul(0x0100_0000_0000_0000_0000_013B);
        }
    }
}
