//! The S3 backend: the conformance suite, and the error that each fault of a server becomes.
#![expect(clippy::disallowed_methods, reason = "test code")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use s3_server::{Options, S3Server};
use terms::ErrorClass;

use crate::conformance::{check_isolation, check_long_list, check_store};
use crate::error::Error;
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
fn a_closed_port_is_unreachable_within_some_seconds() {
    let server = server();
    let variables = server.variables();
    let endpoint = server.endpoint();
    drop(server);
    let begun = Instant::now();
    let error = open(&format!("s3://{BUCKET}/p"), &variables).get("k").unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    assert!(matches!(error, Error::Unreachable { n_attempts: 4, .. }), "{error:?}");
    assert_eq!(error.class(), ErrorClass::Storage);
    let text = text_of(&error);
    for part in [&endpoint, &format!("s3://{BUCKET}/p/k"), "refused", "AWS_ENDPOINT_URL"] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn an_unknown_host_is_unreachable() {
    let server = server();
    let variables = variables_with(&server, "AWS_ENDPOINT_URL_S3", "http://longhaul.invalid:9000");
    let error = open(&format!("s3://{BUCKET}"), &variables).list("").unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
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
    let error = store.get("k").unwrap_err();
    assert_eq!(server.n_requests() - before, 4);
    let Error::Unavailable { n_attempts: 4, status: 503, code, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(code, "SlowDown");
    assert_eq!(error.class(), ErrorClass::Storage);
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
