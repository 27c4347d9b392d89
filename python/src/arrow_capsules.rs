//! Tables across the border by the capsules of Arrow's C interface: what a caller has is read where it
//! is, and what comes of it is handed over without a copy.
//!
//! Source: "The Arrow PyCapsule Interface", of the documentation of Apache Arrow's format.
#![expect(unsafe_code, reason = "a capsule holds a pointer, whose type only its name tells")]

use std::ffi::CStr;

use arrow::array::{Array, RecordBatch, RecordBatchIterator, StructArray};
use arrow::ffi::to_ffi;
use arrow::ffi_stream::{ArrowArrayStreamReader, FFI_ArrowArrayStream};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

use crate::errors;

const STREAM: &CStr = c"arrow_array_stream";
const SCHEMA: &CStr = c"arrow_schema";
const ARRAY: &CStr = c"arrow_array";

/// The batches of a table.
///
/// # Errors
/// If it is no table, or not of columns with names.
pub(crate) fn batches_of(table: &Bound<'_, PyAny>) -> PyResult<ArrowArrayStreamReader> {
    let export = table.getattr("__arrow_c_stream__").map_err(|_| {
        let found = table.get_type();
        PyTypeError::new_err(format!(
            "expected a table of pandas, Polars or pyarrow, or another with __arrow_c_stream__, found {found}"
        ))
    })?;
    let capsule = export.call0()?;
    let capsule = capsule.cast::<PyCapsule>()?;
    let stream = capsule.pointer_checked(Some(STREAM))?.cast::<FFI_ArrowArrayStream>();
    // SAFETY: by its name the capsule holds a pointer to such a stream. It is taken out of it, so that
    // the capsule does not release it.
    let stream = unsafe { FFI_ArrowArrayStream::from_raw(stream.as_ptr()) };
    ArrowArrayStreamReader::try_new(stream).map_err(|error| errors::of_table(&error))
}

/// A table of predictions, for any library that reads Arrow's C interface.
#[pyclass(frozen, module = "longhaul")]
pub(crate) struct Table {
    batch: RecordBatch,
}

impl Table {
    pub(crate) fn new(batch: RecordBatch) -> Self {
        Self { batch }
    }
}

#[pymethods]
impl Table {
    /// A capsule of the table as a stream of batches.
    #[pyo3(signature = (requested_schema = None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        // Another type is a wish, which the interface allows to pass over.
        let _ = requested_schema;
        let batches = RecordBatchIterator::new([Ok(self.batch.clone())], self.batch.schema());
        PyCapsule::new_with_value(py, FFI_ArrowArrayStream::new(Box::new(batches)), STREAM)
    }

    /// Capsules of the table's schema and of the table as an array of structs.
    #[pyo3(signature = (requested_schema = None))]
    fn __arrow_c_array__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<(Bound<'py, PyCapsule>, Bound<'py, PyCapsule>)> {
        let _ = requested_schema;
        let rows = StructArray::from(self.batch.clone());
        let (array, schema) = to_ffi(&rows.to_data()).map_err(|error| errors::of_table(&error))?;
        Ok((
            PyCapsule::new_with_value(py, schema, SCHEMA)?,
            PyCapsule::new_with_value(py, array, ARRAY)?,
        ))
    }

    fn __len__(&self) -> usize {
        self.batch.num_rows()
    }

    fn __repr__(&self) -> String {
        let names: Vec<&str> =
            self.batch.schema_ref().fields().iter().map(|field| field.name().as_str()).collect();
        format!("<longhaul.Table: {} rows of {}>", self.batch.num_rows(), names.join(", "))
    }
}
