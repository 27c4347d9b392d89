//! The models of a backtest's origins, in the store while it runs, so that one that was killed goes on
//! after the last origin that it trained: `backtests/<id>/origins/<as-of>/<origin>/`.
//!
//! A model that is there in part, or unreadable, is trained again: it costs time and changes nothing.
//! The as-of is that of the backtest, by which `gc` knows how old one is that nobody ended.

use anyhow::Result;
use scorer::{Parts, Scorer};
use store::Store;
use terms::AsOf;

use crate::stage::RunContext;

/// Between the folder of a backtest and its as-of.
const ORIGINS: &str = "/origins/";

/// The as-of of a backtest, from the path of one of its models.
pub(crate) fn as_of_in(path: &str) -> Option<AsOf> {
    path.split_once(ORIGINS)?.1.split('/').next()?.parse().ok()
}

/// Where the models of a backtest are.
pub(crate) struct StoredModels<'a> {
    store: &'a Store,
    folder: String,
    /// Whether what is there is trained again.
    force: bool,
}

impl<'a> StoredModels<'a> {
    /// Those of the backtest with this folder.
    pub(crate) fn of(context: &RunContext<'a>, backtest: &str) -> Self {
        let folder = format!("{backtest}{ORIGINS}{}", context.as_of);
        Self { store: context.store, folder, force: context.force }
    }

    /// The model of an origin, if it is there whole.
    ///
    /// # Errors
    /// If the store fails.
    pub(crate) fn read(&self, origin: AsOf) -> Result<Option<Scorer>> {
        if self.force {
            return Ok(None);
        }
        let folder = format!("{}/{origin}/", self.folder);
        let mut files = std::collections::BTreeMap::new();
        for entry in self.store.list(&folder)? {
            if let Some(name) = entry.path.strip_prefix(&folder) {
                files.insert(name.to_owned(), self.store.get(&entry.path)?.to_vec());
            }
        }
        Ok(Scorer::decode(&files).ok())
    }

    /// Keeps the model of an origin.
    ///
    /// # Errors
    /// If the store fails.
    pub(crate) fn write(&self, origin: AsOf, model: &Parts) -> Result<()> {
        let files = model.encode().into_iter();
        let path = |name| format!("{}/{origin}/{name}", self.folder);
        Ok(self.store.put_many(files.map(|(name, bytes)| (path(name), bytes.into())).collect())?)
    }

    /// Deletes them all, once the backtest is done.
    ///
    /// # Errors
    /// If the store fails.
    pub(crate) fn delete(&self) -> Result<()> {
        for entry in self.store.list(&self.folder)? {
            self.store.delete(&entry.path)?;
        }
        Ok(())
    }
}
