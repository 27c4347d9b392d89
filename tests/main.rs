//! The whole-system tests: the real program on real stores.

/// Bad input: one clear message, its exit code, and a store that is as it was.
mod bad_input;
/// Each kind of rule broken, and all that is said about it.
mod broken;
/// Contracts by themselves: their page, and what changed from one to another.
mod contracts;
/// A small world from simulate to score, by hand and at once; reruns, and the same bytes.
mod flow;
/// The import that the guide writes down, with its odd files.
mod guide;
/// Killed at any moment, a rerun finishes the job with the same bytes.
mod kills;
/// Which crate may use which.
mod layering;
/// What happens after the as-of changes nothing before it.
mod leakage;
/// Night after night the check reads what is new.
mod nightly_check;
/// One night after the other, from the state of the one before: the same as a build from nothing.
mod nights;
/// Real orders, where they are at hand.
mod olist;
/// Every shipped pipeline and declaration resolves; the command line is consistent.
mod pipelines;
/// A look into quarantine, and the way back out of it.
mod quarantine;
/// The same over S3, and what a wrong bucket, secret or endpoint says.
mod s3;

/// Runs the program and reads what it leaves.
mod program;
