//! One row, given as a dictionary.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFloat, PyString};
use scorer::Scorer;
use terms::Feature;

use crate::errors::DataError;
use crate::frame::missing_features;

/// The values of a row, in the order of the features. `names` are those of the features.
///
/// # Errors
/// If keys are missing, all of which are named, or values are of another type, all of which are named.
pub(crate) fn values(
    scorer: &Scorer,
    names: &[Py<PyString>],
    row: &Bound<'_, PyDict>,
) -> PyResult<Vec<f32>> {
    let py = row.py();
    let features = &scorer.features().0;
    let mut values = Vec::with_capacity(features.len());
    let (mut missing, mut problems) = (Vec::new(), Vec::new());
    for (feature, name) in features.iter().zip(names) {
        match row.get_item(name.bind(py))? {
            None => missing.push(feature),
            Some(given) => match value(feature, &given) {
                Some(value) => values.push(value),
                None => problems.push(problem(feature, &given)),
            },
        }
    }
    if !missing.is_empty() {
        return Err(DataError::new_err(missing_features(&missing, "key")));
    }
    if !problems.is_empty() {
        return Err(DataError::new_err(problems.join("; ")));
    }
    Ok(values)
}

/// A value as a number of the row; nothing if it is none.
fn value(feature: &Feature, given: &Bound<'_, PyAny>) -> Option<f32> {
    if given.is_none() {
        return Some(f32::NAN);
    }
    let text = given.cast::<PyString>();
    if feature.is_categorical() {
        let is_nan =
            || given.cast::<PyFloat>().is_ok_and(|number| number.extract().is_ok_and(f64::is_nan));
        return match text {
            Ok(text) => text.to_str().ok().map(|text| feature.code(text)),
            // What pandas has where a text is missing.
            Err(_) => is_nan().then_some(f32::NAN),
        };
    }
    if text.is_ok() {
        return None;
    }
    // As a column of numbers is rounded.
    given.extract::<f64>().ok().map(|number| number as f32)
}

fn problem(feature: &Feature, given: &Bound<'_, PyAny>) -> String {
    let expected = if feature.is_categorical() { "text or None" } else { "a number or None" };
    let found =
        given.repr().map_or_else(|_| "what cannot be printed".to_owned(), |text| text.to_string());
    let kind = given.get_type().name().map_or_else(|_| String::new(), |name| format!(" ({name})"));
    format!("key {:?}: expected {expected}, found {found}{kind}", feature.name)
}
