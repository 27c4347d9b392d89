//! Predictions as a file in the form that its name says, or as JSON lines on stdout.
#![expect(clippy::disallowed_methods, reason = "predictions are a file of the caller's")]

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use polars::prelude::{Column, CsvWriter, DataFrame, NamedFrom as _, SerWriter as _, Series};
use scorer::{Distribution, Scorer};
use serde_json::{Value, json};
use terms::column;

use super::rows::{Chunk, Ids};
use crate::predictions::{by_day_column, distribution_columns, to_parquet};
use crate::refusal::Refusal;
use crate::report::Reporter;

/// A form of predictions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A JSON object a row.
    Lines,
    /// A header and a line a row; the days are a column each.
    Csv,
    /// As the score stage writes them; the days are a list.
    Parquet,
}

impl Form {
    /// The form of a file, by its name.
    ///
    /// # Errors
    /// If the name says none.
    pub(super) fn of(out: &Path) -> Result<Self> {
        if out == Path::new("-") {
            return Ok(Self::Lines);
        }
        match out.extension().and_then(|end| end.to_str()) {
            Some("jsonl" | "ndjson" | "json") => Ok(Self::Lines),
            Some("csv") => Ok(Self::Csv),
            Some("parquet") => Ok(Self::Parquet),
            _ => {
                let out = out.display();
                let what = format!(
                    "--out {out}: expected a name that ends in .parquet, .csv or .jsonl, or -"
                );
                Err(Refusal::Usage { what }.into())
            }
        }
    }
}

/// Where predictions go. A file appears whole or not at all.
pub(super) struct Predicted<'a> {
    out: PathBuf,
    form: Form,
    scorer: &'a Scorer,
    reporter: &'a Reporter,
    file: Option<BufWriter<File>>,
    /// What can only be written at the end: Parquet, and the one document of `--json`.
    kept: Chunk,
    n_rows: usize,
}

impl<'a> Predicted<'a> {
    /// None yet.
    pub(super) fn to(out: &Path, form: Form, scorer: &'a Scorer, reporter: &'a Reporter) -> Self {
        Self {
            out: out.to_owned(),
            form,
            scorer,
            reporter,
            file: None,
            kept: Vec::new(),
            n_rows: 0,
        }
    }

    /// How many there are.
    pub(super) fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Adds some; says whether more are wanted.
    ///
    /// # Errors
    /// If they cannot be written.
    pub(super) fn write(&mut self, chunk: Chunk) -> Result<bool> {
        let is_first = self.n_rows == 0;
        self.n_rows += chunk.len();
        let is_on_stdout = self.is_on_stdout();
        if self.form == Form::Parquet || is_on_stdout && self.reporter.is_json() {
            self.kept.extend(chunk);
            return Ok(true);
        }
        let text = match self.form {
            Form::Csv => self.csv(&chunk, is_first)?,
            _ => {
                self.lines(&chunk).map(|line| format!("{line}\n")).collect::<String>().into_bytes()
            }
        };
        if is_on_stdout {
            return Ok(self.reporter.rows(&text));
        }
        let path = || self.out.display().to_string();
        if self.file.is_none() {
            self.file = Some(BufWriter::new(File::create(self.partial()).with_context(path)?));
        }
        if let Some(file) = &mut self.file {
            file.write_all(&text).with_context(|| self.out.display().to_string())?;
        }
        Ok(true)
    }

    /// Ends the file, or gives the lines of `--json`.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn end(mut self) -> Result<Option<Value>> {
        if self.is_on_stdout() {
            return Ok(Some(self.lines(&self.kept).collect()));
        }
        let bytes = match self.form {
            Form::Parquet => to_parquet(self.frame(&self.kept)?)?,
            Form::Csv if self.n_rows == 0 => self.csv(&[], true)?,
            _ => Vec::new(),
        };
        let path = || self.out.display().to_string();
        let mut file = match self.file.take() {
            Some(file) => file,
            None => BufWriter::new(File::create(self.partial()).with_context(path)?),
        };
        file.write_all(&bytes).and_then(|()| file.flush()).with_context(path)?;
        drop(file);
        std::fs::rename(self.partial(), &self.out).with_context(path)?;
        Ok(None)
    }

    fn is_on_stdout(&self) -> bool {
        self.out == Path::new("-")
    }

    fn partial(&self) -> PathBuf {
        self.out.with_extension("partial")
    }

    fn lines<'b>(&'b self, chunk: &'b [(Ids, Distribution)]) -> impl Iterator<Item = Value> + 'b {
        chunk.iter().map(|(ids, distribution)| {
            let mut line = ids.clone();
            line.insert(column::MODEL_ID.to_owned(), json!(self.scorer.model_id()));
            let over = distribution.probability_over_2d;
            line.insert(column::PROBABILITY_OVER_2D.to_owned(), json!(over));
            for (name, hours) in column::HOURS.into_iter().zip(distribution.hours) {
                line.insert(name.to_owned(), json!(hours));
            }
            line.insert(distribution.days.column(), json!(distribution.by_day.as_slice()));
            line.into()
        })
    }

    fn csv(&self, chunk: &[(Ids, Distribution)], header: bool) -> Result<Vec<u8>> {
        let mut columns = self.columns(chunk);
        let days = self.scorer.days();
        for point in 0..terms::DAYS_AHEAD {
            let name = format!("probability_by_day_{}", days.day(point));
            let values: Vec<f32> = chunk.iter().map(|(_, d)| d.by_day[point]).collect();
            columns.push(Series::new(name.into(), values).into());
        }
        let mut text = Vec::new();
        let mut frame = DataFrame::new(chunk.len(), columns)?;
        CsvWriter::new(&mut text).include_header(header).finish(&mut frame)?;
        Ok(text)
    }

    fn frame(&self, chunk: &[(Ids, Distribution)]) -> Result<DataFrame> {
        let mut columns = self.columns(chunk);
        let distributions: Vec<&Distribution> = chunk.iter().map(|(_, d)| d).collect();
        columns.push(by_day_column(self.scorer.days(), &distributions));
        Ok(DataFrame::new(chunk.len(), columns)?)
    }

    /// The columns that every form has. CSV has both ids, so that chunks have the same columns.
    fn columns(&self, chunk: &[(Ids, Distribution)]) -> Vec<Column> {
        let mut columns: Vec<Column> = Vec::new();
        for name in [column::SHIPMENT_ID, column::ORDER_ID] {
            let texts: Vec<Option<&str>> =
                chunk.iter().map(|(ids, _)| ids.get(name).and_then(Value::as_str)).collect();
            if self.form == Form::Csv || texts.iter().any(Option::is_some) {
                columns.push(Series::new(name.into(), texts).into());
            }
        }
        let model_ids = vec![self.scorer.model_id(); chunk.len()];
        columns.push(Series::new(column::MODEL_ID.into(), model_ids).into());
        let distributions: Vec<&Distribution> = chunk.iter().map(|(_, d)| d).collect();
        columns.extend(distribution_columns(&distributions));
        columns
    }
}

impl Drop for Predicted<'_> {
    fn drop(&mut self) {
        if self.file.is_some() {
            let _ = std::fs::remove_file(self.partial());
        }
    }
}
