//! `pipelines/seasons.toml` and `pipelines/legs.toml` are what their comments say: each window of weekly
//! origins is its season.

use super::*;

const SEASONS: &str = include_str!("../../../../pipelines/seasons.toml");
const LEGS: &str = include_str!("../../../../pipelines/legs.toml");

/// The network of a file.
fn network(file: &str) -> NetworkSettings {
    let file: toml::Table = file.parse().expect("TOML");
    file["simulate"].clone().try_into().expect("settings")
}

/// The first and last origin of a window, as in the comments of a file: days since the epoch.
fn window(file: &str, name: &str) -> (i64, i64) {
    let line = file.lines().find(|line| line.trim_start_matches(['#', ' ']).starts_with(name));
    let words: Vec<&str> = line.unwrap().split_whitespace().collect();
    let day = |text: &str| i64::from(text.parse::<terms::Day>().unwrap().days_since_epoch());
    assert_eq!((words[1], words[3]), (name, "to"));
    (day(words[2]), day(words[4]))
}

/// Mean days until delivery of the orders of the week after each origin of a window.
fn weekly_means(delivered: &[(i64, f64)], name: &str) -> Vec<f64> {
    let (first, last) = window(SEASONS, name);
    (first..=last)
        .step_by(7)
        .map(|origin| {
            let week = delivered.iter().filter(|(day, _)| (origin..origin + 7).contains(day));
            let days: Vec<f64> = week.map(|(_, days)| *days).collect();
            assert!(days.len() > 200, "{name}: {} orders", days.len());
            days.iter().sum::<f64>() / days.len() as f64
        })
        .collect()
}

#[test]
fn each_window_of_the_seasons_is_what_it_is_called() {
    let settings = network(SEASONS);
    let first_day = i64::from(settings.first_day.days_since_epoch());
    let last_day = first_day + i64::from(settings.days) - 1;
    let settings = NetworkSettings { shipments: 30_000, odd_rate: 0.0, ..settings };
    let nights = run(settings).0;
    let orders = orders(&nights);
    let mut journeys: BTreeMap<String, (i64, f64, i64)> = BTreeMap::new();
    for row in shipments(&nights) {
        if let Some(at) = row.delivered_at {
            let ordered_at = orders[&row.order_id].0;
            let days = (at - ordered_at) as f64 / DAY_MICROS as f64;
            let journey = (ordered_at.div_euclid(DAY_MICROS), days, at.div_euclid(DAY_MICROS));
            journeys.insert(row.shipment_id, journey);
        }
    }
    let delivered: Vec<_> = journeys.values().map(|(day, days, _)| (*day, *days)).collect();

    let [calm, peak, strike, recovery] =
        ["calm", "peak", "strike", "recovery"].map(|name| weekly_means(&delivered, name));
    for name in ["calm", "peak", "strike", "recovery"] {
        let (first, last) = window(SEASONS, name);
        assert_eq!((crate::calendar::weekday(first), (last - first) % 7), (0, 0), "{name}");
        assert!((6..=10).contains(&((last - first) / 7 + 1)), "{name}");
        assert!(first - first_day >= 120 && last_day - last >= 21, "{name}");
    }
    let usual = calm.iter().sum::<f64>() / calm.len() as f64;
    assert!(calm.iter().all(|mean| (mean / usual - 1.0).abs() < 0.12), "{calm:?}");
    let most = |means: &[f64]| means.iter().copied().fold(0.0, f64::max) / usual;
    assert!(most(&peak) > 1.4, "{peak:?}");
    assert!((peak[0] / usual - 1.0).abs() < 0.2 && peak[7] < 1.2 * usual, "{peak:?}");
    assert!(most(&strike) > 1.7 && strike[7] < 1.15 * usual, "{strike:?}");
    let (first, last) = window(SEASONS, "strike");
    let is_idle = |day: &i64| journeys.values().all(|(_, _, delivered)| delivered != day);
    assert!((first..last).filter(is_idle).count() >= 7);
    let least = calm.iter().copied().fold(f64::MAX, f64::min);
    assert!(recovery[4..].iter().all(|&mean| mean < 0.8 * least), "{recovery:?}");
    assert!(recovery[0] > 0.85 * usual, "{recovery:?}");
}

#[test]
fn the_windows_of_the_network_with_legs_are_what_they_are_called() {
    let settings = network(LEGS);
    assert!(settings.legs);
    let first_day = i64::from(settings.first_day.days_since_epoch());
    let last_day = first_day + i64::from(settings.days) - 1;
    let nights = run(NetworkSettings { shipments: 5_000, odd_rate: 0.0, ..settings }).0;
    assert!(!batches(&nights, "legs").is_empty());
    let delivered: BTreeSet<i64> = shipments(&nights)
        .into_iter()
        .filter_map(|row| Some(row.delivered_at?.div_euclid(DAY_MICROS)))
        .collect();
    for (name, idle_days) in [("calm", 0), ("peak", 0), ("strike", 7)] {
        let (first, last) = window(LEGS, name);
        assert_eq!((crate::calendar::weekday(first), (last - first) % 7), (0, 0), "{name}");
        assert!(first - first_day >= 90 && last_day - last >= 28, "{name}");
        let idle = (first..last).filter(|day| !delivered.contains(day)).count();
        assert_eq!(idle, idle_days, "{name}");
    }
}
