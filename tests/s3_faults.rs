//! A night over an S3 server with faults: the store of an undisturbed night, or a clear refusal after
//! which the next night succeeds.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use s3_server::{Fault, FaultRule, S3Server};

use crate::program::{AS_OF, Ended, Folder, PIPELINE, command, copy_all, ended};

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
        let url = format!("s3://{BUCKET}/p");
        let mut arguments = vec!["run", PIPELINE, "--store", &url, "--as-of", AS_OF];
        arguments.extend(more);
        ended(command(&arguments).envs(self.server.variables()))
    }

    /// The objects, without leases, which say who worked when.
    fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        let prefix = format!("{BUCKET}/p/");
        self.folder
            .files()
            .into_iter()
            .filter_map(|(path, bytes)| Some((path.strip_prefix(&prefix)?.to_owned(), bytes)))
            .filter(|(path, _)| !path.starts_with("locks/"))
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
