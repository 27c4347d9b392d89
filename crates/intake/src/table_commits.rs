//! Commits of tables: which files an import or a simulation has written, with size, SHA-256 and
//! rows, so that half of one is not taken for the whole, and so that every byte that the check
//! receives can be compared with what was written.
//!
//! ```text
//! tables/_commits/begun-<digest>.json   somebody writes; removed once it has committed
//! tables/_commits/000001.json           what was written, over all tables
//! tables/_commits/000002.json           a later one: of a file in several, the last one counts
//! tables/_commits/up-to-000002.json     instead of all up to this number: what they say together
//! ```
//!
//! One commit is over all tables of an import, since orders without their shipments are half of it.
//! Commits are never changed. Many are folded into one, so that a check does not read one for each
//! night that ever was: the folded one is there before the others go, and while it is there they do not
//! count, in whatever order they go. Tables that others write have none, and are read as they are
//! listed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use store::Store;
use terms::{Digest, Schema};

use crate::commit_error::CommitError;
use crate::error::Error;

pub(crate) const FOLDER: &str = "tables/_commits/";
pub(crate) const FOLDED: &str = "up-to-";
/// How often the list is read again if a commit in it is gone.
const LISTS_TRIED: usize = 5;
pub(crate) const COMMIT: Schema = Schema { name: "table-commit", version: 1 };
pub(crate) const BEGUN: Schema = Schema { name: "table-write", version: 1 };

/// A file as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommittedFile {
    /// Its size.
    pub bytes: u64,
    /// Its digest.
    pub sha256: Digest,
    /// Its rows.
    pub rows: u64,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Commit {
    /// What wrote it, such as `import olist`.
    pub(crate) by: String,
    /// By path.
    pub(crate) files: BTreeMap<String, CommittedFile>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Begun {
    pub(crate) by: String,
}

/// What the commits of a store say.
#[derive(Debug, Clone, Default)]
pub(crate) struct Commits {
    /// By path: the file, and the commit that says so.
    pub(crate) files: BTreeMap<String, (CommittedFile, String)>,
    /// The number of the last one; 0 if there is none.
    pub(crate) last: u64,
}

/// The names in the folder of commits.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// Paths of what says that somebody writes.
    begun: Vec<String>,
    /// Paths of commits by number, without those that are folded.
    pub(crate) single: BTreeMap<u64, String>,
    /// The last folded one and its number.
    pub(crate) folded: Option<(u64, String)>,
    /// Paths of those that a folded one stands for.
    pub(crate) obsolete: Vec<String>,
}

impl Names {
    fn list(store: &Store) -> Result<Self, Error> {
        let mut names = Self::default();
        let mut folded = BTreeMap::new();
        for entry in store.list(FOLDER)? {
            let Some(name) = entry.path.strip_prefix(FOLDER) else { continue };
            let number = |name: &str| name.strip_suffix(".json")?.parse::<u64>().ok();
            if name.starts_with("begun-") {
                names.begun.push(entry.path);
            } else if let Some(number) = name.strip_prefix(FOLDED).and_then(number) {
                folded.insert(number, entry.path);
            } else if let Some(number) = number(name) {
                names.single.insert(number, entry.path);
            }
        }
        names.folded = folded.pop_last();
        names.obsolete.extend(folded.into_values());
        if let Some((up_to, _)) = &names.folded {
            let later = names.single.split_off(&up_to.saturating_add(1));
            let before = std::mem::replace(&mut names.single, later);
            names.obsolete.extend(before.into_values());
        }
        Ok(names)
    }

    /// The number of the last commit; 0 if there is none.
    fn last(&self) -> u64 {
        let of_folded = self.folded.as_ref().map(|(number, _)| *number);
        self.single.last_key_value().map(|(number, _)| *number).or(of_folded).unwrap_or_default()
    }
}

impl Commits {
    /// Reads all commits.
    ///
    /// # Errors
    /// If something has begun to write and has not committed, or a commit is not as it was written.
    pub(crate) fn read(store: &Store) -> Result<Self, Error> {
        let (commits, names) = Self::read_finished(store)?;
        for path in names.begun {
            // It may have been removed since it was listed.
            if let Some((begun, _)) = store.get_sealed::<Begun>(&path, BEGUN)? {
                return Err(CommitError::Unfinished { path, by: begun.by }.into());
            }
        }
        Ok(commits)
    }

    /// Reads all commits, whatever has begun.
    pub(crate) fn read_finished(store: &Store) -> Result<(Self, Names), Error> {
        let mut path = String::new();
        'listed: for _ in 0..LISTS_TRIED {
            let names = Names::list(store)?;
            let mut commits = Self { files: BTreeMap::new(), last: names.last() };
            let folded = names.folded.iter().map(|(_, path)| path);
            for listed in folded.chain(names.single.values()) {
                let Some((commit, _)) = store.get_sealed::<Commit>(listed, COMMIT)? else {
                    // It was folded since it was listed.
                    path.clone_from(listed);
                    continue 'listed;
                };
                let files = commit.files.into_iter();
                commits
                    .files
                    .extend(files.map(|(file, written)| (file, (written, listed.clone()))));
            }
            return Ok((commits, names));
        }
        Err(CommitError::Contended { path }.into())
    }

    /// The committed files of a table, by path.
    pub(crate) fn of_table(&self, table: &str) -> impl Iterator<Item = (&str, &CommittedFile)> {
        let prefix = crate::layout::table_prefix(table);
        let files = self.files.range(prefix.clone()..);
        files
            .take_while(move |(path, _)| path.starts_with(&prefix))
            .map(|(path, (file, _))| (path.as_str(), file))
    }

    /// Refuses bytes of another size than was committed for a path, if any was.
    pub(crate) fn require_size(&self, path: &str, bytes: u64) -> Result<(), Error> {
        let Some((file, commit)) = self.files.get(path) else { return Ok(()) };
        if file.bytes == bytes {
            return Ok(());
        }
        let size = |bytes: u64| format!("{bytes} bytes");
        Err(differs(path, commit, size(file.bytes), size(bytes)))
    }

    /// Refuses another digest than was committed for a path, if any was.
    pub(crate) fn require_digest(&self, path: &str, found: &Digest) -> Result<(), Error> {
        let Some((file, commit)) = self.files.get(path) else { return Ok(()) };
        if file.sha256 == *found {
            return Ok(());
        }
        Err(differs(path, commit, format!("SHA-256 {}", file.sha256), found.to_string()))
    }
}

fn differs(path: &str, commit: &str, expected: String, found: String) -> Error {
    let (path, commit) = (path.to_owned(), commit.to_owned());
    CommitError::Differs { path, expected, commit, found }.into()
}

/// Every file that was committed, by path.
///
/// # Errors
/// If the store cannot be read, or a commit is not as it was written.
pub fn committed_files(store: &Store) -> Result<BTreeMap<String, CommittedFile>, Error> {
    let committed = Commits::read_finished(store)?.0.files.into_iter();
    Ok(committed.map(|(path, (file, _))| (path, file)).collect())
}

#[cfg(test)]
mod tests {
    use terms::ErrorClass;

    use super::*;
    use crate::check::listing::Listing;
    use crate::fixture::*;
    use crate::table_write::TableWrite;

    const BY: &str = "import somewhere";

    /// Commits what a store has of some paths.
    fn commit(store: &Store, paths: &[String]) {
        let mut write = TableWrite::new(store, BY);
        write.begin().unwrap();
        for path in paths {
            write.add(path, &store.get(path).unwrap(), 40);
        }
        write.commit().unwrap();
    }

    fn all_paths() -> [String; 3] {
        [
            path("orders", "2026-01-02"),
            path("shipments", "2026-01-02"),
            path("shipments", "2026-01-05"),
        ]
    }

    fn listed(store: &Store) -> Result<Listing, Error> {
        Listing::read(store, &contracts(), at("2026-01-06"))
    }

    #[test]
    fn what_began_and_did_not_commit_is_refused_until_it_does() {
        let store = sound_store();
        let mut write = TableWrite::new(&store, BY);
        listed(&store).unwrap();
        write.begin().unwrap();
        let error = listed(&store).unwrap_err();
        assert_eq!(error.class(), ErrorClass::Input);
        assert!(error.to_string().contains("longhaul import somewhere"), "{error}");
        assert!(error.hint().is_some_and(|hint| hint.contains("again")));
        // Killed here, and begun again.
        drop(write);
        commit(&store, &all_paths());
        listed(&store).unwrap();
        assert_eq!(store.list(FOLDER).unwrap().len(), 1);
        commit(&store, &all_paths());
        assert_eq!(store.list(FOLDER).unwrap().len(), 1, "nothing new to commit");
    }

    #[test]
    fn a_file_that_is_not_the_committed_one_is_refused_by_size_or_digest() {
        let store = sound_store();
        commit(&store, &all_paths());
        assert_eq!(check_anew(&store, &contracts(), at("2026-01-06")).unwrap().tables.len(), 2);
        let path = path("orders", "2026-01-02");
        let whole = store.get(&path).unwrap();
        let mut altered = whole.to_vec();
        altered[100] ^= 1;
        store.put(&path, altered.into()).unwrap();
        let error = check_anew(&store, &contracts(), at("2026-01-06")).unwrap_err();
        assert_eq!(error.class(), ErrorClass::Contract);
        let expected = format!("{path}: expected SHA-256 ");
        assert!(error.to_string().starts_with(&expected), "{error}");
        store.put(&path, whole.slice(..1000)).unwrap();
        let error = listed(&store).unwrap_err().to_string();
        assert!(error.ends_with("found 1000 bytes"), "{error}");
        // A later commit counts.
        store.put(&path, parquet(orders_frame(&orders()[..39]))).unwrap();
        commit(&store, &[path]);
        check_anew(&store, &contracts(), at("2026-01-06")).unwrap();
        assert_eq!(store.list(FOLDER).unwrap().len(), 2);
    }

    #[test]
    fn committed_files_that_are_gone_are_missing() {
        let store = sound_store();
        commit(&store, &all_paths());
        let gone = path("shipments", "2026-01-05");
        store.delete(&gone).unwrap();
        let missing = |as_of| Listing::read(&store, &contracts(), at(as_of)).unwrap().missing();
        assert_eq!(missing("2026-01-06"), [gone]);
        assert_eq!(missing("2026-01-05"), [""; 0], "not known then");
    }
}
