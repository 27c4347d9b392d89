//! The conformance suite that every backend passes: what a folder, a bucket and memory guarantee
//! alike.

use bytes::Bytes;
use terms::{Digest, ErrorClass};

use crate::error::Error;
use crate::object::{PutOutcome, SwapOutcome};
use crate::store::Store;

/// More than two pages of an S3 list.
const N_LISTED: usize = 2_300;

type Check = (&'static str, fn(&Store));

/// The suite: what is checked, on an empty store that is empty again afterwards.
const CHECKS: [Check; 13] = [
    ("objects come back as they were put", objects_come_back_as_they_were_put),
    ("absent objects are absent", absent_objects_are_absent),
    ("large objects come back whole", large_objects_come_back_whole),
    ("odd keys are kept apart", odd_keys_are_kept_apart),
    ("lists are complete and sorted", |store| lists_are_complete_and_sorted(store, 70)),
    ("many objects come in order", many_objects_come_in_order),
    ("a wrong digest names the object", a_wrong_digest_names_the_object),
    ("listed objects are read verified", listed_objects_are_read_verified),
    ("one of concurrent creators succeeds", one_of_concurrent_creators_succeeds),
    ("no update is lost", no_update_is_lost),
    ("a stale version is refused", a_stale_version_is_refused),
    ("texts that are not keys are refused", texts_that_are_not_keys_are_refused),
    ("the probe passes and leaves nothing", the_probe_passes_and_leaves_nothing),
];

/// Runs the suite on an empty store.
pub(crate) fn check_store(store: &Store) {
    CHECKS.iter().for_each(|(_, check)| check(store));
}

/// Runs the suite and returns what was checked, and whether it held.
pub(crate) fn results(store: &Store) -> Vec<(&'static str, bool)> {
    let passes = |check: fn(&Store)| {
        let checked = std::panic::AssertUnwindSafe(|| check(store));
        std::panic::catch_unwind(checked).is_ok()
    };
    CHECKS.iter().map(|(name, check)| (*name, passes(*check))).collect()
}

/// A list that comes in pages.
pub(crate) fn check_long_list(store: &Store) {
    lists_are_complete_and_sorted(store, N_LISTED);
}

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn keys(store: &Store, prefix: &str) -> Vec<String> {
    store.list(prefix).unwrap().into_iter().map(|entry| entry.path).collect()
}

fn objects_come_back_as_they_were_put(store: &Store) {
    for body in ["", "first", "second, and longer"] {
        store.put("round/trip", bytes(body)).unwrap();
        assert_eq!(store.get("round/trip").unwrap(), body);
        let head = store.head("round/trip").unwrap().unwrap();
        assert_eq!(head.size, body.len() as u64);
        assert!(head.etag.is_some(), "it differs from that of the next version");
        let (read, _) = store.get_versioned("round/trip").unwrap().unwrap();
        assert_eq!(read, body);
    }
    assert!(store.exists("round/trip").unwrap());
    store.delete("round/trip").unwrap();
    assert!(!store.exists("round/trip").unwrap());
}

fn absent_objects_are_absent(store: &Store) {
    let error = store.get("absent/object").unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error:?}");
    assert_eq!(error.class(), ErrorClass::Input);
    assert!(error.to_string().contains(&store.url_of("absent/object")), "{error}");
    assert!(store.get_versioned("absent/object").unwrap().is_none());
    assert!(store.head("absent/object").unwrap().is_none());
    assert!(store.list("absent").unwrap().is_empty());
    store.delete("absent/object").unwrap();

    // A prefix is not an object, and there are no objects below an object.
    store.put("branch/leaf", bytes("x")).unwrap();
    assert!(matches!(store.get("branch"), Err(Error::NotFound { .. })));
    assert!(!store.exists("branch").unwrap());
    assert!(matches!(store.get("branch/leaf/below"), Err(Error::NotFound { .. })));
    assert!(store.list("branch/leaf").unwrap().is_empty());
    store.delete("branch/leaf").unwrap();
}

fn large_objects_come_back_whole(store: &Store) {
    // Two full parts and a rest.
    let body: Vec<u8> = (0..35_000_001_u32).map(|i| (i % 251) as u8).collect();
    let digest = Digest::of(&body);
    store.put("large", body.into()).unwrap();
    assert_eq!(store.get_verified("large", &digest).unwrap().len(), 35_000_001);
    store.delete("large").unwrap();
}

fn odd_keys_are_kept_apart(store: &Store) {
    let odd = [
        "odd/recorded_on=2026-11-20/part-0000.parquet",
        "odd/with space/and+plus",
        "odd/são paulo/100%",
        "odd/%20",
        "odd/a&b?c=d",
        "odd/~tilde/it's/(x)[y]{z}",
        "odd/.hidden",
        "odd/a:b@c,d;e!f$g*h|i\"j<k>l^m`n",
    ];
    for key in odd {
        store.put(key, bytes(key)).unwrap();
    }
    for key in odd {
        assert_eq!(store.get(key).unwrap(), key);
    }
    let mut expected = odd.map(str::to_owned).to_vec();
    expected.sort();
    assert_eq!(keys(store, "odd"), expected);
    for key in odd {
        store.delete(key).unwrap();
    }
    assert!(keys(store, "odd").is_empty());
}

fn lists_are_complete_and_sorted(store: &Store, n_listed: usize) {
    let mut expected: Vec<String> =
        (0..n_listed).map(|i| format!("listed/{}/{i}", i % 7)).collect();
    store.put_many(expected.iter().map(|key| (key.clone(), bytes("x"))).collect()).unwrap();
    store.put("listed-not", bytes("x")).unwrap();
    expected.sort();
    assert_eq!(keys(store, "listed"), expected);
    assert_eq!(keys(store, "listed/"), expected);
    let third: Vec<_> = expected.iter().filter(|k| k.starts_with("listed/3/")).cloned().collect();
    assert_eq!(keys(store, "listed/3"), third);
    assert_eq!(keys(store, ""), [&["listed-not".to_owned()][..], &expected].concat());
    for key in keys(store, "") {
        store.delete(&key).unwrap();
    }
    assert!(keys(store, "").is_empty());
}

fn many_objects_come_in_order(store: &Store) {
    let paths: Vec<String> = (0..40).map(|i| format!("many/{i}")).collect();
    store.put_many(paths.iter().map(|path| (path.clone(), bytes(path))).collect()).unwrap();
    assert_eq!(store.get_many(&paths).unwrap(), paths);

    let mut visited = 0;
    let broken = [&paths[..20], &["many/absent".to_owned()], &paths[20..]].concat();
    let result = store.for_each(&broken, |position, _| {
        assert_eq!(position, visited);
        visited += 1;
        Ok::<(), Error>(())
    });
    assert!(matches!(result, Err(Error::NotFound { .. })));
    assert_eq!(visited, 20);
    for path in paths {
        store.delete(&path).unwrap();
    }
}

fn a_wrong_digest_names_the_object(store: &Store) {
    store.put("digest", bytes("as written")).unwrap();
    assert_eq!(store.get_verified("digest", &Digest::of(b"as written")).unwrap(), "as written");
    let error = store.get_verified("digest", &Digest::of(b"otherwise")).unwrap_err();
    assert_eq!(error.class(), ErrorClass::Contract);
    for part in [&store.url_of("digest"), Digest::of(b"as written").as_str()] {
        assert!(error.to_string().contains(part), "{error}");
    }
    store.delete("digest").unwrap();
}

fn listed_objects_are_read_verified(store: &Store) {
    store.put("fresh/1", bytes("one")).unwrap();
    store.put("fresh/2", bytes("two")).unwrap();
    let listed = store.list("fresh").unwrap();
    let read = store.get_many_fresh(&listed).unwrap();
    let expected = ["one", "two"].map(|text| (bytes(text), Digest::of(text.as_bytes())));
    assert_eq!(read, expected);
    store.put("fresh/1", bytes("longer")).unwrap();
    let error = store.get_fresh(&listed[0]).unwrap_err();
    assert_eq!(error.class(), ErrorClass::Storage, "{error:?}");
    let known: Vec<_> = expected.iter().map(|(_, digest)| ("fresh/2", digest)).collect();
    let known: Vec<_> = known.into_iter().map(|(key, d)| (key.to_owned(), d.clone())).collect();
    assert_eq!(store.get_many_verified(&known[1..]).unwrap(), ["two"]);
    let error = store.get_many_verified(&known).unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error:?}");
    store.delete("fresh/1").unwrap();
    store.delete("fresh/2").unwrap();
}

fn one_of_concurrent_creators_succeeds(store: &Store) {
    for round in 0..3 {
        let key = format!("create/{round}");
        let outcomes: Vec<_> = std::thread::scope(|scope| {
            let creators: Vec<_> = (0..16)
                .map(|i| {
                    let key = &key;
                    scope.spawn(move || store.put_if_absent(key, bytes(&format!("{i}"))).unwrap())
                })
                .collect();
            creators.into_iter().map(|creator| creator.join().unwrap()).collect()
        });
        let winners: Vec<_> = (0..16).filter(|&i| outcomes[i] == PutOutcome::Created).collect();
        assert_eq!(winners.len(), 1, "{outcomes:?}");
        assert_eq!(store.get(&key).unwrap(), winners[0].to_string());
        store.delete(&key).unwrap();
    }
}

fn no_update_is_lost(store: &Store) {
    const N_THREADS: usize = 8;
    const N_INCREMENTS: usize = 20;
    // Each names its writer: the same bytes of two could not be told apart after a lost answer.
    let increment = &|writer: usize| {
        let found = store.get_versioned("counter").unwrap();
        let count: usize = match &found {
            Some((bytes, _)) => {
                let text = std::str::from_utf8(bytes).unwrap();
                text.split(' ').next().unwrap().parse().unwrap()
            }
            None => 0,
        };
        let version = found.as_ref().map(|(_, version)| version);
        let next = bytes(&format!("{} by {writer}", count + 1));
        store.compare_and_swap("counter", version, next).unwrap()
    };
    std::thread::scope(|scope| {
        for writer in 0..N_THREADS {
            scope.spawn(move || {
                for _ in 0..N_INCREMENTS {
                    while increment(writer) == SwapOutcome::Moved {}
                }
            });
        }
    });
    let last = store.get("counter").unwrap();
    let expected = format!("{} by ", N_THREADS * N_INCREMENTS);
    store.delete("counter").unwrap();
    assert!(last.starts_with(expected.as_bytes()), "{last:?}");
}

fn a_stale_version_is_refused(store: &Store) {
    let swap = |expected, text| store.compare_and_swap("pointer", expected, bytes(text)).unwrap();
    assert_eq!(swap(None, "first"), SwapOutcome::Swapped);
    assert_eq!(swap(None, "first again"), SwapOutcome::Moved);
    let (_, first) = store.get_versioned("pointer").unwrap().unwrap();
    assert_eq!(swap(Some(&first), "second"), SwapOutcome::Swapped);
    assert_eq!(swap(Some(&first), "third"), SwapOutcome::Moved);
    assert_eq!(store.get("pointer").unwrap(), "second");
    store.delete("pointer").unwrap();
    assert_eq!(swap(Some(&first), "after the delete"), SwapOutcome::Moved);
    assert!(!store.exists("pointer").unwrap());
}

fn texts_that_are_not_keys_are_refused(store: &Store) {
    for key in ["", "/", "a//b", "../escape", "a#1"] {
        assert!(matches!(store.put(key, bytes("x")), Err(Error::Key { .. })), "{key:?}");
        assert!(matches!(store.get(key), Err(Error::Key { .. })), "{key:?}");
    }
    assert!(matches!(store.list("a//b"), Err(Error::Key { .. })));
}

fn the_probe_passes_and_leaves_nothing(store: &Store) {
    let steps = store.probe();
    let names: Vec<_> = steps.iter().map(|step| step.name).collect();
    let expected = ["list", "put", "get", "put if absent", "compare and swap", "delete"];
    assert_eq!(names, expected);
    assert!(steps.iter().all(|step| step.result.is_ok()), "{steps:?}");
    assert!(keys(store, "").is_empty());
}

/// Two stores with different prefixes do not see each other.
pub(crate) fn check_isolation(one: &Store, other: &Store) {
    one.put("same/key", bytes("one")).unwrap();
    assert!(!other.exists("same/key").unwrap());
    assert!(keys(other, "").is_empty());
    assert_eq!(other.put_if_absent("same/key", bytes("other")).unwrap(), PutOutcome::Created);
    other.delete("same/key").unwrap();
    assert_eq!(one.get("same/key").unwrap(), "one");
    assert_eq!(keys(one, ""), ["same/key"]);
    one.delete("same/key").unwrap();
}

mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::settings::StoreSettings;

    fn open(url: &str) -> Store {
        Store::open(&StoreSettings::resolve(url, &BTreeMap::new()).unwrap()).unwrap()
    }

    #[test]
    fn a_folder_is_a_store() {
        let root = tempfile::tempdir().unwrap();
        let url = crate::url_of("not yet/there", root.path()).unwrap();
        check_store(&open(&url));
        check_long_list(&open(&url));
        check_isolation(&open(&format!("{url}/a")), &open(&format!("{url}/ab")));
    }

    #[test]
    fn a_simulated_storage_is_a_store_with_and_without_faults() {
        use crate::{Fault, FaultPlan, Limits, SimulatedStorage, VirtualClock};
        let open =
            |plan| SimulatedStorage::new(plan, VirtualClock::default()).open(Limits::default());
        check_store(&open(FaultPlan::none()));
        check_long_list(&open(FaultPlan::none()));
        // Faults that pass are not seen at all.
        let faults = [Fault::Reset, Fault::Status503, Fault::BrokenBody, Fault::NotAList];
        check_store(&open(FaultPlan::seeded(3, 50).only(&faults)));
    }

    #[test]
    fn memory_is_a_store() {
        check_store(&open("memory://"));
        check_long_list(&open("memory://"));
        check_isolation(&open("memory://"), &open("memory://"));
    }
}
