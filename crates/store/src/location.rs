//! The location of a store: its URL, parsed.

use std::path::{Path, PathBuf};

use url::Url;

use crate::error::Error;
use crate::key;

/// The parsed URL of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Location {
    Folder(PathBuf),
    Memory,
    S3 { bucket: String, prefix: String },
}

impl Location {
    /// Parses the URL of a store.
    pub(crate) fn parse(url: &str) -> Result<Self, Error> {
        let (scheme, rest) = url
            .split_once("://")
            .ok_or_else(|| unusable(url, "a URL that starts with file://, s3:// or memory://"))?;
        match scheme {
            "file" => folder(url, rest).map(Self::Folder),
            "memory" => Ok(Self::Memory),
            "s3" => bucket(url, rest),
            _ => Err(unusable(url, "the scheme file, s3 or memory")),
        }
    }
}

fn folder(url: &str, rest: &str) -> Result<PathBuf, Error> {
    const EXPECTED: &str = "an absolute path, as in file:///srv/longhaul";
    if !rest.starts_with('/') {
        return Err(unusable(url, EXPECTED));
    }
    let parsed = Url::parse(url).map_err(|_| unusable(url, EXPECTED))?;
    if parsed.query().is_some() || parsed.fragment().is_some() {
        return Err(unusable(url, "a path without ? and # (write them as %3F and %23)"));
    }
    parsed.to_file_path().map_err(|()| unusable(url, EXPECTED))
}

fn bucket(url: &str, rest: &str) -> Result<Location, Error> {
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    if bucket.is_empty() {
        return Err(unusable(url, "a bucket, as in s3://bucket/prefix"));
    }
    if !bucket.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_')) {
        return Err(unusable(url, "a bucket of letters, digits, hyphens and dots"));
    }
    if prefix.contains('?') {
        return Err(unusable(url, "a prefix without ?"));
    }
    if let Some(fault) = Some(prefix).filter(|p| !p.is_empty()).and_then(key::fault) {
        return Err(unusable(url, &format!("a prefix with {fault}")));
    }
    Ok(Location::S3 { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
}

/// The URL of a store from what a user typed: a URL stays as it is, anything else is the path of a
/// folder, relative to `current_folder`.
///
/// # Errors
/// If the path is relative and `current_folder` is too.
pub fn url_of(text: &str, current_folder: &Path) -> Result<String, Error> {
    if text.contains("://") {
        return Ok(text.to_owned());
    }
    let mut path = PathBuf::new();
    for part in current_folder.join(text).components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir => {
                path.pop();
            }
            part => path.push(part),
        }
    }
    let url = Url::from_file_path(&path)
        .map_err(|()| unusable(text, "a URL, or the path of a folder"))?;
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// A URL for display: user and password, which do not belong there, are masked.
pub fn masked(url: &str) -> String {
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), url),
    };
    // The last @ before the path: a password may hold one, and a slash too if it is not encoded.
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let end = match authority.rfind('@') {
        Some(at) => Some(at),
        None if authority.contains(':') => rest.rfind('@'),
        None => None,
    };
    match end {
        Some(at) => format!("{scheme}****{}", &rest[at..]),
        None => url.to_owned(),
    }
}

fn unusable(found: &str, expected: &str) -> Error {
    Error::Setting { name: "store".to_owned(), expected: expected.to_owned(), found: masked(found) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use terms::ErrorClass;

    #[test]
    fn urls_of_the_three_backends_are_parsed() {
        let s3 = |bucket: &str, prefix: &str| Location::S3 {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
        };
        assert_eq!(Location::parse("s3://b").unwrap(), s3("b", ""));
        assert_eq!(Location::parse("s3://b/").unwrap(), s3("b", ""));
        assert_eq!(Location::parse("s3://b/x y/z=1/").unwrap(), s3("b", "x y/z=1"));
        assert_eq!(Location::parse("memory://").unwrap(), Location::Memory);
        let folder = Location::parse("file:///srv/a%20b").unwrap();
        assert_eq!(folder, Location::Folder("/srv/a b".into()));
    }

    #[test]
    fn unusable_urls_are_refused_as_configuration() {
        for url in [
            "gs://b",
            "s3a://b",
            "/srv/x",
            "",
            "file://relative/path",
            "file://",
            "s3://",
            "s3:///prefix",
            "s3://b//x",
            "s3://b/../c",
            "s3://b/a?versioned",
            "file:///a?b",
        ] {
            let error = Location::parse(url).unwrap_err();
            assert_eq!(error.class(), ErrorClass::Configuration, "{url}");
            assert!(error.to_string().contains(&format!("{url:?}")), "{error}");
        }
    }

    #[test]
    fn user_and_password_of_a_url_are_refused_and_not_shown() {
        for url in ["s3://me:s3cret@bucket/x", "s3://s3cret@b", "file://me:s3cret@host/x"] {
            let text = Location::parse(url).unwrap_err().to_string();
            assert!(text.contains("****@") && !text.contains("s3cret"), "{text}");
        }
        assert_eq!(masked("https://me:a/s3cret@host:1/x"), "https://****@host:1/x");
        for url in ["s3://bucket/a@b", "file:///srv/a@b:c", "http://host:9000/p", "/srv/a@b"] {
            assert_eq!(masked(url), url);
        }
    }

    #[test]
    fn a_plain_path_becomes_a_url_and_back() {
        let here = Path::new("/home/me");
        assert_eq!(url_of("s3://b/p", here).unwrap(), "s3://b/p");
        assert_eq!(url_of("./store", here).unwrap(), "file:///home/me/store");
        assert_eq!(url_of("../you/a b#c/", here).unwrap(), "file:///home/you/a%20b%23c");
        let url = url_of("/srv/50% off", here).unwrap();
        assert_eq!(Location::parse(&url).unwrap(), Location::Folder("/srv/50% off".into()));
    }
}
