//! The families of random forests and extra trees: smartcore finds the structure of the trees, and
//! each leaf predicts the quantiles of the training rows in it.
//!
//! Order of work:
//! 1. Rows: observed and matured ones only; smartcore cannot use right-censored rows, and among
//!    recent orders only the fast ones are observed.
//! 2. Missing values are imputed by the median of their feature. At scoring a missing value is
//!    routed as the median is.
//! 3. smartcore grows trees on a seeded sample, for ln(hours), in groups that are trained in
//!    parallel; the number of threads changes nothing.
//! 4. All rows are routed to their leaves; a leaf's values are the quantiles of the hours in it.
//!    The forest's quantiles are the means of the leaves' quantiles over the trees.
//!
//! Limits: categories are codes, ordered as their levels; the mean of quantiles is not the
//! quantile of the mixture of leaves (that needs the rows at scoring; see Meinshausen, Quantile
//! Regression Forests, JMLR 7, 2006), which the calibration corrects on average.

use rayon::prelude::*;
use smartcore::ensemble::extra_trees_regressor::{
    ExtraTreesRegressor, ExtraTreesRegressorParameters,
};
use smartcore::ensemble::random_forest_regressor::{
    RandomForestRegressor, RandomForestRegressorParameters,
};
use smartcore::linalg::basic::matrix::DenseMatrix;
use terms::{LEVELS, Matrix, N_LEVELS};

use crate::checkpoints::Checkpoints;
use crate::error::Error;
use crate::family::{Family, TrainingRows, WeightedTrees};
use crate::forest_structure::{Node, Structure, read};
use crate::imputation::Medians;
use crate::sampling::sample;
use crate::settings::ForestSettings;

/// Trees that one call of smartcore grows. The model depends on it, so it is no setting.
const TREES_IN_GROUP: u32 = 10;

/// The kind of forest that smartcore grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    RandomForest,
    ExtraTrees,
}

/// A family of forests.
pub(crate) struct Forest {
    kind: Kind,
    settings: ForestSettings,
    seed: u64,
}

impl Forest {
    pub(crate) fn new(kind: Kind, settings: &ForestSettings, seed: u64) -> Self {
        Self { kind, settings: settings.clone(), seed }
    }

    /// Trees grown by smartcore on the sampled rows.
    fn grow(
        &self,
        matrix: &Matrix,
        log_hours: &[f64],
        rows: &[usize],
        medians: &Medians,
    ) -> Result<Vec<Structure>, Error> {
        let failed = |source| Error::Forest { family: self.name(), source };
        let column = |(feature, column): (usize, &Vec<f32>)| {
            rows.iter().map(|&row| medians.filled(feature, column[row])).collect::<Vec<f32>>()
        };
        let values = matrix.columns.iter().enumerate().flat_map(column).collect();
        let n_features = matrix.columns.len();
        let x = DenseMatrix::new(rows.len(), n_features, values, true).map_err(failed)?;
        let y: Vec<f64> = rows.iter().map(|&row| log_hours[row]).collect();
        let groups: Vec<u32> = (0..self.settings.trees).step_by(TREES_IN_GROUP as usize).collect();
        let groups = groups
            .into_par_iter()
            .map(|first| {
                let trees = TREES_IN_GROUP.min(self.settings.trees - first);
                self.grow_group(&x, &y, trees, self.seed.wrapping_add(u64::from(first)))
            })
            .collect::<Result<Vec<_>, Error>>()?;
        Ok(groups.into_iter().flatten().collect())
    }

    fn grow_group(
        &self,
        x: &DenseMatrix<f32>,
        y: &Vec<f64>,
        trees: u32,
        seed: u64,
    ) -> Result<Vec<Structure>, Error> {
        let family = self.name();
        let failed = |source| Error::Forest { family, source };
        // smartcore counts levels, and a root alone is one.
        let levels = Some(self.settings.depth + 1);
        let rows_in_leaf_min = self.settings.rows_in_leaf_min;
        let tries = Some(self.features_of_a_split(x));
        match self.kind {
            Kind::RandomForest => {
                let parameters = RandomForestRegressorParameters {
                    max_depth: levels,
                    min_samples_leaf: rows_in_leaf_min,
                    min_samples_split: 2 * rows_in_leaf_min,
                    n_trees: trees as usize,
                    m: tries,
                    keep_samples: false,
                    seed,
                };
                read(family, &RandomForestRegressor::fit(x, y, parameters).map_err(failed)?)
            }
            Kind::ExtraTrees => {
                let parameters = ExtraTreesRegressorParameters {
                    max_depth: levels,
                    min_samples_leaf: rows_in_leaf_min,
                    min_samples_split: 2 * rows_in_leaf_min,
                    n_trees: trees as usize,
                    m: tries,
                    keep_samples: false,
                    seed,
                };
                read(family, &ExtraTreesRegressor::fit(x, y, parameters).map_err(failed)?)
            }
        }
    }

    fn features_of_a_split(&self, x: &DenseMatrix<f32>) -> usize {
        use smartcore::linalg::basic::arrays::Array;
        let (_, n_features) = x.shape();
        ((self.settings.feature_fraction * n_features as f64).ceil() as usize).clamp(1, n_features)
    }
}

impl Family for Forest {
    fn name(&self) -> &'static str {
        match self.kind {
            Kind::RandomForest => "forest",
            Kind::ExtraTrees => "extra_trees",
        }
    }

    fn train(
        &self,
        rows: &TrainingRows<'_>,
        _: &str,
        _: &dyn Checkpoints,
    ) -> Result<Vec<WeightedTrees>, Error> {
        let usable = |&row: &usize| rows.observed[row] && rows.matured[row];
        let eligible: Vec<usize> = (0..rows.times.len()).filter(usable).collect();
        if eligible.is_empty() {
            return Err(Error::NothingMatured { family: self.name(), rows: rows.times.len() });
        }
        let medians = Medians::of(rows.matrix, &eligible);
        let log_hours: Vec<f64> =
            rows.times.iter().map(|&hours| libm::log(f64::from(hours))).collect();
        let sampled = sample(&eligible, self.settings.rows_sampled, self.seed);
        let structures = self.grow(rows.matrix, &log_hours, &sampled, &medians)?;
        let leaf_values = |structure: &Structure| {
            leaf_quantiles(structure, rows.matrix, rows.times, &eligible, &medians)
        };
        let values: Vec<Vec<[f64; N_LEVELS]>> = structures.par_iter().map(leaf_values).collect();
        let n_features = rows.matrix.columns.len();
        Ok(vec![(model(self.name(), &structures, &values, &medians, n_features)?, 1.0)])
    }
}

/// For each node of a tree, the quantiles of the hours of the rows that end there.
fn leaf_quantiles(
    structure: &Structure,
    matrix: &Matrix,
    hours: &[f32],
    rows: &[usize],
    medians: &Medians,
) -> Vec<[f64; N_LEVELS]> {
    let mut in_leaf: Vec<Vec<f32>> = vec![Vec::new(); structure.nodes.len()];
    for &row in rows {
        let value = |feature: usize| medians.filled(feature, matrix.columns[feature][row]);
        in_leaf[structure.leaf_of(value)].push(hours[row]);
    }
    // A leaf of smartcore has sampled rows, which are among `rows`: only splits have none.
    in_leaf.into_iter().map(|hours| quantiles(hours).unwrap_or_default()).collect()
}

/// Quantiles at all levels, linear between order statistics (type 7); `None` without values. Unlike
/// [`statistics::quantile`] it subtracts in f32: the bytes of models depend on it.
fn quantiles(mut hours: Vec<f32>) -> Option<[f64; N_LEVELS]> {
    let last = hours.len().checked_sub(1)?;
    hours.sort_unstable_by(f32::total_cmp);
    Some(LEVELS.map(|level| {
        let at = level * last as f64;
        let (low, high) = (hours[at as usize], hours[(at as usize + 1).min(last)]);
        f64::from(low) + f64::from(high - low) * at.fract()
    }))
}

/// The forest as a model that predicts the mean over trees of its leaves' values.
///
/// Shapes: `values` n_trees × n_nodes × K; those of splits are not used.
fn model<const K: usize>(
    family: &'static str,
    structures: &[Structure],
    values: &[Vec<[f64; K]>],
    medians: &Medians,
    n_features: usize,
) -> Result<boost::Model, Error> {
    let failed = |source| Error::Boost { step: family, source };
    let n_trees = structures.len() as f64;
    let tree = |(structure, values): (&Structure, &Vec<[f64; K]>)| {
        let splits = splits(structure, medians);
        let is_leaf = |node: &&Node| matches!(node, Node::Leaf { .. });
        let leaves = structure.nodes.iter().zip(values).filter(|(node, _)| is_leaf(node));
        let share = |value: &f64| (value / n_trees) as f32;
        let values = leaves.flat_map(|(_, values)| values.iter().map(share)).collect();
        boost::Tree::new(&splits, values, K).map_err(failed)
    };
    let trees = structures.iter().zip(values).map(tree).collect::<Result<_, Error>>()?;
    boost::Model::new(vec![0.0; K], trees, n_features, boost::OutputOrder::Rising).map_err(failed)
}

/// The splits of a tree; leaves are numbered in the order of their nodes.
fn splits(structure: &Structure, medians: &Medians) -> Vec<boost::Split> {
    let (mut n_splits, mut n_leaves) = (0, 0);
    let children: Vec<boost::Child> = (structure.nodes.iter())
        .map(|node| match node {
            Node::Split { .. } => {
                n_splits += 1;
                boost::Child::Split(n_splits - 1)
            }
            Node::Leaf { .. } => {
                n_leaves += 1;
                boost::Child::Leaf(n_leaves - 1)
            }
        })
        .collect();
    let split = |node: &Node| match *node {
        Node::Leaf { .. } => None,
        Node::Split { feature, threshold, gain, left, right } => Some(boost::Split {
            feature: feature as u32,
            rule: boost::SplitRule::AtMost(threshold),
            missing_left: medians.of_feature(feature) <= threshold,
            left: children[left],
            right: children[right],
            gain: gain as f32,
        }),
    };
    structure.nodes.iter().filter_map(split).collect()
}

#[cfg(test)]
mod tests {
    use statistics::SplitMix64;
    use terms::{Feature, FeatureKind, FeatureList};

    use super::*;
    use crate::NoCheckpoints;

    /// Four features with missing values; hours depend on two of them.
    fn fixture(n_rows: usize) -> (Matrix, Vec<f32>) {
        let mut random = SplitMix64::new(3);
        let mut uniform = || (random.next_u64() >> 40) as f32 / (1u64 << 24) as f32;
        let mut columns = vec![Vec::new(); 4];
        let mut hours = Vec::new();
        for _ in 0..n_rows {
            let x: Vec<f32> = (0..4).map(|_| uniform()).collect();
            hours.push(50.0 + 100.0 * x[0] + if x[1] > 0.5 { 80.0 } else { 0.0 } + 20.0 * x[2]);
            for (column, value) in columns.iter_mut().zip(x) {
                column.push(if uniform() < 0.1 { f32::NAN } else { value });
            }
        }
        let numeric = |name: &str| Feature { name: name.into(), kind: FeatureKind::Numeric };
        let features = FeatureList(["a", "b", "c", "d"].map(numeric).to_vec());
        (Matrix { features, columns }, hours)
    }

    fn small(kind: Kind) -> Forest {
        let settings = ForestSettings { trees: 15, depth: 6, ..ForestSettings::default() };
        Forest::new(kind, &settings, 11)
    }

    #[test]
    fn the_converted_forest_routes_every_row_as_smartcore_does() {
        let (matrix, hours) = fixture(3000);
        let rows: Vec<usize> = (0..3000).collect();
        let medians = Medians::of(&matrix, &rows);
        let y: Vec<f64> = hours.iter().map(|&hours| f64::from(hours)).collect();
        let columns = matrix.columns.iter().enumerate();
        let values: Vec<f32> = columns
            .flat_map(|(j, column)| column.iter().map(move |&x| (j, x)))
            .map(|(j, x)| medians.filled(j, x))
            .collect();
        let x = DenseMatrix::new(3000, 4, values, true).unwrap();
        let parameters = RandomForestRegressorParameters::default()
            .with_max_depth(8)
            .with_n_trees(9)
            .with_seed(4);
        let forest = RandomForestRegressor::fit(&x, &y, parameters).unwrap();
        let expected = forest.predict(&x).unwrap();
        let structures = read("forest", &forest).unwrap();
        let outputs = |structure: &Structure| {
            let output = |node: &Node| match node {
                Node::Leaf { output } => [*output],
                Node::Split { .. } => [0.0],
            };
            structure.nodes.iter().map(output).collect::<Vec<[f64; 1]>>()
        };
        let values: Vec<Vec<[f64; 1]>> = structures.iter().map(outputs).collect();
        let model = model("forest", &structures, &values, &medians, 4).unwrap();
        let found = model.predict(&matrix.columns).unwrap();
        for (found, expected) in found.iter().zip(&expected) {
            // The nine shares are rounded to f32; another leaf would differ by hours.
            assert!((found - expected).abs() < 1e-3, "{found} {expected}");
        }
    }

    #[test]
    fn both_kinds_learn_from_observed_and_matured_rows_only() {
        let (matrix, mut hours) = fixture(4000);
        let mut observed = vec![true; 4000];
        let mut matured = vec![true; 4000];
        for row in 0..1000 {
            // Would pull every quantile down if these rows were used.
            hours[row] = 49.0;
            if row % 2 == 0 { observed[row] = false } else { matured[row] = false }
        }
        for kind in [Kind::RandomForest, Kind::ExtraTrees] {
            let rows = TrainingRows {
                matrix: &matrix,
                times: &hours,
                observed: &observed,
                matured: &matured,
            };
            let trained = small(kind).train(&rows, "regressor", &NoCheckpoints).unwrap();
            let model = &trained[0].0;
            let predicted = model.predict(&matrix.columns).unwrap();
            let medians: Vec<f64> = predicted.chunks(N_LEVELS).map(|q| q[terms::MEDIAN]).collect();
            let missed: f64 =
                (1000..4000).map(|row| (medians[row] - f64::from(hours[row])).abs()).sum();
            assert!(missed / 3000.0 < 25.0, "{kind:?}: {}", missed / 3000.0);
            assert!(predicted.iter().all(|&hours| hours > 50.0));
            assert_eq!(trained, small(kind).train(&rows, "regressor", &NoCheckpoints).unwrap());
        }
    }

    #[test]
    fn quantiles_of_a_leaf_are_between_order_statistics() {
        let found = quantiles(vec![3.0, 1.0, 2.0]).unwrap();
        assert_eq!(found[terms::MEDIAN], 2.0);
        assert!((found[2] - 1.5).abs() < 1e-12);
        assert_eq!(quantiles(vec![7.0]), Some([7.0; N_LEVELS]));
        assert_eq!(quantiles(Vec::new()), None);
    }
}
