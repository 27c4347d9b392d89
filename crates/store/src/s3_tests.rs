//! The S3 backend: the conformance suite, and the error that each fault of a server becomes.
#![expect(clippy::disallowed_methods, reason = "test code")]

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use s3_server::{Options, S3Server};
use terms::ErrorClass;

use crate::clock::VirtualClock;
use crate::conformance::{check_isolation, check_long_list, check_store, results};
use crate::error::Error;
use crate::limits::Limits;
use crate::settings::StoreSettings;
use crate::store::Store;

const BUCKET: &str = "lab-bucket";

fn server() -> S3Server {
    let server = S3Server::temporary().unwrap();
    server.create_bucket(BUCKET).unwrap();
    server
}

fn open(url: &str, variables: &BTreeMap<String, String>) -> Store {
    Store::open(&StoreSettings::resolve(url, variables).unwrap()).unwrap()
}

/// A store whose pauses pass at once.
fn open_without_pauses(variables: &BTreeMap<String, String>, limits: Limits) -> Store {
    let settings = StoreSettings::resolve(&format!("s3://{BUCKET}/p"), variables).unwrap();
    Store::open_on_clock(&settings.with_limits(limits), VirtualClock::default()).unwrap()
}

/// What a request that was given up met last, and how often it was made.
fn given_up(error: &Error, expected_method: &str) -> (u32, Duration) {
    let Error::GaveUp { method, n_attempts, spent, .. } = error else { panic!("{error:?}") };
    assert_eq!(*method, expected_method);
    assert_eq!(error.class(), ErrorClass::Storage);
    (*n_attempts, *spent)
}

/// Variables of the server, one of them changed.
fn variables_with(server: &S3Server, name: &str, value: &str) -> BTreeMap<String, String> {
    let mut variables = server.variables();
    variables.insert(name.to_owned(), value.to_owned());
    variables
}

/// The text of an error with its causes and its hint; no secret may be in it.
fn text_of(error: &Error) -> String {
    let mut text = format!("{error}\n{error:?}\n{}", error.hint().unwrap_or_default());
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(&format!("\n{cause}"));
        source = cause.source();
    }
    for secret in ["testsecret", "wrong-secret", "session-token"] {
        assert!(!text.contains(secret), "{text}");
    }
    text
}

#[test]
fn a_bucket_is_a_store() {
    let server = server();
    check_store(&open(&format!("s3://{BUCKET}"), &server.variables()));
}

#[test]
fn a_long_list_comes_in_pages() {
    let server = server();
    check_long_list(&open(&format!("s3://{BUCKET}"), &server.variables()));
}

#[test]
fn a_prefix_of_a_bucket_is_a_store() {
    let server = server();
    let variables = server.variables();
    let url = format!("s3://{BUCKET}/teams/a b");
    check_isolation(&open(&url, &variables), &open(&format!("{url}c"), &variables));
    check_store(&open(&url, &variables));
}

#[test]
fn a_server_that_compares_etags_without_quotes_swaps_too() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { unquoted_etags_only: true, ..Options::for_tests(folder.path()) };
    let server = S3Server::start_with(options).unwrap();
    server.create_bucket(BUCKET).unwrap();
    check_store(&open(&format!("s3://{BUCKET}"), &server.variables()));
}

#[test]
fn a_wrong_secret_is_refused_once_and_not_shown() {
    let server = server();
    let mut variables = variables_with(&server, "AWS_SECRET_ACCESS_KEY", "wrong-secret");
    variables.insert("AWS_SESSION_TOKEN".to_owned(), "session-token".to_owned());
    let store = open(&format!("s3://{BUCKET}/p"), &variables);
    let errors = [
        store.get("k").unwrap_err(),
        store.list("").unwrap_err(),
        store.put("k", Bytes::new()).unwrap_err(),
        store.delete("k").unwrap_err(),
        store.head("k").unwrap_err(),
        store.put_if_absent("k", Bytes::new()).unwrap_err(),
    ];
    // 4xx is not retried.
    assert_eq!(server.n_requests(), errors.len() as u64);
    for error in errors {
        assert!(matches!(error, Error::Forbidden { .. }), "{error:?}");
        assert_eq!(error.class(), ErrorClass::Configuration);
        let text = text_of(&error);
        assert!(text.contains(&format!("s3://{BUCKET}/p")), "{text}");
        assert!(text.contains(&server.endpoint()), "{text}");
        assert!(text.contains("AWS_SECRET_ACCESS_KEY"), "{text}");
    }
}

#[test]
fn an_unknown_access_key_is_refused() {
    let server = server();
    let variables = variables_with(&server, "AWS_ACCESS_KEY_ID", "nobody");
    let error = open(&format!("s3://{BUCKET}"), &variables).get("k").unwrap_err();
    assert!(matches!(error, Error::Forbidden { .. }), "{error:?}");
}

#[test]
fn a_missing_bucket_is_named() {
    let server = server();
    let store = open("s3://no-such-bucket/p", &server.variables());
    let errors = [
        store.get("k").unwrap_err(),
        store.get_versioned("k").unwrap_err(),
        store.list("").unwrap_err(),
        store.put("k", Bytes::new()).unwrap_err(),
        store.put_if_absent("k", Bytes::new()).unwrap_err(),
        store.put("k", Bytes::from(vec![0; 17 << 20])).unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, Error::BucketMissing { .. }), "{error:?}");
        assert_eq!(error.class(), ErrorClass::Configuration);
        let text = text_of(&error);
        assert!(text.contains("\"no-such-bucket\""), "{text}");
        assert!(text.contains(&server.endpoint()), "{text}");
    }
}

#[test]
fn a_closed_port_is_tried_for_minutes_and_then_named() {
    let server = server();
    let variables = server.variables();
    let endpoint = server.endpoint();
    drop(server);
    let error = open_without_pauses(&variables, Limits::default()).get("k").unwrap_err();
    let (n_attempts, spent) = given_up(&error, "GET");
    assert!(spent >= Duration::from_secs(180) && n_attempts > 10, "{error}");
    let text = text_of(&error);
    for part in [&endpoint, &format!("s3://{BUCKET}/p/k"), "refused", "AWS_ENDPOINT_URL", "180."] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn an_unknown_host_is_unreachable() {
    let server = server();
    let variables = variables_with(&server, "AWS_ENDPOINT_URL_S3", "http://longhaul.invalid:9000");
    let limits = Limits { retry_for: Duration::from_secs(1), ..Limits::default() };
    let error = open_without_pauses(&variables, limits).list("").unwrap_err();
    given_up(&error, "LIST");
    assert!(text_of(&error).contains("longhaul.invalid:9000"));
}

#[test]
fn requests_to_a_busy_server_are_repeated_and_then_given_up() {
    let server = server();
    let store = open(&format!("s3://{BUCKET}"), &server.variables());
    server.refuse_next(2);
    store.put("k", Bytes::from_static(b"x")).unwrap();
    server.refuse_next(2);
    assert_eq!(store.get("k").unwrap(), "x");

    let before = server.n_requests();
    server.refuse_next(u32::MAX);
    let store = open_without_pauses(&server.variables(), Limits::default());
    let error = store.get("k").unwrap_err();
    let (n_attempts, _) = given_up(&error, "GET");
    assert_eq!(server.n_requests() - before, u64::from(n_attempts));
    assert!(text_of(&error).contains("503 SlowDown"), "{error}");
}

#[test]
fn no_attempt_begins_after_the_deadline() {
    let server = server();
    let limits = Limits { until: Some(Duration::from_secs(20)), ..Limits::default() };
    let store = open_without_pauses(&server.variables(), limits);
    server.refuse_next(u32::MAX);
    let (_, spent) = given_up(&store.get("k").unwrap_err(), "GET");
    assert!(spent < Duration::from_secs(20), "{spent:?}");
    let n_requests = server.n_requests();
    let limits = Limits { until: Some(Duration::ZERO), ..Limits::default() };
    let error = open_without_pauses(&server.variables(), limits).get("k").unwrap_err();
    assert!(matches!(error, Error::DeadlinePassed { .. }), "{error:?}");
    assert_eq!(error.class(), ErrorClass::Storage);
    assert_eq!(server.n_requests(), n_requests);
}

#[test]
fn a_probe_stops_at_the_first_step_that_fails() {
    let server = server();
    let steps = open("s3://no-such-bucket", &server.variables()).probe();
    assert_eq!(steps.len(), 1);
    assert!(matches!(steps[0].result, Err(Error::BucketMissing { .. })), "{steps:?}");
}

#[test]
#[ignore = "needs a bucket: set LONGHAUL_TEST_STORE and the AWS variables"]
fn the_store_of_the_environment_is_a_store() {
    let variables: BTreeMap<String, String> = std::env::vars().collect();
    let url = format!("{}/conformance-{}", variables["LONGHAUL_TEST_STORE"], std::process::id());
    check_store(&open(&url, &variables));
    check_long_list(&open(&url, &variables));
    check_isolation(&open(&url, &variables), &open(&format!("{url}b"), &variables));
}

#[test]
#[ignore = "prints a table: make conformance, or make test-ceph with a full gateway in it"]
#[expect(clippy::print_stdout, reason = "the table is what it is for")]
fn the_conformance_table_by_store() {
    let folder = tempfile::tempdir().unwrap();
    let quoted = server();
    let served = tempfile::tempdir().unwrap();
    let options = Options { unquoted_etags_only: true, ..Options::for_tests(served.path()) };
    let unquoted = S3Server::start_with(options).unwrap();
    unquoted.create_bucket(BUCKET).unwrap();
    let simulated = crate::SimulatedStorage::new(crate::FaultPlan::none(), VirtualClock::default());
    let none = BTreeMap::new();
    let bucket = format!("s3://{BUCKET}");
    let mut stores = vec![
        ("folder", open(&crate::url_of("store", folder.path()).unwrap(), &none)),
        ("memory", open("memory://", &none)),
        ("simulated", simulated.open(Limits::default())),
        ("S3", open(&bucket, &quoted.variables())),
        ("S3 bare ETags", open(&bucket, &unquoted.variables())),
    ];
    let variables: BTreeMap<String, String> = std::env::vars().collect();
    if let Some(url) = variables.get("LONGHAUL_TEST_STORE") {
        let url = format!("{url}/table-{}", std::process::id());
        stores.push(("environment", open(&url, &variables)));
    }
    let all: Vec<_> = stores.iter().map(|(name, store)| (*name, results(store))).collect();
    let names: Vec<String> = all.iter().map(|(name, _)| format!("{name:>14}")).collect();
    println!("{:<36}{}", "check", names.concat());
    for (position, (check, _)) in all[0].1.iter().enumerate() {
        let cells =
            all.iter().map(|(_, results)| if results[position].1 { "ok" } else { "FAILED" });
        println!("{check:<36}{}", cells.map(|cell| format!("{cell:>14}")).collect::<String>());
    }
    let weak = stores.iter().map(|(_, store)| store.weaknesses(".weak/1").unwrap().len());
    println!("{:<36}{}", "weaker promises", weak.map(|n| format!("{n:>14}")).collect::<String>());
    assert!(all.iter().all(|(_, results)| results.iter().all(|(_, held)| *held)));
}
