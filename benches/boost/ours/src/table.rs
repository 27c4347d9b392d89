//! Columns from Parquet: a file, or a folder of parts that are read in the order of their names.
//!
//! By the columns of the file format itself, without Arrow, which would take longer to compile
//! than all the rest.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::DataType;
use parquet::file::reader::{FileReader, SerializedFileReader};

const BATCH_ROWS: usize = 16_384;

/// Columns with their names.
pub struct Table {
    pub names: Vec<String>,
    pub columns: Vec<Vec<f32>>,
}

impl Table {
    /// Reads the columns that `wanted` says yes to, of the first `rows` rows. Missing is NaN, a
    /// truth is 1.
    pub fn read(path: &Path, rows: usize, wanted: impl Fn(&str) -> bool) -> Result<Self> {
        let rows = rows.min(n_rows(path)?);
        let mut table = Self { names: Vec::new(), columns: Vec::new() };
        for part in parts(path)? {
            let reader = open(&part)?;
            let names = names(&reader);
            let at: Vec<usize> = (0..names.len()).filter(|&i| wanted(&names[i])).collect();
            if table.names.is_empty() {
                table.names = at.iter().map(|&i| names[i].clone()).collect();
                // At once, or growing would leave twice as much behind.
                table.columns = at.iter().map(|_| Vec::with_capacity(rows)).collect();
            }
            ensure!(
                table.names.iter().eq(at.iter().map(|&i| &names[i])),
                "{} has other columns than the first part",
                part.display()
            );
            for (column, i) in table.columns.iter_mut().zip(at) {
                let more = rows - column.len();
                append(&reader, i, more, column, |number| number as f32)
                    .with_context(|| format!("{}, {}", part.display(), names[i]))?;
            }
        }
        Ok(table)
    }

    /// Takes the column of a name out.
    pub fn take(&mut self, name: &str) -> Result<Vec<f32>> {
        let at = self.names.iter().position(|other| other == name);
        let at = at.with_context(|| format!("there is no column {name:?}"))?;
        self.names.remove(at);
        Ok(self.columns.remove(at))
    }
}

/// The rows of a file or of all parts.
pub fn n_rows(path: &Path) -> Result<usize> {
    let mut rows = 0;
    for part in parts(path)? {
        rows += open(&part)?.metadata().file_metadata().num_rows() as usize;
    }
    Ok(rows)
}

fn parts(path: &Path) -> Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut parts = Vec::new();
    for entry in std::fs::read_dir(path).with_context(|| path.display().to_string())? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "parquet") {
            parts.push(path);
        }
    }
    ensure!(!parts.is_empty(), "{} has no Parquet files", path.display());
    parts.sort();
    Ok(parts)
}

pub fn open(path: &Path) -> Result<SerializedFileReader<File>> {
    let file = File::open(path).with_context(|| path.display().to_string())?;
    Ok(SerializedFileReader::new(file)?)
}

pub fn names(reader: &SerializedFileReader<File>) -> Vec<String> {
    let schema = reader.metadata().file_metadata().schema_descr();
    schema.columns().iter().map(|column| column.name().to_owned()).collect()
}

/// Appends the first `rows` numbers of a column, all of which an f64 can hold. Missing is NaN.
pub fn append<N>(
    reader: &SerializedFileReader<File>,
    column: usize,
    rows: usize,
    numbers: &mut Vec<N>,
    form: impl Fn(f64) -> N,
) -> Result<()> {
    let end = numbers.len() + rows;
    for group in 0..reader.num_row_groups() {
        let more = end - numbers.len();
        if more == 0 {
            break;
        }
        match reader.get_row_group(group)?.get_column_reader(column)? {
            ColumnReader::FloatColumnReader(reader) => {
                each(reader, more, |x| numbers.push(form(x.map_or(f64::NAN, f64::from))))?;
            }
            ColumnReader::DoubleColumnReader(reader) => {
                each(reader, more, |x| numbers.push(form(x.unwrap_or(f64::NAN))))?;
            }
            ColumnReader::Int32ColumnReader(reader) => {
                each(reader, more, |x| numbers.push(form(x.map_or(f64::NAN, f64::from))))?;
            }
            ColumnReader::Int64ColumnReader(reader) => {
                each(reader, more, |x| numbers.push(form(x.map_or(f64::NAN, |x| x as f64))))?;
            }
            ColumnReader::BoolColumnReader(reader) => {
                each(reader, more, |x| {
                    numbers.push(form(x.map_or(f64::NAN, |x| f64::from(u8::from(x)))));
                })?;
            }
            _ => bail!("expected numbers"),
        }
    }
    Ok(())
}

/// Gives the first `rows` values of a column to `take`, missing ones too.
pub fn each<T: DataType>(
    mut reader: ColumnReaderImpl<T>,
    rows: usize,
    mut take: impl FnMut(Option<T::T>),
) -> Result<()> {
    let (mut values, mut present, mut left) = (Vec::new(), Vec::new(), rows);
    while left > 0 {
        values.clear();
        present.clear();
        let wanted = left.min(BATCH_ROWS);
        let (read, _, _) = reader.read_records(wanted, Some(&mut present), None, &mut values)?;
        if read == 0 {
            break;
        }
        left -= read;
        let mut values = values.drain(..);
        // A column that can have no missing values says nothing of them.
        present.resize(read, 1);
        present.iter().for_each(|&level| take(if level == 0 { None } else { values.next() }));
    }
    Ok(())
}
