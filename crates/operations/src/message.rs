//! What a webhook is sent of a run that did not end with 0.

use serde_json::{Value, json};

use crate::record::{RunRecord, Status};

/// The body of a message about a run. `text` is what chat services show (Slack, Mattermost and others
/// that take the same body); the rest is for programs.
pub fn message(record: &RunRecord) -> Value {
    let verb = match record.status {
        Status::Refused => "refused its model",
        Status::Interrupted => "was interrupted",
        Status::Failed | Status::Running | Status::Succeeded => "failed",
    };
    let code = record.exit_code.map_or_else(String::new, |code| format!(" (exit code {code})"));
    let mut text = format!("longhaul {} as of {} {verb}{code}", record.pipeline, record.as_of);
    if let Some(error) = &record.error {
        text += &format!(": {}", error.message);
        if let Some(hint) = &error.hint {
            text += &format!("\n{hint}");
        }
    }
    text += &format!("\nlonghaul runs show {} --store {}", record.run_id, record.store);
    json!({
        "text": text,
        "run_id": record.run_id,
        "pipeline": record.pipeline,
        "as_of": record.as_of,
        "status": record.status,
        "exit_code": record.exit_code,
        "error": record.error,
        "host": record.host,
        "store": record.store,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::record;

    #[test]
    fn a_message_says_what_happened_why_and_where_to_look() {
        let record = record();
        let message = message(&record);
        let text = message["text"].as_str().expect("a text");
        let begins = "longhaul shop \"north\" as of 2026-11-21 refused its model (exit code 12): ";
        assert!(text.starts_with(begins), "{text}");
        for part in ["the champion stays", &format!("runs show {}", record.run_id)] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert_eq!(message["exit_code"], 12);
        assert_eq!(message["status"], "refused");
    }
}
