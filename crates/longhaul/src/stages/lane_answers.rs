//! What the lane speed table would have answered for the orders of a hold-out, looked up as a service looks
//! them up, against scoring each of them.

use anyhow::Result;
use evaluate::{Forecast, LaneAnswers, SpeedTableScores};
use scorer::{LaneGrouping, LaneSpeed, Scorer};
use terms::AsOf;

use crate::stages::features::FeatureSet;
use crate::stages::holdout::Holdout;
use crate::stages::lanes::Lanes;
use crate::stages::speed_table::LaneTable;

/// The table as of `start`, by a model that was trained then, judged on a hold-out that begins there;
/// `scored` is what that model says of each order. `None` if nothing was ordered before, or no outcome
/// is known.
///
/// # Errors
/// If the feature set lacks a column, or its matrix is not the scorer's.
pub(crate) fn judge(
    feature_set: &FeatureSet,
    holdout: &Holdout,
    (scorer, scored): (&Scorer, &Forecast),
    (start, shipments_min): (AsOf, usize),
) -> Result<Option<SpeedTableScores>> {
    let lanes = Lanes::of(feature_set)?;
    let model = (&feature_set.matrix, scorer);
    let of_model = (start, scorer.model_id());
    let table = LaneTable::of(feature_set, (&lanes, shipments_min), model, of_model)?;
    let Some(lookup) = table.to_lookup()? else { return Ok(None) };
    let answer = |&row: &usize| lookup.lookup(&lanes.of_row(row));
    let answers: Vec<LaneSpeed<'_>> = holdout.rows.iter().map(answer).collect();
    // The grid of days has every point.
    let of_point = |answer: &LaneSpeed<'_>, point| answer.probability_by_day(point).unwrap_or(1.0);
    let by_day = |answer: &LaneSpeed<'_>| std::array::from_fn(|point| of_point(answer, point));
    let forecast = Forecast {
        name: "lane speed table".to_owned(),
        hours: answers.iter().map(LaneSpeed::hours).collect(),
        probability_over_2d: Some(answers.iter().map(LaneSpeed::probability_over_2d).collect()),
        probability_by_day: Some(answers.iter().map(by_day).collect()),
        days: scorer.days(),
    };
    let position = |answer: &LaneSpeed<'_>| answer.grouping().index();
    Ok(SpeedTableScores::of(
        &holdout.shipments,
        &LaneAnswers {
            lanes: table.n_rows(),
            table: &forecast,
            scored,
            groupings: &LaneGrouping::ALL.map(LaneGrouping::name),
            grouping_of: &answers.iter().map(position).collect::<Vec<_>>(),
        },
    )?)
}
