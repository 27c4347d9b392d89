//! Holidays among the days from that of an order on, as one number of a row of features.

/// Which of the days from that of an order on are holidays: bit d is the day d days after it.
///
/// ```
/// use terms::HolidaysAhead;
///
/// let ahead = HolidaysAhead::of_days(|day| day == 3);
/// assert_eq!(ahead.value(), 8.0);
/// let read = HolidaysAhead::from_value(8.0);
/// assert!(read.has(3) && !read.has(2) && !read.has(99));
/// // A number that is missing has no holidays.
/// assert!(HolidaysAhead::from_value(f32::NAN).is_empty());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HolidaysAhead(u32);

impl HolidaysAhead {
    /// For so many days, that of the order included, holidays can be told: f32 holds 24 bits exactly.
    pub const DAYS: u32 = 24;

    /// Of the days of which `is_holiday` says so.
    pub fn of_days(is_holiday: impl Fn(u32) -> bool) -> Self {
        Self((0..Self::DAYS).filter(|&day| is_holiday(day)).map(|day| 1 << day).sum())
    }

    /// From the number of a row.
    pub fn from_value(value: f32) -> Self {
        // What is missing or negative becomes 0.
        Self(value as u32)
    }

    /// The number of a row.
    pub fn value(self) -> f32 {
        self.0 as f32
    }

    /// Whether the day so many days after that of the order is a holiday.
    pub fn has(self, day: u32) -> bool {
        day < Self::DAYS && self.0 >> day & 1 == 1
    }

    /// The same from so many days later on; what is beyond the last day is not known, and no holiday.
    ///
    /// ```
    /// use terms::HolidaysAhead;
    ///
    /// let ahead = HolidaysAhead::of_days(|day| day == 3);
    /// assert!(ahead.after(2).has(1) && ahead.after(4).is_empty() && ahead.after(99).is_empty());
    /// ```
    #[must_use]
    pub fn after(self, days: u32) -> Self {
        Self(self.0.checked_shr(days).unwrap_or(0))
    }

    /// Whether none is.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}
