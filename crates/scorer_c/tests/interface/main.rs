//! The functions as C calls them, and the example in C, on a generated bundle.
#![expect(clippy::disallowed_methods, reason = "tests write bundles and run a compiler")]

mod bundle;
mod example;
mod functions;
mod speed_table;
