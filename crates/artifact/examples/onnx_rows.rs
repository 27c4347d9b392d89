//! Writes what the ONNX parity test needs: `model.onnx` and its MLflow files of a bundle, and rows
//! with what the scorer gives for them.
//!
//! `cargo run -p artifact --example onnx_rows -- <bundle> <n> <out>` writes into the folder `out` the
//! exported files and `rows.csv`: n random rows, and for each split (at most n of them, evenly
//! chosen) its threshold and the two floats beside it, or its codes and others. Columns: the features;
//! `expected_…`, the numbers in f64 before they are rounded; `published_…`, the scorer's own in f32.
#![expect(clippy::disallowed_methods, reason = "an example reads and writes local files")]
#![expect(clippy::print_stdout, reason = "an example prints")]

use std::fmt::Write as _;
use std::path::Path;

use artifact::export;
use boost::{Split, SplitRule};
use scorer::Scorer;
use terms::{DAYS_AHEAD, FeatureKind, LEVELS, column};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [bundle, n, out] = arguments.as_slice() else {
        return Err("usage: onnx_rows <bundle> <n> <out>".into());
    };
    let scorer = Scorer::load(Path::new(bundle))?;
    let n: usize = n.parse()?;
    let out = Path::new(out);
    std::fs::create_dir_all(out)?;
    std::fs::write(out.join("model.onnx"), export::onnx_model(&scorer)?)?;
    let rows = Rows::new(&scorer).all(n);
    std::fs::write(out.join("rows.csv"), csv(&scorer, &rows)?)?;
    println!("{} rows of {} features", rows.len(), scorer.features().len());
    Ok(())
}

/// Numbers as the shortest text that gives them back.
fn csv(scorer: &Scorer, rows: &[Vec<f32>]) -> Result<String, std::fmt::Error> {
    let points: Vec<String> =
        (0..DAYS_AHEAD).map(|point| format!("by_{}", scorer.days().day(point))).collect();
    let numbers: Vec<String> = std::iter::once("over_2d".to_owned())
        .chain(LEVELS.map(|level| format!("hours_{level}")))
        .chain(points)
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

/// Rows that reach every side of every split.
struct Rows<'a> {
    scorer: &'a Scorer,
    splits: Vec<Split>,
    state: u64,
}

impl<'a> Rows<'a> {
    fn new(scorer: &'a Scorer) -> Self {
        let parts = scorer.parts();
        let models = parts.regressors.iter().map(|regressor| &regressor.trees);
        let trees = models.chain([&parts.gate]).flat_map(|model| model.trees());
        let splits = trees.flat_map(|tree| tree.splits()).collect();
        Self { scorer, splits, state: 20 }
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 24) as f32
    }

    fn all(mut self, n: usize) -> Vec<Vec<f32>> {
        let mut rows: Vec<Vec<f32>> = (0..n).map(|_| self.row()).collect();
        let every = self.splits.len().div_ceil(n.max(1)).max(1);
        let chosen: Vec<Split> = self.splits.iter().step_by(every).cloned().collect();
        for split in chosen {
            let values = match &split.rule {
                SplitRule::AtMost(at) => vec![*at, at.next_up(), at.next_down()],
                SplitRule::Codes(codes) => {
                    let code = codes.first().map_or(0.0, |&code| code as f32);
                    vec![code, code + 1.0, code + 0.5, f32::NAN]
                }
            };
            for value in values {
                let mut row = self.row();
                row[split.feature as usize] = value;
                rows.push(row);
            }
        }
        rows
    }

    fn row(&mut self) -> Vec<f32> {
        let scorer = self.scorer;
        let features = scorer.features().0.iter().enumerate();
        features.map(|(at, feature)| self.value(at, &feature.name, &feature.kind)).collect()
    }

    fn value(&mut self, at: usize, name: &str, kind: &FeatureKind) -> f32 {
        const EXTREMES: [f32; 8] =
            [f32::INFINITY, f32::NEG_INFINITY, -1.0, -0.0, 0.0, 0.5, 1e9, f32::MIN_POSITIVE];
        match self.below(40) {
            0..4 => return f32::NAN,
            4 => return EXTREMES[self.below(EXTREMES.len())],
            _ => {}
        }
        if let FeatureKind::Categorical { levels } = kind {
            // Some beyond the last level.
            return self.below(levels.len() + 2) as f32;
        }
        match name {
            column::LEVEL_HOURS => 200.0 * self.unit(),
            column::ORDERED_WEEK_HOURS => 168.0 * self.unit(),
            column::HOLIDAYS_AHEAD => {
                ((self.next() & self.next() & self.next()) % (1 << 24)) as f32
            }
            _ => {
                let of_feature: Vec<f32> = (self.splits.iter())
                    .filter(|split| split.feature as usize == at)
                    .filter_map(|split| match split.rule {
                        SplitRule::AtMost(threshold) => Some(threshold),
                        SplitRule::Codes(_) => None,
                    })
                    .collect();
                let threshold = of_feature.get(self.below(of_feature.len())).copied();
                threshold.unwrap_or(1.0) * (0.5 + self.unit()) + self.unit() - 0.5
            }
        }
    }
}
