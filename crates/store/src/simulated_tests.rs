//! Tests of the stores on a simulated storage: each kind of fault ends in the right state or in a
//! clear error, and all is the same the second time.

use std::sync::Mutex;
use std::time::Duration;

use terms::{Digest, ErrorClass};

use super::*;
use crate::error::Error;
use crate::object::{PutOutcome, SwapOutcome};

fn storage(plan: FaultPlan) -> SimulatedStorage {
    SimulatedStorage::new(plan, VirtualClock::default())
}

fn open(storage: &SimulatedStorage) -> Store {
    storage.open(Limits::default())
}

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

const LOST: [Fault; 3] = [Fault::LostAnswer, Fault::Status500After, Fault::Hang];

#[test]
fn a_create_whose_answer_is_lost_is_still_the_creators() {
    for fault in LOST {
        let storage = storage(FaultPlan::none().at(1, fault));
        let outcome = open(&storage).put_if_absent("k", bytes("mine")).unwrap();
        assert_eq!(outcome, PutOutcome::Created, "{fault:?}");
        assert_eq!(storage.objects()["k"], "mine");
    }
}

#[test]
fn a_swap_whose_answer_is_lost_is_still_the_swappers() {
    for fault in LOST {
        let storage = storage(FaultPlan::none().at(2, fault));
        storage.insert("k", bytes("old"));
        let store = open(&storage);
        let (_, version) = store.get_versioned("k").unwrap().unwrap();
        let outcome = store.compare_and_swap("k", Some(&version), bytes("new")).unwrap();
        assert_eq!(outcome, SwapOutcome::Swapped, "{fault:?}");
        assert_eq!(storage.objects()["k"], "new");
        assert_eq!(
            store.compare_and_swap("k", Some(&version), bytes("newer")).unwrap(),
            SwapOutcome::Moved
        );
    }
}

#[test]
fn what_another_wrote_is_not_ones_own() {
    // Before it took effect the answer was lost, and meanwhile another one created it.
    for (theirs, expected) in [("theirs", PutOutcome::Exists), ("mine", PutOutcome::Created)] {
        let storage = storage(FaultPlan::none().at(1, Fault::Reset));
        let other = storage.clone();
        storage.set_hook(move |operation| {
            if operation.number == 2 {
                other.insert("k", bytes(theirs));
            }
        });
        let outcome = open(&storage).put_if_absent("k", bytes("mine")).unwrap();
        // The same bytes cannot be told from one's own after an attempt that may have succeeded.
        assert_eq!(outcome, expected);
        storage.remove_hook();
    }
    // The same bytes of another, and no attempt of one's own that may have written them.
    let storage = storage(FaultPlan::none().at(1, Fault::Refused));
    storage.insert("k", bytes("mine"));
    let outcome = open(&storage).put_if_absent("k", bytes("mine")).unwrap();
    assert_eq!(outcome, PutOutcome::Exists);
}

#[test]
fn damaged_bodies_are_read_again() {
    let body: String = (0..500).map(|i| format!("{i},")).collect();
    for fault in [Fault::FlippedBit, Fault::BrokenBody, Fault::ShortBody] {
        let storage = storage(FaultPlan::none().at(1, fault).at(3, fault).at(5, fault));
        storage.insert("k", bytes(&body));
        let store = open(&storage);
        assert_eq!(store.get("k").unwrap(), body, "{fault:?}");
        let digest = Digest::of(body.as_bytes());
        assert_eq!(store.get_verified("k", &digest).unwrap(), body, "{fault:?}");
        let entry = store.list("").unwrap().remove(0);
        assert_eq!(store.get_fresh(&entry).unwrap(), (bytes(&body), digest), "{fault:?}");
        assert!(storage.faults()[&fault] >= 2, "{:?}", storage.faults());
    }
}

#[test]
fn bytes_that_differ_each_time_are_refused() {
    let storage = storage(FaultPlan::seeded(5, 1_000).only(&[Fault::FlippedBit]));
    storage.insert("k", bytes(&"x".repeat(10_000)));
    let store = open(&storage);
    let entry = store.list("").unwrap().remove(0);
    let error = store.get_fresh(&entry).unwrap_err();
    assert!(matches!(error, Error::Unsettled { .. }), "{error:?}");
    assert_eq!(error.class(), ErrorClass::Storage);
    let error = store.get_verified("k", &Digest::of(b"other")).unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error:?}");
}

#[test]
fn an_object_that_was_replaced_since_it_was_listed_is_not_taken_for_it() {
    for (other, etags) in [("new", true), ("longer", true), ("longer", false)] {
        let storage = storage(FaultPlan::none());
        if !etags {
            storage.leave_etags_out_of_lists();
        }
        storage.insert("k", bytes("old"));
        let store = open(&storage);
        let entry = store.list("").unwrap().remove(0);
        assert_eq!(entry.etag.is_some(), etags);
        storage.insert("k", bytes(other));
        let error = store.get_fresh(&entry).unwrap_err();
        assert_eq!(error.class(), ErrorClass::Storage, "{error:?}");
    }
}

#[test]
fn an_outage_is_waited_for_and_then_given_up() {
    let storage = storage(FaultPlan::none());
    storage.insert("k", bytes("x"));
    let (mut n_waited, mut n_given_up) = (0, 0);
    for seed in 0..40 {
        storage.set_plan(FaultPlan::seeded(seed, 0).at(storage.n_operations() + 1, Fault::Outage));
        let begun = storage.clock().now();
        match open(&storage).get("k") {
            Ok(read) => {
                assert_eq!(read, "x");
                n_waited += 1;
            }
            Err(error) => {
                assert_eq!(error.class(), ErrorClass::Storage);
                let spent = storage.clock().now() - begun;
                assert!(spent >= Duration::from_secs(180), "{error}");
                assert!(spent < Duration::from_secs(200), "{error}");
                n_given_up += 1;
            }
        }
    }
    assert!(n_waited > 5 && n_given_up > 5, "{n_waited} {n_given_up}");
}

#[test]
fn an_answer_that_is_no_list_is_no_empty_list() {
    let storage = storage(FaultPlan::seeded(1, 1_000).only(&[Fault::NotAList]));
    storage.insert("k", bytes("x"));
    let error = open(&storage).list("").unwrap_err();
    assert_eq!(error.class(), ErrorClass::Input);
    assert!(error.to_string().contains("<html>"), "{error}");
    storage.set_plan(FaultPlan::none().at(storage.n_operations() + 1, Fault::NotAList));
    assert_eq!(open(&storage).list("").unwrap().len(), 1);
}

#[test]
fn a_stale_list_is_an_older_one() {
    let storage = storage(FaultPlan::none().at(1, Fault::StaleList));
    for i in 0..3 {
        storage.insert(&format!("k{i}"), bytes("x"));
    }
    let store = open(&storage);
    let stale = store.list("").unwrap();
    assert!(stale.len() < 3, "{stale:?}");
    assert_eq!(store.list("").unwrap().len(), 3);
}

#[test]
fn a_crash_stops_one_store_before_or_after_the_effect() {
    for after_its_effect in [false, true] {
        let storage = storage(FaultPlan::none());
        let (killed, other) = (open(&storage), open(&storage));
        storage.crash_at(2, after_its_effect);
        killed.put("a", bytes("1")).unwrap();
        let begun = storage.clock().now();
        assert!(killed.put("b", bytes("2")).is_err());
        assert!(killed.clone().get("a").is_err(), "a clone is the same process");
        assert_eq!(storage.clock().now(), begun, "the dead do not try again");
        assert_eq!(other.exists("b").unwrap(), after_its_effect);
        open(&storage).put("c", bytes("3")).unwrap();
    }
}

#[test]
fn a_hook_sees_each_operation_and_may_use_the_storage() {
    let storage = storage(FaultPlan::none());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (inner, log) = (storage.clone(), Arc::clone(&seen));
    storage.set_hook(move |operation| {
        log.lock().unwrap().push((operation.kind, operation.key.clone()));
        let key = format!("by the hook/{}", operation.key);
        open(&inner).put(&key, bytes("x")).unwrap();
        inner.clock().advance(Duration::from_secs(1));
    });
    let store = open(&storage);
    store.put("a", bytes("1")).unwrap();
    store.delete("a").unwrap();
    storage.remove_hook();
    let expected = [(OperationKind::Put, "a".to_owned()), (OperationKind::Delete, "a".to_owned())];
    assert_eq!(*seen.lock().unwrap(), expected);
    assert_eq!(storage.objects().into_keys().collect::<Vec<_>>(), ["by the hook/a"]);
    assert_eq!(storage.clock().now(), Duration::from_secs(2));
}

#[test]
fn large_objects_survive_faults_of_their_parts() {
    let body: Bytes = (0..35_000_001_u32).map(|i| (i % 251) as u8).collect::<Vec<_>>().into();
    let faults = [Fault::LostAnswer, Fault::Status503, Fault::ShortBody, Fault::Reset];
    for seed in 0..6 {
        let storage = storage(FaultPlan::seeded(seed, 300).only(&faults));
        let store = open(&storage);
        store.put("large", body.clone()).unwrap();
        assert_eq!(storage.objects()["large"], body);
        assert_eq!(store.get_verified("large", &Digest::of(&body)).unwrap(), body);
    }
}

/// Four writers that take turns count up by compare-and-swap under faults of every kind; each
/// update that is said to be made is made once.
fn count_under_faults(seed: u64) -> (BTreeMap<String, Bytes>, BTreeMap<Fault, u64>, Duration) {
    let storage = storage(FaultPlan::seeded(seed, 150));
    let mut counted = 0;
    let mut refused = 0;
    for turn in 0..40 {
        let store = open(&storage);
        let step = || -> Result<SwapOutcome, Error> {
            let found = store.get_versioned("log")?;
            let (text, version) = match &found {
                Some((bytes, version)) => (std::str::from_utf8(bytes).unwrap(), Some(version)),
                None => ("", None),
            };
            store.compare_and_swap("log", version, bytes(&format!("{text}{turn};")))
        };
        match step() {
            Ok(SwapOutcome::Swapped) => counted += 1,
            Ok(SwapOutcome::Moved) => panic!("seed {seed}: nobody else writes"),
            Err(error) => {
                assert!(
                    matches!(error.class(), ErrorClass::Storage | ErrorClass::Input),
                    "{error:?}"
                );
                refused += 1;
            }
        }
    }
    let objects = storage.objects();
    let text = std::str::from_utf8(&objects["log"]).unwrap();
    let n_written = text.matches(';').count();
    assert!((counted..=counted + refused).contains(&n_written), "seed {seed}: {text}");
    (objects, storage.faults(), storage.clock().now())
}

#[test]
fn no_update_is_lost_or_doubled_under_any_faults_and_a_seed_repeats() {
    let mut met = BTreeMap::new();
    for seed in 0..300 {
        let run = count_under_faults(seed);
        if seed % 10 == 0 {
            assert_eq!(run, count_under_faults(seed), "seed {seed}");
        }
        for (fault, n) in run.1 {
            *met.entry(fault).or_insert(0) += n;
        }
    }
    assert!(met.len() >= 11, "{met:?}");
}
