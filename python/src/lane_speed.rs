//! What a speed table says of a lane, as Python has it.

use pyo3::prelude::*;
use pyo3::types::PyDict;
use scorer::{Distribution, LaneGrouping};
use terms::MEDIAN;

use crate::forecast::{by_day, by_level};

/// How fast a lane delivers.
#[pyclass(frozen, module = "longhaul")]
pub(crate) struct LaneSpeed {
    grouping: LaneGrouping,
    n_shipments: u32,
    distribution: Distribution,
}

impl LaneSpeed {
    pub(crate) fn new(speed: scorer::LaneSpeed<'_>) -> Self {
        Self {
            grouping: speed.grouping(),
            n_shipments: speed.n_shipments(),
            distribution: speed.distribution(),
        }
    }
}

#[pymethods]
impl LaneSpeed {
    /// By which columns the row is grouped, such as "origin_region, destination_region"; "all" of all
    /// shipments.
    #[getter]
    fn grouping(&self) -> String {
        self.grouping.name()
    }

    /// Of how many shipments the row is.
    #[getter]
    fn n_shipments(&self) -> u32 {
        self.n_shipments
    }

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

    /// The probability of delivery within so many hours of the order.
    fn probability_within(&self, hours: f64) -> f64 {
        self.distribution.probability_within(hours)
    }

    /// The probability of delivery by the end of a date, or by a moment.
    #[pyo3(signature = (by, *, ordered_at))]
    fn probability_by(
        &self,
        by: &Bound<'_, PyAny>,
        ordered_at: &Bound<'_, PyAny>,
    ) -> PyResult<f64> {
        let moments = by.py().import("longhaul._moments")?;
        let hours = moments.call_method1("hours_until", (by, ordered_at))?;
        Ok(self.probability_within(hours.extract()?))
    }

    /// Whether the probability of delivery within so many hours of the order is at least `probability`.
    fn arrives_within(&self, hours: f64, probability: f64) -> bool {
        self.probability_within(hours) >= probability
    }

    /// Whether the probability of delivery within two days of the order is at least `probability`.
    fn can_be_delivered_quickly(&self, probability: f64) -> bool {
        1.0 - f64::from(self.distribution.probability_over_2d) >= probability
    }

    fn __repr__(&self) -> String {
        let Distribution { probability_over_2d, hours, .. } = &self.distribution;
        format!(
            "<longhaul.LaneSpeed by {}: {} shipments, median {:.1} hours, P(over 2 days) \
             {probability_over_2d:.3}>",
            self.grouping, self.n_shipments, hours[MEDIAN]
        )
    }
}
