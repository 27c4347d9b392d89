//! The plots of all matured rows: calibration, interval width against coverage, loss by level.

use maud::{Markup, html};
use terms::LEVELS;

use super::chart::{Axis, Chart};
use super::format::{number, percent, range_percent};
use super::series::{Series, WHOLE, all, figure, on_scale, percent_tick, tick, with_quantiles};
use crate::tally::DAY_HOURS;
use crate::{Entry, Evaluation, Role};

/// Two of these are shown side by side.
const HALF: (f64, f64) = (500.0, 360.0);

/// Nominal against observed share of outcomes below each quantile.
pub(crate) fn calibration(evaluation: &Evaluation) -> Markup {
    let shown = with_quantiles(evaluation);
    let chart = Chart {
        id: "calibration",
        title: "Calibration",
        description: "Share of outcomes at or below each predicted quantile against its level; \
            on the diagonal they are equal."
            .into(),
        width: HALF.0,
        height: HALF.1,
        x: Axis::over(0.0, 1.0, "level of the quantile", |value| number(value, 1)),
        y: Axis::over(0.0, 1.0, "share of outcomes at or below it", |value| number(value, 1)),
    };
    let points = |entry: &Entry| -> Vec<(f64, f64)> {
        LEVELS.into_iter().zip(entry.metrics.share_below).collect()
    };
    let marks = html! {
        (chart.line(&[(0.0, 0.0), (1.0, 1.0)], "reference"))
        @for Series { style, entry, .. } in shown.iter().rev() {
            (chart.line(&points(entry), style))
            @if entry.role == Role::Model {
                @if let Some(spread) = &entry.metrics.spread {
                    @for (level, range) in LEVELS.iter().zip(&spread.share_below) {
                        (chart.span(*level, (range.low, range.high), style))
                    }
                }
            }
            @for (level, point) in points(entry).into_iter().enumerate() {
                @let spread = entry.metrics.spread.as_ref();
                @let range = spread.map(|spread| range_percent(&spread.share_below[level]));
                (chart.dot(point, style, &format!(
                    "{}, level {}: {} below ({})",
                    entry.forecast, point.0, percent(point.1), range.unwrap_or_default(),
                )))
            }
        }
    };
    figure(
        "Calibration",
        "Above the diagonal the quantile is too late, below it too early. Bars hold 95% of the \
         resampled shares of the model. A point promise has no quantiles and is left out.",
        &chart.draw(&marks),
        &shown,
    )
}

/// Mean width of the intervals against their coverage.
pub(crate) fn width_and_coverage(evaluation: &Evaluation) -> Markup {
    let shown = with_quantiles(evaluation);
    let points = |entry: &Entry| {
        [entry.metrics.interval_80, entry.metrics.interval_90]
            .map(|interval| (interval.mean_width_hours / DAY_HOURS, interval.coverage))
    };
    let ends = || shown.iter().flat_map(|series| points(series.entry));
    let widest = ends().map(|(width, _)| width).fold(1.0, f64::max);
    let least = ends().map(|(_, coverage)| coverage).fold(0.8, f64::min);
    let chart = Chart {
        id: "width",
        title: "Interval width and coverage",
        description: "Mean width in days of the 80% and 90% intervals against the share of \
            outcomes inside, for each forecast."
            .into(),
        width: HALF.0,
        height: HALF.1,
        x: Axis::over(0.0, widest, "mean width of the interval, days", |value| number(value, 0)),
        y: Axis::over(least, 1.0, "share of outcomes inside", percent_tick),
    };
    let (left, right) = (chart.x.low, chart.x.high);
    let marks = html! {
        @for nominal in [0.8, 0.9] {
            (chart.line(&[(left, nominal), (right, nominal)], "reference"))
        }
        @for Series { style, entry, .. } in shown.iter().rev() {
            (chart.line(&points(entry), style))
            @for (name, point) in ["80%", "90%"].into_iter().zip(points(entry)) {
                (chart.dot(point, style, &format!(
                    "{}, {name} interval: {} days wide, covers {}",
                    entry.forecast, number(point.0, 2), percent(point.1),
                )))
            }
        }
    };
    figure(
        "Interval width and coverage",
        "Each line joins a forecast’s 80% interval (lower) to its 90% interval. Best is on its \
         dashed line and far to the left.",
        &chart.draw(&marks),
        &shown,
    )
}

/// Pinball loss of each level.
pub(crate) fn pinball_by_level(evaluation: &Evaluation) -> Markup {
    let points = |entry: &Entry| -> Vec<(f64, f64)> {
        LEVELS.into_iter().zip(entry.metrics.pinball_hours.map(|loss| loss / DAY_HOURS)).collect()
    };
    let highest_of = |series: &Series<'_>| {
        points(series.entry).into_iter().map(|(_, loss)| loss).fold(0.0, f64::max)
    };
    let (shown, highest, left_out) = on_scale(all(evaluation), highest_of);
    let chart = Chart {
        id: "pinball",
        title: "Pinball loss by level",
        description: "Mean pinball loss in days of each quantile level, for each forecast.".into(),
        width: WHOLE.0,
        height: WHOLE.1,
        x: Axis::over(0.0, 1.0, "level of the quantile", |value| number(value, 1)),
        y: Axis::over(0.0, highest, "mean pinball loss, days", |value| tick(value, highest)),
    };
    let marks = html! {
        @for Series { style, entry, .. } in shown.iter().rev() {
            (chart.line(&points(entry), style))
            @for point in points(entry) {
                (chart.dot(point, style, &format!(
                    "{}, level {}: {} days", entry.forecast, point.0, number(point.1, 3),
                )))
            }
        }
    };
    figure(
        "Pinball loss by level",
        &format!(
            "Lower is better. The loss of a level charges misses above and below it by their \
             odds.{left_out}",
        ),
        &chart.draw(&marks),
        &shown,
    )
}
