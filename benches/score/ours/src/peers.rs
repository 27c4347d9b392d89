//! Who scores: ours, and other programs that read the same trees.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use libloading::Library;
use nexus_inference::Gbdt;
use ort::session::Session;
use ort::value::TensorRef;
use rayon::prelude::*;
use scorer::{Instructions, Parts, Scorer};
use terms::{Matrix, N_LEVELS};

/// Scores rows, and forgets what came of it.
pub(crate) trait Peer {
    /// One row.
    fn row(&mut self, row: &[f32]);

    /// What a caller has before it scores these rows at once; not timed.
    fn prepare(&mut self, _rows: &[f32], _n_features: usize) {}

    /// The rows at once, on two threads.
    fn batch(&mut self, rows: &[f32]) -> Result<()>;
}

/// What ours gives of a row.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Part {
    /// The whole distribution.
    All,
    /// P(over two days) and the quantiles.
    Quantiles,
}

pub(crate) struct Ours {
    scorer: Scorer,
    part: Part,
    matrix: Matrix,
}

impl Ours {
    pub(crate) fn of(parts: &Parts, part: Part, instructions: Instructions) -> Result<Self> {
        let scorer = Scorer::with_instructions(parts.clone(), instructions)?;
        Ok(Self { scorer, part, matrix: Matrix::default() })
    }
}

impl Peer for Ours {
    fn row(&mut self, row: &[f32]) {
        match self.part {
            Part::All => {
                black_box(self.scorer.score_row(row));
            }
            Part::Quantiles => {
                let mixture = self.scorer.mixture_row(row);
                black_box((mixture.probability_over_2d(), mixture.hours()));
            }
        }
    }

    fn prepare(&mut self, rows: &[f32], n_features: usize) {
        let column = |at: usize| rows.iter().skip(at).step_by(n_features).copied().collect();
        let columns = (0..n_features).map(column).collect();
        self.matrix = Matrix { features: self.scorer.features().clone(), columns };
    }

    fn batch(&mut self, _rows: &[f32]) -> Result<()> {
        black_box(self.scorer.score(&self.matrix)?);
        Ok(())
    }
}

/// The files of LightGBM's text in a folder, without those of trees that are none.
fn lightgbm_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut ahead = vec![folder.to_path_buf()];
    while let Some(folder) = ahead.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                ahead.push(path);
            } else if path.ends_with("model.txt") {
                let text = fs::read_to_string(&path)?;
                let splits = |line: &str| line.strip_prefix("split_feature=").map(str::len);
                if text.lines().filter_map(splits).any(|length| length > 0) {
                    found.push(path);
                }
            }
        }
    }
    found.sort();
    ensure!(N_LEVELS <= found.len(), "{} files of LightGBM's in {}", found.len(), folder.display());
    Ok(found)
}

const FLOAT32: c_int = 0;
const RAW_SCORE: c_int = 1;

/// LightGBM's own library: its fast path for one row, and its prediction of many.
pub(crate) struct LightGbm {
    library: Library,
    boosters: Vec<*mut c_void>,
    fast: Vec<*mut c_void>,
    n_features: c_int,
    outputs: Vec<f64>,
}

type Predict = unsafe extern "C" fn(*mut c_void, *const c_void, *mut i64, *mut f64) -> c_int;
type PredictMany = unsafe extern "C" fn(
    *mut c_void, *const c_void, c_int, i32, i32, c_int, c_int, c_int, c_int, *const c_char, *mut i64,
    *mut f64,
) -> c_int;

impl LightGbm {
    pub(crate) fn load(library: &str, folder: &Path, n_features: usize) -> Result<Self> {
        // SAFETY: LightGBM's library, and its functions as c_api.h declares them.
        unsafe {
            let library = Library::new(library)?;
            let create: libloading::Symbol<
                unsafe extern "C" fn(*const c_char, *mut c_int, *mut *mut c_void) -> c_int,
            > = library.get(b"LGBM_BoosterCreateFromModelfile")?;
            let init: libloading::Symbol<
                unsafe extern "C" fn(
                    *mut c_void, c_int, c_int, c_int, c_int, i32, *const c_char, *mut *mut c_void,
                ) -> c_int,
            > = library.get(b"LGBM_BoosterPredictForMatSingleRowFastInit")?;
            let (mut boosters, mut fast) = (Vec::new(), Vec::new());
            for path in lightgbm_files(folder)? {
                let path = CString::new(path.to_string_lossy().as_bytes())?;
                let (mut n_trees, mut booster) = (0, std::ptr::null_mut());
                ensure!(create(path.as_ptr(), &mut n_trees, &mut booster) == 0, "{path:?}");
                let mut config = std::ptr::null_mut();
                let made = init(
                    booster, RAW_SCORE, 0, -1, FLOAT32, n_features as i32,
                    c"num_threads=1 verbosity=-1".as_ptr(), &mut config,
                );
                ensure!(made == 0, "no fast path: {}", last_error(&library));
                boosters.push(booster);
                fast.push(config);
            }
            let n_features = n_features as c_int;
            Ok(Self { library, boosters, fast, n_features, outputs: Vec::new() })
        }
    }
}

unsafe fn last_error(library: &Library) -> String {
    // SAFETY: as declared in c_api.h.
    unsafe {
        match library.get::<unsafe extern "C" fn() -> *const c_char>(b"LGBM_GetLastError") {
            Ok(get) => CStr::from_ptr(get()).to_string_lossy().into_owned(),
            Err(error) => error.to_string(),
        }
    }
}

impl Peer for LightGbm {
    fn row(&mut self, row: &[f32]) {
        // SAFETY: as declared in c_api.h; a row has as many values as the configuration says.
        unsafe {
            // Looking the name up takes a share of a microsecond: once, and not for each booster.
            static PREDICT: std::sync::OnceLock<Predict> = std::sync::OnceLock::new();
            let predict = PREDICT.get_or_init(|| {
                let name = b"LGBM_BoosterPredictForMatSingleRowFast";
                *self.library.get::<Predict>(name).expect("a function of LightGBM's")
            });
            for &config in &self.fast {
                let (mut n, mut output) = (0, 0.0);
                assert_eq!(predict(config, row.as_ptr().cast(), &mut n, &mut output), 0);
                black_box(output);
            }
        }
    }

    fn batch(&mut self, rows: &[f32]) -> Result<()> {
        let n_rows = rows.len() / self.n_features as usize;
        self.outputs.resize(n_rows, 0.0);
        // SAFETY: as declared in c_api.h.
        unsafe {
            let predict = self.library.get::<PredictMany>(b"LGBM_BoosterPredictForMat")?;
            for &booster in &self.boosters {
                let mut n = 0;
                let done = predict(
                    booster, rows.as_ptr().cast(), FLOAT32, n_rows as i32, self.n_features, 1,
                    RAW_SCORE, 0, -1, c"num_threads=2 verbosity=-1".as_ptr(), &mut n,
                    self.outputs.as_mut_ptr(),
                );
                ensure!(done == 0, "{}", last_error(&self.library));
                black_box(&self.outputs);
            }
        }
        Ok(())
    }
}

/// ONNX Runtime with the whole model as one graph.
pub(crate) struct Onnx {
    one: Session,
    many: Session,
    n_features: usize,
}

impl Onnx {
    pub(crate) fn load(library: &str, folder: &Path, n_features: usize) -> Result<Self> {
        let environment = ort::init_from(library).map_err(|e| anyhow::anyhow!("{e}"))?;
        let environment = environment.build().map_err(|e| anyhow::anyhow!("{e}"))?;
        let session = |threads| -> Result<Session> {
            let builder = Session::builder(&environment).map_err(|e| anyhow::anyhow!("{e}"))?;
            let builder =
                builder.with_intra_threads(threads).map_err(|e| anyhow::anyhow!("{e}"))?;
            let mut builder =
                builder.with_inter_threads(1).map_err(|e| anyhow::anyhow!("{e}"))?;
            builder.commit_from_file(folder.join("model.onnx")).map_err(|e| anyhow::anyhow!("{e}"))
        };
        Ok(Self { one: session(1)?, many: session(2)?, n_features })
    }
}

fn run(session: &mut Session, rows: &[f32], n_features: usize) -> Result<()> {
    let shape = [rows.len() / n_features, n_features];
    // The graph takes f64; what that costs is nothing beside the graph.
    let rows: Vec<f64> = rows.iter().map(|&value| value.into()).collect();
    let input = TensorRef::from_array_view((shape, &*rows)).map_err(|e| anyhow::anyhow!("{e}"))?;
    let outputs = session.run(ort::inputs![input]).map_err(|e| anyhow::anyhow!("{e}"))?;
    black_box(&outputs);
    Ok(())
}

impl Peer for Onnx {
    fn row(&mut self, row: &[f32]) {
        run(&mut self.one, row, self.n_features).expect("a row is scored");
    }

    fn batch(&mut self, rows: &[f32]) -> Result<()> {
        run(&mut self.many, rows, self.n_features)
    }
}

/// What compiled trees read: a number, or -1 as an integer where it is missing.
#[repr(C)]
#[derive(Clone, Copy)]
union Entry {
    missing: i32,
    value: f64,
}

/// The trees as C, compiled: one library for each quantile.
pub(crate) struct Compiled {
    predict: Vec<unsafe extern "C" fn(*mut Entry, c_int, *mut f64)>,
    n_features: usize,
    /// They stay loaded.
    _libraries: Vec<Library>,
}

impl Compiled {
    pub(crate) fn load(folder: &Path, n_features: usize) -> Result<Self> {
        let mut paths: Vec<PathBuf> = Vec::new();
        let entries = fs::read_dir(folder).context("tl2cgen compiled nothing")?;
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "so") {
                paths.push(path);
            }
        }
        if paths.len() < N_LEVELS {
            bail!("tl2cgen compiled {} models", paths.len());
        }
        let (mut predict, mut libraries) = (Vec::new(), Vec::new());
        for path in paths {
            // SAFETY: generated C; run.py checks that it takes and gives doubles.
            unsafe {
                let library = Library::new(&path)?;
                predict.push(*library.get(b"predict")?);
                libraries.push(library);
            }
        }
        Ok(Self { predict, n_features, _libraries: libraries })
    }

    fn score(&self, row: &[f32], entries: &mut [Entry]) {
        for (entry, &value) in entries.iter_mut().zip(row) {
            *entry = match value.is_nan() {
                true => Entry { missing: -1 },
                false => Entry { value: value.into() },
            };
        }
        for predict in &self.predict {
            let mut output = 0.0;
            // SAFETY: an entry for each feature, and one output.
            unsafe { predict(entries.as_mut_ptr(), 1, &mut output) };
            black_box(output);
        }
    }
}

impl Peer for Compiled {
    fn row(&mut self, row: &[f32]) {
        self.score(row, &mut [Entry { value: 0.0 }; 512][..self.n_features]);
    }

    fn batch(&mut self, rows: &[f32]) -> Result<()> {
        rows.par_chunks(256 * self.n_features).for_each(|rows| {
            let mut entries = vec![Entry { value: 0.0 }; self.n_features];
            rows.chunks_exact(self.n_features).for_each(|row| self.score(row, &mut entries));
        });
        Ok(())
    }
}

/// nexus-inference, which reads LightGBM's text.
pub(crate) struct Nexus {
    models: Vec<Gbdt>,
    n_features: usize,
}

impl Nexus {
    pub(crate) fn load(folder: &Path, n_features: usize) -> Result<Self> {
        let mut models = Vec::new();
        for path in lightgbm_files(folder)? {
            let model = Gbdt::from_lightgbm(&fs::read(&path)?);
            models.push(model.map_err(|error| anyhow::anyhow!("{error}"))?);
        }
        Ok(Self { models, n_features })
    }

    fn score(&self, row: &[f32]) {
        for model in &self.models {
            black_box(model.predict_nan_aware(row));
        }
    }
}

impl Peer for Nexus {
    fn row(&mut self, row: &[f32]) {
        self.score(row);
    }

    fn batch(&mut self, rows: &[f32]) -> Result<()> {
        rows.par_chunks(256 * self.n_features).for_each(|rows| {
            rows.chunks_exact(self.n_features).for_each(|row| self.score(row));
        });
        Ok(())
    }
}
