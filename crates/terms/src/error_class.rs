//! What kind of thing went wrong.

/// The kind of an error, the same for every crate. What a program makes of it (an exit code, a
/// retry) is the program's to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// Data that is there is not as its contract or its format says.
    Contract,
    /// Data that is needed is not there, or not there yet.
    Input,
    /// A model or a proof did not pass, and everything else did.
    Gate,
    /// The store did not do what was asked of it, retries included.
    Storage,
    /// Another run holds what this one needs.
    Locked,
    /// A setting, a declaration or a contract that makes no sense.
    Configuration,
    /// A command that was put wrongly.
    Usage,
    /// None of these: a fault of the program.
    Internal,
}
