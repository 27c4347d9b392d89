//! The result of an evaluation: the content of `metrics.json`, from which the report is drawn.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use terms::Grain;

use crate::bootstrap::Estimate;
use crate::cut_off::CutOff;
use crate::in_flight::InFlightScores;
use crate::nightly::NightlyComparison;
use crate::segment::SegmentScores;
use crate::speed_table::SpeedTableScores;
use crate::{Error, GateSettings, Metrics, Settings, Verdict};

/// Incremented when a field of [`Evaluation`] changes its meaning or is removed.
pub const SCHEMA_VERSION: u32 = 2;

/// The result of an evaluation. Units are in the names of the fields; shares are of 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Evaluation {
    /// [`SCHEMA_VERSION`] when it was written.
    pub schema_version: u32,
    /// Name of the chosen candidate.
    pub model: String,
    /// Name of the baseline with the smallest mean pinball loss, with which segments are compared.
    pub best_baseline: Option<String>,
    /// The settings of the evaluation.
    pub settings: Settings,
    /// Numbers of rows.
    pub counts: Counts,
    /// The verdict, if gates were set.
    pub verdict: Option<Verdict>,
    /// Metrics on all rows whose outcome is known: of the model, the other candidates, the champion, the
    /// baselines.
    pub overall: Vec<Entry>,
    /// The same on the rows that took more than two days. They are selected by their outcome, so every
    /// forecast looks too early on them: compare forecasts here, and read the bias from `overall`.
    pub over_two_days: Vec<Entry>,
    /// Metrics of the model by segment.
    pub segments: Vec<SegmentScores>,
    /// Metrics by order week.
    pub weeks: Vec<Week>,
    /// What was predicted night by night, if the caller added it and some of it has matured.
    pub nightly: Option<NightlyComparison>,
    /// What the lane speed table loses against scoring each shipment, if the caller added it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed_table: Option<SpeedTableScores>,
    /// How good forecasts of the time that is left of open shipments are, if the caller added it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<InFlightScores>,
    /// Settings of the network that cut off more than 1% of recent shipments, if the caller added any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cut_off: Vec<CutOff>,
    /// To what resolution deliveries are recorded; of days, coverage and levels count the share of a day.
    #[serde(default, skip_serializing_if = "is_instant")]
    #[schemars(schema_with = "grains")]
    pub grain: Grain,
    /// What was evaluated, by names of the caller's; empty unless it is set.
    pub about: BTreeMap<String, String>,
}

/// Whether nothing has to be said of the grain.
fn is_instant(grain: &Grain) -> bool {
    *grain == Grain::Instant
}

/// The grains, by their names.
fn grains(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "enum": [Grain::Instant, Grain::WholeDays, Grain::Date] })
}

/// Numbers of rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// All rows.
    pub rows: usize,
    /// Rows whose outcome is known.
    pub judged: usize,
    /// Rows that are open: their outcome is not known yet.
    pub open: usize,
    /// Rows of which no delivery time comes: cancelled, returned, lost, in quarantine.
    pub excluded: usize,
    /// The share of the open ones among all that are not excluded.
    pub open_share: f64,
    /// The sum of the weights of the rows whose outcome is known. What it lacks of the number of rows
    /// that are not excluded is slower than anything known, and nothing stands for it.
    pub weight_sum: f64,
    /// Rows whose weight was bounded.
    pub weights_bounded: usize,
    /// Rows that took more than two days.
    pub over_two_days: usize,
    /// First UTC order day of the rows whose outcome is known.
    pub first_day: String,
    /// Last UTC order day of the rows whose outcome is known.
    pub last_day: String,
    /// UTC order days of the rows whose outcome is known, of which the bootstrap draws blocks.
    pub order_days: usize,
}

/// The role of a forecast in the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

/// The metrics of one forecast.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    /// Name of the forecast.
    pub forecast: String,
    /// Its role.
    pub role: Role,
    /// Its metrics.
    pub metrics: Metrics,
    /// The model minus this one; `None` for the model itself.
    pub difference: Option<Difference>,
}

/// The model's loss minus another's on the same rows and resamples: below zero the model is better.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Difference {
    /// Of the mean absolute error of the median.
    pub mae_hours: Estimate,
    /// Of the mean pinball loss.
    pub mean_pinball_hours: Estimate,
    /// Of the coverage of the 80% interval.
    pub coverage_80: Estimate,
}

/// The shipments ordered in one week.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Week {
    /// Its Monday.
    pub monday: String,
    /// All rows.
    pub rows: usize,
    /// Rows whose outcome is known. Where many are open, the known ones are the fast ones.
    pub judged: usize,
    /// Rows that are open.
    pub open: usize,
    /// The model, the champion and the baselines; empty if no outcome is known.
    pub scores: Vec<WeekScore>,
}

/// The metrics of one forecast in one week.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WeekScore {
    /// Name of the forecast.
    pub forecast: String,
    /// Mean absolute error of the median.
    pub mae_hours: f64,
    /// Mean pinball loss.
    pub mean_pinball_hours: f64,
    /// Share of outcomes inside the 80% interval.
    pub coverage_80: f64,
    /// Share of outcomes at or below the median.
    pub share_below_median: f64,
}

impl Evaluation {
    /// The JSON Schema of `metrics.json`, draft 2020-12.
    pub fn json_schema() -> Value {
        let mut schema = schemars::schema_for!(Self).to_value();
        schema["title"] = "metrics.json of longhaul".into();
        schema["properties"]["schema_version"]["const"] = SCHEMA_VERSION.into();
        schema
    }

    /// The text of `metrics.json`: fields in a fixed order, numbers with six significant digits.
    ///
    /// # Errors
    /// If the encoder fails, which no value makes it do.
    pub fn to_json(&self) -> Result<String, Error> {
        let mut value = serde_json::to_value(self).map_err(|source| Error::Json { source })?;
        round(&mut value);
        let mut text =
            serde_json::to_string_pretty(&value).map_err(|source| Error::Json { source })?;
        text.push('\n');
        Ok(text)
    }

    /// Adds the comparison of what was predicted night by night and, if there is a verdict, its gate.
    pub fn add_nightly(&mut self, nightly: Option<NightlyComparison>, gates: &GateSettings) {
        if let Some(verdict) = &mut self.verdict {
            verdict.gates.push(NightlyComparison::gate(nightly.as_ref(), gates));
            verdict.passed = verdict.gates.iter().all(|gate| gate.passed);
        }
        self.nightly = nightly;
    }

    /// The entry of the chosen candidate.
    pub fn model_entry(&self) -> Option<&Entry> {
        self.overall.iter().find(|entry| entry.role == Role::Model)
    }
}

impl Entry {
    /// Its name, with its role where the name alone does not tell the role.
    pub(crate) fn label(&self) -> String {
        match self.role {
            Role::Model => format!("{} (the model)", self.forecast),
            Role::Champion => format!("{} (champion)", self.forecast),
            Role::Candidate | Role::Baseline => self.forecast.clone(),
        }
    }

    /// Whether it is a point forecast: its quantiles are equal.
    pub(crate) fn is_point(&self) -> bool {
        self.metrics.interval_90.mean_width_hours <= 0.0
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
