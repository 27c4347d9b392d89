//! The time scale of the regressor: what its quantiles are multiples of.
//!
//! Trees cannot predict what they have not seen. So they learn delivery times in units that move
//! with the network: working hours, on a clock that runs at each weekday's share of deliveries and
//! nearly stands on holidays known in advance, divided by the level of the network as of the order.
//! Here a forecast is turned back into hours. Both parts are increasing functions of time, so
//! quantiles stay quantiles.
//!
//! Everything that is needed of an order is in its row of features: [`column::LEVEL_HOURS`],
//! [`column::ORDERED_WEEK_HOURS`] and [`column::HOLIDAYS_AHEAD`].

use serde::{Deserialize, Serialize};
use terms::{FeatureList, HolidaysAhead, Matrix, column};

use crate::error::Error;

/// How fast the clock of working time runs on each day of the week, from Monday on. Their mean is
/// 1, so that a week of working time has as many hours as a week.
pub type WeekdayRates = [f32; 7];

/// No rate is smaller, so that every moment has its own working time.
const RATE_MIN: f32 = 0.01;

const DAY_HOURS: f64 = 24.0;
const WEEK_HOURS: f64 = 168.0;

/// A clock of working time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clock {
    /// How fast it runs on each weekday.
    pub weekday_rates: WeekdayRates,
    /// On a holiday it runs at the weekday's rate times this.
    pub holiday_factor: f32,
    /// A categorical feature whose levels have rates of their own, and these rates, in the order of
    /// its levels.
    pub by: Option<(String, Vec<WeekdayRates>)>,
}

/// What the regressor's quantiles are multiples of.
///
/// ```
/// use scorer::{Clock, TimeScale};
/// use terms::{Feature, FeatureKind, FeatureList};
///
/// let names = ["level_hours", "ordered_week_hours", "holidays_ahead"];
/// let feature = |name: &&str| Feature { name: (*name).into(), kind: FeatureKind::Numeric };
/// let features = FeatureList(names.iter().map(feature).collect());
/// // Nothing is delivered on Sundays.
/// let mut weekday_rates = [1.165; 7];
/// weekday_rates[6] = 0.01;
/// let clock = Clock { weekday_rates, holiday_factor: 1.0, by: None };
/// let scale = TimeScale { level_otherwise_hours: Some(100.0), clock: Some(clock) };
/// let scale = scale.of_features(&features)?;
/// // On a Saturday at noon: half a day of work, then a day of none.
/// let row = scale.of_row(&[50.0, 5.0 * 24.0 + 12.0, f32::NAN]);
/// assert!((row.scaled(12.0) - 12.0 * 1.165 / 50.0).abs() < 1e-6);
/// assert!(row.scaled(36.0) - row.scaled(12.0) < 0.01);
/// assert!((row.hours(row.scaled(70.0)) - 70.0).abs() < 1e-9);
/// # Ok::<(), scorer::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeScale {
    /// Multiples of the level of the network, and what that is taken to be where it is missing.
    pub level_otherwise_hours: Option<f32>,
    /// Working hours of this clock.
    pub clock: Option<Clock>,
}

impl TimeScale {
    /// Plain hours.
    pub fn hours() -> Self {
        Self::default()
    }

    /// Checks that it fits `features`, and finds the columns that it reads.
    ///
    /// # Errors
    /// If a column is not there, or a rate or level is not positive.
    pub fn of_features(self, features: &FeatureList) -> Result<FeatureTimeScale, Error> {
        let position = |name: &str| {
            let missing = || Error::TimeScale { what: format!("no feature {name}") };
            features.position(name).ok_or_else(missing)
        };
        let level = match self.level_otherwise_hours {
            None => None,
            Some(hours) if hours.is_finite() && hours > 0.0 => Some(position(column::LEVEL_HOURS)?),
            Some(hours) => return Err(Error::TimeScale { what: format!("a level of {hours} h") }),
        };
        let clock = match &self.clock {
            None => None,
            Some(clock) => {
                let by = match &clock.by {
                    None => None,
                    Some((name, rates)) => {
                        let by = position(name)?;
                        let levels = match &features.0[by].kind {
                            terms::FeatureKind::Categorical { levels } => levels.len(),
                            terms::FeatureKind::Numeric => 0,
                        };
                        if levels != rates.len() {
                            let what = format!("{} clocks for {levels} of {name}", rates.len());
                            return Err(Error::TimeScale { what });
                        }
                        Some(by)
                    }
                };
                clock.check()?;
                let at = (position(column::ORDERED_WEEK_HOURS)?, position(column::HOLIDAYS_AHEAD)?);
                Some((at, by))
            }
        };
        Ok(FeatureTimeScale { scale: self, level, clock })
    }
}

impl Clock {
    fn check(&self) -> Result<(), Error> {
        let of_regions = self.by.iter().flat_map(|(_, rates)| rates);
        for rates in std::iter::once(&self.weekday_rates).chain(of_regions) {
            let mean = rates.iter().sum::<f32>() / 7.0;
            let is_positive = rates.iter().all(|&rate| rate >= RATE_MIN * 0.5);
            if !(is_positive && (mean - 1.0).abs() < 1e-2) {
                return Err(Error::TimeScale { what: format!("weekday rates {rates:?}") });
            }
        }
        if !(RATE_MIN * 0.5..=10.0).contains(&self.holiday_factor) {
            return Err(Error::TimeScale { what: format!("a factor of {}", self.holiday_factor) });
        }
        Ok(())
    }

    /// Rates from the shares of deliveries by weekday, with the smallest rate as floor.
    pub fn rates_of_shares(shares: [f64; 7]) -> WeekdayRates {
        let floored = shares.map(|share| (7.0 * share).max(f64::from(RATE_MIN)));
        let mean = floored.iter().sum::<f64>() / 7.0;
        floored.map(|rate| (rate / mean) as f32)
    }
}

/// A time scale with the positions of the features that it reads.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureTimeScale {
    scale: TimeScale,
    level: Option<usize>,
    /// Of the hour of the week and the holidays; of the category.
    clock: Option<((usize, usize), Option<usize>)>,
}

impl FeatureTimeScale {
    /// The scale that it was made from.
    pub fn scale(&self) -> &TimeScale {
        &self.scale
    }

    /// The time scale of one row. Shapes: `row` n_features.
    ///
    /// # Panics
    /// If `row` is shorter than the feature list.
    pub fn of_row(&self, row: &[f32]) -> RowTimeScale<'_> {
        self.of_values(|at| row[at])
    }

    /// The time scale of a row of a matrix with the features that it was made for.
    ///
    /// # Panics
    /// If the matrix has fewer columns or rows.
    pub fn of_matrix(&self, matrix: &Matrix, row: usize) -> RowTimeScale<'_> {
        self.of_values(|at| matrix.columns[at][row])
    }

    /// The level of the network of a row of such a matrix, in hours; `None` if times are no multiples
    /// of it.
    ///
    /// # Panics
    /// If the matrix has fewer columns or rows.
    pub fn level_hours(&self, matrix: &Matrix, row: usize) -> Option<f32> {
        self.level_of(|at| matrix.columns[at][row])
    }

    fn level_of(&self, value: impl Fn(usize) -> f32) -> Option<f32> {
        let is_positive = |hours: &f32| hours.is_finite() && *hours > 0.0;
        let (at, otherwise) = self.level.zip(self.scale.level_otherwise_hours)?;
        Some(Some(value(at)).filter(is_positive).unwrap_or(otherwise))
    }

    fn of_values(&self, value: impl Fn(usize) -> f32) -> RowTimeScale<'_> {
        let level = self.level_of(&value).map_or(1.0, f64::from);
        let clock = match (&self.scale.clock, self.clock) {
            (Some(clock), Some(((week, holidays), by))) => {
                let code = by.map(&value).filter(|code| *code >= 0.0);
                let of_category = clock
                    .by
                    .iter()
                    .zip(code)
                    .find_map(|((_, rates), code)| rates.get(code as usize));
                let rates = of_category.unwrap_or(&clock.weekday_rates);
                let week_hours = f64::from(value(week)).clamp(0.0, WEEK_HOURS - 1e-3);
                Some(RowClock {
                    rates,
                    of_week: rates.iter().map(|&rate| f64::from(rate) * DAY_HOURS).sum(),
                    holiday_factor: f64::from(clock.holiday_factor),
                    week_hours,
                    first_day: DAY_HOURS - week_hours % DAY_HOURS,
                    holidays: HolidaysAhead::from_value(value(holidays)),
                })
            }
            _ => None,
        };
        // Without the time of the order there is no telling which day is which.
        RowTimeScale { level, clock: clock.filter(|clock| !clock.week_hours.is_nan()) }
    }
}

/// The time scale of one row.
#[derive(Debug, Clone, Copy)]
pub struct RowTimeScale<'a> {
    level: f64,
    clock: Option<RowClock<'a>>,
}

#[derive(Debug, Clone, Copy)]
struct RowClock<'a> {
    rates: &'a WeekdayRates,
    /// Working hours of a week without holidays.
    of_week: f64,
    holiday_factor: f64,
    /// Since Monday 00:00.
    week_hours: f64,
    /// Hours that are left of the day of the order.
    first_day: f64,
    holidays: HolidaysAhead,
}

impl RowTimeScale<'_> {
    /// Hours after the order on this scale.
    pub fn scaled(&self, hours: f64) -> f64 {
        self.clock.map_or(hours, |clock| clock.working_hours(hours)) / self.level
    }

    /// Hours after the order of a number on this scale: the inverse of [`scaled`](Self::scaled).
    pub fn hours(&self, scaled: f64) -> f64 {
        let working = scaled * self.level;
        self.clock.map_or(working, |clock| clock.hours(working))
    }
}

impl RowClock<'_> {
    /// The rate on the day `ahead` days after that of the order.
    fn rate(&self, ahead: u32) -> f64 {
        let weekday = ((self.week_hours / DAY_HOURS) as u32 + ahead) % 7;
        let rate = f64::from(self.rates[weekday as usize]);
        if self.holidays.has(ahead) { rate * self.holiday_factor } else { rate }
    }

    fn working_hours(&self, hours: f64) -> f64 {
        self.walk(hours, |time| (time.hours, time.working), |left, rate| left * rate)
    }

    fn hours(&self, working: f64) -> f64 {
        self.walk(working, |time| (time.working, time.hours), |left, rate| left / rate)
    }

    /// Walks from the order on until `left` of one clock is used up, and gives what the other one
    /// shows then. `sides` are a stretch of time on the first clock and on the other one, `within` is
    /// what is left of the first within a day, on the other one at the day's rate.
    fn walk(
        &self,
        mut left: f64,
        sides: impl Fn(Stretch) -> (f64, f64),
        within: impl Fn(f64, f64) -> f64,
    ) -> f64 {
        if !left.is_finite() {
            return left;
        }
        let mut shown = 0.0;
        let mut ahead = 0;
        // What is left of the day of the order, then whole days.
        let mut of_day = self.first_day;
        let (week, other_week) = sides(Stretch { hours: WEEK_HOURS, working: self.of_week });
        loop {
            if ahead >= HolidaysAhead::DAYS && left >= week {
                let weeks = (left / week).floor();
                shown += weeks * other_week;
                left -= weeks * week;
            }
            let rate = self.rate(ahead);
            let (day, other_day) = sides(Stretch { hours: of_day, working: of_day * rate });
            if left <= day {
                return shown + within(left, rate);
            }
            shown += other_day;
            left -= day;
            of_day = DAY_HOURS;
            ahead += 1;
        }
    }
}

/// A stretch of time on both clocks.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    hours: f64,
    working: f64,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use terms::{Feature, FeatureKind};

    use super::*;

    fn features() -> FeatureList {
        let numeric = |name: &str| Feature { name: name.into(), kind: FeatureKind::Numeric };
        let levels = vec!["north".to_owned(), "south".to_owned()];
        FeatureList(vec![
            numeric(column::LEVEL_HOURS),
            numeric(column::ORDERED_WEEK_HOURS),
            numeric(column::HOLIDAYS_AHEAD),
            Feature { name: "region".into(), kind: FeatureKind::Categorical { levels } },
        ])
    }

    fn scale(clock: Clock) -> FeatureTimeScale {
        let scale = TimeScale { level_otherwise_hours: Some(80.0), clock: Some(clock) };
        scale.of_features(&features()).unwrap()
    }

    fn regional() -> Clock {
        let rates = |shares| Clock::rates_of_shares(shares);
        let (even, no_sunday) = (
            [1.0 / 7.0; 7],
            [1.0 / 6.0, 1.0 / 6.0, 1.0 / 6.0, 1.0 / 6.0, 1.0 / 6.0, 1.0 / 6.0, 0.0],
        );
        Clock {
            weekday_rates: rates(even),
            holiday_factor: 0.1,
            by: Some(("region".into(), vec![rates(even), rates(no_sunday)])),
        }
    }

    proptest! {
        #[test]
        fn hours_and_scaled_time_are_inverse_and_increasing(
            shares in proptest::array::uniform7(0.0f64..1.0), week in 0.0f32..168.0,
            holidays in 0u32..1 << 24, hours in 0.0f64..5000.0, more in 0.01f64..500.0) {
            let total: f64 = shares.iter().sum::<f64>() + 1e-9;
            let weekday_rates = Clock::rates_of_shares(shares.map(|share| share / total));
            let scale = scale(Clock { weekday_rates, holiday_factor: 0.2, by: None });
            let row = scale.of_row(&[50.0, week, holidays as f32, 0.0]);
            let back = row.hours(row.scaled(hours));
            prop_assert!((back - hours).abs() < 1e-6 * hours.max(1.0), "{hours} came back as {back}");
            prop_assert!(row.scaled(hours + more) > row.scaled(hours));
        }
    }

    #[test]
    fn a_category_has_a_clock_of_its_own_and_a_holiday_nearly_stops_it() {
        let scale = scale(regional());
        let saturday_noon = 5.0 * 24.0 + 12.0;
        let day = |region, holidays| {
            let row = [80.0, saturday_noon, holidays, region];
            80.0 * (scale.of_row(&row).scaled(36.0) - scale.of_row(&row).scaled(12.0))
        };
        assert!((day(0.0, 0.0) - 24.0).abs() < 1e-3, "an even week");
        assert!((day(0.0, 2.0) - 2.4).abs() < 1e-3, "a holiday");
        assert!(day(1.0, 0.0) < 0.3, "a Sunday");
        assert!((day(f32::NAN, 0.0) - 24.0).abs() < 1e-3, "of no region");
        // Three weeks of an even week, no holiday being known so far ahead.
        let row = [80.0, saturday_noon, 0.0, 1.0];
        assert!((scale.of_row(&row).scaled(21.0 * 24.0) * 80.0 - 21.0 * 24.0).abs() < 1e-2);
    }

    #[test]
    fn a_missing_level_is_the_usual_one_and_without_a_time_of_order_the_clock_is_plain() {
        let scale = scale(regional());
        assert_eq!(scale.of_row(&[f32::NAN, f32::NAN, f32::NAN, 1.0]).scaled(160.0), 2.0);
        assert_eq!(scale.of_row(&[0.0, f32::NAN, f32::NAN, 1.0]).hours(2.0), 160.0);
        let columns = [[f32::NAN, 50.0], [f32::NAN; 2], [f32::NAN; 2], [1.0; 2]];
        let columns = columns.map(Vec::from).into();
        let matrix = Matrix { features: features(), columns };
        assert_eq!([0, 1].map(|row| scale.level_hours(&matrix, row)), [Some(80.0), Some(50.0)]);
        let plain = TimeScale::hours().of_features(&features()).unwrap();
        assert_eq!(plain.level_hours(&matrix, 1), None);
    }

    #[test]
    fn what_does_not_fit_the_features_is_refused() {
        let level = TimeScale { level_otherwise_hours: Some(80.0), clock: None };
        let refused = |scale: TimeScale, features: &FeatureList| {
            scale.of_features(features).unwrap_err().to_string()
        };
        assert!(refused(level.clone(), &FeatureList::default()).contains("no feature level_hours"));
        let level = TimeScale { level_otherwise_hours: Some(f32::NAN), ..level };
        assert!(refused(level, &features()).contains("a level of NaN h"));
        let of_clock = |clock| TimeScale { level_otherwise_hours: None, clock: Some(clock) };
        let mut wrong = regional();
        wrong.weekday_rates[3] = 0.0;
        assert!(refused(of_clock(wrong), &features()).contains("weekday rates"));
        let mut wrong = regional();
        wrong.by.as_mut().unwrap().1.pop();
        assert!(refused(of_clock(wrong), &features()).contains("1 clocks for 2 of region"));
    }
}
