//! A check that takes up an earlier one finds what a check from nothing finds, and reads no more
//! than it must.

use crate::check::{Finding, check};
use crate::fixture::*;
use crate::layout::FileVersion;
use crate::listed::{Earlier, Listed};
use std::collections::{BTreeMap, BTreeSet};
use store::Store;
use terms::{AsOf, DAY_MICROS, HOUR_MICROS};

/// A generator of small numbers (SplitMix64), so that a failure comes again by its seed.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

fn earlier(store: &Store, as_of: AsOf, finding: &Finding) -> Earlier {
    let versions = Listed::read(store, &contracts(), as_of).unwrap().versions();
    Earlier { check: finding.check.clone(), versions }
}

fn check_after(store: &Store, earlier: &Earlier, as_of: AsOf) -> Result<Finding, crate::Error> {
    let contracts = contracts();
    check(store, &contracts, &Listed::read(store, &contracts, as_of)?, Some(earlier))
}

/// A night of `world` on day `n`: 6 orders, some with a second version of an earlier one, and
/// shipments of any orders so far, a few of which nobody knows yet or ever.
fn night(store: &Store, random: &mut Random, n: u64) {
    let midnight = micros("2026-01-01") + n as i64 * DAY_MICROS;
    let date = terms::Instant::from_micros(midnight).day().to_string();
    let at = |random: &mut Random| midnight + (random.below(24 * 60) as i64) * (HOUR_MICROS / 60);
    let mut rows = Vec::new();
    for k in 0..6 {
        let recorded_at = at(random);
        let template = &orders()[0];
        rows.push(Order { order_id: format!("o{n}-{k}"), recorded_at, ..template.clone() });
    }
    for k in 0..random.below(4) {
        let order_id = format!("o{}-{k}", random.below(n + 1));
        rows.push(Order { order_id, recorded_at: at(random), ..orders()[0].clone() });
    }
    for order in &mut rows {
        // A correction moves it; a few are wrong and go to quarantine.
        order.ordered_at = order.recorded_at - (random.below(5) as i64) * HOUR_MICROS;
        order.promised_at = Some(order.ordered_at + DAY_MICROS);
        if random.one_in(8) {
            order.status = "shipped";
        }
    }
    rows.sort_by_key(|row| (row.order_id.clone(), row.recorded_at));
    rows.dedup_by_key(|row| (row.order_id.clone(), row.recorded_at));
    put(store, "orders", &date, orders_frame(&rows));

    let mut rows = Vec::new();
    for k in 0..8 {
        let recorded_at = at(random);
        // Also of orders of the next nights, and of none.
        let order_id = format!("o{}-{}", random.below(n + 3), random.below(7));
        let handed_over = random.one_in(2);
        rows.push(Shipment {
            shipment_id: Some(format!("s{n}-{k}")),
            order_id,
            recorded_at,
            status: if handed_over { "in_transit" } else { "created" },
            n_units: i64::from(!random.one_in(9)),
            weight_g: None,
            handed_over_at: handed_over
                .then(|| recorded_at - (random.below(60) as i64) * HOUR_MICROS),
            delivered_at: None,
        });
    }
    put(store, "shipments", &date, shipments_frame(&rows));
}

/// Contracts that bear any share of bad rows, for worlds full of them.
fn lenient() -> Vec<crate::Contract> {
    let contract = |table: &str| {
        let text = crate::shipped(table).unwrap();
        let text = text.replace(
            "property: quarantineShareMax, value: 0.05",
            "property: quarantineShareMax, value: 1",
        );
        crate::Contract::parse(table, &text).unwrap()
    };
    vec![contract("shipments"), contract("orders")]
}

#[test]
fn whatever_happened_meanwhile_it_finds_what_a_check_from_nothing_finds() {
    let contracts = lenient();
    let (mut reused, mut read, mut bad) = (0, 0, 0);
    for seed in 0..4 {
        let random = &mut Random(seed);
        let store = memory();
        let mut last = 2;
        (0..=last).for_each(|n| night(&store, random, n));
        let mut earlier: Option<Earlier> = None;
        for step in 0..10 {
            match random.below(6) {
                // The usual: one more night, or several.
                0..=2 => {
                    last += 1;
                    night(&store, random, last);
                }
                // An old night is recorded late or anew.
                3 => night(&store, random, random_day(seed, step, last)),
                // One that was there is gone; the first stays, so that there is a table.
                4 => {
                    let n = 1 + random.below(last);
                    let date = AsOf::from_micros(micros("2026-01-01") + n as i64 * DAY_MICROS);
                    let table = if random.one_in(2) { "orders" } else { "shipments" };
                    store.delete(&path(table, &date.day().date().to_string())).unwrap();
                }
                // Nothing.
                _ => {}
            }
            // Also in the middle of a day, and earlier than the last one.
            let hours = (last + 1 - random.below(2)) as i64 * 24 - random.below(13) as i64;
            let as_of = AsOf::from_micros(micros("2026-01-01") + hours * HOUR_MICROS);
            let listed = Listed::read(&store, &contracts, as_of).unwrap();
            let anew = check(&store, &contracts, &listed, None).unwrap();
            let found = check(&store, &contracts, &listed, earlier.as_ref()).unwrap();
            assert_eq!(found.check, anew.check, "seed {seed} step {step}");
            for table in found.check.tables.values() {
                let rows = table.rows_ok + table.rows_quarantined + table.rows_dropped;
                assert_eq!(table.rows_in, rows);
                bad += table.rows_quarantined;
            }
            read += found.read.len();
            reused += anew.read.len() - found.read.len();
            earlier = Some(Earlier { check: found.check, versions: listed.versions() });
        }
    }
    // Else the test shows nothing.
    assert!(reused > read, "{reused} reused, {read} read");
    assert!(bad > 100, "{bad} bad rows");
}

fn random_day(seed: u64, step: u64, last: u64) -> u64 {
    Random(seed * 1000 + step).below(last + 1)
}

#[test]
fn one_more_night_reads_one_more_night() {
    let store = world();
    let first = find(&store, &contracts(), at("2026-01-03")).unwrap();
    assert_eq!(first.read.len(), 2);
    let earlier = earlier(&store, at("2026-01-03"), &first);
    let second = check_after(&store, &earlier, at("2026-01-06")).unwrap();
    assert_eq!(second.read, BTreeSet::from([path("shipments", "2026-01-05")]));
    assert_eq!(second.check, check_anew(&store, &contracts(), at("2026-01-06")).unwrap());
    // A check of an earlier night takes up a later one just so.
    let later = self::earlier(&store, at("2026-01-06"), &second);
    let before = check_after(&store, &later, at("2026-01-03")).unwrap();
    assert!(before.read.is_empty(), "{:?}", before.read);
    assert_eq!(before.check, first.check);
}

#[test]
fn an_order_recorded_later_does_not_change_a_verdict_that_was_reached() {
    let store = world();
    put(&store, "orders", "2026-01-02", orders_frame(&orders()[1..]));
    let mut late = orders()[0].clone();
    late.recorded_at = micros("2026-01-04");
    put(&store, "orders", "2026-01-04", orders_frame(&[late]));
    let check = check_anew(&store, &contracts(), at("2026-01-06")).unwrap();
    let shipments = &check.tables["shipments"];
    // Its first version was recorded before its order and stays in quarantine; the second is good.
    assert_eq!(shipments.reasons, BTreeMap::from([("order_known".to_owned(), 1)]));
    assert_eq!(shipments.files[0].quarantined[0].key.as_deref(), Some("s00"));
    assert!(shipments.files[1].quarantined.is_empty());
}

#[test]
fn the_version_that_was_known_on_the_day_is_the_one_that_counts() {
    let store = world();
    // Of 3 January says that it was ordered on the 4th, which no handover on the 3rd can be after.
    let mut corrected = orders()[0].clone();
    corrected.recorded_at = micros("2026-01-04T12:00:00Z");
    corrected.ordered_at = micros("2026-01-04");
    put(&store, "orders", "2026-01-04", orders_frame(&[corrected]));
    let check = check_anew(&store, &contracts(), at("2026-01-06")).unwrap();
    let shipments = &check.tables["shipments"];
    assert!(shipments.files[0].quarantined.is_empty());
    let bad = &shipments.files[1].quarantined;
    assert_eq!((bad.len(), bad[0].reason.as_str()), (1, "handed_over_before_ordered"));
}

#[test]
fn a_join_reads_back_only_as_far_as_somebody_asks() {
    let store = memory();
    let day = |n: i64| AsOf::from_micros(micros("2026-01-01") + n * DAY_MICROS);
    for n in 0..60 {
        let mut order = orders()[0].clone();
        (order.order_id, order.recorded_at) = (format!("o{n}"), day(n).micros());
        (order.ordered_at, order.promised_at) = (day(n).micros(), None);
        put(&store, "orders", &day(n).day().date().to_string(), orders_frame(&[order]));
        let mut shipment = created()[0].clone();
        (shipment.shipment_id, shipment.recorded_at) = (Some(format!("s{n}")), day(n).micros());
        shipment.order_id = format!("o{}", (n - 3).max(0));
        put(&store, "shipments", &day(n).day().date().to_string(), shipments_frame(&[shipment]));
    }
    let first = find(&store, &contracts(), day(59)).unwrap();
    let earlier = earlier(&store, day(59), &first);
    // Orders that nobody asks for are gone from the store: the lookup does not miss them.
    let mut gone = Vec::new();
    for n in 0..40 {
        let path = path("orders", &day(n).day().date().to_string());
        gone.push((path.clone(), store.get(&path).unwrap()));
    }
    let contracts = contracts();
    let listed = Listed::read(&store, &contracts, day(60)).unwrap();
    gone.iter().for_each(|(path, _)| store.delete(path).unwrap());
    let found = check(&store, &contracts, &listed, Some(&earlier)).unwrap();
    assert_eq!(found.read.len(), 2);
    gone.into_iter().for_each(|(path, bytes)| store.put(&path, bytes).unwrap());
    assert_eq!(found.check, check_anew(&store, &contracts, day(60)).unwrap());
}

#[test]
fn a_file_without_a_tag_is_never_taken_for_the_same() {
    let store = world();
    let as_of = at("2026-01-06");
    let finding = find(&store, &contracts(), as_of).unwrap();
    let mut earlier = earlier(&store, as_of, &finding);
    assert!(check_after(&store, &earlier, as_of).unwrap().read.is_empty());
    for version in earlier.versions.values_mut() {
        *version = FileVersion { etag: None, ..version.clone() };
    }
    assert_eq!(check_after(&store, &earlier, as_of).unwrap().read, finding.read);
}
