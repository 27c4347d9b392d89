//! Networks that are unlike the default one: fast and slow ones, dates without a clock, many losses.

use super::*;
use crate::EpisodeKind;

/// Days until delivery of what was delivered, sorted.
fn delivered_days(nights: &[NightlyExtract]) -> Vec<f64> {
    let orders = orders(nights);
    let days = |row: Row| {
        let at = row.delivered_at?;
        Some((row.shipment_id, (at - orders[&row.order_id].0) as f64 / DAY_MICROS as f64))
    };
    let by_shipment: BTreeMap<String, f64> =
        shipments(nights).into_iter().filter_map(days).collect();
    let mut days: Vec<f64> = by_shipment.into_values().collect();
    days.sort_by(f64::total_cmp);
    days
}

#[test]
fn the_median_is_near_the_wanted_one() {
    for wanted in [1.0, 8.0, 90.0] {
        let settings = NetworkSettings {
            shipments: 4_000,
            days: 400,
            median_days: Some(wanted),
            peak_factor: 1.0,
            ..quiet()
        };
        // What is not delivered in time is slow, so the median is that of all orders of the first days.
        let (nights, _) = run(settings);
        let orders = orders(&nights);
        let first = orders.values().map(|(at, _)| *at).min().unwrap();
        let early = |row: &Row| orders[&row.order_id].0 < first + 200 * DAY_MICROS;
        let mut days: Vec<f64> = shipments(&nights)
            .iter()
            .filter(|row| early(row))
            .filter_map(|row| row.delivered_at.map(|at| at - orders[&row.order_id].0))
            .map(|micros| micros as f64 / DAY_MICROS as f64)
            .collect();
        days.sort_by(f64::total_cmp);
        let median = days[days.len() / 2];
        assert!((median / wanted - 1.0).abs() < 0.12, "wanted {wanted}, found {median}");
    }
}

#[test]
fn where_there_are_dates_only_each_instant_is_a_local_midnight_known_after_its_day() {
    let settings = NetworkSettings {
        dates_only: true,
        legs: true,
        late_rate: 0.1,
        corrected_rate: 0.1,
        ..quiet()
    };
    let (nights, summary) = run(settings.clone());
    let mut zones = BTreeMap::new();
    for batch in batches(&nights, "orders") {
        for row in 0..batch.num_rows() {
            let zone: chrono_tz::Tz = text(&batch, "destination_time_zone", row).parse().unwrap();
            zones.insert(text(&batch, column::ORDER_ID, row), zone);
        }
    }
    let mut n_checked = 0;
    let mut check = |batch: &RecordBatch, order_id: &str, row: usize, names: &[&str]| {
        let recorded_at = instant(batch, column::RECORDED_AT, row).unwrap();
        for name in names {
            let Some(at) = instant(batch, name, row) else { continue };
            let utc = chrono::DateTime::from_timestamp_micros(at).unwrap();
            let local = utc.with_timezone(&zones[order_id]);
            assert_eq!(local.format("%H:%M:%S").to_string(), "00:00:00", "{name} {utc}");
            let is_promise = ["promised_at", "ship_by_at"].contains(name);
            // A day on which clocks change has 23 hours.
            assert!(is_promise || recorded_at >= at + 23 * HOUR_MICROS, "{name} {utc}");
            n_checked += 1;
        }
    };
    for batch in batches(&nights, "orders") {
        for row in 0..batch.num_rows() {
            let id = text(&batch, column::ORDER_ID, row);
            check(&batch, &id, row, &["ordered_at", "paid_at", "promised_at"]);
        }
    }
    for batch in batches(&nights, "shipments") {
        for row in 0..batch.num_rows() {
            let id = text(&batch, column::ORDER_ID, row);
            check(&batch, &id, row, &["ship_by_at", "handed_over_at", "delivered_at"]);
        }
    }
    for batch in batches(&nights, "legs") {
        for row in 0..batch.num_rows() {
            let shipment = text(&batch, column::SHIPMENT_ID, row);
            let order = format!("o{}", shipment[1..].split('-').next().unwrap());
            check(&batch, &order, row, &["departed_at", "arrived_at", "failed_attempt_at"]);
        }
    }
    assert!(n_checked > 50_000, "{n_checked}");
    assert!(summary.corrected > 200, "{}", summary.corrected);

    // Facts keep their order, and the wanted share is that of the dates.
    let orders = orders(&nights);
    for row in shipments(&nights) {
        let times = [Some(orders[&row.order_id].0), row.handed_over_at, row.delivered_at];
        assert!(times.iter().flatten().is_sorted(), "{row:?}");
    }
    let share = summary.share_within_two_days();
    assert!((share - 0.2).abs() < 0.03, "{share}");
    let odd = run(NetworkSettings { odd_rate: 0.2, ..settings });
    assert!(odd.1.odd_versions.values().all(|&count| count > 0), "{:?}", odd.1.odd_versions);
}

#[test]
fn half_of_the_shipments_can_be_lost() {
    let (nights, summary) = run(NetworkSettings { lost_rate: 0.5, days: 120, ..quiet() });
    let share = summary.lost as f64 / summary.shipments as f64;
    assert!((share - 0.5).abs() < 0.03, "{share}");
    let delivered = delivered_days(&nights).len() as f64;
    assert!(delivered < 0.52 * summary.shipments as f64, "{delivered}");
}

#[test]
fn episodes_happen_to_a_network_that_works_every_day() {
    let strike = crate::Episode {
        kind: EpisodeKind::Strike,
        from: terms::Day::since_epoch(20_300),
        days: Some(7),
        factor: None,
        ramp_days: None,
        carrier: None,
        region: None,
    };
    let settings = NetworkSettings { share_within_two_days: Some(0.8), ..quiet() };
    let (nights, usual) = run(settings.clone());
    let orders = orders(&nights);
    let sundays = shipments(&nights)
        .iter()
        .filter_map(|row| row.delivered_at)
        .filter(|at| crate::calendar::weekday((at + 10 * HOUR_MICROS).div_euclid(DAY_MICROS)) == 6)
        .count();
    assert!(sundays > 200 && orders.len() > 5_000, "{sundays}");
    let struck = run(NetworkSettings { episodes: vec![strike], ..settings }).1;
    assert!(struck.within_two_days < usual.within_two_days - 300, "{struck:?} {usual:?}");
}
