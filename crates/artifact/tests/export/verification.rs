//! Parity vectors are verified by the scorer, and whatever is wrong with them is an error.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeListArray, Float64Array, RecordBatch, UInt32Array,
};
use arrow::datatypes::{DataType, Float32Type, Float64Type, Schema, UInt32Type};
use artifact::Error;
use artifact::export::{VerifiedParity, parity_vectors, verify_parity};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use scorer::Parts;
use statistics::SplitMix64;
use terms::ErrorClass;

use crate::generated::generated;
use crate::read;

/// The file of a model, and what is in it.
fn written(parts: &Parts) -> (Vec<u8>, RecordBatch) {
    let bytes =
        parity_vectors(parts, 150, 7).and_then(|vectors| vectors.to_parquet()).expect("a file");
    let batch = read(bytes.clone());
    (bytes, batch)
}

fn write(batch: &RecordBatch, schema: &str) -> Vec<u8> {
    let pairs = vec![KeyValue::new("schema".to_owned(), schema.to_owned())];
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_key_value_metadata(Some(pairs))
        .build();
    let mut writer =
        ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).expect("sound");
    writer.write(batch).expect("sound");
    writer.into_inner().expect("sound")
}

const SCHEMA: &str = "longhaul/parity/2";

fn with_column(batch: &RecordBatch, name: &str, column: ArrayRef) -> RecordBatch {
    let at = batch.schema().index_of(name).expect("sound");
    let mut columns = batch.columns().to_vec();
    columns[at] = column;
    RecordBatch::try_new(batch.schema(), columns).expect("sound")
}

/// The column with one of its numbers changed a little: the last bit of a float, one of a position.
fn altered(column: &ArrayRef, at: usize) -> ArrayRef {
    let values = column.as_fixed_size_list_opt().map_or(column, |lists| lists.values());
    let values: ArrayRef = if let Some(leaves) = values.as_primitive_opt::<UInt32Type>() {
        let mut leaves = leaves.values().to_vec();
        leaves[at] ^= 1;
        Arc::new(UInt32Array::from(leaves))
    } else {
        let mut numbers = values.as_primitive::<Float64Type>().values().to_vec();
        numbers[at] = f64::from_bits(numbers[at].to_bits() ^ 1);
        Arc::new(Float64Array::from(numbers))
    };
    match column.data_type() {
        DataType::FixedSizeList(field, n) => {
            let nulls = column.nulls().cloned();
            Arc::new(FixedSizeListArray::try_new(field.clone(), *n, values, nulls).expect("sound"))
        }
        _ => values,
    }
}

#[track_caller]
fn refused(parts: &Parts, bytes: &[u8]) -> String {
    let error = verify_parity(parts, bytes).expect_err("refused");
    assert_eq!(error.class(), ErrorClass::Contract);
    assert!(error.hint().is_some());
    error.to_string()
}

#[test]
fn the_vectors_of_a_model_are_verified() {
    for seed in 0..6 {
        let parts = generated(seed).unwrap();
        let (bytes, batch) = written(&parts);
        let verified = verify_parity(&parts, &bytes).unwrap();
        let VerifiedParity { rows, explained_rows, numbers } = verified;
        assert_eq!((rows, explained_rows), (batch.num_rows(), 32));
        // Of each row 70 numbers of the distribution, and 19 raw scores.
        assert!(numbers > rows * 89, "{numbers}");
        // A decoded model is the same.
        let again = Parts::decode(&parts.encode()).unwrap();
        assert_eq!(verify_parity(&again, &bytes).unwrap(), verified);
    }
}

#[test]
fn another_bit_is_found_with_its_row_and_column() {
    let parts = generated(2).unwrap();
    let (_, batch) = written(&parts);
    assert!(verify_parity(&parts, &write(&batch, SCHEMA)).is_ok());
    for (name, row) in [
        ("parity:leaves:gate", 0),
        ("parity:leaves:regressor_0", 300),
        ("parity:raw:gate", 17),
        ("parity:raw:regressor_0", 299),
        ("parity:raw:regressor_1", 3),
    ] {
        let column = &batch[name];
        let width = column.as_fixed_size_list_opt().map_or(1, |lists| lists.value_length());
        let at = row * width as usize + width as usize - 1;
        let other = with_column(&batch, name, altered(column, at));
        match verify_parity(&parts, &write(&other, SCHEMA)).unwrap_err() {
            Error::Parity { row: found, column, expected, found: made } => {
                assert_eq!(found, row, "{name}");
                assert!(column.starts_with(name), "{column}");
                assert_ne!(expected, made, "{name}");
            }
            error => panic!("{name}: {error}"),
        }
    }
}

/// A column of a batch with an error added to every number.
fn with_error(batch: &RecordBatch, name: &str, error: f64) -> Vec<u8> {
    let column = &batch[name];
    let lists = column.as_fixed_size_list_opt();
    let values = lists.map_or(column, |lists| lists.values()).as_primitive::<Float64Type>();
    let values = values.values().iter().map(|value| value + error);
    let values: ArrayRef = Arc::new(Float64Array::from_iter_values(values));
    let other = match column.data_type() {
        DataType::FixedSizeList(field, n) => {
            let nulls = column.nulls().cloned();
            Arc::new(FixedSizeListArray::try_new(field.clone(), *n, values, nulls).expect("sound"))
        }
        _ => values,
    };
    write(&with_column(batch, name, other), SCHEMA)
}

#[test]
fn explanations_and_forecasts_may_differ_by_rounding_and_no_more() {
    let parts = generated(2).unwrap();
    let (_, batch) = written(&parts);
    for (name, rounding, wrong) in [
        ("parity:shap:gate", 1e-12, 1e-6),
        ("parity:hours", 1e-13, 1e-7),
        ("parity:probability_over_2d", 1e-15, 1e-11),
        ("parity:probability_by_day", 1e-15, 1e-11),
    ] {
        assert!(verify_parity(&parts, &with_error(&batch, name, rounding)).is_ok(), "{name}");
        let message = refused(&parts, &with_error(&batch, name, wrong));
        let place = format!("parity vectors, row 0, {name}");
        assert!(message.starts_with(&place), "{message}");
        assert!(message.contains(": expected "), "{message}");
    }
}

#[test]
fn vectors_of_another_model_are_refused() {
    let (bytes, batch) = written(&generated(2).unwrap());
    // The same features and numbers of trees, other splits.
    let message = refused(&generated(3).unwrap(), &bytes);
    assert!(message.starts_with("parity vectors, row 0, parity:"), "{message}");

    let mut other = generated(2).unwrap();
    other.features.0[3].name = "other".into();
    let message = refused(&other, &bytes);
    assert_eq!(message, "parity/vectors.parquet: no column \"other\", which this model has");
    let message = refused(&generated(2).unwrap(), &write(&batch, "longhaul/parity/1"));
    assert_eq!(
        message,
        "parity/vectors.parquet: schema \"longhaul/parity/1\", expected \"longhaul/parity/2\""
    );
}

#[test]
fn nulls_and_too_many_rows_are_refused() {
    let parts = generated(2).unwrap();
    let (_, batch) = written(&parts);
    let nullable = |batch: &RecordBatch| {
        let schema = batch.schema();
        let fields = schema.fields().iter().map(|f| f.as_ref().clone().with_nullable(true));
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    };
    for name in ["größe_1", "parity:probability_over_2d"] {
        let at = batch.schema().index_of(name).unwrap();
        let mut columns = batch.columns().to_vec();
        columns[at] = if let Some(values) = columns[at].as_primitive_opt::<Float32Type>() {
            let values = values.iter().enumerate().map(|(row, v)| if row == 3 { None } else { v });
            Arc::new(values.collect::<arrow::array::Float32Array>())
        } else {
            let values = columns[at].as_primitive::<Float64Type>().iter().enumerate();
            let values = values.map(|(row, v)| if row == 3 { None } else { v });
            Arc::new(values.collect::<Float64Array>())
        };
        let with_null = RecordBatch::try_new(nullable(&batch), columns).unwrap();
        let message = refused(&parts, &write(&with_null, SCHEMA));
        assert_eq!(message, format!("parity/vectors.parquet: column {name:?} has a null"));
    }
    let many = vec![&batch; 16_384 / batch.num_rows() + 1];
    let many = arrow::compute::concat_batches(&batch.schema(), many).unwrap();
    let message = refused(&parts, &write(&many, SCHEMA));
    assert!(message.ends_with("rows, expected 1 to 16384"), "{message}");
    let message = refused(&parts, &write(&batch.slice(0, 0), SCHEMA));
    assert_eq!(message, "parity/vectors.parquet: 0 rows, expected 1 to 16384");
}

#[test]
fn whatever_the_bytes_are_it_is_an_error_or_the_same_numbers() {
    let parts = generated(2).unwrap();
    let (bytes, _) = written(&parts);
    for end in (0..bytes.len()).step_by(997).chain([bytes.len() - 1]) {
        refused(&parts, &bytes[..end]);
    }
    let random = &mut SplitMix64::new(20);
    let footer = bytes.len() as u64 - 8;
    let footer_length = u32::from_le_bytes(bytes[footer as usize..][..4].try_into().unwrap());
    let (mut n_refused, mut n_verified) = (0, 0);
    for n in 0..400 {
        let mut altered = bytes.clone();
        // Half of them in the footer, where lengths and places are.
        let from = if n % 2 == 0 { 4 } else { footer - u64::from(footer_length) };
        for _ in 0..=random.below(4) {
            let at = (from + random.next_u64() % (bytes.len() as u64 - from)) as usize;
            altered[at] = match random.below(3) {
                0 => random.next_u64() as u8,
                1 => 0xff,
                _ => altered[at] ^ (1 << random.below(8)),
            };
        }
        match verify_parity(&parts, &altered) {
            // The kinds of rows, statistics and names of writers are not read.
            Ok(_) => n_verified += 1,
            Err(error) => {
                assert_eq!(error.class(), ErrorClass::Contract, "{error}");
                n_refused += 1;
            }
        }
    }
    assert!(n_refused > 200 && n_verified > 5, "{n_refused} refused, {n_verified} verified");
}
