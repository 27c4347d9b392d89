//! The plots by order week: pinball loss, coverage of the 80% interval, outcomes below the median.

use maud::{Markup, html};

use super::chart::{Axis, Chart};
use super::format::number;
use super::series::{
    DOTTED_DATES, Series, WHOLE, all, dates_axis, figure, on_scale, percent_tick, tick,
};
use crate::tally::DAY_HOURS;
use crate::{Evaluation, Role, Week, WeekScore};

/// A week with a larger share of open shipments is shaded: its known deliveries are the fast ones.
pub(crate) const OPEN_SHARE_MAX: f64 = 0.1;

/// Error, coverage and location of each order week.
pub(crate) fn weeks(evaluation: &Evaluation) -> Markup {
    html! {
        (losses(&evaluation.weeks, all(evaluation)))
        (shares(evaluation, &COVERAGE))
        (shares(evaluation, &BELOW_MEDIAN))
    }
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
            "Weeks of UTC orders, from Monday. Shaded: more than 10% are open yet, and those that \
             are known are the fast ones.{left_out}",
        ),
        &chart.draw(&marks),
        &shown,
    )
}

/// A share of the model by order week, and what it should be.
struct ShareByWeek {
    id: &'static str,
    title: &'static str,
    description: &'static str,
    axis: &'static str,
    note: &'static str,
    /// From which share the axis goes at most, and to which at least.
    ends: (f64, f64),
    nominal: f64,
    share: fn(&WeekScore) -> f64,
}

const COVERAGE: ShareByWeek = ShareByWeek {
    id: "weeks-coverage",
    title: "Coverage of the 80% interval by order week",
    description: "Share of outcomes inside the model's 80% interval by order week; the dashed line is 80%.",
    axis: "share inside the 80% interval",
    note: "Only the model. The dashed line is 80%.",
    ends: (0.5, 1.0),
    nominal: 0.8,
    share: |score| score.coverage_80,
};

const BELOW_MEDIAN: ShareByWeek = ShareByWeek {
    id: "weeks-median",
    title: "Outcomes below the median by order week",
    description: "Share of outcomes at or below the model's median by order week; the dashed line is 50%.",
    axis: "share below the median",
    note: "Only the model. Above the dashed line, 50%, it is too late, below it too early.",
    ends: (0.3, 0.7),
    nominal: 0.5,
    share: |score| score.share_below_median,
};

fn shares(evaluation: &Evaluation, shown: &ShareByWeek) -> Markup {
    let weeks = &evaluation.weeks;
    let models: Vec<Series<'_>> =
        all(evaluation).into_iter().filter(|series| series.entry.role == Role::Model).collect();
    let shares = models.iter().flat_map(|series| points(weeks, series, shown.share));
    let (least, most) = shares.fold(shown.ends, |(least, most), (_, share)| {
        (f64::min(least, share), f64::max(most, share))
    });
    let axis = Axis::over(least, most, shown.axis, percent_tick);
    let chart = over_time(weeks, shown.id, shown.title, shown.description, axis);
    let marks = html! {
        (not_matured(&chart, weeks))
        (chart.line(&[(chart.x.low, shown.nominal), (chart.x.high, shown.nominal)], "reference"))
        @for series in &models { (line(&chart, weeks, series, shown.share)) }
    };
    figure(shown.title, shown.note, &chart.draw(&marks), &[])
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
        @if weeks.len() <= DOTTED_DATES {
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
    let is_open =
        |week: &Week| week.open as f64 > OPEN_SHARE_MAX * (week.judged + week.open) as f64;
    html! {
        @for (x, _) in weeks.iter().enumerate().filter(|(_, week)| is_open(week)) {
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
    let mondays: Vec<&str> = weeks.iter().map(|week| week.monday.as_str()).collect();
    let x = dates_axis(&mondays, "order week");
    let (width, height) = WHOLE;
    Chart { id, title, description: description.into(), width, height, x, y }
}
