//! From the text of a contract to a [`Contract`].
//!
//! Everything in the document that would constrain the data is either understood or refused, and
//! every rule is evaluated once on an empty table, so that a misspelt column is an error here and
//! not in the nightly check.

mod partition_rules;
mod row_rules;
mod source_text;

use std::collections::BTreeSet;

use polars::prelude::{DataType, Field, Schema};
use serde_yaml_ng::Value;
use terms::{DayGrid, Digest, column};

use self::source_text::SourceText;
use super::Contract;
use super::column::ColumnSpec;
use super::column_type::ColumnType;
use super::join::JoinSpec;
use super::odcs::{self, CustomProperty, Document, Property, SchemaObject};
use super::rule::OnViolation;
use super::shipped::shipped;
use crate::error::Error;

/// The largest share of quarantined rows, if a contract does not say another.
const QUARANTINE_SHARE_MAX: f64 = 0.05;

impl Contract {
    /// Parses a contract. `origin` names the text in messages, as a path does.
    ///
    /// # Errors
    /// If the text is no ODCS v3.1 document of one table, or has a constraint that is not
    /// supported, or a rule over columns that do not exist.
    pub fn parse(origin: &str, text: &str) -> Result<Self, Error> {
        let source_text = SourceText { origin, text };
        source_text.require_shallow()?;
        let document: Document = serde_yaml_ng::from_str(text)
            .map_err(|source| Error::ContractYaml { contract: origin.to_owned(), source })?;
        contract(&source_text, document)
    }

    /// The contract that is shipped for `table`, if there is one.
    ///
    /// # Errors
    /// If it cannot be parsed, which a test rules out.
    pub fn shipped(table: &str) -> Option<Result<Self, Error>> {
        shipped(table).map(|text| Self::parse(&format!("shipped {table}.odcs.yaml"), text))
    }

    /// The same of an output whose probabilities of delivery are by `days`: their column is named after
    /// the days.
    ///
    /// # Errors
    /// As [`Contract::shipped`].
    pub fn shipped_on(table: &str, days: DayGrid) -> Option<Result<Self, Error>> {
        let (first, second, last) = (days.day(0), days.day(1), days.last_day());
        let text = shipped(table)?
            .replace(column::PROBABILITY_BY_DAY, &days.column())
            .replace("1, 2, … 60 days", &format!("{first}, {second}, … {last} days"));
        let origin = format!("shipped {table}.odcs.yaml, days up to {last}");
        Some(Self::parse(&origin, &text))
    }
}

fn contract(text: &SourceText<'_>, document: Document) -> Result<Contract, Error> {
    if document.kind != "DataContract" || !document.api_version.starts_with("v3.") {
        let found = format!("{} {}", document.kind, document.api_version);
        return Err(text.refuse("kind", "DataContract v3.1.0", found));
    }
    let custom = &document.custom_properties;
    let [object] = <[SchemaObject; 1]>::try_from(document.schema)
        .map_err(|all| text.refuse("schema", "one table", format!("{}", all.len())))?;
    let default = match odcs::custom(custom, "onViolation") {
        Some(value) => text.on_violation("customProperties.onViolation", value)?,
        None => OnViolation::Quarantine,
    };
    let is_output = odcs::custom(custom, "output").and_then(Value::as_bool) == Some(true);
    let columns = columns(text, &object)?;
    if !is_output {
        require_recorded_at(text, &object, &columns)?;
    }
    let keys = keys(text, &object, is_output)?;
    let joins: Vec<JoinSpec> = match odcs::custom(custom, "joins") {
        Some(value) => serde_yaml_ng::from_value(value.clone())
            .map_err(|source| Error::ContractYaml { contract: text.origin.to_owned(), source })?,
        None => Vec::new(),
    };
    let contract = Contract {
        origin: text.origin.to_owned(),
        partition_rules: partition_rules::partition_rules(text, &object)?,
        description: document.description,
        path: object.physical_name.clone(),
        granularity: object.data_granularity_description.clone(),
        is_output,
        latency: partition_rules::latency(text, &object.name, &document.sla_properties, custom)?,
        rules: row_rules::row_rules(text, &object, &columns, &keys, default)?,
        table: object.name,
        version: document.version,
        digest: Digest::of(text.text.as_bytes()),
        columns,
        keys,
        joins,
        quarantine_share_max: share(text, custom, "quarantineShareMax")?
            .unwrap_or(QUARANTINE_SHARE_MAX),
        optional: odcs::custom(custom, "optionalTable").and_then(Value::as_bool) == Some(true),
    };
    require_unique_names(text, &contract)?;
    require_conditions(text, &contract)?;
    require_joins_on_text(text, &contract)?;
    Ok(contract)
}

fn columns(text: &SourceText<'_>, object: &SchemaObject) -> Result<Vec<ColumnSpec>, Error> {
    let mut columns = Vec::new();
    for property in object.properties.iter().filter(|property| !property.partitioned) {
        let named = property.physical_type.as_deref().unwrap_or("none");
        let physical = ColumnType::parse(named).ok_or_else(|| {
            let element = format!("column {:?} physicalType", property.name);
            text.refuse(element, ColumnType::NAMES, named)
        })?;
        columns.push(ColumnSpec {
            name: property.name.clone(),
            description: property.description.clone(),
            physical,
            required: property.required,
            tags: property.tags.clone(),
            unit: odcs::custom(&property.custom_properties, "unit")
                .and_then(Value::as_str)
                .map(str::to_owned),
            declared_at: text.declaration_of(&property.name),
        });
    }
    Ok(columns)
}

/// Every table but an output has the instant at which each row was recorded, and is partitioned by
/// its day.
fn require_recorded_at(
    text: &SourceText<'_>,
    object: &SchemaObject,
    columns: &[ColumnSpec],
) -> Result<(), Error> {
    let recorded_at = columns.iter().find(|column| column.name == column::RECORDED_AT);
    match recorded_at {
        Some(spec) if spec.required && spec.physical == ColumnType::Instant => {}
        found => {
            let found = if found.is_some() { "another column" } else { "none" };
            let expected = "a required timestamp[us, tz=UTC]";
            return Err(text.refuse("column \"recorded_at\"", expected, found));
        }
    }
    let partitions: Vec<&str> = object
        .properties
        .iter()
        .filter(|property| property.partitioned)
        .map(|property| property.name.as_str())
        .collect();
    if partitions != [column::RECORDED_ON] {
        let found = format!("{partitions:?}");
        return Err(text.refuse("partitioned columns", "recorded_on alone", found));
    }
    Ok(())
}

fn keys(
    text: &SourceText<'_>,
    object: &SchemaObject,
    is_output: bool,
) -> Result<Vec<String>, Error> {
    let mut keys: Vec<&Property> =
        object.properties.iter().filter(|property| property.primary_key).collect();
    keys.sort_by_key(|property| property.primary_key_position);
    let keys: Vec<String> = keys.iter().map(|property| property.name.clone()).collect();
    if is_output && !keys.is_empty() {
        return Ok(keys);
    }
    if keys.len() < 2 || keys.last().map(String::as_str) != Some(column::RECORDED_AT) {
        let expected = "at least one column, and recorded_at last";
        return Err(text.refuse("primaryKey", expected, format!("{keys:?}")));
    }
    Ok(keys)
}

fn share(
    text: &SourceText<'_>,
    custom: &[CustomProperty],
    name: &str,
) -> Result<Option<f64>, Error> {
    let Some(value) = odcs::custom(custom, name) else { return Ok(None) };
    let share = value.as_f64().filter(|share| (0.0..=1.0).contains(share));
    share.map(Some).ok_or_else(|| {
        let element = format!("customProperties.{name}");
        text.refuse(element, "a number from 0 to 1", format!("{value:?}"))
    })
}

fn require_unique_names(text: &SourceText<'_>, contract: &Contract) -> Result<(), Error> {
    let mut names = BTreeSet::new();
    let joins = contract.joins.iter().map(|join| join.rule.as_str());
    let of_partitions = contract.partition_rules.iter().map(|rule| rule.name.as_str());
    let rules = contract.rules.iter().map(|rule| rule.name.as_str());
    for name in rules.chain(joins).chain(of_partitions) {
        if !names.insert(name) {
            let element = format!("quality {name:?}");
            return Err(text.refuse(element, "a name for one rule", "the same for another"));
        }
    }
    Ok(())
}

/// Every rule must be a condition over the table's columns and those that it joins.
fn require_conditions(text: &SourceText<'_>, contract: &Contract) -> Result<(), Error> {
    // The types of joined columns are in another contract; rules compare them with instants.
    let joined = contract.joins.iter().flat_map(|join| {
        join.columns.iter().map(|column| {
            let name = format!("{}.{column}", join.table);
            Field::new(name.into(), ColumnType::Instant.polars())
        })
    });
    let own = contract
        .columns
        .iter()
        .map(|column| Field::new(column.name.as_str().into(), column.physical.polars()));
    let schema: Schema = own.chain(joined).collect();
    for rule in &contract.rules {
        let element = format!("quality {:?}", rule.name);
        match rule.type_over(&schema) {
            Ok(DataType::Boolean) => {}
            Ok(other) => return Err(text.refuse(element, "a condition", other.to_string())),
            Err(source) => {
                let expected = "a condition over columns of the table and its joins";
                return Err(text.refuse(element, expected, source.to_string()));
            }
        }
    }
    Ok(())
}

fn require_joins_on_text(text: &SourceText<'_>, contract: &Contract) -> Result<(), Error> {
    for join in &contract.joins {
        let on = contract.column(&join.on);
        if on.is_none_or(|column| column.physical != ColumnType::Text) {
            let element = format!("joins {:?}", join.table);
            return Err(text.refuse(element, "a column of text", join.on.as_str()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
