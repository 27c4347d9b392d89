//! What is predicted of a day, where deliveries are recorded by their dates; and of no time left, where a
//! shipment had been delivered before its forecast and that was recorded later.
//!
//! Outcomes are then a few values with many shipments each, and the distribution has a step at each of
//! them. Whether an outcome lies below a quantile is no yes or no: it lies somewhere on the step, and
//! counts below a level by the share of its step that is below it, which is the mean of a randomised
//! probability integral transform.
//!
//! Source: Czado, Gneiting and Held, Predictive Model Assessment for Count Data, Biometrics 65(4), 2009.

use terms::{Grain, LEVELS, N_LEVELS};

use crate::Forecast;

/// What a forecast says of the day on which a shipment was delivered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Step {
    /// P(delivered on an earlier day).
    pub(crate) before: f64,
    /// P(delivered by the end of the day).
    pub(crate) after: f64,
}

impl Step {
    /// The step at `hours` of a row; `None` where moments are recorded and it is no 0, or the forecast has no
    /// probabilities by day.
    pub(crate) fn of(forecast: &Forecast, row: usize, hours: f64, grain: Grain) -> Option<Self> {
        if grain == Grain::Instant && hours == 0.0 {
            return Some(Self { before: 0.0, after: up_to(&forecast.hours[row], 0.0) });
        }
        let by_day = forecast.probability_by_day.as_ref()?.get(row)?;
        let day = match grain {
            Grain::Instant => return None,
            Grain::WholeDays => (hours / 24.0).round(),
            Grain::Date => (hours / 24.0).ceil(),
        };
        let on_first_day = || {
            // The day of the order has no probability of its own: its quantiles bound it.
            up_to(&forecast.hours[row], 0.5).min(f64::from(by_day[0]))
        };
        let by = |day: f64| {
            let at = day / f64::from(forecast.days.step_days()) - 1.0;
            match at {
                _ if day < 0.0 => 0.0,
                _ if day < 0.5 => on_first_day(),
                // Between two days of the grid, a straight line.
                _ if at < 0.0 => (at + 1.0) * f64::from(by_day[0]),
                _ => {
                    let low = by_day.get(at as usize).copied().map_or(1.0, f64::from);
                    let high = by_day.get(at as usize + 1).copied().map_or(1.0, f64::from);
                    low + (high - low) * at.fract()
                }
            }
        };
        Some(Self { before: by(day - 1.0), after: by(day) })
    }

    /// The share of the step below a level.
    pub(crate) fn below(self, level: f64) -> f64 {
        // A day that was predicted to be impossible is on one side of every level.
        let height = (self.after - self.before).max(1e-9);
        ((level - self.before) / height).clamp(0.0, 1.0)
    }

    /// The share of the step below each of the levels.
    pub(crate) fn below_levels(self) -> [f64; N_LEVELS] {
        LEVELS.map(|level| self.below(level))
    }
}

/// The probability of so many hours or fewer, as far as quantiles bound it: halfway between the level of the
/// last that is not above, and the next.
fn up_to(quantiles: &[f32; N_LEVELS], hours: f32) -> f64 {
    let at_least = quantiles.partition_point(|&quantile| quantile <= hours);
    let low = at_least.checked_sub(1).map_or(0.0, |level| LEVELS[level]);
    let high = LEVELS.get(at_least).copied().unwrap_or(1.0);
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use terms::{DAYS_AHEAD, DayGrid};

    use super::*;

    /// A tenth on the day of the order, a half by the day after, all by the third.
    fn forecast() -> Forecast {
        let mut by_day = [1.0; DAYS_AHEAD];
        by_day[0] = 0.5;
        by_day[1] = 0.8;
        let hours = [0.0, 0.0, 24.0, 24.0, 24.0, 48.0, 48.0, 72.0, 72.0];
        let (hours, by_day) = (vec![hours; 2], Some(vec![by_day; 2]));
        Forecast { hours, probability_by_day: by_day, ..Forecast::default() }
    }

    #[test]
    fn a_day_lies_between_the_probabilities_by_it_and_by_the_day_before() {
        let step = |hours| Step::of(&forecast(), 0, hours, Grain::WholeDays).unwrap();
        let near = |step: Step, before: f64, after: f64| {
            assert!((step.before - before).abs() < 1e-6 && (step.after - after).abs() < 1e-6);
        };
        // Of the day of the order it is only known to be between the levels 0.1 and 0.25.
        near(step(0.0), 0.0, 0.175);
        near(step(24.0), 0.175, 0.5);
        near(step(47.0), 0.5, 0.8);
        near(step(72.0), 0.8, 1.0);
        assert_eq!(Step::of(&forecast(), 0, 9.0, Grain::Date), Some(step(24.0)));
        assert_eq!(Step::of(&forecast(), 0, 24.0, Grain::Instant), None);
        // Of no time left too, whatever is recorded.
        near(Step::of(&forecast(), 0, 0.0, Grain::Instant).unwrap(), 0.0, 0.175);
        assert!((step(47.0).below(0.65) - 0.5).abs() < 1e-6);
        assert_eq!((step(47.0).below(0.5), step(47.0).below(0.9)), (0.0, 1.0));
    }

    #[test]
    fn a_coarser_grid_is_read_between_its_days() {
        let mut coarse = forecast();
        coarse.days = DayGrid::up_to(120).unwrap();
        let found = Step::of(&coarse, 1, 72.0, Grain::WholeDays).unwrap();
        assert!((found.before - 0.5).abs() < 1e-6 && (found.after - 0.65).abs() < 1e-6);
    }

    #[test]
    fn outcomes_drawn_from_the_forecast_are_calibrated_at_every_level() {
        let drawn = [(24.0, 0.325), (48.0, 0.3), (72.0, 0.2), (0.0, 0.175)];
        for level in LEVELS {
            let below: f64 = drawn
                .iter()
                .map(|&(hours, p)| {
                    p * Step::of(&forecast(), 0, hours, Grain::WholeDays).unwrap().below(level)
                })
                .sum();
            assert!((below - level).abs() < 1e-6, "{level}: {below}");
        }
    }
}
