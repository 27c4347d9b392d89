//! Calendar features: parts of the local time at which an order was placed, and counts of the
//! days ahead of it (working days, days to the next holiday).

use std::collections::HashMap;

use chrono::{DateTime, Datelike, NaiveDateTime, Timelike};
use chrono_tz::Tz;
use polars::prelude::*;
use serde::{Deserialize, Serialize};
use terms::{Day, HolidaysAhead, column};

use crate::Error;
use crate::columns::texts;
use crate::declared_name::{DeclaredName as _, declared_names};
use crate::new_shipments::NewShipments;
use crate::reference_data::{ORIGIN_TIME_ZONE, ReferenceData};

declared_names! {
    /// A feature of the local time of the order: at the destination, unless it names the origin.
    pub enum CalendarFeature {
        /// Hour of the day with its fraction.
        Hour = "hour",
        /// Day of the week, from Monday = 0.
        Weekday = "weekday",
        /// Day of the month, from 1.
        DayOfMonth = "day_of_month",
        /// Day of the year, from 1.
        DayOfYear = "day_of_year",
        /// Hour of the day at the origin.
        OriginHour = "origin_hour",
        /// Day of the week at the origin, from Monday = 0.
        OriginWeekday = "origin_weekday",
        /// Working days among the next ten in the origin's region.
        OriginWorkdays = "origin_workdays",
        /// Working days among the next ten in the destination's region.
        DestinationWorkdays = "destination_workdays",
        /// Days to the next holiday in the destination's region.
        DestinationDaysToHoliday = "destination_days_to_holiday",
    }
}

impl CalendarFeature {
    /// The name of its column.
    pub(crate) fn feature_name(self) -> String {
        format!("ordered_{}", self.name())
    }
}

/// What a clock of working time is to know of the days after an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockDeclaration {
    /// How many days from that of the order on holidays are looked up for, 1 to
    /// [`HolidaysAhead::DAYS`].
    pub holiday_days: u8,
}

impl ClockDeclaration {
    /// The columns that it declares: hours since Monday 00:00 at which the order was placed, and
    /// [`HolidaysAhead`]. Both are local to the destination.
    pub(crate) fn columns() -> Vec<String> {
        vec![column::ORDERED_WEEK_HOURS.to_owned(), column::HOLIDAYS_AHEAD.to_owned()]
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        if (1..=HolidaysAhead::DAYS).contains(&self.holiday_days.into()) {
            return Ok(());
        }
        Err(Error::Impossible {
            feature: "clock".to_owned(),
            expected: "holiday_days from 1 to 24",
            found: format!("holiday_days = {}", self.holiday_days),
        })
    }
}

/// The declared calendar features. Local time is that of the destination (UTC where its zone is not
/// known) or of the origin (missing where its node is not known).
pub(crate) fn columns(
    shipments: &NewShipments,
    reference: &ReferenceData,
    declared: &[CalendarFeature],
    clock: Option<&ClockDeclaration>,
) -> Result<Vec<Column>, Error> {
    let mut zones = Zones::default();
    let orders = LocalOrders {
        shipments,
        reference,
        at_destination: zones.local_times(
            shipments,
            column::DESTINATION_TIME_ZONE,
            Some(Tz::UTC),
        )?,
        at_origin: zones.local_times(shipments, ORIGIN_TIME_ZONE, None)?,
    };
    let column = |&feature: &CalendarFeature| {
        Ok(Column::new(feature.feature_name().into(), orders.values(feature)?))
    };
    let mut columns = declared.iter().map(column).collect::<Result<Vec<_>, Error>>()?;
    if let Some(clock) = clock {
        columns.extend(orders.clock_columns(clock)?);
    }
    Ok(columns)
}

/// New shipments with the local times at which they were ordered.
struct LocalOrders<'a> {
    shipments: &'a NewShipments,
    reference: &'a ReferenceData,
    at_destination: Vec<Option<NaiveDateTime>>,
    at_origin: Vec<Option<NaiveDateTime>>,
}

/// What is counted ahead of a local day in a region, as known before another day.
type CountAhead = fn(&ReferenceData, Option<&str>, Day, Day) -> Option<f32>;

impl LocalOrders<'_> {
    fn values(&self, feature: CalendarFeature) -> Result<Vec<Option<f32>>, Error> {
        let of_times = |times: &[Option<NaiveDateTime>], part: fn(NaiveDateTime) -> f32| {
            times.iter().map(|at| at.map(part)).collect()
        };
        Ok(match feature {
            CalendarFeature::Hour => of_times(&self.at_destination, hour),
            CalendarFeature::Weekday => of_times(&self.at_destination, weekday),
            CalendarFeature::DayOfMonth => of_times(&self.at_destination, |at| at.day() as f32),
            CalendarFeature::DayOfYear => of_times(&self.at_destination, |at| at.ordinal() as f32),
            CalendarFeature::OriginHour => of_times(&self.at_origin, hour),
            CalendarFeature::OriginWeekday => of_times(&self.at_origin, weekday),
            CalendarFeature::OriginWorkdays => {
                let count = ReferenceData::working_days;
                self.ahead(&self.at_origin, column::ORIGIN_REGION, count)?
            }
            CalendarFeature::DestinationWorkdays => {
                let count = ReferenceData::working_days;
                self.ahead(&self.at_destination, column::DESTINATION_REGION, count)?
            }
            CalendarFeature::DestinationDaysToHoliday => {
                let count = ReferenceData::days_to_holiday;
                self.ahead(&self.at_destination, column::DESTINATION_REGION, count)?
            }
        })
    }

    /// The columns of a clock of working time, see [`ClockDeclaration::columns`].
    fn clock_columns(&self, clock: &ClockDeclaration) -> Result<[Column; 2], Error> {
        let week_hours = |at: NaiveDateTime| 24.0 * weekday(at) + hour(at);
        let week_hours: Vec<Option<f32>> =
            self.at_destination.iter().map(|at| at.map(week_hours)).collect();
        let regions = texts(&self.shipments.firsts, column::DESTINATION_REGION)?;
        let holidays = |row: usize| {
            let today = Day::from(self.at_destination[row]?.date());
            let before = self.shipments.history_before[row];
            let is_holiday = |ahead: u32| {
                let on = today.plus(ahead as i32);
                ahead < clock.holiday_days.into()
                    && self.reference.is_holiday(regions.get(row), on, before)
            };
            Some(HolidaysAhead::of_days(is_holiday).value())
        };
        let holidays: Vec<Option<f32>> = (0..self.shipments.len()).map(holidays).collect();
        Ok([
            Column::new(column::ORDERED_WEEK_HOURS.into(), week_hours),
            Column::new(column::HOLIDAYS_AHEAD.into(), holidays),
        ])
    }

    /// Counts ahead of the local day; where that is not known, of the destination's.
    fn ahead(
        &self,
        local: &[Option<NaiveDateTime>],
        region: &str,
        count: CountAhead,
    ) -> Result<Vec<Option<f32>>, Error> {
        let regions = texts(&self.shipments.firsts, region)?;
        let of_row = |row: usize| {
            let today = Day::from(local[row].or(self.at_destination[row])?.date());
            count(self.reference, regions.get(row), today, self.shipments.history_before[row])
        };
        Ok((0..self.shipments.len()).map(of_row).collect())
    }
}

fn hour(at: NaiveDateTime) -> f32 {
    at.hour() as f32 + at.minute() as f32 / 60.0
}

fn weekday(at: NaiveDateTime) -> f32 {
    at.weekday().num_days_from_monday() as f32
}

/// Time zones by name, each parsed once; `None` is a name that is not in the IANA database.
///
/// The shipped contracts refuse rows with such a name. By a contract that does not, the row has no
/// known zone: one wrong name must not end the night of all other rows.
#[derive(Default)]
struct Zones(HashMap<String, Option<Tz>>);

impl Zones {
    /// When each order was placed by the clocks of the zone in a column, or of `otherwise` where
    /// the column is null or names no zone.
    fn local_times(
        &mut self,
        shipments: &NewShipments,
        column: &'static str,
        otherwise: Option<Tz>,
    ) -> Result<Vec<Option<NaiveDateTime>>, Error> {
        let zones = texts(&shipments.firsts, column)?;
        let mut local = Vec::with_capacity(shipments.len());
        for (name, &ordered_at) in zones.iter().zip(&shipments.ordered_at) {
            let zone = name.and_then(|name| self.zone(name)).or(otherwise);
            let utc = DateTime::from_timestamp_micros(ordered_at.micros()).unwrap_or_default();
            local.push(zone.map(|zone| utc.with_timezone(&zone).naive_local()));
        }
        Ok(local)
    }

    fn zone(&mut self, name: &str) -> Option<Tz> {
        if let Some(&zone) = self.0.get(name) {
            return zone;
        }
        let zone = name.parse().ok();
        self.0.insert(name.to_owned(), zone);
        zone
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use terms::Instant;

    fn ordered_at(instants: &[Instant], zones: [&str; 2]) -> NewShipments {
        let names = [column::DESTINATION_TIME_ZONE, ORIGIN_TIME_ZONE];
        let column =
            |(name, zone): (&str, &str)| Column::new(name.into(), vec![zone; instants.len()]);
        let columns: Vec<Column> = names.into_iter().zip(zones).map(column).collect();
        NewShipments {
            firsts: DataFrame::new(instants.len(), columns).unwrap(),
            ordered_at: instants.to_vec(),
            history_before: vec![Day::since_epoch(0); instants.len()],
        }
    }

    /// Local hours and weekdays of some instants.
    fn local(zone: &str, instants: &[&str]) -> Vec<(f32, f32)> {
        let instants: Vec<Instant> = instants.iter().map(|at| at.parse().unwrap()).collect();
        let shipments = ordered_at(&instants, [zone, zone]);
        let declared = [
            CalendarFeature::Hour,
            CalendarFeature::Weekday,
            CalendarFeature::OriginHour,
            CalendarFeature::OriginWeekday,
        ];
        let columns = columns(&shipments, &ReferenceData::default(), &declared, None).unwrap();
        let values = |column: &Column| column.f32().unwrap().iter().flatten().collect::<Vec<_>>();
        let [there, here] = [[0, 1], [2, 3]].map(|[hour, weekday]| -> Vec<(f32, f32)> {
            values(&columns[hour]).into_iter().zip(values(&columns[weekday])).collect()
        });
        assert_eq!(there, here, "the origin is in the same zone");
        there
    }

    #[test]
    fn local_time_is_right_on_both_nights_on_which_clocks_change() {
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
    fn a_time_zone_that_does_not_exist_is_one_that_is_not_known() {
        let shipments = ordered_at(&[Instant::from_micros(0)], ["Mars/Phobos", "Europe/Berlim"]);
        let declared = [CalendarFeature::Hour, CalendarFeature::OriginHour];
        let columns = columns(&shipments, &ReferenceData::default(), &declared, None).unwrap();
        let hour = |column: &Column| column.f32().unwrap().get(0).filter(|hour| !hour.is_nan());
        assert_eq!((hour(&columns[0]), hour(&columns[1])), (Some(0.0), None));
    }
}
