//! A night over an S3 server with faults: the store of an undisturbed night, or a clear refusal after
//! which the next night succeeds.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use polars::prelude::*;
use s3_server::{Fault, FaultRule, S3Server};

use crate::program::{AS_OF, Ended, Folder, PIPELINE, command, copy_all, ended, read_frame};

const BUCKET: &str = "orders";

/// A server whose bucket holds the tables of the simulated network.
struct Served {
    folder: Folder,
    server: S3Server,
}

impl Served {
    fn with_simulated_tables() -> Self {
        let folder = Folder::empty();
        let tables = Folder::with_simulated_tables();
        copy_all(tables.path(), &folder.path().join(BUCKET).join("p"));
        let server = S3Server::start(folder.path(), "key", "secret").expect("a server");
        Self { folder, server }
    }

    fn run(&self, more: &[&str]) -> Ended {
        self.run_as_of(AS_OF, more)
    }

    fn run_as_of(&self, as_of: &str, more: &[&str]) -> Ended {
        let url = format!("s3://{BUCKET}/p");
        let mut arguments = vec!["run", PIPELINE, "--store", &url, "--as-of", as_of];
        arguments.extend(more);
        ended(command(&arguments).envs(self.server.variables()))
    }

    /// The objects, without leases and records of runs, which say who worked when.
    fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        let prefix = format!("{BUCKET}/p/");
        self.folder
            .files()
            .into_iter()
            .filter_map(|(path, bytes)| Some((path.strip_prefix(&prefix)?.to_owned(), bytes)))
            .filter(|(path, _)| !path.starts_with("locks/") && !path.starts_with("nights/"))
            .collect()
    }

    #[track_caller]
    fn is_as_undisturbed(&self) {
        static UNDISTURBED: OnceLock<BTreeMap<String, Vec<u8>>> = OnceLock::new();
        let expected = UNDISTURBED.get_or_init(|| {
            let served = Self::with_simulated_tables();
            served.run(&[]).ok();
            served.objects()
        });
        let found = self.objects();
        let names =
            |objects: &BTreeMap<String, Vec<u8>>| objects.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&found), names(expected));
        for (path, bytes) in &found {
            assert!(expected[path] == *bytes, "{path} differs");
        }
    }
}

fn always(rule: FaultRule) -> FaultRule {
    FaultRule { times: u32::MAX, ..rule }
}

#[test]
fn faults_that_pass_leave_the_store_of_an_undisturbed_night() {
    let served = Served::with_simulated_tables();
    let get =
        |contains, fault, times| FaultRule { times, ..FaultRule::first("GET", contains, fault) };
    let put = |fault, skip| FaultRule {
        conditional: true,
        skip,
        times: 3,
        ..FaultRule::first("PUT", "/p/", fault)
    };
    served.server.inject(vec![
        FaultRule::first("GET", "list-type=2", Fault::Html),
        get("/p/tables/", Fault::ShortBody, 5),
        get("/p/tables/", Fault::FlippedBit, 5),
        get("/p/runs/", Fault::FlippedBit, 5),
        get("/p/", Fault::Reset, 3),
        get("/p/tables/", Fault::HugeLength, 2),
        put(Fault::Status500After, 0),
        put(Fault::LostAnswer, 4),
        FaultRule::first("PUT", "/current.json", Fault::Status500After),
        FaultRule::first("PUT", "/current.json", Fault::LostAnswer),
    ]);
    served.server.go_down_for(Duration::from_millis(500));
    served.run(&[]).ok();
    assert!(served.server.n_faults() > 20, "{} faults", served.server.n_faults());
    served.is_as_undisturbed();
}

#[test]
fn faults_that_last_are_refused_by_name_and_the_next_night_succeeds() {
    let served = Served::with_simulated_tables();
    let briefly = ["--set", "limits.storage_retry_seconds=1"];

    served.server.inject(vec![always(FaultRule::first("GET", "list-type=2", Fault::Html))]);
    served.run(&briefly).refuses(10, &["<html>", "LIST", "attempts", "hint:"]);

    served.server.inject(vec![always(FaultRule::first("GET", "/p/tables/", Fault::HugeLength))]);
    served.run(&briefly).refuses(20, &["9000000000000000000 bytes", "/p/tables/", "GET"]);

    served.server.inject(Vec::new());
    served.server.go_down_for(Duration::from_secs(5));
    served.run(&briefly).refuses(20, &["cannot reach", "attempts", " s)", "hint:"]);

    // By default it is waited for.
    served.run(&[]).ok();
    served.is_as_undisturbed();
}

/// A day's shipments as a file whose size does not depend on its values.
fn shipments_that_weigh(path: &Path, more: f64) -> Vec<u8> {
    let mut frame = read_frame(path);
    let heavier = frame.column("weight_g").expect("weights") + more;
    frame.with_column(heavier).expect("weights");
    let mut bytes = Vec::new();
    let writer = ParquetWriter::new(&mut bytes).with_compression(ParquetCompression::Uncompressed);
    writer.finish(&mut frame).expect("Parquet");
    bytes
}

#[test]
fn an_object_replaced_by_one_of_equal_size_is_noticed_though_lists_have_no_tags() {
    let path = "tables/shipments/recorded_on=2025-10-20/part-0000.parquet";
    let without_tags = || {
        let served = Served::with_simulated_tables();
        let lists = FaultRule::first("GET", "list-type=2", Fault::NoEtags);
        served.server.inject(vec![always(lists)]);
        let file = served.folder.path().join(BUCKET).join("p").join(path);
        (served, file)
    };
    let (served, file) = without_tags();
    let (light, heavy) = (shipments_that_weigh(&file, 0.0), shipments_that_weigh(&file, 1.0));
    assert!(light.len() == heavy.len() && light != heavy);
    // It is replaced between two runs of one night.
    for (as_of, shipments) in [("2025-10-28", &light), (AS_OF, &light), (AS_OF, &heavy)] {
        std::fs::write(&file, shipments).expect("a file");
        let night = served.run_as_of(as_of, &[]);
        assert!([0, 12].contains(&night.code), "{}", night.stderr);
    }
    assert!(served.server.n_faults() > 2, "lists without tags");

    // One that had it from the beginning.
    let (other, file) = without_tags();
    std::fs::write(&file, &heavy).expect("a file");
    other.run(&[]);
    let (found, expected) = (served.objects(), other.objects());
    let months = |path: &&String| path.ends_with("/features/months.json");
    let path = expected.keys().find(months).expect("features");
    assert!(found.get(path) == expected.get(path), "features of the old bytes");
}
