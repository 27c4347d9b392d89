//! The table of the model's metrics by segment, those with the largest damage first.

use maud::{Markup, html};
use terms::count;

use super::format::{days, number, percent, range_days, signed_days};
use super::tables::{bar, cell};
use crate::tally::DAY_HOURS;
use crate::{Evaluation, SegmentScore};

/// The worst segments that are shown; `metrics.json` has all.
const SEGMENTS_SHOWN: usize = 40;

/// All families' segments by falling damage.
pub(crate) fn segments(evaluation: &Evaluation) -> Markup {
    let mut all: Vec<(&str, &SegmentScore)> = evaluation
        .segments
        .iter()
        .flat_map(|scores| scores.segments.iter().map(|score| (scores.family.as_str(), score)))
        .collect();
    all.sort_by(|(_, one), (_, other)| other.damage_hours.total_cmp(&one.damage_hours));
    let worst = all.first().map_or(0.0, |(_, score)| score.damage_hours);
    let baseline = evaluation.best_baseline.as_deref().unwrap_or("baseline");
    html! {
        p {
            "Damage is the pinball loss, summed over the rows, beyond what the model would lose if it "
            "beat " code { (baseline) } " in this segment by as much as it does overall. Below zero it "
            "does better here than elsewhere. Segments with fewer than "
            (evaluation.settings.few_rows) " rows are pooled."
            @if all.len() > SEGMENTS_SHOWN {
                " Shown are the worst " (SEGMENTS_SHOWN) " of " (all.len()) "; metrics.json has all."
            }
        }
        div.scroll tabindex="0" { table {
            caption { "The model by segment, sorted by damage" }
            thead { tr {
                th scope="col" { "Cut by" } th scope="col" { "Segment" } th.number scope="col" { "Rows" }
                th.number scope="col" { "Damage, days" } th { span.hidden { "Damage as a bar" } }
                th.number scope="col" { "Pinball, days" }
                th.number scope="col" { "Minus baseline’s, days" } th.number scope="col" { "MAE, days" }
                th.number scope="col" { "Bias, days" } th.number scope="col" { "80% covers" }
                th.number scope="col" { "80% width, days" }
            } }
            tbody { @for (family, score) in all.into_iter().take(SEGMENTS_SHOWN) { tr {
                td.short { (family) }
                th scope="row" {
                    (score.segment) @if score.pools > 1 { span.note { " (" (score.pools) ")" } }
                }
                td.number { (count(score.rows)) }
                td.number { (number(score.damage_hours / DAY_HOURS, 1)) }
                td { (bar(if worst > 0.0 { score.damage_hours / worst } else { 0.0 })) }
                (cell(&days(score.mean_pinball_hours), None))
                (cell(
                    &signed_days(score.difference_hours.value),
                    score.difference_hours.range.as_ref().map(range_days),
                ))
                (cell(&days(score.mae_hours), None))
                (cell(&signed_days(score.bias_hours), None))
                (cell(&percent(score.coverage_80), None))
                (cell(&days(score.width_80_hours), None))
            } } }
        } }
    }
}
