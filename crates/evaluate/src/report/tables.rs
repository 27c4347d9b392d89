//! The tables of the report: the run, the gates, metrics of all forecasts, importance of features.

use maud::{Markup, Render, html};

use super::format::{days, number, percent, range_days, range_percent, signed_days};
use crate::verdict::plain;
use crate::{Entry, Role, Verdict};

/// The most important features that are shown.
const FEATURES_SHOWN: usize = 30;

/// Properties of the run, in the order given.
pub(crate) fn header(rows: &[(String, String)]) -> Markup {
    html! {
        div.scroll tabindex="0" { table.header {
            caption { "What was run" }
            tbody { @for (key, value) in rows { tr { th scope="row" { (key) } td { (value) } } } }
        } }
    }
}

/// Every gate with what was found and needed.
pub(crate) fn gates(verdict: &Verdict) -> Markup {
    html! {
        div.scroll tabindex="0" { table {
            caption { "Gates. Every one must pass before the model may be published." }
            thead { tr {
                th scope="col" { "Gate" } th scope="col" { "Result" }
                th scope="col" { "What is compared" } th.number scope="col" { "Found" }
                th scope="col" { "Needed" }
            } }
            tbody { @for gate in &verdict.gates { tr {
                th.short scope="row" { code { (gate.name) } }
                td { (result(gate.passed)) }
                td { (gate.says) }
                td.number { (plain(gate.found)) }
                td.short { (gate.needed) }
            } } }
        } }
    }
}

/// Passed or refused, by word and by colour.
pub(crate) fn result(passed: bool) -> Markup {
    html! {
        @if passed { span.passed { "✓ passed" } } @else { span.refused { "✗ refused" } }
    }
}

/// Errors of the median. Units: days.
pub(crate) fn points(caption: &str, entries: &[Entry]) -> Markup {
    table(
        caption,
        &[
            "MAE, days",
            "Model minus this, days",
            "RMSE, days",
            "Bias, days",
            "Within 1 day",
            "Within 2 days",
        ],
        entries,
        |entry| {
            let metrics = &entry.metrics;
            let spread = metrics.spread.as_ref();
            html! {
                (cell(&days(metrics.mae_hours), spread.map(|spread| range_days(&spread.mae_hours))))
                (difference(entry, |difference| &difference.mae_hours))
                (cell(&days(metrics.rmse_hours), None))
                (cell(&signed_days(metrics.bias_hours), None))
                (cell(&percent(metrics.within_1_day), None))
                (cell(&percent(metrics.within_2_days), None))
            }
        },
    )
}

/// Losses of the whole distribution. Units: days.
pub(crate) fn distributions(caption: &str, entries: &[Entry]) -> Markup {
    table(
        caption,
        &[
            "Mean pinball, days",
            "Model minus this, days",
            "CRPS, days",
            "80% covers",
            "80% width, days",
            "90% covers",
            "90% width, days",
        ],
        entries,
        |entry| {
            let metrics = &entry.metrics;
            let spread = metrics.spread.as_ref();
            html! {
                (cell(
                    &days(metrics.mean_pinball_hours),
                    spread.map(|spread| range_days(&spread.mean_pinball_hours)),
                ))
                (difference(entry, |difference| &difference.mean_pinball_hours))
                (cell(&days(metrics.crps_hours), None))
                (cell(
                    &percent(metrics.interval_80.coverage),
                    spread.map(|spread| range_percent(&spread.coverage_80)),
                ))
                (cell(&days(metrics.interval_80.mean_width_hours), None))
                (cell(&percent(metrics.interval_90.coverage), None))
                (cell(&days(metrics.interval_90.mean_width_hours), None))
            }
        },
    )
}

/// The share of the gain of all splits of the model by feature.
pub(crate) fn importance(gains: &[(String, f64)]) -> Markup {
    let total: f64 = gains.iter().map(|(_, gain)| gain.max(0.0)).sum();
    let mut gains: Vec<&(String, f64)> = gains.iter().collect();
    gains.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    let most = gains.first().map_or(0.0, |(_, gain)| *gain);
    let share = |gain: f64, of: f64| if of > 0.0 { gain / of } else { 0.0 };
    html! {
        div.scroll tabindex="0" { table {
            caption {
                "Share of the gain of all splits"
                @if gains.len() > FEATURES_SHOWN {
                    "; the first " (FEATURES_SHOWN) " of " (gains.len()) " features"
                }
            }
            thead { tr {
                th scope="col" { "Feature" } th.number scope="col" { "Share" }
                th { span.hidden { "Share as a bar" } }
            } }
            tbody { @for (feature, gain) in gains.into_iter().take(FEATURES_SHOWN) { tr {
                th scope="row" { code { (feature) } }
                td.number { (percent(share(*gain, total))) }
                td.wide { (bar(share(*gain, most))) }
            } } }
        } }
    }
}

/// One row for each entry, with a column for its name and those of `columns`.
pub(crate) fn table<'a>(
    caption: &str,
    columns: &[impl Render],
    entries: impl IntoIterator<Item = &'a Entry>,
    cells: impl Fn(&Entry) -> Markup,
) -> Markup {
    html! {
        div.scroll tabindex="0" { table {
            caption { (caption) }
            thead { tr {
                th scope="col" { "Forecast" }
                @for column in columns { th.number scope="col" { (column) } }
            } }
            tbody { @for entry in entries {
                tr.model[entry.role == Role::Model] { th scope="row" { (entry.label()) } (cells(entry)) }
            } }
        } }
    }
}

fn difference(entry: &Entry, of: impl Fn(&crate::Difference) -> &crate::Estimate) -> Markup {
    match &entry.difference {
        Some(difference) => {
            let estimate = of(difference);
            cell(&signed_days(estimate.value), estimate.range.as_ref().map(range_days))
        }
        None => cell("–", None),
    }
}

/// A cell with a number, and its range in small figures.
pub(crate) fn cell(value: &str, range: Option<String>) -> Markup {
    html! {
        td.number { (value) @if let Some(range) = range { span.range { (range) } } }
    }
}

/// A bar that fills `part` of its cell.
pub(crate) fn bar(part: f64) -> Markup {
    let width = format!("width:{}%", number(100.0 * part.clamp(0.0, 1.0), 1));
    html! { span.bar aria-hidden="true" { span style=(width) {} } }
}
