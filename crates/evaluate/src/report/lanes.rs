//! The table of what the lane speed table answers and loses.

use maud::{Markup, html};
use terms::count;

use super::format::{number, percent};
use crate::speed_table::{LaneLoss, SpeedTableScores};

/// Which groupings answer, and the loss of each against scoring each shipment.
pub(crate) fn speed_table(scores: &SpeedTableScores) -> Markup {
    html! {
        p {
            "Of " (count(scores.requests)) " shipments, asked for when they were ordered, a lane of the "
            "table of " (count(scores.lanes)) " rows answers " strong { (percent(scores.answered_share)) }
            "; the others get the distribution of all shipments. On what is known, the table loses "
            strong { (number(scores.overall.ratio(), 3)) } " of what scoring each shipment loses."
        }
        div.scroll tabindex="0" { table {
            caption { "The lane speed table against scoring each shipment, by the grouping that answers" }
            thead { tr {
                th scope="col" { "Grouping" } th.number scope="col" { "Shipments" }
                th.number scope="col" { "Share" } th.number scope="col" { "Table’s pinball, days" }
                th.number scope="col" { "Scored, days" } th.number scope="col" { "Ratio" }
                th.number scope="col" { "80% of the table covers" }
            } }
            tbody {
                @for grouping in &scores.groupings { tr {
                    th scope="row" { (grouping.grouping) }
                    td.number { (count(grouping.requests)) }
                    td.number { (percent(grouping.share)) }
                    (losses(grouping.loss.as_ref()))
                } }
                tr {
                    th scope="row" { "every grouping" }
                    td.number { (count(scores.requests)) }
                    td.number { (percent(1.0)) }
                    (losses(Some(&scores.overall)))
                }
            }
        } }
    }
}

fn losses(loss: Option<&LaneLoss>) -> Markup {
    html! {
        @match loss {
            Some(loss) => {
                td.number { (number(loss.table.mean_pinball_days, 3)) }
                td.number { (number(loss.scored.mean_pinball_days, 3)) }
                td.number { (number(loss.ratio(), 3)) }
                td.number { (percent(loss.table.coverage_80)) }
            }
            None => { td.number { "–" } td.number { "–" } td.number { "–" } td.number { "–" } }
        }
    }
}
