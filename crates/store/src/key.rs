//! Which texts are valid keys of objects: the same rules for every backend, so that a key that is
//! valid in a folder is valid in a bucket.

use crate::error::Error;

/// Marks the names that the folder backend reserves: temporary files and locks.
pub(crate) const RESERVED: char = '#';

/// Accepts a key: segments between single slashes, none empty, `.` or `..`; no control characters,
/// no `#` and no backslash.
pub(crate) fn check(key: &str) -> Result<(), Error> {
    match fault(key) {
        None => Ok(()),
        Some(expected) => Err(Error::Key { key: key.to_owned(), expected }),
    }
}

/// Accepts the prefix of a list: a key, or nothing for the whole store; one slash at its end is
/// taken off.
pub(crate) fn check_prefix(prefix: &str) -> Result<&str, Error> {
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    if !prefix.is_empty() {
        check(prefix)?;
    }
    Ok(prefix)
}

/// The rule that `key` breaks; `None` for a valid key.
pub(crate) fn fault(key: &str) -> Option<&'static str> {
    if key.is_empty() {
        Some("a name")
    } else if key.split('/').any(str::is_empty) {
        Some("no empty segment and no slash at either end")
    } else if key.split('/').any(|segment| segment == "." || segment == "..") {
        Some("no segment . or ..")
    } else if key.contains(|c: char| c.is_control() || c == RESERVED || c == '\\') {
        Some("no control character, # or backslash")
    } else {
        None
    }
}

/// `prefix` and `key` with a slash between them, or `key` alone under no prefix.
pub(crate) fn join(prefix: &str, key: &str) -> String {
    match (prefix, key) {
        ("", key) => key.to_owned(),
        (prefix, "") => prefix.to_owned(),
        (prefix, key) => format!("{prefix}/{key}"),
    }
}

/// The URL of a store, to which keys are joined; that of a store without a name, `memory://`, stays.
pub(crate) fn without_last_slash(url: &str) -> &str {
    if url.ends_with("://") { url } else { url.trim_end_matches('/') }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_spaces_and_other_scripts_are_keys() {
        for key in ["a", "tables/orders/recorded_on=2026-11-20/part-0000.parquet", "são paulo/1%"]
        {
            assert_eq!(fault(key), None, "{key}");
        }
    }

    #[test]
    fn a_key_cannot_leave_the_store_or_be_reserved() {
        for key in ["", "/a", "a/", "a//b", "..", "a/../b", "./a", "a#1", "a\\b", "a\nb"] {
            assert!(fault(key).is_some(), "{key:?}");
        }
        assert_eq!(check_prefix("a/b/").unwrap(), "a/b");
        assert_eq!(check_prefix("").unwrap(), "");
    }
}
