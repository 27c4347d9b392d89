//! Writes `include/longhaul.h` as cbindgen makes it of the sources; with `--check` says whether it is
//! there already.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut header = Vec::new();
    match made(&folder) {
        Ok(bindings) => bindings.write(&mut header),
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    let path = folder.join("include/longhaul.h");
    if std::env::args().nth(1).as_deref() != Some("--check") {
        return match std::fs::write(&path, &header) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("error: {}: {error}", path.display());
                ExitCode::FAILURE
            }
        };
    }
    if std::fs::read(&path).is_ok_and(|found| found == header) {
        return ExitCode::SUCCESS;
    }
    eprintln!("error: {} is not of these sources\n\nhint: make header", path.display());
    ExitCode::FAILURE
}

fn made(folder: &Path) -> Result<cbindgen::Bindings, Box<dyn std::error::Error>> {
    let config = cbindgen::Config::from_file(folder.join("cbindgen.toml"))?;
    let mut builder = cbindgen::Builder::new().with_config(config);
    // The files and not the crate, which cbindgen would find by running `cargo metadata`.
    for name in ["model", "failure", "features", "forecast", "speed_table"] {
        builder = builder.with_src(folder.join(format!("src/{name}.rs")));
    }
    Ok(builder.generate()?)
}
