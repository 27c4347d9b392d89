//! The report: one HTML file that opens offline, can be printed, and needs no script.
//!
//! What is here: the sections and their order. The numbers on top are in `headline`, tables in
//! `tables`, `probability_tables`, `segment_table`, `in_flight`, `lanes` and `promise_table`, plots in
//! `figures`, `over_time`, `drift`, `in_flight` and `followed`, what plots share in `series`, their SVG
//! in `chart`, the styles in `style.css`. Every text from outside is escaped.

mod chart;
mod drift;
mod figures;
mod followed;
pub(crate) mod format;
mod headline;
mod in_flight;
mod lanes;
mod over_time;
mod probability_tables;
mod promise_table;
mod segment_table;
mod series;
mod tables;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde::{Deserialize, Serialize};
use terms::count;

pub use self::drift::{Drift, HazardRatios};
pub use self::followed::{Followed, FollowedShipment, ForecastAtAge};
use self::format::{number, percent};
use crate::Evaluation;
use crate::censoring_weights::WEIGHT_MAX;

/// What the report shows beside the evaluation.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ReportExtras {
    /// The title: pipeline and as-of, say.
    pub title: String,
    /// Properties of the run by name, in the order shown: data range, rows, quarantined rows, seed …
    pub header: Vec<(String, String)>,
    /// The model whose rules and importance are shown, as in "the model trained as of 2025-09-05".
    pub shown_model: String,
    /// The readable rules of the gate, as text.
    pub gate_rules: String,
    /// Gain of each feature, in any order.
    pub importance: Vec<(String, f64)>,
    /// The level of the network and the recalibration over time.
    pub drift: Option<Drift>,
    /// Forecasts of some shipments from order to delivery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub followed: Option<Followed>,
}

/// The report as HTML.
pub fn report(evaluation: &Evaluation, extras: &ReportExtras) -> String {
    let title = if extras.title.is_empty() { "Evaluation" } else { extras.title.as_str() };
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(include_str!("style.css"))) }
            }
            body { main {
                (opening(evaluation, title))
                (sections(evaluation, extras))
            } }
        }
    };
    page.into_string()
}

fn opening(evaluation: &Evaluation, title: &str) -> Markup {
    let counts = &evaluation.counts;
    html! {
        header {
            h1 { (title) }
            p.lead {
                "The model is " code { (evaluation.model) }
                @if evaluation.overall.is_empty() {
                    ". It cannot be judged yet: the gate says what is missing."
                } @else {
                    ", judged on " (count(counts.judged)) " shipments ordered from "
                    (counts.first_day) " to " (counts.last_day) "."
                }
                @if evaluation.grain.is_a_day() {
                    " Deliveries are recorded by date: an outcome counts as inside an interval, or below "
                    "a level, by the share of its day that the forecast has there."
                }
            }
            @if let Some(verdict) = &evaluation.verdict {
                @let passed = verdict.gates.iter().filter(|gate| gate.passed).count();
                p.verdict.yes[verdict.passed].no[!verdict.passed] {
                    strong { @if verdict.passed { "Passed" } @else { "Refused" } }
                    ": " (passed) " of " (verdict.gates.len()) " gates."
                }
            }
            (headline::headline(evaluation))
        }
    }
}

fn sections(evaluation: &Evaluation, extras: &ReportExtras) -> Markup {
    html! {
        @if let Some(verdict) = &evaluation.verdict {
            (section("Verdict", &tables::gates(verdict)))
        }
        (section("The run", &html! {
            @if !extras.header.is_empty() { (tables::header(&extras.header)) }
            (rows(evaluation))
        }))
        @if !evaluation.overall.is_empty() { (of_forecasts(evaluation, extras)) }
        @if !extras.importance.is_empty() {
            (section("Features", &html! {
                (whose(extras)) (tables::importance(&extras.importance))
            }))
        }
        @if !extras.gate_rules.is_empty() {
            (section("Rules of the two-day gate", &html! {
                p { "The shallow tree that a person can audit, beside the boosted one that scores." }
                (whose(extras))
                pre tabindex="0" { (extras.gate_rules) }
            }))
        }
    }
}

/// Whose rules or importance these are.
fn whose(extras: &ReportExtras) -> Markup {
    html! { @if !extras.shown_model.is_empty() { p.note { "Of " (extras.shown_model) "." } } }
}

/// The sections on forecasts that were judged.
fn of_forecasts(evaluation: &Evaluation, extras: &ReportExtras) -> Markup {
    html! {
        (section("Against baselines and families", &html! {
            (tables::points("Error of the median, all judged rows", &evaluation.overall))
            (tables::distributions(
                "Loss of the whole distribution, all judged rows", &evaluation.overall,
            ))
            (nightly(evaluation))
            (probability_tables::brier_scores(&evaluation.overall))
            (probability_tables::skills(&evaluation.overall))
            @for entry in &evaluation.overall {
                @if entry.metrics.crossing_share > 0.0 {
                    p.warning {
                        "The quantiles of " (entry.label()) " cross in "
                        (percent(entry.metrics.crossing_share)) " of the rows."
                    }
                }
            }
            p.note {
                "Small figures hold 95% of " (evaluation.settings.rounds) " bootstrap resamples of "
                (evaluation.settings.block_days) " UTC order days in a row. Bias is predicted minus actual. Pinball is the mean over nine "
                "levels. CRPS is exact for the distribution that is linear between the quantiles."
            }
        }))
        (section("Deliveries that took more than two days", &over_two_days(evaluation)))
        (section("Calibration and sharpness", &html! {
            div.pair {
                (figures::calibration(evaluation)) (figures::width_and_coverage(evaluation))
            }
            (figures::pinball_by_level(evaluation))
        }))
        (section("Over time", &over_time::weeks(evaluation)))
        @if let Some(plots) = extras.drift.as_ref().and_then(drift::plots) {
            (section("Level and recalibration", &plots))
        }
        @if !evaluation.segments.is_empty() {
            (section("Segments", &segment_table::segments(evaluation)))
        }
        @if let Some(scores) = &evaluation.in_flight {
            @let at_order = evaluation.model_entry().map(|entry| entry.metrics.mae_days);
            (section(
                "What is in flight",
                &in_flight::in_flight(scores, at_order, extras.followed.as_ref()),
            ))
        }
        @if let Some(scores) = &evaluation.speed_table {
            (section("The lane speed table", &lanes::speed_table(scores)))
        }
        (section("The promise", &promise_table::promises(&evaluation.overall)))
    }
}

fn rows(evaluation: &Evaluation) -> Markup {
    let counts = &evaluation.counts;
    let to_come = (counts.judged + counts.open) as f64;
    let missing = (1.0 - counts.weight_sum / to_come).max(0.0);
    html! {
        p {
            (count(counts.rows)) " shipments were predicted: the outcome of " (count(counts.judged))
            " is known, " (count(counts.open)) " are open (" (percent(counts.open_share)) "), "
            (count(counts.excluded)) " were cancelled, lost or are in quarantine and count nowhere. "
            (count(counts.over_two_days)) " took more than two days. Those with an outcome were "
            "ordered on " (count(counts.order_days)) " days."
        }
        @for found in &evaluation.cut_off {
            p.warning {
                strong { "A limit of the network cuts off shipments." } " " (found.says()) "."
            }
        }
        @if counts.open > 0 {
            p {
                "The open ones are the slow ones. A slow delivery that is known stands for those beside "
                "it that are open: its weight is one over the probability that it could be known by "
                "now. The weights sum to " (number(counts.weight_sum, 0)) "; nothing stands for the "
                (percent(missing)) " that are slower than what is known."
                @if counts.weights_bounded > 0 {
                    " " (count(counts.weights_bounded)) " weights were larger than "
                    (number(WEIGHT_MAX, 0)) " and were bounded there."
                }
            }
        }
        @if counts.open_share > over_time::OPEN_SHARE_MAX {
            p.warning {
                strong { "Many outcomes are not known yet." }
                " Weights replace them only as far as slow and fast weeks are alike."
            }
        }
    }
}

/// What challengers and champions predicted night by night; nothing before it has matured.
fn nightly(evaluation: &Evaluation) -> Markup {
    html! { @if let Some(found) = &evaluation.nightly {
        p {
            "What models that were trained as this one is really predicted in " (count(found.nights))
            " nights, each for the orders that followed: a mean pinball loss of "
            (number(found.challengers_pinball_days, 3)) " days on " (count(found.rows))
            " shipments; the champions of those nights " (number(found.champions_pinball_days, 3))
            ". " (percent(found.open_share)) " of the shipments are open."
        }
    } }
}

fn over_two_days(evaluation: &Evaluation) -> Markup {
    html! {
        @if evaluation.over_two_days.is_empty() {
            p { "None of the judged shipments took more than two days." }
        } @else {
            p {
                "The " (count(evaluation.counts.over_two_days)) " rows are chosen by their true outcome, "
                "which makes every forecast look too early: compare forecasts here, and read bias and "
                "coverage above."
            }
            (tables::points("Error of the median, more than two days", &evaluation.over_two_days))
            (tables::distributions(
                "Loss of the whole distribution, more than two days", &evaluation.over_two_days,
            ))
        }
    }
}

fn section(title: &str, content: &Markup) -> Markup {
    html! { section { h2 { (title) } (content) } }
}

#[cfg(test)]
pub(crate) mod tests {
    use terms::{Day, Instant, N_LEVELS, Outcome};

    use super::*;
    use crate::{Comparison, Forecast, GateSettings, SegmentFamily, Settings, Shipments, evaluate};

    pub(crate) const HOSTILE: &str = "<script>alert('&')</script>";

    fn forecast(name: &str, shift: f32, rows: usize) -> Forecast {
        let hours: [f32; N_LEVELS] = std::array::from_fn(|k| 60.0 + shift + 10.0 * k as f32);
        Forecast { name: name.into(), hours: vec![hours; rows], ..Forecast::default() }
    }

    /// An evaluation of `rows` rows, 40 a day, each in a segment of `segments`.
    pub(crate) fn evaluation(rows: usize, segments: usize, name: &str) -> Evaluation {
        let shipments = Shipments {
            ordered_at: (0..rows).map(|row| Day::since_epoch((row / 40) as i32).start()).collect(),
            outcomes: (0..rows)
                .map(|row| Outcome::Delivered(40.0 + (row * 37 % 120) as f32))
                .collect(),
            promised_hours: vec![Some(150.0); rows],
            grain: terms::Grain::Instant,
            segments: vec![SegmentFamily {
                name: name.into(),
                values: (0..rows).map(|row| format!("{name} {}", row % segments)).collect(),
            }],
        };
        let candidates = [forecast(name, 0.0, rows)];
        let baselines = [forecast("one", 20.0, rows), forecast("two", -20.0, rows)];
        let comparison = Comparison {
            shipments: &shipments,
            candidates: &candidates,
            chosen: None,
            champion: Some(&candidates[0]),
            baselines: &baselines,
        };
        evaluate(&comparison, &Settings::default(), Some(&GateSettings::default())).unwrap()
    }

    const DRIFT: [&str; 3] =
        ["Level and recalibration", "Level of the network", "Recalibration by period"];

    fn drift(date: &str) -> Drift {
        let ratios = HazardRatios { stretch: 0.4, ratios: vec![1.2, 0.9] };
        Drift {
            dates: "origin".to_owned(),
            level: vec![(date.to_owned(), Some(90.0))],
            recalibrations: vec![(date.to_owned(), ratios); 2],
        }
    }

    #[test]
    fn the_report_has_every_gate_and_every_section() {
        let evaluation = evaluation(800, 3, "boost");
        let extras = ReportExtras {
            title: "A night".to_owned(),
            header: vec![("Seed".to_owned(), "7".to_owned())],
            shown_model: "the model trained as of 2026-01-05".to_owned(),
            gate_rules: "distance_km <= 80".to_owned(),
            importance: vec![("distance_km".to_owned(), 3.0), ("weight_g".to_owned(), 1.0)],
            drift: Some(drift("2026-01-05")),
            followed: None,
        };
        let page = report(&evaluation, &extras);
        for gate in &evaluation.verdict.unwrap().gates {
            assert!(page.contains(&format!("<code>{}</code>", gate.name)), "{}", gate.name);
            assert!(page.contains(&gate.needed.to_string()), "{}", gate.needed);
        }
        let whose = "Of the model trained as of 2026-01-05.";
        for text in
            ["A night", "Seed", "75.0%", "distance_km &lt;= 80", whose, "Segments", "The promise"]
        {
            assert!(page.contains(text), "{text}");
        }
        for text in DRIFT {
            assert!(page.contains(text), "{text}");
        }
    }

    #[test]
    fn hostile_text_is_escaped_everywhere() {
        let evaluation = evaluation(200, 2, HOSTILE);
        let hostile = || HOSTILE.to_owned();
        let extras = ReportExtras {
            title: hostile(),
            header: vec![(hostile(), hostile())],
            shown_model: hostile(),
            gate_rules: hostile(),
            importance: vec![(hostile(), 1.0)],
            drift: Some(drift(HOSTILE)),
            followed: None,
        };
        let page = report(&evaluation, &extras);
        assert!(!page.contains("<script"));
        assert!(page.contains("&lt;script&gt;alert('&amp;')&lt;/script&gt;"));
    }

    #[test]
    fn a_setting_that_cuts_off_shipments_is_in_the_report_and_in_the_metrics() {
        let mut evaluation = evaluation(70, 1, "lane");
        assert!(!report(&evaluation, &ReportExtras::default()).contains("cuts off"));
        assert!(!evaluation.to_json().unwrap().contains("cut_off"));
        let what = "deliveries took longer";
        evaluation.cut_off.extend(crate::CutOff::found("network.days_ahead", 60, what, (9, 90)));
        let page = report(&evaluation, &ReportExtras::default());
        let says = "9 of 90 (10.0%) deliveries took longer than network.days_ahead = 60";
        assert!(page.contains(says), "{page}");
        let text = evaluation.to_json().unwrap();
        let read: Evaluation = serde_json::from_str(&text).unwrap();
        assert_eq!(read.cut_off, evaluation.cut_off);
        assert!(text.contains("\"setting\": \"network.days_ahead\""), "{text}");
    }

    #[test]
    fn a_report_of_many_segments_is_small_and_loads_nothing_from_the_network() {
        let page = report(&evaluation(40 * 7 * 110, 500, "lane"), &ReportExtras::default());
        assert!(page.len() < 300_000, "{} bytes", page.len());
        assert!(!page.contains("http") && !page.contains("url(") && !page.contains("<script"));
        assert!(page.contains("Shown are the worst 40 of 500"));
        assert!(DRIFT.iter().all(|text| !page.contains(text)), "a level that nobody gave");
    }

    #[test]
    fn one_row_without_bootstrap_rounds_gives_a_whole_report() {
        let shipments = Shipments {
            ordered_at: vec![Instant::from_micros(0)],
            outcomes: vec![Outcome::Delivered(30.0)],
            promised_hours: vec![None],
            grain: terms::Grain::Instant,
            segments: Vec::new(),
        };
        let comparison = Comparison {
            shipments: &shipments,
            candidates: &[Forecast { hours: vec![[30.0; N_LEVELS]], ..Forecast::default() }],
            chosen: None,
            champion: None,
            baselines: &[],
        };
        let settings = Settings { rounds: 0, ..Settings::default() };
        let evaluation = evaluate(&comparison, &settings, None).unwrap();
        let page = report(&evaluation, &ReportExtras::default());
        assert!(page.ends_with("</html>"));
        assert!(!page.contains("NaN") && !page.contains("inf"), "{page}");
        assert!(page.contains("None of the judged shipments took more than two days."));
        assert!(page.contains("No shipment has a promise."));
    }
}
