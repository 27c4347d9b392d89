//! What the lane speed table would have answered for the orders of a hold-out, looked up as a service looks
//! them up, against scoring each of them.

use anyhow::Result;
use evaluate::{Forecast, LaneAnswers, SpeedTableScores};
use scorer::{LaneGrouping, Scorer};
use terms::AsOf;

use crate::stages::features::FeatureSet;
use crate::stages::holdout::{Holdout, forecast};
use crate::stages::lanes::Lanes;
use crate::stages::speed_table::LaneTable;

/// So often the table is made anew for the orders of a hold-out: a night's is renewed each night.
const RENEWED_DAYS: i64 = 7;

/// The tables as of each week from `start` on, by a model that was trained then, judged on a hold-out that
/// begins there and whose orders ascend; `scored` is what that model says of each order. `None` if nothing
/// was ordered before, or no outcome is known.
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
    let ordered_at = &holdout.shipments.ordered_at;
    let (mut answers, mut groupings, mut n_lanes) = (Vec::new(), Vec::new(), 0);
    let mut as_of = start;
    while answers.len() < holdout.rows.len() {
        let next = as_of.plus_days(RENEWED_DAYS);
        let to = ordered_at.partition_point(|&at| at < next.instant());
        let rows = &holdout.rows[answers.len()..to];
        let of_model = (as_of, scorer.model_id());
        let table = LaneTable::of(feature_set, (&lanes, shipments_min), model, of_model)?;
        let Some(lookup) = table.to_lookup()? else { return Ok(None) };
        n_lanes = n_lanes.max(table.n_rows());
        for &row in rows {
            let answer = lookup.lookup(&lanes.of_row(row));
            answers.push(answer.distribution());
            groupings.push(answer.grouping().index());
        }
        as_of = next;
    }
    let forecast = forecast("lane speed table", scorer.days(), &answers);
    Ok(SpeedTableScores::of(
        &holdout.shipments,
        &LaneAnswers {
            lanes: n_lanes,
            table: &forecast,
            scored,
            groupings: &LaneGrouping::ALL.map(LaneGrouping::name),
            grouping_of: &groupings,
        },
    )?)
}
