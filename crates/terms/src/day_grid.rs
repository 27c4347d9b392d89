//! The days for which the probability of delivery by then is given.

use serde::{Deserialize, Serialize};

use crate::DAYS_AHEAD;

/// The largest step, with which the grid reaches ten years.
const STEP_DAYS_MAX: u32 = 60;

/// The days for which P(delivered within d days) is given: [`DAYS_AHEAD`] points, the same number of
/// days apart, from one step on. A network whose deliveries take months has a coarser grid.
///
/// ```
/// use terms::DayGrid;
///
/// let grid = DayGrid::up_to(180).unwrap();
/// assert_eq!((grid.day(0), grid.day(1), grid.last_day()), (3, 6, 180));
/// assert_eq!(grid.column(), "probability_by_3_days");
/// assert_eq!(DayGrid::up_to(60), Some(DayGrid::DAILY));
/// assert_eq!(DayGrid::DAILY.column(), "probability_by_day");
/// assert_eq!(DayGrid::up_to(90), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct DayGrid {
    step_days: u32,
}

impl DayGrid {
    /// Every day from the first to the sixtieth.
    pub const DAILY: Self = Self { step_days: 1 };

    /// What [`DayGrid::up_to`] takes, for messages.
    pub const EXPECTED: &str = "a multiple of 60, from 60 to 3600";

    /// The grid that ends on `last_day`; `None` unless it is a multiple of [`DAYS_AHEAD`], up to 3,600.
    pub fn up_to(last_day: u32) -> Option<Self> {
        let n_points = DAYS_AHEAD as u32;
        let step_days = last_day / n_points;
        let fits = last_day.is_multiple_of(n_points) && (1..=STEP_DAYS_MAX).contains(&step_days);
        fits.then_some(Self { step_days })
    }

    /// Days from point to point.
    pub fn step_days(self) -> u32 {
        self.step_days
    }

    /// The day of a point, from 0 on.
    pub fn day(self, point: usize) -> u32 {
        self.step_days * (point as u32 + 1)
    }

    /// The same in hours from the order.
    pub fn hours(self, point: usize) -> f64 {
        f64::from(self.day(point)) * 24.0
    }

    /// The day of the last point.
    pub fn last_day(self) -> u32 {
        self.day(DAYS_AHEAD - 1)
    }

    /// Whether it has every day.
    pub fn is_daily(&self) -> bool {
        *self == Self::DAILY
    }

    /// The name of the column of the probabilities, which says their days.
    pub fn column(self) -> String {
        match self.step_days {
            1 => crate::column::PROBABILITY_BY_DAY.to_owned(),
            step => format!("probability_by_{step}_days"),
        }
    }
}

impl Default for DayGrid {
    fn default() -> Self {
        Self::DAILY
    }
}

impl From<DayGrid> for u32 {
    fn from(grid: DayGrid) -> Self {
        grid.last_day()
    }
}

impl TryFrom<u32> for DayGrid {
    type Error = String;

    fn try_from(last_day: u32) -> Result<Self, String> {
        Self::up_to(last_day)
            .ok_or_else(|| format!("days ahead: expected {}, found {last_day}", Self::EXPECTED))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_has_sixty_equal_steps_or_is_none() {
        for step in 1..=STEP_DAYS_MAX {
            let grid = DayGrid::up_to(60 * step).unwrap();
            assert_eq!((grid.step_days(), grid.last_day()), (step, 60 * step));
            assert_eq!(grid.hours(1), f64::from(2 * step) * 24.0);
            assert_eq!(serde_json::to_string(&grid).unwrap(), (60 * step).to_string());
        }
        for days in [0, 1, 59, 61, 90, 3_660] {
            assert_eq!(DayGrid::up_to(days), None, "{days}");
            assert!(serde_json::from_str::<DayGrid>(&days.to_string()).is_err());
        }
    }
}
