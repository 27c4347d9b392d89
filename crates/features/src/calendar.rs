//! Parts of the local time at which an order was placed.

use std::collections::HashMap;

use chrono::{DateTime, Datelike, Timelike};
use chrono_tz::Tz;
use polars::prelude::*;
use terms::column;

use crate::Error;
use crate::declaration::Declaration;
use crate::facts::Placed;
use crate::timeline::texts;

/// Names of the calendar features.
pub(crate) const CALENDAR: &[&str] = &["hour", "weekday", "day_of_month", "day_of_year"];

/// The feature of a part of the local time.
pub(crate) fn feature_name(part: &str) -> String {
    format!("ordered_{part}")
}

/// The declared parts of the local time at the destination (UTC where its zone is not known).
///
/// Units: `hour` with its fraction, `weekday` from Monday = 0, days from 1.
pub(crate) fn columns(placed: &Placed, declared: &Declaration) -> Result<Vec<Column>, Error> {
    let zones = texts(&placed.firsts, column::DESTINATION_TIME_ZONE)?;
    let mut known: HashMap<&str, Tz> = HashMap::new();
    let mut local = Vec::with_capacity(placed.len());
    for (row, &ordered_at) in placed.ordered_at.iter().enumerate() {
        let zone = match zones.get(row) {
            None => Tz::UTC,
            Some(name) => match known.get(name) {
                Some(&zone) => zone,
                None => {
                    let zone: Tz =
                        name.parse().map_err(|_| Error::TimeZone { found: name.to_owned() })?;
                    known.insert(name, zone);
                    zone
                }
            },
        };
        let utc = DateTime::from_timestamp_micros(ordered_at).unwrap_or_default();
        local.push(utc.with_timezone(&zone).naive_local());
    }
    let columns = declared.calendar.iter().map(|name| {
        let values: Vec<f32> = local
            .iter()
            .map(|at| match name.as_str() {
                "hour" => at.hour() as f32 + at.minute() as f32 / 60.0,
                "weekday" => at.weekday().num_days_from_monday() as f32,
                "day_of_month" => at.day() as f32,
                _ => at.ordinal() as f32,
            })
            .collect();
        Column::new(feature_name(name).into(), values)
    });
    Ok(columns.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Local hours and weekdays of some instants.
    fn local(zone: &str, instants: &[&str]) -> Vec<(f32, f32)> {
        let ordered_at: Vec<i64> = (instants.iter())
            .map(|at| DateTime::parse_from_rfc3339(at).unwrap().timestamp_micros())
            .collect();
        let zones = Column::new(column::DESTINATION_TIME_ZONE.into(), vec![zone; instants.len()]);
        let placed = Placed {
            firsts: DataFrame::new(instants.len(), vec![zones]).unwrap(),
            recorded_at: ordered_at.clone(),
            ordered_at,
        };
        let declared = Declaration::read("calendar = [\"hour\", \"weekday\"]").unwrap();
        let columns = columns(&placed, &declared).unwrap();
        let values = |column: &Column| column.f32().unwrap().iter().flatten().collect::<Vec<_>>();
        values(&columns[0]).into_iter().zip(values(&columns[1])).collect()
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
        let zones = Column::new(column::DESTINATION_TIME_ZONE.into(), ["Europe/Berlim"]);
        let placed = Placed {
            firsts: DataFrame::new(1, vec![zones]).unwrap(),
            ordered_at: vec![0],
            recorded_at: vec![0],
        };
        let error = columns(&placed, &declared).unwrap_err();
        assert!(error.to_string().contains("\"Europe/Berlim\""), "{error}");
    }
}
