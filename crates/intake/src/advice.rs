//! What to do about an error: the exit code for the scheduler, a way out for the person.

use crate::error::Error;
use terms::ErrorClass;

impl Error {
    /// What kind of error it is.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Store(source) => source.class(),
            Self::NoPartition { .. }
            | Self::EmptyFile { .. }
            | Self::Stale { .. }
            | Self::SourceFile { .. } => ErrorClass::Input,
            Self::Contract { .. }
            | Self::ContractYaml { .. }
            | Self::JoinOrder { .. }
            | Self::ImportFile { .. }
            | Self::ImportToml { .. }
            | Self::ImportDescription { .. }
            | Self::TargetSql { .. } => ErrorClass::Configuration,
            Self::ReadPastCheck { .. }
            | Self::UnknownColumn { .. }
            | Self::QuarantineWrite { .. }
            | Self::Frame { .. } => ErrorClass::Internal,
            _ => ErrorClass::Contract,
        }
    }

    /// A way out, where there is one to name.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Store(source) => return source.hint(),
            Self::Contract { .. } => "a constraint that nobody executes is refused: say it as the \
                contracts in schemas/ do, or for people alone with type: text"
                .to_owned(),
            Self::NoPartition { first: None, table, .. } => format!(
                "import or simulate {table} first, or name the store that holds it with --store"
            ),
            Self::NoPartition { first: Some(first), .. } => {
                format!("choose an --as-of after {first}")
            }
            Self::EmptyFile { path, .. } => {
                format!("export the day again, or remove {path} if it has no rows")
            }
            Self::Misplaced { path, .. } => {
                format!("move {path} into the partition of its day, or out of the table")
            }
            Self::NotParquet { path, .. } | Self::Unreadable { path, .. } => {
                format!("upload {path} again: it is likely cut off")
            }
            Self::MissingColumn { table, column, .. } => format!(
                "add {column:?} at export, or make it optional (required: false) in \
                 schemas/{table}.odcs.yaml"
            ),
            Self::WrongType { found, table, column, .. } if found.starts_with("timestamp") => {
                format!(
                    "write {column:?} as timestamp[us, tz=UTC] at export; \
                     schemas/{table}.odcs.yaml describes it"
                )
            }
            Self::WrongType { expected, table, column, .. } => format!(
                "write {column:?} as {expected} at export; schemas/{table}.odcs.yaml describes it"
            ),
            Self::WrongDay { .. } => {
                "a partition holds the versions recorded on its UTC date; sort them at export"
                    .to_owned()
            }
            Self::NullRecordedAt { .. } => {
                "fill recorded_at at export with the time at which each row became known".to_owned()
            }
            Self::DuplicateKey { .. } => "a correction is a new version with a later \
                recorded_at; remove rows that were exported twice"
                .to_owned(),
            Self::RuleBroken { table, .. } => format!(
                "mend the rows at their source, or change onViolation in \
                 schemas/{table}.odcs.yaml"
            ),
            Self::TooManyQuarantined { table, .. } => format!(
                "longhaul check PIPELINE --explain shows the rows; mend them at their source, take \
                 a rule's rows back in with --release RULE, or change quarantineShareMax in \
                 schemas/{table}.odcs.yaml"
            ),
            Self::Release { path, .. } => {
                format!("restore {path} as it was written, or move it out of the releases")
            }
            Self::PartitionRule { table, rule, .. } => format!(
                "export the day again if it is not whole; if it is right, change {rule} in \
                 schemas/{table}.odcs.yaml"
            ),
            Self::Stale { table, .. } => format!(
                "look why {table} is not exported any more, or change latency or onLatency in \
                 schemas/{table}.odcs.yaml"
            ),
            Self::ImportFile { .. } => {
                "an import is a folder with import.toml and one SQL file for each target; \
                 pipelines/imports/README.md says how to write one"
                    .to_owned()
            }
            Self::SourceFile { path, .. } => format!(
                "put the file there, or name the folder that holds it with --from (now {})",
                path.parent().map_or_else(String::new, |folder| folder.display().to_string())
            ),
            Self::SourceTime { .. } => "local_times are texts or timestamps without a zone; a \
                column that carries its zone needs no entry there, and another format is read in \
                SQL with its offset: STRPTIME(told || '+0900', '%d/%m/%Y %H:%M%z')"
                .to_owned(),
            Self::TargetColumn { found, .. } if found.ends_with("without zone") => {
                "name the source column in local_times with its local_time_zone in import.toml, \
                 or let STRPTIME read its offset: STRPTIME(told || '+0900', '%d/%m/%Y %H:%M%z')"
                    .to_owned()
            }
            Self::PartitionDiffers { .. } => "import into an empty store, or pass --force to \
                replace what is there"
                .to_owned(),
            _ => return None,
        })
    }
}
