//! What `score` leaves for others: tables as their contracts say, with what a reader of them needs.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use parquet::basic::Repetition;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use polars::prelude::*;
use serde_json::Value;
use terms::{AsOf, HOUR_MICROS, Instant, column};

use crate::program::{AS_OF, Folder, PIPELINE, longhaul, read_frame, write_frame};

/// A week.
const WEEK_MICROS: i64 = 7 * 24 * HOUR_MICROS;

const TABLES: [&str; 3] = ["predictions", "at_risk", "speed_table"];

/// The folder of the outputs of the score stage.
fn scored(store: &Folder, more: &[&str]) -> PathBuf {
    let scored = store.run("score", &[&["--json"], more].concat()).ok().json();
    store.path().join(scored["folder"].as_str().expect("a folder"))
}

/// Instants, in microseconds.
fn micros(frame: &DataFrame, name: &str) -> Vec<Option<i64>> {
    let utc = DataType::Datetime(TimeUnit::Microseconds, Some(TimeZone::UTC));
    let column = frame.column(name).expect(name);
    assert_eq!(*column.dtype(), utc, "{name}");
    column.cast(&DataType::Int64).expect(name).i64().expect(name).iter().collect()
}

fn numbers(frame: &DataFrame, name: &str) -> Vec<Option<f32>> {
    frame.column(name).expect(name).f32().expect(name).iter().collect()
}

fn texts(frame: &DataFrame, name: &str) -> Vec<Option<String>> {
    let texts = frame.column(name).expect(name).str().expect(name).clone();
    texts.iter().map(|text| text.map(str::to_owned)).collect()
}

#[test]
fn the_tables_of_a_night_are_as_their_contracts_say_and_say_so() {
    let store = Folder::with_simulated_tables();
    store.run("run", &[]).ok();
    let folder = scored(&store, &[]);
    for table in TABLES {
        let contract = intake::Contract::shipped(table).unwrap().unwrap();
        let bytes =
            bytes::Bytes::from(std::fs::read(folder.join(format!("{table}.parquet"))).unwrap());
        assert!(intake::check_output(&contract, table, &bytes).unwrap() > 50, "{table}");
        let reader = SerializedFileReader::new(bytes).unwrap();
        let file = reader.metadata().file_metadata();
        let fields = file.schema_descr().root_schema().get_fields();
        let names: Vec<&str> = fields.iter().map(|field| field.name()).collect();
        let expected: Vec<&str> = contract.columns().iter().map(|column| &*column.name).collect();
        assert_eq!(names, expected, "{table}: every column, in the order of the contract");
        for (field, column) in fields.iter().zip(contract.columns()) {
            let is_required = field.get_basic_info().repetition() == Repetition::REQUIRED;
            assert_eq!(is_required, column.required, "{table}: {}", column.name);
        }
        let entries = file.key_value_metadata().expect("metadata");
        let value = |key: &str| {
            let entry = entries.iter().find(|entry| entry.key == format!("longhaul.{key}"));
            entry.and_then(|entry| entry.value.clone())
        };
        assert_eq!(value("contract").as_deref(), Some(table));
        assert_eq!(value("contract_version").as_deref(), Some(contract.version()));
        assert_eq!(value("model_id"), Some(store.model_id()));
        assert_eq!(value("as_of").as_deref(), Some(AS_OF));
    }
}

#[test]
fn a_prediction_says_how_old_it_is_how_far_it_has_come_and_when_it_is_expected() {
    let store = Folder::with_simulated_tables();
    store.run("publish", &[]).ok();
    let frame = read_frame(&scored(&store, &[]).join("predictions.parquet"));
    let n_rows = frame.height();
    let as_of = AS_OF.parse::<AsOf>().unwrap().instant();
    let ordered_at = micros(&frame, column::ORDERED_AT);
    let ages = numbers(&frame, column::AGE_HOURS);
    let lags = numbers(&frame, column::RECORDING_LAG_HOURS);
    let lag = lags[0].unwrap();
    assert!(lags.iter().all(|found| *found == Some(lag)) && (0.1..72.0).contains(&lag), "{lag}");
    for row in 0..n_rows {
        let ordered_at = Instant::from_micros(ordered_at[row].unwrap());
        let (age, expected) = (f64::from(ages[row].unwrap()), as_of.hours_since(ordered_at));
        assert!((age - expected).abs() < 1e-3, "row {row}: {age}");
    }
    assert_eq!(micros(&frame, column::AS_OF), vec![Some(as_of.micros()); n_rows]);

    // The quantiles again, as instants; nothing is expected before it was open for certain.
    for (hours, eta) in column::HOURS.into_iter().zip(column::ETA) {
        let (hours, eta) = (numbers(&frame, hours), micros(&frame, eta));
        for row in 0..n_rows {
            let (hours, eta) = (hours[row].unwrap(), eta[row].unwrap());
            let expected = ordered_at[row].unwrap() as f64 + f64::from(hours) * HOUR_MICROS as f64;
            assert!((eta as f64 - expected).abs() < 1e6, "row {row}: {eta} is not {expected}");
            assert_eq!(eta % 1_000_000, 0);
            assert!(hours >= ages[row].unwrap() - lag - 0.01, "row {row}: {hours}");
        }
    }

    let milestones = texts(&frame, column::MILESTONE);
    let n_waiting = milestones.iter().filter(|found| found.as_deref() == Some("ordered")).count();
    assert!(n_waiting > 20 && n_rows - n_waiting > 20, "{n_waiting} of {n_rows} wait");
    let levels = numbers(&frame, column::LEVEL_HOURS);
    assert!(levels.iter().all(|level| (10.0..500.0).contains(&level.unwrap())), "{levels:?}");
}

#[test]
fn milestones_are_those_of_the_tables() {
    let store = Folder::with_simulated_tables();
    store.run("publish", &[]).ok();
    let frame = read_frame(&scored(&store, &[]).join("predictions.parquet"));
    // The last version of each shipment, by the table itself.
    let as_of = AS_OF.parse::<AsOf>().unwrap().instant().micros();
    let mut last = std::collections::BTreeMap::new();
    for path in store.partitions("shipments") {
        let versions = read_frame(&path);
        let (ids, recorded_at) =
            (texts(&versions, "shipment_id"), micros(&versions, "recorded_at"));
        let handed_over_at = micros(&versions, "handed_over_at");
        for row in 0..versions.height() {
            let (Some(id), Some(recorded_at)) = (ids[row].clone(), recorded_at[row]) else {
                continue;
            };
            let entry = last.entry(id).or_insert((recorded_at, handed_over_at[row]));
            if recorded_at < as_of && recorded_at >= entry.0 {
                *entry = (recorded_at, handed_over_at[row]);
            }
        }
    }
    let milestones = texts(&frame, column::MILESTONE);
    // Some versions are in quarantine, which the tables do not say.
    let agree = texts(&frame, "shipment_id").into_iter().zip(milestones).filter(|(id, found)| {
        let handed_over = last[id.as_ref().unwrap()].1.is_some();
        found.as_deref() == Some(if handed_over { "handed_over" } else { "ordered" })
    });
    let agree = agree.count();
    assert!(agree * 100 >= frame.height() * 99, "{agree} of {}", frame.height());
}

#[test]
fn the_probability_of_missing_a_promise_is_that_of_the_distribution() {
    let store = Folder::with_simulated_tables();
    store.run("publish", &[]).ok();
    let folder = scored(&store, &[]);
    let frame = read_frame(&folder.join("predictions.parquet"));
    let promised_at = micros(&frame, column::PROMISED_AT);
    let missing = numbers(&frame, column::PROBABILITY_OF_MISSING_PROMISE);
    let eta: Vec<Vec<Option<i64>>> =
        column::ETA.into_iter().map(|name| micros(&frame, name)).collect();
    let mut n_promised = 0;
    for row in 0..frame.height() {
        let Some(promised_at) = promised_at[row] else {
            assert_eq!(missing[row], None);
            continue;
        };
        n_promised += 1;
        let missing = f64::from(missing[row].unwrap());
        assert!((0.0..=1.0).contains(&missing));
        for (level, eta) in terms::LEVELS.into_iter().zip(&eta) {
            let (eta, second) = (eta[row].unwrap(), 1_000_000);
            // Delivered by the eta with the probability of its level, so later with the rest.
            if promised_at > eta + second {
                assert!(missing <= 1.0 - level + 1e-3, "row {row}: {missing} after p{level}");
            } else if promised_at < eta - second {
                assert!(missing >= 1.0 - level - 1e-3, "row {row}: {missing} before p{level}");
            }
        }
    }
    assert!(n_promised > 100, "{n_promised}");

    // The list of those at risk has the same, the likeliest first.
    let at_risk = read_frame(&folder.join("at_risk.parquet"));
    assert_eq!(at_risk.height(), n_promised);
    let probabilities = numbers(&at_risk, column::PROBABILITY_OF_MISSING_PROMISE);
    assert!(probabilities.windows(2).all(|pair| pair[0] >= pair[1]), "they descend");
    assert!(probabilities[0] > probabilities[n_promised - 1], "and not all are equal");
    let of_predictions: BTreeMap<_, _> =
        texts(&frame, "shipment_id").into_iter().zip(missing).collect();
    for (id, probability) in texts(&at_risk, "shipment_id").iter().zip(&probabilities) {
        assert_eq!(of_predictions[id], *probability);
    }
    let as_of = AS_OF.parse::<AsOf>().unwrap().instant().micros();
    let passed = at_risk.column("promise_passed").unwrap().bool().unwrap().clone();
    let expected = micros(&at_risk, column::PROMISED_AT).into_iter().map(|at| Some(at? < as_of));
    assert!(passed.iter().eq(expected));
    assert!(at_risk.column("carrier").unwrap().null_count() < n_promised / 2, "lanes are there");
}

#[test]
fn a_promise_is_the_one_that_was_recorded_last() {
    let store = Folder::with_simulated_tables();
    store.run("publish", &[]).ok();
    let before = read_frame(&scored(&store, &[]).join("predictions.parquet"));

    // The last night also records some of the orders again, with a week more to deliver them.
    let mut partitions = store.partitions("orders");
    partitions.retain(|path| {
        let recorded_on = path.parent().and_then(Path::file_name).and_then(OsStr::to_str);
        recorded_on.is_some_and(|folder| folder < &*format!("recorded_on={AS_OF}"))
    });
    let path = partitions.last().expect("a partition");
    let mut last = read_frame(path);
    let recorded_at = last.column(column::RECORDED_AT).unwrap().slice(0, 1);
    let week = DataType::Duration(TimeUnit::Microseconds);
    let week = Column::new("week".into(), [WEEK_MICROS]).cast(&week).unwrap();
    let in_last = texts(&last, column::ORDER_ID);
    let of_open = texts(&before, column::ORDER_ID);
    let chosen: BTreeSet<&Option<String>> =
        of_open.iter().step_by(7).filter(|id| !in_last.contains(id)).collect();
    let mut corrected = BTreeSet::new();
    for partition in &partitions[..partitions.len() - 1] {
        let rows = read_frame(partition);
        let ids = texts(&rows, column::ORDER_ID).into_iter();
        let is_first = ids.map(|id| chosen.contains(&id) && corrected.insert(id));
        let mut again = rows.filter(&is_first.collect()).unwrap();
        let promised_at = (again.column(column::PROMISED_AT).unwrap() + &week).unwrap();
        again.with_column(promised_at).unwrap();
        again.with_column(recorded_at.new_from_index(0, again.height())).unwrap();
        last.vstack_mut(&again).unwrap();
    }
    let n_corrected = corrected.len();
    assert!(n_corrected > 10, "{n_corrected}");
    write_frame(path, &mut last);

    let folder = scored(&store, &[]);
    let after = read_frame(&folder.join("predictions.parquet"));
    assert_eq!(texts(&after, "shipment_id"), texts(&before, "shipment_id"));
    let [promised, promised_before] =
        [&after, &before].map(|frame| micros(frame, column::PROMISED_AT));
    let [missing, missing_before] =
        [&after, &before].map(|frame| numbers(frame, column::PROBABILITY_OF_MISSING_PROMISE));
    let mut n_likelier_kept = 0;
    for (row, id) in of_open.iter().enumerate() {
        if chosen.contains(&id) {
            let later = promised[row].unwrap() - promised_before[row].unwrap();
            assert!((later - WEEK_MICROS).abs() <= 1_000_000, "row {row}: {later}");
            assert!(missing[row] <= missing_before[row], "row {row}");
            n_likelier_kept += usize::from(missing[row] < missing_before[row]);
        } else {
            assert_eq!(promised[row], promised_before[row], "row {row}");
            assert_eq!(missing[row], missing_before[row], "row {row}");
        }
    }
    assert!(n_likelier_kept > 10, "{n_likelier_kept}");
    let at_risk = read_frame(&folder.join("at_risk.parquet"));
    let listed =
        texts(&at_risk, "shipment_id").into_iter().zip(micros(&at_risk, column::PROMISED_AT));
    let listed: BTreeMap<_, _> = listed.collect();
    for (id, promised) in texts(&after, "shipment_id").iter().zip(promised) {
        assert_eq!(listed.get(id).copied().flatten(), promised);
    }
}

/// Where others find the predictions of the small pipeline.
const PLACE: &str = "predictions/small";

fn document(store: &Folder, path: &str) -> Value {
    let bytes = std::fs::read(store.path().join(PLACE).join(path)).expect(path);
    serde_json::from_slice(&bytes).expect("JSON")
}

/// The as-of that the pointer names, and the model that scored there.
fn latest(store: &Folder) -> (String, String) {
    let latest = document(store, "latest.json");
    let text = |name: &str| latest[name].as_str().expect(name).to_owned();
    let as_of = text("as_of");
    assert_eq!(text("folder"), format!("{PLACE}/as_of={as_of}"));
    let manifest = std::fs::read(store.path().join(text("folder")).join("manifest.json"));
    let manifest = manifest.expect("a manifest");
    assert_eq!(text("manifest_sha256"), terms::Digest::of(&manifest).to_string());
    (as_of, text("model_id"))
}

/// Runs a stage as of a day, at the end of its stages.
fn on_night(store: &Folder, verb: &str, as_of: &str, more: &[&str]) -> Value {
    let arguments = [verb, PIPELINE, "--store", store.url(), "--as-of", as_of, "--json"];
    longhaul(&[&arguments[..], more].concat()).ok().json()
}

#[test]
fn a_consumer_finds_the_newest_night_and_a_backfill_does_not_move_it() {
    let store = Folder::with_simulated_tables();
    let evening = on_night(&store, "run", "2025-10-28", &[]);
    assert_eq!(latest(&store).0, "2025-10-28");
    let outputs = evening["stages"][5]["folder"].as_str().expect("a folder");
    for table in TABLES {
        let read =
            |folder: &str| std::fs::read(store.path().join(format!("{folder}/{table}.parquet")));
        let copy = read(&format!("{PLACE}/as_of=2025-10-28")).expect(table);
        assert!(copy == read(outputs).expect(table), "{table}");
        let digest = &document(&store, "as_of=2025-10-28/manifest.json")["files"]
            [format!("{table}.parquet")];
        assert_eq!(digest.as_str(), Some(terms::Digest::of(&copy).as_str()), "{table}");
    }
    on_night(&store, "score", AS_OF, &[]);
    assert_eq!(latest(&store).0, AS_OF);
    on_night(&store, "run", "2025-10-27", &[]);
    assert_eq!(latest(&store).0, AS_OF, "an older night is there and moves nothing");
    assert!(store.path().join(PLACE).join("as_of=2025-10-27/predictions.parquet").is_file());
    // Planning writes nothing.
    let before = store.objects();
    longhaul(&["plan", PIPELINE, "--store", store.url(), "--as-of", "2025-10-26"]).ok();
    assert!(store.objects() == before);
}

#[test]
fn a_night_that_is_scored_anew_replaces_its_tables_and_going_back_does_too() {
    let store = Folder::with_simulated_tables();
    store.run("publish", &[]).ok();
    let score = |more: &[&str]| {
        scored(&store, more);
        let path = store.path().join(PLACE).join(format!("as_of={AS_OF}"));
        let frame = read_frame(&path.join("predictions.parquet"));
        let manifest = document(&store, &format!("as_of={AS_OF}/manifest.json"));
        latest(&store);
        (numbers(&frame, "hours_p05"), manifest["scored_in"].clone())
    };
    let open = score(&[]);
    let before = store.objects();
    assert_eq!(score(&[]), open);
    assert!(store.objects() == before, "what is there is not written again");
    let as_ordered = score(&["--set", "score.given_still_open=false"]);
    assert!(as_ordered.0 != open.0 && as_ordered.1 != open.1);
    // Its stage was done before, and is skipped: its tables come back all the same.
    assert_eq!(score(&[]), open);
    assert!(
        store
            .objects()
            .into_iter()
            .filter(|(name, _)| name.starts_with(PLACE))
            .eq(before.into_iter().filter(|(name, _)| name.starts_with(PLACE)))
    );
}

#[test]
fn a_replacement_that_was_killed_is_found_and_mended() {
    let store = Folder::with_simulated_tables();
    store.run("publish", &[]).ok();
    scored(&store, &[]);
    let whole = store.objects();
    let verify = |more: &[&str]| longhaul(&[&["verify", "--store", store.url()], more].concat());
    let path = |name: &str| store.path().join(PLACE).join(name);
    let of_night = |name: &str| path(&format!("as_of={AS_OF}/{name}"));
    // One table of another scoring, whose manifest was not written any more; and a pointer cut short.
    let other = scored(&store, &["--set", "score.given_still_open=false"]);
    let (tables, manifest) = (of_night("predictions.parquet"), of_night("manifest.json"));
    for (name, bytes) in whole.iter().filter(|(name, _)| name.starts_with(PLACE)) {
        std::fs::write(store.path().join(name), bytes).unwrap();
    }
    std::fs::copy(other.join("predictions.parquet"), &tables).unwrap();
    std::fs::write(path("latest.json"), b"{").unwrap();
    let found = verify(&[]);
    found.refuses(10, &["2 objects are not as they were written"]);
    let mended = verify(&["--repair"]).ok();
    assert!(mended.stdout.contains("mended"), "{}", mended.stdout);
    let now = store.objects();
    assert!(whole.iter().all(|(name, bytes)| now.get(name) == Some(bytes)), "as they were");
    verify(&[]).ok();

    // A pointer to a manifest of before, and a manifest that is gone: the night makes them again.
    for damaged in [manifest, path("latest.json")] {
        std::fs::remove_file(damaged).unwrap();
        scored(&store, &[]);
        verify(&[]).ok();
        let now = store.objects();
        assert!(whole.iter().all(|(name, bytes)| now.get(name) == Some(bytes)));
    }
}

#[test]
fn gc_keeps_the_predictions_of_as_many_nights_and_the_newest_always() {
    let store = Folder::with_simulated_tables();
    let nights = ["2025-10-26", "2025-10-27", "2025-10-28"];
    for as_of in nights {
        on_night(&store, "run", as_of, &[]);
    }
    // Of another pipeline, whose nights are all older than those that are kept.
    let other = ["--set", "name=\"other\""];
    on_night(&store, "run", "2025-10-25", &other);
    on_night(&store, "run", "2025-10-24", &other);
    longhaul(&["gc", "--store", store.url(), "--keep", "2", "--delete"]).ok();
    let left: Vec<String> =
        store.objects().into_keys().filter(|name| name.starts_with("predictions/")).collect();
    let of = |folder: &str| left.iter().filter(|name| name.starts_with(folder)).count();
    let kept = ["small/as_of=2025-10-27", "small/as_of=2025-10-28", "other/as_of=2025-10-25"];
    for folder in kept {
        assert_eq!(
            of(&format!("predictions/{folder}/")),
            5,
            "{folder}: three tables, one of them in two forms, and a manifest"
        );
    }
    assert_eq!(left.len(), 3 * 5 + 2, "and two pointers: {left:?}");
    assert_eq!(latest(&store).0, "2025-10-28");
    longhaul(&["verify", "--store", store.url()]).ok();
}

#[test]
fn a_carrier_that_has_become_slow_is_named_with_its_share_of_late_deliveries() {
    let store = Folder::empty();
    let slow = "simulate.episodes=[{kind=\"slowdown\",from=\"2025-10-15\",factor=3.0,carrier=\"crown_post\"}]";
    longhaul(&["simulate", PIPELINE, "--store", store.url(), "--set", slow]).ok();
    on_night(&store, "publish", "2025-10-15", &[]);
    let late =
        |as_of: &str| on_night(&store, "score", as_of, &[])["summary"]["late_shares"].clone();
    let before = late("2025-10-15");
    assert_eq!(before["later_than"], "promise");
    let is_slow = |late: &Value| {
        let worse = late["worse"].as_array().expect("a list").iter();
        let carriers = worse.filter(|worse| worse["by"] == "carrier");
        carriers.clone().any(|worse| worse["name"] == "crown_post")
    };
    assert!(!is_slow(&before), "{before}");
    let now = late(AS_OF);
    assert!(is_slow(&now), "{now}");
    for worse in now["worse"].as_array().expect("a list") {
        let number = |name: &str| worse[name].as_f64().expect(name);
        assert!(number("late_share") > number("late_share_before"), "{worse}");
        assert!(number("deliveries").min(number("deliveries_before")) >= 30.0, "{worse}");
    }
}
