//! Data frames as Parquet bytes: equal frames give equal bytes.

use std::io::Cursor;

use polars::prelude::*;

use crate::Error;

/// A frame as Parquet.
pub(crate) fn to_parquet(mut frame: DataFrame) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    // The fastest level: most of these files are written anew on the next night.
    let level = polars::polars_utils::compression::ZstdLevel::try_new(1)?;
    ParquetWriter::new(&mut bytes)
        .with_compression(ParquetCompression::Zstd(Some(level)))
        .with_row_group_size(Some(1 << 17))
        .finish(&mut frame)?;
    Ok(bytes)
}

/// The inverse of [`to_parquet`].
pub(crate) fn from_parquet(bytes: &[u8]) -> Result<DataFrame, Error> {
    Ok(ParquetReader::new(Cursor::new(bytes)).finish()?)
}

/// Some columns of it, in the order in which it has them.
pub(crate) fn columns_from_parquet(bytes: &[u8], names: &[&str]) -> Result<DataFrame, Error> {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    Ok(ParquetReader::new(Cursor::new(bytes)).with_columns(Some(names)).finish()?)
}
