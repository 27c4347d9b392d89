//! The text of a contract and what names it, from which errors say where something is wrong.

use serde_yaml_ng::Value;

use crate::contract::rule::OnViolation;
use crate::error::Error;

/// The text of a contract.
pub(super) struct SourceText<'a> {
    /// What names it in messages, usually a path.
    pub(super) origin: &'a str,
    pub(super) text: &'a str,
}

impl SourceText<'_> {
    /// The error that `element` of the contract is not as it must be.
    pub(super) fn refuse(
        &self,
        element: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Error {
        Error::Contract {
            contract: self.origin.to_owned(),
            element: element.into(),
            expected: expected.into(),
            found: found.into(),
        }
    }

    /// The origin and the line that declares a column.
    pub(super) fn declaration_of(&self, column: &str) -> String {
        let columns = self.text.lines().enumerate().skip_while(|(_, line)| {
            // The `properties` among a rule's arguments are not alone on their line.
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

    /// What happens on a violation, as the value of a custom property says.
    pub(super) fn on_violation(&self, element: &str, value: &Value) -> Result<OnViolation, Error> {
        serde_yaml_ng::from_value(value.clone()).map_err(|_| {
            let expected = "onViolation: fail, quarantine, drop or warn";
            self.refuse(element, expected, format!("{value:?}"))
        })
    }
}
