//! The native part of the Python package `longhaul`: a published model, scoring and explaining tables
//! that come and go as Arrow, single rows, and the speed of lanes.
//!
//! What is here is what needs the scorer. What kind of table a caller has, and wants back, is a matter
//! of Python (`longhaul/_tables.py`); between both are the capsules of Arrow's C interface, so that no
//! number is copied to cross the border.
//!
//! The package says what was wrong by `longhaul.BundleError`, `longhaul.SpeedTableError` and
//! `longhaul.DataError`. Scoring works
//! without the interpreter's lock, on a pool of threads.

mod arrow_capsules;
mod errors;
mod explanation;
mod forecast;
mod frame;
mod lane_speed;
mod model;
mod row;
mod speed_table;
mod thread_pool;

/// The module `longhaul._native`.
#[pyo3::pymodule]
mod _native {
    #[pymodule_export]
    use crate::arrow_capsules::Table;
    #[pymodule_export]
    use crate::forecast::Forecast;
    #[pymodule_export]
    use crate::lane_speed::LaneSpeed;
    #[pymodule_export]
    use crate::model::Model;
    #[pymodule_export]
    use crate::speed_table::SpeedTable;

    /// The version of the package.
    #[pymodule_export]
    #[expect(non_upper_case_globals, reason = "the name that Python has for it")]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}
