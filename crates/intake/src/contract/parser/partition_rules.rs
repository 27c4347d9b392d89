//! The rules on whole partitions of a contract, and its latency, from its document.
//!
//! The standard counts over a whole table and compares with no history. So such a rule is a
//! `rowCount` or `nullValues` of the standard with custom properties: `per: partition`, and, if it
//! compares with earlier partitions, `against: sameWeekday` with `weeks`, or `against: daysBefore`
//! with `days`.

use serde_yaml_ng::Value;

use super::source_text::SourceText;
use crate::contract::odcs::{self, CustomProperty, Quality, SchemaObject, SlaProperty};
use crate::contract::partition_rule::{Against, Latency, Measure, PartitionRule};
use crate::contract::rule::OnViolation;
use crate::error::Error;

pub(super) fn partition_rules(
    text: &SourceText<'_>,
    object: &SchemaObject,
) -> Result<Vec<PartitionRule>, Error> {
    let of_table = object.quality.iter().map(|quality| (quality, None));
    let of_columns = object.properties.iter().flat_map(|property| {
        property.quality.iter().map(|quality| (quality, Some(property.name.as_str())))
    });
    of_table
        .chain(of_columns)
        .filter(|(quality, _)| quality.is_per_partition())
        .map(|(quality, column)| partition_rule(text, quality, column))
        .collect()
}

fn partition_rule(
    text: &SourceText<'_>,
    quality: &Quality,
    column: Option<&str>,
) -> Result<PartitionRule, Error> {
    let name = quality.id.as_deref().or(quality.name.as_deref()).unwrap_or_default();
    let element = format!("quality {name:?}");
    if name.is_empty() {
        return Err(text.refuse("quality per partition", "an id", "none"));
    }
    let measure = match (quality.metric.as_deref(), column) {
        (Some("rowCount"), None) => Measure::Rows,
        (Some("nullValues"), Some(column)) => Measure::Nulls(column.to_owned()),
        (metric, _) => {
            let expected = "metric: rowCount of a table, or metric: nullValues of a column";
            return Err(text.refuse(element, expected, metric.unwrap_or("none")));
        }
    };
    let against = against(text, &element, &quality.custom_properties, &measure)?;
    let in_percent = against != Against::Bounds || measure != Measure::Rows;
    let unit = if in_percent { "percent" } else { "rows" };
    if quality.unit.as_deref() != Some(unit) {
        let found = quality.unit.as_deref().unwrap_or("none");
        return Err(text.refuse(element, format!("unit: {unit}"), found));
    }
    let (at_least, at_most) = match quality.must_be_between {
        Some([low, high]) => (Some(low), Some(high)),
        None => (quality.must_be_greater_or_equal_to, quality.must_be_less_or_equal_to),
    };
    if at_least.is_none() && at_most.is_none() {
        let expected = "mustBeBetween, mustBeGreaterOrEqualTo or mustBeLessOrEqualTo";
        return Err(text.refuse(element, expected, "another bound"));
    }
    let on_violation = match odcs::custom(&quality.custom_properties, "onViolation") {
        Some(value) => warn_or_fail(text, &element, value)?,
        None if quality.severity.as_deref() == Some("warning") => OnViolation::Warn,
        None => OnViolation::Fail,
    };
    Ok(PartitionRule { name: name.to_owned(), measure, against, at_least, at_most, on_violation })
}

fn against(
    text: &SourceText<'_>,
    element: &str,
    custom: &[CustomProperty],
    measure: &Measure,
) -> Result<Against, Error> {
    let whole = |name: &str| -> Result<u32, Error> {
        let value = odcs::custom(custom, name);
        let number = value.and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
        number
            .filter(|n| *n > 0)
            .ok_or_else(|| text.refuse(element, format!("{name}: a number"), format!("{value:?}")))
    };
    match (odcs::custom(custom, "against").map(Value::as_str), measure) {
        (None, _) => Ok(Against::Bounds),
        (Some(Some("sameWeekday")), Measure::Rows) => {
            Ok(Against::SameWeekday { weeks: whole("weeks")? })
        }
        (Some(Some("daysBefore")), Measure::Nulls(_)) => {
            Ok(Against::DaysBefore { days: whole("days")? })
        }
        (Some(found), _) => {
            let expected = "against: sameWeekday of rows, or against: daysBefore of nulls";
            Err(text.refuse(element, expected, format!("{found:?}")))
        }
    }
}

/// How late the newest partition may be: `latency` of the standard, on `recorded_on`. The standard
/// gives it no severity, so the custom property `onLatency` does.
pub(super) fn latency(
    text: &SourceText<'_>,
    table: &str,
    sla: &[SlaProperty],
    custom: &[CustomProperty],
) -> Result<Option<Latency>, Error> {
    let element = "slaProperties latency";
    let Some(latency) = sla.iter().find(|sla| sla.property == "latency") else {
        return Ok(None);
    };
    let recorded_on = format!("{table}.{}", terms::column::RECORDED_ON);
    if latency.element.as_deref() != Some(&recorded_on) {
        let found = latency.element.as_deref().unwrap_or("none");
        return Err(text.refuse(element, format!("element: {recorded_on}"), found));
    }
    let unit_hours = match latency.unit.as_deref() {
        Some("d" | "day" | "days") => 24.0,
        Some("h" | "hr" | "hour" | "hours") => 1.0,
        found => return Err(text.refuse(element, "unit: d or h", found.unwrap_or("none"))),
    };
    let value = latency.value.as_f64().filter(|value| *value >= 0.0).ok_or_else(|| {
        text.refuse(element, "value: a number, at least 0", format!("{:?}", latency.value))
    })?;
    let on_violation = match odcs::custom(custom, "onLatency") {
        Some(value) => warn_or_fail(text, "customProperties.onLatency", value)?,
        None => OnViolation::Warn,
    };
    Ok(Some(Latency { hours: value * unit_hours, on_violation }))
}

fn warn_or_fail(text: &SourceText<'_>, element: &str, value: &Value) -> Result<OnViolation, Error> {
    match text.on_violation(element, value)? {
        on @ (OnViolation::Warn | OnViolation::Fail) => Ok(on),
        other => {
            let expected = "warn or fail: a partition is not quarantined as a whole";
            Err(text.refuse(element, expected, other.name()))
        }
    }
}
