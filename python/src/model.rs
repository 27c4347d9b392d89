//! The model as Python has it.
#![expect(clippy::disallowed_methods, reason = "a bundle is in a folder")]

use std::path::PathBuf;
use std::sync::OnceLock;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};
use scorer::{FEATURES_FILE, IN_FLIGHT_FOLDER, Parts, Scorer};
use serde_json::Value;
use terms::FeatureKind;

use crate::arrow_capsules::{Table, batches_of};
use crate::errors::{self, BundleError, DataError};
use crate::explanation::{Explanation, explanations};
use crate::forecast::Forecast;
use crate::frame::{TableError, predictions};
use crate::row;
use crate::thread_pool::thread_pool;

/// A feature as Python has it: name, kind, levels (none of a number), meaning, unit.
type FeatureTuple = (String, &'static str, Option<Vec<String>>, Option<String>, Option<String>);

/// What is added to the raw scores of an ensemble, as Python has it: its name, the expected ones, and the
/// bytes of doubles.
type ExplainedEnsemble<'py> = (String, Vec<f64>, Bound<'py, PyBytes>);

/// A published model that is loaded. It is never changed, so that threads may share it.
#[pyclass(frozen, module = "longhaul._native")]
pub(crate) struct Model {
    scorer: Scorer,
    /// The bundle, of which is read again what only explanations need.
    folder: PathBuf,
    /// Whether it is the model of what is in flight.
    in_flight: bool,
    /// What is explained; read when it is first needed.
    parts: OnceLock<Parts>,
    names: Vec<Py<PyString>>,
    /// The file of the features, which says more of them than the scorer reads.
    described: Value,
}

impl From<TableError> for PyErr {
    fn from(error: TableError) -> Self {
        match error {
            TableError::Columns(problem) => DataError::new_err(problem),
            TableError::Rows(error) => errors::of_rows(&error),
            TableError::Arrow(error) => errors::of_table(&error),
        }
    }
}

impl Model {
    /// The trees as they grew, from the folder that the model was loaded from.
    fn parts(&self) -> PyResult<&Parts> {
        if let Some(parts) = self.parts.get() {
            return Ok(parts);
        }
        let load = if self.in_flight { Parts::load_in_flight } else { Parts::load };
        let (parts, found) = load(&self.folder).map_err(|error| errors::of_bundle(&error))?;
        let expected = self.scorer.model_id();
        if found != expected {
            let folder = self.folder.display();
            return Err(BundleError::new_err(format!(
                "{folder}: expected model {expected}, which was loaded from there, found {found}; \
                 load the model again"
            )));
        }
        Ok(self.parts.get_or_init(|| parts))
    }
}

#[pymethods]
impl Model {
    /// Loads the model of orders, or that of what is in flight, of the bundle in a folder.
    #[new]
    fn new(py: Python<'_>, folder: PathBuf, in_flight: bool) -> PyResult<Self> {
        let (scorer, described) = py
            .detach(|| {
                let load = if in_flight { Scorer::load_in_flight } else { Scorer::load };
                let scorer = load(&folder)?;
                let within = if in_flight { IN_FLIGHT_FOLDER } else { "" };
                // The scorer has read it, and held it to the manifest.
                let described = folder.join(within).join(FEATURES_FILE);
                let described = std::fs::read(described).unwrap_or_default();
                Ok((scorer, serde_json::from_slice(&described).unwrap_or_default()))
            })
            .map_err(|error| errors::of_bundle(&error))?;
        let names =
            scorer.features().0.iter().map(|feature| PyString::new(py, &feature.name).unbind());
        // Explanations read it again, whatever the working directory is by then.
        let folder = std::path::absolute(&folder).unwrap_or(folder);
        Ok(Self {
            names: names.collect(),
            scorer,
            folder,
            in_flight,
            parts: OnceLock::new(),
            described,
        })
    }

    /// The model's id.
    #[getter]
    fn model_id(&self) -> &str {
        self.scorer.model_id()
    }

    /// Of each feature name, kind, levels, meaning and unit, in the order of a row.
    fn features(&self) -> Vec<FeatureTuple> {
        let features = self.scorer.features().0.iter().enumerate();
        let described = |at: usize, key: &str| -> Option<String> {
            self.described.get(at)?.get(key)?.as_str().map(str::to_owned)
        };
        features
            .map(|(at, feature)| {
                let (kind, levels) = match &feature.kind {
                    FeatureKind::Numeric => ("numeric", None),
                    FeatureKind::Categorical { levels } => ("categorical", Some(levels.clone())),
                };
                let (meaning, unit) = (described(at, "meaning"), described(at, "unit"));
                (feature.name.clone(), kind, levels, meaning, unit)
            })
            .collect()
    }

    /// The predictions of a table's rows.
    fn predict(&self, py: Python<'_>, table: &Bound<'_, PyAny>) -> PyResult<Table> {
        let (batches, pool) = (batches_of(table)?, thread_pool(py)?);
        let predicted = py.detach(|| pool.install(|| predictions(&self.scorer, batches)))?;
        Ok(Table::new(predicted))
    }

    /// The forecast of one row.
    fn predict_row(&self, row: &Bound<'_, PyDict>) -> PyResult<Forecast> {
        let values = row::values(&self.scorer, &self.names, row)?;
        Ok(Forecast::new(self.scorer.score_row(&values)))
    }

    /// Of each ensemble its name, the expected raw scores, and what each feature adds to them: the bytes
    /// of doubles, rows x features x outputs.
    fn explain<'py>(
        &self,
        py: Python<'py>,
        table: &Bound<'py, PyAny>,
    ) -> PyResult<Vec<ExplainedEnsemble<'py>>> {
        let (batches, pool) = (batches_of(table)?, thread_pool(py)?);
        let explained = py.detach(|| -> PyResult<_> {
            let model = (&self.scorer, self.parts()?);
            Ok(pool.install(|| explanations(model, batches))?)
        })?;
        let of_ensemble = |Explanation { part, expected, values }: Explanation| {
            let bytes = PyBytes::new_with(py, values.len() * size_of::<f64>(), |bytes| {
                for (bytes, value) in bytes.as_chunks_mut().0.iter_mut().zip(&values) {
                    *bytes = value.to_ne_bytes();
                }
                Ok(())
            });
            Ok((part, expected, bytes?))
        };
        explained.into_iter().map(of_ensemble).collect()
    }
}
