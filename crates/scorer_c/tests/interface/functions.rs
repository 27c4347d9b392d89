//! Every function with what it may be given, and with what it must refuse.
#![expect(unsafe_code, reason = "the functions are those that C calls")]

use std::ffi::{CStr, CString, c_char};
use std::ptr::{null, null_mut};

use longhaul_scorer::*;

use crate::bundle::Bundle;

pub(crate) fn text<'a>(pointer: *const c_char) -> Option<&'a str> {
    // SAFETY: texts of the library end in NUL and live as long as the model, or until the next error.
    (!pointer.is_null()).then(|| unsafe { CStr::from_ptr(pointer) }.to_str().expect("UTF-8"))
}

pub(crate) fn last_error() -> String {
    text(longhaul_last_error()).expect("a text").to_owned()
}

/// A model of the library, freed at its end.
struct Loaded(*mut Model);

// SAFETY: what the header promises, and the test of threads holds it to.
unsafe impl Sync for Loaded {}

impl Loaded {
    fn of(bundle: &Bundle) -> Self {
        let folder = CString::new(bundle.path().to_str().expect("UTF-8")).expect("no NUL");
        let mut model = null_mut();
        // SAFETY: a text and memory for a pointer.
        assert_eq!(unsafe { longhaul_load(folder.as_ptr(), &raw mut model) }, Status::Ok);
        Self(model)
    }
}

impl Drop for Loaded {
    fn drop(&mut self) {
        // SAFETY: loaded, and freed once.
        unsafe { longhaul_free(self.0) }
    }
}

const UNTOUCHED: Forecast = Forecast {
    probability_over_2d: -1.0,
    hours: [-1.0; LONGHAUL_LEVELS],
    probability_by_day: [-1.0; LONGHAUL_DAYS],
};

/// The status of scoring, and the forecasts.
fn score_rows(model: &Loaded, rows: &[f32], n_rows: usize, n: usize) -> (Status, Vec<Forecast>) {
    let mut out = vec![UNTOUCHED; n_rows.min(1000)];
    // SAFETY: so many values and so much memory, unless the lengths are to be refused.
    let status =
        unsafe { longhaul_score_rows(model.0, rows.as_ptr(), n_rows, n, out.as_mut_ptr()) };
    (status, out)
}

fn bits(forecast: &Forecast) -> Vec<u32> {
    let Forecast { probability_over_2d, hours, probability_by_day } = forecast;
    let all = [*probability_over_2d].into_iter().chain(*hours).chain(*probability_by_day);
    all.map(f32::to_bits).collect()
}

#[test]
fn rows_have_the_bits_of_the_scorer_on_any_thread() {
    let bundle = Bundle::new(5);
    let model = &Loaded::of(&bundle);
    let rows = bundle.rows(200);
    let n = bundle.scorer.features().len();
    let expected: Vec<Forecast> =
        rows.iter().map(|row| bundle.scorer.score_row(row).into()).collect();
    let (rows, expected) = (&rows.concat(), &expected);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(move || {
                let (status, found) = score_rows(model, rows, 200, n);
                assert_eq!(status, Status::Ok);
                for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
                    assert_eq!(bits(found), bits(expected), "row {at}");
                    let mut alone = UNTOUCHED;
                    let row = &rows[at * n..];
                    // SAFETY: a row and memory for a forecast.
                    let status =
                        unsafe { longhaul_score_row(model.0, row.as_ptr(), n, &raw mut alone) };
                    assert_eq!((status, bits(&alone)), (Status::Ok, bits(expected)));
                }
            });
        }
    });
    assert_eq!(score_rows(model, &[], 0, n), (Status::Ok, vec![]));
}

#[test]
fn features_levels_and_days_are_the_models() {
    let bundle = Bundle::new(6);
    let model = Loaded::of(&bundle);
    let features = &bundle.scorer.features().0;
    // SAFETY: a loaded model, texts that end in NUL and memory for results.
    unsafe {
        assert_eq!(text(longhaul_model_id(model.0)), Some("generated-6"));
        assert_eq!(longhaul_feature_count(model.0), features.len());
        for (at, feature) in features.iter().enumerate() {
            assert_eq!(text(longhaul_feature_name(model.0, at)), Some(&*feature.name));
            let (name, mut position) = (CString::new(&*feature.name).unwrap(), usize::MAX);
            let status = longhaul_feature_position(model.0, name.as_ptr(), &raw mut position);
            assert_eq!((status, position), (Status::Ok, at));
            let n_levels = longhaul_level_count(model.0, at);
            assert_eq!(n_levels > 0, feature.is_categorical());
            let mut code = -1.0;
            for expected in 0..n_levels {
                let level = longhaul_level(model.0, at, expected);
                let status = longhaul_level_code(model.0, at, level, &raw mut code);
                assert_eq!((status, code), (Status::Ok, expected as f32));
            }
            assert_eq!(longhaul_level(model.0, at, n_levels), null());
            assert!(last_error().contains(&format!("found {n_levels}")), "{}", last_error());
            let status = longhaul_level_code(model.0, at, c"new".as_ptr(), &raw mut code);
            if feature.is_categorical() {
                assert!(status == Status::Ok && code.is_nan());
            } else {
                assert_eq!((status, code), (Status::UnknownFeature, -1.0));
                assert!(last_error().contains(&feature.name), "{}", last_error());
            }
        }
        for point in 0..LONGHAUL_DAYS {
            assert_eq!(longhaul_day(model.0, point), bundle.scorer.days().day(point));
        }
        assert_eq!(longhaul_day(model.0, LONGHAUL_DAYS), 0);
    }
    let levels: Vec<f64> = (0..LONGHAUL_LEVELS).map(|at| longhaul_quantile_level(at)).collect();
    assert_eq!(levels, terms::LEVELS);
    assert!(longhaul_quantile_level(LONGHAUL_LEVELS).is_nan());
    assert_eq!(longhaul_abi_version(), LONGHAUL_ABI_VERSION);
}

#[test]
fn null_misaligned_and_wrong_lengths_are_statuses_and_write_nothing() {
    let bundle = Bundle::new(7);
    let model = Loaded::of(&bundle);
    let n = bundle.scorer.features().len();
    let rows = bundle.rows(2).concat();
    for (n_rows, n_features) in
        [(1, n - 1), (1, n + 1), (2, 0), (usize::MAX, n), (usize::MAX / 8, n)]
    {
        let (status, out) = score_rows(&model, &rows, n_rows, n_features);
        assert_eq!(status, Status::InvalidLength, "{n_rows} x {n_features}: {}", last_error());
        assert!(out.iter().all(|forecast| *forecast == UNTOUCHED));
    }
    assert_eq!(score_rows(&model, &rows, 1, n - 1).0, Status::InvalidLength);
    assert_eq!(last_error(), format!("row: expected {n} values, found {}", n - 1));

    let (mut out, mut position, mut code) = (UNTOUCHED, 7usize, 7.0f32);
    let (row, name) = (rows.as_ptr(), c"of_2".as_ptr());
    let misaligned = row.cast::<u8>().wrapping_add(1).cast::<f32>();
    // SAFETY: what is not to be refused is a loaded model, a row, a text or memory for a result.
    let refused = unsafe {
        [
            longhaul_score_row(null(), row, n, &raw mut out),
            longhaul_score_row(model.0, null(), n, &raw mut out),
            longhaul_score_row(model.0, misaligned, n, &raw mut out),
            longhaul_score_row(model.0, row, n, null_mut()),
            longhaul_score_rows(null(), row, 1, n, &raw mut out),
            longhaul_feature_position(null(), name, &raw mut position),
            longhaul_feature_position(model.0, null(), &raw mut position),
            longhaul_feature_position(model.0, name, null_mut()),
            longhaul_level_code(null(), 0, name, &raw mut code),
            longhaul_level_code(model.0, 0, null(), &raw mut code),
            longhaul_level_code(model.0, 0, name, null_mut()),
        ]
    };
    assert_eq!(refused, [Status::InvalidPointer; 11]);
    assert_eq!((out, position, code), (UNTOUCHED, 7, 7.0));
    assert_eq!(last_error(), "out: expected a pointer, found NULL");
    // SAFETY: as above.
    unsafe {
        assert_eq!(longhaul_feature_count(null()), 0);
        assert_eq!(longhaul_feature_name(null(), 0), null());
        assert_eq!(longhaul_feature_name(model.0, n), null());
        assert_eq!(longhaul_level_count(null(), 0), 0);
        assert_eq!(longhaul_level_count(model.0, n), 0);
        assert_eq!(longhaul_level(null(), 0, 0), null());
        assert_eq!(longhaul_model_id(null()), null());
        assert_eq!(longhaul_day(null(), 0), 0);
        longhaul_free(null_mut());
        let not_utf8 = c"\xff";
        let status = longhaul_feature_position(model.0, not_utf8.as_ptr(), &raw mut position);
        assert_eq!((status, position), (Status::InvalidText, 7));
        let status = longhaul_feature_position(model.0, c"weight".as_ptr(), &raw mut position);
        assert_eq!((status, position), (Status::UnknownFeature, 7));
    }
}

fn load_files(files: &[File]) -> (Status, *mut Model) {
    let mut model = null_mut();
    // SAFETY: files that are there, and memory for a pointer.
    (unsafe { longhaul_load_files(files.as_ptr(), files.len(), &raw mut model) }, model)
}

#[test]
fn a_model_is_loaded_from_memory_and_a_wrong_one_is_not() {
    let bundle = Bundle::new(8);
    let names: Vec<CString> =
        bundle.files.keys().map(|name| CString::new(&**name).unwrap()).collect();
    let of = |(name, bytes): (&CString, &Vec<u8>)| File {
        name: name.as_ptr(),
        bytes: bytes.as_ptr(),
        size: bytes.len(),
    };
    let mut files: Vec<File> = names.iter().zip(bundle.files.values()).map(of).collect();
    let (status, model) = load_files(&files);
    assert_eq!(status, Status::Ok);
    let model = Loaded(model);
    let row = &bundle.rows(1)[0];
    let (status, found) = score_rows(&model, row, 1, row.len());
    assert_eq!((status, &found[0]), (Status::Ok, &bundle.scorer.score_row(row).into()));
    // SAFETY: a loaded model.
    assert_eq!(text(unsafe { longhaul_model_id(model.0) }), Some(bundle.scorer.model_id()));

    let gate = files.iter().position(|file| text(file.name) == Some("gate.bin")).unwrap();
    files[gate].size -= 1;
    assert_eq!(load_files(&files), (Status::InvalidModel, null_mut()));
    assert!(last_error().contains("gate.bin"), "{}", last_error());
    files[gate].bytes = null();
    assert_eq!(load_files(&files), (Status::InvalidPointer, null_mut()));
    files.remove(gate);
    assert_eq!(load_files(&files), (Status::InvalidModel, null_mut()));
    assert!(
        last_error().starts_with("model file \"gate.bin\": not in the bundle"),
        "{}",
        last_error()
    );
    assert_eq!(load_files(&[]), (Status::InvalidModel, null_mut()));
}

#[test]
fn a_folder_that_is_altered_or_no_bundle_is_refused() {
    let bundle = Bundle::new(9);
    let load = |folder: &CStr| {
        let mut model = null_mut();
        // SAFETY: a text and memory for a pointer.
        let status = unsafe { longhaul_load(folder.as_ptr(), &raw mut model) };
        assert!(model.is_null());
        (status, last_error())
    };
    let (status, error) = load(c"/nowhere");
    assert_eq!(status, Status::InvalidModel);
    assert!(error.contains("/nowhere/manifest.json") && error.contains("No such file"), "{error}");
    assert_eq!(load(c"\xff").0, Status::InvalidText);
    let path = bundle.path().join("mixture.json");
    std::fs::write(path, "{}").unwrap();
    let folder = CString::new(bundle.path().to_str().unwrap()).unwrap();
    let (status, error) = load(&folder);
    assert_eq!(status, Status::InvalidModel);
    assert!(error.contains("mixture.json") && error.contains("found 2 bytes"), "{error}");
    // SAFETY: null is to be refused.
    unsafe {
        assert_eq!(longhaul_load(null(), null_mut()), Status::InvalidPointer);
        assert_eq!(longhaul_load(folder.as_ptr(), null_mut()), Status::InvalidPointer);
        assert_eq!(longhaul_load_files(null(), 1, null_mut()), Status::InvalidPointer);
    }
}
