//! What is in flight: the time that is left, and the promise.

use maud::{Markup, html};
use terms::count;

use super::chart::{Axis, Chart};
use super::followed::{self, Followed};
use super::format::{number, percent};
use super::series::{WHOLE, captioned, tick};
use crate::in_flight::{
    FIRST_NIGHT, InFlightLoss, InFlightScores, InFlightSegment, LATER_NIGHTS, MissingPromise,
};

/// The losses by age and milestone, the forecasts of some shipments night by night, and the probabilities
/// of missing the promise. `at_order` is the error of the medians of orders. Units: days.
pub(crate) fn in_flight(
    scores: &InFlightScores,
    at_order: Option<f64>,
    followed: Option<&Followed>,
) -> Markup {
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
        (errors_by_milestone(scores, at_order))
        @if let Some(shown) = followed { (followed::followed(shown)) }
        @if let Some(promise) = &scores.missing_promise { (missing_promise(promise)) }
    }
}

/// How the error falls from milestone to milestone, in the order of the segments.
fn errors_by_milestone(scores: &InFlightScores, at_order: Option<f64>) -> Markup {
    let is_shown =
        |segment: &&InFlightSegment| segment.by == FIRST_NIGHT && segment.name != LATER_NIGHTS;
    let milestones: Vec<&InFlightSegment> = scores.segments.iter().filter(is_shown).collect();
    if milestones.is_empty() {
        return html! {};
    }
    let first = usize::from(at_order.is_some());
    let names = at_order.map(|_| "(when ordered)").into_iter();
    let names: Vec<&str> =
        names.chain(milestones.iter().map(|segment| segment.name.as_str())).collect();
    let of = |error: fn(&InFlightLoss) -> f64| -> Vec<f64> {
        milestones.iter().map(|segment| error(&segment.loss)).collect()
    };
    let lines = [
        ("s0", "in flight", of(|loss| loss.in_flight.mae_days)),
        ("s1", "at order, given the age", of(|loss| loss.given_age.mae_days)),
    ];
    let all = lines.iter().flat_map(|(.., errors)| errors).copied().chain(at_order);
    let highest = all.fold(0.0, f64::max);
    let chart = Chart {
        id: "in-flight-milestones",
        title: ERRORS,
        description:
            "Mean absolute error in days of the median of the time that is left, by the latest \
            milestone on record, of both models."
                .into(),
        width: WHOLE.0,
        height: WHOLE.1,
        x: Axis {
            low: -0.5,
            high: names.len() as f64 - 0.5,
            ticks: names
                .iter()
                .enumerate()
                .map(|(x, name)| (x as f64, (*name).to_owned()))
                .collect(),
            title: "first night after".to_owned(),
        },
        y: Axis::over(0.0, highest, "MAE, days", |value| tick(value, highest)),
    };
    let says = |name: &str, x: usize, error: f64| {
        format!("{name}, {}: {} days", names[x], number(error, 2))
    };
    let marks = html! {
        @for (style, name, errors) in lines.iter().rev() {
            @let points: Vec<(f64, f64)> =
                errors.iter().enumerate().map(|(x, error)| ((first + x) as f64, *error)).collect();
            (chart.line(&points, style))
            @for (x, error) in errors.iter().enumerate() {
                (chart.dot(((first + x) as f64, *error), style, &says(name, first + x, *error)))
            }
        }
        @if let Some(error) = at_order { (chart.dot((0.0, error), "s2", &says("orders", 0, error))) }
    };
    let order = at_order.map(|_| ("s2".to_owned(), "orders, whole delivery time".to_owned()));
    let names: Vec<(String, String)> = lines
        .iter()
        .map(|(style, name, _)| ((*style).to_owned(), (*name).to_owned()))
        .chain(order)
        .collect();
    captioned(ERRORS, ERRORS_NOTE, &chart.draw(&marks), &names)
}

const ERRORS: &str = "How the error falls as the shipment moves";
const ERRORS_NOTE: &str = "Snapshots of the first night after a milestone: a shipment is in each of them once, \
    while among all snapshots the slow ones weigh more, as they are open on more nights.";

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
            "The Brier score of the probability is " (number(promise.brier, 4))
            @if let Some(skill) = promise.brier_skill {
                ", " strong { (percent(skill)) } " less than that of the share of each band of ages"
            }
            "."
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Loss;

    fn loss(mae_days: f64) -> Loss {
        Loss { rows: 10, mae_days, mean_pinball_days: mae_days / 3.0, coverage_80: 0.8 }
    }

    fn scores(segments: &[(&str, &str, f64)]) -> InFlightScores {
        let of = |mae| InFlightLoss { in_flight: loss(mae), given_age: loss(2.0 * mae) };
        let segments = segments.iter().map(|&(by, name, mae)| InFlightSegment {
            by: by.to_owned(),
            name: name.to_owned(),
            loss: of(mae),
        });
        InFlightScores {
            snapshots: 30,
            is_used: true,
            overall: of(1.5),
            segments: segments.collect(),
            missing_promise: None,
        }
    }

    #[test]
    fn the_error_is_drawn_from_the_order_on_and_by_milestone() {
        let milestones = [
            ("age", "up to 2 days", 9.0),
            (FIRST_NIGHT, "ordered", 2.0),
            (FIRST_NIGHT, "<handed over>", 1.0),
            (FIRST_NIGHT, LATER_NIGHTS, 7.0),
        ];
        let page = in_flight(&scores(&milestones), Some(2.5), None).into_string();
        assert_eq!(page.matches("<circle class=\"dot s0\" ").count(), 3, "two, and the legend's");
        for text in [
            "orders, (when ordered): 2.50 days",
            "in flight, ordered: 2.00 days",
            "in flight, &lt;handed over&gt;: 1.00 days",
            "at order, given the age, ordered: 4.00 days",
        ] {
            assert!(page.contains(text), "{text}: {page}");
        }
        for other in ["up to 2 days: ", "later nights: "] {
            assert!(!page.contains(other), "{other} is in the plot");
        }
    }

    #[test]
    fn without_milestones_nothing_is_drawn() {
        let page = in_flight(&scores(&[("age", "up to 2 days", 9.0)]), Some(2.5), None);
        assert!(!page.into_string().contains("<svg"));
    }
}
