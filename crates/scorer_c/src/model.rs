//! The model behind a pointer: how it is loaded and freed.
#![expect(unsafe_code, reason = "functions that C calls by their names, with pointers")]

use std::collections::BTreeMap;
use std::ffi::{CString, c_char};
use std::path::Path;

use scorer::Scorer;
use terms::FeatureKind;

use crate::failure::{Failure, Status, status_of, value_or};
use crate::pointers::{self, Out};

/// Changes whenever a program that was compiled with an older header would misread this library.
pub const LONGHAUL_ABI_VERSION: u32 = 1;

/// LONGHAUL_ABI_VERSION of this library. A program that loads it while it runs compares it with the one
/// of its header.
#[unsafe(no_mangle)]
pub extern "C" fn longhaul_abi_version() -> u32 {
    LONGHAUL_ABI_VERSION
}

/// A model that is loaded.
pub struct Model {
    pub(crate) scorer: Scorer,
    pub(crate) model_id: CString,
    /// Of each feature its name and levels, as texts of C.
    pub(crate) texts: Vec<(CString, Vec<CString>)>,
}

const _: () = {
    const fn is_shared_by_threads<T: Send + Sync>() {}
    is_shared_by_threads::<Model>();
};

impl Model {
    fn new(scorer: Scorer) -> Result<Self, Failure> {
        let text = |text: &str| {
            CString::new(text).map_err(|_| {
                let problem =
                    format!("features.json: expected names and levels without NUL, found {text:?}");
                Failure::new(Status::InvalidModel, problem)
            })
        };
        let of_feature = |feature: &terms::Feature| {
            let levels = match &feature.kind {
                FeatureKind::Numeric => &[][..],
                FeatureKind::Categorical { levels } => levels,
            };
            let levels = levels.iter().map(|level| text(level)).collect::<Result<_, _>>()?;
            Ok::<_, Failure>((text(&feature.name)?, levels))
        };
        let texts = scorer.features().0.iter().map(of_feature).collect::<Result<_, _>>()?;
        Ok(Self { model_id: text(scorer.model_id())?, texts, scorer })
    }
}

/// Loads the model in a folder that holds a published bundle. The files that score are read and held to
/// the digests in its manifest; other files are not touched.
///
/// `folder`: the path, in UTF-8. `out`: where the model is written, to be freed by longhaul_free.
///
/// # Safety
/// `folder` is NULL or a text that ends in NUL; `out` is NULL or memory for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn longhaul_load(folder: *const c_char, out: *mut *mut Model) -> Status {
    status_of(|| {
        // SAFETY: as the caller promises.
        let (folder, out) =
            unsafe { (pointers::text(folder, "folder")?, Out::new(out, 1, "out")?) };
        let model = Model::new(Scorer::load(Path::new(folder))?)?;
        out.write(0, Box::into_raw(Box::new(model)));
        Ok(())
    })
}

/// A file of a bundle in memory.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct File {
    /// Its name within the bundle, such as "features.json".
    pub name: *const c_char,
    /// Its bytes, which are not needed after the call.
    pub bytes: *const u8,
    /// How many.
    pub size: usize,
}

/// Loads a model from files in memory: features.json, gate.bin, mixture.json, regressor_0.bin and those
/// that follow; others are ignored. Nothing is held to a manifest, so the id is a digest of these files.
///
/// `out`: where the model is written, to be freed by longhaul_free.
///
/// # Safety
/// `files` is NULL or points to `n_files` files, whose names end in NUL and whose bytes are there;
/// `out` is NULL or memory for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn longhaul_load_files(
    files: *const File,
    n_files: usize,
    out: *mut *mut Model,
) -> Status {
    status_of(|| {
        // SAFETY: as the caller promises.
        let (files, out) =
            unsafe { (pointers::slice(files, n_files, "files")?, Out::new(out, 1, "out")?) };
        let read = |file: &File| {
            // SAFETY: as the caller promises of every file.
            let (name, bytes) = unsafe {
                let name = pointers::text(file.name, "name of a file")?;
                (name, pointers::slice(file.bytes, file.size, name)?)
            };
            Ok((name.to_owned(), bytes.to_vec()))
        };
        let files = files.iter().map(read).collect::<Result<BTreeMap<_, _>, Failure>>()?;
        let model = Model::new(Scorer::decode(&files)?)?;
        out.write(0, Box::into_raw(Box::new(model)));
        Ok(())
    })
}

/// Frees a model, and all texts that belong to it. NULL is allowed.
///
/// # Safety
/// `model` is NULL or was written by longhaul_load or longhaul_load_files, is freed for the first time,
/// and no other thread uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn longhaul_free(model: *mut Model) {
    value_or((), || {
        if !model.is_null() {
            // SAFETY: it was made by `Box::into_raw` and is freed once, as the caller promises.
            drop(unsafe { Box::from_raw(model) });
        }
        Ok(())
    });
}

/// The model's id, by which `longhaul models` knows it. NULL if `model` is.
///
/// # Safety
/// `model` is NULL or a model that is loaded.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn longhaul_model_id(model: *const Model) -> *const c_char {
    value_or(std::ptr::null(), || {
        // SAFETY: as the caller promises.
        let model = unsafe { pointers::reference(model, "model")? };
        Ok(model.model_id.as_ptr())
    })
}
