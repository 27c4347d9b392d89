//! Where the model is that a command scores with: in the store, or in a folder of the caller's.

use std::path::PathBuf;

use anyhow::Result;
use artifact::Bundle;
use store::Store;

use super::models;
use crate::settings::Resolved;

/// Where a model is.
pub(crate) enum ModelPlace {
    /// In a store, by id or as the champion of the moment.
    Store(Store, String),
    /// In a folder that holds a bundle, which somebody may replace.
    Folder(PathBuf),
}

impl ModelPlace {
    /// The folder of that name if it holds a bundle, else the store of the settings.
    ///
    /// # Errors
    /// If the store cannot be opened.
    #[expect(clippy::disallowed_methods, reason = "a bundle may be a folder of the caller's")]
    pub(crate) fn of(resolved: &Resolved, model: &str) -> Result<Self> {
        let folder = PathBuf::from(model);
        if folder.join(scorer::MANIFEST_FILE).is_file() {
            return Ok(Self::Folder(folder));
        }
        Ok(Self::Store(Store::open(&resolved.store()?)?, model.to_owned()))
    }

    /// The wanted files of the model of now, verified; `None` if its id is `known`.
    ///
    /// # Errors
    /// If it is not there, or was altered.
    pub(crate) fn read(
        &self,
        known: Option<&str>,
        is_wanted: impl Fn(&str) -> bool,
    ) -> Result<Option<Bundle>> {
        let model_id = match self {
            Self::Store(store, name) => models::named(store, name)?,
            Self::Folder(folder) => artifact::read_folder_manifest(folder)?.model_id,
        };
        if known == Some(model_id.as_str()) {
            return Ok(None);
        }
        Ok(Some(match self {
            Self::Store(store, _) => artifact::read_files(store, &model_id, is_wanted)?,
            Self::Folder(folder) => artifact::read_folder(folder, is_wanted)?,
        }))
    }
}
