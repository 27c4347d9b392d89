//! The readable gate: a shallow decision tree of `linfa-trees` that a person can audit. It is
//! trained on the same question as the boosted gate, and does not score.
//!
//! Order of work:
//! 1. A seeded sample of the gate's rows.
//! 2. Missing values are imputed by the median of their feature, which the rules state.
//! 3. linfa finds the split of each node, one node at a time, with equal weights for both classes of
//!    the node. Grown in one call, linfa prunes a split whose two sides have the same majority class,
//!    which leaves no rules where nearly all take more than two days; with equal weights the sides
//!    of a split never have the same majority.
//! 4. Every leaf states its number of rows and the share of them that took more than two days.

use std::fmt::Write as _;

use linfa::DatasetBase;
use linfa::traits::Fit as _;
use linfa_trees::{DecisionTree, SplitQuality};
use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};
use terms::{Feature, FeatureKind, Matrix};

use crate::error::Error;
use crate::imputation::Medians;
use crate::sampling::sample;
use crate::settings::GateSettings;

/// A node with fewer rows of either class is not split.
const ROWS_OF_CLASS_MIN: usize = 25;
/// The share of a node's weight that each side of a split holds at least.
const SIDE_SHARE_MIN: f64 = 0.05;
/// The gain in Gini impurity, of a half at most, that a split needs.
const GAIN_MIN: f64 = 1e-3;

/// The readable gate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateRules {
    /// Sampled rows.
    pub rows: usize,
    /// The share of them that took more than two days.
    pub share_over_2d: f64,
    /// What is read in place of a missing value, for the features that the rules use.
    pub missing_read_as: Vec<Imputed>,
    /// The root of the tree.
    pub root: GateRule,
}

/// The value of a feature that is read in place of a missing one: its median.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Imputed {
    /// Name of the feature.
    pub feature: String,
    /// The median, or the code of the median level.
    pub value: f32,
    /// The median level, of a categorical feature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
}

/// A node of the readable gate: a split or a leaf.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateRule {
    /// Rows are divided by whether the feature's value is at most the threshold.
    Split {
        /// Name of the feature.
        feature: String,
        /// The threshold; of a categorical feature a threshold of the codes of its levels.
        threshold: f64,
        /// Of a categorical feature, the last level at most the threshold, in alphabetical order.
        #[serde(skip_serializing_if = "Option::is_none")]
        last_level: Option<String>,
        /// The node for rows at or below it.
        at_most: Box<GateRule>,
        /// The node for rows above it.
        above: Box<GateRule>,
    },
    /// A group of rows that is not divided further.
    Leaf {
        /// How many.
        rows: usize,
        /// The share of them that took more than two days.
        share_over_2d: f64,
    },
}

/// Rows with their outcomes and imputed values. Shapes: one `over` a row of the matrix.
struct Sample<'a> {
    matrix: &'a Matrix,
    medians: &'a Medians,
    over: &'a [bool],
}

/// Trains the readable gate. Shapes: one `over` a row of the matrix: whether it took more than two
/// days.
pub(crate) fn train(
    matrix: &Matrix,
    over: &[bool],
    settings: &GateSettings,
    seed: u64,
) -> Result<GateRules, Error> {
    let all: Vec<usize> = (0..over.len()).collect();
    let rows = sample(&all, settings.rules_rows, seed);
    let medians = Medians::of(matrix, &rows);
    let sample = Sample { matrix, medians: &medians, over };
    let mut used = Vec::new();
    let root = sample.grow(&rows, settings.rules_depth, &mut used)?;
    used.sort_unstable();
    used.dedup();
    let imputed = |feature: usize| {
        let (named, value) = (&matrix.features.0[feature], medians.of_feature(feature));
        Imputed { feature: named.name.clone(), value, level: level_at(named, value.into()) }
    };
    Ok(GateRules {
        rows: rows.len(),
        share_over_2d: sample.share_over(&rows),
        missing_read_as: used.into_iter().map(imputed).collect(),
        root,
    })
}

impl Sample<'_> {
    fn value(&self, feature: usize, row: usize) -> f64 {
        self.medians.filled(feature, self.matrix.columns[feature][row]).into()
    }

    fn n_over(&self, rows: &[usize]) -> usize {
        rows.iter().filter(|&&row| self.over[row]).count()
    }

    fn share_over(&self, rows: &[usize]) -> f64 {
        self.n_over(rows) as f64 / rows.len().max(1) as f64
    }

    fn grow(&self, rows: &[usize], depth: u32, used: &mut Vec<usize>) -> Result<GateRule, Error> {
        let leaf = || GateRule::Leaf { rows: rows.len(), share_over_2d: self.share_over(rows) };
        let n_over = self.n_over(rows);
        let smaller_class = n_over.min(rows.len() - n_over);
        if depth == 0 || smaller_class < ROWS_OF_CLASS_MIN {
            return Ok(leaf());
        }
        let Some((feature, threshold)) = self.best_split(rows, n_over)? else {
            return Ok(leaf());
        };
        let at_most = |&row: &usize| self.value(feature, row) <= threshold;
        let (left, right): (Vec<usize>, Vec<usize>) = rows.iter().partition(|row| at_most(row));
        if left.is_empty() || right.is_empty() {
            return Ok(leaf());
        }
        used.push(feature);
        let named = &self.matrix.features.0[feature];
        Ok(GateRule::Split {
            feature: named.name.clone(),
            threshold,
            last_level: level_at(named, threshold),
            at_most: Box::new(self.grow(&left, depth - 1, used)?),
            above: Box::new(self.grow(&right, depth - 1, used)?),
        })
    }

    /// linfa's best split of these rows, if there is one that gains enough.
    fn best_split(&self, rows: &[usize], n_over: usize) -> Result<Option<(usize, f64)>, Error> {
        let (n_rows, n_features) = (rows.len(), self.matrix.columns.len());
        let values = Array2::from_shape_fn((n_rows, n_features), |(at, feature)| {
            self.value(feature, rows[at])
        });
        let over: Array1<bool> = rows.iter().map(|&row| self.over[row]).collect();
        let half = n_rows as f64 / 2.0;
        let (of_over, of_within) = (half / n_over as f64, half / (n_rows - n_over) as f64);
        let weight = |&over: &bool| (if over { of_over } else { of_within }) as f32;
        let weights = over.iter().map(weight).collect();
        let dataset = DatasetBase::new(values, over).with_weights(weights);
        let stump = DecisionTree::<f64, bool>::params()
            .split_quality(SplitQuality::Gini)
            .max_depth(Some(1))
            .min_weight_leaf((SIDE_SHARE_MIN * n_rows as f64) as f32)
            .min_impurity_decrease(GAIN_MIN)
            .fit(&dataset)
            .map_err(|source| Error::GateRules { source })?;
        let root = stump.root_node();
        let (feature, threshold, _) = root.split();
        Ok((!root.is_leaf()).then_some((feature, threshold)))
    }
}

/// The last level of a categorical feature whose code is at most `code`.
fn level_at(feature: &Feature, code: f64) -> Option<String> {
    match &feature.kind {
        FeatureKind::Numeric => None,
        FeatureKind::Categorical { levels } => levels.get(code.max(0.0) as usize).cloned(),
    }
}

impl GateRules {
    /// The rules as indented text, one line each.
    pub fn text(&self) -> String {
        let mut text = format!(
            "P(more than 2 days), {} sampled rows, {} of them over\n",
            self.rows,
            percent(self.share_over_2d)
        );
        if !self.missing_read_as.is_empty() {
            let imputed = self.missing_read_as.iter().map(|imputed| match &imputed.level {
                Some(level) => format!("{} as {level:?}", imputed.feature),
                None => format!("{} as {}", imputed.feature, rounded(imputed.value.into())),
            });
            let imputed = imputed.collect::<Vec<_>>().join(", ");
            let _ = writeln!(text, "missing values are read as the median: {imputed}");
        }
        self.root.write_text(0, &mut text);
        text
    }
}

impl GateRule {
    fn write_text(&self, depth: usize, text: &mut String) {
        let indent = "  ".repeat(depth);
        match self {
            Self::Leaf { rows, share_over_2d } => {
                let _ = writeln!(text, "{indent}{} over, {rows} rows", percent(*share_over_2d));
            }
            Self::Split { feature, threshold, last_level, at_most, above } => {
                let bound = match last_level {
                    Some(level) => format!("{level:?} (alphabetical)"),
                    None => rounded(*threshold),
                };
                let _ = writeln!(text, "{indent}if {feature} <= {bound}");
                at_most.write_text(depth + 1, text);
                let _ = writeln!(text, "{indent}if {feature} > {bound}");
                above.write_text(depth + 1, text);
            }
        }
    }
}

fn percent(share: f64) -> String {
    format!("{:.1}%", 100.0 * share)
}

/// A number with four significant digits, for reading; the rules themselves keep all digits.
fn rounded(value: f64) -> String {
    let whole_digits = value.abs().max(1.0).log10().floor() as usize;
    let text = format!("{value:.*}", 3usize.saturating_sub(whole_digits));
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use statistics::SplitMix64;
    use terms::FeatureList;

    use super::*;

    fn fixture() -> (Matrix, Vec<bool>) {
        let numeric = Feature { name: "distance_km".into(), kind: FeatureKind::Numeric };
        let levels = vec!["air".to_owned(), "road".to_owned(), "sea".to_owned()];
        let kind = FeatureKind::Categorical { levels };
        let categorical = Feature { name: "service".into(), kind };
        let distance: Vec<f32> = (0..4000)
            .map(|row| if row % 40 == 0 { f32::NAN } else { (row % 400) as f32 })
            .collect();
        let service: Vec<f32> = (0..4000).map(|row| (row % 3) as f32).collect();
        // Nearly all are over, but nearby by air only six in ten.
        let mut random = SplitMix64::new(2);
        let mut tenths = || random.next_u64() % 10;
        let over = (0..4000)
            .map(|row| {
                let near_by_air = row % 3 == 0 && row % 400 < 100;
                tenths() < if near_by_air { 6 } else { 9 } || !near_by_air && tenths() < 9
            })
            .collect();
        let features = FeatureList(vec![numeric, categorical]);
        (Matrix { features, columns: vec![distance, service] }, over)
    }

    #[test]
    fn rules_find_the_fast_ones_even_where_nearly_all_are_over() {
        let (matrix, over) = fixture();
        let settings = GateSettings { rules_depth: 2, ..GateSettings::default() };
        let rules = train(&matrix, &over, &settings, 1).unwrap();
        let GateRule::Split { feature, threshold, at_most, .. } = &rules.root else { panic!() };
        assert!(feature == "distance_km" && (90.0..110.0).contains(threshold), "{threshold}");
        let GateRule::Split { last_level, at_most, .. } = &**at_most else { panic!() };
        assert_eq!(last_level.as_deref(), Some("air"));
        let GateRule::Leaf { rows: 300..400, share_over_2d } = **at_most else { panic!() };
        assert!((share_over_2d - 0.6).abs() < 0.05, "{share_over_2d}");
        assert_eq!(rules, train(&matrix, &over, &settings, 1).unwrap());
        let written = serde_json::to_string(&rules).unwrap();
        // Parsed floats may differ in the last bit, which the text does not show.
        assert_eq!(serde_json::from_str::<GateRules>(&written).unwrap().text(), rules.text());
    }

    #[test]
    fn the_text_names_features_thresholds_shares_and_the_imputation() {
        let leaf = |rows, share_over_2d| Box::new(GateRule::Leaf { rows, share_over_2d });
        let by_service = GateRule::Split {
            feature: "service".into(),
            threshold: 0.5,
            last_level: Some("air".into()),
            at_most: leaf(328, 0.6012),
            above: leaf(652, 0.979),
        };
        let rules = GateRules {
            rows: 4000,
            share_over_2d: 0.948,
            missing_read_as: vec![
                Imputed { feature: "distance_km".into(), value: 199.0, level: None },
                Imputed { feature: "service".into(), value: 1.0, level: Some("road".into()) },
            ],
            root: GateRule::Split {
                feature: "distance_km".into(),
                threshold: 99.5,
                last_level: None,
                at_most: Box::new(by_service),
                above: leaf(3020, 0.98),
            },
        };
        let expected = "\
P(more than 2 days), 4000 sampled rows, 94.8% of them over
missing values are read as the median: distance_km as 199, service as \"road\"
if distance_km <= 99.5
  if service <= \"air\" (alphabetical)
    60.1% over, 328 rows
  if service > \"air\" (alphabetical)
    97.9% over, 652 rows
if distance_km > 99.5
  98.0% over, 3020 rows
";
        assert_eq!(rules.text(), expected);
    }

    #[test]
    fn one_class_alone_is_one_leaf() {
        let (matrix, _) = fixture();
        let rules = train(&matrix, &[true; 4000], &GateSettings::default(), 1).unwrap();
        assert_eq!(rules.root, GateRule::Leaf { rows: 4000, share_over_2d: 1.0 });
        assert!(rules.missing_read_as.is_empty());
    }

    #[test]
    fn numbers_are_rounded_for_reading_only() {
        assert_eq!(rounded(123_456.7), "123457");
        assert_eq!(rounded(0.123_456), "0.123");
        assert_eq!(rounded(99.5), "99.5");
        assert_eq!(rounded(-20.0), "-20");
        assert_eq!(rounded(100.0), "100");
    }
}
