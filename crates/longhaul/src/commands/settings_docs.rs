//! `config docs`: every setting as a page in Markdown, `docs/settings.md`.

use serde_json::{Map, Value, json};

use crate::command_output::envelope;
use crate::report::Reporter;
use crate::settings::schema::{self, Section};

const INTRODUCTION: &str = "# The settings

Made from the program by `longhaul config docs > docs/settings.md`; edit the comments of the \
settings in the source.

A setting is a key of a pipeline file (TOML). `--set train.seed=7` sets one key for one command, \
and so does the variable `LONGHAUL__TRAIN__SEED=7`: the dotted key in capitals after `LONGHAUL__`, \
with two underscores for a dot. A flag goes before a variable, a variable before the file, the file \
before the default. A key that does not exist is an error (exit code 30). `longhaul config show \
PIPELINE` prints the value of each key and where it came from, and `longhaul config schema` a JSON \
Schema of pipeline files for editors (for those with Taplo, `#:schema FILE` in the first line).

Paths are relative to the pipeline file, unless the key says otherwise. What reaches S3 is set by \
the variables `AWS_…` alone, never in a file; `longhaul doctor` shows those that are read, secrets \
masked.
";

/// Prints the page.
pub(crate) fn print(reporter: &Reporter) {
    let mut page = INTRODUCTION.to_owned();
    for section in schema::sections() {
        page += &of_section(&section);
    }
    let result = json!({ "markdown": page });
    reporter.result(&envelope("config docs", result), || page.trim_end().to_owned());
}

fn of_section(section: &Section) -> String {
    let title = match (&*section.name, section.is_list) {
        ("", _) => "Above all sections".to_owned(),
        (name, true) => format!("`[[{name}]]`"),
        (name, false) => format!("`[{name}]`"),
    };
    let mut text = format!("\n## {title}\n\n{}\n", section.meaning);
    let variable = if section.is_list { "" } else { " variable |" };
    text += &format!("\n| key | type | default | range | meaning |{variable}\n");
    text += &format!("|{}\n", "---|".repeat(if section.is_list { 5 } else { 6 }));
    for (key, schema) in &section.keys {
        let cells =
            [format!("`{key}`"), kind(schema), default(schema), range(schema), meaning(schema)];
        text += &format!("| {} |", cells.map(|cell| cell.replace('|', "\\|")).join(" | "));
        text += &match section.is_list {
            true => "\n".to_owned(),
            false => format!(" `{}` |\n", variable_of(&section.dotted(key))),
        };
    }
    text
}

/// The variable that sets a key.
fn variable_of(dotted: &str) -> String {
    format!("LONGHAUL__{}", dotted.replace('.', "__").to_uppercase())
}

/// The names that a value may have, if it is one of several.
fn choices(schema: &Map<String, Value>) -> Vec<(&str, String)> {
    let named = schema.get("oneOf").and_then(Value::as_array).into_iter().flatten();
    let named = named.filter_map(Value::as_object);
    named.filter_map(|one| Some((one.get("const")?.as_str()?, schema::text(one)))).collect()
}

fn kind(schema: &Map<String, Value>) -> String {
    let object = |name: &str| schema.get(name).and_then(Value::as_object);
    if let Some(items) = object("items") {
        return match items.contains_key("properties") {
            true => "list of tables".to_owned(),
            false => format!("list of: {}", kind(items)),
        };
    }
    if let Some(values) = object("additionalProperties") {
        return format!("table of: {}", kind(values));
    }
    let choices = choices(schema);
    if !choices.is_empty() {
        let names = choices.iter().map(|(name, _)| format!("`\"{name}\"`"));
        return names.collect::<Vec<_>>().join(", ");
    }
    match (schema.get("type").and_then(Value::as_str), schema.get("format")) {
        (Some("boolean"), _) => "true or false",
        (Some("integer"), _) => "integer",
        (Some("number"), _) => "number",
        (_, Some(Value::String(format))) if format == "date" => "date, as text",
        _ => "text",
    }
    .to_owned()
}

fn default(schema: &Map<String, Value>) -> String {
    match schema.get("default") {
        None => String::new(),
        // In TOML as in JSON; a table without keys is one that is not there.
        Some(Value::Object(table)) if table.is_empty() => String::new(),
        Some(value) => format!("`{value}`"),
    }
}

fn range(schema: &Map<String, Value>) -> String {
    let of = |name: &str| schema.get(name).map(number);
    let mut text = match (of("minimum"), of("exclusiveMinimum"), of("maximum")) {
        (Some(min), _, Some(max)) => format!("{min} to {max}"),
        (_, Some(above), Some(max)) => format!("above {above}, up to {max}"),
        (Some(min), ..) => format!("from {min}"),
        (_, Some(above), _) => format!("above {above}"),
        (.., Some(max)) => format!("up to {max}"),
        _ => String::new(),
    };
    if let Some(step) = of("multipleOf") {
        text += &format!(", a multiple of {step}");
    }
    text
}

/// A number with its thousands apart.
fn number(value: &Value) -> String {
    match value.as_f64() {
        Some(whole) if whole.fract() == 0.0 && whole >= 0.0 => terms::count(whole as usize),
        _ => value.to_string(),
    }
}

/// What a key means, and each name that it may have.
fn meaning(schema: &Map<String, Value>) -> String {
    let mut text = schema::text(schema);
    let within = ["items", "additionalProperties"].into_iter();
    let within = within.filter_map(|name| schema.get(name).and_then(Value::as_object));
    for (name, meaning) in std::iter::once(schema).chain(within).flat_map(choices) {
        text += &format!(" `{name}`: {meaning}");
    }
    text
}
