//! The rules on rows of a contract, from its document.

use super::source_text::SourceText;
use crate::contract::column::ColumnSpec;
use crate::contract::column_type::ColumnType;
use crate::contract::odcs::{self, Property, Quality, SchemaObject};
use crate::contract::rule::{OnViolation, Rule, condition_of};
use crate::error::Error;
use crate::sql_text::{RULE_TOKENS_MAX, too_long};
use terms::column;

/// The format of a text that names a time zone.
const IANA_TIME_ZONE: &str = "iana-time-zone";

/// The rules on rows in the order in which they are evaluated: nulls, then values column by column,
/// then the conditions of the table.
pub(super) fn row_rules(
    text: &SourceText<'_>,
    object: &SchemaObject,
    columns: &[ColumnSpec],
    keys: &[String],
    default: OnViolation,
) -> Result<Vec<Rule>, Error> {
    let mut rules: Vec<Rule> = columns
        .iter()
        .filter(|column| column.required)
        .map(|column| match column.name.as_str() {
            // Without it no as-of can be applied to the row, and it belongs to no partition.
            column::RECORDED_AT => Rule::missing(&column.name, OnViolation::Fail),
            name => Rule::missing(name, default),
        })
        .collect();
    for column in columns {
        let property = object.properties.iter().find(|property| property.name == column.name);
        if let Some(property) = property {
            column_rules(text, property, column, default, &mut rules)?;
        }
    }
    for quality in object.quality.iter().filter(|quality| !quality.is_per_partition()) {
        table_rule(text, quality, keys, default, &mut rules)?;
    }
    Ok(rules)
}

fn column_rules(
    text: &SourceText<'_>,
    property: &Property,
    column: &ColumnSpec,
    default: OnViolation,
    rules: &mut Vec<Rule>,
) -> Result<(), Error> {
    let name = column.name.as_str();
    if property.unique {
        let element = format!("column {name:?} unique");
        return Err(text.refuse(element, "duplicateValues over the key", "unique: true"));
    }
    let options = &property.logical_type_options;
    if let Some(pattern) = &options.pattern {
        rules.push(Rule::pattern(&format!("{name}_pattern"), name, pattern, default));
    }
    if let Some(max_length) = options.max_length {
        if column.physical != ColumnType::Text {
            let element = format!("column {name:?} maxLength");
            return Err(text.refuse(element, "a column of text", column.physical.name()));
        }
        rules.push(Rule::length(name, max_length, default));
    }
    match options.format.as_deref() {
        Some(IANA_TIME_ZONE) if column.physical == ColumnType::Text => {
            rules.push(Rule::time_zone(name, default));
        }
        Some(format) => {
            let element = format!("column {name:?} format");
            return Err(text.refuse(element, format!("{IANA_TIME_ZONE}, of a text"), format));
        }
        None => {}
    }
    rules.extend(Rule::range(column, options.minimum, options.maximum, default));
    for quality in &property.quality {
        let element = format!("column {name:?} quality");
        if quality.kind.as_deref() == Some("text") || quality.is_per_partition() {
            continue;
        }
        if quality.metric.as_deref() != Some("invalidValues") {
            let found = quality.metric.as_deref().or(quality.kind.as_deref()).unwrap_or("none");
            return Err(text.refuse(element, "metric: invalidValues", found));
        }
        let on = must_be_zero(text, &element, quality, default)?;
        let rule = quality.name.as_deref().or(quality.id.as_deref());
        let rule = rule.map_or_else(|| format!("{name}_invalid"), str::to_owned);
        match (&quality.arguments.valid_values, &quality.arguments.pattern) {
            (Some(values), None) => rules.push(Rule::allowed(&rule, name, values, on)),
            (None, Some(pattern)) => rules.push(Rule::pattern(&rule, name, pattern, on)),
            _ => return Err(text.refuse(element, "validValues or pattern", "neither or both")),
        }
    }
    Ok(())
}

fn table_rule(
    text: &SourceText<'_>,
    quality: &Quality,
    keys: &[String],
    default: OnViolation,
    rules: &mut Vec<Rule>,
) -> Result<(), Error> {
    let name = quality.name.as_deref().or(quality.id.as_deref()).unwrap_or_default();
    let element = format!("quality {name:?}");
    let on = match (quality.kind.as_deref(), quality.metric.as_deref()) {
        (Some("text"), _) => return Ok(()),
        (None | Some("library"), Some("duplicateValues")) => {
            let on = must_be_zero(text, &element, quality, default)?;
            let over = quality.arguments.properties.as_deref().unwrap_or_default();
            if over != keys || on != OnViolation::Fail {
                let expected = format!("over {keys:?} with onViolation: fail");
                return Err(text.refuse(element, expected, format!("over {over:?}, {on:?}")));
            }
            return Ok(());
        }
        (Some("sql"), None) if !name.is_empty() => must_be_zero(text, &element, quality, default)?,
        (kind, metric) => {
            let found = metric.or(kind).unwrap_or("none");
            let expected = "type: sql with an id, or metric: duplicateValues";
            return Err(text.refuse(element, expected, found));
        }
    };
    let query = quality.query.as_deref().unwrap_or_default();
    let condition = condition_of(query).ok_or_else(|| {
        let expected = "SELECT count(*) FROM {object} WHERE <condition of a bad row>";
        text.refuse(element.clone(), expected, query)
    })?;
    if let Some((expected, found)) = too_long(condition, RULE_TOKENS_MAX) {
        return Err(text.refuse(element, expected, found));
    }
    let rule = Rule::sql(name, condition, on)
        .map_err(|source| text.refuse(element, "a condition in SQL", source.to_string()))?;
    rules.push(rule);
    Ok(())
}

/// What happens to a row that breaks `quality`, whose bound must be 0.
fn must_be_zero(
    text: &SourceText<'_>,
    element: &str,
    quality: &Quality,
    default: OnViolation,
) -> Result<OnViolation, Error> {
    if quality.must_be != Some(0.0) {
        return Err(text.refuse(element, "mustBe: 0", "another bound"));
    }
    match odcs::custom(&quality.custom_properties, "onViolation") {
        Some(value) => text.on_violation(element, value),
        None if quality.severity.as_deref() == Some("warning") => Ok(OnViolation::Warn),
        None => Ok(default),
    }
}
