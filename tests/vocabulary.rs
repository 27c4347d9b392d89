//! Words: every file says what it is for, no retired word comes back as an identifier, and
//! ARCHITECTURE.md names files that exist and terms that have a source.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::program::root;

/// Words that were of our own making, and what is said instead. A word in lower case is a part of
/// an identifier, whatever its case there (`world` is in `with_world` and in `WorldSettings`); one
/// with a capital is a whole type name.
const RETIRED: &[(&str, &str)] = &[
    ("asked", "requested, or what it is that is requested"),
    ("believed", "weight, or what the number is"),
    ("brought", "delta"),
    ("chances", "expected_noise_gain"),
    ("climb", "a branchless search"),
    ("door", "boundary, or the type at the boundary"),
    ("doors", "boundaries"),
    ("doubt", "quarantined"),
    ("doubts", "quarantined_versions"),
    ("forgotten", "already_built"),
    ("heard", "version, ShipmentVersion"),
    ("hears", "is recorded"),
    ("ladder", "padded borders"),
    ("ledger", "CumulativeTotals"),
    ("ledgers", "CumulativeTotals"),
    ("room", "crate"),
    ("rooms", "crates"),
    ("story", "Explainer, or what the text is"),
    ("stranger", "unknown_old_orders"),
    ("strangers", "unknown_old_orders"),
    ("surroundings", "ReferenceData"),
    ("teach", "train, fit"),
    ("told", "described, written, given"),
    ("witness", "control order"),
    ("witnesses", "control orders"),
    ("world", "fixture, or simulated network"),
    ("worlds", "fixtures, or simulated networks"),
    ("Asked", "HistoryPlan"),
    ("Brought", "DayDelta"),
    ("Contest", "Comparison"),
    ("Done", "StageResult"),
    ("Doubt", "QuarantinedVersion"),
    ("Earlier", "PreviousCheck"),
    ("Gone", "Excluded"),
    ("Heard", "ShipmentVersion"),
    ("Held", "Holdout"),
    ("Judge", "SplitFinder"),
    ("Judged", "MaturedRows"),
    ("Known", "what is known: JoinLookup, Population, FeatureSet"),
    ("Listed", "Listing"),
    ("Meaning", "BinMapping"),
    ("Night", "RunContext, or NightlyExtract of simulate"),
    ("Page", "MonthPage"),
    ("Place", "what it is: a position, a partition, an index"),
    ("Placed", "NewShipments"),
    ("Places", "IdLookup"),
    ("Positions", "KeyInterner"),
    ("Searched", "SplitInput"),
    ("Seeded", "statistics::SplitMix64"),
    ("Tracked", "ActiveShipments"),
    ("Tried", "AlterationResult"),
    ("Work", "what is done: TableCheckJob, Objective"),
    ("World", "NetworkSettings, or what the fixture is"),
    ("keeps_out", "release_refusal"),
    ("let_in", "released_rows"),
    ("put_pages_aside", "evict_pages"),
];

/// Names of files that say nothing of what is inside.
const EMPTY_NAMES: &[&str] = &["utils", "util", "common", "helpers", "helper", "manager"];

/// Every Rust file of the crates, tests and benchmarks.
fn sources() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders: Vec<PathBuf> = ["crates", "python", "tests", "benches", "schemas"]
        .iter()
        .map(|folder| root().join(folder))
        .collect();
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path())
        {
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    assert!(files.len() > 200, "{}", files.len());
    files
}

/// The code of a Rust file, without comments and texts.
pub(crate) fn without_comments_and_texts(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(next) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("r#\"") {
            rest.find("\"#").map_or(rest.len(), |end| end + 2)
        } else if next == '"' {
            end_of_text(rest)
        } else if rest.starts_with("'\"'") || rest.starts_with("'\\\"'") {
            // A quotation mark as a character begins no text.
            rest[1..].find('\'').map_or(rest.len(), |end| end + 2)
        } else {
            code.push(next);
            next.len_utf8()
        };
        rest = &rest[length..];
    }
    code
}

/// Where the text that begins here ends.
fn end_of_text(rest: &str) -> usize {
    let mut escaped = false;
    for (at, next) in rest.char_indices().skip(1) {
        match next {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// The words of an identifier in lower case: `with_world` and `WithWorld` have the same.
fn words_of(identifier: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for letter in identifier.chars() {
        let begins = letter == '_' || letter.is_uppercase();
        if begins && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| letter != '_') {
            word.extend(letter.to_lowercase());
        }
    }
    words
}

/// Names that are a library's, by the file that needs them.
const OF_LIBRARIES: [(&str, &str); 1] = [("crates/intake/src/check/delta_lists.rs", "Page")];

/// The retired word in an identifier, and what is said instead.
fn retired_in(identifier: &str) -> Option<&'static (&'static str, &'static str)> {
    let words = words_of(identifier);
    RETIRED
        .iter()
        .find(|(retired, _)| identifier == *retired || words.iter().any(|word| word == retired))
}

#[test]
fn no_retired_word_comes_back_as_an_identifier() {
    let mut found = Vec::new();
    for path in sources() {
        // The list itself is of texts, which do not count.
        let code = without_comments_and_texts(&std::fs::read_to_string(&path).unwrap());
        let identifiers: BTreeSet<&str> =
            code.split(|letter: char| !letter.is_alphanumeric() && letter != '_').collect();
        for identifier in identifiers {
            if let Some((retired, instead)) = retired_in(identifier) {
                let path = path.strip_prefix(root()).unwrap().display().to_string();
                if !OF_LIBRARIES.contains(&(path.as_str(), identifier)) {
                    let advice = format!("{retired} is retired; say {instead}");
                    found.push(format!("{path}: {identifier}: {advice}"));
                }
            }
        }
    }
    assert!(found.is_empty(), "{} identifiers:\n{}", found.len(), found.join("\n"));
}

#[test]
fn a_retired_word_is_found_in_any_case_and_not_in_texts() {
    assert!(retired_in("with_world").is_some() && retired_in("WorldFile").is_some());
    assert!(retired_in("Held").is_some() && retired_in("n_held").is_none());
    assert!(retired_in("headroom").is_none() && retired_in("keeps_out").is_some());
    let source = "let a = \"a \\\" world\"; // world\nlet b = '\"'; let lane = r#\"world\"#;";
    let code = without_comments_and_texts(source);
    assert!(!code.contains("world") && code.contains("let lane"), "{code}");
}

#[test]
fn every_file_says_what_it_is_for() {
    for path in sources() {
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("//!"), "{} has no header", path.display());
        let name = path.file_stem().unwrap().to_string_lossy();
        assert!(!EMPTY_NAMES.contains(&&*name), "{}: a name says what is inside", path.display());
    }
}

/// The lines of a section of ARCHITECTURE.md.
fn section(heading: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let heading = format!("## {heading}");
    let lines = text.lines().skip_while(|line| *line != heading).skip(1);
    let lines: Vec<String> =
        lines.take_while(|line| !line.starts_with("## ")).map(str::to_owned).collect();
    assert!(!lines.is_empty(), "ARCHITECTURE.md has no section {heading:?}");
    lines
}

#[test]
fn the_glossary_has_at_most_thirty_terms_each_with_a_source() {
    let lines = section("Glossary");
    let rows: Vec<Vec<&str>> = (lines.iter())
        .filter(|line| line.starts_with("| ") && !line.starts_with("| term |"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert!((15..=30).contains(&rows.len()), "{} terms", rows.len());
    for row in &rows {
        assert!(row.len() == 3 && row.iter().all(|cell| !cell.is_empty()), "{row:?}");
    }
    let terms: BTreeSet<&str> = rows.iter().map(|row| row[0]).collect();
    assert_eq!(terms.len(), rows.len(), "a term has one meaning");
}

#[test]
fn the_flow_of_a_row_names_each_file_once_and_every_file_exists() {
    let mut named = BTreeSet::new();
    for line in section("One row, file by file") {
        for file in line.split('`').skip(1).step_by(2).filter(|word| word.ends_with(".rs")) {
            assert!(root().join("crates").join(file).is_file(), "there is no crates/{file}");
            assert!(named.insert(file.to_owned()), "{file} is named twice");
        }
    }
    assert!(named.len() > 20, "{named:?}");
    for word in std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap().split('`') {
        let is_path = word.starts_with("crates/") || word.starts_with("tests/");
        let exists = |path: &Path| path.exists();
        assert!(!is_path || word.contains(' ') || exists(&root().join(word)), "{word}");
    }
}
