//! Environment variables as the binary passes them in, and values that remember where they came from.

use std::collections::BTreeMap;

use crate::error::Error;

/// The value of a setting and where it came from: a variable, a file, or the default.
#[derive(Debug, Clone)]
pub(crate) struct WithOrigin<T> {
    pub(crate) value: T,
    pub(crate) origin: String,
}

impl<T> WithOrigin<T> {
    pub(crate) fn default(value: T) -> Self {
        Self { value, origin: "default".to_owned() }
    }

    pub(crate) fn from_pair((value, origin): (T, String)) -> Self {
        Self { value, origin }
    }
}

/// Environment variables by name; an empty one counts as not set.
pub(crate) struct Variables<'a>(pub(crate) &'a BTreeMap<String, String>);

impl Variables<'_> {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The first of `names` that is set.
    pub(crate) fn first(&self, names: &[&str]) -> Option<WithOrigin<String>> {
        names.iter().find_map(|name| {
            let value = self.get(name)?.to_owned();
            Some(WithOrigin { value, origin: (*name).to_owned() })
        })
    }

    /// A boolean; false if it is not set.
    pub(crate) fn flag(&self, name: &str) -> Result<WithOrigin<bool>, Error> {
        let Some(text) = self.get(name) else { return Ok(WithOrigin::default(false)) };
        let value = match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => true,
            "false" | "0" | "no" | "off" => false,
            _ => return Err(unusable(name, "true or false", text)),
        };
        Ok(WithOrigin { value, origin: name.to_owned() })
    }
}

pub(crate) fn unusable(name: &str, expected: &str, found: &str) -> Error {
    Error::Setting { name: name.to_owned(), expected: expected.to_owned(), found: found.to_owned() }
}
