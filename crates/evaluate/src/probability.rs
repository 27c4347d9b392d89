//! Brier scores of predicted probabilities.

use terms::{DAYS_AHEAD, TWO_DAYS_HOURS};

use crate::judged::Judged;
use crate::metrics::{DayScore, DayScores, SELECTED_DAYS};
use crate::tally::DAY_HOURS;

/// Mean squared error of P(more than two days).
pub(crate) fn brier_over_2d(judged: &Judged<'_>, over: &[f32], rows: &[usize]) -> f64 {
    let sum: f64 =
        rows.iter().map(|&row| squared(over[row], judged.actual(row) > TWO_DAYS_HOURS)).sum();
    sum / rows.len() as f64
}

/// Mean squared error of P(delivered within d days). A day is 24 hours from the order.
pub(crate) fn brier_by_day(
    judged: &Judged<'_>,
    by_day: &[[f32; DAYS_AHEAD]],
    rows: &[usize],
) -> DayScores {
    let mut briers = [0.0; DAYS_AHEAD];
    for &row in rows {
        let actual = judged.actual(row);
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
    use super::*;
    use crate::{Settings, Shipments};

    fn world() -> Shipments {
        Shipments {
            ordered_at: vec![0, 0],
            actual_hours: vec![Some(48.0), Some(72.5)],
            promised_hours: vec![None, None],
            segments: Vec::new(),
        }
    }

    #[test]
    fn exactly_two_days_is_not_more_than_two_days() {
        let shipments = world();
        let judged = Judged::new(&shipments, &Settings::default()).unwrap();
        assert_eq!(brier_over_2d(&judged, &[0.0, 1.0], &judged.rows), 0.0);
        assert_eq!(brier_over_2d(&judged, &[0.5, 0.5], &judged.rows), 0.25);
    }

    #[test]
    fn the_score_of_each_day_is_as_worked_out_by_hand() {
        let shipments = world();
        let judged = Judged::new(&shipments, &Settings::default()).unwrap();
        // Delivered within 2 and within 4 days; both are said to be delivered from day 3 on.
        let mut by_day = [1.0; DAYS_AHEAD];
        by_day[..2].fill(0.0);
        let scores = brier_by_day(&judged, &[by_day, by_day], &judged.rows);
        assert_eq!(scores.at[0], DayScore { day: 1, brier: 0.0 });
        assert_eq!(scores.at[1], DayScore { day: 2, brier: 0.5 });
        assert_eq!(scores.at[2], DayScore { day: 3, brier: 0.5 });
        assert_eq!(scores.at[3], DayScore { day: 5, brier: 0.0 });
        assert!((scores.mean_brier - 1.0 / 60.0).abs() < 1e-12);
    }
}
