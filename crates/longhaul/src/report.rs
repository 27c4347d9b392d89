//! How it goes and how it ended: the only place that prints, and that chooses the exit code.

use std::fmt::Display;
use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;
use terms::ErrorClass;

use crate::flags::{Global, LogFormat};
use crate::refusal::Refusal;

/// Lines for people and for log collectors, on stderr; results on stdout.
pub(crate) struct Reporter {
    json: bool,
    quiet: bool,
    format: LogFormat,
    /// Hidden by itself where stderr is no terminal.
    bar: ProgressBar,
}

#[expect(clippy::print_stderr, clippy::print_stdout, reason = "this is where the program prints")]
impl Reporter {
    /// As the flags say.
    pub(crate) fn new(global: &Global) -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
            bar.set_style(style);
        }
        if global.quiet || global.log_format == LogFormat::Json {
            bar.set_draw_target(indicatif::ProgressDrawTarget::hidden());
        }
        Self { json: global.json, quiet: global.quiet, format: global.log_format, bar }
    }

    /// A stage begins.
    pub(crate) fn started(&self, stage: &str) {
        self.bar.set_message(stage.to_owned());
        self.bar.enable_steady_tick(Duration::from_millis(120));
    }

    /// A stage is done.
    pub(crate) fn finished(&self, stage: &str, took: Duration, line: &str) {
        self.bar.disable_steady_tick();
        match self.format {
            LogFormat::Json => {
                tracing::info!(stage, seconds = took.as_secs_f64(), "{line}");
            }
            LogFormat::Text => {
                self.line(&format!("{stage:<9}{:>7.1} s  {line}", took.as_secs_f64()))
            }
        }
    }

    /// A stage was done before.
    pub(crate) fn skipped(&self, stage: &str, id: &str) {
        match self.format {
            LogFormat::Json => tracing::info!(stage, id, "skipped: done before"),
            LogFormat::Text => self.line(&format!(
                "{stage:<9}skipped    same data, settings, code and as-of were done as run {id}"
            )),
        }
    }

    /// Something worth a line.
    pub(crate) fn note(&self, text: &str) {
        match self.format {
            LogFormat::Json => tracing::info!("{text}"),
            LogFormat::Text => self.line(text),
        }
    }

    /// How far something long is.
    pub(crate) fn progress(&self, text: String) {
        self.bar.enable_steady_tick(Duration::from_millis(120));
        if self.bar.is_hidden() {
            self.note(&text);
        } else {
            self.bar.set_message(text);
        }
    }

    fn line(&self, text: &str) {
        if !self.quiet {
            self.bar.suspend(|| eprintln!("{text}"));
        }
    }

    /// The result: JSON for programs, or what `people` makes.
    pub(crate) fn result(&self, value: &Value, people: impl FnOnce() -> String) {
        self.bar.finish_and_clear();
        let text = if self.json {
            serde_json::to_string_pretty(value).unwrap_or_default()
        } else {
            people()
        };
        // A reader that closed the pipe early has seen enough.
        let _ = std::io::Write::write_all(&mut std::io::stdout(), format!("{text}\n").as_bytes());
    }

    /// An error, its causes and the way out. Gives the exit code.
    pub(crate) fn failed(&self, error: &anyhow::Error) -> u8 {
        self.bar.finish_and_clear();
        let code = exit_code(error);
        let mut causes: Vec<String> = error.chain().map(ToString::to_string).collect();
        causes.dedup();
        let message = causes.join(": ");
        let hint = hint(error);
        if self.format == LogFormat::Json {
            tracing::error!(exit_code = code, hint, "{message}");
        } else {
            eprintln!("error: {message}");
            if let Some(hint) = &hint {
                eprintln!("\nhint: {hint}");
            }
        }
        if self.json {
            let value = serde_json::json!({
                "schema_version": 1,
                "error": { "message": message, "hint": hint, "exit_code": code },
            });
            println!("{}", serde_json::to_string_pretty(&value).unwrap_or_default());
        }
        code
    }
}

/// What the crate of an error in the chain says of it: its class and a hint.
fn verdict(cause: &(dyn std::error::Error + 'static)) -> Option<(ErrorClass, Option<String>)> {
    macro_rules! first_of {
        ($($error:ty),* $(,)?) => {
            $(if let Some(error) = cause.downcast_ref::<$error>() {
                return Some((error.class(), error.hint()));
            })*
        };
    }
    first_of!(
        Refusal,
        store::Error,
        intake::Error,
        features::Error,
        learn::Error,
        evaluate::Error,
        scorer::Error,
        artifact::Error,
        simulate::Error,
    );
    None
}

/// The exit code of an error: that of the first class in its chain, else 1.
pub(crate) fn exit_code(error: &anyhow::Error) -> u8 {
    let class = error.chain().find_map(verdict).map_or(ErrorClass::Internal, |(class, _)| class);
    code_of(class)
}

/// What a scheduler sees of each class of error.
fn code_of(class: ErrorClass) -> u8 {
    match class {
        ErrorClass::Internal => 1,
        ErrorClass::Usage => 2,
        ErrorClass::Contract => 10,
        ErrorClass::Input => 11,
        ErrorClass::Gate => 12,
        ErrorClass::Storage => 20,
        ErrorClass::Locked => 21,
        ErrorClass::Configuration => 30,
    }
}

fn hint(error: &anyhow::Error) -> Option<String> {
    error.chain().find_map(|cause| verdict(cause).and_then(|(_, hint)| hint))
}

/// A plain table; the first column is left-aligned, numbers are right-aligned.
pub(crate) fn table<C: Display>(header: &[&str], rows: &[Vec<C>]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(header);
    for row in rows {
        table.add_row(row.iter().map(ToString::to_string));
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if index > 0 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// A count with thousands separators.
pub(crate) fn count(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_readable() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1,234,567");
    }
}
