//! Reporting: progress and errors on stderr, results on stdout. The only place of the program that
//! prints, but for commands whose result is a document or rows.

use std::fmt::Display;
use std::io::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use crate::diagnosis::Diagnosis;
use crate::exit_code::ExitCode;
use crate::flags::{Global, LogFormat};
use crate::refusal::Refusal;

/// Prints progress and errors for people or for log collectors on stderr, results on stdout.
pub(crate) struct Reporter {
    json: bool,
    quiet: bool,
    format: LogFormat,
    /// Hidden by itself where stderr is no terminal.
    bar: ProgressBar,
    /// The result as JSON, which is printed at the end: an error that follows is part of it.
    kept: Mutex<Option<Value>>,
    /// Why a result could not be written.
    lost: Mutex<Option<std::io::Error>>,
}

#[expect(clippy::print_stderr, reason = "this is where the program prints")]
impl Reporter {
    /// A reporter in the format of the flags.
    pub(crate) fn new(global: &Global) -> Self {
        let bar = ProgressBar::new_spinner();
        bar.set_style(style(SPINNER));
        if global.quiet || global.log_format == LogFormat::Json {
            bar.set_draw_target(indicatif::ProgressDrawTarget::hidden());
        }
        Self {
            json: global.json,
            quiet: global.quiet,
            format: global.log_format,
            bar,
            kept: Mutex::new(None),
            lost: Mutex::new(None),
        }
    }

    /// A stage begins: from now on its own time is shown.
    pub(crate) fn started(&self, stage: &str) {
        self.spin(stage.to_owned());
        self.bar.reset_elapsed();
    }

    fn spin(&self, what: String) {
        self.bar.set_style(style(SPINNER));
        self.bar.unset_length();
        self.bar.set_message(what);
        self.bar.enable_steady_tick(Duration::from_millis(120));
    }

    /// So much of so much is done, of something that is counted in `unit`. Only a terminal shows it,
    /// with the rate and the time that is left.
    pub(crate) fn advance(&self, what: &str, (done, total): (u64, u64), unit: &str) {
        if self.bar.is_hidden() {
            return;
        }
        if self.bar.length() != Some(total)
            || self.bar.message() != what
            || done < self.bar.position()
        {
            self.bar.set_style(style(&COUNTER.replace("{unit}", unit)));
            self.bar.set_length(total);
            self.bar.set_message(what.to_owned());
            self.bar.reset_eta();
        }
        self.bar.set_position(done);
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
                "{stage:<9}skipped    same data, settings, code and as-of were done before: {id}"
            )),
        }
    }

    /// A line worth reading.
    pub(crate) fn note(&self, text: &str) {
        match self.format {
            LogFormat::Json => tracing::info!("{text}"),
            LogFormat::Text => self.line(text),
        }
    }

    /// A line about something that is not as it should be, and does not end the run.
    pub(crate) fn warn(&self, text: &str) {
        match self.format {
            LogFormat::Json => tracing::warn!("{text}"),
            LogFormat::Text => self.line(&format!("warning: {text}")),
        }
    }

    /// A run begins: log lines name it.
    pub(crate) fn begin_run(&self, run_id: &str) {
        crate::logs::name_run(run_id);
    }

    /// The progress of a long computation.
    pub(crate) fn progress(&self, text: String) {
        if self.bar.is_hidden() {
            self.note(&text);
        } else {
            self.spin(text);
        }
    }

    fn line(&self, text: &str) {
        if !self.quiet {
            self.bar.suspend(|| eprintln!("{text}"));
        }
    }

    /// Whether the result is JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// The result: `value` with `--json`, else the text of `people`.
    pub(crate) fn result(&self, value: &Value, people: impl FnOnce() -> String) {
        self.bar.finish_and_clear();
        if self.json {
            *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(value.clone());
        } else {
            self.print(&people());
        }
    }

    fn print(&self, text: &str) {
        self.rows(format!("{text}\n").as_bytes());
    }

    /// Rows of a result that is printed some at a time; says whether more are wanted.
    #[expect(clippy::disallowed_methods, reason = "this is where the program prints")]
    pub(crate) fn rows(&self, text: &[u8]) -> bool {
        let mut stdout = std::io::stdout();
        match stdout.write_all(text).and_then(|()| stdout.flush()) {
            Ok(()) => return true,
            // The reader has read enough.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
            Err(error) => *self.lost.lock().unwrap_or_else(PoisonError::into_inner) = Some(error),
        }
        false
    }

    /// A document for programs of something that people are told as an error.
    pub(crate) fn document(&self, value: &Value) {
        if self.json {
            self.result(value, String::new);
        }
    }

    fn print_json(&self, document: &Value) {
        self.print(&serde_json::to_string_pretty(document).unwrap_or_default());
    }

    fn take_kept(&self) -> Option<Value> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Ends a command that is done, with its result.
    ///
    /// # Errors
    /// If it could not be written.
    pub(crate) fn delivered(&self) -> Result<(), Refusal> {
        if let Some(document) = self.take_kept() {
            self.print_json(&document);
        }
        let lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner).take();
        lost.map_or(Ok(()), |source| Err(Refusal::OutputLost { source }))
    }

    /// Ends a command with an error, its causes and a hint. As JSON it stands beside the result, if
    /// there is one. Returns the exit code.
    pub(crate) fn failed(&self, error: &anyhow::Error) -> ExitCode {
        self.bar.finish_and_clear();
        let diagnosis = Diagnosis::of(error);
        let Diagnosis { message, hint, exit_code } = &diagnosis;
        let (exit_code, code) = (*exit_code, exit_code.number());
        if self.format == LogFormat::Json {
            tracing::error!(exit_code = code, hint, "{message}");
        } else {
            eprintln!("error: {message}");
            if let Some(hint) = hint {
                eprintln!("\nhint: {hint}");
            }
        }
        if self.json {
            let no_result = || serde_json::json!({ "schema_version": 1 });
            let mut document = self.take_kept().unwrap_or_else(no_result);
            document["error"] = diagnosis.json();
            self.print_json(&document);
        }
        exit_code
    }
}

/// Ends the program because its command line is wrong, or only says help or version.
#[expect(clippy::print_stdout, reason = "this is where the program prints")]
pub(crate) fn wrong_usage(error: &clap::Error, is_json: bool) -> ! {
    if is_json && error.use_stderr() {
        let exit_code = ExitCode::Usage.number();
        let (message, hint) = (error.to_string(), Value::Null);
        let document = serde_json::json!({
            "schema_version": 1,
            "error": { "message": message.trim(), "hint": hint, "exit_code": exit_code },
        });
        println!("{}", serde_json::to_string_pretty(&document).unwrap_or_default());
    }
    error.exit()
}

/// What is shown of something that is not counted.
const SPINNER: &str = "{spinner} {msg} {elapsed}";
/// What is shown of something that is: `{unit}` is what is counted.
const COUNTER: &str =
    "{spinner} {msg} {bar:20} {pos} of {len} {unit}, {per_sec}, {eta} left, {elapsed}";

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

/// A plain table: columns of numbers are right-aligned, all others left-aligned.
pub(crate) fn table<C: Display>(header: &[&str], rows: &[Vec<C>]) -> String {
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(ToString::to_string).collect()).collect();
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(header);
    for row in &rows {
        table.add_row(row);
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        let mut cells = rows.iter().filter_map(|row| row.get(index));
        if index > 0 && cells.all(|cell| is_number(cell)) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// Whether a cell holds a number, with its unit or without, or nothing.
fn is_number(cell: &str) -> bool {
    let unit = cell.trim_start_matches(|c: char| c.is_ascii_digit() || "+-.,".contains(c)).trim();
    matches!(unit, "" | "%" | "s" | "d" | "MiB")
}
