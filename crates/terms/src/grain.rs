//! To what resolution the moment of a delivery is recorded.
//!
//! Where a shop records dates and no times of day, delivery times are whole days: a few values, each
//! shared by many shipments, that stand for all that happened at some time of the day
//! (interval-censored). A distribution of them has steps, and a quantile an hour beside a step is
//! as far off as one that is half a day beside it.
//!
//! Source: Heitjan, Inference from Grouped Continuous Data, Statistical Science 4(2), 1989.

use serde::{Deserialize, Serialize};

use crate::{Matrix, Outcome};

const DAY_HOURS: f64 = 24.0;

/// A delivery so near to midnight is on it: clocks that change in between move it by an hour.
const TOLERANCE_HOURS: f64 = 1.01;

/// This share of deliveries has to be on midnights.
const SHARE_MIN: f64 = 0.98;

/// With fewer deliveries none is said to be on midnights.
const DELIVERIES_MIN: usize = 30;

/// To what resolution the moment of a delivery is recorded.
///
/// ```
/// use terms::Grain;
///
/// let grain = Grain::Date;
/// // An order at 15:00 that is delivered on the next date: recorded at its midnight, 9 hours later,
/// // it happened at some time until 33 hours after the order.
/// assert_eq!(grain.recorded(20.0, 15.0), 9.0);
/// assert_eq!(grain.until(9.0, 15.0), 33.0);
/// assert_eq!(Grain::Instant.until(9.0, 15.0), 9.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grain {
    /// The moment itself.
    #[default]
    Instant,
    /// The date of order and delivery, each as its midnight: delivery times are whole days.
    WholeDays,
    /// The date of the delivery, as its midnight, of orders at a time of day.
    Date,
}

impl Grain {
    /// The grain of these deliveries. Shapes: for each its hours after the order, and the hour of
    /// the day of the order at the destination if it is known.
    pub fn of(deliveries: impl Iterator<Item = (f64, Option<f64>)>) -> Self {
        let (mut n, mut whole, mut dates) = (0, 0, 0);
        for (hours, order_hour) in deliveries {
            n += 1;
            whole += usize::from(is_midnight(hours));
            dates += usize::from(order_hour.is_some_and(|hour| is_midnight(hours + hour)));
        }
        let nearly_all = (n as f64 * SHARE_MIN) as usize;
        match n {
            ..DELIVERIES_MIN => Self::Instant,
            _ if whole >= nearly_all => Self::WholeDays,
            _ if dates >= nearly_all => Self::Date,
            _ => Self::Instant,
        }
    }

    /// The grain of the deliveries among these outcomes. Shapes: one outcome a row of the matrix.
    pub fn of_outcomes(matrix: &Matrix, outcomes: &[Outcome]) -> Self {
        let order_hour = matrix.order_hours();
        Self::of(
            outcomes.iter().enumerate().filter_map(|(row, outcome)| {
                Some((f64::from(outcome.delivered()?), order_hour(row)))
            }),
        )
    }

    /// Whether a delivery is recorded by its date.
    pub fn is_a_day(self) -> bool {
        self != Self::Instant
    }

    /// What is recorded of a delivery that happened `hours` after an order at `order_hour` of its day.
    pub fn recorded(self, hours: f64, order_hour: f64) -> f64 {
        let Some(since_midnight) = self.since_midnight(order_hour) else { return hours };
        (((hours + since_midnight) / DAY_HOURS).floor() * DAY_HOURS - since_midnight).max(0.0)
    }

    /// Until when everything has happened that is recorded at most `hours` after the order.
    pub fn until(self, hours: f64, order_hour: f64) -> f64 {
        let Some(since_midnight) = self.since_midnight(order_hour) else { return hours };
        let days = ((hours + since_midnight) / DAY_HOURS).floor();
        (days + 1.0) * DAY_HOURS - since_midnight
    }

    /// A moment at which a delivery can have happened that is recorded `hours` after the order; the
    /// `share` of the day, from 0 to 1, says which. Clocks that change may move a midnight by an hour.
    pub fn happened(self, hours: f64, order_hour: f64, share: f64) -> f64 {
        let Some(since_midnight) = self.since_midnight(order_hour) else { return hours };
        let days = ((hours + since_midnight + TOLERANCE_HOURS) / DAY_HOURS).floor();
        let from = (days * DAY_HOURS - since_midnight).max(0.0);
        from + share * ((days + 1.0) * DAY_HOURS - since_midnight - from)
    }

    fn since_midnight(self, order_hour: f64) -> Option<f64> {
        match self {
            Self::Instant => None,
            Self::WholeDays => Some(0.0),
            Self::Date => Some(order_hour.rem_euclid(DAY_HOURS)),
        }
    }
}

fn is_midnight(hours: f64) -> bool {
    let beside = hours.rem_euclid(DAY_HOURS);
    beside.min(DAY_HOURS - beside) <= TOLERANCE_HOURS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(deliveries: &[(f64, Option<f64>)]) -> Grain {
        Grain::of(deliveries.iter().copied().cycle().take(100 * deliveries.len()))
    }

    #[test]
    fn whole_days_and_dates_are_found_clock_changes_included() {
        assert_eq!(
            found(&[(0.0, None), (24.0, None), (71.0, None), (97.0, None)]),
            Grain::WholeDays
        );
        assert_eq!(found(&[(9.0, Some(15.0)), (40.0, Some(8.0))]), Grain::Date);
        assert_eq!(
            found(&[(9.0, Some(15.0)), (40.0, Some(8.5)), (30.0, Some(7.0))]),
            Grain::Instant
        );
        assert_eq!(found(&[(9.0, None), (40.0, None)]), Grain::Instant);
        assert_eq!(Grain::of([(24.0, None); 5].into_iter()), Grain::Instant, "too few to tell");
    }

    #[test]
    fn what_is_recorded_is_the_midnight_before_what_happened() {
        for (grain, order_hour) in [(Grain::WholeDays, 13.0), (Grain::Date, 13.0)] {
            for tenths in 0..2000 {
                let hours = f64::from(tenths) / 10.0;
                let recorded = grain.recorded(hours, order_hour);
                assert!(recorded <= hours && hours < grain.until(recorded, order_hour));
                assert!(grain.until(recorded, order_hour) - recorded <= 24.0);
            }
        }
        // A day of 23 hours; and the rest of the day of the order.
        assert_eq!(Grain::WholeDays.happened(47.0, 0.0, 0.25), 54.0);
        assert_eq!(Grain::Date.happened(0.0, 16.0, 0.5), 4.0);
    }
}
