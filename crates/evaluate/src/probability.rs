//! Brier scores of the predicted probabilities of more than two days, and of delivery within d days.

use serde::{Deserialize, Serialize};
use terms::{DAYS_AHEAD, TWO_DAYS_HOURS};

use crate::matured_rows::MaturedRows;
use crate::tally::DAY_HOURS;

/// Brier scores of "delivered within d days".
///
/// Source: Brier, Verification of Forecasts Expressed in Terms of Probability, Monthly Weather
/// Review 78(1), 1950, for two classes, not doubled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DayScores {
    /// Mean over d = 1 … [`DAYS_AHEAD`].
    pub mean_brier: f64,
    /// At selected days.
    pub at: Vec<DayScore>,
}

/// The Brier score of one day.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DayScore {
    /// Days from the order.
    pub day: usize,
    /// The score.
    pub brier: f64,
}

/// Days at which the Brier score is given beside its mean over all of [`DAYS_AHEAD`].
const SELECTED_DAYS: [usize; 9] = [1, 2, 3, 5, 7, 10, 14, 21, 30];
const _: () = assert!(SELECTED_DAYS[SELECTED_DAYS.len() - 1] <= DAYS_AHEAD);

/// Mean squared error of P(more than two days).
pub(crate) fn brier_over_2d(matured: &MaturedRows<'_>, over: &[f32], rows: &[usize]) -> f64 {
    let sum: f64 =
        rows.iter().map(|&row| squared(over[row], matured.actual(row) > TWO_DAYS_HOURS)).sum();
    sum / rows.len() as f64
}

/// Mean squared error of P(delivered within d days). A day is 24 hours from the order.
pub(crate) fn brier_by_day(
    matured: &MaturedRows<'_>,
    by_day: &[[f32; DAYS_AHEAD]],
    rows: &[usize],
) -> DayScores {
    let mut briers = [0.0; DAYS_AHEAD];
    for &row in rows {
        let actual = matured.actual(row);
        for (day, (sum, &predicted)) in briers.iter_mut().zip(&by_day[row]).enumerate() {
            *sum += squared(predicted, actual <= (day + 1) as f64 * DAY_HOURS);
        }
    }
    let briers = briers.map(|sum| sum / rows.len() as f64);
    let at = SELECTED_DAYS.map(|day| DayScore { day, brier: briers[day - 1] });
    DayScores { mean_brier: briers.iter().sum::<f64>() / DAYS_AHEAD as f64, at: at.to_vec() }
}

fn squared(predicted: f32, happened: bool) -> f64 {
    (f64::from(predicted) - f64::from(u8::from(happened))).powi(2)
}

#[cfg(test)]
mod tests {
    use terms::Instant;

    use super::*;
    use crate::{Settings, Shipments};

    fn shipments() -> Shipments {
        Shipments {
            ordered_at: vec![Instant::from_micros(0); 2],
            actual_hours: vec![Some(48.0), Some(72.5)],
            promised_hours: vec![None, None],
            segments: Vec::new(),
        }
    }

    #[test]
    fn exactly_two_days_is_not_more_than_two_days() {
        let shipments = shipments();
        let matured = MaturedRows::new(&shipments, &Settings::default()).unwrap();
        assert_eq!(brier_over_2d(&matured, &[0.0, 1.0], &matured.rows), 0.0);
        assert_eq!(brier_over_2d(&matured, &[0.5, 0.5], &matured.rows), 0.25);
    }

    #[test]
    fn the_score_of_each_day_is_as_worked_out_by_hand() {
        let shipments = shipments();
        let matured = MaturedRows::new(&shipments, &Settings::default()).unwrap();
        // Delivered within 2 and within 4 days; both are predicted to be delivered from day 3 on.
        let mut by_day = [1.0; DAYS_AHEAD];
        by_day[..2].fill(0.0);
        let scores = brier_by_day(&matured, &[by_day, by_day], &matured.rows);
        assert_eq!(scores.at[0], DayScore { day: 1, brier: 0.0 });
        assert_eq!(scores.at[1], DayScore { day: 2, brier: 0.5 });
        assert_eq!(scores.at[2], DayScore { day: 3, brier: 0.5 });
        assert_eq!(scores.at[3], DayScore { day: 5, brier: 0.0 });
        assert!((scores.mean_brier - 1.0 / 60.0).abs() < 1e-12);
    }
}
