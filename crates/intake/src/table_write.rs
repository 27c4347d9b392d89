//! Writing tables with a commit: what begins, what is written, and the commit that makes it a table;
//! and the folding of many commits into one.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Serialize;
use store::{PutOutcome, Store};
use terms::{Digest, Schema};

use crate::commit_error::CommitError;
use crate::error::Error;
use crate::table_commits::{BEGUN, Begun, COMMIT, Commit, Commits, CommittedFile, FOLDED, FOLDER};

/// So many commits are left unfolded.
const FOLDED_ABOVE: usize = 10;

/// How often the next number of a commit may be taken by others.
const NUMBERS_TRIED: usize = 100;

/// Files of tables that are being written: from its begin to its commit no check passes.
#[derive(Debug)]
pub struct TableWrite<'a> {
    store: &'a Store,
    by: String,
    begun: String,
    has_begun: bool,
    files: BTreeMap<String, CommittedFile>,
}

impl<'a> TableWrite<'a> {
    /// Of `by`, the command without the program's name. Nothing is written yet.
    pub fn new(store: &'a Store, by: &str) -> Self {
        let begun = format!("{FOLDER}begun-{}.json", Digest::of(by.as_bytes()).short());
        Self { store, by: by.to_owned(), begun, has_begun: false, files: BTreeMap::new() }
    }

    /// Says in the store that tables are being written: before the first file that is, and not
    /// before anything is refused.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn begin(&mut self) -> Result<(), Error> {
        if !self.has_begun {
            let begun = Begun { by: self.by.clone() };
            self.store.put(&self.begun, sealed(BEGUN, &begun)?)?;
            self.has_begun = true;
        }
        Ok(())
    }

    /// Notes a file that is in the store with these bytes, or will be by the commit.
    pub fn add(&mut self, path: &str, bytes: &Bytes, rows: u64) {
        let file = CommittedFile { bytes: bytes.len() as u64, sha256: Digest::of(bytes), rows };
        self.files.insert(path.to_owned(), file);
    }

    /// Commits the files, unless they are committed as they are.
    ///
    /// # Errors
    /// If the store cannot be read or written.
    pub fn commit(self) -> Result<(), Error> {
        let commit = Commit { by: self.by, files: self.files };
        let bytes = sealed(COMMIT, &commit)?;
        let mut path = String::new();
        for _ in 0..NUMBERS_TRIED {
            let (committed, _) = Commits::read_finished(self.store)?;
            let is_committed = |(path, file): (&String, &CommittedFile)| {
                committed.files.get(path).is_some_and(|(as_written, _)| as_written == file)
            };
            path = format!("{FOLDER}{:06}.json", committed.last.saturating_add(1));
            if commit.files.iter().all(is_committed)
                || self.store.put_if_absent(&path, bytes.clone())? == PutOutcome::Created
            {
                return Ok(self.store.delete(&self.begun)?);
            }
        }
        Err(CommitError::Contended { path }.into())
    }
}

/// Folds commits into one if there are many, and deletes those that it stands for, of an earlier
/// fold that was cut short, too; with `dry_run` only says which. Returns their paths.
///
/// # Errors
/// If the store cannot be read or written, or a commit is not as it was written.
pub fn fold_commits(store: &Store, dry_run: bool) -> Result<Vec<String>, Error> {
    let (commits, names) = Commits::read_finished(store)?;
    let mut obsolete = names.obsolete;
    // One that the list lacks would be lost.
    let first = names.folded.as_ref().map_or(1, |(number, _)| number.saturating_add(1));
    let is_whole = names.single.keys().copied().eq(first..=commits.last);
    if names.single.len() > FOLDED_ABOVE && is_whole {
        obsolete.extend(names.folded.map(|(_, path)| path));
        obsolete.extend(names.single.into_values());
        if !dry_run {
            let files = commits.files.into_iter().map(|(path, (file, _))| (path, file)).collect();
            let folded = Commit { by: "gc".to_owned(), files };
            let path = format!("{FOLDER}{FOLDED}{:06}.json", commits.last);
            store.put(&path, sealed(COMMIT, &folded)?)?;
        }
    }
    if !dry_run {
        obsolete.iter().try_for_each(|path| store.delete(path))?;
    }
    Ok(obsolete)
}

fn sealed<T: Serialize>(schema: Schema, content: &T) -> Result<Bytes, Error> {
    let bytes = schema.seal(content).map_err(|source| Error::Json { source })?;
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::*;
    use crate::table_commits::committed_files;

    const BY: &str = "import somewhere";

    /// Commits one file after the other, as nightly imports do; some of them twice.
    fn commit_nights(store: &Store, nights: std::ops::Range<u64>) {
        for night in nights {
            let mut write = TableWrite::new(store, BY);
            write.begin().unwrap();
            for file in [night, night / 2] {
                let path = format!("tables/orders/recorded_on=2026-01-02/part-{file:04}.parquet");
                write.add(&path, &Bytes::from(format!("{night}")), night);
            }
            write.commit().unwrap();
        }
    }

    #[test]
    fn many_commits_are_folded_and_say_the_same_wherever_that_is_cut_short() {
        let store = sound_store();
        commit_nights(&store, 0..8);
        assert_eq!(fold_commits(&store, false).unwrap(), Vec::<String>::new(), "they are few");
        commit_nights(&store, 8..30);
        let said = committed_files(&store).unwrap();
        let before = contents(&store);
        let obsolete = fold_commits(&store, true).unwrap();
        assert_eq!((obsolete.len(), contents(&store) == before), (30, true));
        assert_eq!(fold_commits(&store, false).unwrap(), obsolete);
        assert_eq!(store.list(FOLDER).unwrap().len(), 1);
        assert_eq!(committed_files(&store).unwrap(), said);
        let folded = contents(&store);
        // Cut short before any of them went, after each one alone, and after the first ones.
        for n in 0..=obsolete.len() {
            for gone in [&obsolete[..n], &obsolete[n..]] {
                let store = sound_store();
                for (path, bytes) in folded.iter().chain(&before) {
                    store.put(path, bytes.clone()).unwrap();
                }
                gone.iter().for_each(|path| store.delete(path).unwrap());
                assert_eq!(committed_files(&store).unwrap(), said, "{n}");
                commit_nights(&store, 30..31);
                let later = committed_files(&store).unwrap();
                assert_eq!(later.len(), said.len() + 1);
                fold_commits(&store, false).unwrap();
                assert_eq!(store.list(FOLDER).unwrap().len(), 2);
                assert_eq!(committed_files(&store).unwrap(), later);
            }
        }
        // What is folded is folded again, with what came since.
        commit_nights(&store, 30..50);
        let said = committed_files(&store).unwrap();
        assert_eq!(fold_commits(&store, false).unwrap().len(), 21);
        assert_eq!(committed_files(&store).unwrap(), said);
    }
}
