//! What a pipeline file may hold, as a JSON Schema and as a list of keys, both from the structs that
//! read it: types, ranges and defaults from their fields, meanings from their comments.

use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use serde_json::{Map, Value};

use super::pipeline_file::Settings;

/// A table of a pipeline file: a section, or a section of a section.
pub(crate) struct Section {
    /// Its dotted name; empty for the keys above all sections.
    pub(crate) name: String,
    /// What it is about.
    pub(crate) meaning: String,
    /// Whether it is a list of tables, `[[name]]`.
    pub(crate) is_list: bool,
    /// Its keys, in the order of the struct, with the schema of each.
    pub(crate) keys: Vec<(String, Map<String, Value>)>,
}

impl Section {
    /// The dotted name of one of its keys.
    pub(crate) fn dotted(&self, key: &str) -> String {
        if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) }
    }
}

/// The JSON Schema of pipeline files: draft 7, which editors of TOML understand.
pub(crate) fn of_pipeline_files() -> Value {
    let settings = SchemaSettings::draft07().with(|settings| settings.inline_subschemas = true);
    let schema =
        settings.with_transform(ForToml).into_generator().into_root_schema_for::<Settings>();
    let mut schema = schema.to_value();
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("title".to_owned(), "A pipeline file of longhaul".into());
    }
    schema
}

/// All sections, in the order of the file.
pub(crate) fn sections() -> Vec<Section> {
    let mut sections = Vec::new();
    if let Value::Object(schema) = of_pipeline_files() {
        add(&mut sections, "", false, &schema);
    }
    sections
}

/// The dotted names of all keys of tables that are no lists.
pub(crate) fn names() -> Vec<String> {
    let sections = sections();
    let tables = sections.iter().filter(|section| !section.is_list);
    tables.flat_map(|section| section.keys.iter().map(|(key, _)| section.dotted(key))).collect()
}

fn add(sections: &mut Vec<Section>, name: &str, is_list: bool, schema: &Map<String, Value>) {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
    let mut section =
        Section { name: name.to_owned(), meaning: text(schema), is_list, keys: Vec::new() };
    let mut below = Vec::new();
    for (key, schema) in properties {
        let Some(schema) = schema.as_object() else { continue };
        let items = schema.get("items").and_then(Value::as_object);
        if schema.contains_key("properties") {
            add(&mut below, &section.dotted(key), false, schema);
            continue;
        }
        if let Some(items) = items {
            add(&mut below, &section.dotted(key), true, items);
        }
        section.keys.push((key.clone(), schema.clone()));
    }
    if !section.keys.is_empty() {
        sections.push(section);
    }
    sections.append(&mut below);
}

/// The meaning of a key or a section.
pub(crate) fn text(schema: &Map<String, Value>) -> String {
    schema.get("description").and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Makes comments sentences without line breaks, examples and links, and leaves out `null`, which
/// TOML does not have.
#[derive(Clone)]
struct ForToml;

impl Transform for ForToml {
    fn transform(&mut self, schema: &mut schemars::Schema) {
        transform_subschemas(self, schema);
        let Some(schema) = schema.as_object_mut() else { return };
        if let Some(Value::String(text)) = schema.get_mut("description") {
            *text = sentences(text);
        }
        if let Some(Value::Array(types)) = schema.get("type")
            && let [found, _] = &types[..]
        {
            let found = found.clone();
            schema.insert("type".to_owned(), found);
        }
        if schema.get("default") == Some(&Value::Null) {
            schema.remove("default");
        }
    }
}

/// A comment up to its examples, its lines joined, and of its links the text.
fn sentences(comment: &str) -> String {
    let prose = comment.split("```").next().unwrap_or_default();
    let mut rest = &*prose.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut text = String::with_capacity(rest.len());
    while let Some((before, link)) = rest.split_once("[`") {
        let Some((name, after)) = link.split_once("`]") else { break };
        let target = after.strip_prefix('(').and_then(|after| after.split_once(')'));
        rest = target.map_or(after, |(_, after)| after);
        text += &format!("{before}`{name}`");
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::flags::{Global, LogFormat};
    use crate::settings::Resolved;

    /// Whether a key may have a value, beside others that it depends on.
    fn is_allowed(key: &str, value: &str) -> bool {
        let beside = match key {
            "network.lost_after_days" => "network.history_days=1095".to_owned(),
            "network.history_days" => "network.lost_after_days=7".to_owned(),
            "train.boost.early_stopping_rows" => {
                format!("train.boost.early_stopping_rounds={value}")
            }
            "train.boost.early_stopping_rounds" => {
                format!("train.boost.early_stopping_rows={value}")
            }
            _ => "train.seed=0".to_owned(),
        };
        let set = vec![beside, format!("{key}={value}")];
        let log_format = LogFormat::Text;
        let global = Global { store: None, set, json: false, quiet: false, log_format };
        Resolved::new(None, &global, BTreeMap::new()).is_ok_and(|resolved| {
            let settings = resolved.settings;
            settings.train.check().is_ok() && settings.simulate.clone().check().is_ok()
        })
    }

    /// Keys whose largest value depends on another key.
    const BOUND_BY_OTHERS: [&str; 1] = ["simulate.shipments"];

    #[test]
    fn the_ranges_that_are_documented_are_those_that_are_checked() {
        let mut n_keys = 0;
        for section in sections().iter().filter(|section| !section.is_list) {
            for (key, schema) in &section.keys {
                let kind = schema.get("type").and_then(Value::as_str);
                let Some(kind @ ("integer" | "number")) = kind else { continue };
                n_keys += 1;
                let key = section.dotted(key);
                let of = |name: &str| schema.get(name).and_then(Value::as_f64);
                let step = schema.get("multipleOf").and_then(Value::as_f64);
                let step = step.unwrap_or(if kind == "integer" { 1.0 } else { 1e-3 });
                let allows = |value: f64| is_allowed(&key, &value.to_string());
                if let Some(above) = of("exclusiveMinimum") {
                    assert!(!allows(above) && allows(above + step), "{key}: above {above}");
                }
                if let Some(min) = of("minimum") {
                    assert!(!allows(min - step) && allows(min), "{key}: from {min}");
                }
                match of("maximum") {
                    Some(max) => {
                        assert!(allows(max) && !allows(max + step), "{key}: up to {max}");
                    }
                    // What fits 32 bits unsigned is what any integer fits here.
                    None if BOUND_BY_OTHERS.contains(&&*key) => {}
                    None => assert!(allows(f64::from(u32::MAX)), "{key}: without end"),
                }
            }
        }
        assert!(n_keys > 50, "{n_keys}");
    }

    #[test]
    fn every_key_and_section_says_what_it_means() {
        for section in sections() {
            assert!(!section.meaning.is_empty(), "{}", section.name);
            for (key, schema) in &section.keys {
                let meaning = text(schema);
                assert!(!meaning.is_empty(), "{}", section.dotted(key));
                assert!(!meaning.contains("[`") && !meaning.contains('\n'), "{meaning}");
            }
        }
    }

    #[test]
    fn every_default_is_a_key() {
        let names = names();
        let table = toml::Table::try_from(Settings::default()).expect("settings");
        for key in crate::settings::dotted_key::flatten(&table).into_keys() {
            assert!(names.contains(&key), "{key}");
        }
        for key in ["train.monotone", "train.boost.memory_mib", "evaluate.maturity_days"] {
            assert!(names.contains(&key.to_owned()), "{key}");
        }
    }
}
