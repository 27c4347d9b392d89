//! The forecast of one row, and distributions as dictionaries.

use pyo3::prelude::*;
use pyo3::types::PyDict;
use scorer::Distribution;
use terms::{LEVELS, MEDIAN};

/// The forecast of one row: quantiles and probabilities of its delivery time.
#[pyclass(frozen, module = "longhaul")]
pub(crate) struct Forecast {
    distribution: Distribution,
}

impl Forecast {
    pub(crate) fn new(distribution: Distribution) -> Self {
        Self { distribution }
    }
}

#[pymethods]
impl Forecast {
    /// The probability that delivery takes more than two days from the order.
    #[getter]
    fn probability_over_2d(&self) -> f32 {
        self.distribution.probability_over_2d
    }

    /// Quantiles of delivery time by their level, in hours from the order, ascending.
    #[getter]
    fn hours<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        by_level(py, &self.distribution)
    }

    /// The probability of delivery within so many days from the order, by the days.
    #[getter]
    fn probability_by_day<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        by_day(py, &self.distribution)
    }

    fn __repr__(&self) -> String {
        let Distribution { probability_over_2d, hours, .. } = &self.distribution;
        let (first, last) = (hours[0], hours[hours.len() - 1]);
        let median = hours[MEDIAN];
        format!(
            "<longhaul.Forecast: median {median:.1} hours, 90% from {first:.1} to {last:.1}, \
             P(over 2 days) {probability_over_2d:.3}>"
        )
    }
}

/// Quantiles by their level.
pub(crate) fn by_level<'py>(
    py: Python<'py>,
    distribution: &Distribution,
) -> PyResult<Bound<'py, PyDict>> {
    let hours = PyDict::new(py);
    for (level, value) in LEVELS.into_iter().zip(distribution.hours) {
        hours.set_item(level, value)?;
    }
    Ok(hours)
}

/// Probabilities of delivery by their days.
pub(crate) fn by_day<'py>(
    py: Python<'py>,
    distribution: &Distribution,
) -> PyResult<Bound<'py, PyDict>> {
    let probabilities = PyDict::new(py);
    for (point, probability) in distribution.by_day.iter().enumerate() {
        probabilities.set_item(distribution.days.day(point), probability)?;
    }
    Ok(probabilities)
}
