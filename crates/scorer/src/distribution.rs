//! The published form of a distribution of delivery time, and the pooling of several.

use terms::{DAYS_AHEAD, DayGrid, LEVELS, N_LEVELS};

/// A distribution of delivery time as it is published: one probability, the quantiles, and the
/// distribution function day by day.
///
/// ```
/// use scorer::Mixture;
///
/// let quantiles = [30.0, 40.0, 48.0, 60.0, 72.0, 84.0, 96.0, 120.0, 144.0];
/// let distribution = Mixture::new(0.75, quantiles, 0.4).distribution();
/// assert_eq!(distribution.probability_over_2d, 0.75);
/// // P(delivered within two days), and P(… within six days).
/// assert_eq!(distribution.by_day[1], 0.25);
/// assert_eq!(distribution.by_day[5], 0.95);
/// assert!(distribution.hours.is_sorted());
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Distribution {
    /// P(delivery takes more than two days).
    pub probability_over_2d: f32,
    /// Quantiles at [`LEVELS`], in hours from `ordered_at`, ascending.
    pub hours: [f32; N_LEVELS],
    /// P(delivered within d days) for each d of `days`, never descending.
    pub by_day: [f32; DAYS_AHEAD],
    /// The days of these probabilities.
    pub days: DayGrid,
}

impl Distribution {
    /// The distribution of an order drawn at random from several, each with its own: their equal
    /// mixture. `None` of none, and of some whose probabilities are of different days; of one it is
    /// that one.
    ///
    /// Probabilities are means. Quantiles are the weighted quantiles of all the quantiles given, in
    /// which the quantile at a level weighs as much as the levels that are nearest to it.
    pub fn pooled(distributions: &[Self]) -> Option<Self> {
        let days = distributions.first()?.days;
        if distributions.iter().any(|distribution| distribution.days != days) {
            return None;
        }
        let n = distributions.len() as f64;
        let mean = |of: &dyn Fn(&Self) -> f32| {
            (distributions.iter().map(|d| f64::from(of(d))).sum::<f64>() / n) as f32
        };
        let weights = level_weights();
        let mut quantiles: Vec<(f32, f64)> = (distributions.iter())
            .flat_map(|distribution| distribution.hours.into_iter().zip(weights))
            .collect();
        quantiles.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let last = quantiles.len().checked_sub(1)?;
        let (mut below, mut at) = (0.0, 0);
        let hours = LEVELS.map(|level| {
            while at < last && below + quantiles[at].1 < level * n {
                below += quantiles[at].1;
                at += 1;
            }
            quantiles[at].0
        });
        Some(Self {
            probability_over_2d: mean(&|d| d.probability_over_2d),
            hours,
            by_day: std::array::from_fn(|day| mean(&|d| d.by_day[day])),
            days,
        })
    }

    /// P(delivered within so many hours of the order): between the points of the grid on straight lines,
    /// from 0 at 0 hours on; beyond the last point what it is there. NaN of NaN.
    pub fn probability_within(&self, hours: f64) -> f64 {
        probability_within(self.days, |point| self.by_day[point], hours)
    }
}

/// P(delivered within so many hours of the order), by the probabilities at the points of a grid.
pub(crate) fn probability_within(days: DayGrid, by_day: impl Fn(usize) -> f32, hours: f64) -> f64 {
    let points = hours / days.hours(0);
    if points.is_nan() {
        return f64::NAN;
    }
    let points = points.clamp(0.0, DAYS_AHEAD as f64);
    let n_passed = points as usize;
    let passed = n_passed.checked_sub(1).map_or(0.0, |point| f64::from(by_day(point)));
    if n_passed == DAYS_AHEAD {
        return passed;
    }
    passed + points.fract() * (f64::from(by_day(n_passed)) - passed)
}

/// The weight of each level's quantile: from half-way to the level below to half-way to the one
/// above. The weights add up to 1.
fn level_weights() -> [f64; N_LEVELS] {
    let border = |level: usize| match level {
        0 => 0.0,
        N_LEVELS => 1.0,
        _ => f64::midpoint(LEVELS[level - 1], LEVELS[level]),
    };
    std::array::from_fn(|level| border(level + 1) - border(level))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(hours: f32) -> Distribution {
        Distribution {
            probability_over_2d: if hours > 48.0 { 1.0 } else { 0.0 },
            hours: std::array::from_fn(|level| hours + level as f32),
            by_day: std::array::from_fn(|day| if (day * 24) as f32 > hours { 1.0 } else { 0.0 }),
            days: DayGrid::DAILY,
        }
    }

    #[test]
    fn equal_distributions_are_pooled_to_themselves() {
        assert_eq!(Distribution::pooled(&[]), None);
        for hours in [10.0, 100.0] {
            assert_eq!(Distribution::pooled(&[around(hours)]), Some(around(hours)));
            assert_eq!(Distribution::pooled(&[around(hours); 7]), Some(around(hours)));
        }
    }

    #[test]
    fn probabilities_of_different_days_are_not_pooled() {
        let weekly = Distribution { days: DayGrid::up_to(420).unwrap(), ..around(10.0) };
        assert_eq!(Distribution::pooled(&[weekly, around(10.0)]), None);
        assert_eq!(Distribution::pooled(&[weekly; 2]), Some(weekly));
    }

    #[test]
    fn fast_and_slow_orders_together_are_fast_below_and_slow_above() {
        let orders = [around(10.0), around(10.0), around(10.0), around(200.0)];
        let pooled = Distribution::pooled(&orders).unwrap();
        assert_eq!(pooled.probability_over_2d, 0.25);
        assert_eq!(pooled.by_day[DAYS_AHEAD / 6], 1.0);
        assert_eq!(pooled.by_day[3], 0.75);
        // Three quarters of the orders take at most 18 hours.
        assert!(pooled.hours[..7].iter().all(|hours| *hours <= 18.0), "{:?}", pooled.hours);
        assert!(pooled.hours[7..].iter().all(|hours| *hours >= 200.0), "{:?}", pooled.hours);
        assert!(pooled.hours.is_sorted());
    }
}
