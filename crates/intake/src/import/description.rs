//! The description of an import, `import.toml`: the source files and their names in SQL, and the
//! SQL file of each target table.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use encoding_rs::{Encoding, UTF_8};
use serde::Deserialize;

use super::error::ImportError;
use crate::contract::Contract;

/// The description of an import; every target has a contract.
pub(crate) struct Description<'a> {
    /// The file of the description.
    pub(crate) path: PathBuf,
    /// By their names in SQL.
    pub(crate) sources: BTreeMap<String, Source>,
    /// The contract of each target and the file of its SQL, by name.
    pub(crate) targets: Vec<(&'a Contract, PathBuf)>,
}

/// One source file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Source {
    /// Its path in the folder of the sources.
    pub(crate) file: PathBuf,
    /// Without one it follows from the file's extension.
    pub(crate) format: Option<Format>,
    /// The separator of the values of a CSV file.
    pub(crate) separator: Option<char>,
    /// The encoding of a CSV file, by one of its labels in the WHATWG Encoding Standard; UTF-8 if
    /// there is none. A byte order mark counts more.
    pub(crate) encoding: Option<String>,
    /// Whether rows of a CSV file may have fewer fields than its header; what is missing is no value.
    #[serde(default)]
    pub(crate) null_padding: bool,
    /// Texts of a CSV file that mean no value, as does none at all.
    #[serde(default)]
    pub(crate) nulls: Vec<String>,
    /// Columns that are read as text, even if all their values are numbers.
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

impl Source {
    /// What separates the values of a CSV file.
    pub(crate) fn separator(&self) -> u8 {
        self.separator.and_then(|separator| u8::try_from(separator).ok()).unwrap_or(b',')
    }

    /// The encoding of a CSV file; none if there is none of that label.
    pub(crate) fn encoding(&self) -> Option<&'static Encoding> {
        match &self.encoding {
            None => Some(UTF_8),
            Some(label) => Encoding::for_label_no_replacement(label.as_bytes()),
        }
    }
}

impl<'a> Description<'a> {
    #[expect(clippy::disallowed_methods, reason = "the files of an import are not in the store")]
    pub(crate) fn read(folder: &Path, contracts: &'a [Contract]) -> Result<Self, ImportError> {
        let path = folder.join("import.toml");
        let text = std::fs::read_to_string(&path)
            .map_err(|source| ImportError::Folder { path: path.clone(), source })?;
        let file: File = toml::from_str(&text)
            .map_err(|source| ImportError::Toml { path: path.clone(), source: Box::new(source) })?;
        for (name, source) in &file.sources {
            let wrong = if let Some(separator) = source.separator.filter(|sign| !sign.is_ascii()) {
                ("separator", "one ASCII character", format!("{separator:?}"))
            } else if source.encoding().is_none() {
                let expected = "one such as utf-8, windows-1252, latin1, shift_jis or utf-16le";
                ("encoding", expected, format!("{:?}", source.encoding.as_deref().unwrap_or("")))
            } else {
                continue;
            };
            let (key, expected, found) = wrong;
            let key = format!("sources.{name}.{key}");
            return Err(ImportError::Description {
                path,
                key,
                expected: expected.to_owned(),
                found,
            });
        }
        let mut targets = Vec::new();
        for (table, target) in file.targets {
            let contract = contracts.iter().find(|contract| contract.table() == table);
            let contract = contract.ok_or_else(|| {
                let tables: Vec<&str> = contracts.iter().map(Contract::table).collect();
                ImportError::Description {
                    path: path.clone(),
                    key: "targets".to_owned(),
                    expected: tables.join(", "),
                    found: table,
                }
            })?;
            targets.push((contract, folder.join(target.sql)));
        }
        Ok(Self { path, sources: file.sources, targets })
    }
}
