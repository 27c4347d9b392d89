//! Hints that name a flag or a command, by the variant of the error.
//!
//! The libraries know neither: their own `hint()` speaks of data and settings, and applies wherever
//! there is none here.

/// What to do about an error of the store.
pub(crate) fn of_store(error: &store::Error) -> Option<String> {
    let hint = match error {
        store::Error::Corrupt { .. } => {
            "restore the object, or run the stage that wrote it again with --force; a file of a \
             table is checked again by longhaul check PIPELINE --force"
        }
        store::Error::GaveUp { last, .. } => return of_store(last),
        store::Error::Unavailable { .. } => {
            "run again later, or raise limits.storage_retry_seconds"
        }
        store::Error::DeadlinePassed { .. } => {
            "run again: what is finished is not done again; or raise limits.night_minutes"
        }
        store::Error::TooLarge { .. } => {
            "if it is that large, split it into several files of the same day; else run again"
        }
        _ => return error.hint(),
    };
    Some(hint.to_owned())
}

/// What to do about an error of the check or of an import. Where it may be the contract that is to be
/// changed, how to get at it.
pub(crate) fn of_intake(error: &intake::Error) -> Option<String> {
    let hint = of_data(error)?;
    Some(match error.contract() {
        Some(table) => format!("{hint} ({})", own_contract(table)),
        None => hint,
    })
}

/// How to have a contract of one's own for a table.
pub(crate) fn own_contract(table: &str) -> String {
    format!(
        "longhaul contract show {table} prints the shipped one; check.contracts names a folder of \
         your own, with those of orders and shipments at least"
    )
}

fn of_data(error: &intake::Error) -> Option<String> {
    Some(match error {
        intake::Error::Store(source) => return of_store(source),
        intake::Error::NoPartition { first: None, table, .. } => {
            format!(
                "import or simulate {table} first, or name the store that holds it with --store"
            )
        }
        intake::Error::NoPartition { first: Some(first), .. } => {
            format!("choose an --as-of after {first}")
        }
        intake::Error::Stale { table, .. } => format!(
            "look why {table} is not exported any more; go on without newer rows with \
             --accept-stale REASON, which is recorded, or change latency or onLatency in \
             the contract of {table}"
        ),
        intake::Error::Commit(intake::CommitError::Differs { path, .. }) => {
            format!("restore {path}, or import again with --force if it is to be replaced")
        }
        intake::Error::TooManyQuarantined { table, .. } => format!(
            "longhaul check PIPELINE --explain shows the rows; mend them at their source, take a \
             rule's rows back in with --release RULE, or change quarantineShareMax in \
             the contract of {table}"
        ),
        intake::Error::Import(intake::ImportError::SourceFile { path, .. }) => format!(
            "put the file there, or name the folder that holds it with --from (now {})",
            path.parent().map_or_else(String::new, |folder| folder.display().to_string())
        ),
        intake::Error::Import(intake::ImportError::PartitionDiffers { .. }) => {
            "import into an empty store, or pass --force to replace what is there".to_owned()
        }
        _ => return error.hint(),
    })
}

/// What to do about an error of building features.
pub(crate) fn of_features(error: &features::Error) -> Option<String> {
    match error {
        features::Error::NothingKnown { .. } => {
            Some("choose a later --as-of, or import the tables of earlier days".to_owned())
        }
        _ => error.hint(),
    }
}

/// What to do about an error of training.
pub(crate) fn of_learn(error: &learn::Error) -> Option<String> {
    match error {
        learn::Error::Monotone { .. } => {
            Some("the declaration that features.declaration names lists the features".to_owned())
        }
        _ => error.hint(),
    }
}

/// What to do about an error of a model in the store.
pub(crate) fn of_artifact(error: &artifact::Error) -> Option<String> {
    match error {
        artifact::Error::NotFound { .. } => {
            Some("longhaul models list shows what is there".to_owned())
        }
        artifact::Error::Moved { .. } => {
            Some("run publish again: it compares with the new champion".to_owned())
        }
        artifact::Error::Store(source) => of_store(source),
        _ => error.hint(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use terms::Digest;

    fn corrupt() -> store::Error {
        let [expected, found] = [b"written", b"read   "].map(|bytes| Digest::of(bytes));
        store::Error::Corrupt { url: "file:///store/object".to_owned(), expected, found }
    }

    #[test]
    fn an_error_of_the_store_has_the_same_hint_through_every_crate() {
        let hint = of_store(&corrupt()).expect("a hint");
        assert!(hint.contains("--force"), "{hint}");
        assert_eq!(of_intake(&corrupt().into()).as_ref(), Some(&hint));
        assert_eq!(of_artifact(&corrupt().into()).as_ref(), Some(&hint));
    }

    #[test]
    fn a_limit_of_the_store_is_named_as_its_setting() {
        let large = store::Error::TooLarge { url: "file:///o".to_owned(), size: 9, limit: 8 };
        let hint = of_store(&large).expect("a hint");
        assert!(hint.contains("split it") && !hint.contains("limit"), "{hint}");
    }

    #[test]
    fn an_error_without_a_hint_here_has_that_of_its_crate() {
        let error = store::Error::WrongRegion {
            url: "s3://bucket".to_owned(),
            endpoint: "https://s3.eu-west-1.amazonaws.com".to_owned(),
            region: "us-east-1".to_owned(),
            message: "elsewhere".to_owned(),
        };
        assert_eq!(of_store(&error), error.hint());
        assert!(error.hint().is_some());
    }
}
