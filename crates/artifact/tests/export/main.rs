//! Exported models against a reader of their own, and the rows that prove that others read them right.

#[path = "../../examples/export/generated.rs"]
mod generated;
mod verification;
mod walker;

use std::collections::BTreeSet;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{Float32Type, Float64Type, UInt32Type};
use artifact::export::{ParityVectors, lightgbm_files, parity_vectors};
use boost::{Columns, Target};
use bytes::Bytes;
use generated::generated;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use scorer::{Parts, Regressor, Scorer};
use statistics::SplitMix64;
use terms::{ErrorClass, Feature, FeatureKind, FeatureList, LEVELS};
use walker::{Walker, numbers};

/// The rows of vectors, in f32.
fn rows(parts: &Parts, batch: &RecordBatch) -> Vec<Vec<f32>> {
    let column = |name: &str| batch[name].as_primitive::<Float32Type>().values().to_vec();
    let names = parts.features.0.iter().map(|feature| feature.name.as_str());
    let columns: Vec<Vec<f32>> = names.map(column).collect();
    (0..batch.num_rows()).map(|row| columns.iter().map(|column| column[row]).collect()).collect()
}

fn leaves(batch: &RecordBatch, ensemble: &str) -> Vec<u32> {
    let lists = batch[format!("parity:leaves:{ensemble}").as_str()].as_fixed_size_list();
    lists.values().as_primitive::<UInt32Type>().values().to_vec()
}

fn f64s(batch: &RecordBatch, name: &str) -> Vec<f64> {
    let column = &batch[name];
    let values = column.as_fixed_size_list_opt().map_or(column, |lists| lists.values());
    values.as_primitive::<Float64Type>().values().to_vec()
}

fn read(bytes: Vec<u8>) -> RecordBatch {
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes)).expect("Parquet");
    let schema = reader.schema().clone();
    let batches = reader.build().expect("batches").collect::<Result<Vec<_>, _>>().expect("rows");
    concat_batches(&schema, &batches).expect("one batch")
}

/// Every file of a model is read by the walker, for every row: leaves first, then bits.
fn assert_read_alike(parts: &Parts, vectors: &ParityVectors) {
    let files = lightgbm_files(parts).expect("files");
    assert_eq!(files.len(), 1 + parts.regressors.len() * LEVELS.len());
    let batch = vectors.batch();
    let rows = rows(parts, batch);
    let wide: Vec<Vec<f64>> =
        rows.iter().map(|row| row.iter().copied().map(f64::from).collect()).collect();
    for (path, bytes) in files {
        let ensemble = path.split('/').next().expect("a folder");
        let model = match ensemble.strip_prefix("regressor_") {
            None => &parts.gate,
            Some(at) => &parts.regressors[at.parse::<usize>().expect("a number")].trees,
        };
        let name = |level: &f64| format!("{ensemble}/q{:02.0}/model.txt", level * 100.0);
        let output = LEVELS.iter().position(|level| name(level) == path).unwrap_or(0);
        let walker = Walker::new(std::str::from_utf8(&bytes).expect("text"));
        let leaves = leaves(batch, ensemble);
        let raw = f64s(batch, &format!("parity:raw:{ensemble}"));
        let n_trees = model.trees().len().max(1);
        assert_eq!(walker.trees.len(), n_trees, "{path}");
        for (at, row) in rows.iter().enumerate() {
            let (sum, found) = walker.predict(&wide[at]);
            assert_eq!(found, leaves[at * n_trees..][..n_trees], "{path}: {row:?}");
            for (tree, &leaf) in model.trees().iter().zip(&found) {
                assert_eq!(tree.leaf_of(row), leaf as usize, "{path}: {row:?}");
            }
            let expected = raw[at * model.n_outputs() + output];
            assert_eq!(sum.to_bits(), expected.to_bits(), "{path}: {row:?}: {sum} {expected}");
        }
    }
}

#[test]
fn generated_models_are_read_as_they_route_and_add() {
    for seed in 0..12 {
        let parts = generated(seed).unwrap();
        let vectors = parity_vectors(&parts, 200, seed).unwrap();
        assert_read_alike(&parts, &vectors);
    }
}

#[test]
fn the_scorer_makes_the_raw_scores_in_rising_order() {
    let parts = generated(3).unwrap();
    let batch = parity_vectors(&parts, 300, 1).unwrap().batch().clone();
    let model = &parts.regressors[0].trees;
    let raw = f64s(&batch, "parity:raw:regressor_0");
    let mut predicted = vec![0.0; LEVELS.len()];
    for (row, raw) in rows(&parts, &batch).iter().zip(raw.chunks_exact(LEVELS.len())) {
        model.predict_row(row, &mut predicted);
        let mut sorted = raw.to_vec();
        sorted.sort_by(f64::total_cmp);
        assert_eq!(
            predicted.iter().map(|v| v.to_bits()).collect::<Vec<_>>(),
            sorted.iter().map(|v| v.to_bits()).collect::<Vec<_>>()
        );
    }
}

#[test]
fn every_key_is_written_and_sizes_are_exact() {
    let keys = [
        "num_leaves",
        "num_cat",
        "split_feature",
        "split_gain",
        "threshold",
        "decision_type",
        "left_child",
        "right_child",
        "leaf_value",
        "leaf_weight",
        "leaf_count",
        "internal_value",
        "internal_weight",
        "internal_count",
        "is_linear",
        "shrinkage",
    ];
    let mut constant = 0;
    for (path, bytes) in lightgbm_files(&generated(5).unwrap()).unwrap() {
        let text = String::from_utf8(bytes).unwrap();
        let walker = Walker::new(&text);
        let mut sizes = walker.sizes.clone();
        assert_eq!(sizes.len(), walker.trees.len());
        assert_eq!(numbers::<usize>(&walker.header, "tree_sizes"), sizes, "{path}");
        sizes.clear();
        for tree in &walker.trees {
            let missing: Vec<_> = keys.iter().filter(|key| !tree.contains_key(**key)).collect();
            assert!(missing.is_empty(), "{path}: {missing:?}");
            constant += usize::from(tree["num_leaves"] == "1");
        }
        let n_features = walker.header["feature_names"].split(' ').count();
        assert_eq!(walker.header["max_feature_idx"], (n_features - 1).to_string());
        assert_eq!(walker.header["feature_infos"].split(' ').count(), n_features);
    }
    assert!(constant > LEVELS.len(), "{constant} constant trees");
}

#[test]
fn counts_are_those_of_the_trees() {
    let plain = generated(7).unwrap();
    let batch = parity_vectors(&plain, 500, 2).unwrap().batch().clone();
    let rows = rows(&plain, &batch);
    let column = |at: usize| rows.iter().map(|row| row[at]).collect();
    let columns: Vec<Vec<f32>> = (0..plain.features.len()).map(column).collect();
    let gate = plain.gate.clone().counted(&columns).unwrap();
    let parts = Parts { gate, ..plain.clone() };
    let files = lightgbm_files(&parts).unwrap();
    let walker = Walker::new(std::str::from_utf8(&files["gate/model.txt"]).unwrap());
    for (tree, text) in parts.gate.trees().iter().zip(&walker.trees) {
        let mut expected = vec![1; tree.n_leaves()];
        rows.iter().for_each(|row| expected[tree.leaf_of(row)] += 1);
        assert_eq!(numbers::<usize>(text, "leaf_count"), expected);
        if let Some(root) = numbers::<usize>(text, "internal_count").first() {
            assert_eq!(*root, rows.len() + tree.n_leaves());
            let values = numbers::<f64>(text, "leaf_value");
            let sum: f64 = values.iter().zip(&expected).map(|(value, n)| value * *n as f64).sum();
            let mean = numbers::<f64>(text, "internal_value")[0];
            assert!((mean - sum / *root as f64).abs() < 1e-7);
        }
    }
    // Routing and sums are those of the other files.
    let uncounted = lightgbm_files(&plain).unwrap();
    assert!(uncounted["gate/model.txt"] != files["gate/model.txt"]);
    let uncounted = Walker::new(std::str::from_utf8(&uncounted["gate/model.txt"]).unwrap());
    let wide: Vec<f64> = rows[0].iter().copied().map(f64::from).collect();
    assert_eq!(walker.predict(&wide), uncounted.predict(&wide));
}

#[test]
fn some_rows_are_explained_and_their_values_add_up() {
    let parts = generated(6).unwrap();
    let vectors = parity_vectors(&parts, 100, 3).unwrap();
    let batch = vectors.batch();
    let (n_features, gate) = (parts.features.len(), &parts.gate);
    let lists = batch["parity:shap:gate"].as_fixed_size_list();
    let raw = f64s(batch, "parity:raw:gate");
    let expected = gate.explainer().expected()[0];
    let explained: Vec<usize> = (0..batch.num_rows()).filter(|&row| lists.is_valid(row)).collect();
    assert_eq!(explained.len(), 32);
    for &row in &explained {
        let values = lists.value(row);
        let values = values.as_primitive::<Float64Type>().values();
        assert_eq!(values.len(), n_features);
        let sum = values.iter().sum::<f64>() + expected;
        assert!((sum - raw[row]).abs() < 1e-12, "{sum} {}", raw[row]);
    }
    let kinds = batch["parity:kind"].as_string::<i32>();
    assert_eq!(kinds.value(explained[0]), "split");
    assert_eq!(kinds.value(explained[31]), "random");
}

#[test]
fn a_name_that_the_format_cannot_hold_is_refused() {
    for name in ["two words", "", "a=b", "line\nbreak"] {
        let mut parts = generated(1).unwrap();
        parts.features.0[2].name = name.into();
        let error = lightgbm_files(&parts).unwrap_err();
        assert_eq!(error.class(), ErrorClass::Input);
        let expected = format!("LightGBM's text format: the feature cannot be written: {name:?}");
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn vectors_have_every_edge_and_the_scorers_numbers() {
    let parts = generated(2).unwrap();
    let vectors = parity_vectors(&parts, 300, 9).unwrap();
    let batch = vectors.batch();
    let rows = rows(&parts, batch);
    let has = |of: &dyn Fn(f32) -> bool| rows.iter().flatten().any(|value| of(*value));
    assert!(has(&f32::is_nan) && has(&|value| value == f32::INFINITY));
    assert!(has(&|value| value == f32::NEG_INFINITY));
    assert!(has(&|value| value.to_bits() == (-0.0_f32).to_bits()) && has(&|value| value == 0.0));
    let codes: BTreeSet<i64> = rows.iter().map(|row| row[9] as i64).collect();
    // The first and last level of 300, one that no training has seen, a negative one.
    assert!([0, 299, 300, -1].iter().all(|code| codes.contains(code)), "{codes:?}");
    // Of thresholds that are infinite or the largest there is not every neighbour.
    let (met, all) = (vectors.n_splits_met, vectors.n_splits);
    assert!(met * 10 > all * 6 && met <= all, "{met} of {all}");

    let hours = f64s(batch, "parity:hours");
    let over = f64s(batch, "parity:probability_over_2d");
    let scorer = Scorer::from_parts(parts).unwrap();
    for (at, row) in rows.iter().enumerate() {
        let published = scorer.score_row(row);
        let found: Vec<f32> = hours[at * 9..][..9].iter().map(|hours| *hours as f32).collect();
        assert_eq!(found, published.hours);
        assert_eq!(over[at] as f32, published.probability_over_2d);
    }
}

/// A model as training makes it: no condition of a path excludes another.
fn trained() -> Result<Parts, Box<dyn std::error::Error>> {
    let mut random = SplitMix64::new(1);
    let columns: Vec<Vec<f32>> = [50, 3, 40]
        .map(|n_values| (0..2_000).map(|_| random.below(n_values) as f32).collect())
        .to_vec();
    let value = |row: usize| columns[0][row] + (columns[1][row] - columns[2][row] % 7.0).abs();
    let values: Vec<f32> = (0..2_000).map(value).collect();
    let outcomes: Vec<bool> = values.iter().map(|value| *value > 25.0).collect();
    let categorical = [false, false, true];
    let columns = Columns::new(&columns, &categorical);
    let params = boost::Params { rounds: 12, ..Default::default() }.check()?;
    let levels = LEVELS.map(|level| level as _);
    let observed = vec![true; values.len()];
    let target = Target::Quantiles { values: &values, observed: &observed, levels: &levels };
    let trees = boost::train(&columns, &target, &params)?;
    let gate = boost::train(&columns, &Target::Probability { outcomes: &outcomes }, &params)?;
    let levels = (0..40).map(|level| format!("{level:02}")).collect();
    let kinds = [FeatureKind::Numeric, FeatureKind::Numeric, FeatureKind::Categorical { levels }];
    let named = ["a", "b", "c"].into_iter().zip(kinds);
    let feature = |(name, kind): (&str, FeatureKind)| Feature { name: name.into(), kind };
    let parts = generated(1)?;
    let regressor = Regressor { trees, ..parts.regressors[0].clone() };
    let features = FeatureList(named.map(feature).collect());
    Ok(Parts { features, gate, regressors: vec![regressor], ..parts })
}

#[test]
fn a_trained_model_has_its_splits_met_by_fewer_rows_than_splits() {
    let parts = trained().unwrap();
    let vectors = parity_vectors(&parts, 0, 1).unwrap();
    assert!(vectors.n_splits > 50, "{}", vectors.n_splits);
    // Each is met with four values.
    assert!(vectors.n_rows() < 2 * vectors.n_splits, "{}", vectors.n_rows());
    // Thresholds that are next to each other on one path leave a neighbour out.
    let (met, all) = (vectors.n_splits_met, vectors.n_splits);
    assert!(met * 100 >= all * 99, "{met} of {all}");
    assert_read_alike(&parts, &vectors);
}

#[test]
fn the_file_gives_back_every_bit_and_the_seed_gives_the_same_file() {
    let parts = generated(4).unwrap();
    let vectors = parity_vectors(&parts, 100, 5).unwrap();
    let bytes = vectors.to_parquet().unwrap();
    assert_eq!(parity_vectors(&parts, 100, 5).unwrap().to_parquet().unwrap(), bytes);
    assert_ne!(parity_vectors(&parts, 100, 6).unwrap().to_parquet().unwrap(), bytes);
    let back = read(bytes);
    assert_eq!(back.num_columns(), vectors.batch().num_columns());
    let bits = |batch: &RecordBatch| -> Vec<u32> {
        rows(&parts, batch).iter().flatten().map(|value| value.to_bits()).collect()
    };
    assert_eq!(bits(&back), bits(vectors.batch()));
    for name in ["parity:raw:regressor_1", "parity:hours", "parity:probability_by_day"] {
        assert_eq!(f64s(&back, name), f64s(vectors.batch(), name));
    }
    assert_eq!(leaves(&back, "regressor_0"), leaves(vectors.batch(), "regressor_0"));
}
