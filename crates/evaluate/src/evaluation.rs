//! What an evaluation found: what `metrics.json` holds and what the report is drawn from.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bootstrap::Estimate;
use crate::segment::SegmentScores;
use crate::{Error, Metrics, Settings, Verdict};

/// Grows when a field of [`Evaluation`] changes its meaning or goes away.
pub const SCHEMA_VERSION: u32 = 1;

/// Everything that was found. Units are in the names; shares are of 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// [`SCHEMA_VERSION`] when it was written.
    pub schema_version: u32,
    /// The chosen candidate.
    pub model: String,
    /// The baseline with the smallest mean pinball, to which segments compare.
    pub best_baseline: Option<String>,
    /// How it was judged.
    pub settings: Settings,
    /// How many rows.
    pub counts: Counts,
    /// The verdict, if gates were set.
    pub verdict: Option<Verdict>,
    /// All judged rows: the model, the other candidates, the champion, the baselines.
    pub overall: Vec<Entry>,
    /// The same on the rows that really took more than two days. They are chosen by their outcome,
    /// which makes every forecast look too early: compare here, and look at bias above.
    pub over_two_days: Vec<Entry>,
    /// The model by segment.
    pub segments: Vec<SegmentScores>,
    /// By order week.
    pub weeks: Vec<Week>,
}

/// How many rows there were.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// All rows.
    pub rows: usize,
    /// Rows whose outcome is known.
    pub judged: usize,
    /// Rows whose outcome is not known yet.
    pub not_known_yet: usize,
    /// Judged rows that took more than two days.
    pub over_two_days: usize,
    /// First UTC order day of the judged rows.
    pub first_day: String,
    /// Last UTC order day of the judged rows.
    pub last_day: String,
    /// UTC order days of the judged rows: the blocks of the bootstrap.
    pub order_days: usize,
}

/// What a forecast is in the contest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The chosen candidate.
    Model,
    /// Another candidate.
    Candidate,
    /// The model that is published now.
    Champion,
    /// A forecast that needs no model.
    Baseline,
}

/// One forecast in the contest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Who predicts.
    pub forecast: String,
    /// As what.
    pub role: Role,
    /// How well.
    pub metrics: Metrics,
    /// The model minus this one; `None` for the model itself.
    pub difference: Option<Difference>,
}

/// The model's loss minus another's on the same rows and resamples: below zero the model is better.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Of the mean absolute error of the median.
    pub mae_hours: Estimate,
    /// Of the mean pinball loss.
    pub mean_pinball_hours: Estimate,
    /// Of the coverage of the 80% interval.
    pub coverage_80: Estimate,
}

/// The shipments ordered in one week.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Week {
    /// Its Monday.
    pub monday: String,
    /// All rows.
    pub rows: usize,
    /// Rows whose outcome is known. Where many are not, the known ones are the fast ones.
    pub judged: usize,
    /// The model, the champion and the baselines; empty if no outcome is known.
    pub scores: Vec<WeekScore>,
}

/// How one forecast does in one week.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WeekScore {
    /// Who predicts.
    pub forecast: String,
    /// Mean absolute error of the median.
    pub mae_hours: f64,
    /// Mean pinball loss.
    pub mean_pinball_hours: f64,
    /// Share of outcomes inside the 80% interval.
    pub coverage_80: f64,
}

impl Evaluation {
    /// The text of `metrics.json`: fields in a fixed order, numbers with six significant digits.
    ///
    /// # Errors
    /// If the encoder fails, which it has no reason to.
    pub fn to_json(&self) -> Result<String, Error> {
        let mut value = serde_json::to_value(self).map_err(|source| Error::Json { source })?;
        round(&mut value);
        let mut text =
            serde_json::to_string_pretty(&value).map_err(|source| Error::Json { source })?;
        text.push('\n');
        Ok(text)
    }

    /// The entry of the chosen candidate.
    pub fn model_entry(&self) -> Option<&Entry> {
        self.overall.iter().find(|entry| entry.role == Role::Model)
    }
}

/// Rounds every number that is not whole to six significant digits.
fn round(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_f64() => {
            let rounded = number.as_f64().and_then(|exact| format!("{exact:.5e}").parse().ok());
            if let Some(rounded) = rounded.and_then(serde_json::Number::from_f64) {
                *number = rounded;
            }
        }
        Value::Array(values) => values.iter_mut().for_each(round),
        Value::Object(fields) => fields.values_mut().for_each(round),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_to_six_digits() {
        let mut value = serde_json::json!([2.0 / 3.0, 123_456_789, 1234567.8, [-0.000_123_456_78]]);
        round(&mut value);
        assert_eq!(value.to_string(), "[0.666667,123456789,1234570.0,[-0.000123457]]");
    }
}
