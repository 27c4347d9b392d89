//! The tables of the predicted probabilities: Brier scores, and their skill against the lane's history.

use maud::{Markup, html};

use super::format::{number, percent};
use super::tables::table;
use crate::probability::DAYS_SCORED;
use crate::{DayScore, Entry};

/// The days that are shown of those that are scored.
const DAYS_SHOWN: [usize; 9] = [1, 2, 3, 5, 7, 10, 14, 21, 30];

/// Delivery within two days is the gate's, so skill is compared from this day on.
const FIRST_DAY: usize = 3;

/// Brier scores of the probabilities; nothing if no forecast has probabilities.
pub(crate) fn brier_scores(entries: &[Entry]) -> Markup {
    let scored: Vec<&Entry> = entries
        .iter()
        .filter(|entry| entry.metrics.by_day.is_some() || entry.metrics.brier_over_2d.is_some())
        .collect();
    let mut columns = vec!["Over 2 days".to_owned()];
    columns.extend(DAYS_SHOWN.map(|day| format!("Day {day}")));
    columns.push(format!("Mean of days 1 to {}", terms::DAYS_AHEAD));
    let caption = "Brier scores of probabilities: mean squared error, 0 is best. “Day d” is delivery \
                   within d times 24 hours of the order.";
    let cells = |entry: &Entry| {
        html! {
            td.number { (text(entry.metrics.brier_over_2d)) }
            @for day in DAYS_SHOWN { td.number { (text(at(entry, day).map(|at| at.brier))) } }
            td.number { (text(entry.metrics.by_day.as_ref().map(|scores| scores.mean_brier))) }
        }
    };
    html! { @if !scored.is_empty() { (table(caption, &columns, scored, cells)) } }
}

/// Brier skill against the lane baseline; nothing if there is no such baseline.
pub(crate) fn skills(entries: &[Entry]) -> Markup {
    let least = |entry: &Entry| entry.metrics.by_day.as_ref()?.least_skill(FIRST_DAY);
    let compared: Vec<&Entry> = entries.iter().filter(|entry| least(entry).is_some()).collect();
    let skill = |entry: &Entry, day: usize| {
        at(entry, day).and_then(|at| at.skill).map_or("–".to_owned(), percent)
    };
    let days = || DAYS_SHOWN.into_iter().filter(|day| *day >= FIRST_DAY);
    let mut columns: Vec<String> = days().map(|day| format!("Day {day}")).collect();
    columns.push(format!("Least of days {FIRST_DAY} to {DAYS_SCORED}"));
    let caption = "Brier skill: the share of the lane baseline’s score that a forecast saves, above 0% \
                   is better than the lane’s history";
    let cells = |entry: &Entry| {
        html! {
            @for day in days() { td.number { (skill(entry, day)) } }
            td.number {
                @if let Some((day, skill)) = least(entry) { (percent(skill)) " (day " (day) ")" }
            }
        }
    };
    html! { @if !compared.is_empty() { (table(caption, &columns, compared, cells)) } }
}

/// The score of one day, if it is among those that are scored.
fn at(entry: &Entry, day: usize) -> Option<&DayScore> {
    entry.metrics.by_day.as_ref()?.at.iter().find(|score| score.day == day)
}

fn text(score: Option<f64>) -> String {
    score.map_or("–".into(), |score| number(score, 4))
}
