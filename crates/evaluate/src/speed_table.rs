//! What the lane speed table loses against scoring each shipment, and which of its groupings answer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::forecast::same_length;
use crate::loss::Loss;
use crate::matured_rows::MaturedRows;
use crate::{Error, Forecast, Settings, Shipments};

/// The answers of a lane speed table for some shipments, each as a request when it was ordered.
#[derive(Debug, Clone, Copy)]
pub struct LaneAnswers<'a> {
    /// How many rows the table has.
    pub lanes: usize,
    /// The distributions that the table gives.
    pub table: &'a Forecast,
    /// Those that scoring each shipment gives.
    pub scored: &'a Forecast,
    /// The names of the groupings, from the finest to that of all shipments.
    pub groupings: &'a [String],
    /// By which of them each shipment is answered. Shapes: n_rows.
    pub grouping_of: &'a [usize],
}

/// The answers of the lane speed table, compared with scoring each shipment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SpeedTableScores {
    /// Rows of the table.
    pub lanes: usize,
    /// Shipments that it was asked for.
    pub requests: usize,
    /// The share that a lane answers; the others get the distribution of all shipments.
    pub answered_share: f64,
    /// On all requests.
    pub overall: LaneLoss,
    /// By the grouping that answers, from the finest to that of all shipments; those that answer none are
    /// left out.
    pub groupings: Vec<GroupingScore>,
}

/// The requests that one grouping answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GroupingScore {
    /// The columns of the grouping.
    pub grouping: String,
    /// Shipments that it answers.
    pub requests: usize,
    /// Their share of all requests.
    pub share: f64,
    /// On those whose outcome is known; `None` if there is none.
    pub loss: Option<LaneLoss>,
}

/// The losses of both on the same rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LaneLoss {
    /// Of the table.
    pub table: Loss,
    /// Of scoring each row.
    pub scored: Loss,
}

impl SpeedTableScores {
    /// Judges the answers by what is known of the shipments; `None` if no outcome is known.
    ///
    /// # Errors
    /// If columns differ in length, a number is not finite, or a grouping has no name.
    pub fn of(shipments: &Shipments, answers: &LaneAnswers<'_>) -> Result<Option<Self>, Error> {
        let requests = shipments.len();
        answers.table.check(requests)?;
        answers.scored.check(requests)?;
        same_length(requests, answers.grouping_of.len(), || "groupings of the speed table".into())?;
        let settings = Settings { rounds: 0, ..Settings::default() };
        let matured = match MaturedRows::new(shipments, &settings) {
            Ok(matured) => matured,
            Err(Error::NothingMatured { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let share = |count: usize| count as f64 / requests as f64;
        let grouping = |(position, name): (usize, &String)| {
            let is_of = |row: usize| answers.grouping_of[row] == position;
            let count = (0..requests).filter(|&row| is_of(row)).count();
            let known: Vec<usize> =
                matured.rows.iter().copied().filter(|&row| is_of(row)).collect();
            (count > 0).then(|| GroupingScore {
                grouping: name.clone(),
                requests: count,
                share: share(count),
                loss: (!known.is_empty()).then(|| LaneLoss::of(&matured, answers, &known)),
            })
        };
        let of_all = answers.groupings.len().saturating_sub(1);
        let answered = answers.grouping_of.iter().filter(|&&grouping| grouping < of_all).count();
        Ok(Some(Self {
            lanes: answers.lanes,
            requests,
            answered_share: share(answered),
            overall: LaneLoss::of(&matured, answers, &matured.rows),
            groupings: answers.groupings.iter().enumerate().filter_map(grouping).collect(),
        }))
    }
}

impl LaneLoss {
    fn of(matured: &MaturedRows<'_>, answers: &LaneAnswers<'_>, rows: &[usize]) -> Self {
        Self {
            table: Loss::of(matured, answers.table, rows),
            scored: Loss::of(matured, answers.scored, rows),
        }
    }

    /// What the table loses for each unit that scoring each row loses.
    pub fn ratio(&self) -> f64 {
        self.table.mean_pinball_days / self.scored.mean_pinball_days
    }
}

#[cfg(test)]
mod tests {
    use terms::{Day, N_LEVELS};

    use super::*;
    use crate::forecast::known_or_open;

    fn forecast(hours: &[f32]) -> Forecast {
        let hours = hours.iter().map(|&hours| [hours; N_LEVELS]).collect();
        Forecast { hours, ..Forecast::default() }
    }

    #[test]
    fn each_grouping_is_judged_on_the_requests_that_it_answers() {
        let outcomes = known_or_open(&[Some(48.0), Some(72.0), Some(96.0), None]);
        let shipments = Shipments {
            ordered_at: vec![Day::since_epoch(0).start(); 4],
            promised_hours: vec![None; 4],
            outcomes,
            ..Shipments::default()
        };
        let (table, scored) = (forecast(&[72.0; 4]), forecast(&[48.0, 72.0, 72.0, 72.0]));
        let names = ["zones", "regions", "all"].map(str::to_owned);
        let mut answers = LaneAnswers {
            lanes: 5,
            table: &table,
            scored: &scored,
            groupings: &names,
            grouping_of: &[0, 0, 2, 2],
        };
        let scores = SpeedTableScores::of(&shipments, &answers).unwrap().unwrap();
        assert_eq!((scores.lanes, scores.requests, scores.answered_share), (5, 4, 0.5));
        let [zones, all] = &scores.groupings[..] else { panic!("{:?}", scores.groupings) };
        assert_eq!((&*zones.grouping, zones.requests, zones.share), ("zones", 2, 0.5));
        let of_zones = zones.loss.unwrap();
        let errors = |loss: LaneLoss| (loss.table.mae_days, loss.scored.mae_days);
        assert_eq!((of_zones.table.rows, errors(of_zones)), (2, (0.5, 0.0)));
        let of_all = all.loss.unwrap();
        assert_eq!((&*all.grouping, all.requests, of_all.table.rows), ("all", 2, 1));
        assert_eq!((of_all.table.mae_days, of_all.ratio()), (1.0, 1.0));
        assert_eq!(scores.overall.table.rows, 3);

        answers.grouping_of = &[0];
        assert!(SpeedTableScores::of(&shipments, &answers).is_err());
    }

    #[test]
    fn without_a_known_outcome_there_is_nothing_to_judge() {
        let shipments = Shipments {
            ordered_at: vec![Day::since_epoch(0).start()],
            promised_hours: vec![None],
            outcomes: known_or_open(&[None]),
            ..Shipments::default()
        };
        let one = forecast(&[72.0]);
        let names = ["all".to_owned()];
        let answers = LaneAnswers {
            lanes: 1,
            table: &one,
            scored: &one,
            groupings: &names,
            grouping_of: &[0],
        };
        assert_eq!(SpeedTableScores::of(&shipments, &answers).unwrap(), None);
    }
}
