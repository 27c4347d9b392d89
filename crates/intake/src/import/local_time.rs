//! From local times without an offset to instants.
//!
//! When clocks go back, an hour occurs twice: the earlier of the two instants is taken. When they
//! go forward, an hour does not occur: a time in it is moved forward by the gap, as if the clock
//! had not been changed yet.

use chrono::{Datelike, Days, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeZone};
use chrono_tz::Tz;
use terms::Instant;

/// The instant of a local time of the years 1 to 9999.
pub(crate) fn to_utc(local: NaiveDateTime, zone: Tz) -> Option<Instant> {
    // Beyond these years no zone is known, and offsets may lead out of what can be said.
    if !(1..=9999).contains(&local.year()) {
        return None;
    }
    let utc = match zone.from_local_datetime(&local) {
        LocalResult::Single(instant) | LocalResult::Ambiguous(instant, _) => instant.naive_utc(),
        LocalResult::None => {
            // No clock was ever set forward by more than a day: a day earlier has the old offset.
            let before = zone
                .offset_from_local_datetime(&local.checked_sub_days(Days::new(1))?)
                .earliest()?;
            local.checked_sub_offset(before.fix())?
        }
    };
    Some(Instant::from_micros(utc.and_utc().timestamp_micros()))
}

/// Parses `2018-01-31 13:45:00`, also with `T` for the space, with a fraction, without seconds, or
/// the date alone, which is its midnight.
pub(crate) fn parse(text: &str) -> Option<NaiveDateTime> {
    let text = text.trim();
    let Some((date, time)) = text.split_once([' ', 'T']) else {
        return text.parse::<NaiveDate>().ok().map(|date| date.and_time(NaiveTime::MIN));
    };
    let date: NaiveDate = date.parse().ok()?;
    let time = NaiveTime::parse_from_str(time, "%H:%M:%S%.f")
        .or_else(|_| NaiveTime::parse_from_str(time, "%H:%M"))
        .ok()?;
    Some(date.and_time(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(local: &str, zone: &str, utc: &str) {
        let instant = to_utc(parse(local).unwrap(), zone.parse().unwrap()).unwrap();
        assert_eq!(instant, utc.parse().unwrap(), "{local} in {zone}");
    }

    #[test]
    fn a_local_time_becomes_its_instant() {
        check("2018-01-31 13:45:00", "America/Sao_Paulo", "2018-01-31T15:45:00Z");
        check("2018-07-31T13:45:00.25", "America/Sao_Paulo", "2018-07-31T16:45:00.25Z");
        check("2018-07-31 13:45", "America/Manaus", "2018-07-31T17:45:00Z");
        check("2018-07-31", "UTC", "2018-07-31");
    }

    #[test]
    fn an_hour_that_occurs_twice_is_the_earlier_and_one_that_does_not_occur_moves_forward() {
        check("2018-02-17 23:30:00", "America/Sao_Paulo", "2018-02-18T01:30:00Z");
        // Midnight of 2017-10-15 was skipped: clocks went from 23:59:59 to 01:00.
        check("2017-10-15 00:00:00", "America/Sao_Paulo", "2017-10-15T03:00:00Z");
        check("2017-10-15 01:00:00", "America/Sao_Paulo", "2017-10-15T03:00:00Z");
        // Samoa skipped a whole day.
        check("2011-12-30 12:00:00", "Pacific/Apia", "2011-12-30T22:00:00Z");
    }

    #[test]
    fn a_text_with_an_offset_or_without_a_time_is_refused() {
        for text in ["2018-01-31 13:45:00Z", "2018-01-31T13:45:00+02:00", "31/01/2018", "soon", ""]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
