//! Brier scores of the predicted probabilities of more than two days, and of delivery within d days,
//! and their skill against the lane's history.
//!
//! Of an open shipment it is known that it was not delivered within its age, so it counts at the days
//! up to there; later days are those of the others, with weights that stand for it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use terms::{DAYS_AHEAD, DayGrid, TWO_DAYS_HOURS};

use crate::matured_rows::MaturedRows;

/// Brier scores of "delivered within d days".
///
/// Source: Brier, Verification of Forecasts Expressed in Terms of Probability, Monthly Weather
/// Review 78(1), 1950, for two classes, not doubled; with right-censored outcomes as in Graf,
/// Schmoor, Sauerbrei and Schumacher, Statistics in Medicine 18, 1999.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DayScores {
    /// Mean over all days of the grid.
    pub mean_brier: f64,
    /// At its first [`DAYS_SCORED`] days.
    pub at: Vec<DayScore>,
    /// The last day of the grid, if it is not of every day up to the sixtieth.
    #[serde(default, skip_serializing_if = "DayGrid::is_daily")]
    #[schemars(with = "u32")]
    pub days_ahead: DayGrid,
}

/// The Brier score of one day.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DayScore {
    /// Days from the order.
    pub day: u32,
    /// The score.
    pub brier: f64,
    /// The share of the lane baseline's score that it saves: above 0 it is better. `None` without that
    /// baseline, or if that loses nothing.
    pub skill: Option<f64>,
}

/// For how many days the Brier score is given beside its mean over all of [`DAYS_AHEAD`].
pub(crate) const DAYS_SCORED: usize = 30;
const _: () = assert!(DAYS_SCORED <= DAYS_AHEAD);

impl DayScores {
    /// Compares with the scores of the lane baseline on the same rows.
    pub(crate) fn set_skill(&mut self, lane: &Self) {
        for (own, lane) in self.at.iter_mut().zip(&lane.at) {
            own.skill = (lane.brier > 0.0).then(|| 1.0 - own.brier / lane.brier);
        }
    }

    /// The day from `from` on with the smallest skill.
    pub(crate) fn least_skill(&self, from: u32) -> Option<(u32, f64)> {
        let skills = self.at.iter().filter(|score| score.day >= from);
        let skills = skills.filter_map(|score| Some((score.day, score.skill?)));
        skills.min_by(|(_, one), (_, other)| one.total_cmp(other))
    }
}

/// Mean squared error of P(more than two days).
pub(crate) fn brier_over_2d(matured: &MaturedRows<'_>, over: &[f32], rows: &[usize]) -> f64 {
    brier(matured, rows, TWO_DAYS_HOURS, |row| 1.0 - f64::from(over[row]))
}

/// Mean squared error of P(delivered within d days). A day is 24 hours from the order.
pub(crate) fn brier_by_day(
    matured: &MaturedRows<'_>,
    (by_day, days): (&[[f32; DAYS_AHEAD]], DayGrid),
    rows: &[usize],
) -> DayScores {
    let briers: [f64; DAYS_AHEAD] = std::array::from_fn(|point| {
        brier(matured, rows, days.hours(point), |row| f64::from(by_day[row][point]))
    });
    let score =
        |(point, &brier): (usize, &f64)| DayScore { day: days.day(point), brier, skill: None };
    DayScores {
        mean_brier: briers.iter().sum::<f64>() / DAYS_AHEAD as f64,
        at: briers[..DAYS_SCORED].iter().enumerate().map(score).collect(),
        days_ahead: days,
    }
}

/// Weighted mean squared error of P(delivered within `hours`) over the rows of which that is known.
fn brier(
    matured: &MaturedRows<'_>,
    rows: &[usize],
    hours: f64,
    predicted: impl Fn(usize) -> f64,
) -> f64 {
    let (mut sum, mut weights) = (0.0, 0.0);
    for &row in rows {
        let Some(known) = matured.within(row, hours) else { continue };
        sum += known.weight * (predicted(row) - f64::from(u8::from(known.delivered))).powi(2);
        weights += known.weight;
    }
    sum / weights
}

#[cfg(test)]
mod tests {
    use terms::{Instant, Outcome};

    use super::*;
    use crate::forecast::known_or_open;
    use crate::{Settings, Shipments};

    fn shipments() -> Shipments {
        Shipments {
            ordered_at: vec![Instant::from_micros(0); 2],
            outcomes: known_or_open(&[Some(48.0), Some(72.5)]),
            promised_hours: vec![None, None],
            grain: terms::Grain::Instant,
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
        let by_day = [by_day, by_day];
        let scores = brier_by_day(&matured, (&by_day, DayGrid::DAILY), &matured.rows);
        let briers: Vec<(u32, f64)> = scores.at.iter().map(|at| (at.day, at.brier)).collect();
        assert_eq!(briers[..4], [(1, 0.0), (2, 0.5), (3, 0.5), (4, 0.0)]);
        assert_eq!(briers.last(), Some(&(DAYS_SCORED as u32, 0.0)));
        assert!((scores.mean_brier - 1.0 / 60.0).abs() < 1e-12);
    }

    #[test]
    fn a_coarser_grid_is_scored_at_its_own_days() {
        let shipments =
            Shipments { outcomes: known_or_open(&[Some(48.0), Some(24.0 * 70.0)]), ..shipments() };
        let matured = MaturedRows::new(&shipments, &Settings::default()).unwrap();
        let weekly = DayGrid::up_to(420).unwrap();
        // Both are predicted to be delivered from day 63 on, which is one week too early for one.
        let by_day = std::array::from_fn(|point| if point >= 8 { 1.0 } else { 0.0 });
        let scores = brier_by_day(&matured, (&[by_day, by_day], weekly), &matured.rows);
        let briers: Vec<(u32, f64)> = scores.at.iter().map(|at| (at.day, at.brier)).collect();
        assert_eq!(briers[..3], [(7, 0.5), (14, 0.5), (21, 0.5)]);
        assert_eq!(briers[7..11], [(56, 0.5), (63, 0.5), (70, 0.0), (77, 0.0)]);
        assert_eq!(scores.days_ahead, weekly);
        assert!((scores.mean_brier - 0.5 * 9.0 / 60.0).abs() < 1e-12);
        let text = serde_json::to_string(&scores).unwrap();
        assert!(text.contains("\"days_ahead\":420"), "{text}");
    }

    #[test]
    fn an_open_shipment_counts_up_to_its_age() {
        let shipments = Shipments {
            outcomes: vec![Outcome::Delivered(30.0), Outcome::Censored(72.0)],
            ..shipments()
        };
        let matured = MaturedRows::new(&shipments, &Settings::default()).unwrap();
        let none = [[0.0; DAYS_AHEAD]; 2];
        let scores = brier_by_day(&matured, (&none, DayGrid::DAILY), &[0, 1]);
        let briers: Vec<f64> = scores.at.iter().map(|at| at.brier).collect();
        assert_eq!(briers[..4], [0.0, 0.5, 0.5, 1.0]);
    }

    #[test]
    fn skill_is_the_share_of_the_lanes_score_that_is_saved() {
        let scores = |briers: [f64; 3]| {
            let score =
                |day: usize| DayScore { day: day as u32 + 1, brier: briers[day], skill: None };
            let at = (0..3).map(score).collect();
            DayScores { mean_brier: 0.0, at, days_ahead: DayGrid::DAILY }
        };
        let mut own = scores([0.1, 0.1, 0.3]);
        own.set_skill(&scores([0.0, 0.2, 0.2]));
        let skills: Vec<Option<f64>> = own.at.iter().map(|at| at.skill).collect();
        assert_eq!(skills[..2], [None, Some(0.5)]);
        assert_eq!(own.least_skill(1).map(|(day, _)| day), Some(3));
        assert_eq!(own.least_skill(4), None);
    }
}
