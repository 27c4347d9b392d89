//! The commands `man` and `completions`: generated from the definition of the flags.
#![expect(clippy::disallowed_methods, reason = "the results are documents on stdout")]

use anyhow::Result;
use clap::CommandFactory;

use crate::flags::Flags;

/// Prints a completion script.
pub(crate) fn completions(shell: clap_complete::Shell) {
    clap_complete::generate(shell, &mut Flags::command(), "longhaul", &mut std::io::stdout());
}

/// Prints the manual page.
///
/// # Errors
/// If stdout cannot be written.
pub(crate) fn page() -> Result<()> {
    Ok(clap_mangen::Man::new(Flags::command()).render(&mut std::io::stdout())?)
}
