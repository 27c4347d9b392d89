//! Exit codes: the one table from the class of an error to what a scheduler sees.

use terms::ErrorClass;

/// How a failed program ends; success is 0. The numbers are an interface for schedulers: they do
/// not change, and 13 (approval pending) is reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum ExitCode {
    /// An error that the program did not expect: a fault of its own.
    Unexpected = 1,
    /// The command line is wrong.
    Usage = 2,
    /// Data that is there breaks its contract or its format.
    ContractFailed = 10,
    /// Data that is needed is stale or missing.
    InputMissing = 11,
    /// A model did not pass the gates (the champion stays, and still scores), or a proof failed.
    GateRefused = 12,
    /// The storage failed, retries included; running again later may help.
    StorageFailed = 20,
    /// Another run holds what this one needs.
    LockHeld = 21,
    /// A setting, a declaration or a contract is wrong.
    Configuration = 30,
}

impl ExitCode {
    /// The number that the process ends with.
    pub(crate) fn number(self) -> u8 {
        self as u8
    }
}

impl From<ErrorClass> for ExitCode {
    fn from(class: ErrorClass) -> Self {
        match class {
            ErrorClass::Internal => Self::Unexpected,
            ErrorClass::Usage => Self::Usage,
            ErrorClass::Contract => Self::ContractFailed,
            ErrorClass::Input => Self::InputMissing,
            ErrorClass::Gate => Self::GateRefused,
            ErrorClass::Storage => Self::StorageFailed,
            ErrorClass::Locked => Self::LockHeld,
            ErrorClass::Configuration => Self::Configuration,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::flags::Flags;

    #[test]
    fn every_class_of_errors_has_the_exit_code_that_help_and_readme_document() {
        let help = Flags::command().get_after_help().expect("exit codes").to_string();
        let readme = include_str!("../../../README.md");
        for (class, documented) in [
            (ErrorClass::Internal, "1 unexpected"),
            (ErrorClass::Usage, "2 usage"),
            (ErrorClass::Contract, "10 contract failed"),
            (ErrorClass::Input, "11 input stale or missing"),
            (ErrorClass::Gate, "12 gate refused"),
            (ErrorClass::Storage, "20 storage failed after retries"),
            (ErrorClass::Locked, "21 lock held"),
            (ErrorClass::Configuration, "30 configuration"),
        ] {
            let number = ExitCode::from(class).number();
            assert!(documented.starts_with(&format!("{number} ")), "{class:?} is {number}");
            for text in [&help, readme] {
                assert!(text.contains(documented), "{documented:?} is not in: {text}");
            }
        }
    }
}
