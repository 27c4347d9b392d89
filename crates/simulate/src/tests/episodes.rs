//! Tests of episodes: each network is compared with the same one without them.

use std::ops::Range;
use std::sync::LazyLock;

use super::*;
use crate::{Episode, EpisodeKind};

/// Four months from 2025-03-03, a Monday, without a peak.
fn season() -> NetworkSettings {
    NetworkSettings {
        first_day: terms::Day::since_epoch(FIRST_DAY as i32),
        days: 120,
        shipments: 12_000,
        legs: true,
        cancelled_rate: 0.02,
        ..quiet()
    }
}

const FIRST_DAY: i64 = 20_150;
/// A Monday: when episodes begin.
const FROM: i64 = FIRST_DAY + 49;

fn episode(kind: EpisodeKind, days: Option<u32>, factor: Option<f64>) -> Episode {
    let from = terms::Day::since_epoch(FROM as i32);
    Episode { kind, from, days, factor, ramp_days: None, carrier: None, region: None }
}

/// The network without episodes.
static USUAL: LazyLock<Vec<NightlyExtract>> = LazyLock::new(|| nights_with(vec![]));

fn nights_with(episodes: Vec<Episode>) -> Vec<NightlyExtract> {
    run(NetworkSettings { episodes, ..season() }).0
}

/// What became of a shipment. Units: microseconds since the epoch.
#[derive(Debug, Clone, PartialEq)]
struct Journey {
    ordered_at: i64,
    carrier: String,
    /// Origin and destination.
    regions: [String; 2],
    handed_over_at: Option<i64>,
    delivered_at: Option<i64>,
}

impl Journey {
    fn hours(&self) -> Option<f64> {
        Some((self.delivered_at? - self.ordered_at) as f64 / HOUR_MICROS as f64)
    }
}

fn journeys(nights: &[NightlyExtract]) -> BTreeMap<String, Journey> {
    let orders: BTreeMap<String, (i64, String)> = (batches(nights, "orders").iter())
        .flat_map(|batch| (0..batch.num_rows()).map(|row| (batch.clone(), row)).collect::<Vec<_>>())
        .map(|(batch, row)| {
            let ordered_at = instant(&batch, column::ORDERED_AT, row).unwrap();
            let region = text(&batch, column::DESTINATION_REGION, row);
            (text(&batch, column::ORDER_ID, row), (ordered_at, region))
        })
        .collect();
    let mut journeys = BTreeMap::new();
    for batch in batches(nights, "shipments") {
        for row in 0..batch.num_rows() {
            let (ordered_at, region) = orders[&text(&batch, column::ORDER_ID, row)].clone();
            let journey = Journey {
                ordered_at,
                carrier: text(&batch, column::CARRIER, row),
                regions: [text(&batch, column::ORIGIN_REGION, row), region],
                handed_over_at: instant(&batch, column::HANDED_OVER_AT, row),
                delivered_at: instant(&batch, column::DELIVERED_AT, row),
            };
            journeys.insert(text(&batch, column::SHIPMENT_ID, row), journey);
        }
    }
    journeys
}

fn on(day: i64, at: Option<i64>) -> bool {
    at.is_some_and(|at| at.div_euclid(DAY_MICROS) == day)
}

fn n_delivered<'a>(journeys: impl IntoIterator<Item = &'a Journey>, days: Range<i64>) -> usize {
    let within = |at: i64| days.contains(&at.div_euclid(DAY_MICROS));
    journeys.into_iter().filter(|journey| journey.delivered_at.is_some_and(within)).count()
}

/// Mean hours of the shipments that both networks delivered, and that were ordered on these days.
fn mean_hours(
    usual: &BTreeMap<String, Journey>,
    with: &BTreeMap<String, Journey>,
    days: Range<i64>,
) -> [f64; 2] {
    let mut sums = [0.0, 0.0, 0.0];
    for (id, journey) in usual {
        let is_wanted = days.contains(&journey.ordered_at.div_euclid(DAY_MICROS));
        if let (true, Some(before), Some(after)) = (is_wanted, journey.hours(), with[id].hours()) {
            sums = [sums[0] + before, sums[1] + after, sums[2] + 1.0];
        }
    }
    assert!(sums[2] > 300.0, "{sums:?}");
    [sums[0] / sums[2], sums[1] / sums[2]]
}

/// Mean hours from the handover to the last station, of parcels handed over in 40 days from `FROM`.
fn transit_hours(nights: &[NightlyExtract]) -> f64 {
    let (mut sum, mut count) = (0, 0.0);
    for batch in batches(nights, "legs") {
        for row in (0..batch.num_rows()).filter(|&row| text(&batch, "mile", row) == "middle") {
            let departed_at = instant(&batch, "departed_at", row).unwrap();
            if (FROM..FROM + 40).contains(&departed_at.div_euclid(DAY_MICROS)) {
                sum += instant(&batch, "arrived_at", row).unwrap() - departed_at;
                count += 1.0;
            }
        }
    }
    sum as f64 / HOUR_MICROS as f64 / count
}

/// Episodes change times from their first day on; orders, their number and all that was recorded
/// before stay the same.
#[track_caller]
fn check_that_only_times_change(with: &[NightlyExtract]) {
    let usual: &[NightlyExtract] = &USUAL;
    let of_table = |nights: &[NightlyExtract], name: &str| -> Vec<NightlyExtract> {
        let mut nights = nights.to_vec();
        nights.iter_mut().for_each(|night| night.tables.retain(|table| table.name == name));
        nights
    };
    for table in ["orders", "nodes"] {
        assert_eq!(digest(&of_table(usual, table)), digest(&of_table(with, table)), "{table}");
    }
    let before = (FROM - FIRST_DAY) as usize;
    assert_eq!(digest(&usual[..before]), digest(&with[..before]));
    assert_ne!(digest(usual), digest(with));
    let ids = |nights| journeys(nights).into_keys().collect::<Vec<_>>();
    assert_eq!(ids(usual), ids(with));
}

#[test]
fn nothing_is_delivered_in_a_strike_and_what_waits_comes_over_the_days_after() {
    let nights = nights_with(vec![episode(EpisodeKind::Strike, Some(7), None)]);
    check_that_only_times_change(&nights);
    let (usual, with) = (journeys(&USUAL), journeys(&nights));

    let strike = FROM..FROM + 7;
    assert!(n_delivered(usual.values(), strike.clone()) > 500);
    for day in strike.clone() {
        let is_busy =
            |journey: &&Journey| on(day, journey.handed_over_at) || on(day, journey.delivered_at);
        assert_eq!(with.values().filter(is_busy).count(), 0, "day {day}");
    }
    // It takes days to catch up, at no more than about twice the usual rate.
    let ordinary = n_delivered(usual.values(), FROM - 28..FROM) as f64 / 28.0;
    let late = |until| {
        let [usual, with] = [&usual, &with].map(|all| n_delivered(all.values(), FROM - 7..until));
        (usual as f64 - with as f64) / ordinary
    };
    assert!(late(strike.end) > 6.0, "{} ordinary days", late(strike.end));
    assert!(late(strike.end + 3) > 3.0 && late(strike.end + 18) < 0.5);
    for from in strike.end..strike.end + 14 {
        let weekly = n_delivered(with.values(), from..from + 7) as f64 / 7.0;
        assert!(weekly < 2.2 * ordinary, "{weekly} a day from {from}, {ordinary} usually");
        let daily = n_delivered(with.values(), from..from + 1) as f64;
        assert!(daily < 3.5 * ordinary, "{daily} on {from}, {ordinary} usually");
    }
    // None is earlier, each delivery that can be seen without the strike is made at last, and those
    // of a van are not all at once.
    let late_days = |(id, journey): (&String, &Journey)| {
        let at = journey.delivered_at?;
        (at < (FIRST_DAY + 90) * DAY_MICROS)
            .then(|| (with[id].delivered_at.unwrap() - at) / DAY_MICROS)
    };
    let late_days: Vec<i64> = usual.iter().filter_map(late_days).collect();
    assert!(late_days.iter().all(|days| (0..=12).contains(days)));
    assert!((0..=7).all(|days| late_days.contains(&days)));
    let mut at: Vec<i64> = with.values().filter_map(|journey| journey.delivered_at).collect();
    let n_deliveries = at.len();
    at.sort_unstable();
    at.dedup();
    assert!(at.len() * 50 > n_deliveries * 49, "{} of {n_deliveries} times", at.len());
}

#[test]
fn a_strike_of_one_carrier_or_region_leaves_the_others_as_they_were() {
    let usual = journeys(&USUAL);
    let strike = episode(EpisodeKind::Strike, Some(10), None);
    let carrier = Episode { carrier: Some("crown_post".into()), ..strike.clone() };
    let region = Episode { region: Some("GF".into()), ..strike };
    let of_carrier = |journey: &Journey| journey.carrier == "crown_post";
    let of_region = |journey: &Journey| journey.regions.contains(&"GF".to_owned());
    for (episode, concerns) in
        [(carrier, &of_carrier as &dyn Fn(&Journey) -> bool), (region, &of_region)]
    {
        let with = journeys(&nights_with(vec![episode.clone()]));
        let mut n_late = 0;
        for (id, journey) in &with {
            n_late += usize::from(*journey != usual[id]);
            assert!(concerns(journey) || *journey == usual[id], "{id}: {episode:?}");
        }
        assert!(n_late > 300, "{n_late}");
        let in_strike = with.values().filter(|journey| {
            let is_there = episode.carrier.is_some() || journey.regions[1] == "GF";
            concerns(journey) && is_there
        });
        assert_eq!(n_delivered(in_strike, FROM..FROM + 10), 0, "{episode:?}");
    }
}

#[test]
fn delivery_times_fall_by_about_the_factor_of_a_speedup() {
    let speedup = episode(EpisodeKind::Speedup, None, Some(0.6));
    let nights = nights_with(vec![speedup.clone()]);
    check_that_only_times_change(&nights);
    let (usual, with) = (journeys(&USUAL), journeys(&nights));
    let [before, after] = mean_hours(&usual, &with, FROM..FROM + 40);
    // Payment, and waiting for the next pick-up and the next van, take as long as before.
    assert!((0.65..0.8).contains(&(after / before)), "{after} of {before} hours");
    let [before, after] = [&USUAL, &nights].map(|nights| transit_hours(nights));
    assert!((0.58..0.62).contains(&(after / before)), "{after} of {before} hours");

    let ramp = journeys(&nights_with(vec![Episode { ramp_days: Some(28), ..speedup }]));
    let weekly: Vec<f64> = (0..6)
        .map(|week| mean_hours(&usual, &ramp, FROM + 7 * week..FROM + 7 * week + 7))
        .map(|[before, after]| after / before)
        .collect();
    assert!(weekly[0] > 0.88 && weekly[5] < 0.8, "{weekly:?}");
    assert!(weekly.windows(2).take(3).all(|pair| pair[1] < pair[0]), "{weekly:?}");
}

#[test]
fn a_slowdown_ends_after_its_days() {
    let nights = nights_with(vec![episode(EpisodeKind::Slowdown, Some(21), Some(1.5))]);
    check_that_only_times_change(&nights);
    let (usual, with) = (journeys(&USUAL), journeys(&nights));
    let ratio = |days| {
        let [before, after] = mean_hours(&usual, &with, days);
        after / before
    };
    assert!((1.25..1.5).contains(&ratio(FROM..FROM + 12)), "{}", ratio(FROM..FROM + 12));
    let after = FROM + 21..FROM + 45;
    let is_as_usual = |(id, journey): (&String, &Journey)| {
        !after.contains(&journey.ordered_at.div_euclid(DAY_MICROS)) || *journey == with[id]
    };
    assert!(usual.iter().all(is_as_usual));
}
