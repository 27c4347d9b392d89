//! What the plots share: which forecast is drawn in which style, captions, axes of dates, and texts of
//! ticks.

use maud::{Markup, html};

use super::chart::{Axis, legend};
use super::format::number;
use crate::{Entry, Evaluation, Role};

/// A plot as wide as the page.
pub(crate) const WHOLE: (f64, f64) = (1020.0, 270.0);

/// How many styles of lines there are; more lines repeat them.
const STYLES: usize = 6;

/// A point forecast whose values are more than this many times those of all others is not drawn: on
/// its scale the others could not be told apart.
const OFF_SCALE: f64 = 2.0;

/// With more dates than this, dots would overlap.
pub(crate) const DOTTED_DATES: usize = 30;

/// About how many dates are written below a plot over time.
const DATES: usize = 7;

/// One forecast as it is drawn.
pub(crate) struct Series<'a> {
    /// Its position among those that are drawn, which is that of its scores in a week.
    pub(crate) position: usize,
    /// The class of its lines and dots.
    pub(crate) style: String,
    pub(crate) entry: &'a Entry,
}

/// Model, champion and baselines. Other candidates are in the tables only: more than five lines are
/// hard to read.
pub(crate) fn all(evaluation: &Evaluation) -> Vec<Series<'_>> {
    let drawn = evaluation.overall.iter().filter(|entry| entry.role != Role::Candidate);
    let series = |(position, entry)| {
        let style = format!("s{}", position % STYLES);
        Series { position, style, entry }
    };
    drawn.enumerate().map(series).collect()
}

/// Those that are no point forecasts.
pub(crate) fn with_quantiles(evaluation: &Evaluation) -> Vec<Series<'_>> {
    all(evaluation).into_iter().filter(|series| !series.entry.is_point()).collect()
}

/// Those that fit on one scale, its highest value, and a sentence on those left out.
pub(crate) fn on_scale<'a>(
    series: Vec<Series<'a>>,
    highest_of: impl Fn(&Series<'_>) -> f64,
) -> (Vec<Series<'a>>, f64, String) {
    let highest =
        |series: &mut dyn Iterator<Item = &Series<'a>>| series.map(&highest_of).fold(0.0, f64::max);
    let bound = OFF_SCALE * highest(&mut series.iter().filter(|one| !one.entry.is_point()));
    let (off, on): (Vec<_>, Vec<_>) = series
        .into_iter()
        .partition(|one| bound > 0.0 && one.entry.is_point() && highest_of(one) > bound);
    let names: Vec<String> = off
        .iter()
        .map(|one| format!("{} (up to {} days)", one.entry.forecast, number(highest_of(one), 1)))
        .collect();
    let left_out = if off.is_empty() {
        String::new()
    } else {
        format!(" Off the scale: {}.", names.join(", "))
    };
    let highest = highest(&mut on.iter());
    (on, highest, left_out)
}

/// A plot with its caption and legend.
pub(crate) fn figure(caption: &str, note: &str, chart: &Markup, shown: &[Series<'_>]) -> Markup {
    let names: Vec<(String, String)> =
        shown.iter().map(|series| (series.style.clone(), series.entry.label())).collect();
    captioned(caption, note, chart, &names)
}

/// A plot with its caption, and a legend of styles and names if there is any.
pub(crate) fn captioned(
    caption: &str,
    note: &str,
    chart: &Markup,
    names: &[(String, String)],
) -> Markup {
    html! {
        figure {
            figcaption { strong { (caption) } " " span.note { (note) } }
            (chart)
            @if !names.is_empty() { (legend(names)) }
        }
    }
}

/// An axis with a position from 0 on for each date, some of which are written.
pub(crate) fn dates_axis(dates: &[&str], title: &str) -> Axis {
    let every = dates.len().div_ceil(DATES).max(1);
    let ticks = dates.iter().enumerate().step_by(every);
    Axis {
        low: -0.5,
        high: dates.len().max(1) as f64 - 0.5,
        ticks: ticks.map(|(x, date)| (x as f64, (*date).to_owned())).collect(),
        title: title.to_owned(),
    }
}

/// A share as the text of a tick.
pub(crate) fn percent_tick(share: f64) -> String {
    format!("{}%", number(100.0 * share, 0))
}

/// A number as the text of a tick on a scale up to `highest`.
pub(crate) fn tick(value: f64, highest: f64) -> String {
    if highest < 1.0 { number(value, 2) } else { number(value, 1) }
}
