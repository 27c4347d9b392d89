//! The features of a model: their order, names and levels.
#![expect(unsafe_code, reason = "functions that C calls by their names, with pointers")]

use std::ffi::{CString, c_char};

use crate::failure::{Failure, Status, status_of, value_or};
use crate::model::Model;
use crate::pointers::{self, Out};

fn feature(model: &Model, position: usize) -> Result<&(CString, Vec<CString>), Failure> {
    model.texts.get(position).ok_or_else(|| {
        let n = model.texts.len();
        let text =
            format!("feature {position}: expected a position below {n}, the number of features");
        Failure::new(Status::UnknownFeature, text)
    })
}

/// How many features a row has; 0 if `model` is NULL.
///
/// # Safety
/// `model` is NULL or a model that is loaded.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn longhaul_feature_count(model: *const Model) -> usize {
    value_or(0, || {
        // SAFETY: as the caller promises.
        let model = unsafe { pointers::reference(model, "model")? };
        Ok(model.texts.len())
    })
}

/// The name of the feature at a position of a row, in UTF-8; NULL if there is none.
///
/// # Safety
/// `model` is NULL or a model that is loaded.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn longhaul_feature_name(
    model: *const Model,
    position: usize,
) -> *const c_char {
    value_or(std::ptr::null(), || {
        // SAFETY: as the caller promises.
        let model = unsafe { pointers::reference(model, "model")? };
        Ok(feature(model, position)?.0.as_ptr())
    })
}

/// Where the feature called `name` is in a row. LONGHAUL_STATUS_UNKNOWN_FEATURE if the model has none
/// of this name.
///
/// # Safety
/// `model` is NULL or a model that is loaded; `name` is NULL or a text that ends in NUL; `out` is NULL
/// or memory for a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn longhaul_feature_position(
    model: *const Model,
    name: *const c_char,
    out: *mut usize,
) -> Status {
    status_of(|| {
        // SAFETY: as the caller promises.
        let (model, name, out) = unsafe {
            (
                pointers::reference(model, "model")?,
                pointers::text(name, "name")?,
                Out::new(out, 1, "out")?,
            )
        };
        let position = model.scorer.features().position(name).ok_or_else(|| {
            let text = format!(
                "feature {name:?}: expected one of the model's, which has none of this name"
            );
            Failure::new(Status::UnknownFeature, text)
        })?;
        out.write(0, position);
        Ok(())
    })
}

/// How many levels the feature at a position has: 0 if it is a number, or there is none.
///
/// # Safety
/// `model` is NULL or a model that is loaded.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn longhaul_level_count(model: *const Model, position: usize) -> usize {
    value_or(0, || {
        // SAFETY: as the caller promises.
        let model = unsafe { pointers::reference(model, "model")? };
        Ok(feature(model, position)?.1.len())
    })
}

/// The level that a code stands for, of the feature at a position, in UTF-8; NULL if there is none.
///
/// # Safety
/// `model` is NULL or a model that is loaded.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn longhaul_level(
    model: *const Model,
    position: usize,
    code: usize,
) -> *const c_char {
    value_or(std::ptr::null(), || {
        // SAFETY: as the caller promises.
        let model = unsafe { pointers::reference(model, "model")? };
        let (name, levels) = feature(model, position)?;
        let level = levels.get(code).ok_or_else(|| {
            let (name, n) = (name.to_string_lossy(), levels.len());
            let text = format!(
                "feature {name:?}: expected a code below {n}, its number of levels, found {code}"
            );
            Failure::new(Status::UnknownFeature, text)
        })?;
        Ok(level.as_ptr())
    })
}

/// The code of a level of the feature at a position: what a row has in its place. It is NaN, a missing
/// value, if training has not seen the level. LONGHAUL_STATUS_UNKNOWN_FEATURE if the feature is a
/// number, or there is none.
///
/// # Safety
/// `model` is NULL or a model that is loaded; `level` is NULL or a text that ends in NUL; `out` is NULL
/// or memory for a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn longhaul_level_code(
    model: *const Model,
    position: usize,
    level: *const c_char,
    out: *mut f32,
) -> Status {
    status_of(|| {
        // SAFETY: as the caller promises.
        let (model, level, out) = unsafe {
            (
                pointers::reference(model, "model")?,
                pointers::text(level, "level")?,
                Out::new(out, 1, "out")?,
            )
        };
        let (name, _) = feature(model, position)?;
        let feature = &model.scorer.features().0[position];
        if !feature.is_categorical() {
            let name = name.to_string_lossy();
            let text = format!(
                "feature {name:?}: expected a category, found a number, which has no levels"
            );
            return Err(Failure::new(Status::UnknownFeature, text));
        }
        out.write(0, feature.code(level));
        Ok(())
    })
}
