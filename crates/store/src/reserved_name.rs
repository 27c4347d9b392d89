//! Names beside an object that are no keys: those of temporary files and locks.

use std::path::{Path, PathBuf};

use crate::key::RESERVED;

/// The name of a temporary file or lock beside `target`.
pub(crate) fn beside(target: &Path, suffix: &str) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(RESERVED.to_string());
    name.push(suffix);
    name.into()
}

/// Whether `name` is that of a temporary file: `…#process.number`.
pub(crate) fn is_temporary(name: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    name.rsplit_once(RESERVED)
        .and_then(|(_, suffix)| suffix.split_once('.'))
        .is_some_and(|(process, number)| is_number(process) && is_number(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_with_process_and_number_are_temporary() {
        let name = beside(Path::new("a/part.parquet"), "17.3");
        assert!(is_temporary(name.to_str().unwrap()));
        for name in ["part.parquet", "part#lock", "part#17", "part#17.", "part#a.b", "1.2"] {
            assert!(!is_temporary(name), "{name}");
        }
    }
}
