//! Learning of the time scale: the clock of working time from the weekdays of deliveries, and the
//! usual level of the network.
//!
//! A weekday's rate is its share of deliveries, times seven. A category of its own (say a region)
//! has rates shrunk towards those of all, the more the fewer deliveries it has. On holidays the
//! clock runs slower by the deliveries that were seen over those that were expected: as many as on
//! the same weekday so many days after other orders.

use scorer::{Clock, FeatureTimeScale, TimeScale, WeekdayRates};
use terms::{FeatureKind, HolidaysAhead, Matrix, Outcome, column};

use crate::error::Error;
use crate::population::Population;
use crate::settings::TimeScaleSettings;

/// With fewer deliveries there is no clock.
const DELIVERIES_MIN: f64 = 500.0;

/// Expected deliveries on holidays that are added to both sides of their factor.
const HOLIDAY_PRIOR: f64 = 10.0;

const DAY_HOURS: f64 = 24.0;

/// The time scales of the regressors as of the population's moment, from the rows of `history`, each
/// with its weight: multiples of the level, and hours; hours alone where there is no level.
///
/// # Errors
/// If the category of the clock is not a categorical feature.
pub(crate) fn learn(
    population: &Population<'_>,
    history: &[usize],
    settings: &TimeScaleSettings,
) -> Result<Vec<(FeatureTimeScale, f32)>, Error> {
    let features = &population.matrix.features;
    let clock = match settings.clock {
        true => clock(population, history, settings)?,
        false => None,
    };
    let level_otherwise_hours = match features.position(column::LEVEL_HOURS) {
        Some(at) if settings.level => usual(population, at, history),
        _ => None,
    };
    let of_level = level_otherwise_hours.map(|_| 1.0 - settings.hours_weight);
    let of_hours = if of_level.is_some() { settings.hours_weight } else { 1.0 };
    let weights = [(level_otherwise_hours, of_level.unwrap_or_default()), (None, of_hours)];
    let scale = |(level_otherwise_hours, weight): (Option<f32>, f64)| {
        let scale = TimeScale { level_otherwise_hours, clock: clock.clone() };
        let scale = scale.of_features(features).map_err(|source| Error::Scorer { source })?;
        Ok((scale, weight as f32))
    };
    weights.into_iter().filter(|(_, weight)| *weight > 0.0).map(scale).collect()
}

/// The median of a column's values above 0 at some rows; `None` if it has none. Rows that were not
/// recorded yet are among the excluded ones.
fn usual(population: &Population<'_>, column: usize, rows: &[usize]) -> Option<f32> {
    let values = &population.matrix.columns[column];
    let is_known = |&&row: &&usize| population.outcomes[row] != Outcome::Excluded;
    let known = rows.iter().filter(is_known).map(|&row| values[row]);
    let mut known: Vec<f32> = known.filter(|value| *value > 0.0).collect();
    let middle = known.len() / 2;
    (!known.is_empty()).then(|| *known.select_nth_unstable_by(middle, f32::total_cmp).1)
}

/// Counts of deliveries by weekday.
type Weekdays = [f64; 7];

/// The clock; `None` if the features do not say when orders were placed, or too little is delivered.
fn clock(
    population: &Population<'_>,
    history: &[usize],
    settings: &TimeScaleSettings,
) -> Result<Option<Clock>, Error> {
    let matrix = population.matrix;
    let position = |name: &str| matrix.features.position(name);
    let (Some(week), Some(holidays)) =
        (position(column::ORDERED_WEEK_HOURS), position(column::HOLIDAYS_AHEAD))
    else {
        return Ok(None);
    };
    let by = match &settings.clock_by {
        None => None,
        Some(name) => {
            let unknown = || Error::ClockBy { name: name.clone() };
            let at = position(name).ok_or_else(unknown)?;
            match &matrix.features.0[at].kind {
                FeatureKind::Categorical { levels } => Some((name, at, levels.len())),
                FeatureKind::Numeric => return Err(unknown()),
            }
        }
    };
    let deliveries = deliveries(population, history, (week, holidays));
    let mut all: Weekdays = [0.0; 7];
    deliveries.iter().for_each(|delivery| all[delivery.weekday()] += 1.0);
    let total: f64 = all.iter().sum();
    if total < DELIVERIES_MIN {
        return Ok(None);
    }
    let shares = all.map(|count| count / total);
    let rates_of = |(name, at, n_levels): (&String, usize, usize)| {
        let mut of_levels = vec![[0.0; 7]; n_levels];
        for delivery in &deliveries {
            let code = matrix.columns[at][delivery.row];
            if let Some(counts) = of_levels.get_mut(code as usize).filter(|_| code >= 0.0) {
                counts[delivery.weekday()] += 1.0;
            }
        }
        let shrunk = |counts: Weekdays| shrunk(counts, shares, settings.clock_shrink_deliveries);
        (name.clone(), of_levels.into_iter().map(shrunk).collect())
    };
    Ok(Some(Clock {
        weekday_rates: Clock::rates_of_shares(shares),
        holiday_factor: holiday_factor(&deliveries),
        by: by.map(rates_of),
    }))
}

/// Rates from the counts of one category, and so many deliveries more with the shares of all.
fn shrunk(counts: Weekdays, shares: [f64; 7], prior: f64) -> WeekdayRates {
    let total: f64 = counts.iter().sum::<f64>() + prior;
    let share = |weekday: usize| match total > 0.0 {
        true => (counts[weekday] + prior * shares[weekday]) / total,
        false => shares[weekday],
    };
    Clock::rates_of_shares(std::array::from_fn(share))
}

/// A delivery by its days from that of the order on, local to the destination.
struct Delivery {
    row: usize,
    /// Weekday of the order, from Monday = 0.
    ordered_on: usize,
    /// Days from the order's to the delivery's.
    days: usize,
    holidays: HolidaysAhead,
}

impl Delivery {
    fn weekday_after(&self, days: usize) -> usize {
        (self.ordered_on + days) % 7
    }

    fn weekday(&self) -> usize {
        self.weekday_after(self.days)
    }

    fn is_holiday(&self, days: usize) -> bool {
        self.holidays.has(days as u32)
    }
}

fn deliveries(
    population: &Population<'_>,
    history: &[usize],
    (week, holidays): (usize, usize),
) -> Vec<Delivery> {
    let Matrix { columns, .. } = population.matrix;
    let delivery = |&row: &usize| {
        let hours = f64::from(population.outcomes[row].delivered()?);
        let week_hours = f64::from(columns[week][row]);
        let days = ((week_hours % DAY_HOURS + hours) / DAY_HOURS).floor();
        (days >= 0.0 && week_hours >= 0.0).then_some(Delivery {
            row,
            ordered_on: (week_hours / DAY_HOURS) as usize % 7,
            days: days as usize,
            holidays: HolidaysAhead::from_value(columns[holidays][row]),
        })
    };
    history.iter().filter_map(delivery).collect()
}

/// Deliveries seen on holidays over those expected, at most 1.
fn holiday_factor(deliveries: &[Delivery]) -> f32 {
    // By days after the order and weekday of the order: orders without a holiday on that day, and
    // how many of them were delivered on it.
    let mut others = [[(0.0, 0.0); 7]; HolidaysAhead::DAYS as usize];
    for delivery in deliveries {
        for (days, of_day) in others.iter_mut().enumerate() {
            if !delivery.is_holiday(days) {
                let (orders, delivered) = &mut of_day[delivery.ordered_on];
                *orders += 1.0;
                *delivered += f64::from(u8::from(delivery.days == days));
            }
        }
    }
    let (mut seen, mut expected) = (HOLIDAY_PRIOR, HOLIDAY_PRIOR);
    for delivery in deliveries.iter().filter(|delivery| !delivery.holidays.is_empty()) {
        for days in (0..HolidaysAhead::DAYS as usize).filter(|&days| delivery.is_holiday(days)) {
            let (orders, delivered) = others[days][delivery.ordered_on];
            if orders > 0.0 {
                expected += delivered / orders;
                seen += f64::from(u8::from(delivery.days == days));
            }
        }
    }
    (seen / expected).clamp(0.05, 1.0) as f32
}
