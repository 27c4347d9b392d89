//! The plots by order week: pinball loss, and coverage of the 80% interval.

use maud::{Markup, html};

use super::chart::{Axis, Chart};
use super::format::number;
use super::series::{Series, WHOLE, all, figure, on_scale, percent_tick, tick};
use crate::tally::DAY_HOURS;
use crate::{Evaluation, Role, Week, WeekScore};

/// A week with a smaller share of known outcomes is shaded: its known deliveries are the fast ones.
pub(crate) const MATURED_SHARE: f64 = 0.9;

/// With more weeks than this, dots would overlap.
const DOTTED_WEEKS: usize = 30;

/// About how many dates are written below a plot over time.
const DATES: usize = 7;

/// Error and coverage of each order week.
pub(crate) fn weeks(evaluation: &Evaluation) -> Markup {
    html! { (losses(&evaluation.weeks, all(evaluation))) (coverages(&evaluation.weeks, all(evaluation))) }
}

fn losses(weeks: &[Week], shown: Vec<Series<'_>>) -> Markup {
    let loss = |score: &WeekScore| score.mean_pinball_hours / DAY_HOURS;
    let highest_of = |series: &Series<'_>| {
        points(weeks, series, loss).into_iter().map(|(_, loss)| loss).fold(0.0, f64::max)
    };
    let (shown, highest, left_out) = on_scale(shown, highest_of);
    let chart = over_time(
        weeks,
        "weeks-pinball",
        "Mean pinball loss by order week",
        "Mean pinball loss in days of the shipments ordered in each week, for each forecast.",
        Axis::over(0.0, highest, "mean pinball loss, days", |value| tick(value, highest)),
    );
    let marks = html! {
        (not_matured(&chart, weeks))
        @for series in shown.iter().rev() { (line(&chart, weeks, series, loss)) }
    };
    figure(
        "Mean pinball loss by order week",
        &format!(
            "Weeks of UTC orders, from Monday. Shaded: fewer than 90% of the outcomes are known \
             yet, and the known ones are the fast ones.{left_out}",
        ),
        &chart.draw(&marks),
        &shown,
    )
}

fn coverages(weeks: &[Week], shown: Vec<Series<'_>>) -> Markup {
    let coverage = |score: &WeekScore| score.coverage_80;
    let models: Vec<Series<'_>> =
        shown.into_iter().filter(|series| series.entry.role == Role::Model).collect();
    let least = models
        .iter()
        .flat_map(|series| points(weeks, series, coverage))
        .map(|(_, share)| share)
        .fold(0.5, f64::min);
    let chart = over_time(
        weeks,
        "weeks-coverage",
        "Coverage of the 80% interval by order week",
        "Share of outcomes inside the model's 80% interval by order week; the dashed line is 80%.",
        Axis::over(least, 1.0, "share inside the 80% interval", percent_tick),
    );
    let marks = html! {
        (not_matured(&chart, weeks))
        (chart.line(&[(chart.x.low, 0.8), (chart.x.high, 0.8)], "reference"))
        @for series in &models { (line(&chart, weeks, series, coverage)) }
    };
    figure(
        "Coverage of the 80% interval by order week",
        "Only the model. The dashed line is 80%.",
        &chart.draw(&marks),
        &[],
    )
}

/// One value of each week that has any.
fn points(
    weeks: &[Week],
    series: &Series<'_>,
    value: impl Fn(&WeekScore) -> f64,
) -> Vec<(f64, f64)> {
    weeks
        .iter()
        .enumerate()
        .filter_map(|(x, week)| Some((x as f64, value(week.scores.get(series.position)?))))
        .collect()
}

fn line(
    chart: &Chart,
    weeks: &[Week],
    series: &Series<'_>,
    value: impl Fn(&WeekScore) -> f64,
) -> Markup {
    let points = points(weeks, series, value);
    html! {
        (chart.line(&points, &series.style))
        @if weeks.len() <= DOTTED_WEEKS {
            @for point in points {
                (chart.dot(point, &series.style, &format!(
                    "{}, week of {}: {}",
                    series.entry.forecast, weeks[point.0 as usize].monday, number(point.1, 2),
                )))
            }
        }
    }
}

/// Shades the weeks of which too few outcomes are known.
fn not_matured(chart: &Chart, weeks: &[Week]) -> Markup {
    let matured = |week: &Week| week.judged as f64 >= MATURED_SHARE * week.rows as f64;
    html! {
        @for (x, _) in weeks.iter().enumerate().filter(|(_, week)| !matured(week)) {
            (chart.band(x as f64 - 0.5, x as f64 + 0.5))
        }
    }
}

fn over_time(
    weeks: &[Week],
    id: &'static str,
    title: &'static str,
    description: &str,
    y: Axis,
) -> Chart {
    let every = weeks.len().div_ceil(DATES).max(1);
    let ticks = weeks.iter().enumerate().step_by(every);
    let x = Axis {
        low: -0.5,
        high: weeks.len().max(1) as f64 - 0.5,
        ticks: ticks.map(|(x, week)| (x as f64, week.monday.clone())).collect(),
        title: "order week".into(),
    };
    let (width, height) = WHOLE;
    Chart { id, title, description: description.into(), width, height, x, y }
}
