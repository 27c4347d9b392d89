//! Time scales: the level of the network, and the clock of working time.
//!
//! The scorer walks from the order on, day by day, until what it has is used up. Here what is left
//! before each day is a running sum, and the day at which the walk ends is how many days are longer
//! than what is left of it. After [`HolidaysAhead::DAYS`] days no holiday is known, and whole
//! weeks are taken at once; then a walk ends within the days of a week, and two more for what
//! rounding may leave.

use scorer::{Clock, TimeScale, WeekdayRates};
use terms::{Feature, FeatureKind, FeatureList, HolidaysAhead, N_LEVELS, column};

use super::graph::{Graph, Value};
use crate::Error;

const DAY_HOURS: f64 = 24.0;
const WEEK_HOURS: f64 = 168.0;

/// The days of which holidays are known.
const KNOWN_DAYS: usize = HolidaysAhead::DAYS as usize;
/// The days after those: a week, and two more.
const FURTHER_DAYS: usize = 9;
const DAYS: usize = KNOWN_DAYS + FURTHER_DAYS;

/// The row's features by name, in f64.
pub(super) struct Row<'a> {
    pub(super) features: &'a FeatureList,
    /// Shapes: N x n_features.
    pub(super) values: &'a Value,
}

impl Row<'_> {
    /// The values of a feature, and what it is. Shapes: N x 1.
    ///
    /// # Errors
    /// If there is none of this name.
    pub(super) fn feature(
        &self,
        graph: &mut Graph,
        name: &str,
    ) -> Result<(Value, &Feature), Error> {
        let missing = || {
            let what = format!("there is no feature {name}");
            Error::Export { format: "ONNX", part: "time scale", what }
        };
        let position = self.features.position(name).ok_or_else(missing)?;
        Ok((graph.take_one(self.values, position, 1), &self.features.0[position]))
    }
}

/// A time scale of a row.
pub(super) struct RowTimeScale {
    /// Shapes: N x 1.
    level: Option<Value>,
    clock: Option<RowClock>,
}

impl RowTimeScale {
    /// # Errors
    /// If a feature that it reads is not there.
    pub(super) fn new(graph: &mut Graph, scale: &TimeScale, row: &Row<'_>) -> Result<Self, Error> {
        let level = match scale.level_otherwise_hours {
            None => None,
            Some(otherwise) => {
                let (value, _) = row.feature(graph, column::LEVEL_HOURS)?;
                let (zero, infinity) = (graph.number(0.0), graph.number(f64::INFINITY));
                let is_positive = graph.below(&zero, &value);
                let is_finite = graph.below(&value, &infinity);
                let is_level = graph.node("And", &[&is_positive, &is_finite]);
                let otherwise = graph.number(otherwise.into());
                Some(graph.choose(&is_level, &value, &otherwise))
            }
        };
        let clock = scale.clock.as_ref().map(|clock| RowClock::new(graph, clock, row));
        Ok(Self { level, clock: clock.transpose()? })
    }

    /// Hours after the order on this scale. Shapes: N x `N_LEVELS`.
    pub(super) fn scaled(&self, graph: &mut Graph, hours: &Value) -> Value {
        let working = match &self.clock {
            Some(clock) => clock.walk(graph, hours, Towards::Working),
            None => hours.clone(),
        };
        match &self.level {
            Some(level) => graph.div(&working, level),
            None => working,
        }
    }

    /// The inverse of [`scaled`](Self::scaled).
    pub(super) fn hours(&self, graph: &mut Graph, scaled: &Value) -> Value {
        let working = match &self.level {
            Some(level) => graph.mul(scaled, level),
            None => scaled.clone(),
        };
        match &self.clock {
            Some(clock) => clock.walk(graph, &working, Towards::Hours),
            None => working,
        }
    }
}

/// From which clock to which.
#[derive(Clone, Copy, PartialEq)]
enum Towards {
    Working,
    Hours,
}

/// The days of a row from its order on.
struct RowClock {
    /// Whether the time of the order is known. Shapes: N x 1.
    is_known: Value,
    /// The hours of each day after the order. Shapes: N x `DAYS`.
    hours: Value,
    /// Working hours in an hour of each day. Shapes: N x `DAYS`.
    rates: Value,
    /// Working hours of each day. Shapes: N x `DAYS`.
    working: Value,
    /// Working hours of a week without holidays. Shapes: N x 1.
    of_week: Value,
}

impl RowClock {
    fn new(graph: &mut Graph, clock: &Clock, row: &Row<'_>) -> Result<Self, Error> {
        let (since_monday, _) = row.feature(graph, column::ORDERED_WEEK_HOURS)?;
        let is_unknown = graph.node("IsNaN", &[&since_monday]);
        let is_known = graph.node("Not", &[&is_unknown]);
        let zero = graph.number(0.0);
        let since_monday = graph.choose(&is_unknown, &zero, &since_monday);
        let since_monday = graph.clamp(&since_monday, 0.0, WEEK_HOURS - 1e-3);
        let day = graph.number(DAY_HOURS);

        let hour = graph.remainder(&since_monday, &day);
        let left_of_first = graph.sub(&day, &hour);
        let is_first = graph.flags(&[1, DAYS], &std::array::from_fn::<_, DAYS, _>(|day| day == 0));
        let hours = graph.choose(&is_first, &left_of_first, &day);

        let weekday = graph.div(&since_monday, &day);
        let weekday = graph.node("Floor", &[&weekday]);
        let (mut rates, of_week) = rates(graph, clock, row, &weekday)?;
        let is_holiday = holidays(graph, row)?;
        let factor = graph.number(clock.holiday_factor.into());
        let of_holiday = graph.mul(&rates, &factor);
        rates = graph.choose(&is_holiday, &of_holiday, &rates);
        let working = graph.mul(&hours, &rates);
        Ok(Self { is_known, hours, rates, working, of_week })
    }

    /// What the one clock shows when the other one shows `left`. Shapes: N x `N_LEVELS`.
    fn walk(&self, graph: &mut Graph, left: &Value, towards: Towards) -> Value {
        let week = graph.number(WEEK_HOURS);
        let (days, other_days, week, other_week) = match towards {
            Towards::Working => (&self.hours, &self.working, &week, &self.of_week),
            Towards::Hours => (&self.working, &self.hours, &self.of_week, &week),
        };
        let levels = graph.doubles(&[1, N_LEVELS, 1], &[0.0; N_LEVELS]);
        // Shapes: N x N_LEVELS x days.
        let of_levels = |graph: &mut Graph, of_days: &Value, from: usize, to: usize| {
            let some = graph.slice(of_days, 1, from, to);
            let some = graph.unsqueeze(&some, 1);
            graph.add(&some, &levels)
        };
        let used_up = graph.node("Neg", &[days]);

        // As long as holidays are known: what is left before each day, and after the last one.
        let at_first = graph.unsqueeze(left, 2);
        let used = of_levels(graph, &used_up, 0, KNOWN_DAYS);
        let steps = graph.concat(&[&at_first, &used], 2);
        let left_of_known = graph.running_sum(&steps, 2);
        let none = graph.zeros(days, 1);
        let known = graph.slice(other_days, 1, 0, KNOWN_DAYS);
        let steps = graph.concat(&[&none, &known], 1);
        let shown_of_known = graph.running_sum(&steps, 1);

        // Whole weeks.
        let mut left_after = graph.take_one(&left_of_known, KNOWN_DAYS, 2);
        let mut shown_after = of_levels(graph, &shown_of_known, KNOWN_DAYS, KNOWN_DAYS + 1);
        let (week, other_week) = (graph.unsqueeze(week, 2), graph.unsqueeze(other_week, 2));
        let weeks = graph.div(&left_after, &week);
        let weeks = graph.node("Floor", &[&weeks]);
        let is_a_week = graph.at_most(&week, &left_after);
        let no_week = graph.doubles(&[1, 1, 1], &[0.0]);
        let weeks = graph.choose(&is_a_week, &weeks, &no_week);
        let of_weeks = graph.mul(&weeks, &other_week);
        shown_after = graph.add(&shown_after, &of_weeks);
        let of_weeks = graph.mul(&weeks, &week);
        left_after = graph.sub(&left_after, &of_weeks);

        // The days after those.
        let used = of_levels(graph, &used_up, KNOWN_DAYS, DAYS - 1);
        let steps = graph.concat(&[&left_after, &used], 2);
        let left_of_further = graph.running_sum(&steps, 2);
        let further = of_levels(graph, other_days, KNOWN_DAYS, DAYS - 1);
        let steps = graph.concat(&[&shown_after, &further], 2);
        let shown_of_further = graph.running_sum(&steps, 2);

        // The day within which it ends.
        let left_of_known = graph.slice(&left_of_known, 2, 0, KNOWN_DAYS);
        let left_before = graph.concat(&[&left_of_known, &left_of_further], 2);
        let shown_of_known = of_levels(graph, &shown_of_known, 0, KNOWN_DAYS);
        let shown_before = graph.concat(&[&shown_of_known, &shown_of_further], 2);
        let days = graph.unsqueeze(days, 1);
        let is_longer = graph.below(&days, &left_before);
        let end = graph.count(&is_longer, 2);
        let last = graph.number((DAYS - 1) as f64);
        let end = graph.min(&end, &last);
        let end = graph.cast_to_i64(&end);
        let rate = graph.pick(&self.rates, &end, 1);
        let end = graph.unsqueeze(&end, 2);
        let at_end = |graph: &mut Graph, before: &Value| {
            let picked = graph.pick(before, &end, 2);
            graph.squeeze(&picked, 2)
        };
        let (left_at_end, shown) = (at_end(graph, &left_before), at_end(graph, &shown_before));
        let within = match towards {
            Towards::Working => graph.mul(&left_at_end, &rate),
            Towards::Hours => graph.div(&left_at_end, &rate),
        };
        let walked = graph.add(&shown, &within);
        graph.choose(&self.is_known, &walked, left)
    }
}

/// The rates of the days without holidays (N x `DAYS`), and the working hours of a week (N x 1).
fn rates(
    graph: &mut Graph,
    clock: &Clock,
    row: &Row<'_>,
    weekday: &Value,
) -> Result<(Value, Value), Error> {
    // The clocks of the categories, and last that of all others.
    let mut clocks: Vec<WeekdayRates> = Vec::new();
    let which = match &clock.by {
        None => graph.sub(weekday, weekday),
        Some((name, of_levels)) => {
            clocks.extend(of_levels);
            let (code, feature) = row.feature(graph, name)?;
            debug_assert!(matches!(feature.kind, FeatureKind::Categorical { .. }));
            let (zero, n) = (graph.number(0.0), graph.number(of_levels.len() as f64));
            let is_some = graph.at_most(&zero, &code);
            let is_listed = graph.below(&code, &n);
            let is_listed = graph.node("And", &[&is_some, &is_listed]);
            graph.choose(&is_listed, &code, &n)
        }
    };
    clocks.push(clock.weekday_rates);
    let which = graph.squeeze(&which, 1);
    let which = graph.cast_to_i64(&which);
    let all: Vec<f64> = clocks.iter().flatten().map(|&rate| rate.into()).collect();
    let table = graph.doubles(&[clocks.len(), 7], &all);
    let of_weekdays = graph.take(&table, &which, 0);
    let of_week = |rates: &WeekdayRates| -> f64 {
        rates.iter().map(|&rate| f64::from(rate) * DAY_HOURS).sum()
    };
    let weeks: Vec<f64> = clocks.iter().map(of_week).collect();
    let weeks = graph.doubles(&[clocks.len(), 1], &weeks);
    let of_week = graph.take(&weeks, &which, 0);

    let weekdays: Vec<i64> =
        (0..7).flat_map(|first| (0..DAYS).map(move |ahead| (first + ahead as i64) % 7)).collect();
    let weekdays = graph.integers(&[7, DAYS], &weekdays);
    let first = graph.squeeze(weekday, 1);
    let first = graph.cast_to_i64(&first);
    let weekdays = graph.take(&weekdays, &first, 0);
    Ok((graph.pick(&of_weekdays, &weekdays, 1), of_week))
}

/// Which days are holidays: the bits of a whole number. Shapes: N x `DAYS`.
fn holidays(graph: &mut Graph, row: &Row<'_>) -> Result<Value, Error> {
    let (value, _) = row.feature(graph, column::HOLIDAYS_AHEAD)?;
    let is_missing = graph.node("IsNaN", &[&value]);
    let zero = graph.number(0.0);
    let value = graph.choose(&is_missing, &zero, &value);
    let value = graph.clamp(&value, 0.0, u32::MAX.into());
    let value = graph.node("Floor", &[&value]);
    // Beyond the known days there is no bit.
    let places: [f64; DAYS] =
        std::array::from_fn(|day| 2f64.powi(if day < KNOWN_DAYS { day as i32 } else { 32 }));
    let places = graph.doubles(&[1, DAYS], &places);
    let shifted = graph.div(&value, &places);
    let shifted = graph.node("Floor", &[&shifted]);
    let two = graph.number(2.0);
    let bit = graph.remainder(&shifted, &two);
    Ok(graph.below(&zero, &bit))
}
