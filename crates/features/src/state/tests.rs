//! In whatever pieces history is built, the features are the same, and they are equal to their
//! definition.

mod by_definition;
mod fixture;
mod nightly_runs;

use std::collections::HashSet;

use polars::prelude::{AnyValue, DataFrame};
use proptest::prelude::*;
use terms::{AsOf, Day, Instant};

use self::by_definition::Records;
use self::fixture::{FIRST_DAY, N_DAYS};
use crate::columns::{numbers, required_instants, texts};
use crate::facts::PROMISE_FEATURE;
use crate::frame::PROMISED_HOURS;
use crate::snapshots::{FOLLOWED_SHARE, LEG_DEFINITIONS, SNAPSHOT_AT, SnapshotDraw};
use crate::{Built, Declaration, Error, HistoryState, Limits, Tables, build};

const DECLARED: &str = r#"
    facts = ["n_units", "n_shipments", "origin_daily_capacity"]
    categories = ["origin_region", "origin_kind"]
    calendar = ["hour", "origin_hour", "destination_workdays"]
    [clock]
    holiday_days = 24
    [level]
    windows_days = [20, 90]
    deliveries_min = 60
    [[history]]
    key = ["origin_region"]
    quantity = "delivery_hours"
    statistics = ["mean", "count", "sd"]
    windows_days = [7, 100]
    fall_back = []
    [[history]]
    key = ["origin_region", "origin_node_id:1"]
    quantity = "handling_hours"
    statistics = ["mean"]
    windows_days = [30]
    [[history]]
    key = []
    quantity = "open"
    statistics = ["count", "mean"]
    [[history]]
    key = ["origin_region"]
    quantity = "last_mile_hours"
    statistics = ["mean", "count", "sd"]
    windows_days = [30]
    [[history]]
    key = ["origin_region"]
    quantity = "delivered_by_day_5"
    statistics = ["mean", "count"]
    windows_days = [14]
    [snapshots]
    share = 0.3
"#;

const START: Day = Day::since_epoch(FIRST_DAY as i32);
const END: Day = Day::since_epoch((FIRST_DAY + N_DAYS) as i32);

fn declared() -> Declaration {
    Declaration::read(DECLARED).unwrap()
}

/// Limits of networks whose deliveries take days, weeks and months.
const LIMITS: [(u16, u16); 4] = [(60, 90), (14, 35), (45, 45), (120, 150)];

/// The declaration for one of these networks.
fn declared_for(network: usize) -> Declaration {
    let (lost_after_days, history_days) = LIMITS[network];
    declared().with_limits(Limits { lost_after_days, history_days })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10))]

    #[test]
    fn a_full_build_and_any_nights_give_the_same_bytes(
        seed: u64, nights: u64, network in 0..LIMITS.len(),
    ) {
        let (tables, declared) = (fixture::tables(seed), declared_for(network));
        let Built { frame: whole, outcomes, .. } =
            build(&tables, &declared, AsOf::start_of(END)).unwrap();
        let nightly = nightly_runs::run(&tables, &declared, nights);
        let (assembled, nightly_outcomes) = nightly.assemble(declared.limits);
        prop_assert_eq!(whole.to_parquet().unwrap(), assembled.to_parquet().unwrap());
        for as_of in (0..8).map(|n| AsOf::start_of(START.plus(40 * n))) {
            prop_assert_eq!(outcomes.as_of(as_of), nightly_outcomes.as_of(as_of));
        }
        let others = nightly_runs::run(&tables, &declared, nights ^ 0x5555);
        prop_assert_eq!(&nightly.months, &others.months);
        prop_assert_eq!(&nightly.pages, &others.pages);
    }

    #[test]
    fn a_snapshot_has_what_was_recorded_before_its_night_and_nothing_later(
        seed: u64, nights: u64, night in 20..N_DAYS as i32, network in 0..LIMITS.len(),
    ) {
        let (tables, declared) = (fixture::tables(seed), declared_for(network));
        let night = AsOf::start_of(START.plus(night));
        let drawn = nightly_runs::run(&tables, &declared, nights).snapshots(night);
        let known = tables.recorded(Instant::MIN..night.instant()).unwrap();
        let open = nightly_runs::open_snapshots(&known, &declared, nights ^ 1, night);
        // Those that are drawn are among those that are open that night, cell by cell.
        let lines = |frame: &DataFrame| -> HashSet<String> {
            let line = |row| frame.get(row).unwrap().into_iter().map(AnyValue::into_static);
            (0..frame.height()).map(|row| format!("{:?}", line(row).collect::<Vec<_>>())).collect()
        };
        let (drawn_lines, open_lines) = (lines(&drawn), lines(&open));
        let other = drawn_lines.difference(&open_lines).next();
        prop_assert_eq!(other, None);
        // And they are all that are to be kept.
        let draws = declared.snapshots.as_ref().unwrap();
        let ids = texts(&open, "shipment_id").unwrap();
        let kept = ids.iter().flatten().filter(|id| {
            let draw = SnapshotDraw::of(id);
            draw.is_drawn(night.instant().day(), draws) || draw.is_followed()
        });
        prop_assert_eq!(drawn.height(), kept.count());
    }

    #[test]
    fn what_is_promised_of_a_snapshot_is_equal_to_its_definition(
        seed: u64, nights: u64, network in 0..LIMITS.len(),
    ) {
        let (tables, mut declared) = (fixture::tables(seed), declared_for(network));
        declared.promise = true;
        let frame = build(&tables, &declared, AsOf::start_of(END)).unwrap().frame;
        let records = Records::of(&tables, &frame, declared.limits);
        let of_orders = frame.numbers(PROMISED_HOURS).unwrap();
        let (rows, ordered_at) = (frame.texts("shipment_id").unwrap(), frame.ordered_at().unwrap());
        let snapshots = nightly_runs::run(&tables, &declared, nights).all_snapshots();
        let ids = texts(&snapshots, "shipment_id").unwrap();
        let at = required_instants(&snapshots, SNAPSHOT_AT).unwrap();
        let found = [PROMISED_HOURS, PROMISE_FEATURE].map(|name| numbers(&snapshots, name).unwrap());
        let mut n_corrected = 0;
        for (snapshot, &at) in at.iter().enumerate() {
            let row = rows.iter().position(|row| row.as_deref() == ids.get(snapshot)).unwrap();
            let promised_at = records.promised_before(row, at);
            let expected = promised_at.map(|at| at.hours_since(ordered_at[row]) as f32);
            let found = found.each_ref().map(|column| column[snapshot] as f32);
            let found = found.map(|hours| (!hours.is_nan()).then_some(hours));
            prop_assert_eq!(found, [expected; 2], "row {} at {:?}", row, at);
            n_corrected += usize::from(expected != of_orders[row]);
        }
        prop_assert!(n_corrected > 0);
    }

    #[test]
    fn the_legs_of_a_snapshot_are_equal_to_their_definition(
        seed: u64, nights: u64, network in 0..LIMITS.len(),
    ) {
        let (tables, declared) = (fixture::tables(seed), declared_for(network));
        let frame = build(&tables, &declared, AsOf::start_of(END)).unwrap().frame;
        let records = Records::of(&tables, &frame, declared.limits);
        let rows = frame.texts("shipment_id").unwrap();
        let snapshots = nightly_runs::run(&tables, &declared, nights).all_snapshots();
        let ids = texts(&snapshots, "shipment_id").unwrap();
        let at = required_instants(&snapshots, SNAPSHOT_AT).unwrap();
        let of_legs = LEG_DEFINITIONS.map(|(name, ..)| numbers(&snapshots, name).unwrap());
        let (mut n_with_legs, mut n_failed) = (0, 0);
        for (snapshot, &at) in at.iter().enumerate() {
            let row = rows.iter().position(|row| row.as_deref() == ids.get(snapshot)).unwrap();
            let arrived = records.legs_arrived_before(row, at);
            let last = arrived.last();
            let (failed_attempts, failed_attempt_at) = records.attempts_failed_before(row, at);
            let expected = [
                Some(arrived.len() as f32),
                last.map(|leg| at.hours_since(leg.at) as f32),
                last.map(|leg| leg.mile as f32),
                Some(failed_attempts as f32),
                failed_attempt_at.map(|failed_at| at.hours_since(failed_at) as f32),
            ];
            let found = of_legs.each_ref().map(|column| column[snapshot] as f32);
            let found = found.map(|value| (!value.is_nan()).then_some(value));
            prop_assert_eq!(found, expected, "row {} at {:?}", row, at);
            n_with_legs += usize::from(last.is_some());
            n_failed += usize::from(failed_attempt_at.is_some());
        }
        prop_assert!(n_with_legs > 0 && n_failed > 0);
    }

    #[test]
    fn history_is_equal_to_its_definition(seed: u64, network in 0..LIMITS.len()) {
        let (tables, declared) = (fixture::tables(seed), declared_for(network));
        let frame = build(&tables, &declared, AsOf::start_of(END)).unwrap().frame;
        let records = Records::of(&tables, &frame, declared.limits);
        let regions = frame.texts("origin_region").unwrap();
        let column = |name: &str| frame.numbers(name).unwrap();
        let deliveries = column("origin_region_delivery_hours_count_7d");
        let checked = column("origin_region_delivered_by_day_5_count_14d");
        let legs = column("origin_region_last_mile_hours_count_30d");
        let open = column("everywhere_open_count");
        let level = column("level_hours");
        for (row, region) in regions.iter().enumerate() {
            let day = records.history_before(row);
            let rows = || 0..regions.len();
            let of_region = || rows().filter(|&other| regions[other] == *region);
            let in_window = |before: &dyn Fn(usize, Day) -> i64, days: i32| -> f32 {
                let of_row = |row| before(row, day) - before(row, day.plus(-days));
                of_region().map(of_row).sum::<i64>() as f32
            };
            let expected = in_window(&|row, day| records.delivered_before(row, day), 7);
            prop_assert_eq!(deliveries[row], Some(expected), "row {} deliveries", row);
            let expected = in_window(&|row, day| records.last_miles_before(row, day), 30);
            prop_assert_eq!(legs[row], Some(expected), "row {} legs", row);
            let expected = rows().filter(|&other| records.is_open_before(other, day)).count();
            prop_assert_eq!(open[row], Some(expected as f32), "row {} open", row);
            let is_checked = |&other: &usize| records.is_checked_on(other, 5, day.plus(-14)..day);
            let expected = of_region().filter(is_checked).count();
            prop_assert_eq!(checked[row], Some(expected as f32), "row {} checked", row);
            let of_window =
                |days: i32, least| records.median_of_period(day.plus(-days)..day, least);
            // Hours are added in another order there.
            let expected = of_window(20, 60.0).or(of_window(90, 30.0)).unwrap_or(-1.0) as f32;
            let found = level[row].unwrap_or(-1.0);
            let is_near = (found - expected).abs() <= 1e-5 * expected.abs();
            prop_assert!(is_near, "row {row} level: {found} {expected}");
        }
    }
}

/// A state that has ingested the first days, and the tables.
fn state_after(days: i32) -> (HistoryState, Tables, nightly_runs::NightlyStore) {
    let (tables, store) = (fixture::tables(1), nightly_runs::NightlyStore::default());
    let mut state = HistoryState::new(&declared()).unwrap();
    let until = START.plus(days);
    let of_days = tables.recorded(START.start()..until.start()).unwrap();
    state.advance(of_days, START..until, &store).unwrap();
    (state, tables, store)
}

#[test]
fn midnights_and_shipments_are_drawn_by_their_shares() {
    let (declared, n) = (declared(), 20_000);
    let draws = declared.snapshots.as_ref().unwrap();
    let is_drawn = |id: u32, night| {
        SnapshotDraw::of(&format!("s{id}")).is_drawn(Day::since_epoch(night), draws)
    };
    let is_near = |count: usize, share: f64| {
        let (expected, sd) = (share * f64::from(n), (share * f64::from(n)).sqrt());
        assert!((count as f64 - expected).abs() < 5.0 * sd, "{count}, expected {expected}");
    };
    is_near((0..n).filter(|&id| is_drawn(id, 20_000)).count(), 0.3);
    is_near((0..n).filter(|&night| is_drawn(7, night as i32)).count(), 0.3);
    let followed = |id: &u32| SnapshotDraw::of(&format!("s{id}")).is_followed();
    is_near((0..n).filter(followed).count(), FOLLOWED_SHARE);
    // Whether a shipment is followed says nothing of its draws.
    let of_followed = (0..n).filter(followed).flat_map(|id| (0..100).map(move |night| (id, night)));
    let (drawn, all) = of_followed.fold((0, 0), |(drawn, all), (id, night)| {
        (drawn + usize::from(is_drawn(id, night)), all + 1)
    });
    assert!((drawn as f64 / f64::from(all) - 0.3).abs() < 0.02, "{drawn} of {all}");
}

#[test]
fn snapshots_of_a_network_without_legs_have_no_columns_of_legs() {
    let columns_of = |declared: &Declaration| {
        let snapshots = nightly_runs::run(&fixture::tables(1), declared, 1).all_snapshots();
        LEG_DEFINITIONS.map(|(name, ..)| snapshots.column(name).is_ok())
    };
    let without = declared().with_legs(false);
    assert_eq!([columns_of(&declared()), columns_of(&without)], [[true; 5], [false; 5]]);
    let defined = |declared: &Declaration| {
        let defined = declared.dictionary();
        LEG_DEFINITIONS.map(|(name, ..)| defined.iter().any(|of| of.name == name))
    };
    assert_eq!([defined(&declared()), defined(&without)], [[true; 5], [false; 5]]);
    let identity = |declared: &Declaration| toml::to_string(&declared.snapshots).unwrap();
    assert_ne!(identity(&declared()), identity(&without), "of other columns, so another state");
}

#[test]
fn days_that_do_not_follow_are_refused_and_leave_the_state_as_it_was() {
    let (mut state, tables, store) = state_after(3);
    let until = START.plus(3);
    let over_a_month = until..until.plus(40);
    for wrong in [START..until, until.plus(1)..until.plus(2), until..until, over_a_month] {
        let result = state.advance(tables.clone(), wrong.clone(), &store);
        assert!(matches!(result, Err(Error::Days { .. })), "{wrong:?}");
    }
    let next = tables.recorded(until.start()..until.end()).unwrap();
    assert!(state.advance(next, until..until.next(), &store).is_ok());
    assert_eq!(state.until(), Some(until.next()));
}

#[test]
fn a_step_that_failed_half_way_is_never_taken_for_a_good_one() {
    let (mut state, tables, store) = state_after(3);
    let until = START.plus(3);
    let broken = Tables { shipments: tables.shipments.drop("status").unwrap(), ..tables.clone() };
    assert!(state.advance(broken, until..until.next(), &store).is_err());
    let again = state.advance(tables, until..until.next(), &store);
    assert!(matches!(again, Err(Error::StateBroken)));
}
