//! The document of a contract: the part of the Open Data Contract Standard v3.1 that is read.
//!
//! Fields that only describe (team, servers …) are ignored. Fields that constrain the data are read
//! even where they are not supported, so that the parser can refuse them: a constraint that nobody
//! executes is worse than none.

use serde::Deserialize;
use serde_yaml_ng::Value;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Document {
    pub(crate) api_version: String,
    pub(crate) kind: String,
    pub(crate) version: String,
    #[serde(default)]
    pub(crate) description: Description,
    pub(crate) schema: Vec<SchemaObject>,
    #[serde(default)]
    pub(crate) sla_properties: Vec<SlaProperty>,
    #[serde(default)]
    pub(crate) custom_properties: Vec<CustomProperty>,
}

/// What a table is for.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Description {
    /// What it holds.
    #[serde(default)]
    pub purpose: String,
    /// What it is used for.
    #[serde(default)]
    pub usage: String,
    /// What to know before it is used.
    #[serde(default)]
    pub limitations: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct SlaProperty {
    pub(crate) property: String,
    pub(crate) value: Value,
    pub(crate) unit: Option<String>,
    pub(crate) element: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SchemaObject {
    pub(crate) name: String,
    pub(crate) physical_name: Option<String>,
    pub(crate) data_granularity_description: Option<String>,
    #[serde(default)]
    pub(crate) quality: Vec<Quality>,
    pub(crate) properties: Vec<Property>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Property {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) physical_type: Option<String>,
    #[serde(default)]
    pub(crate) required: bool,
    #[serde(default)]
    pub(crate) unique: bool,
    #[serde(default)]
    pub(crate) primary_key: bool,
    #[serde(default)]
    pub(crate) primary_key_position: i64,
    #[serde(default)]
    pub(crate) partitioned: bool,
    #[serde(default)]
    pub(crate) tags: Vec<String>,
    #[serde(default)]
    pub(crate) logical_type_options: TypeOptions,
    #[serde(default)]
    pub(crate) quality: Vec<Quality>,
    #[serde(default)]
    pub(crate) custom_properties: Vec<CustomProperty>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct TypeOptions {
    pub(crate) minimum: Option<f64>,
    pub(crate) maximum: Option<f64>,
    pub(crate) pattern: Option<String>,
    pub(crate) max_length: Option<u32>,
    pub(crate) format: Option<String>,
    /// Implied by the physical type; read so that it is not refused.
    #[serde(default, rename = "timezone")]
    _timezone: Option<bool>,
    #[serde(default, rename = "defaultTimezone")]
    _default_timezone: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Quality {
    pub(crate) id: Option<String>,
    pub(crate) name: Option<String>,
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    pub(crate) metric: Option<String>,
    pub(crate) query: Option<String>,
    #[serde(default)]
    pub(crate) arguments: Arguments,
    pub(crate) must_be: Option<f64>,
    pub(crate) must_be_between: Option<[f64; 2]>,
    pub(crate) must_be_greater_or_equal_to: Option<f64>,
    pub(crate) must_be_less_or_equal_to: Option<f64>,
    pub(crate) unit: Option<String>,
    pub(crate) severity: Option<String>,
    #[serde(default)]
    pub(crate) custom_properties: Vec<CustomProperty>,
}

impl Quality {
    /// Whether it is about one partition as a whole. The standard only has rules on the whole
    /// table, so a custom property says so.
    pub(crate) fn is_per_partition(&self) -> bool {
        custom(&self.custom_properties, "per").and_then(Value::as_str) == Some("partition")
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Arguments {
    pub(crate) valid_values: Option<Vec<String>>,
    pub(crate) pattern: Option<String>,
    pub(crate) properties: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct CustomProperty {
    pub(crate) property: String,
    pub(crate) value: Value,
}

/// The value of the custom property called `name`.
pub(crate) fn custom<'a>(properties: &'a [CustomProperty], name: &str) -> Option<&'a Value> {
    properties.iter().find(|custom| custom.property == name).map(|custom| &custom.value)
}
