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

    /// Refuses a text that is far too long or deep for a contract: its parser would take minutes or
    /// the whole stack.
    pub(super) fn require_shallow(&self) -> Result<(), Error> {
        const BYTES_MAX: usize = 1 << 20;
        const INDENT_MAX: usize = 200;
        const OPEN_MAX: usize = 32;
        let length = self.text.len();
        if length > BYTES_MAX {
            let expected = format!("at most {BYTES_MAX} bytes");
            return Err(self.refuse("text", expected, length.to_string()));
        }
        for (number, line) in self.text.lines().enumerate() {
            // "- - - a" is as deep as it has dashes; aliases repeat what may be long.
            let content = line.trim_start_matches([' ', '-', '?', '\t']);
            let indent = line.len() - content.len();
            if indent > INDENT_MAX {
                let element = format!("line {}", number + 1);
                let expected = format!("an indent of at most {INDENT_MAX}");
                return Err(self.refuse(element, expected, indent.to_string()));
            }
        }
        let mut open = 0_usize;
        for byte in self.text.bytes() {
            match byte {
                b'[' | b'{' => open += 1,
                b']' | b'}' => open = open.saturating_sub(1),
                _ => {}
            }
            if open > OPEN_MAX {
                let expected = format!("at most {OPEN_MAX} brackets within each other");
                return Err(self.refuse("text", expected, "more"));
            }
        }
        Ok(())
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
