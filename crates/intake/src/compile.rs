//! From the document of a contract to the contract: everything in it is either understood or
//! refused, and every rule is tried on an empty table.

use std::collections::BTreeSet;

use polars::prelude::{DataType, Field, Schema};
use serde_yaml_ng::Value;
use terms::{Digest, column};

use crate::column_type::ColumnType;
use crate::contract::{ColumnSpec, Contract, JoinSpec};
use crate::error::Error;
use crate::odcs::{self, CustomProperty, Document, Property, Quality, SchemaObject};
use crate::rule::{OnViolation, Rule, condition_of};

/// Below this share of bad rows a table passes, if its contract does not say otherwise.
const QUARANTINE_SHARE_MAX: f64 = 0.05;

mod partition_rules;

/// Compiles a document; holds what messages need.
pub(crate) struct Compiler<'a> {
    pub(crate) origin: &'a str,
    pub(crate) text: &'a str,
}

impl Compiler<'_> {
    fn refuse(
        &self,
        place: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Error {
        Error::Contract {
            contract: self.origin.to_owned(),
            place: place.into(),
            expected: expected.into(),
            found: found.into(),
        }
    }

    /// Where a column stands: the contract, and the line that names it.
    fn place_of(&self, column: &str) -> String {
        let columns = self.text.lines().enumerate().skip_while(|(_, line)| {
            // Not the `properties` of a rule's arguments, which stand within a line.
            line.trim() != "properties:"
        });
        let named = columns.map(|(number, line)| (number + 1, line.trim())).find(|(_, line)| {
            let name = line.trim_start_matches(['-', '{', ' ']).strip_prefix("name:");
            name.is_some_and(|name| {
                name.split([',', '#']).next().map(|name| name.trim().trim_matches('"'))
                    == Some(column)
            })
        });
        match named {
            Some((number, _)) => format!("{} line {number}", self.origin),
            None => self.origin.to_owned(),
        }
    }

    pub(crate) fn contract(&self, document: Document, digest: Digest) -> Result<Contract, Error> {
        if document.kind != "DataContract" || !document.api_version.starts_with("v3.") {
            let found = format!("{} {}", document.kind, document.api_version);
            return Err(self.refuse("kind", "DataContract v3.1.0", found));
        }
        let custom = &document.custom_properties;
        let [object] = <[SchemaObject; 1]>::try_from(document.schema)
            .map_err(|all| self.refuse("schema", "one table", format!("{}", all.len())))?;
        let default = match odcs::custom(custom, "onViolation") {
            Some(value) => self.on_violation("customProperties.onViolation", value)?,
            None => OnViolation::Quarantine,
        };
        let is_output = odcs::custom(custom, "output").and_then(Value::as_bool) == Some(true);
        let columns = self.columns(&object)?;
        if !is_output {
            self.is_recorded(&object, &columns)?;
        }
        let keys = self.keys(&object, is_output)?;
        let joins: Vec<JoinSpec> = match odcs::custom(custom, "joins") {
            Some(value) => serde_yaml_ng::from_value(value.clone()).map_err(|source| {
                Error::ContractYaml { contract: self.origin.to_owned(), source }
            })?,
            None => Vec::new(),
        };
        let contract = Contract {
            origin: self.origin.to_owned(),
            partition_rules: self.partition_rules(&object)?,
            description: document.description,
            path: object.physical_name.clone(),
            granularity: object.data_granularity_description.clone(),
            is_output,
            latency: self.latency(&object.name, &document.sla_properties, custom)?,
            rules: self.rules(&object, &columns, &keys, default)?,
            table: object.name,
            version: document.version,
            digest,
            columns,
            keys,
            joins,
            quarantine_share_max: self
                .number(custom, "quarantineShareMax")?
                .unwrap_or(QUARANTINE_SHARE_MAX),
            optional: odcs::custom(custom, "optionalTable").and_then(Value::as_bool) == Some(true),
        };
        self.resolve_rules(&contract)?;
        Ok(contract)
    }

    fn columns(&self, object: &SchemaObject) -> Result<Vec<ColumnSpec>, Error> {
        let mut columns = Vec::new();
        for property in object.properties.iter().filter(|property| !property.partitioned) {
            let named = property.physical_type.as_deref().unwrap_or("none");
            let physical = ColumnType::parse(named).ok_or_else(|| {
                let place = format!("column {:?} physicalType", property.name);
                self.refuse(place, ColumnType::NAMES, named)
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
                place: self.place_of(&property.name),
            });
        }
        Ok(columns)
    }

    /// Every table but an output says when each row became known, and is partitioned by it.
    fn is_recorded(&self, object: &SchemaObject, columns: &[ColumnSpec]) -> Result<(), Error> {
        let recorded_at = columns.iter().find(|column| column.name == column::RECORDED_AT);
        match recorded_at {
            Some(spec) if spec.required && spec.physical == ColumnType::Instant => {}
            found => {
                let found = if found.is_some() { "another column" } else { "none" };
                let expected = "a required timestamp[us, tz=UTC]";
                return Err(self.refuse("column \"recorded_at\"", expected, found));
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
            return Err(self.refuse("partitioned columns", "recorded_on alone", found));
        }
        Ok(())
    }

    fn keys(&self, object: &SchemaObject, is_output: bool) -> Result<Vec<String>, Error> {
        let mut keys: Vec<&Property> =
            object.properties.iter().filter(|property| property.primary_key).collect();
        keys.sort_by_key(|property| property.primary_key_position);
        let keys: Vec<String> = keys.iter().map(|property| property.name.clone()).collect();
        if is_output && !keys.is_empty() {
            return Ok(keys);
        }
        if keys.len() < 2 || keys.last().map(String::as_str) != Some(column::RECORDED_AT) {
            let expected = "at least one column, and recorded_at last";
            return Err(self.refuse("primaryKey", expected, format!("{keys:?}")));
        }
        Ok(keys)
    }

    /// Rules in the order in which they are tried: nulls, then values column by column, then
    /// those of the table.
    fn rules(
        &self,
        object: &SchemaObject,
        columns: &[ColumnSpec],
        keys: &[String],
        default: OnViolation,
    ) -> Result<Vec<Rule>, Error> {
        let mut rules: Vec<Rule> = columns
            .iter()
            .filter(|column| column.required)
            .map(|column| match column.name.as_str() {
                // Nobody can say when such a row was known, so it can belong to no day.
                column::RECORDED_AT => Rule::missing(&column.name, OnViolation::Fail),
                name => Rule::missing(name, default),
            })
            .collect();
        for column in columns {
            let property = object.properties.iter().find(|property| property.name == column.name);
            if let Some(property) = property {
                self.column_rules(property, column, default, &mut rules)?;
            }
        }
        for quality in object.quality.iter().filter(|quality| !quality.is_per_partition()) {
            self.table_rule(quality, keys, default, &mut rules)?;
        }
        Ok(rules)
    }

    fn column_rules(
        &self,
        property: &Property,
        column: &ColumnSpec,
        default: OnViolation,
        rules: &mut Vec<Rule>,
    ) -> Result<(), Error> {
        let name = column.name.as_str();
        if property.unique {
            let place = format!("column {name:?} unique");
            return Err(self.refuse(place, "duplicateValues over the key", "unique: true"));
        }
        let options = &property.logical_type_options;
        if let Some(pattern) = &options.pattern {
            rules.push(Rule::pattern(&format!("{name}_pattern"), name, pattern, default));
        }
        rules.extend(Rule::range(column, options.minimum, options.maximum, default));
        for quality in &property.quality {
            let place = format!("column {name:?} quality");
            if quality.kind.as_deref() == Some("text") || quality.is_per_partition() {
                continue;
            }
            if quality.metric.as_deref() != Some("invalidValues") {
                let found = quality.metric.as_deref().or(quality.kind.as_deref()).unwrap_or("none");
                return Err(self.refuse(place, "metric: invalidValues", found));
            }
            let on = self.must_be_zero(&place, quality, default)?;
            let rule = quality.name.as_deref().or(quality.id.as_deref());
            let rule = rule.map_or_else(|| format!("{name}_invalid"), str::to_owned);
            match (&quality.arguments.valid_values, &quality.arguments.pattern) {
                (Some(values), None) => rules.push(Rule::allowed(&rule, name, values, on)),
                (None, Some(pattern)) => rules.push(Rule::pattern(&rule, name, pattern, on)),
                _ => return Err(self.refuse(place, "validValues or pattern", "neither or both")),
            }
        }
        Ok(())
    }

    fn table_rule(
        &self,
        quality: &Quality,
        keys: &[String],
        default: OnViolation,
        rules: &mut Vec<Rule>,
    ) -> Result<(), Error> {
        let name = quality.name.as_deref().or(quality.id.as_deref()).unwrap_or_default();
        let place = format!("quality {name:?}");
        let on = match (quality.kind.as_deref(), quality.metric.as_deref()) {
            (Some("text"), _) => return Ok(()),
            (None | Some("library"), Some("duplicateValues")) => {
                let on = self.must_be_zero(&place, quality, default)?;
                let over = quality.arguments.properties.as_deref().unwrap_or_default();
                if over != keys || on != OnViolation::Fail {
                    let expected = format!("over {keys:?} with onViolation: fail");
                    return Err(self.refuse(place, expected, format!("over {over:?}, {on:?}")));
                }
                return Ok(());
            }
            (Some("sql"), None) if !name.is_empty() => {
                self.must_be_zero(&place, quality, default)?
            }
            (kind, metric) => {
                let found = metric.or(kind).unwrap_or("none");
                let expected = "type: sql with an id, or metric: duplicateValues";
                return Err(self.refuse(place, expected, found));
            }
        };
        let query = quality.query.as_deref().unwrap_or_default();
        let condition = condition_of(query).ok_or_else(|| {
            let expected = "SELECT count(*) FROM {object} WHERE <which rows are bad>";
            self.refuse(place.clone(), expected, query)
        })?;
        let rule = Rule::sql(name, condition, on)
            .map_err(|source| self.refuse(place, "a condition in SQL", source.to_string()))?;
        rules.push(rule);
        Ok(())
    }

    /// What happens on a violation of `quality`, which must allow none.
    fn must_be_zero(
        &self,
        place: &str,
        quality: &Quality,
        default: OnViolation,
    ) -> Result<OnViolation, Error> {
        if quality.must_be != Some(0.0) {
            return Err(self.refuse(place, "mustBe: 0", "another bound"));
        }
        match odcs::custom(&quality.custom_properties, "onViolation") {
            Some(value) => self.on_violation(place, value),
            None if quality.severity.as_deref() == Some("warning") => Ok(OnViolation::Warn),
            None => Ok(default),
        }
    }

    fn on_violation(&self, place: &str, value: &Value) -> Result<OnViolation, Error> {
        serde_yaml_ng::from_value(value.clone()).map_err(|_| {
            self.refuse(place, "onViolation: fail, quarantine, drop or warn", format!("{value:?}"))
        })
    }

    fn number(&self, custom: &[CustomProperty], name: &str) -> Result<Option<f64>, Error> {
        let Some(value) = odcs::custom(custom, name) else { return Ok(None) };
        let share = value.as_f64().filter(|share| (0.0..=1.0).contains(share));
        share.map(Some).ok_or_else(|| {
            let place = format!("customProperties.{name}");
            self.refuse(place, "a number from 0 to 1", format!("{value:?}"))
        })
    }

    /// Tries every rule on an empty table, so that a wrong name is found now and not in the night.
    fn resolve_rules(&self, contract: &Contract) -> Result<(), Error> {
        // The types of joined columns stand in another contract; rules compare them with instants.
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
        let mut names = BTreeSet::new();
        let joins = contract.joins.iter().map(|join| join.rule.as_str());
        let whole = contract.partition_rules.iter().map(|rule| rule.name.as_str());
        let rules = contract.rules.iter().map(|rule| rule.name.as_str());
        for name in rules.chain(joins).chain(whole) {
            if !names.insert(name) {
                let place = format!("quality {name:?}");
                return Err(self.refuse(place, "a name for one rule", "the same for another"));
            }
        }
        for rule in &contract.rules {
            let place = format!("quality {:?}", rule.name);
            match rule.resolve(&schema) {
                Ok(DataType::Boolean) => {}
                Ok(other) => return Err(self.refuse(place, "a condition", other.to_string())),
                Err(source) => {
                    let expected = "a condition over columns of the table and its joins";
                    return Err(self.refuse(place, expected, source.to_string()));
                }
            }
        }
        for join in &contract.joins {
            let on = contract.column(&join.on);
            if on.is_none_or(|column| column.physical != ColumnType::Text) {
                let place = format!("joins {:?}", join.table);
                return Err(self.refuse(place, "a column of text", join.on.as_str()));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
