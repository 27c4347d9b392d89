//! Dotted keys of a TOML table, such as `train.boost.rounds`: setting one, and listing all.

use std::collections::BTreeMap;

use toml::{Table, Value};

use crate::refusal::Refusal;

/// More than any setting has: each part is a table within a table, which is walked on the stack.
const PARTS_MAX: usize = 8;

/// Sets one dotted key to `text`, parsed as a TOML value or else taken as a string. `origin` is what
/// an error names.
///
/// # Errors
/// If a part of the key but the last one is not a table, or it has too many parts.
pub(super) fn set(table: &mut Table, key: &str, text: &str, origin: &str) -> Result<(), Refusal> {
    if key.split('.').nth(PARTS_MAX).is_some() {
        return Err(Refusal::Configuration {
            place: origin.to_owned(),
            problem: format!(
                "expected a key of at most {PARTS_MAX} parts, found {}",
                key.split('.').count()
            ),
        });
    }
    let value = format!("value = {text}")
        .parse::<Table>()
        .ok()
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| Value::String(text.to_owned()));
    let mut table = table;
    let mut parts = key.split('.').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            table.insert(part.to_owned(), value);
            break;
        }
        let entry = table.entry(part).or_insert_with(|| Value::Table(Table::new()));
        table = entry.as_table_mut().ok_or_else(|| Refusal::Configuration {
            place: origin.to_owned(),
            problem: format!("key {key:?}: {part:?} is a value and has no keys"),
        })?;
    }
    Ok(())
}

/// All values of a table, at any depth, by their dotted key.
pub(super) fn flatten(table: &Table) -> BTreeMap<String, Value> {
    fn walk(prefix: &str, table: &Table, leaves: &mut BTreeMap<String, Value>) {
        for (name, value) in table {
            let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            match value {
                Value::Table(inner) => walk(&key, inner, leaves),
                value => {
                    leaves.insert(key, value.clone());
                }
            }
        }
    }
    let mut leaves = BTreeMap::new();
    walk("", table, &mut leaves);
    leaves
}
