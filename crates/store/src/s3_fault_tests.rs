//! The S3 backend against a server with faults: the right bytes, or a clear error in time.
#![expect(clippy::disallowed_methods, reason = "test code")]

use std::time::{Duration, Instant};

use bytes::Bytes;
use s3_server::{Fault, FaultRule, S3Server};
use terms::{Digest, ErrorClass};

use crate::error::Error;
use crate::limits::Limits;
use crate::object::{PutOutcome, SwapOutcome};
use crate::settings::StoreSettings;
use crate::store::Store;

const BODY: &[u8] = b"the bytes of an object, of which some may be damaged";

fn opened(limits: Limits) -> (S3Server, Store) {
    let server = S3Server::temporary().unwrap();
    server.create_bucket("lab").unwrap();
    let settings = StoreSettings::resolve("s3://lab/p", &server.variables()).unwrap();
    let store = Store::open(&settings.with_limits(limits)).unwrap();
    store.put("k", Bytes::from_static(BODY)).unwrap();
    (server, store)
}

fn get(fault: Fault) -> FaultRule {
    FaultRule::first("GET", "/p/k", fault)
}

#[test]
fn bodies_that_break_off_are_damaged_or_are_lost_are_read_again() {
    let (server, store) = opened(Limits::default());
    let entry = store.list("").unwrap().remove(0);
    let digest = Digest::of(BODY);
    for fault in [Fault::ShortBody, Fault::FlippedBit, Fault::Reset, Fault::HugeLength] {
        let before = server.n_faults();
        server.inject(vec![get(fault)]);
        assert_eq!(store.get_verified("k", &digest).unwrap(), BODY, "{fault:?}");
        server.inject(vec![get(fault)]);
        assert_eq!(store.get_fresh(&entry).unwrap().1, digest, "{fault:?}");
        server.inject(vec![get(fault)]);
        assert_eq!(store.get("k").unwrap(), BODY, "{fault:?}");
        assert_eq!(server.n_faults() - before, 3, "{fault:?}");
    }
}

#[test]
fn a_body_that_breaks_off_time_and_again_is_read_until_it_is_whole() {
    let (server, store) = opened(Limits::default());
    server.inject(vec![FaultRule { times: 5, ..get(Fault::ShortBody) }]);
    assert_eq!(store.get("k").unwrap(), BODY);
    assert_eq!(server.n_faults(), 5);
}

#[test]
fn a_length_that_cannot_be_is_refused_and_takes_no_memory() {
    let (server, store) = opened(Limits::default());
    server.inject(vec![FaultRule { times: u32::MAX, ..get(Fault::HugeLength) }]);
    let error = store.get("k").unwrap_err();
    assert_eq!(error.class(), ErrorClass::Storage);
    assert!(error.to_string().contains("9000000000000000000 bytes"), "{error}");
    // Also where the answer is no object.
    let rule = FaultRule::first("GET", "list-type=2", Fault::HugeLength);
    server.inject(vec![rule]);
    assert_eq!(store.list("").unwrap().len(), 1);
}

#[test]
fn a_conditional_put_whose_answer_is_lost_is_ones_own() {
    let (server, store) = opened(Limits::default());
    for (n, fault) in [Fault::Status500After, Fault::LostAnswer].into_iter().enumerate() {
        let lose = || {
            let rule = FaultRule::first("PUT", "/p/", fault);
            server.inject(vec![FaultRule { conditional: true, ..rule }]);
        };
        lose();
        let key = format!("created/{n}");
        let outcome = store.put_if_absent(&key, Bytes::from_static(b"mine")).unwrap();
        assert_eq!(outcome, PutOutcome::Created, "{fault:?}");
        let (_, version) = store.get_versioned(&key).unwrap().unwrap();
        lose();
        let swap = store.compare_and_swap(&key, Some(&version), Bytes::from_static(b"next"));
        assert_eq!(swap.unwrap(), SwapOutcome::Swapped, "{fault:?}");
        let swap = store.compare_and_swap(&key, Some(&version), Bytes::from_static(b"last"));
        assert_eq!(swap.unwrap(), SwapOutcome::Moved, "{fault:?}");
        assert_eq!(store.get(&key).unwrap(), "next");
    }
    assert_eq!(server.n_faults(), 4);
}

#[test]
fn a_page_of_a_portal_is_no_empty_list() {
    let (server, store) = opened(Limits::default());
    let rule = FaultRule::first("GET", "list-type=2", Fault::Html);
    server.inject(vec![rule.clone()]);
    assert_eq!(store.list("").unwrap().len(), 1);
    server.inject(vec![FaultRule { times: u32::MAX, ..rule }]);
    let error = store.list("").unwrap_err();
    assert_eq!(error.class(), ErrorClass::Contract);
    let text = error.to_string();
    assert!(text.contains("<html>") && text.contains("LIST, attempts: 6"), "{text}");
}

#[test]
fn a_network_that_is_away_for_a_second_is_waited_for() {
    let (server, store) = opened(Limits::default());
    server.go_down_for(Duration::from_millis(1_500));
    assert_eq!(store.get("k").unwrap(), BODY);
    server.go_down_for(Duration::from_millis(500));
    store.put("k", Bytes::from_static(b"new")).unwrap();
    assert_eq!(store.get("k").unwrap(), "new");
}

#[test]
fn a_body_that_drips_is_given_up_in_time() {
    let second = Duration::from_secs(1);
    let limits = Limits { request: second / 2, retry_for: second, ..Limits::default() };
    let (server, store) = opened(limits);
    for (target, what) in [("/p/k", "GET"), ("list-type=2", "LIST")] {
        let rule = FaultRule::first("GET", target, Fault::Drip(second / 4));
        server.inject(vec![FaultRule { times: u32::MAX, ..rule }]);
        let begun = Instant::now();
        let error = if what == "GET" {
            store.get("k").map(drop).unwrap_err()
        } else {
            store.list("").map(drop).unwrap_err()
        };
        assert!(begun.elapsed() < 5 * second, "{:?}", begun.elapsed());
        assert!(matches!(error, Error::GaveUp { .. }), "{error:?}");
        assert_eq!(error.class(), ErrorClass::Storage);
        assert!(error.to_string().contains("no whole answer within 0.5 s"), "{error}");
        assert!(error.to_string().contains(what), "{error}");
    }
}
