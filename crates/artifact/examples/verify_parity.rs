//! Verifies the parity vectors of a folder by our scorer: `verify_parity FOLDER`. Prints as JSON how much
//! was compared, and in how many seconds once the files were read. FOLDER is a bundle, or what the
//! example `export` wrote, which has no manifest.
#![expect(clippy::disallowed_methods, reason = "an example reads files and measures")]
#![expect(clippy::print_stdout, reason = "an example prints its result")]

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use artifact::export::{PARITY_FILE, verify_parity};
use scorer::{MANIFEST_FILE, Parts};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from).ok_or("verify_parity FOLDER")?;
    let parts = if folder.join(MANIFEST_FILE).exists() {
        Parts::load(&folder)?.0
    } else {
        let mut files = BTreeMap::new();
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                let name = entry.file_name().to_string_lossy().into_owned();
                files.insert(name, std::fs::read(entry.path())?);
            }
        }
        Parts::decode(&files)?
    };
    let vectors = std::fs::read(folder.join(PARITY_FILE))?;
    let started = Instant::now();
    let verified = verify_parity(&parts, &vectors)?;
    let verified = serde_json::json!({
        "rows": verified.rows,
        "explained_rows": verified.explained_rows,
        "numbers": verified.numbers,
        "seconds": started.elapsed().as_secs_f64(),
    });
    println!("{verified}");
    Ok(())
}
