//! The table that compares the shop's promises with promises made from each forecast.

use maud::{Markup, html};

use terms::count;

use super::format::{days, number, percent, signed_days};
use crate::{Entry, Role};

/// On-time shares at equal mean promise; a sentence instead if no shipment has a promise.
pub(crate) fn promises(entries: &[Entry]) -> Markup {
    let Some(shop) = entries.iter().find_map(|entry| entry.metrics.promise) else {
        return html! { p { "No shipment has a promise." } };
    };
    html! {
        p {
            "The shop promised " (days(shop.mean_promised_hours)) " days on average and kept "
            strong { (percent(shop.on_time_share)) } " of " (count(shop.rows)) " promises. Below, each "
            "forecast promises its quantile at the one level where its promises are as long on average."
        }
        div.scroll tabindex="0" { table {
            caption { "On-time share at equal mean promise" }
            thead { tr {
                th scope="col" { "Forecast" } th.number scope="col" { "Level promised" }
                th.number scope="col" { "Added for all, days" } th.number scope="col" { "On time" }
                th.number scope="col" { "Minus the shop’s, points" }
            } }
            tbody { @for entry in entries { @if let Some(promise) = &entry.metrics.promise {
                tr.model[entry.role == Role::Model] {
                th scope="row" { (entry.label()) }
                td.number {
                    @if entry.is_point() { "–" } @else { (number(promise.level, 3)) }
                }
                td.number { (signed_days(promise.shift_hours)) }
                td.number { (percent(promise.forecast_on_time_share)) }
                td.number {
                    (number(100.0 * (promise.forecast_on_time_share - promise.on_time_share), 1))
                }
            } } } }
        } }
    }
}
