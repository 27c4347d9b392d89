//! Tests of the whole file: what was written is found, by the finest row, and bytes of any kind are
//! refused or answered.
#![expect(clippy::disallowed_methods, reason = "test code")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use terms::{DAYS_AHEAD, DayGrid, Instant, LEVELS};

use super::format::HEAD_BYTES;
use super::{
    Lane, LaneGrouping, LaneRow, SpeedTable, SpeedTableHeader, WeightBand, encode_speed_table,
};
use crate::distribution::Distribution;
use crate::error::Error;

fn header() -> SpeedTableHeader {
    let as_of: Instant = "2026-11-20".parse().unwrap();
    SpeedTableHeader { model_id: "modèle-1".into(), as_of, days: DayGrid::DAILY }
}

/// A distribution around so many hours.
fn around(hours: f32) -> Distribution {
    let within = |limit: f32| 1.0 - (-limit / hours).exp();
    Distribution {
        probability_over_2d: 1.0 - within(48.0),
        hours: LEVELS.map(|level| 2.0 * hours * level as f32),
        by_day: std::array::from_fn(|point| within(24.0 * (point + 1) as f32)),
        days: DayGrid::DAILY,
    }
}

fn row(grouping: usize, lane: Lane<'_>, n_shipments: u32) -> LaneRow<'_> {
    let grouping = LaneGrouping::ALL[grouping];
    LaneRow { grouping, lane, n_shipments, distribution: around(n_shipments as f32) }
}

fn table(rows: &[LaneRow<'_>]) -> SpeedTable {
    SpeedTable::from_bytes(encode_speed_table(&header(), rows).unwrap()).unwrap()
}

/// What a lookup goes by, with the texts of a small country.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Values([Option<&'static str>; 6], Option<f32>);

impl Values {
    fn lane(&self) -> Lane<'static> {
        let Self(
            [origin_zone, origin_region, destination_zone, destination_region, carrier, service],
            weight_g,
        ) = *self;
        Lane {
            origin_zone,
            origin_region,
            destination_zone,
            destination_region,
            carrier,
            service,
            weight_g,
        }
    }

    /// What a row of a grouping is known by.
    fn key(&self, grouping: LaneGrouping) -> Vec<Option<String>> {
        let lane = self.lane();
        let column = |name: &&str| {
            let text = match *name {
                "origin_zone" => lane.origin_zone,
                "origin_region" => lane.origin_region,
                "destination_zone" => lane.destination_zone,
                "destination_region" => lane.destination_region,
                "carrier" => lane.carrier,
                "service" => lane.service,
                "weight_band" => lane.weight_g.and_then(WeightBand::of).map(WeightBand::text),
                other => panic!("{other}"),
            };
            text.map(str::to_owned)
        };
        grouping.columns().iter().map(column).collect()
    }
}

prop_compose! {
    fn values()(
        texts in prop::array::uniform6(prop::option::of(prop::sample::select(vec!["", "1", "22041", "DE-BY", "größe"]))),
        weight in prop::option::of(prop::sample::select(vec![0.0, 499.0, 501.0, 90_000.0, f32::NAN, -1.0])),
    ) -> Values {
        Values(texts, weight)
    }
}

type Expected = BTreeMap<(LaneGrouping, Vec<Option<String>>), u32>;

/// Rows of random lanes, each lane once, with those that must be found.
fn rows_of(lanes: &[(usize, Values)]) -> (Vec<LaneRow<'static>>, Expected) {
    let all = row(12, Lane::default(), 1);
    let mut expected = Expected::from([((LaneGrouping::ALL_SHIPMENTS, Vec::new()), 1)]);
    let mut rows = vec![all];
    for (number, (grouping, values)) in (2..).zip(lanes) {
        let new = row(*grouping, values.lane(), number);
        if let std::collections::btree_map::Entry::Vacant(vacant) =
            expected.entry((new.grouping, values.key(new.grouping)))
        {
            vacant.insert(number);
            rows.push(new);
        }
    }
    (rows, expected)
}

proptest! {
    #[test]
    fn the_finest_row_that_there_is_is_found(
        lanes in prop::collection::vec((0..12usize, values()), 0..60),
        requests in prop::collection::vec(values(), 1..60),
    ) {
        let (rows, expected) = rows_of(&lanes);
        let table = table(&rows);
        prop_assert_eq!(table.n_rows(), rows.len());
        // Lanes that have rows, and others.
        for values in requests.iter().chain(lanes.iter().map(|(_, values)| values)) {
            let found = table.lookup(&values.lane());
            let (grouping, n) = (LaneGrouping::ALL.into_iter())
                .find_map(|grouping| Some((grouping, *expected.get(&(grouping, values.key(grouping)))?)))
                .unwrap();
            prop_assert_eq!((found.grouping(), found.n_shipments()), (grouping, n));
            let (found, written) = (found.distribution(), around(n as f32));
            prop_assert_eq!(found.probability_over_2d, written.probability_over_2d);
            prop_assert_eq!(found.hours, written.hours);
            for (found, written) in found.by_day.iter().zip(written.by_day) {
                prop_assert!((found - written).abs() <= 0.5 / 65_535.0 + 1e-7);
            }
        }
    }

    #[test]
    fn rows_in_any_order_give_the_same_bytes(
        lanes in prop::collection::vec((0..12usize, values()), 0..40),
        seed in any::<u64>(),
    ) {
        let (mut rows, _) = rows_of(&lanes);
        let written = encode_speed_table(&header(), &rows).unwrap();
        let n = rows.len();
        for at in 0..n {
            rows.swap(at, (seed.rotate_left(at as u32) % n as u64) as usize);
        }
        prop_assert!(encode_speed_table(&header(), &rows).unwrap() == written);
    }

    #[test]
    fn altered_bytes_are_refused_or_answered(
        lanes in prop::collection::vec((0..12usize, values()), 0..40),
        alterations in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), any::<bool>()), 1..12),
        number in prop::option::of((0..HEAD_BYTES / 4, prop::sample::select(vec![0u32, 1, 64, 1 << 30, u32::MAX]))),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let (rows, _) = rows_of(&lanes);
        let mut bytes = encode_speed_table(&header(), &rows).unwrap();
        for (at, byte, in_head) in alterations {
            let end = if in_head { HEAD_BYTES } else { bytes.len() };
            bytes[at.index(end)] = byte;
        }
        if let Some((at, number)) = number {
            bytes[4 * at..4 * at + 4].copy_from_slice(&number.to_le_bytes());
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        match SpeedTable::from_bytes(bytes) {
            Err(error) => prop_assert!(matches!(error, Error::SpeedTableForm { .. }), "{error:?}"),
            Ok(table) => {
                for (_, values) in &lanes {
                    let found = table.lookup(&values.lane());
                    let _ = (found.hours(), found.probability_within(60.0), found.probability_by_day(59));
                    let _ = (format!("{found:?} {table:?}"), found.can_be_delivered_quickly(0.5));
                }
                let _ = table.verify();
            }
        }
    }
}

#[test]
fn a_file_that_is_cut_off_anywhere_is_refused_and_any_other_byte_is_noticed() {
    let lane = Lane { destination_zone: Some("22041"), ..Lane::default() };
    let bytes = encode_speed_table(&header(), &[row(12, lane, 3), row(9, lane, 2)]).unwrap();
    for end in 0..bytes.len() {
        let error = SpeedTable::from_bytes(bytes[..end].to_vec()).unwrap_err();
        assert!(matches!(error, Error::SpeedTableForm { .. }), "{end}: {error:?}");
    }
    for at in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[at] ^= 1;
        if let Ok(table) = SpeedTable::from_bytes(altered) {
            let error = table.verify().unwrap_err();
            assert!(matches!(error, Error::SpeedTableAltered { .. }), "{at}: {error:?}");
        }
    }
    SpeedTable::from_bytes([bytes.as_slice(), &[0]].concat()).unwrap_err();
    SpeedTable::from_bytes(bytes).unwrap().verify().unwrap();
}

#[test]
fn counts_that_no_file_has_allocate_nothing_and_name_what_was_expected() {
    let bytes = encode_speed_table(&header(), &[row(12, Lane::default(), 3)]).unwrap();
    // Bytes of the model id; texts, with as many buckets as belong to them; rows of the first grouping.
    for (at, numbers, expected) in [
        (8, &[7][..], "expected version 1 with 13 groupings"),
        (20, &[61], "days ahead: expected a multiple of 60"),
        (40, &[u32::MAX], "bytes, as its counts add up to, found"),
        (44, &[1 << 30, 0, 1 << 28], "bytes, as its counts add up to, found"),
        (44, &[1 << 30, 0, 1 << 27], "texts: expected 268435456 buckets"),
        (64, &[3], "expected columns 0b1110101, found 0b11"),
        (68, &[1 << 30, 1 << 28], "bytes, as its counts add up to, found"),
        (68, &[u32::MAX, u32::MAX], "carrier, service, weight_band: expected 1073741824 buckets"),
        (68 + 12 * 16, &[0, 1, 0], "expected one row of all shipments, found 0"),
    ] {
        let mut altered = bytes.clone();
        for (number, at) in numbers.iter().zip((at..).step_by(4)) {
            altered[at..at + 4].copy_from_slice(&u32::to_le_bytes(*number));
        }
        let error = SpeedTable::from_bytes(altered).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(error.to_string().starts_with("speed table \"in memory\": "), "{error}");
        assert_eq!(error.class(), terms::ErrorClass::Input);
    }
}

#[test]
fn a_value_that_is_not_known_matches_rows_that_have_none() {
    let zone = Lane { destination_zone: Some("22041"), ..Lane::default() };
    let from = Lane { origin_zone: Some("10115"), carrier: Some("a"), ..zone };
    let heavy = Lane { weight_g: Some(600.0), ..from };
    let rows = [row(12, zone, 1), row(9, zone, 2), row(1, from, 3), row(0, heavy, 4)];
    let found = |table: &SpeedTable, lane: Lane<'_>| table.lookup(&lane).n_shipments();
    let with_origins = table(&rows);
    assert_eq!(found(&with_origins, heavy), 4);
    assert_eq!(found(&with_origins, Lane { weight_g: Some(900.0), ..from }), 4);
    assert_eq!(found(&with_origins, Lane { weight_g: Some(2_000.0), ..from }), 3);
    assert_eq!(found(&with_origins, from), 3);
    assert_eq!(found(&with_origins, Lane { service: Some("air"), ..from }), 2);
    assert_eq!(found(&with_origins, zone), 2);
    assert_eq!(found(&with_origins, Lane { destination_zone: Some("2204"), ..zone }), 1);
    // A shop that records neither origins nor carriers.
    let no_origins = table(&[row(12, zone, 1), row(9, zone, 2), row(1, zone, 5)]);
    assert_eq!(found(&no_origins, zone), 5);
    assert_eq!(found(&no_origins, from), 2);
    // No text is nothing: an empty one is another than none.
    assert_eq!(found(&no_origins, Lane { carrier: Some(""), ..zone }), 2);
}

#[test]
fn probabilities_lie_on_lines_between_the_days() {
    let mut distribution = around(50.0);
    distribution.by_day = std::array::from_fn(|point| if point < 3 { 0.2 } else { 0.8 });
    for (days, step) in [(DayGrid::DAILY, 1.0), (DayGrid::up_to(180).unwrap(), 3.0)] {
        let distribution = Distribution { days, ..distribution };
        let rows = [LaneRow { distribution, ..row(12, Lane::default(), 9) }];
        let bytes = encode_speed_table(&SpeedTableHeader { days, ..header() }, &rows).unwrap();
        let table = SpeedTable::from_bytes(bytes).unwrap();
        let speed = table.lookup(&Lane::default());
        let low = f64::from(speed.probability_by_day(0).unwrap());
        let high = f64::from(speed.probability_by_day(59).unwrap());
        for (hours, expected) in [
            (-5.0, 0.0),
            (0.0, 0.0),
            (12.0, low / 2.0),
            (24.0, low),
            (72.0, low),
            (84.0, f64::midpoint(low, high)),
            (96.0, high),
            (1_440.0, high),
            (1e300, high),
            (f64::INFINITY, high),
            (f64::NEG_INFINITY, 0.0),
        ] {
            let found = speed.probability_within(hours * step);
            assert_eq!(speed.distribution().probability_within(hours * step), found);
            assert!((found - expected).abs() < 1e-6, "{hours}: {found} is not {expected}");
            assert!(
                speed.arrives_within(hours * step, found)
                    && !speed.arrives_within(hours * step, 0.9)
            );
        }
        assert!(
            speed.probability_within(f64::NAN).is_nan() && !speed.arrives_within(f64::NAN, 0.0)
        );
        assert_eq!((speed.probability_by_day(DAYS_AHEAD), speed.days()), (None, days));
        let within_2d = 1.0 - f64::from(distribution.probability_over_2d);
        assert!(speed.can_be_delivered_quickly(within_2d));
        assert!(!speed.can_be_delivered_quickly(within_2d.next_up()));
    }
}

#[test]
fn rows_that_are_no_table_are_refused_by_their_position() {
    let zone = Lane { destination_zone: Some("1"), carrier: Some("a"), ..Lane::default() };
    let all = row(12, Lane::default(), 1);
    let refused =
        |rows: &[LaneRow<'_>]| encode_speed_table(&header(), rows).unwrap_err().to_string();
    assert!(refused(&[]).ends_with("expected a row of all shipments, found none"));
    assert!(refused(&[row(9, zone, 2)]).ends_with("expected a row of all shipments, found none"));
    assert!(refused(&[all, all]).contains("found rows 0 and 1 by all"));
    // The carrier is none of the grouping's columns, so these are of one lane.
    let other = Lane { carrier: Some("b"), ..zone };
    let twice = refused(&[row(9, zone, 2), all, row(9, other, 3)]);
    assert!(twice.contains("found rows 0 and 2 by destination_zone"), "{twice}");
    let with = |change: &dyn Fn(&mut Distribution)| {
        let mut wrong = row(9, zone, 2);
        change(&mut wrong.distribution);
        refused(&[all, wrong])
    };
    let days = DayGrid::up_to(120).unwrap();
    for (found, expected) in [
        (with(&|d| d.days = days), "up to day 60, as the header says, found 120"),
        (with(&|d| d.probability_over_2d = f32::NAN), "more than two days, found NaN"),
        (with(&|d| d.probability_over_2d = 1.5), "more than two days, found 1.5"),
        (with(&|d| d.hours[8] = f32::INFINITY), "expected ascending hours, found"),
        (with(&|d| d.hours[3] = 0.0), "expected ascending hours, found"),
        (with(&|d| d.by_day[59] = 0.0), "expected ascending probabilities by day, found"),
        (with(&|d| d.by_day[59] = 1.1), "expected ascending probabilities by day, found"),
    ] {
        assert!(
            found.starts_with("rows of a speed table: row 1, by destination_zone: "),
            "{found}"
        );
        assert!(found.contains(expected), "{found}");
    }
}

#[test]
fn a_mapped_file_is_that_of_its_bytes_and_stays_when_another_takes_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let (path, next) = (folder.path().join("speed.lut"), folder.path().join("next"));
    let lane = Lane { destination_zone: Some("22041"), ..Lane::default() };
    let error = SpeedTable::open(&path).unwrap_err();
    assert!(matches!(&error, Error::SpeedTableUnreadable { .. }), "{error:?}");
    assert!(error.to_string().contains("speed.lut"), "{error}");
    let bytes = encode_speed_table(&header(), &[row(12, lane, 1), row(9, lane, 2)]).unwrap();
    std::fs::write(&path, &bytes).unwrap();
    let table = SpeedTable::open(&path).unwrap();
    table.verify().unwrap();
    assert_eq!(table.header(), &header());
    std::fs::write(&next, encode_speed_table(&header(), &[row(12, lane, 7)]).unwrap()).unwrap();
    std::fs::rename(&next, &path).unwrap();
    assert_eq!(table.lookup(&lane).n_shipments(), 2);
    assert_eq!(SpeedTable::open(&path).unwrap().lookup(&lane).n_shipments(), 7);
    for bytes in [&b""[..], b"LHSPEED\n", &[0; 4_096]] {
        std::fs::write(&path, bytes).unwrap();
        let error = SpeedTable::open(&path).unwrap_err().to_string();
        assert!(error.contains("speed.lut\": expected a file that begins with LHSPEED"), "{error}");
    }
    let of_folder = SpeedTable::open(folder.path()).unwrap_err();
    assert!(matches!(of_folder, Error::SpeedTableUnreadable { .. }), "{of_folder:?}");
}
