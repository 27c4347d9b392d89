//! The table of promises.

use maud::{Markup, html};

use super::format::{count, days, number, percent, signed_days};
use super::{is_point, name};
use crate::{Entry, Role};

/// On-time shares at equal mean promise; nothing if the shop promised nothing.
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
                th scope="row" { (name(entry)) }
                td.number {
                    @if is_point(entry) { "–" } @else { (number(promise.level, 3)) }
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
