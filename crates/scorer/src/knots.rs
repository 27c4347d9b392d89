//! Delivery times within two days: the empirical quantile function, as a short list of knots.

use terms::TWO_DAYS_HOURS;

use crate::error::Error;

/// Quantiles of the delivery hours within two days, at evenly spaced levels from 0 to 1.
///
/// ```
/// use scorer::Knots;
///
/// // Delivered after 10 h: nothing. After 20 h: one half. After 48 h: all.
/// let knots = Knots::new(vec![10.0, 20.0, 48.0])?;
/// assert_eq!(knots.hours(), [10.0, 20.0, 48.0]);
/// assert!(Knots::new(vec![10.0, 20.0]).is_err(), "the last knot is at 48 h");
/// # Ok::<(), scorer::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Knots(Vec<f32>);

impl Knots {
    /// How many knots [`of_deliveries`](Self::of_deliveries) makes: a level every five percent.
    pub const COUNT: usize = 21;

    /// Checks that the knots ascend strictly from 0 h or later to exactly 48 h.
    ///
    /// # Errors
    /// If they do not, with the first offending knot.
    pub fn new(hours: Vec<f32>) -> Result<Self, Error> {
        let last = hours.len().saturating_sub(1);
        let wrong = hours.iter().enumerate().find(|&(position, &value)| {
            let ascends = position == 0 || hours[position - 1] < value;
            !(ascends && value >= 0.0 && (position < last || value == TWO_DAYS_HOURS as f32))
        });
        match wrong {
            Some((position, &found)) => Err(Error::Knots { position, found: Some(found) }),
            None if hours.len() < 2 => Err(Error::Knots { position: hours.len(), found: None }),
            None => Ok(Self(hours)),
        }
    }

    /// A uniform distribution from 0 h to 48 h, where there are too few deliveries to learn from.
    pub fn straight() -> Self {
        let steps = (Self::COUNT - 1) as f32;
        Self((0..Self::COUNT).map(|at| TWO_DAYS_HOURS as f32 * (at as f32 / steps)).collect())
    }

    /// The knots of the empirical quantile function of `hours` (any order, all within 48 h).
    /// Ties are spread by the smallest step that keeps the knots ascending.
    pub fn of_deliveries(mut hours: Vec<f32>) -> Self {
        if hours.is_empty() {
            return Self::straight();
        }
        hours.sort_by(f32::total_cmp);
        let (last, steps) = (hours.len() - 1, Self::COUNT - 1);
        let mut knots: Vec<f32> = (0..=steps)
            .map(|at| hours[(at * last + steps / 2) / steps].clamp(0.0, TWO_DAYS_HOURS as f32))
            .collect();
        // Wide enough to survive f32 at 48 h, small enough not to matter: 36 s.
        let gap = 0.01;
        for at in 1..=steps {
            knots[at] = knots[at].max(knots[at - 1] + gap);
        }
        knots[steps] = TWO_DAYS_HOURS as f32;
        for at in (0..steps).rev() {
            knots[at] = knots[at].min(knots[at + 1] - gap);
        }
        Self(knots)
    }

    /// The hours, ascending; the last is 48.
    pub fn hours(&self) -> &[f32] {
        &self.0
    }

    /// Share delivered by `hours`, of the deliveries within two days.
    pub(crate) fn share_by(&self, hours: f64) -> f64 {
        let above = self.0.partition_point(|&knot| f64::from(knot) <= hours);
        let steps = (self.0.len() - 1) as f64;
        match above {
            0 => 0.0,
            above if above == self.0.len() => 1.0,
            above => {
                let (low, high) = (f64::from(self.0[above - 1]), f64::from(self.0[above]));
                ((above - 1) as f64 + (hours - low) / (high - low)) / steps
            }
        }
    }

    /// Hours by which the share `level` is delivered, of the deliveries within two days.
    pub(crate) fn quantile(&self, level: f64) -> f64 {
        let at = level.clamp(0.0, 1.0) * (self.0.len() - 1) as f64;
        let below = (at as usize).min(self.0.len() - 2);
        let (low, high) = (f64::from(self.0[below]), f64::from(self.0[below + 1]));
        low + (high - low) * (at - below as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knots_must_ascend_to_48() {
        assert!(Knots::new(vec![0.0, 10.0, 48.0]).is_ok());
        assert!(matches!(Knots::new(vec![]), Err(Error::Knots { position: 0, found: None })));
        assert!(matches!(
            Knots::new(vec![0.0, 10.0, 47.0]),
            Err(Error::Knots { position: 2, found: Some(47.0) })
        ));
        assert!(Knots::new(vec![0.0, 10.0, 10.0, 48.0]).is_err());
        assert!(Knots::new(vec![0.0, f32::NAN, 48.0]).is_err());
        assert!(Knots::new(Knots::of_deliveries(vec![30.0; 9]).0).is_ok());
        assert!(Knots::new(Knots::straight().0).is_ok());
    }
}
