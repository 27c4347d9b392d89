//! Tests of the whole model, with one of a tree each for the gate and the regressor.
#![expect(clippy::disallowed_methods, reason = "test code")]

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{
    ArrayRef, AsArray, DictionaryArray, Float64Array, Int32Array, RecordBatch, StringArray,
    StringViewArray,
};
use arrow::datatypes::{Float32Type, Int32Type};
use boost::{Child, Model, OutputOrder, Split, SplitRule, Tree};
use terms::{
    DayGrid, Digest, ErrorClass, Feature, FeatureKind, FeatureList, Grain, LEVELS, Matrix, N_LEVELS,
};

use crate::{
    Calibration, Error, LiveScorer, MIXTURE_FILE, Mixture, Parts, Recalibration, Regressor, Scorer,
    Segment, TimeScale, regressor_file,
};

fn features() -> FeatureList {
    let levels = vec!["air".to_owned(), "road".to_owned()];
    FeatureList(vec![
        Feature { name: "distance_km".into(), kind: FeatureKind::Numeric },
        Feature { name: "service".into(), kind: FeatureKind::Categorical { levels } },
    ])
}

/// A stump on `feature`: `low` up to `threshold`, `high` above, missing goes left.
fn stump(feature: u32, threshold: f32, low: &[f32], high: &[f32]) -> Tree {
    let split = Split {
        feature,
        rule: SplitRule::AtMost(threshold),
        missing_left: true,
        left: Child::Leaf(0),
        right: Child::Leaf(1),
        gain: 1.0,
    };
    Tree::new(&[split], [low, high].concat(), low.len()).unwrap()
}

fn parts() -> Parts {
    let gate = vec![stump(0, 500.0, &[-1.0], &[2.0])];
    let slow: Vec<f32> = LEVELS.iter().map(|&level| 100.0 * (0.5 + level) as f32).collect();
    let fast: Vec<f32> = slow.iter().map(|hours| hours / 2.0).collect();
    let trees = vec![stump(1, 0.5, &fast, &slow)];
    Parts {
        features: features(),
        days: DayGrid::DAILY,
        gate: Model::new(vec![0.5], gate, 2, OutputOrder::AsAdded).unwrap(),
        regressors: vec![Regressor {
            trees: Model::new(vec![30.0; N_LEVELS], trees, 2, OutputOrder::Rising).unwrap(),
            time_scale: TimeScale::hours(),
            weight: 1.0,
        }],
        tail_ratio: 0.4,
        calibration: Calibration {
            segments: vec![Segment { upper_median: Some(90.0), factors: [1.1; N_LEVELS] }],
            pooled: [0.9; N_LEVELS],
        },
        recalibration: Recalibration::identity(),
        grain: Grain::Instant,
    }
}

fn scorer() -> Scorer {
    Scorer::from_parts(parts()).unwrap()
}

fn matrix() -> Matrix {
    let distance = (0..1000).map(|row| if row % 7 == 0 { f32::NAN } else { row as f32 }).collect();
    let service = (0..1000).map(|row| [0.0, 1.0, f32::NAN][row % 3]).collect();
    Matrix { features: features(), columns: vec![distance, service] }
}

#[test]
fn many_rows_score_as_one_row_does() {
    let (scorer, matrix) = (scorer(), matrix());
    let all = scorer.score(&matrix).unwrap();
    let mut row = [0.0; 2];
    for (position, scored) in all.iter().enumerate() {
        matrix.row_into(position, &mut row);
        assert_eq!(*scored, scorer.score_row(&row));
    }
    let far_by_road = &all[601];
    // The mean of the gate's log-odds and those of the quantiles.
    matrix.row_into(601, &mut row);
    let quantiles = scorer.quantiles_row(&row);
    let of_quantiles = Mixture::of_quantiles(quantiles, 0.4, Grain::Instant, 0.0);
    let over = of_quantiles.probability_over_2d();
    assert!(over > 0.9 && over < 1.0, "{over}");
    let odds = f64::midpoint(2.5, (over / (1.0 - over)).ln()).exp();
    let found = f64::from(far_by_road.probability_over_2d);
    assert!((found - odds / (1.0 + odds)).abs() < 1e-6);
}

#[test]
fn the_band_of_the_raw_median_corrects_the_quantiles() {
    let scorer = scorer();
    let corrected = |service: f32| scorer.quantiles_row(&[600.0, service])[terms::MEDIAN];
    // Raw medians 80 and 130: the first is in the band, the second in none.
    assert!((corrected(0.0) - 80.0 * 1.1).abs() < 1e-3);
    assert!((corrected(1.0) - 130.0 * 0.9).abs() < 1e-3);
}

#[test]
fn an_open_shipment_is_not_predicted_into_the_past() {
    let (scorer, matrix) = (scorer(), matrix());
    let ages: Vec<f32> = (0..1000).map(|row| row as f32 / 2.0).collect();
    let scored = scorer.score_open(&matrix, &ages).unwrap();
    for (scored, &age) in scored.iter().zip(&ages) {
        assert!(scored.hours[0] >= age && scored.hours.is_sorted());
        if age >= 48.0 {
            assert_eq!(scored.probability_over_2d, 1.0);
        }
    }
    assert_eq!(scored[0], scorer.score(&matrix).unwrap()[0]);
    let refused = scorer.score_open(&matrix, &ages[1..]);
    assert!(matches!(refused, Err(Error::Ages { expected: 1000, found: 999 })));
}

#[test]
fn threads_share_a_scorer() {
    fn shared<T: Send + Sync>() {}
    shared::<Scorer>();
    shared::<LiveScorer>();
}

#[test]
fn a_batch_is_scored_to_the_columns_of_the_products_predictions() {
    let scorer = scorer().on_days(DayGrid::up_to(180).unwrap());
    let distance: ArrayRef = Arc::new(Float64Array::from_iter((0..700).map(f64::from)));
    let service: ArrayRef = Arc::new(StringArray::from_iter_values(
        (0..700).map(|row| ["air", "road", "sea"][row % 3]),
    ));
    let batch = RecordBatch::try_from_iter([("distance_km", distance), ("service", service)]);
    let batch = batch.unwrap();
    let scored = scorer.score_batch(&batch).unwrap();
    let names: Vec<String> =
        scored.schema().fields().iter().map(|field| field.name().clone()).collect();
    let mut expected = vec![terms::column::PROBABILITY_OVER_2D];
    expected.extend(terms::column::HOURS);
    expected.push("probability_by_3_days");
    assert_eq!(names, expected);
    let numbers = |column: usize| scored.column(column).as_primitive::<Float32Type>();
    let lists = scored.column(1 + N_LEVELS).as_list::<i32>();
    for (row, distribution) in scorer.distributions(&batch).unwrap().iter().enumerate() {
        assert_eq!(numbers(0).value(row), distribution.probability_over_2d);
        for level in 0..N_LEVELS {
            assert_eq!(numbers(1 + level).value(row), distribution.hours[level]);
        }
        assert_eq!(lists.value(row).as_primitive::<Float32Type>().values(), &distribution.by_day);
    }
    let none = scorer.score_batch(&batch.slice(0, 0)).unwrap();
    assert_eq!((none.num_rows(), none.schema()), (0, scored.schema()));
}

#[test]
fn a_model_is_replaced_under_load_with_no_failed_and_no_mixed_answer() {
    let other = Parts {
        gate: Model::new(vec![-2.0], Vec::new(), 2, OutputOrder::AsAdded).unwrap(),
        tail_ratio: 0.9,
        ..parts()
    };
    let models = [scorer(), Scorer::from_parts(other).unwrap()];
    let rows: Vec<[f32; 2]> = (0..500).map(|row| [row as f32 * 3.0, (row % 2) as f32]).collect();
    let expected = models.each_ref().map(|model| rows.iter().map(|row| model.score_row(row)));
    let expected = expected.map(Iterator::collect::<Vec<_>>);
    assert!((0..rows.len()).all(|row| expected[0][row] != expected[1][row]));
    let live = LiveScorer::new(models[0].clone());
    let swaps_are_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let read = || {
            let mut n_answers = [0; 2];
            while !swaps_are_over.load(Ordering::Relaxed) {
                for (position, row) in rows.iter().enumerate() {
                    let scorer = live.current();
                    let answer = (scorer.model_id(), scorer.score_row(row));
                    let of = (0..2)
                        .find(|&of| answer == (models[of].model_id(), expected[of][position]));
                    n_answers[of.expect("the whole answer of one of the models")] += 1;
                }
            }
            n_answers
        };
        let readers = [(); 3].map(|()| scope.spawn(read));
        for swap in 0..1_000 {
            live.replace(models[(swap + 1) % 2].clone());
            std::thread::yield_now();
        }
        swaps_are_over.store(true, Ordering::Relaxed);
        let answers = readers.map(|reader| reader.join().unwrap());
        assert!(answers.iter().flatten().sum::<i32>() > 0, "{answers:?}");
    });
    // The last swap has put the first model back.
    assert_eq!(live.current().model_id(), models[0].model_id());
}

#[test]
fn another_feature_list_is_refused_with_the_first_difference() {
    let mut other = matrix();
    other.features.0[1].name = "carrier".into();
    let error = scorer().score(&other).unwrap_err();
    let expected = "feature 1: expected service as in the model, found carrier";
    assert_eq!(error.to_string(), expected);
    assert_eq!(error.class(), ErrorClass::Contract);
    let mut other = matrix();
    other.features.0[1].kind = FeatureKind::Numeric;
    assert!(scorer().score(&other).unwrap_err().to_string().contains("service (numeric)"));
    let shorter = Matrix { features: FeatureList(vec![]), columns: vec![] };
    assert!(matches!(
        scorer().score(&shorter),
        Err(Error::FeatureDiffers { position: 0, found: None, .. })
    ));
    assert!(scorer().check_row(&[1.0]).is_err());
}

#[test]
fn a_batch_is_read_by_name_whatever_its_types_and_order() {
    let scorer = scorer();
    let service: ArrayRef = Arc::new(StringArray::from(vec![Some("road"), Some("boat"), None]));
    let distance: ArrayRef = Arc::new(Int32Array::from(vec![Some(600), None, Some(3)]));
    let other: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 3]));
    let columns = [("x", other), ("service", service), ("distance_km", distance)];
    let scored = scorer.distributions(&RecordBatch::try_from_iter(columns).unwrap()).unwrap();
    let rows = [[600.0, 1.0], [f32::NAN, f32::NAN], [3.0, f32::NAN]];
    assert_eq!(scored, rows.map(|row| scorer.score_row(&row)));

    let views: ArrayRef = Arc::new(StringViewArray::from(vec!["road", "air", "air"]));
    let coded: DictionaryArray<Int32Type> = vec!["road", "air", "air"].into_iter().collect();
    let distance: ArrayRef = Arc::new(Float64Array::from(vec![600.0, 0.5, 2.0]));
    let by = |service: ArrayRef| {
        let columns = [("distance_km", distance.clone()), ("service", service)];
        scorer.matrix_of(&RecordBatch::try_from_iter(columns).unwrap()).unwrap()
    };
    let expected = vec![vec![600.0, 0.5, 2.0], vec![1.0, 0.0, 0.0]];
    assert_eq!(by(views).columns, expected);
    assert_eq!(by(Arc::new(coded)).columns, expected);
}

#[test]
fn a_missing_column_and_a_wrong_type_are_named() {
    let scorer = scorer();
    let text: ArrayRef = Arc::new(StringArray::from(vec!["road"]));
    let only = RecordBatch::try_from_iter([("service", text.clone())]).unwrap();
    let error = scorer.score_batch(&only).unwrap_err();
    let expected = "column \"distance_km\": expected as a feature of the model, not found";
    assert_eq!(error.to_string(), expected);
    let columns = [("service", text.clone()), ("distance_km", text)];
    let wrong = RecordBatch::try_from_iter(columns).unwrap();
    let error = scorer.score_batch(&wrong).unwrap_err();
    assert_eq!(error.to_string(), "column \"distance_km\": expected numbers, found Utf8");
}

#[test]
fn files_come_back_as_the_same_model_and_the_same_bytes() {
    let (scorer, files) = (scorer(), parts().encode());
    assert_eq!(Parts::decode(&files).unwrap().encode(), files);
    let back = Scorer::decode(&files).unwrap();
    assert_eq!(back.model_id(), scorer.model_id());
    assert_eq!(back.score(&matrix()).unwrap(), scorer.score(&matrix()).unwrap());
}

#[test]
fn the_days_of_the_probabilities_are_in_the_files() {
    let days = DayGrid::up_to(180).unwrap();
    let daily = scorer();
    let mut files = Parts { days, ..parts() }.encode();
    let scorer = Scorer::from_parts(Parts { days, ..parts() }).unwrap();
    let back = Scorer::decode(&files).unwrap();
    assert_eq!((back.days(), back.model_id()), (days, scorer.model_id()));
    assert_ne!(scorer.model_id(), daily.model_id());
    let row = [700.0, 1.0];
    assert_eq!(back.score_row(&row).days, days);
    assert_eq!(back.score_row(&row).by_day[0], daily.score_row(&row).by_day[2], "day 3");
    // On the days of another model it gives what that gives, and remains the model that it is.
    let compared = back.on_days(DayGrid::DAILY);
    assert_eq!(compared.score_row(&row), daily.score_row(&row));
    assert_eq!(compared.model_id(), scorer.model_id());

    let text = String::from_utf8(files[MIXTURE_FILE].clone()).unwrap();
    let text = text.replacen("\"days_ahead\": 180", "\"days_ahead\": 100", 1);
    files.insert(MIXTURE_FILE.into(), text.into_bytes());
    let error = Scorer::decode(&files).unwrap_err();
    assert!(
        matches!(&error, Error::Json { source, .. } if source.to_string().contains("found 100"))
    );
    let text = String::from_utf8(parts().encode()[MIXTURE_FILE].clone()).unwrap();
    assert!(!text.contains("days_ahead"), "a bundle of every day is as it was");
}

#[test]
fn decoding_names_the_file_that_is_wrong() {
    let mut files = parts().encode();
    files.insert(regressor_file(0), b"nothing".to_vec());
    assert!(
        matches!(Scorer::decode(&files), Err(Error::Trees { file, .. }) if *file == regressor_file(0))
    );
    files.remove(&regressor_file(0));
    let error = Scorer::decode(&files).unwrap_err();
    assert_eq!(error.to_string(), "model file \"regressor_0.bin\": not in the bundle");
    assert_eq!(error.class(), ErrorClass::Input);

    let mut files = parts().encode();
    let text = String::from_utf8(files[MIXTURE_FILE].clone()).unwrap();
    files.insert(MIXTURE_FILE.into(), text.replacen("0.05", "0.02", 1).into_bytes());
    assert!(matches!(Scorer::decode(&files), Err(Error::Levels { .. })));
    files.insert(MIXTURE_FILE.into(), b"{}".to_vec());
    assert!(
        matches!(Scorer::decode(&files), Err(Error::Json { file, .. }) if file == MIXTURE_FILE)
    );
}

#[test]
fn parts_that_do_not_fit_are_refused() {
    let swapped = Parts { gate: parts().regressors[0].trees.clone(), ..parts() };
    let refused = Scorer::from_parts(swapped);
    assert!(matches!(refused, Err(Error::Outputs { part: "gate", expected: 1, found: 9 })));
    let short = Parts { features: FeatureList(features().0[..1].to_vec()), ..parts() };
    let refused = Scorer::from_parts(short);
    assert!(matches!(refused, Err(Error::FeatureCount { expected: 1, found: 2, .. })));
    let refused = Scorer::from_parts(Parts { tail_ratio: 0.0, ..parts() });
    assert!(matches!(refused, Err(Error::Tail { .. })));
}

fn write_bundle(folder: &std::path::Path, files: &BTreeMap<String, Vec<u8>>) {
    let entry = |(name, bytes): (&String, &Vec<u8>)| {
        let value = serde_json::json!({"sha256": Digest::of(bytes), "bytes": bytes.len()});
        (name.clone(), value)
    };
    let entries: serde_json::Map<_, _> = files.iter().map(entry).collect();
    let manifest = serde_json::json!({"model_id": "m1", "files": entries, "more": 1});
    fs::write(folder.join("manifest.json"), manifest.to_string()).unwrap();
    for (name, bytes) in files {
        fs::write(folder.join(name), bytes).unwrap();
    }
}

#[test]
fn a_folder_is_loaded_only_as_its_manifest_says() {
    let folder = tempfile::tempdir().unwrap();
    let missing = Scorer::load(folder.path()).unwrap_err();
    assert!(matches!(missing, Error::Unreadable { .. }) && missing.class() == ErrorClass::Input);

    let files = parts().encode();
    write_bundle(folder.path(), &files);
    let loaded = Scorer::load(folder.path()).unwrap();
    assert_eq!(loaded.model_id(), "m1");
    assert_eq!(Parts::load(folder.path()).unwrap().0.encode(), files);

    fs::write(folder.path().join(regressor_file(0)), &files[&regressor_file(0)][1..]).unwrap();
    let altered = Scorer::load(folder.path()).unwrap_err();
    assert!(matches!(&altered, Error::Altered { file, .. } if *file == regressor_file(0)));
    assert_eq!(altered.class(), ErrorClass::Storage);
}
