//! Planning, repeating and recording runs of the small network: what they say of themselves to people,
//! monitoring, lineage and a webhook, and how a signal ends them.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::program::{AS_OF, Ended, Folder, PIPELINE, command, ended, flip, root, skipped};

/// Runs of few trees: what is tested is not what they learn.
const QUICK: [&str; 2] = ["--set", "train.boost.rounds=10"];

fn on(store: &Folder, arguments: &[&str]) -> Ended {
    ended(&mut command(&[arguments, &["--store", store.url()]].concat()))
}

fn run(store: &Folder, as_of: &str, more: &[&str]) -> Ended {
    on(store, &[&["run", PIPELINE, "--as-of", as_of, "--json"][..], &QUICK, more].concat())
}

/// A store after one night.
fn after_a_night() -> Folder {
    static STORE: std::sync::OnceLock<Folder> = std::sync::OnceLock::new();
    let store = STORE.get_or_init(|| {
        let store = Folder::with_simulated_tables();
        run(&store, AS_OF, &[]).ok();
        store
    });
    store.copy()
}

/// What a plan says of each stage.
fn actions(plan: &Value) -> Vec<(String, String)> {
    let stages = plan["stages"].as_array().expect("stages").iter();
    let text = |stage: &Value, key: &str| stage[key].as_str().unwrap_or_default().to_owned();
    stages.map(|stage| (text(stage, "action"), text(stage, "reason"))).collect()
}

fn plan(store: &Folder, more: &[&str]) -> Value {
    on(store, &[&["plan", PIPELINE, "--as-of", AS_OF, "--json"][..], &QUICK, more].concat())
        .ok()
        .json()
}

#[test]
fn a_plan_of_an_empty_store_runs_everything_and_says_what_is_missing() {
    let store = Folder::empty();
    let plan = plan(&store, &[]);
    let actions = actions(&plan);
    assert!(actions.iter().all(|(action, _)| action == "RUN"), "{actions:?}");
    assert_eq!(actions[0].1, "no partition of orders, shipments: it would end with exit code 11");
    assert_eq!(plan["partitions"], serde_json::json!([]));
    assert_eq!(store.names(), [""; 0], "a plan writes nothing");
}

#[test]
fn a_plan_says_which_partition_changed_and_which_setting() {
    let store = after_a_night();
    let before = store.names();
    let done = plan(&store, &[]);
    assert!(actions(&done).iter().all(|(action, _)| action == "SKIP"), "{done}");
    let partitions = done["partitions"].as_array().expect("partitions");
    assert!(partitions.iter().all(|row| row["action"] == "SKIP"), "{partitions:?}");

    let trained = plan(&store, &["--set", "train.boost.rounds=11"]);
    let found = actions(&trained);
    assert_eq!((found[0].0.as_str(), found[1].0.as_str()), ("SKIP", "SKIP"));
    let expected = "train.boost.rounds was 10 and is 11";
    assert_eq!(found[2], ("STALE".to_owned(), expected.to_owned()));
    assert_eq!(found[4].1, "train runs first");

    // Another row in a day of September.
    let changed = store.partitions("shipments")[90].clone();
    let day = changed.parent().and_then(Path::file_name).expect("a partition").to_string_lossy();
    let day = day.strip_prefix("recorded_on=").expect("a day").to_owned();
    let extra = changed.with_file_name("part-0001.parquet");
    std::fs::copy(&changed, &extra).expect("a copy");
    let stale = plan(&store, &[]);
    assert!(actions(&stale).iter().all(|(action, _)| action == "STALE"), "{stale}");
    assert_eq!(actions(&stale)[0].1, "files of the tables are others");
    let of_shipments: Vec<&Value> = stale["partitions"]
        .as_array()
        .expect("partitions")
        .iter()
        .filter(|row| row["table"] == "shipments")
        .collect();
    let [earlier, this, later] = of_shipments[..] else { panic!("{of_shipments:?}") };
    assert_eq!((&earlier["action"], &earlier["partitions"]), (&"SKIP".into(), &90.into()));
    assert_eq!((&this["first"], &this["reason"]), (&day.into(), &"its files are others".into()));
    assert_eq!(later["reason"], "an earlier partition changed");
    std::fs::remove_file(extra).expect("removed");
    assert_eq!(store.names(), before, "a plan writes nothing");
}

#[test]
fn a_run_leaves_a_record_by_its_schema_and_two_records_are_compared() {
    let store = after_a_night();
    let again = run(&store, AS_OF, &["--set", "train.boost.rounds=11"]).ok().json();
    assert_eq!(skipped(&again), ["check", "features"]);
    let listed = on(&store, &["runs", "list", "--json"]).ok().json();
    let listed = listed["runs"].as_array().expect("runs");
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[0]["run_id"], again["run_id"], "the newest first");
    assert!(listed.iter().all(|run| run["status"] == "succeeded"), "{listed:?}");
    // What `run` printed is what is stored and shown.
    let shown = on(&store, &["runs", "show", "latest", "--json"]).ok().json();
    assert_eq!(shown, again);
    let old = listed[1]["run_id"].as_str().expect("an id");
    let diff = on(&store, &["runs", "diff", old, "latest", "--json"]).ok().json();
    let differences = diff["differences"].as_array().expect("differences");
    let of = |what: &str| differences.iter().find(|found| found["what"] == what);
    let rounds = of("setting train.boost.rounds").expect("the setting");
    assert_eq!((&rounds["old"], &rounds["new"]), (&10.into(), &11.into()));
    assert!(of("train id").is_some() && of("check id").is_none(), "{differences:?}");
    assert!(of("orders: contents").is_none() && of("code").is_none(), "{differences:?}");

    // Every field of the record is in the schema, and every field that it requires is there.
    let schema = std::fs::read_to_string(root().join("schemas/run.schema.json")).expect("a schema");
    let printed = on(&store, &["runs", "schema"]).ok().stdout;
    assert_eq!(printed, schema, "longhaul runs schema > schemas/run.schema.json");
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    let path = store.names().into_iter().find(|name| {
        name.starts_with("nights/small/") && name.contains(again["run_id"].as_str().expect("an id"))
    });
    let path = store.path().join(path.expect("the record"));
    let record: Value = serde_json::from_slice(&std::fs::read(&path).expect("it")).expect("JSON");
    conforms(&record, &schema, &schema, "record");
    for (stage, found) in ["check", "train"].map(|name| {
        let found = again["stages"].as_array().expect("stages").iter();
        (name, found.clone().find(|stage| stage["stage"] == name).expect("a stage"))
    }) {
        assert!(found["seconds"].as_f64() > Some(0.0), "{stage}");
        assert!(found["peak_memory_bytes"].as_u64() > Some(1 << 20), "{stage}");
    }
    assert!(again["storage"]["bytes_read"].as_u64() > Some(1_000), "{}", again["storage"]);

    // A record that was altered is left out, and `verify` names it.
    flip(&path);
    on(&store, &["runs", "show", "latest"]).refuses(11, &["the record of a run latest"]);
    let verified = on(&store, &["verify"]);
    verified.refuses(10, &["1 objects"]);
    assert!(verified.stdout.contains("nights/small/"), "{}", verified.stdout);
}

/// Holds a document against the parts of JSON Schema that ours uses.
fn conforms(value: &Value, schema: &Value, whole: &Value, at: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = whole.pointer(reference.trim_start_matches('#')).expect("a definition");
        return conforms(value, target, whole, at);
    }
    let options = schema["anyOf"].as_array().or_else(|| schema["oneOf"].as_array());
    if let Some(options) = options {
        let names = options.iter().filter_map(|option| option["const"].as_str());
        let is_named = names.clone().any(|name| value == name);
        let is_null = value.is_null() && options.iter().any(|option| option["type"] == "null");
        if is_named || is_null {
            return;
        }
        let other = options.iter().find(|option| option.get("$ref").is_some()).expect("a form");
        return conforms(value, other, whole, at);
    }
    if let Some(constant) = schema.get("const") {
        assert_eq!(value, constant, "{at}");
    }
    if let Some(kinds) = schema.get("type") {
        let kinds: Vec<&str> = match kinds {
            Value::String(kind) => vec![kind],
            kinds => kinds.as_array().expect("types").iter().filter_map(Value::as_str).collect(),
        };
        let is = |kind: &&str| match *kind {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "integer" => value.is_u64() || value.is_i64(),
            "number" => value.is_number(),
            "null" => value.is_null(),
            other => panic!("{at}: {other}"),
        };
        assert!(kinds.iter().any(is), "{at}: expected {kinds:?}, found {value}");
    }
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        assert!(value.get(name).is_some(), "{at}.{name} is missing");
    }
    for (name, value) in value.as_object().into_iter().flatten() {
        let at = format!("{at}.{name}");
        match (schema["properties"].get(name), schema.get("additionalProperties")) {
            (Some(schema), _) => conforms(value, schema, whole, &at),
            (None, Some(schema)) if schema.is_object() => conforms(value, schema, whole, &at),
            (None, Some(_)) => {}
            (None, None) if schema.get("properties").is_none() => {}
            (None, None) => panic!("{at} is not in the schema"),
        }
    }
    for (position, value) in value.as_array().into_iter().flatten().enumerate() {
        conforms(value, &schema["items"], whole, &format!("{at}[{position}]"));
    }
}

#[test]
fn a_backfill_runs_the_nights_that_failed_or_never_ran_and_no_others() {
    let store = Folder::with_simulated_tables();
    let nights = |more: &[&str]| {
        let span = ["backfill", PIPELINE, "--from", "2025-10-20", "--to", "2025-10-30", "--json"];
        on(&store, &[&span[..], &QUICK, more].concat())
    };
    // Three of ten nights fail, on a file that is no Parquet, and one succeeds.
    let failing = ["2025-10-21", "2025-10-22", AS_OF];
    let broken = &store.partitions("orders")[100];
    let whole = std::fs::read(broken).expect("a file");
    std::fs::write(broken, b"PAR1 no").expect("written");
    failing
        .iter()
        .for_each(|as_of| run(&store, as_of, &[]).refuses(10, &["recorded_on=2025-10-10"]));
    std::fs::write(broken, &whole).expect("written");
    run(&store, "2025-10-20", &[]).ok();

    let planned = nights(&["--dry-run"]).ok().json();
    let planned = planned["nights"].as_array().expect("nights");
    let wanted = |planned: &[Value]| -> Vec<String> {
        let wanted = planned.iter().filter(|night| night["runs"] == true);
        wanted.map(|night| night["as_of"].as_str().expect("a date").to_owned()).collect()
    };
    assert_eq!(planned.len(), 10);
    assert_eq!(planned[0]["before"], "succeeded");
    assert_eq!(planned[9]["before"], "failed");
    assert!(!wanted(planned).contains(&"2025-10-20".to_owned()));
    let only_failed = nights(&["--dry-run", "--only", "failed"]).ok().json();
    let only_failed = wanted(only_failed["nights"].as_array().expect("nights"));
    assert_eq!(only_failed, failing);

    let done = nights(&["--only", "failed"]).ok().json();
    let done = done["nights"].as_array().expect("nights");
    assert_eq!(done.len(), 3);
    assert!(done.iter().all(|night| night["exit_code"] == 0), "{done:?}");
    let rest = nights(&[]).ok().json();
    assert_eq!(rest["nights"].as_array().expect("nights").len(), 6);
    let nothing = nights(&[]).ok().json();
    assert_eq!(nothing["nights"], serde_json::json!([]), "every night was completed");
    // The champion is that of the last night, whichever ran last.
    let last = run(&store, AS_OF, &[]).ok().json();
    assert_eq!(last["champion_after"].as_str(), Some(store.model_id().as_str()));
    nights(&["--to", "2025-10-20", "--dry-run"]).refuses(2, &["--to"]);
}

#[test]
fn a_retry_runs_the_last_night_that_failed_as_of_its_own_day() {
    let store = after_a_night();
    let retry =
        |more: &[&str]| on(&store, &[&["retry", PIPELINE, "--json"][..], &QUICK, more].concat());
    assert_eq!(retry(&[]).ok().json()["retried"], Value::Null);
    let broken = store.partitions("orders")[118].clone();
    let whole = std::fs::read(&broken).expect("a file");
    std::fs::write(&broken, b"PAR1 no").expect("written");
    let failed = run(&store, AS_OF, &[]);
    failed.refuses(10, &["recorded_on=2025-10-28"]);
    // One document on stdout: the record, with the error.
    let document: Value = serde_json::from_str(&failed.stdout).expect("one document");
    assert_eq!(document["error"]["exit_code"], 10);
    assert_eq!(document["result"]["status"], "failed");
    assert_eq!(document["result"]["stages"][0]["status"], "failed");
    let failed = document["result"]["run_id"].clone();
    retry(&[]).refuses(10, &["recorded_on=2025-10-28"]);
    std::fs::write(&broken, &whole).expect("written");
    let done = retry(&[]).ok().json();
    assert_eq!((&done["as_of"], &done["status"]), (&AS_OF.into(), &"succeeded".into()));
    assert_ne!(done["retry_of"], failed, "the last one that failed");
    let first = retry(&[failed.as_str().expect("an id")]).ok().json();
    assert_eq!(first["retry_of"], failed);
    retry(&["ffffffff"]).refuses(11, &["the record of a run ffffffff"]);
}

/// The values of a file of Prometheus metrics, by name and labels; every line is well-formed.
fn metrics(path: &Path) -> BTreeMap<String, f64> {
    let text = std::fs::read_to_string(path).expect("the metrics");
    let mut values = BTreeMap::new();
    for line in text.lines() {
        if line.starts_with('#') {
            let known = ["# HELP ", "# TYPE ", "# UNIT ", "# EOF"];
            assert!(known.iter().any(|start| line.starts_with(start)), "{line}");
            continue;
        }
        let (name, value) = line.rsplit_once(' ').expect("a value");
        assert!(name.starts_with("longhaul_") && name.ends_with('}'), "{line}");
        values.insert(name.to_owned(), value.parse().expect("a number"));
    }
    values
}

#[test]
fn metrics_and_lineage_say_how_each_run_ended() {
    let store = after_a_night();
    let folder = tempfile::tempdir().expect("a folder");
    let [prom, events] = ["longhaul.prom", "lineage.jsonl"].map(|name| folder.path().join(name));
    let metrics_file = format!("operations.metrics_file={:?}", prom.to_str().expect("UTF-8"));
    let lineage = format!("operations.openlineage={:?}", events.to_str().expect("UTF-8"));
    let sets = ["--set", &metrics_file, "--set", &lineage];
    let done = run(&store, AS_OF, &sets).ok().json();
    let succeeded = metrics(&prom);
    let of = |values: &BTreeMap<String, f64>, name: &str| {
        values.get(&format!("longhaul_{name}{{pipeline=\"small\"}}")).copied()
    };
    assert_eq!(of(&succeeded, "last_run_exit_code"), Some(0.0));
    let last_success = of(&succeeded, "last_success_timestamp_seconds").expect("a moment");
    let rows = succeeded["longhaul_table_rows{pipeline=\"small\",table=\"orders\"}"];
    assert_eq!(Some(rows), done["tables"]["orders"]["rows"].as_f64());

    run(&store, AS_OF, &[&sets[..], &["--set", "check.contracts=\"none\""]].concat())
        .refuses(30, &["orders.odcs.yaml"]);
    let failed = metrics(&prom);
    assert_eq!(of(&failed, "last_run_exit_code"), Some(30.0));
    assert_eq!(of(&failed, "last_success_timestamp_seconds"), Some(last_success));
    assert!(of(&failed, "last_run_timestamp_seconds") >= Some(last_success));

    let events = std::fs::read_to_string(&events).expect("events");
    let events: Vec<Value> =
        events.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let kinds: Vec<&str> = events.iter().filter_map(|event| event["eventType"].as_str()).collect();
    assert_eq!(kinds, ["START", "COMPLETE", "START", "FAIL"]);
    assert_eq!(events[0]["run"]["runId"], events[1]["run"]["runId"]);
    assert_eq!(events[1]["run"]["runId"], done["run_id"]);
    let error = &events[3]["run"]["facets"]["errorMessage"]["message"];
    assert!(error.as_str().is_some_and(|text| text.contains("orders.odcs.yaml")), "{error}");
}

#[test]
fn a_webhook_gets_failures_and_nothing_else_and_stays_a_secret() {
    let store = after_a_night();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/hooks/SECRET", listener.local_addr().expect("an address"));
    let (sender, posted) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a request");
            let mut reader = BufReader::new(stream.try_clone().expect("a stream"));
            let mut length = 0;
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).expect("a header");
                if line.trim().is_empty() {
                    break;
                }
                let line = line.to_ascii_lowercase();
                if let Some(value) = line.strip_prefix("content-length:") {
                    length = value.trim().parse().expect("a length");
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).expect("a body");
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            stream.write_all(answer).expect("an answer");
            sender.send(body).expect("a listener");
        }
    });
    let variable = ("LONGHAUL__OPERATIONS__WEBHOOK", url.as_str());
    let with_webhook = |arguments: &[&str]| {
        let arguments = [arguments, &QUICK, &["--store", store.url()]].concat();
        ended(command(&arguments).env(variable.0, variable.1))
    };
    let run = ["run", PIPELINE, "--as-of", AS_OF];
    with_webhook(&run).ok();
    assert!(posted.try_recv().is_err(), "nothing is said of a run that succeeded");
    let failing = [&run[..], &["--set", "check.contracts=\"none\""]].concat();
    let failed = with_webhook(&failing);
    failed.refuses(30, &["orders.odcs.yaml"]);
    let body = posted.recv_timeout(Duration::from_secs(5)).expect("a message");
    let body: Value = serde_json::from_slice(&body).expect("JSON");
    let text = body["text"].as_str().expect("a text");
    assert!(text.starts_with("longhaul small as of 2025-10-29 failed (exit code 30)"), "{text}");
    assert_eq!(body["exit_code"], 30);
    // Its path is in no record, setting or message.
    let shown = with_webhook(&["config", "show", PIPELINE]).ok();
    assert!(shown.stdout.contains("operations.webhook"), "{}", shown.stdout);
    let records = store.names().into_iter().filter(|name| name.starts_with("nights/"));
    let records =
        records.map(|name| std::fs::read_to_string(store.path().join(name)).expect("one"));
    let all = records.chain([shown.stdout, failed.stderr, failed.stdout]);
    assert!(all.into_iter().all(|text| !text.contains("SECRET")));
    // A webhook that does not answer changes nothing but a warning.
    let refused = run_with_dead_webhook(&store);
    refused.refuses(30, &["orders.odcs.yaml", "the webhook was not reached"]);
}

fn run_with_dead_webhook(store: &Folder) -> Ended {
    let closed = TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr());
    let dead = format!("operations.webhook=\"http://{}/\"", closed.expect("a closed port"));
    let failing = ["--set", "check.contracts=\"none\"", "--set", &dead];
    on(store, &[&["run", PIPELINE, "--as-of", AS_OF][..], &failing].concat())
}

#[test]
fn log_lines_name_their_run_and_have_true_levels() {
    let store = after_a_night();
    let newest = store.partitions("orders").pop().expect("a partition");
    let late = ["--as-of", "2025-11-20", "--accept-stale", "a test"];
    let arguments = [&["run", PIPELINE, "--log-format", "json"][..], &QUICK, &late].concat();
    let done = on(&store, &arguments).ok();
    assert!(newest.exists());
    let lines: Vec<Value> =
        done.stderr.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let ids: Vec<&Value> = lines.iter().map(|line| &line["run_id"]).collect();
    assert!(ids.iter().all(|id| id.is_string() && *id == ids[0]), "{ids:?}");
    let of_level = |level: &str| lines.iter().filter(|line| line["level"] == level).count();
    assert!(of_level("WARN") >= 1 && of_level("INFO") >= 6, "{}", done.stderr);
    let warned = lines.iter().filter(|line| line["level"] == "WARN");
    let warned: Vec<&str> = warned.filter_map(|line| line["message"].as_str()).collect();
    assert!(warned.iter().any(|text| text.contains("accepted: a test")), "{warned:?}");
}

/// Starts a run of many trees, and waits until it trains.
fn training(store: &Folder) -> Child {
    let arguments = ["run", PIPELINE, "--store", store.url(), "--as-of", AS_OF];
    let many = ["--set", "train.boost.rounds=100000"];
    let mut child = command(&[&arguments[..], &many].concat())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut lines = BufReader::new(child.stderr.take().expect("stderr")).lines();
    let trains = lines.find(|line| line.as_ref().is_ok_and(|line| line.starts_with("train")));
    assert!(trains.is_some(), "it trains");
    // What else it says.
    std::thread::spawn(move || lines.for_each(drop));
    child
}

#[test]
fn a_signal_ends_a_run_within_five_seconds_and_the_next_one_goes_on() {
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let store = Folder::with_simulated_tables();
        let mut child = training(&store);
        let began = Instant::now();
        let killed = std::process::Command::new("kill")
            .args(["-s", signal, &child.id().to_string()])
            .status()
            .expect("kill");
        assert!(killed.success());
        let status = child.wait().expect("it ends");
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        assert_eq!(status.code(), Some(code), "{signal}");
        let record = on(&store, &["runs", "show", "latest", "--json"]).ok().json();
        assert_eq!(
            (&record["status"], &record["exit_code"]),
            (&"interrupted".into(), &code.into())
        );
        let trained = record["stages"].as_array().expect("stages").last().expect("one").clone();
        assert_eq!((&trained["stage"], &trained["status"]), (&"train".into(), &"failed".into()));
        // Its lease was given back.
        let lease =
            std::fs::read_to_string(store.path().join("locks/small.json")).expect("a lease");
        assert!(lease.contains("\"holder\": null"), "{lease}");
        let done = on(&store, &[&["retry", PIPELINE, "--json"][..], &QUICK].concat()).ok().json();
        assert_eq!(skipped(&done), ["check", "features"]);
        assert_eq!(done["retry_of"], record["run_id"]);
    }
}
