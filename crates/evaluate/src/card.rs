//! The model card: what a model is for, on what it was trained, how good it is and where, and where it
//! must not be used. Markdown with YAML front matter, as model hubs read it.
//!
//! Source: Mitchell et al., Model Cards for Model Reporting, FAccT 2019.

use std::fmt::Write as _;

use terms::{LEVELS, count};

use crate::report::format::{days, number, percent, range_days, signed_days};
use crate::verdict::plain;
use crate::{Entry, Evaluation, Role, SegmentScore, SegmentScores};

/// Segments of a family that are shown.
const SEGMENTS_SHOWN: usize = 12;
/// A segment whose 80% interval covers less than this share of outcomes is named.
const COVERAGE_MIN: f64 = 0.7;
/// Of a family with many segments so many are named where the model must not be used.
const NAMED: usize = 8;

/// What the card says beside the evaluation.
#[derive(Debug, Clone, Default)]
pub struct CardExtras {
    /// The pipeline.
    pub pipeline: String,
    /// As of when the model was trained.
    pub as_of: String,
    /// The family of its regressors.
    pub family: String,
    /// The days for which P(delivered by day) is given, as text.
    pub days: String,
    /// On what it was trained, by name, in the order shown.
    pub training: Vec<(String, String)>,
    /// The files beside the card and what each is, in the order shown.
    pub files: Vec<(String, String)>,
}

/// The card as Markdown.
pub fn card(evaluation: &Evaluation, extras: &CardExtras) -> String {
    let CardExtras { pipeline, as_of, family, .. } = extras;
    // JSON is YAML, whatever a name holds.
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let mut card = format!(
        "---\nlibrary_name: longhaul\npipeline_tag: tabular-regression\ntags: [quantile-regression, \
         survival-analysis, delivery-time]\npipeline: {}\nas_of: {}\nfamily: {}\n---\n\n",
        quoted(pipeline),
        quoted(as_of),
        quoted(family),
    );
    let mut section = |title: &str, text: String| {
        let _ = write!(card, "{title}\n\n{}\n\n", text.trim_end());
    };
    section(
        &format!("# Delivery times of {}, as of {as_of}", escaped(pipeline)),
        verdict(evaluation),
    );
    section("## What it is for", purpose(extras));
    section("## Where it must not be used", limits(evaluation));
    let rows: Vec<Vec<String>> =
        extras.training.iter().map(|(name, value)| vec![name.clone(), value.clone()]).collect();
    section("## On what it was trained", table(&["", ""], &rows));
    section("## How good it is", quality(evaluation));
    for family in &evaluation.segments {
        section(&format!("### By {}", escaped(&family.family)), segments(family));
    }
    section("## Gates", gates(evaluation));
    let rows: Vec<Vec<String>> =
        (extras.files.iter()).map(|(name, what)| vec![format!("`{name}`"), what.clone()]).collect();
    section("## Files", table(&["file", "what it is"], &rows));
    card.truncate(card.trim_end().len());
    card.push('\n');
    card
}

fn verdict(evaluation: &Evaluation) -> String {
    match &evaluation.verdict {
        Some(verdict) if verdict.passed => "It passed its gates.".to_owned(),
        Some(verdict) => {
            let refused = verdict.gates.iter().filter(|gate| !gate.passed);
            let refused: Vec<String> = refused.map(|gate| format!("`{}`", gate.name)).collect();
            format!(
                "**The gates refused it ({}): it is kept, and scores nothing.**",
                refused.join(", ")
            )
        }
        None => "No gates were set.".to_owned(),
    }
}

fn purpose(extras: &CardExtras) -> String {
    let levels: Vec<String> = LEVELS.iter().map(ToString::to_string).collect();
    format!(
        "For a shipment of this network, from what is known when it is ordered: the quantiles of its \
         delivery time in hours at the levels {}, the probability that it takes more than two days, and \
         the probability that it is delivered by day, {}. For ranking offers by speed, dates on a shop's \
         pages, and the list of open shipments.",
        levels.join(", "),
        extras.days,
    )
}

fn limits(evaluation: &Evaluation) -> String {
    let mut items = vec![
        "On another network, or on features that were built in another way: the features and their \
         order are those of `features.json`."
            .to_owned(),
        "To say why a shipment is late, or to judge people: it has learned what comes together, and no \
         causes."
            .to_owned(),
        "For categories that are not in `categories.json` it knows the other features only.".to_owned(),
        "Long after its as-of: a night's model is for the orders of the days that follow.".to_owned(),
    ];
    if evaluation.verdict.as_ref().is_some_and(|verdict| !verdict.passed) {
        items.insert(0, "Anywhere: its gates refused it, see below.".to_owned());
    }
    items.extend(evaluation.cut_off.iter().map(|found| format!("{}.", found.says())));
    for family in &evaluation.segments {
        // A difference counts if the whole of its range is on one side.
        let worse = |segment: &&SegmentScore| {
            let range = segment.difference_hours.range;
            segment.pools == 1 && range.is_some_and(|range| range.low > 0.0)
        };
        let narrow =
            |segment: &&SegmentScore| segment.pools == 1 && segment.coverage_80 < COVERAGE_MIN;
        let name = escaped(&family.family);
        items.extend(named(family, worse, &format!("Where {name} is"), {
            "there the best baseline is better than the model"
        }));
        items.extend(named(family, narrow, &format!("Its intervals where {name} is"), {
            "the 80% interval covers less than 70% there"
        }));
    }
    items.iter().map(|item| format!("- {item}\n")).collect()
}

/// The segments of a family that something is to be said of.
fn named(
    family: &SegmentScores,
    is_wanted: impl Fn(&&SegmentScore) -> bool,
    before: &str,
    after: &str,
) -> Option<String> {
    let found: Vec<&SegmentScore> = family.segments.iter().filter(is_wanted).collect();
    let names: Vec<String> =
        found.iter().take(NAMED).map(|segment| escaped(&segment.segment)).collect();
    let more = found.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!found.is_empty()).then(|| format!("{before} {}{more}: {after}.", names.join(", ")))
}

fn quality(evaluation: &Evaluation) -> String {
    let counts = &evaluation.counts;
    let Some(model) = evaluation.model_entry() else {
        return "It cannot be judged yet: the gates say what is missing.".to_owned();
    };
    let mut text = format!(
        "Judged on {} shipments ordered from {} to {}, by models that were trained in the same way before \
         those days; {} of the shipments are open, and those that are known stand for them.\n\n",
        count(counts.judged),
        counts.first_day,
        counts.last_day,
        percent(counts.open_share),
    );
    let rows: Vec<Vec<String>> = evaluation.overall.iter().map(row_of).collect();
    text += &table(
        &[
            "forecast",
            "MAE, days",
            "mean pinball, days",
            "the model's minus this (95%)",
            "bias, days",
            "80% covers",
            "80% width, days",
        ],
        &rows,
    );
    let below: Vec<Vec<String>> = LEVELS
        .iter()
        .zip(model.metrics.share_below)
        .map(|(level, share)| vec![percent(*level), percent(share)])
        .collect();
    text += "\nCalibration: the share of outcomes at or below each quantile.\n\n";
    text += &table(&["quantile", "outcomes below"], &below);
    text
}

fn row_of(entry: &Entry) -> Vec<String> {
    let metrics = &entry.metrics;
    let difference = entry.difference.map_or_else(String::new, |difference| {
        let estimate = difference.mean_pinball_hours;
        let range = estimate.range.map(|range| format!(" ({})", range_days(&range)));
        format!("{}{}", signed_days(estimate.value), range.unwrap_or_default())
    });
    let interval = |text: String| if entry.is_point() { String::new() } else { text };
    vec![
        match entry.role {
            Role::Model => format!("**{}**", escaped(&entry.label())),
            _ => escaped(&entry.label()),
        },
        number(metrics.mae_days, 3),
        number(metrics.mean_pinball_days, 3),
        difference,
        signed_days(metrics.bias_hours),
        interval(percent(metrics.interval_80.coverage)),
        interval(days(metrics.interval_80.mean_width_hours)),
    ]
}

fn segments(family: &SegmentScores) -> String {
    let row = |segment: &SegmentScore| {
        vec![
            match segment.pools {
                1 => escaped(&segment.segment),
                pools => format!("{} ({pools} of them)", escaped(&segment.segment)),
            },
            count(segment.rows),
            days(segment.mae_hours),
            days(segment.mean_pinball_hours),
            days(segment.baseline_pinball_hours),
            percent(segment.coverage_80),
        ]
    };
    let rows: Vec<Vec<String>> = family.segments.iter().take(SEGMENTS_SHOWN).map(row).collect();
    let mut text = table(
        &["", "rows", "MAE, days", "mean pinball, days", "best baseline's", "80% covers"],
        &rows,
    );
    let left = family.segments.len().saturating_sub(SEGMENTS_SHOWN);
    if left > 0 {
        let _ = write!(text, "\n{left} more are in `metrics.json`; shown are the worst.\n");
    }
    text
}

fn gates(evaluation: &Evaluation) -> String {
    let Some(verdict) = &evaluation.verdict else { return "No gates were set.".to_owned() };
    let row = |gate: &crate::Gate| {
        let result = if gate.passed { "passed" } else { "**refused**" };
        vec![
            format!("`{}`", gate.name),
            result.to_owned(),
            escaped(&gate.says),
            plain(gate.found),
            gate.needed.to_string(),
        ]
    };
    let rows: Vec<Vec<String>> = verdict.gates.iter().map(row).collect();
    table(&["gate", "result", "what is compared", "found", "needed"], &rows)
}

/// A table. Cells are Markdown already.
fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: Vec<&str>| format!("| {} |\n", cells.join(" | "));
    let mut text = line(header.to_vec());
    text += &line(header.iter().map(|_| "---").collect());
    text.extend(rows.iter().map(|row| line(row.iter().map(String::as_str).collect())));
    text
}

/// Text from outside, so that it is no markup and stays in its cell.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\n' | '\r' | '\t' => escaped.push(' '),
            '<' => escaped.push_str("&lt;"),
            '&' => escaped.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' => {
                escaped.push('\\');
                escaped.push(letter);
            }
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::{HOSTILE, evaluation};
    use crate::{GateSettings, Settings, Shipments};

    fn extras() -> CardExtras {
        let text = |text: &str| text.to_owned();
        CardExtras {
            pipeline: text("shop"),
            as_of: text("2026-01-05"),
            family: text("boost"),
            days: text("each day from 1 to 60"),
            training: vec![(text("shipments"), text("4,000"))],
            files: vec![(text("model.onnx"), text("the model"))],
        }
    }

    /// Every table has as many cells in each row as in its header.
    fn assert_tables_are_whole(card: &str) {
        let cells = |line: &str| line.replace("\\|", "").matches('|').count();
        let mut width = None;
        let mut tables = 0;
        for line in card.lines() {
            if !line.starts_with('|') {
                width = None;
                continue;
            }
            tables += usize::from(width.is_none());
            assert_eq!(cells(line), *width.get_or_insert(cells(line)), "{line}");
        }
        assert!(tables >= 6, "{tables} tables");
    }

    #[test]
    fn the_card_says_how_good_the_model_is_and_where_it_must_not_be_used() {
        let mut evaluation = evaluation(800, 3, "zone");
        let card = card(&evaluation, &extras());
        assert!(card.starts_with("---\nlibrary_name: longhaul\n"), "{card}");
        let model = evaluation.model_entry().unwrap();
        let pinball = number(model.metrics.mean_pinball_days, 3);
        let rows = ["| shipments | 4,000 |", "## Where it must not be used", "### By zone"];
        for text in rows.into_iter().chain([pinball.as_str(), "| `model.onnx` | the model |"]) {
            assert!(card.contains(text), "{text} is not in {card}");
        }
        for gate in &evaluation.verdict.as_ref().unwrap().gates {
            assert!(card.contains(&format!("| `{}` |", gate.name)), "{}", gate.name);
        }
        assert_tables_are_whole(&card);

        // What is worse than a baseline beyond doubt, and what is covered too little, is named.
        let segments = &mut evaluation.segments[0].segments;
        for segment in segments.iter_mut() {
            segment.coverage_80 = 0.8;
            segment.difference_hours.range = Some(crate::Range { low: -1.0, high: 0.5 });
        }
        segments[0].difference_hours.range = Some(crate::Range { low: 0.1, high: 2.0 });
        segments[1].coverage_80 = 0.69;
        segments[2].coverage_80 = 0.7;
        let [worse, narrow, well] = [0, 1, 2].map(|at| segments[at].segment.clone());
        evaluation.verdict.as_mut().unwrap().passed = false;
        let card = super::card(&evaluation, &extras());
        let limits = card.split("## ").find(|part| part.starts_with("Where it must not")).unwrap();
        assert!(limits.contains(&format!("Where zone is {worse}: there the best baseline")));
        assert!(limits.contains(&format!("Its intervals where zone is {narrow}: the 80%")));
        assert!(!limits.contains(&well), "{limits}");
        assert!(limits.contains("- Anywhere: its gates refused it"), "{limits}");
    }

    #[test]
    fn hostile_text_is_escaped() {
        let evaluation = evaluation(200, 2, &format!("{HOSTILE} | `a` *b* [c](d)"));
        let card = card(&evaluation, &CardExtras { pipeline: HOSTILE.to_owned(), ..extras() });
        // The front matter is data, in quotes.
        let text = card.splitn(3, "---\n").nth(2).unwrap();
        assert!(!text.contains("<script>"), "{text}");
        assert!(!text.contains("[c](") && text.contains("\\[c\\](d)"), "{text}");
        assert_tables_are_whole(&card);
    }

    #[test]
    fn what_cannot_be_judged_yet_has_a_card_that_says_so() {
        let error = crate::Error::NothingMatured { rows: 3 };
        let settings = (&Settings::default(), &GateSettings::default());
        let shipments = Shipments {
            ordered_at: Vec::new(),
            outcomes: Vec::new(),
            promised_hours: Vec::new(),
            grain: terms::Grain::Instant,
            segments: Vec::new(),
        };
        let evaluation = Evaluation::unjudged(error, "boost", &shipments, settings).unwrap();
        let card = card(&evaluation, &extras());
        assert!(card.contains("It cannot be judged yet"), "{card}");
        assert!(card.contains("**The gates refused it (`rows_judged`)"), "{card}");
    }
}
