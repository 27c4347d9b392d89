//! Metrics by segment (region, carrier, month …), and in which segments the model does relatively
//! worse than overall.
//!
//! The damage of a segment is the model's pinball loss, in hours summed over its rows, minus what it
//! would be if the ratio of the model's loss to the baseline's were the same as over all rows. So a
//! region whose delivery times are hard to predict is not damage by itself, and the damages of all
//! segments of one family add up to about 0.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bootstrap::{Estimate, range_of};
use crate::matured_rows::MaturedRows;
use crate::tally::Tally;
use crate::{Forecast, SegmentFamily, Settings};

/// The segments of one family.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SegmentScores {
    /// What the rows are divided by.
    pub family: String,
    /// Segments by falling damage, the pooled ones among them.
    pub segments: Vec<SegmentScore>,
}

/// The model's metrics on one segment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SegmentScore {
    /// The segment, or [`FEW_ROWS`].
    pub segment: String,
    /// How many segments with too few rows are pooled here; 1 if it is one segment.
    pub pools: usize,
    /// Rows whose outcome is known.
    pub rows: usize,
    /// Mean absolute error of the median.
    pub mae_hours: f64,
    /// Mean of predicted median minus actual.
    pub bias_hours: f64,
    /// Mean pinball loss of the model.
    pub mean_pinball_hours: f64,
    /// Mean pinball loss of the best baseline.
    pub baseline_pinball_hours: f64,
    /// Mean pinball loss of the model minus the baseline's: below zero the model is better.
    pub difference_hours: Estimate,
    /// Share of outcomes inside the 80% interval.
    pub coverage_80: f64,
    /// Mean width of the 80% interval.
    pub width_80_hours: f64,
    /// The model's loss minus what it would be at the overall ratio to the baseline's loss, summed over
    /// the rows and those for which they stand.
    pub damage_hours: f64,
}

/// The name of the pooled segments.
pub const FEW_ROWS: &str = "few rows";

pub(crate) fn score_family(
    matured: &MaturedRows<'_>,
    family: &SegmentFamily,
    model: &Forecast,
    baseline: &Forecast,
    settings: &Settings,
) -> SegmentScores {
    let mut by_value: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for &row in &matured.rows {
        by_value.entry(family.values[row].as_str()).or_default().push(row);
    }
    let (large, few): (Vec<_>, Vec<_>) =
        by_value.into_iter().partition(|(_, rows)| rows.len() >= settings.few_rows);
    let mut parts: Vec<(&str, usize, Vec<usize>)> =
        large.into_iter().map(|(value, rows)| (value, 1, rows)).collect();
    if !few.is_empty() {
        let pools = few.len();
        let mut rows: Vec<usize> = few.into_iter().flat_map(|(_, rows)| rows).collect();
        rows.sort_unstable();
        parts.push((FEW_ROWS, pools, rows));
    }
    let ratio = overall_ratio(matured, model, baseline);
    let mut segments: Vec<SegmentScore> = parts
        .into_iter()
        .map(|(value, pools, rows)| SegmentScore {
            segment: value.into(),
            pools,
            ..score(matured, &rows, model, baseline, ratio)
        })
        .collect();
    segments.sort_by(|one, other| other.damage_hours.total_cmp(&one.damage_hours));
    SegmentScores { family: family.name.clone(), segments }
}

/// The ratio of the model's mean pinball loss to the baseline's, over all rows.
fn overall_ratio(matured: &MaturedRows<'_>, model: &Forecast, baseline: &Forecast) -> f64 {
    let pinball = |forecast: &Forecast| matured.tally(forecast, &matured.rows).mean_pinball();
    let baseline = pinball(baseline);
    if baseline > 0.0 { pinball(model) / baseline } else { 1.0 }
}

fn score(
    matured: &MaturedRows<'_>,
    rows: &[usize],
    model: &Forecast,
    baseline: &Forecast,
    ratio: f64,
) -> SegmentScore {
    let total = matured.tally(model, rows);
    let pinball_of = |forecast: &Forecast, row: usize| {
        Tally::of(&forecast.hours[row], matured.actual(row)).mean_pinball()
    };
    let gaps: Vec<f64> =
        rows.iter().map(|&row| pinball_of(model, row) - pinball_of(baseline, row)).collect();
    let baseline_pinball = matured.tally(baseline, rows).mean_pinball();
    SegmentScore {
        segment: String::new(),
        pools: 1,
        rows: rows.len(),
        mae_hours: total.mae(),
        bias_hours: total.signed / total.rows,
        mean_pinball_hours: total.mean_pinball(),
        baseline_pinball_hours: baseline_pinball,
        difference_hours: Estimate {
            value: total.mean_pinball() - baseline_pinball,
            range: range_of(matured.resampled_means(rows, &gaps)),
        },
        coverage_80: total.coverage_80(),
        width_80_hours: total.width_80 / total.rows,
        damage_hours: total.rows * (total.mean_pinball() - ratio * baseline_pinball),
    }
}

#[cfg(test)]
mod tests {
    use terms::{Instant, Outcome};

    use super::*;
    use crate::Shipments;

    /// Two regions of 30 rows and two of one row; the model is exact everywhere but in "far".
    fn scores() -> SegmentScores {
        let mut values = [["near"; 30], ["far"; 30]].concat();
        values.extend(["rare", "rarer"]);
        let rows = values.len();
        let shipments = Shipments {
            ordered_at: vec![Instant::from_micros(0); rows],
            outcomes: vec![Outcome::Delivered(100.0); rows],
            promised_hours: vec![None; rows],
            grain: terms::Grain::Instant,
            segments: Vec::new(),
        };
        let hours = |value: &&str| if *value == "far" { [110.0; 9] } else { [100.0; 9] };
        let model = Forecast { hours: values.iter().map(hours).collect(), ..Forecast::default() };
        let baseline = Forecast { hours: vec![[120.0; 9]; rows], ..Forecast::default() };
        let values = values.into_iter().map(str::to_owned).collect();
        let family = SegmentFamily { name: "region".into(), values };
        let settings = Settings::default();
        let matured = MaturedRows::new(&shipments, &settings).unwrap();
        score_family(&matured, &family, &model, &baseline, &settings)
    }

    #[test]
    fn the_worst_segment_comes_first_and_small_ones_are_pooled() {
        let scores = scores();
        let names: Vec<_> =
            scores.segments.iter().map(|score| (score.segment.as_str(), score.rows)).collect();
        assert_eq!(names, [("far", 30), (FEW_ROWS, 2), ("near", 30)]);
        assert_eq!(scores.segments[1].pools, 2);
    }

    #[test]
    fn damages_of_a_family_add_up_to_zero() {
        let scores = scores();
        let sum: f64 = scores.segments.iter().map(|score| score.damage_hours).sum();
        assert!(sum.abs() < 1e-9, "{sum}");
        // All of the loss is in "far": 5 hours a row, and 10 of the baseline.
        let far = &scores.segments[0];
        assert!((far.mean_pinball_hours - 5.0).abs() < 1e-9);
        assert!((far.difference_hours.value + 5.0).abs() < 1e-9);
        assert!((far.damage_hours - 150.0 * (1.0 - 30.0 / 62.0)).abs() < 1e-9);
    }
}
