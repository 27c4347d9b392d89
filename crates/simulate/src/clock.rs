//! Conversion between UTC and the local time of each region, and the next slot of a schedule in local
//! time.
//!
//! Units: seconds since the epoch (UTC), seconds of a local day, days since the epoch. The offset
//! of a local day is the one at 12:00 UTC, so on the two days a year when clocks change, the hours
//! before the change are off by one; nothing is picked up or delivered then.

use chrono::{DateTime, Offset, TimeZone};

use crate::calendar::{DAY, HOUR, OpenDays};
use crate::geography::REGIONS;

/// Offsets are known this long after the last day of orders; later days use the last one.
const DAYS_AFTER: i64 = 120;

/// Offsets of every region for every day of a simulation.
#[derive(Debug)]
pub(crate) struct Clock {
    first_day: i64,
    /// Shapes: regions × days; seconds east of UTC.
    offsets: Vec<Vec<i64>>,
}

impl Clock {
    /// For `days` days from `first_day` (days since the epoch).
    pub(crate) fn new(first_day: i64, days: i64) -> Self {
        let first_day = first_day - 1;
        let offset = |zone: chrono_tz::Tz, day: i64| {
            let noon = DateTime::from_timestamp(day * DAY + DAY / 2, 0).unwrap_or_default();
            let local = zone.offset_from_utc_datetime(&noon.naive_utc());
            i64::from(local.fix().local_minus_utc())
        };
        let offsets = REGIONS
            .iter()
            .map(|region| {
                let last_day = first_day + days + DAYS_AFTER;
                (first_day..last_day).map(|day| offset(region.time_zone, day)).collect()
            })
            .collect();
        Self { first_day, offsets }
    }

    /// Seconds east of UTC in a region on a day.
    pub(crate) fn offset(&self, region: usize, day: i64) -> i64 {
        let offsets = &self.offsets[region];
        offsets[(day - self.first_day).clamp(0, offsets.len() as i64 - 1) as usize]
    }

    /// The local day and the seconds of that day.
    pub(crate) fn local(&self, region: usize, at: i64) -> (i64, i64) {
        let local = at + self.offset(region, at.div_euclid(DAY));
        (local.div_euclid(DAY), local.rem_euclid(DAY))
    }

    /// The instant of a local day and seconds.
    pub(crate) fn instant(&self, region: usize, local_day: i64, seconds: i64) -> i64 {
        local_day * DAY + seconds - self.offset(region, local_day)
    }

    /// The first of the local `hours` on an open day that is not before `at`.
    pub(crate) fn next_slot(&self, region: usize, at: i64, hours: &[u8], open: OpenDays) -> i64 {
        let (today, now) = self.local(region, at);
        for day in (today..today + 8).filter(|&day| open.contains(day)) {
            for &hour in hours {
                let seconds = i64::from(hour) * HOUR as i64;
                if day > today || seconds >= now {
                    return self.instant(region, day, seconds).max(at);
                }
            }
        }
        at
    }

    /// The first open local day not before `day`.
    pub(crate) fn next_open(&self, mut day: i64, open: OpenDays) -> i64 {
        for _ in 0..7 {
            if open.contains(day) {
                break;
            }
            day += 1;
        }
        day
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::weekday;

    /// Friday, 2025-10-03; clocks in the south-east go forward on the Sunday after.
    const FRIDAY: i64 = 20_364;

    #[test]
    fn sunday_is_skipped_and_clocks_change() {
        let clock = Clock::new(FRIDAY, 10);
        assert_eq!(weekday(FRIDAY), 4);
        let saturday_night = clock.instant(0, FRIDAY + 1, 23 * 3_600);
        let slot = clock.next_slot(0, saturday_night, &[8, 17], OpenDays::MONDAY_TO_SATURDAY);
        assert_eq!(clock.local(0, slot), (FRIDAY + 3, 8 * 3_600));
        // 33 hours of local time, one of which does not exist.
        assert_eq!(slot - saturday_night, 32 * 3_600);
    }

    #[test]
    fn a_slot_later_today_is_taken_today() {
        let clock = Clock::new(FRIDAY, 10);
        let noon = clock.instant(4, FRIDAY, 12 * 3_600);
        let slot = clock.next_slot(4, noon, &[8, 17], OpenDays::MONDAY_TO_FRIDAY);
        assert_eq!(clock.local(4, slot), (FRIDAY, 17 * 3_600));
        let late = clock.next_slot(4, slot + 1, &[8, 17], OpenDays::MONDAY_TO_FRIDAY);
        assert_eq!(clock.local(4, late), (FRIDAY + 3, 8 * 3_600));
    }
}
