//! The header is what cbindgen makes of the sources.

use std::path::Path;

/// `make header` sets it.
const WRITE: &str = "LONGHAUL_WRITE_HEADER";

#[test]
fn the_header_is_of_these_sources() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(folder.join("cbindgen.toml")).unwrap();
    let mut builder = cbindgen::Builder::new().with_config(config);
    // The files and not the crate, which cbindgen would find by running `cargo metadata`.
    for name in ["model", "failure", "features", "forecast"] {
        builder = builder.with_src(folder.join(format!("src/{name}.rs")));
    }
    let mut header = Vec::new();
    builder.generate().unwrap().write(&mut header);
    let path = folder.join("include/longhaul.h");
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&path, &header).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found.as_bytes() == header,
        "{} is stale: make header\n{}",
        path.display(),
        String::from_utf8_lossy(&header)
    );
}
