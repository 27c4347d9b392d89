//! A check that takes over reports of a previous one finds what a check without it finds, and reads
//! no more files than it must.

use std::collections::{BTreeMap, BTreeSet};

use statistics::SplitMix64;
use store::Store;
use terms::{AsOf, DAY_MICROS, Day, HOUR_MICROS, Instant};

use crate::check::listing::{Listing, PreviousCheck};
use crate::check::{Finding, check};
use crate::contract::Contract;
use crate::contract::shipped::shipped;
use crate::error::Error;
use crate::fixture::*;
use crate::layout::FileVersion;

/// The day so many days after 2026-01-01.
fn day(n: u64) -> Day {
    "2026-01-01".parse::<Day>().unwrap().plus(n as i32)
}

/// Random numbers, so that a failure can be repeated by its seed.
struct Random(SplitMix64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(SplitMix64::new(seed))
    }

    fn below(&mut self, n: u64) -> u64 {
        self.0.next_u64() % n
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

fn previous_of(store: &Store, as_of: AsOf, finding: &Finding) -> PreviousCheck {
    let versions = Listing::read(store, &contracts(), as_of).unwrap().versions();
    PreviousCheck { check: finding.check.clone(), versions }
}

fn check_after(store: &Store, previous: &PreviousCheck, as_of: AsOf) -> Result<Finding, Error> {
    let contracts = contracts();
    check(store, &contracts, &Listing::read(store, &contracts, as_of)?, Some(previous))
}

/// The partitions of day `n`: 6 orders, some with a second version of an earlier one, and shipments
/// of any orders so far, a few of which are recorded later or never.
fn put_day(store: &Store, random: &mut Random, n: u64) {
    let midnight = day(n).start().micros();
    let date = day(n).to_string();
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
        // Also of orders of the next days, and of orders that are never recorded.
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

/// Contracts that allow any share of bad rows.
fn lenient() -> Vec<Contract> {
    let contract = |table: &str| {
        let text = shipped(table).unwrap();
        let text = text.replace(
            "property: quarantineShareMax, value: 0.05",
            "property: quarantineShareMax, value: 1",
        );
        Contract::parse(table, &text).unwrap().accepting_stale()
    };
    vec![contract("shipments"), contract("orders")]
}

#[test]
fn whatever_changed_meanwhile_it_finds_what_a_check_without_a_previous_one_finds() {
    let contracts = lenient();
    let (mut reused, mut read, mut bad) = (0, 0, 0);
    for seed in 0..4 {
        let random = &mut Random::new(seed);
        let store = memory();
        let mut last = 2;
        (0..=last).for_each(|n| put_day(&store, random, n));
        let mut previous: Option<PreviousCheck> = None;
        for step in 0..10 {
            match random.below(6) {
                // The usual: one more day.
                0..=2 => {
                    last += 1;
                    put_day(&store, random, last);
                }
                // An earlier day is recorded late or again.
                3 => put_day(&store, random, random_day(seed, step, last)),
                // A partition is removed; the first stays, so that there is a table.
                4 => {
                    let n = 1 + random.below(last);
                    let table = if random.one_in(2) { "orders" } else { "shipments" };
                    store.delete(&path(table, &day(n).to_string())).unwrap();
                }
                // Nothing changes.
                _ => {}
            }
            // Also in the middle of a day, and earlier than the last one.
            let hours = (last + 1 - random.below(2)) as i64 * 24 - random.below(13) as i64;
            let as_of = day(0).start().micros() + hours * HOUR_MICROS;
            let as_of = AsOf::at(Instant::from_micros(as_of));
            let listing = Listing::read(&store, &contracts, as_of).unwrap();
            let anew = check(&store, &contracts, &listing, None).unwrap();
            let found = check(&store, &contracts, &listing, previous.as_ref()).unwrap();
            assert_eq!(found.check, anew.check, "seed {seed} step {step}");
            for table in found.check.tables.values() {
                let rows = table.rows_ok + table.rows_quarantined + table.rows_dropped;
                assert_eq!(table.rows_in, rows);
                bad += table.rows_quarantined;
            }
            read += found.files_read.len();
            reused += anew.files_read.len() - found.files_read.len();
            previous = Some(PreviousCheck { check: found.check, versions: listing.versions() });
        }
    }
    // Else the test shows nothing.
    assert!(reused > read, "{reused} reused, {read} read");
    assert!(bad > 100, "{bad} bad rows");
}

fn random_day(seed: u64, step: u64, last: u64) -> u64 {
    Random::new(seed * 1000 + step).below(last + 1)
}

#[test]
fn one_more_day_reads_one_more_day() {
    let store = sound_store();
    let first = find(&store, &contracts(), at("2026-01-03")).unwrap();
    assert_eq!(first.files_read.len(), 2);
    let previous = previous_of(&store, at("2026-01-03"), &first);
    let second = check_after(&store, &previous, at("2026-01-06")).unwrap();
    assert_eq!(second.files_read, BTreeSet::from([path("shipments", "2026-01-05")]));
    assert_eq!(second.check, check_anew(&store, &contracts(), at("2026-01-06")).unwrap());
    // A check as of an earlier day takes over a later one in the same way.
    let later = previous_of(&store, at("2026-01-06"), &second);
    let before = check_after(&store, &later, at("2026-01-03")).unwrap();
    assert!(before.files_read.is_empty(), "{:?}", before.files_read);
    assert_eq!(before.check, first.check);
}

#[test]
fn an_order_recorded_later_does_not_change_the_check_of_an_earlier_day() {
    let store = sound_store();
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
fn a_rule_sees_the_version_that_was_the_last_one_on_the_rows_own_day() {
    let store = sound_store();
    // The correction says that it was ordered on the 4th, after its handover on the 3rd.
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
fn a_join_reads_back_only_as_far_as_rows_refer_to() {
    let store = memory();
    let micros_of = |n| day(n).start().micros();
    for n in 0..60_u64 {
        let mut order = orders()[0].clone();
        (order.order_id, order.recorded_at) = (format!("o{n}"), micros_of(n));
        (order.ordered_at, order.promised_at) = (micros_of(n), None);
        put(&store, "orders", &day(n).to_string(), orders_frame(&[order]));
        let mut shipment = created()[0].clone();
        (shipment.shipment_id, shipment.recorded_at) = (Some(format!("s{n}")), micros_of(n));
        shipment.order_id = format!("o{}", n.saturating_sub(3));
        put(&store, "shipments", &day(n).to_string(), shipments_frame(&[shipment]));
    }
    let first = find(&store, &contracts(), AsOf::start_of(day(59))).unwrap();
    let previous = previous_of(&store, AsOf::start_of(day(59)), &first);
    // The lookup does not need orders that no row refers to.
    let mut removed = Vec::new();
    for n in 0..40 {
        let path = path("orders", &day(n).to_string());
        removed.push((path.clone(), store.get(&path).unwrap()));
    }
    let contracts = contracts();
    let listing = Listing::read(&store, &contracts, AsOf::start_of(day(60))).unwrap();
    removed.iter().for_each(|(path, _)| store.delete(path).unwrap());
    let found = check(&store, &contracts, &listing, Some(&previous)).unwrap();
    assert_eq!(found.files_read.len(), 2);
    removed.into_iter().for_each(|(path, bytes)| store.put(&path, bytes).unwrap());
    assert_eq!(found.check, check_anew(&store, &contracts, AsOf::start_of(day(60))).unwrap());
}

#[test]
fn a_file_without_an_entity_tag_counts_as_changed() {
    let store = sound_store();
    let as_of = at("2026-01-06");
    let finding = find(&store, &contracts(), as_of).unwrap();
    let mut previous = previous_of(&store, as_of, &finding);
    assert!(check_after(&store, &previous, as_of).unwrap().files_read.is_empty());
    for version in previous.versions.values_mut() {
        *version = FileVersion { etag: None, ..version.clone() };
    }
    assert_eq!(check_after(&store, &previous, as_of).unwrap().files_read, finding.files_read);
}
