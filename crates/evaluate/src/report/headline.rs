//! The headline numbers of the model: error, loss, coverage, and the promise.

use maud::{Markup, html};

use super::format::{days, percent, range_percent};
use crate::{Evaluation, Role};

/// The headline numbers of the model.
pub(crate) fn headline(evaluation: &Evaluation) -> Markup {
    let Some(model) = evaluation.model_entry() else { return html! {} };
    let metrics = &model.metrics;
    let best = evaluation.best_baseline.as_ref();
    let baselines = || evaluation.overall.iter().filter(|entry| entry.role == Role::Baseline);
    let best = best.and_then(|name| baselines().find(|entry| &entry.forecast == name));
    let against = |own: f64, other: f64, name: &str| {
        if other <= 0.0 {
            return format!("{name} loses nothing");
        }
        let change = percent((own / other - 1.0).abs());
        let direction = if own < other { "below" } else { "above" };
        format!("{change} {direction} {name}")
    };
    let spread = metrics.spread.as_ref();
    html! {
        dl.headline {
            div {
                dt { "Mean absolute error of the median" }
                dd { (days(metrics.mae_hours)) small { " days" } }
                @if let Some(best) = best {
                    dd.note { (against(metrics.mae_hours, best.metrics.mae_hours, &best.forecast)) }
                }
            }
            div {
                dt { "Mean pinball loss" }
                dd { (days(metrics.mean_pinball_hours)) small { " days" } }
                @if let Some(best) = best {
                    @let other = best.metrics.mean_pinball_hours;
                    dd.note { (against(metrics.mean_pinball_hours, other, &best.forecast)) }
                }
            }
            div {
                dt { "Coverage of the 80% interval" }
                dd { (percent(metrics.interval_80.coverage)) }
                @if let Some(spread) = spread {
                    dd.note { (range_percent(&spread.coverage_80)) }
                }
            }
            @if let Some(promise) = &metrics.promise {
                div {
                    dt { "On time at the shop’s mean promise" }
                    dd { (percent(promise.forecast_on_time_share)) }
                    dd.note { "the shop kept " (percent(promise.on_time_share)) }
                }
            }
        }
    }
}
