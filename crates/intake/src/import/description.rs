//! `import.toml`: which files are read under which name, and which SQL gives which table.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::contract::Contract;
use crate::error::Error;

/// The description of an import, read and compared with the contracts.
pub(crate) struct Description<'a> {
    /// Where it was read.
    pub(crate) path: PathBuf,
    /// By the name that SQL uses.
    pub(crate) sources: BTreeMap<String, Source>,
    /// The contract of each target and the file of its SQL, by name.
    pub(crate) targets: Vec<(&'a Contract, PathBuf)>,
}

/// One source file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Source {
    /// Its path under the folder that the user names.
    pub(crate) file: PathBuf,
    /// If it is not to be told from the file's name.
    pub(crate) format: Option<Format>,
    /// What separates the values of a CSV file.
    pub(crate) separator: Option<char>,
    /// Columns that are text whatever they look like.
    #[serde(default)]
    pub(crate) text: Vec<String>,
    /// Columns that hold local times without a zone.
    #[serde(default)]
    pub(crate) local_times: Vec<String>,
    /// The IANA name of their zone.
    pub(crate) local_time_zone: Option<String>,
}

/// The format of a source file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    Csv,
    Parquet,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    sources: BTreeMap<String, Source>,
    targets: BTreeMap<String, Target>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Target {
    sql: PathBuf,
}

impl<'a> Description<'a> {
    #[expect(clippy::disallowed_methods, reason = "the files of an import are not in the store")]
    pub(crate) fn read(folder: &Path, contracts: &'a [Contract]) -> Result<Self, Error> {
        let path = folder.join("import.toml");
        let text = std::fs::read_to_string(&path)
            .map_err(|source| Error::ImportFile { path: path.clone(), source })?;
        let file: File = toml::from_str(&text)
            .map_err(|source| Error::ImportToml { path: path.clone(), source: Box::new(source) })?;
        for (name, source) in &file.sources {
            if let Some(separator) = source.separator.filter(|separator| !separator.is_ascii()) {
                return Err(Error::ImportDescription {
                    path,
                    place: format!("sources.{name}.separator"),
                    expected: "one ASCII character".to_owned(),
                    found: format!("{separator:?}"),
                });
            }
        }
        let mut targets = Vec::new();
        for (table, target) in file.targets {
            let contract = contracts.iter().find(|contract| contract.table() == table);
            let contract = contract.ok_or_else(|| {
                let known: Vec<&str> = contracts.iter().map(Contract::table).collect();
                Error::ImportDescription {
                    path: path.clone(),
                    place: "targets".to_owned(),
                    expected: known.join(", "),
                    found: table,
                }
            })?;
            targets.push((contract, folder.join(target.sql)));
        }
        Ok(Self { path, sources: file.sources, targets })
    }
}
