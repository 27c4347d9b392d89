//! Quarantine: copies of bad rows, explanations of why they are bad, and releases of rows that a
//! person found to be good.

pub(crate) mod copies;
pub(crate) mod explanation;
pub(crate) mod release;
