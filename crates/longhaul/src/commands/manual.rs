//! The commands `man` and `completions`: generated from the definition of the flags.

use anyhow::Result;
use clap::CommandFactory;
use serde_json::json;

use crate::command_output::envelope;
use crate::flags::Flags;
use crate::report::Reporter;

/// Prints a completion script.
pub(crate) fn completions(shell: clap_complete::Shell, reporter: &Reporter) {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Flags::command(), "longhaul", &mut script);
    let script = String::from_utf8_lossy(&script);
    let result = json!({ "shell": shell.to_string(), "script": script });
    reporter.result(&envelope("completions", result), || script.trim_end().to_owned());
}

/// Prints the manual page.
///
/// # Errors
/// If it cannot be made.
pub(crate) fn page(reporter: &Reporter) -> Result<()> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Flags::command()).render(&mut page)?;
    let page = String::from_utf8_lossy(&page);
    reporter.result(&envelope("man", json!({ "page": page })), || page.trim_end().to_owned());
    Ok(())
}
