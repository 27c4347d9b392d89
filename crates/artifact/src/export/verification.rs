//! Verifies parity vectors: what this scorer makes of their rows is what they say: leaves and raw scores
//! bit by bit, forecasts but for the rounding of exponentials and powers, which a later version may
//! compute in another way.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, UInt32Type};
use boost::OutputOrder;
use scorer::{Parts, Scorer};

use super::parity_columns::{PARITY_FILE, RAW, SHAP, ensemble, expected, n_explained_max};
use super::parity_file::{Reader, rows, unreadable};
use super::value_pools::models;
use crate::{Bundle, Error};

/// Explanations may differ by so much, relative to the largest value of the row: they are sums in an
/// order that no file promises.
const SHAP_TOLERANCE: f64 = 1e-9;

/// Hours and probabilities may differ by so much, relative to the largest of the row or to 1: what is
/// published of them is f32. It is what other readers are held to.
const FORECAST_TOLERANCE: f64 = 1e-12;

/// How much was verified.
///
/// ```
/// # let verified = artifact::export::VerifiedParity { rows: 3, explained_rows: 1, numbers: 99 };
/// assert!(verified.explained_rows <= verified.rows);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerifiedParity {
    /// Rows.
    pub rows: usize,
    /// Of these those whose explanations were compared.
    pub explained_rows: usize,
    /// Leaves, raw scores, hours, probabilities and explanations that were compared.
    pub numbers: usize,
}

/// The scorer of a bundle, and how much its parity vectors verified; `None` if it has no vectors.
///
/// # Errors
/// If its files make no scorer, or as [`verify_parity`].
pub fn verified_scorer(bundle: &Bundle) -> Result<(Scorer, Option<VerifiedParity>), Error> {
    let parts = bundle.parts()?;
    let vectors = bundle.files.get(PARITY_FILE);
    let verified = vectors.map(|vectors| verify_parity(&parts, vectors)).transpose()?;
    Ok((bundle.scorer_of(parts)?, verified))
}

/// Compares what the scorer of a model makes of the rows of [`PARITY_FILE`](super::PARITY_FILE) with what the file says: leaves and
/// raw scores bit by bit, hours and probabilities to 1e-12, explanations to 1e-9.
///
/// The bytes need not be trusted: anything but the vectors of a model with the same features and trees
/// is an error, and no more than the file's rows take is allocated.
///
/// # Errors
/// Bytes that are no vectors of such a model, or the first row that is another, with column, what the
/// file says and what this scorer makes of it.
pub fn verify_parity(parts: &Parts, parquet: &[u8]) -> Result<VerifiedParity, Error> {
    let model = (parts, &scorer_of(parts)?);
    let mut reader = Reader::new(model, parquet)?;
    let explained_max = n_explained_max(parts, usize::MAX);
    let mut verified = VerifiedParity { rows: 0, explained_rows: 0, numbers: 0 };
    while let Some(batch) = reader.next()? {
        let rows = rows(&parts.features, &batch)?;
        let is_explained = explained(&batch)?;
        verified.explained_rows += is_explained.iter().filter(|&&is| is).count();
        if verified.explained_rows > explained_max {
            return Err(unreadable(format!(
                "more than {explained_max} rows are explained, which would take too long"
            )));
        }
        compare_sorted(parts, &rows, &batch, verified.rows)?;
        for (name, made) in expected(model, &rows, &is_explained)? {
            let said = &batch[name.as_str()];
            for row in 0..rows.len() {
                if said.is_null(row) != made.is_null(row) {
                    return Err(unreadable(format!("row {}: {name} is null", verified.rows + row)));
                }
                verified.numbers += compare(&name, said, &made, row, verified.rows + row)?;
            }
        }
        verified.rows += rows.len();
    }
    if verified.rows != reader.n_rows {
        let (found, expected) = (verified.rows, reader.n_rows);
        return Err(unreadable(format!("{found} rows can be decoded of {expected}")));
    }
    Ok(verified)
}

/// The scorer of a model's parts.
///
/// # Errors
/// If they do not fit together.
pub(super) fn scorer_of(parts: &Parts) -> Result<Scorer, Error> {
    Scorer::from_parts(parts.clone()).map_err(|source| Error::Scorer {
        model_id: parts.fingerprint().short().to_owned(),
        source,
    })
}

/// Which rows are explained, by all ensembles or by none.
fn explained(batch: &RecordBatch) -> Result<Vec<bool>, Error> {
    let gate = &batch[format!("{SHAP}gate").as_str()];
    Ok((0..batch.num_rows()).map(|row| gate.is_valid(row)).collect())
}

/// Compares the scorer's own sums, which may be sorted, with the raw scores that the file has.
fn compare_sorted(
    parts: &Parts,
    rows: &[Vec<f32>],
    batch: &RecordBatch,
    first_row: usize,
) -> Result<(), Error> {
    for (position, model) in models(parts).enumerate() {
        let column = format!("{RAW}{}", ensemble(position));
        let raw = batch[column.as_str()].as_fixed_size_list();
        let mut made = vec![0.0; model.n_outputs()];
        for (at, row) in rows.iter().enumerate() {
            model.predict_row(row, &mut made);
            let mut said = raw.value(at).as_primitive::<Float64Type>().values().to_vec();
            if model.output_order() == OutputOrder::Rising {
                said.sort_by(f64::total_cmp);
            }
            if let Some(at_output) = first_difference(&said, &made, 0.0) {
                let (row, expected) = (first_row + at, said[at_output].to_string());
                let (column, found) =
                    (format!("{column}, sorted, {at_output}"), made[at_output].to_string());
                return Err(Error::Parity { row, column, expected, found });
            }
        }
    }
    Ok(())
}

/// Compares the numbers of a row in a column, and says how many there are.
fn compare(
    name: &str,
    said: &ArrayRef,
    made: &ArrayRef,
    at: usize,
    row: usize,
) -> Result<usize, Error> {
    if said.is_null(at) {
        return Ok(0);
    }
    let of_row = |column: &ArrayRef| match column.as_fixed_size_list_opt() {
        Some(lists) => lists.value(at),
        None => column.slice(at, 1),
    };
    let (said, made) = (of_row(said), of_row(made));
    let differ = |index: usize, expected: String, found: String| {
        let column = if said.len() == 1 { name.to_owned() } else { format!("{name}, {index}") };
        Err(Error::Parity { row, column, expected, found })
    };
    if let Some(made) = made.as_primitive_opt::<UInt32Type>() {
        let said = said.as_primitive::<UInt32Type>();
        let pairs = said.values().iter().zip(made.values());
        if let Some((index, (said, made))) = pairs.enumerate().find(|(_, (a, b))| a != b) {
            return differ(index, said.to_string(), made.to_string());
        }
    } else {
        let [said, made] = [&said, &made].map(|of| of.as_primitive::<Float64Type>().values());
        let scale = made.iter().fold(1.0_f64, |largest, value| largest.max(value.abs()));
        let tolerance = match name {
            _ if name.starts_with(SHAP) => SHAP_TOLERANCE * scale,
            _ if name.starts_with(RAW) => 0.0,
            _ => FORECAST_TOLERANCE * scale,
        };
        if let Some(index) = first_difference(said, made, tolerance) {
            return differ(index, said[index].to_string(), made[index].to_string());
        }
    }
    Ok(made.len())
}

/// The first position at which numbers differ by more than the tolerance; if that is 0, in any bit.
fn first_difference(said: &[f64], made: &[f64], tolerance: f64) -> Option<usize> {
    let differ = |(said, made): (&f64, &f64)| {
        said.to_bits() != made.to_bits() && !((said - made).abs() <= tolerance && tolerance > 0.0)
    };
    said.iter().zip(made).position(differ)
}
