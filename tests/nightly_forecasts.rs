//! What models predict night by night is stored, and a later night compares challengers and champions
//! on it once it has matured.

use serde_json::Value;

use crate::program::{Ended, Folder, PIPELINE, longhaul, read_frame, skipped};

/// Nights that publish. On the last one the orders between the second and the third are recorded.
const NIGHTS: [&str; 4] = ["2025-09-28", "2025-09-29", "2025-09-30", "2025-10-03"];
/// A night on which these have matured.
const LATER: &str = "2025-10-25";

/// A night of the small network is compared, and its noise is no reason to refuse.
const GATE_OF_FEW: &str = "evaluate.gates.nightly_rows_min=50";
const TOLERANCE: &str = "evaluate.gates.worse_than_champion_max=0.2";

fn night(store: &Folder, as_of: &str, more: &[&str]) -> Ended {
    let arguments = ["run", PIPELINE, "--store", store.url(), "--as-of", as_of, "--json"];
    let set = ["--set", GATE_OF_FEW, "--set", TOLERANCE];
    longhaul(&[&arguments[..], &set, more].concat())
}

/// The files below `forecasts/`, with their bytes.
fn stored(store: &Folder) -> Vec<(String, Vec<u8>)> {
    let files = store.files().into_iter();
    files.filter(|(name, _)| name.starts_with("forecasts/")).collect()
}

/// The metrics of the last evaluation as of a night.
fn metrics(store: &Folder, as_of: &str) -> Value {
    let arguments = ["evaluate", PIPELINE, "--store", store.url(), "--as-of", as_of, "--json"];
    let set = ["--set", GATE_OF_FEW, "--set", TOLERANCE];
    let result = longhaul(&[&arguments[..], &set].concat()).ok().json();
    assert_eq!(result["skipped"], true, "{as_of} was done");
    let folder = result["folder"].as_str().expect("a folder");
    let bytes = std::fs::read(store.path().join(folder).join("metrics.json")).expect("metrics");
    serde_json::from_slice(&bytes).expect("JSON")
}

#[test]
fn challengers_and_champions_are_compared_on_what_they_predicted() {
    let store = Folder::with_simulated_tables();
    for as_of in &NIGHTS[..3] {
        night(&store, as_of, &[]).ok();
        assert!(stored(&store).is_empty(), "no orders of two models are recorded at {as_of}");
    }
    night(&store, NIGHTS[3], &[]).ok();
    let files = stored(&store);
    let [(name, _)] = &files[..] else { panic!("one file: {}", files.len()) };
    assert!(name.starts_with("forecasts/small/2025-09-29/"), "{name}");
    let frame = read_frame(&store.path().join(name));
    let roles = frame.column("role").unwrap().str().unwrap().clone();
    let challengers = roles.iter().filter(|role| *role == Some("challenger")).count();
    assert!(challengers > 50 && frame.height() == 2 * challengers, "{challengers}");
    assert_eq!(frame.column("model_id").unwrap().n_unique().unwrap(), 2);
    assert_eq!(frame.column("shipment_id").unwrap().n_unique().unwrap(), challengers);
    assert!(metrics(&store, NIGHTS[3])["nightly"].is_null(), "nothing has matured");

    // A rerun stores nothing else, and neither does one that computes again.
    night(&store, NIGHTS[3], &[]).ok();
    night(&store, NIGHTS[3], &["--force"]).ok();
    assert_eq!(stored(&store), files);

    // Later both are compared on the rows of that night.
    night(&store, LATER, &[]).ok();
    let found = metrics(&store, LATER);
    let nightly = &found["nightly"];
    assert_eq!(nightly["nights"], 1);
    let rows = nightly["rows"].as_u64().unwrap() as usize;
    assert!(rows * 10 > challengers * 8 && rows <= challengers, "{rows} of {challengers}");
    let [challenger, champion] = ["challengers_pinball_days", "champions_pinball_days"]
        .map(|name| nightly[name].as_f64().unwrap());
    assert!(challenger > 0.0 && (challenger / champion - 1.0).abs() < 0.2, "{nightly}");
    let gates = found["verdict"]["gates"].as_array().unwrap();
    let names: Vec<&str> = gates.iter().map(|gate| gate["name"].as_str().unwrap()).collect();
    assert_eq!(names.last(), Some(&"nightly_not_worse_than_champions"), "{names:?}");
    assert_eq!(gates.last().unwrap()["found"].as_f64(), Some(challenger));

    // What other settings trained is not judged by it, and an altered file is noticed.
    night(&store, LATER, &["--set", "train.boost.rounds=31"]).ok();
    let path = store.path().join(name);
    crate::program::flip(&path);
    // It cannot be predicted again: the night goes on without it, and says so.
    let without = night(&store, LATER, &["--set", "train.boost.rounds=32"]);
    let expected = "a night is not compared: ";
    assert!(without.stderr.contains(expected), "{}", without.stderr);
}

#[test]
fn an_old_night_does_not_read_later_ones() {
    let store = Folder::with_simulated_tables();
    NIGHTS.iter().for_each(|as_of| drop(night(&store, as_of, &[]).ok()));
    let before = metrics(&store, NIGHTS[3]);
    night(&store, LATER, &[]).ok();
    // Its inputs are what they were, so it is skipped, and so is all after it.
    assert_eq!(metrics(&store, NIGHTS[3]), before);
    let again = night(&store, NIGHTS[3], &[]).ok().json();
    let stages = ["check", "features", "train", "evaluate", "publish", "score"];
    assert_eq!(skipped(&again), stages);
}
