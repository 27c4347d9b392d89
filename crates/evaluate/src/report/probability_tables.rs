//! The tables of the predicted probabilities: Brier scores, and their skill against the lane's history.

use maud::{Markup, html};
use terms::{DAYS_AHEAD, DayGrid};

use super::format::{number, percent};
use super::tables::table;
use crate::probability::DAYS_SCORED;
use crate::{DayScore, Entry};

/// The points of the grid that are shown of those that are scored; of a grid of every day, the days.
const POINTS_SHOWN: [usize; 9] = [1, 2, 3, 5, 7, 10, 14, 21, 30];

/// Delivery within two days is the gate's, so skill is compared from this day on.
const FIRST_DAY: u32 = 3;

/// The grid of the forecasts' probabilities, which is the same for all that have any.
fn days(entries: &[&Entry]) -> DayGrid {
    let of_entry = |entry: &&Entry| Some(entry.metrics.by_day.as_ref()?.days_ahead);
    entries.iter().find_map(of_entry).unwrap_or_default()
}

/// The days that are shown, from `first` on.
fn days_shown(days: DayGrid, first: u32) -> impl Iterator<Item = u32> {
    POINTS_SHOWN.into_iter().map(move |point| days.day(point - 1)).filter(move |day| *day >= first)
}

/// Brier scores of the probabilities; nothing if no forecast has probabilities.
pub(crate) fn brier_scores(entries: &[Entry]) -> Markup {
    let scored: Vec<&Entry> = entries
        .iter()
        .filter(|entry| entry.metrics.by_day.is_some() || entry.metrics.brier_over_2d.is_some())
        .collect();
    let mut columns = vec!["Over 2 days".to_owned()];
    let days = days(&scored);
    columns.extend(days_shown(days, 0).map(|day| format!("Day {day}")));
    columns.push(match days.step_days() {
        1 => format!("Mean of days 1 to {DAYS_AHEAD}"),
        step => format!("Mean of days {step}, {} … {}", 2 * step, days.last_day()),
    });
    let caption = "Brier scores of probabilities: mean squared error, 0 is best. “Day d” is delivery \
                   within d times 24 hours of the order.";
    let cells = |entry: &Entry| {
        html! {
            td.number { (text(entry.metrics.brier_over_2d)) }
            @for day in days_shown(days, 0) { td.number { (text(at(entry, day).map(|at| at.brier))) } }
            td.number { (text(entry.metrics.by_day.as_ref().map(|scores| scores.mean_brier))) }
        }
    };
    html! { @if !scored.is_empty() { (table(caption, &columns, scored, cells)) } }
}

/// Brier skill against the lane baseline; nothing if there is no such baseline.
pub(crate) fn skills(entries: &[Entry]) -> Markup {
    let least = |entry: &Entry| entry.metrics.by_day.as_ref()?.least_skill(FIRST_DAY);
    let compared: Vec<&Entry> = entries.iter().filter(|entry| least(entry).is_some()).collect();
    let skill = |entry: &Entry, day: u32| {
        at(entry, day).and_then(|at| at.skill).map_or("–".to_owned(), percent)
    };
    let days = days(&compared);
    let shown = || days_shown(days, FIRST_DAY);
    let mut columns: Vec<String> = shown().map(|day| format!("Day {day}")).collect();
    let first = FIRST_DAY.next_multiple_of(days.step_days());
    columns.push(format!("Least of days {first} to {}", days.day(DAYS_SCORED - 1)));
    let caption = "Brier skill: the share of the lane baseline’s score that a forecast saves, above 0% \
                   is better than the lane’s history";
    let cells = |entry: &Entry| {
        html! {
            @for day in shown() { td.number { (skill(entry, day)) } }
            td.number {
                @if let Some((day, skill)) = least(entry) { (percent(skill)) " (day " (day) ")" }
            }
        }
    };
    html! { @if !compared.is_empty() { (table(caption, &columns, compared, cells)) } }
}

/// The score of one day, if it is among those that are scored.
fn at(entry: &Entry, day: u32) -> Option<&DayScore> {
    entry.metrics.by_day.as_ref()?.at.iter().find(|score| score.day == day)
}

fn text(score: Option<f64>) -> String {
    score.map_or("–".into(), |score| number(score, 4))
}
