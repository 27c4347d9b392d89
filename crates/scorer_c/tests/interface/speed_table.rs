//! Speed tables: the functions, `examples/speed.c` and the program of the documentation, on a generated
//! table.
#![expect(unsafe_code, reason = "the functions are those that C calls")]

use std::ffi::{CStr, CString, c_char};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::ptr::{null, null_mut};

use longhaul_scorer::*;
use scorer::encode_speed_table;
use tempfile::TempDir;

use crate::example::{compiled, folder, run, shared_library, stdout};
use crate::functions::{last_error, text};

#[path = "../../../scorer/examples/generated/speed_table.rs"]
mod generated;

/// Hours for which the probability of delivery within them is compared.
const HOURS: [f64; 5] = [0.0, 20.5, 71.9, 1_440.0, 5_000.0];

fn written() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("speed.bin");
    let bytes = encode_speed_table(&generated::header(), &generated::rows()).expect("a table");
    std::fs::write(&path, bytes).expect("a file");
    (folder, path)
}

fn open(path: &Path) -> (Status, *mut SpeedTable) {
    let path = CString::new(path.to_str().expect("UTF-8")).expect("no NUL");
    let mut table = null_mut();
    // SAFETY: a text and memory for a pointer.
    (unsafe { longhaul_speed_table_open(path.as_ptr(), &raw mut table) }, table)
}

/// The texts of a lane as C has them; those of `Lane` lead into them.
struct OfC {
    texts: [Option<CString>; 6],
    weight_g: f32,
}

impl OfC {
    fn new(lane: &scorer::Lane<'_>) -> Self {
        let texts = [
            lane.origin_zone,
            lane.origin_region,
            lane.destination_zone,
            lane.destination_region,
            lane.carrier,
            lane.service,
        ];
        let texts = texts.map(|text| text.map(|text| CString::new(text).expect("no NUL")));
        Self { texts, weight_g: lane.weight_g.unwrap_or(0.0) }
    }

    fn lane(&self) -> Lane {
        let pointers =
            self.texts.each_ref().map(|text| text.as_ref().map_or(null(), |text| text.as_ptr()));
        let [origin_zone, origin_region, destination_zone, destination_region, carrier, service] =
            pointers;
        let weight_g = self.weight_g;
        Lane {
            origin_zone,
            origin_region,
            destination_zone,
            destination_region,
            carrier,
            service,
            weight_g,
        }
    }
}

fn lookup(table: *const SpeedTable, lane: &Lane) -> LaneSpeed {
    let mut speed = UNTOUCHED;
    // SAFETY: a table that is open, a lane, and memory for its speed.
    assert_eq!(unsafe { longhaul_lookup(table, lane, &raw mut speed) }, Status::Ok);
    speed
}

const UNTOUCHED: LaneSpeed = LaneSpeed {
    grouping: 77,
    n_shipments: 77,
    step_days: 77,
    probability_over_2d: -1.0,
    hours: [-1.0; LONGHAUL_LEVELS],
    probability_by_day: [-1.0; LONGHAUL_DAYS],
};

#[test]
fn a_lookup_gives_the_bits_of_the_scorer() {
    let (_folder, path) = written();
    let (status, table) = open(&path);
    assert_eq!(status, Status::Ok);
    let expected = scorer::SpeedTable::open(&path).unwrap();
    let mut groupings = std::collections::BTreeSet::new();
    for lane in generated::requests() {
        let (speed, of_c) = (expected.lookup(&lane), OfC::new(&lane));
        let found = lookup(table, &of_c.lane());
        assert_eq!(found, speed.into(), "{lane:?}");
        assert_eq!(found.grouping as usize, speed.grouping().index());
        let name = text(longhaul_grouping_name(found.grouping));
        assert_eq!(name, Some(&*speed.grouping().name()));
        for hours in HOURS {
            // SAFETY: the speed of a lookup.
            let within = unsafe { longhaul_probability_within(&raw const found, hours) };
            assert_eq!(within.to_bits(), speed.probability_within(hours).to_bits());
        }
        groupings.insert(found.grouping);
    }
    assert_eq!(groupings.len(), LONGHAUL_GROUPINGS, "{groupings:?}");
    // SAFETY: a table that is open, and then freed once.
    unsafe {
        assert_eq!(longhaul_speed_table_row_count(table), generated::rows().len());
        assert_eq!(text(longhaul_speed_table_model_id(table)), Some("generated-1"));
        let as_of = expected.header().as_of;
        assert_eq!(longhaul_speed_table_as_of(table), as_of.micros());
        assert_eq!(longhaul_speed_table_verify(table), Status::Ok);
        longhaul_speed_table_free(table);
    }
}

#[test]
fn what_is_no_table_no_lane_and_no_memory_is_refused_and_writes_nothing() {
    let (folder, path) = written();
    let (status, table) = open(&path);
    assert_eq!(status, Status::Ok);
    let mut out = UNTOUCHED;
    let nothing_known = OfC::new(&scorer::Lane::default()).lane();
    let not_utf8 = Lane { carrier: c"\xff".as_ptr(), ..nothing_known };
    // SAFETY: what is not to be refused is a table, a lane or memory for its speed.
    unsafe {
        let refused = [
            longhaul_lookup(null(), &raw const nothing_known, &raw mut out),
            longhaul_lookup(table, null(), &raw mut out),
            longhaul_lookup(table, &raw const nothing_known, null_mut()),
            longhaul_speed_table_open(null(), null_mut()),
            longhaul_speed_table_open(c"speed.bin".as_ptr(), null_mut()),
            longhaul_speed_table_verify(null()),
        ];
        assert_eq!(refused, [Status::InvalidPointer; 6]);
        let status = longhaul_lookup(table, &raw const not_utf8, &raw mut out);
        assert_eq!((status, out), (Status::InvalidText, UNTOUCHED));
        assert!(last_error().starts_with("carrier: expected UTF-8"), "{}", last_error());
        assert!(longhaul_probability_within(null(), 3.0).is_nan());
        assert!(longhaul_probability_within(&raw const out, 3.0).is_nan());
        assert_eq!(longhaul_speed_table_model_id(null()), null());
        assert_eq!(longhaul_speed_table_row_count(null()), 0);
        assert_eq!(longhaul_speed_table_as_of(null()), 0);
        longhaul_speed_table_free(null_mut());
        longhaul_speed_table_free(table);
    }
    assert_eq!(longhaul_grouping_name(LONGHAUL_GROUPINGS as u32), null::<c_char>());
    assert_eq!(open(&folder.path().join("none")), (Status::InvalidSpeedTable, null_mut()));
    assert!(last_error().contains("none\": cannot be read: No such file"), "{}", last_error());
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.pop();
    std::fs::write(folder.path().join("cut"), &bytes).unwrap();
    assert_eq!(open(&folder.path().join("cut")), (Status::InvalidSpeedTable, null_mut()));
    assert!(last_error().contains("bytes, as its counts add up to, found"), "{}", last_error());
    // The digest is the last thing in the file.
    bytes.push(b'!');
    std::fs::write(folder.path().join("altered"), &bytes).unwrap();
    let (status, table) = open(&folder.path().join("altered"));
    assert_eq!(status, Status::Ok);
    // SAFETY: a table that is open, and then freed once.
    unsafe {
        assert_eq!(longhaul_speed_table_verify(table), Status::InvalidSpeedTable);
        longhaul_speed_table_free(table);
    }
    assert!(last_error().contains("expected SHA-256"), "{}", last_error());
}

/// A lane as the arguments of the example.
fn arguments(path: &Path, lane: &scorer::Lane<'_>) -> Vec<String> {
    let mut arguments = vec![path.display().to_string()];
    let mut add = |name: &str, value: Option<String>| {
        arguments.extend(value.map(|value| format!("{name}={value}")));
    };
    add("origin_zone", lane.origin_zone.map(str::to_owned));
    add("origin_region", lane.origin_region.map(str::to_owned));
    add("destination_zone", lane.destination_zone.map(str::to_owned));
    add("destination_region", lane.destination_region.map(str::to_owned));
    add("carrier", lane.carrier.map(str::to_owned));
    add("service", lane.service.map(str::to_owned));
    add("weight_g", lane.weight_g.map(|weight| weight.to_string()));
    HOURS.iter().for_each(|hours| add("within", Some(hours.to_string())));
    arguments
}

#[test]
fn the_example_in_c_gives_what_the_scorer_gives() {
    let (files, path) = written();
    let program = files.path().join("speed");
    compiled(&folder("examples/speed.c"), &program, &shared_library());
    let table = scorer::SpeedTable::open(&path).unwrap();
    for lane in generated::requests() {
        let output = run(&program, &arguments(&path, &lane));
        let mut lines = stdout(&output).lines();
        let speed = table.lookup(&lane);
        assert_eq!(lines.next(), Some("model generated-1, 16 rows"));
        assert_eq!(lines.next(), Some(&*format!("by {}", speed.grouping())));
        assert_eq!(lines.next(), Some(&*format!("shipments {}", speed.n_shipments())));
        let distribution = speed.distribution();
        let numbers: Vec<f64> =
            lines.map(|line| line.rsplit_once(' ').unwrap().1.parse().unwrap()).collect();
        let expected = std::iter::once(distribution.probability_over_2d);
        let expected = expected.chain(distribution.hours).chain(distribution.by_day);
        let (singles, doubles) = numbers.split_at(numbers.len() - HOURS.len());
        let singles: Vec<f32> = singles.iter().map(|&number| number as f32).collect();
        assert_eq!(singles, expected.collect::<Vec<f32>>());
        assert_eq!(doubles, HOURS.map(|hours| speed.probability_within(hours)));
    }
    let problem = |arguments: &[&str]| {
        let output = run(&program, &arguments.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let path = path.display().to_string();
    assert!(problem(&["/nowhere"]).contains("speed table \"/nowhere\": cannot be read"));
    assert!(problem(&[&path, "zone=3"]).contains("zone=3: expected column=value"));
    assert!(problem(&[&path, "weight_g=much"]).contains("expected a number, found much"));
}

#[test]
fn the_program_of_the_page_on_speed_tables_runs() {
    let page = std::fs::read_to_string(folder("../../docs/speed-table.md")).unwrap();
    let (_, program) = page.split_once("```c\n").unwrap();
    let (program, _) = program.split_once("```").unwrap();
    let (files, path) = written();
    let (source, binary) = (files.path().join("page.c"), files.path().join("page"));
    std::fs::write(&source, program).unwrap();
    compiled(&source, &binary, &shared_library());
    let output = Command::new(&binary).current_dir(files.path()).output().unwrap();
    let lane = scorer::Lane { destination_zone: Some("22041"), ..scorer::Lane::default() };
    let table = scorer::SpeedTable::open(&path).unwrap();
    let speed = table.lookup(&lane);
    let within = speed.probability_within(72.0);
    let expected = format!("by {}: within 72 hours {within:.3}\n", speed.grouping());
    assert_eq!(stdout(&output), expected);
}

#[test]
fn names_of_groupings_end_in_nul_and_stay() {
    let last = (LONGHAUL_GROUPINGS - 1) as u32;
    let name = longhaul_grouping_name(last);
    assert_eq!(longhaul_grouping_name(last), name);
    // SAFETY: a text that ends in NUL and is not freed.
    assert_eq!(unsafe { CStr::from_ptr(name) }, c"all");
}
