//! The tables of what is in flight: the time that is left, and the promise.

use maud::{Markup, html};
use terms::count;

use super::format::{number, percent};
use crate::in_flight::{InFlightLoss, InFlightScores, MissingPromise};

/// The losses by age and milestone, and the probabilities of missing the promise.
pub(crate) fn in_flight(scores: &InFlightScores) -> Markup {
    html! {
        p {
            "Of " (count(scores.snapshots)) " snapshots of open shipments during the hold-out, each as it was "
            "known at a midnight: the time that is left, by a model that was trained on snapshots as of the "
            "start, and by the model of orders given that the shipment is open. Ratios below 1 are for the "
            "first, which "
            strong { @if scores.is_used { "scores open shipments" } @else { "is not used" } } "."
        }
        div.scroll tabindex="0" { table {
            caption { "Error of the time that is left, as the shipment moves" }
            thead { tr {
                th scope="col" { "By" } th scope="col" { "Segment" }
                th.number scope="col" { "Snapshots" } th.number scope="col" { "MAE, days" }
                th.number scope="col" { "Given the age" } th.number scope="col" { "Pinball, days" }
                th.number scope="col" { "Given the age" } th.number scope="col" { "Ratio" }
                th.number scope="col" { "80% covers" }
            } }
            tbody {
                tr { th scope="row" { "all" } td { "" } (losses(&scores.overall)) }
                @for segment in &scores.segments {
                    tr { th scope="row" { (segment.by) } td { (segment.name) } (losses(&segment.loss)) }
                }
            }
        } }
        @if let Some(promise) = &scores.missing_promise { (missing_promise(promise)) }
    }
}

fn losses(loss: &InFlightLoss) -> Markup {
    html! {
        td.number { (count(loss.in_flight.rows)) }
        td.number { (number(loss.in_flight.mae_days, 2)) }
        td.number { (number(loss.given_age.mae_days, 2)) }
        td.number { (number(loss.in_flight.mean_pinball_days, 3)) }
        td.number { (number(loss.given_age.mean_pinball_days, 3)) }
        td.number { (number(loss.ratio(), 3)) }
        td.number { (percent(loss.in_flight.coverage_80)) }
    }
}

fn missing_promise(promise: &MissingPromise) -> Markup {
    html! {
        p {
            (percent(promise.missed_share)) " of " (count(promise.rows)) " promises that lay ahead were missed. "
            "The Brier score of the probability is " (number(promise.brier, 4)) ", "
            strong { (percent(promise.brier_skill)) } " less than that of the share of each band of ages."
        }
        div.scroll tabindex="0" { table {
            caption { "The probability of missing the promise, by tenths of the snapshots" }
            thead { tr {
                th scope="col" { "" } th.number scope="col" { "Mean probability" }
                th.number scope="col" { "Missed" }
            } }
            tbody { @for (tenth, [probability, missed]) in promise.tenths.iter().enumerate() { tr {
                th scope="row" { (tenth + 1) }
                td.number { (percent(*probability)) } td.number { (percent(*missed)) }
            } } }
        } }
    }
}
