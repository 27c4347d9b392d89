//! Where a model comes from that was made by an example.

use artifact::About;
use terms::{AsOf, Digest};

/// Of a model of which only the trees matter.
pub(crate) fn about() -> Result<About, Box<dyn std::error::Error>> {
    Ok(About {
        as_of: "2026-01-01".parse::<AsOf>()?,
        pipeline: "parity".to_owned(),
        family: "boost".to_owned(),
        code_version: "example".to_owned(),
        features_digest: Digest::of(b"parity"),
        seed: 0,
        passed: false,
    })
}
