//! What a speed table says of a lane.

use std::fmt;

use terms::{DAYS_AHEAD, DayGrid, N_LEVELS};

use super::format::{ONE, ROW_BY_DAY, ROW_BYTES, ROW_HOURS, ROW_OVER_2D, ROW_SHIPMENTS};
use super::lane::LaneGrouping;
use super::numbers::{u16_at, u32_at};
use crate::distribution::{Distribution, probability_within};

/// How fast a lane delivers: a row of a [`SpeedTable`](crate::SpeedTable), which is read where it is.
#[derive(Clone, Copy)]
pub struct LaneSpeed<'a> {
    pub(super) row: &'a [u8; ROW_BYTES],
    pub(super) grouping: LaneGrouping,
    pub(super) days: DayGrid,
}

impl LaneSpeed<'_> {
    /// By which columns the row is grouped.
    pub fn grouping(&self) -> LaneGrouping {
        self.grouping
    }

    /// Of how many shipments the row is.
    pub fn n_shipments(&self) -> u32 {
        u32_at(self.row, ROW_SHIPMENTS)
    }

    /// P(delivery takes more than two days).
    pub fn probability_over_2d(&self) -> f32 {
        self.f32_at(ROW_OVER_2D)
    }

    /// Quantiles of delivery time at [`terms::LEVELS`], in hours from the order, ascending.
    pub fn hours(&self) -> [f32; N_LEVELS] {
        std::array::from_fn(|level| self.f32_at(ROW_HOURS + 4 * level))
    }

    /// The days of the probabilities by day.
    pub fn days(&self) -> DayGrid {
        self.days
    }

    /// P(delivered within the days of a point of the grid, from 0 on); `None` past the last one. It is
    /// rounded to the nearest 65,535th, so by at most 0.000008.
    pub fn probability_by_day(&self, point: usize) -> Option<f32> {
        (point < DAYS_AHEAD).then(|| self.by_day(point))
    }

    /// P(delivered within so many hours of the order): between the points of the grid on straight lines,
    /// from 0 at 0 hours on; beyond the last point what it is there. NaN of NaN.
    pub fn probability_within(&self, hours: f64) -> f64 {
        probability_within(self.days, |point| self.by_day(point), hours)
    }

    /// Whether P(delivered within so many hours of the order) is at least `probability`.
    pub fn arrives_within(&self, hours: f64, probability: f64) -> bool {
        self.probability_within(hours) >= probability
    }

    /// Whether P(delivered within two days of the order) is at least `probability`.
    pub fn can_be_delivered_quickly(&self, probability: f64) -> bool {
        1.0 - f64::from(self.probability_over_2d()) >= probability
    }

    /// All of it, as a distribution.
    pub fn distribution(&self) -> Distribution {
        Distribution {
            probability_over_2d: self.probability_over_2d(),
            hours: self.hours(),
            by_day: std::array::from_fn(|point| self.by_day(point)),
            days: self.days,
        }
    }

    fn by_day(&self, point: usize) -> f32 {
        f32::from(u16_at(self.row, ROW_BY_DAY + 2 * point)) / ONE
    }

    fn f32_at(&self, at: usize) -> f32 {
        f32::from_bits(u32_at(self.row, at))
    }
}

impl fmt::Debug for LaneSpeed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LaneSpeed")
            .field("grouping", &self.grouping)
            .field("n_shipments", &self.n_shipments())
            .field("distribution", &self.distribution())
            .finish()
    }
}
