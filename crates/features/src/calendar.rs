//! Parts of the local time at which an order was placed, and the days ahead of it.

use std::collections::HashMap;

use chrono::{DateTime, Datelike, NaiveDateTime, Timelike};
use chrono_tz::Tz;
use polars::prelude::*;
use terms::column;

use crate::Error;
use crate::declaration::Declaration;
use crate::facts::Placed;
use crate::surroundings::{ORIGIN_TIME_ZONE, Surroundings};
use crate::timeline::texts;

/// Names of the calendar features. Local times are those of the destination, where nothing else is
/// said.
pub(crate) const CALENDAR: &[&str] = &[
    "hour",
    "weekday",
    "day_of_month",
    "day_of_year",
    "origin_hour",
    "origin_weekday",
    "origin_workdays",
    "destination_workdays",
    "destination_days_to_holiday",
];

/// The feature of a part of the local time.
pub(crate) fn feature_name(part: &str) -> String {
    format!("ordered_{part}")
}

/// The declared parts of the local time at the destination (UTC where its zone is not known) or
/// the origin (missing where its node is not known), and the days ahead.
///
/// Units: `hour` with its fraction, `weekday` from Monday = 0, days from 1.
pub(crate) fn columns(
    placed: &Placed,
    surroundings: &Surroundings,
    declared: &Declaration,
) -> Result<Vec<Column>, Error> {
    let mut zones = Zones::default();
    let there = zones.local(placed, column::DESTINATION_TIME_ZONE)?;
    let here = zones.local(placed, ORIGIN_TIME_ZONE)?;
    let mut columns = Vec::new();
    for name in &declared.calendar {
        let (of_origin, what) = match name.strip_prefix("origin_") {
            Some(what) => (true, what),
            None => (false, name.strip_prefix("destination_").unwrap_or(name)),
        };
        let ahead = match what {
            "workdays" => Some(Surroundings::working_days as Ahead),
            "days_to_holiday" => Some(Surroundings::days_to_holiday as Ahead),
            _ => None,
        };
        let local = if of_origin { &here } else { &there };
        let values: Vec<Option<f32>> = match ahead {
            None => local.iter().map(|at| at.map(|at| part(what, at))).collect(),
            Some(ahead) => {
                let region =
                    if of_origin { column::ORIGIN_REGION } else { column::DESTINATION_REGION };
                let regions = texts(&placed.firsts, region)?;
                let of_row = |row: usize| {
                    let today = local[row].or(there[row])?.date().to_epoch_days();
                    ahead(surroundings, regions.get(row), today, placed.days[row])
                };
                (0..placed.len()).map(of_row).collect()
            }
        };
        columns.push(Column::new(feature_name(name).into(), values));
    }
    Ok(columns)
}

/// What is counted ahead of a local day in a region, as known before another day.
type Ahead = fn(&Surroundings, Option<&str>, i32, i32) -> Option<f32>;

fn part(name: &str, at: NaiveDateTime) -> f32 {
    match name {
        "hour" => at.hour() as f32 + at.minute() as f32 / 60.0,
        "weekday" => at.weekday().num_days_from_monday() as f32,
        "day_of_month" => at.day() as f32,
        _ => at.ordinal() as f32,
    }
}

/// Time zones that were met.
#[derive(Default)]
struct Zones(HashMap<String, Tz>);

impl Zones {
    /// When each order was placed by the clocks of the zone in a column. Where none is known, it is
    /// UTC at the destination and missing at the origin.
    fn local(
        &mut self,
        placed: &Placed,
        column: &'static str,
    ) -> Result<Vec<Option<NaiveDateTime>>, Error> {
        let zones = texts(&placed.firsts, column)?;
        let mut local = Vec::with_capacity(placed.len());
        for (zone, &ordered_at) in zones.iter().zip(&placed.ordered_at) {
            let zone = match zone {
                None if column == ORIGIN_TIME_ZONE => None,
                None => Some(Tz::UTC),
                Some(name) => match self.0.get(name) {
                    Some(&zone) => Some(zone),
                    None => {
                        let found = || Error::TimeZone { column, found: name.to_owned() };
                        let zone: Tz = name.parse().map_err(|_| found())?;
                        self.0.insert(name.to_owned(), zone);
                        Some(zone)
                    }
                },
            };
            let utc = DateTime::from_timestamp_micros(ordered_at).unwrap_or_default();
            local.push(zone.map(|zone| utc.with_timezone(&zone).naive_local()));
        }
        Ok(local)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Local hours and weekdays of some instants.
    fn local(zone: &str, instants: &[&str]) -> Vec<(f32, f32)> {
        let ordered_at: Vec<i64> = (instants.iter())
            .map(|at| DateTime::parse_from_rfc3339(at).unwrap().timestamp_micros())
            .collect();
        let zones = [column::DESTINATION_TIME_ZONE, ORIGIN_TIME_ZONE]
            .map(|name| Column::new(name.into(), vec![zone; instants.len()]));
        let placed = Placed {
            firsts: DataFrame::new(instants.len(), zones.to_vec()).unwrap(),
            days: vec![0; instants.len()],
            ordered_at,
        };
        let parts = "calendar = [\"hour\", \"weekday\", \"origin_hour\", \"origin_weekday\"]";
        let declared = Declaration::read(parts).unwrap();
        let columns = columns(&placed, &Surroundings::default(), &declared).unwrap();
        let values = |column: &Column| column.f32().unwrap().iter().flatten().collect::<Vec<_>>();
        let [there, here] = [[0, 1], [2, 3]].map(|[hour, weekday]| -> Vec<(f32, f32)> {
            values(&columns[hour]).into_iter().zip(values(&columns[weekday])).collect()
        });
        assert_eq!(there, here, "the origin is in the same zone");
        there
    }

    #[test]
    fn local_time_lives_through_both_nights_on_which_clocks_change() {
        // In Berlin 02:00 to 03:00 is left out in spring, and there twice in autumn.
        let spring = ["2026-03-28T22:59:00Z", "2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z"];
        let hours_and_days = [(23.0 + 59.0 / 60.0, 5.0), (1.5, 6.0), (3.5, 6.0)];
        assert_eq!(local("Europe/Berlin", &spring), hours_and_days);
        let autumn = ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T23:30:00Z"];
        assert_eq!(local("Europe/Berlin", &autumn), [(2.5, 6.0), (2.5, 6.0), (0.5, 0.0)]);
        // The other half of the year there, and a zone with half an hour.
        let sydney = ["2026-04-04T15:30:00Z", "2026-04-04T16:30:00Z", "2026-10-03T16:30:00Z"];
        assert_eq!(local("Australia/Sydney", &sydney), [(2.5, 6.0), (2.5, 6.0), (3.5, 6.0)]);
        assert_eq!(local("Asia/Kolkata", &["2026-10-25T18:45:00Z"]), [(0.25, 0.0)]);
    }

    #[test]
    fn a_time_zone_that_does_not_exist_is_named() {
        let declared = Declaration::read("calendar = [\"hour\"]").unwrap();
        let [there, here] = ["Europe/Berlin", "Europe/Berlim"];
        let zones = vec![
            Column::new(column::DESTINATION_TIME_ZONE.into(), [there]),
            Column::new(ORIGIN_TIME_ZONE.into(), [here]),
        ];
        let placed = Placed {
            firsts: DataFrame::new(1, zones).unwrap(),
            ordered_at: vec![0],
            days: vec![0],
        };
        let error = columns(&placed, &Surroundings::default(), &declared).unwrap_err();
        let expected =
            "column \"origin_time_zone\": expected an IANA name, found \"Europe/Berlim\"";
        assert_eq!(error.to_string(), expected);
    }
}
