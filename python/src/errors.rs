//! What is raised: the exceptions are defined in Python (`longhaul/_errors.py`).

use arrow::error::ArrowError;
use pyo3::PyErr;

mod imported {
    pyo3::import_exception!(longhaul._errors, BundleError);
    pyo3::import_exception!(longhaul._errors, DataError);
    pyo3::import_exception!(longhaul._errors, SpeedTableError);
}
use imported::SpeedTableError;
pub(crate) use imported::{BundleError, DataError};

/// An error with its causes and what can be done about it, as one line.
fn text(error: &scorer::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    error.hint().map_or(text.clone(), |hint| format!("{text}; {hint}"))
}

/// Of a model that cannot be loaded.
pub(crate) fn of_bundle(error: &scorer::Error) -> PyErr {
    BundleError::new_err(text(error))
}

/// Of a speed table that cannot be opened.
pub(crate) fn of_speed_table(error: &scorer::Error) -> PyErr {
    SpeedTableError::new_err(text(error))
}

/// Of rows that cannot be scored.
pub(crate) fn of_rows(error: &scorer::Error) -> PyErr {
    DataError::new_err(text(error))
}

/// Of a table that cannot be read.
pub(crate) fn of_table(error: &ArrowError) -> PyErr {
    DataError::new_err(format!("the table cannot be read: {error}"))
}
