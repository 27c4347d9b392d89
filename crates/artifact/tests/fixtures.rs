//! Bundles of earlier versions are loaded, and give what they gave when they were written; see
//! `fixtures/README.md`.
#![expect(clippy::disallowed_methods, reason = "fixtures are local files")]

use std::fs;
use std::path::{Path, PathBuf};

use artifact::export::{PARITY_FILE, verify_parity};
use scorer::{Parts, Scorer};
use terms::{DAYS_AHEAD, LEVELS};

/// The version whose scorer added leaves in f32, so that its numbers were rounded where those of today are
/// not.
const IN_F32: &str = "trees_1";
/// By how much, as a share of the hours, or as a probability.
const F32_TOLERANCE: f64 = 1e-6;
/// Of later versions, which may compute exponentials and powers in another way.
const TOLERANCE: f64 = 1e-12;

/// The folders of all fixtures.
fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let entries = fs::read_dir(folder).expect("fixtures").map(|entry| entry.expect("one").path());
    let mut folders: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

/// Rows, each with the numbers that are expected of it.
fn expected(folder: &Path, n_features: usize) -> Vec<(Vec<f32>, Vec<f64>)> {
    let text = fs::read_to_string(folder.join("expected.csv")).expect("expected.csv");
    let row = |line: &str| {
        let values: Vec<&str> = line.split(',').collect();
        let (row, numbers) = values.split_at(n_features);
        let row = row.iter().map(|value| value.parse().expect("a value")).collect();
        (row, numbers.iter().map(|number| number.parse().expect("a number")).collect())
    };
    text.lines().skip(1).map(row).collect()
}

#[test]
fn every_fixture_gives_what_it_gave() {
    let folders = fixtures();
    assert!(folders.iter().any(|folder| folder.ends_with(IN_F32)) && folders.len() > 1);
    for folder in folders {
        let scorer = Scorer::load(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
        let is_rounded = folder.ends_with(IN_F32);
        let rows = expected(&folder, scorer.features().len());
        assert!(rows.len() > 20, "{folder:?}");
        for (at, (row, expected)) in rows.into_iter().enumerate() {
            let mixture = scorer.mixture_row(&row);
            let mut found = vec![mixture.probability_over_2d()];
            found.extend(LEVELS.map(|level| mixture.quantile(level)));
            let days = scorer.days();
            found.extend((0..DAYS_AHEAD).map(|point| mixture.cdf(days.hours(point))));
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(&expected) {
                let tolerance = if is_rounded { F32_TOLERANCE } else { TOLERANCE };
                let is_equal = (found - expected).abs() <= tolerance * expected.abs().max(1.0);
                assert!(is_equal, "{folder:?}, row {at}: {found} {expected}");
            }
        }
    }
}

#[test]
fn the_parity_vectors_of_every_fixture_that_has_some_are_verified() {
    let mut n_verified = 0;
    for folder in fixtures() {
        if let Ok(vectors) = fs::read(folder.join(PARITY_FILE)) {
            let (parts, _) = Parts::load(&folder).unwrap();
            let verified = verify_parity(&parts, &vectors);
            let verified = verified.unwrap_or_else(|error| panic!("{folder:?}: {error}"));
            assert!(verified.rows > 50 && verified.explained_rows > 0, "{folder:?}: {verified:?}");
            n_verified += 1;
        }
    }
    assert!(n_verified > 0);
}
