//! Days of the week, and units of time in seconds.

/// Seconds of a day.
pub(crate) const DAY: i64 = 86_400;
/// Seconds of an hour.
pub(crate) const HOUR: f64 = 3_600.0;
/// Days of the week on which there are pick-ups or deliveries, as bits; Monday is the lowest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OpenDays(pub(crate) u8);

impl OpenDays {
    pub(crate) const MONDAY_TO_FRIDAY: Self = Self(0b001_1111);
    pub(crate) const MONDAY_TO_SATURDAY: Self = Self(0b011_1111);
    pub(crate) const EVERY_DAY: Self = Self(0b111_1111);

    pub(crate) fn contains(self, day: i64) -> bool {
        (self.0 >> weekday(day)) & 1 == 1
    }
}

/// Day of the week of a day since the epoch; Monday is 0.
pub(crate) fn weekday(day: i64) -> usize {
    (day + 3).rem_euclid(7) as usize
}
