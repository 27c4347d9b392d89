//! Writes what the ONNX parity test needs: `model.onnx` and its MLflow files of a bundle, and rows
//! with what the scorer gives for them.
//!
//! `cargo run -p artifact --example onnx_rows -- <bundle> <n> <out>` writes into the folder `out` the
//! exported files and `rows.csv`: n random rows, and for each split (at most n of them, evenly
//! chosen) its threshold and the two floats beside it, or its codes and others. Columns: the features;
//! `expected_…`, the numbers in f64 before they are rounded; `published_…`, the scorer's own in f32.
//! In place of a bundle's folder a seed gives a random model with all that a model may be made of.
#![expect(clippy::disallowed_methods, reason = "an example reads and writes local files")]
#![expect(clippy::print_stdout, reason = "an example prints")]

mod about;
mod random;
mod random_model;
mod rows;

use std::fmt::Write as _;
use std::path::Path;

use about::about;
use artifact::export;
use rows::Rows;
use scorer::{Parts, Scorer};
use terms::{DAYS_AHEAD, LEVELS, column};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [bundle, n, out] = arguments.as_slice() else {
        return Err("usage: onnx_rows <bundle> <n> <out>".into());
    };
    let parts = match bundle.parse() {
        Ok(seed) => random_model::random_model(seed)?,
        Err(_) => Parts::load(Path::new(bundle))?.0,
    };
    let n: usize = n.parse()?;
    let out = Path::new(out);
    std::fs::create_dir_all(out)?;
    std::fs::write(out.join("model.onnx"), export::onnx_model(&parts)?)?;
    for (name, bytes) in export::mlmodel_files(&parts, &about()?, &export::example_row(&parts))? {
        std::fs::write(out.join(name), bytes)?;
    }
    let rows = Rows::new(&parts).all(n);
    println!("{} rows of {} features", rows.len(), parts.features.len());
    std::fs::write(out.join("rows.csv"), csv(&Scorer::from_parts(parts)?, &rows)?)?;
    Ok(())
}

/// Numbers as the shortest text that gives them back.
fn csv(scorer: &Scorer, rows: &[Vec<f32>]) -> Result<String, std::fmt::Error> {
    let points = (0..DAYS_AHEAD).map(|point| scorer.days().day(point));
    let numbers: Vec<String> = std::iter::once(column::PROBABILITY_OVER_2D.to_owned())
        .chain(column::HOURS.map(str::to_owned))
        .chain(points.map(|day| format!("probability_by_day_{day}")))
        .collect();
    let names = scorer.features().0.iter().map(|feature| feature.name.clone());
    let of = |kind: &'static str| numbers.iter().map(move |name| format!("{kind}_{name}"));
    let header: Vec<String> = names.chain(of("expected")).chain(of("published")).collect();
    let mut text = header.join(",");
    text.push('\n');
    for row in rows {
        for value in row {
            write!(text, "{value},")?;
        }
        let mixture = scorer.mixture_row(row);
        write!(text, "{}", mixture.probability_over_2d())?;
        let mut so_far = 0.0;
        for level in LEVELS {
            so_far = mixture.quantile(level).max(so_far);
            write!(text, ",{so_far}")?;
        }
        so_far = 0.0;
        for point in 0..DAYS_AHEAD {
            so_far = mixture.cdf(scorer.days().hours(point)).max(so_far);
            write!(text, ",{so_far}")?;
        }
        let published = scorer.score_row(row);
        let all = std::iter::once(published.probability_over_2d)
            .chain(published.hours)
            .chain(published.by_day);
        for value in all {
            write!(text, ",{value}")?;
        }
        text.push('\n');
    }
    Ok(text)
}
