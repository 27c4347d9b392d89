//! Parts of the local time at which an order was placed.

use std::collections::HashMap;

use chrono::{DateTime, Datelike, Timelike};
use chrono_tz::Tz;
use polars::prelude::*;
use terms::column;

use crate::Error;
use crate::declaration::Declaration;
use crate::timeline::{Placed, texts};

/// Names of the calendar features.
pub(crate) const CALENDAR: &[&str] = &["hour", "weekday", "day_of_month", "day_of_year"];

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
        Column::new(format!("ordered_{name}").into(), values)
    });
    Ok(columns.collect())
}
