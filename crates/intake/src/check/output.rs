//! The check of a file that this program wrote, by the contract of its output.

use bytes::Bytes;
use polars::io::parquet::read::ParquetReader;
use polars::prelude::SerReader as _;
use terms::Instant;

use super::footer::Footer;
use super::partition::require_unique_keys;
use super::rows::read_rows;
use super::rule_answers::rule_answers;
use crate::contract::Contract;
use crate::contract::column::ColumnSpec;
use crate::error::Error;

/// Checks a file by the contract of an output: its columns and no others, its rules, its key.
/// Returns the number of rows. `path` names the file in messages.
///
/// # Errors
/// The first thing that is not as the contract says.
pub fn check_output(contract: &Contract, path: &str, bytes: &Bytes) -> Result<u64, Error> {
    let footer = Footer::read_unpartitioned(contract, path, bytes)?;
    let failed = |source| Error::Unreadable {
        table: contract.table().to_owned(),
        path: path.to_owned(),
        source,
    };
    let schema = ParquetReader::new(std::io::Cursor::new(bytes)).schema().map_err(failed)?;
    if let Some(column) = schema.iter_names().find(|name| contract.column(name).is_none()) {
        let (table, column) = (contract.table().to_owned(), column.to_string());
        return Err(Error::UnknownColumn { table, column });
    }
    let columns: Vec<&ColumnSpec> = contract.columns().iter().collect();
    let frame = read_rows(contract, path, bytes, &footer.present, &columns)?;
    // An output joins no other table, so the instant of the lookups does not matter.
    for answer in rule_answers(contract, &frame, &[], Instant::MIN).map_err(failed)? {
        let rows = answer.is_bad.sum().unwrap_or_default();
        if let Some(first) = answer.is_bad.iter().position(|bad| bad == Some(true)) {
            return Err(Error::RuleBroken {
                table: contract.table().to_owned(),
                path: path.to_owned(),
                rule: answer.rule.to_owned(),
                condition: answer.condition.to_owned(),
                rows: u64::from(rows),
                row: first as u32,
            });
        }
    }
    let keys = frame.select(contract.keys().iter().map(String::as_str)).map_err(failed)?;
    require_unique_keys(contract, path, std::iter::once(&keys))?;
    Ok(frame.height() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{contract, parquet, texts};
    use polars::prelude::*;

    fn predictions(rows: &[(&str, f32)]) -> DataFrame {
        let n = rows.len();
        let text = |name: &str| texts(name, rows.iter().map(|_| Some("x".to_owned())));
        let mut columns = vec![
            texts("shipment_id", rows.iter().map(|(id, _)| Some((*id).to_owned()))),
            text("order_id"),
            crate::fixture::instants("ordered_at", vec![Some(0); n]),
            crate::fixture::instants("as_of", vec![Some(0); n]),
            Column::new("age_hours".into(), vec![30.0_f32; n]),
            Column::new("recording_lag_hours".into(), vec![9.0_f32; n]),
            texts("milestone", rows.iter().map(|_| Some("handed_over".to_owned()))),
            texts("forecast_by", rows.iter().map(|_| Some("at_order".to_owned()))),
            text("model_id"),
            Column::new("probability_over_2d".into(), vec![0.5_f32; n]),
        ];
        for name in terms::column::ETA {
            columns.push(crate::fixture::instants(name, vec![Some(0); n]));
        }
        for (position, name) in terms::column::HOURS.into_iter().enumerate() {
            let hours: Vec<f32> = rows
                .iter()
                .map(|(_, last)| match position {
                    8 => *last,
                    position => 10.0 + position as f32,
                })
                .collect();
            columns.push(Column::new(name.into(), hours));
        }
        let mut days = ListPrimitiveChunkedBuilder::<Float32Type>::new(
            "probability_by_day".into(),
            n,
            n,
            DataType::Float32,
        );
        rows.iter().for_each(|_| days.append_slice(&[0.1, 0.9]));
        columns.push(days.finish().into_column());
        DataFrame::new(n, columns).unwrap()
    }

    #[track_caller]
    fn refused(frame: DataFrame, message: &str) {
        let error = check_output(&contract("predictions"), "p.parquet", &parquet(frame));
        assert_eq!(error.unwrap_err().to_string(), message);
    }

    #[test]
    fn an_output_has_its_columns_its_rules_and_its_key() {
        let sound = predictions(&[("a", 99.0), ("b", 99.0)]);
        let bytes = parquet(sound.clone());
        assert_eq!(check_output(&contract("predictions"), "p.parquet", &bytes).unwrap(), 2);

        refused(
            predictions(&[("a", 99.0), ("a", 99.0)]),
            "predictions p.parquet: key (shipment_id): expected once, found 2 rows that share \
             theirs, first (a)",
        );
        let crossing = predictions(&[("a", 99.0), ("b", 1.0)]);
        let error = check_output(&contract("predictions"), "p.parquet", &parquet(crossing));
        let error = error.unwrap_err().to_string();
        assert!(error.starts_with("predictions p.parquet: rule quantiles_cross ("), "{error}");
        assert!(error.ends_with("expected no such row, found 1, first row 1"), "{error}");
        let mut more = sound.clone();
        more.with_column(texts("colour", (0..2).map(|_| None))).unwrap();
        refused(more, "predictions: column \"colour\": not in the contract");
        let mut wider = sound;
        let hours = wider.column("hours_p50").unwrap().cast(&DataType::Float64).unwrap();
        wider.with_column(hours).unwrap();
        let error = check_output(&contract("predictions"), "p.parquet", &parquet(wider));
        let error = error.unwrap_err().to_string();
        assert!(error.contains("\"hours_p50\": expected float32"), "{error}");
    }
}
