//! The files of a model: trees as bytes, everything else as readable JSON.
//!
//! `features.json` is the signature, `gate.bin` and `regressor_0.bin` (and so on) are trees,
//! `mixture.json` holds levels, days, tail, grain, corrections and the regressors' time scales. The same model gives the same bytes.
//! `manifest.json` names every file with its size and digest; it is written by `artifact`, and
//! only read here.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use terms::{DayGrid, Digest, FeatureList, Fingerprint, Grain, LEVELS};

use crate::calibration::Calibration;
use crate::error::Error;
use crate::parts::Parts;
use crate::recalibration::Recalibration;
use crate::regressor::Regressor;
use crate::scorer::Scorer;
use crate::time_scale::TimeScale;

/// Name of the feature list's file.
pub const FEATURES_FILE: &str = "features.json";
/// Name of the gate's file.
pub const GATE_FILE: &str = "gate.bin";
/// Name of the file of a regressor's trees, by its position.
pub fn regressor_file(position: usize) -> String {
    format!("regressor_{position}.bin")
}
/// Name of the file with levels, tail, corrections and time scales.
pub const MIXTURE_FILE: &str = "mixture.json";
/// Name of the manifest.
pub const MANIFEST_FILE: &str = "manifest.json";

/// The folder of a bundle that has the model of the time that is left of open shipments, if it has one.
pub const IN_FLIGHT_FOLDER: &str = "in_flight";

/// Whether a file of a bundle is one that scores open shipments by what is in flight.
pub fn is_in_flight_file(name: &str) -> bool {
    let within = name.strip_prefix(IN_FLIGHT_FOLDER).and_then(|rest| rest.strip_prefix('/'));
    within.is_some_and(is_model_file)
}

/// Whether a file of a bundle is one that scores.
pub fn is_model_file(name: &str) -> bool {
    let is_trees = name.starts_with("regressor_") && name.ends_with(".bin");
    [FEATURES_FILE, GATE_FILE, MIXTURE_FILE].contains(&name) || is_trees
}

/// The form of `mixture.json`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MixtureFile {
    levels: Vec<f64>,
    /// The last of the days for which P(delivered by day) is given, if they are not every day up to
    /// the sixtieth.
    #[serde(default, skip_serializing_if = "DayGrid::is_daily")]
    days_ahead: DayGrid,
    tail_ratio: f32,
    calibration: Calibration,
    recalibration: Recalibration,
    grain: Grain,
    /// Time scale and weight of each regressor; their files are numbered in this order.
    regressors: Vec<(TimeScale, f32)>,
}

/// What the scorer reads of `manifest.json`; other keys are ignored.
#[derive(Deserialize)]
struct Manifest {
    model_id: String,
    files: BTreeMap<String, ManifestFile>,
}

#[derive(Deserialize)]
struct ManifestFile {
    sha256: Digest,
    bytes: u64,
}

impl Parts {
    /// The model's files by name. The same model gives the same bytes.
    pub fn encode(&self) -> BTreeMap<String, Vec<u8>> {
        let mixture = MixtureFile {
            levels: LEVELS.to_vec(),
            days_ahead: self.days,
            tail_ratio: self.tail_ratio,
            calibration: self.calibration.clone(),
            recalibration: self.recalibration.clone(),
            grain: self.grain,
            regressors: (self.regressors.iter())
                .map(|regressor| (regressor.time_scale.clone(), regressor.weight))
                .collect(),
        };
        let trees = self.regressors.iter().enumerate();
        let trees = trees.map(|(position, r)| (regressor_file(position), r.trees.encode()));
        let mut files = BTreeMap::from([
            (FEATURES_FILE.to_owned(), json(&self.features)),
            (GATE_FILE.to_owned(), self.gate.encode()),
            (MIXTURE_FILE.to_owned(), json(&mixture)),
        ]);
        files.extend(trees);
        files
    }

    /// The fingerprint of the files' names and bytes.
    pub fn fingerprint(&self) -> Digest {
        let files = self.encode();
        let all = files.iter().fold(Fingerprint::new(), |all, (name, bytes)| all.with(name, bytes));
        all.finish()
    }

    /// The parts from the model's files, checked; files of other names are ignored.
    ///
    /// # Errors
    /// If a file is missing, has another form, or does not fit the others.
    pub fn decode(files: &BTreeMap<String, Vec<u8>>) -> Result<Self, Error> {
        Self::read(|name: &str| match files.get(name) {
            Some(bytes) => Ok(Cow::Borrowed(bytes.as_slice())),
            None => Err(Error::MissingFile { file: name.into() }),
        })
    }

    /// The parts of the model in a local folder and its id, each needed file verified against the
    /// manifest. Beside the parts there is never more than one of the files in memory.
    ///
    /// # Errors
    /// If the manifest or a file is missing, altered, or does not fit.
    pub fn load(folder: &Path) -> Result<(Self, String), Error> {
        Self::load_from(folder, "")
    }

    /// The parts of the model of what is in flight, of the bundle in a local folder, and the bundle's id.
    ///
    /// # Errors
    /// As for [`load`](Self::load); if the bundle has no such model, a missing file.
    pub fn load_in_flight(folder: &Path) -> Result<(Self, String), Error> {
        Self::load_from(folder, &format!("{IN_FLIGHT_FOLDER}/"))
    }

    #[expect(clippy::disallowed_methods, reason = "a bundle may be in a folder")]
    fn load_from(folder: &Path, within: &str) -> Result<(Self, String), Error> {
        let read = |name: &str| {
            let path = folder.join(name);
            let unreadable =
                |source| Error::Unreadable { path: path.display().to_string(), source };
            fs::read(&path).map_err(unreadable)
        };
        let manifest: Manifest = parsed(MANIFEST_FILE, &read(MANIFEST_FILE)?)?;
        let parts = Self::read(|name: &str| {
            let name = &*format!("{within}{name}");
            let missing = || Error::MissingFile { file: name.to_owned() };
            let entry = manifest.files.get(name).ok_or_else(missing)?;
            let bytes = read(name)?;
            let found = Digest::of(&bytes);
            if found != entry.sha256 || bytes.len() as u64 != entry.bytes {
                return Err(Error::Altered {
                    file: name.to_owned(),
                    expected: entry.sha256.clone(),
                    found,
                    expected_bytes: entry.bytes,
                    found_bytes: bytes.len() as u64,
                });
            }
            Ok(Cow::Owned(bytes))
        })?;
        Ok((parts, manifest.model_id))
    }

    /// The parts of a model from its files, each of which is read once.
    fn read<'a>(read: impl Fn(&str) -> Result<Cow<'a, [u8]>, Error>) -> Result<Self, Error> {
        let trees = |name: &str| {
            boost::Model::decode(&read(name)?)
                .map_err(|source| Error::Trees { file: name.into(), source })
        };
        let features: FeatureList = parsed(FEATURES_FILE, &read(FEATURES_FILE)?)?;
        let mixture: MixtureFile = parsed(MIXTURE_FILE, &read(MIXTURE_FILE)?)?;
        if mixture.levels != LEVELS {
            return Err(Error::Levels { expected: LEVELS.to_vec(), found: mixture.levels });
        }
        let regressor = |(position, (time_scale, weight)): (usize, (TimeScale, f32))| {
            Ok(Regressor { trees: trees(&regressor_file(position))?, time_scale, weight })
        };
        let regressors = mixture.regressors.into_iter().enumerate().map(regressor);
        let parts = Self {
            features,
            days: mixture.days_ahead,
            regressors: regressors.collect::<Result<_, Error>>()?,
            gate: trees(GATE_FILE)?,
            tail_ratio: mixture.tail_ratio,
            calibration: mixture.calibration,
            recalibration: mixture.recalibration,
            grain: mixture.grain,
        };
        parts.check()?;
        Ok(parts)
    }
}

impl Scorer {
    /// The model from its files; files of other names are ignored.
    ///
    /// # Errors
    /// As those of [`Parts::decode`].
    pub fn decode(files: &BTreeMap<String, Vec<u8>>) -> Result<Self, Error> {
        Self::from_parts(Parts::decode(files)?)
    }

    /// The model in a local folder, each needed file verified against the manifest.
    ///
    /// # Errors
    /// As those of [`Parts::load`].
    pub fn load(folder: &Path) -> Result<Self, Error> {
        let (parts, model_id) = Parts::load(folder)?;
        Self::named(parts, model_id)
    }

    /// The model of what is in flight, of the bundle in a local folder: it gives the time that is left
    /// after the moment at which a row of an open shipment was known.
    ///
    /// # Errors
    /// As those of [`Parts::load_in_flight`].
    pub fn load_in_flight(folder: &Path) -> Result<Self, Error> {
        let (parts, model_id) = Parts::load_in_flight(folder)?;
        Self::named(parts, model_id)
    }
}

fn parsed<T: for<'de> Deserialize<'de>>(name: &str, bytes: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|source| Error::Json { file: name.to_owned(), source })
}

/// Readable JSON with a newline at the end.
fn json<T: Serialize>(value: &T) -> Vec<u8> {
    // Our own types have text keys and finite numbers, so nothing can fail here.
    let mut bytes = serde_json::to_vec_pretty(value).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}
