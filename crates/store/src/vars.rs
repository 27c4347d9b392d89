//! Values with their origin, and the variables that most of them come from.

use std::collections::BTreeMap;

use crate::error::Error;

/// A value and where it came from.
#[derive(Debug, Clone)]
pub(crate) struct Sourced<T> {
    pub(crate) value: T,
    pub(crate) origin: String,
}

impl<T> Sourced<T> {
    pub(crate) fn default(value: T) -> Self {
        Self { value, origin: "default".to_owned() }
    }

    pub(crate) fn pair((value, origin): (T, String)) -> Self {
        Self { value, origin }
    }
}

/// Variables; an empty one is not set.
pub(crate) struct Vars<'a>(pub(crate) &'a BTreeMap<String, String>);

impl Vars<'_> {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub(crate) fn first(&self, names: &[&str]) -> Option<Sourced<String>> {
        names.iter().find_map(|name| {
            let value = self.get(name)?.to_owned();
            Some(Sourced { value, origin: (*name).to_owned() })
        })
    }

    pub(crate) fn flag(&self, name: &str) -> Result<Sourced<bool>, Error> {
        let Some(text) = self.get(name) else { return Ok(Sourced::default(false)) };
        let value = match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => true,
            "false" | "0" | "no" | "off" => false,
            _ => return Err(unusable(name, "true or false", text)),
        };
        Ok(Sourced { value, origin: name.to_owned() })
    }
}

pub(crate) fn unusable(name: &str, expected: &str, found: &str) -> Error {
    Error::Setting { name: name.to_owned(), expected: expected.to_owned(), found: found.to_owned() }
}
