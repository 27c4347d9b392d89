//! Control objects: small JSON documents that say of themselves what they are and prove that they
//! are as they were written.
//!
//! ```text
//! {
//!   "schema": "longhaul/stage-manifest/2",
//!   "sha256": "<digest of this document with these 64 digits as zeros>",
//!   …
//! }
//! ```
//!
//! The two lines come first, as they stand here, so that anybody can verify a document with a tool
//! for SHA-256 and one for text.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Digest;

/// The name and version of a kind of control object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schema {
    /// Its name, such as `stage-manifest`.
    pub name: &'static str,
    /// Its version. Documents of another one are refused.
    pub version: u32,
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "longhaul/{}/{}", self.name, self.version)
    }
}

/// Why a control object cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// It does not begin as a control object does.
    #[error("expected a document of schema {expected}, found {found:?}")]
    Schema {
        /// The schema that is known here.
        expected: String,
        /// That of the document, or how it begins.
        found: String,
    },
    /// It is not what was written.
    #[error("expected SHA-256 {expected}, found {found}: it was altered or cut off")]
    Altered {
        /// The digest in the document.
        expected: String,
        /// The digest of the document.
        found: Digest,
    },
    /// It is whole, but not of this form.
    #[error("not a document of schema {schema}")]
    Form {
        /// The schema that it names.
        schema: String,
        /// What the parser found.
        source: serde_json::Error,
    },
}

const ZEROS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

#[derive(Serialize)]
struct Document<'a, T> {
    schema: String,
    sha256: &'static str,
    #[serde(flatten)]
    content: &'a T,
}

impl Schema {
    /// The document of `content`, a struct without fields `schema` and `sha256`.
    ///
    /// # Errors
    /// If the content cannot be written as JSON, such as a map with keys that are no texts.
    pub fn seal<T: Serialize>(&self, content: &T) -> Result<Vec<u8>, serde_json::Error> {
        let document = Document { schema: self.to_string(), sha256: ZEROS, content };
        let mut bytes = serde_json::to_vec_pretty(&document)?;
        bytes.push(b'\n');
        let digest = Digest::of(&bytes);
        let start = self.head().len();
        bytes[start..start + ZEROS.len()].copy_from_slice(digest.as_str().as_bytes());
        Ok(bytes)
    }

    /// The content of a document, verified.
    ///
    /// # Errors
    /// If it is of another schema or version, is not what was written, or is of another form.
    pub fn open<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, SealError> {
        let head = self.head();
        let end = head.len() + ZEROS.len();
        if !bytes.starts_with(head.as_bytes()) || bytes.len() < end {
            let start = String::from_utf8_lossy(&bytes[..bytes.len().min(100)]);
            let named =
                start.split_once("\"schema\": \"").and_then(|(_, rest)| rest.split_once('"'));
            let found = named.map_or_else(|| start.to_string(), |(schema, _)| schema.to_owned());
            return Err(SealError::Schema { expected: self.to_string(), found });
        }
        let mut zeroed = bytes.to_vec();
        zeroed[head.len()..end].copy_from_slice(ZEROS.as_bytes());
        let found = Digest::of(&zeroed);
        if found.as_str().as_bytes() != &bytes[head.len()..end] {
            let expected = String::from_utf8_lossy(&bytes[head.len()..end]).into_owned();
            return Err(SealError::Altered { expected, found });
        }
        serde_json::from_slice(bytes)
            .map_err(|source| SealError::Form { schema: self.to_string(), source })
    }

    /// How a document begins, up to its digest.
    fn head(&self) -> String {
        format!("{{\n  \"schema\": \"{self}\",\n  \"sha256\": \"")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Content {
        as_of: String,
        rows: BTreeMap<u32, f64>,
    }

    const SCHEMA: Schema = Schema { name: "test", version: 3 };

    fn content() -> Content {
        Content { as_of: "2025-09-01".to_owned(), rows: BTreeMap::from([(1, 0.1), (20, 3e9)]) }
    }

    #[test]
    fn a_document_is_read_as_it_was_written() {
        let bytes = SCHEMA.seal(&content()).unwrap();
        assert_eq!(SCHEMA.open::<Content>(&bytes).unwrap(), content());
        let text = String::from_utf8(bytes).unwrap();
        let digest = text.lines().nth(2).and_then(|line| line.split('"').nth(3)).unwrap();
        assert_eq!(Digest::of(text.replace(digest, ZEROS).as_bytes()).as_str(), digest);
    }

    #[test]
    fn no_bit_can_be_flipped_and_no_byte_cut_off() {
        let sealed = SCHEMA.seal(&content()).unwrap();
        for position in 0..sealed.len() {
            SCHEMA.open::<Content>(&sealed[..position]).unwrap_err();
            for bit in 0..8 {
                let mut altered = sealed.clone();
                altered[position] ^= 1 << bit;
                SCHEMA.open::<Content>(&altered).unwrap_err();
            }
        }
    }

    #[test]
    fn another_version_and_another_kind_are_refused_by_name() {
        let sealed = Schema { version: 4, ..SCHEMA }.seal(&content()).unwrap();
        let error = SCHEMA.open::<Content>(&sealed).unwrap_err().to_string();
        let expected = "expected a document of schema longhaul/test/3, found \"longhaul/test/4\"";
        assert_eq!(error, expected);
        let error = SCHEMA.open::<Content>(b"<html>").unwrap_err().to_string();
        assert!(error.ends_with("found \"<html>\""), "{error}");
        SCHEMA.open::<Content>(b"").unwrap_err();
        #[derive(Serialize)]
        struct Other {
            rows: u32,
        }
        let other = SCHEMA.seal(&Other { rows: 1 }).unwrap();
        assert!(matches!(SCHEMA.open::<Content>(&other), Err(SealError::Form { .. })));
    }
}
