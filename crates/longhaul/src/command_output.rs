//! The output of a command that runs stages: text for people, JSON for programs.

use serde_json::{Value, json};

use crate::refusal::Refusal;

/// What a command prints, and how it ends.
pub(crate) struct CommandOutput {
    /// The result for programs, in its [`envelope`].
    pub(crate) json: Value,
    /// The result for people.
    pub(crate) text: String,
    /// A refusal that the command ends with after everything else was done.
    pub(crate) refused: Option<Refusal>,
}

/// The envelope of every `--json` result.
pub(crate) fn envelope(command: &str, result: Value) -> Value {
    json!({ "schema_version": 1, "command": command, "result": result })
}
