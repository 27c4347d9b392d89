//! What an entity tag says of an object's bytes: of those uploaded in one request it is the MD5,
//! unless the server encrypts them with a key of its own.

use md5::{Digest as _, Md5};

/// Whether `bytes` have the MD5 that `etag` looks like; `None` if it does not look like one, as that
/// of an object uploaded in parts.
pub(crate) fn agrees(etag: Option<&str>, bytes: &[u8]) -> Option<bool> {
    let expected = etag?.trim_matches('"');
    let is_md5 = expected.len() == 32 && expected.bytes().all(|b| b.is_ascii_hexdigit());
    is_md5.then(|| md5_of(bytes).eq_ignore_ascii_case(expected))
}

/// The MD5 of `bytes` in hexadecimal digits.
pub(crate) fn md5_of(bytes: &[u8]) -> String {
    format!("{:x}", Md5::digest(bytes))
}

/// Whether two tags are of the same bytes; some servers send them without quotes here and there.
pub(crate) fn is_same(one: &str, other: &str) -> bool {
    one.trim_matches('"') == other.trim_matches('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_md5_says_something_of_the_bytes() {
        let etag = "\"900150983cd24fb0d6963f7d28e17f72\"";
        assert_eq!(agrees(Some(etag), b"abc"), Some(true));
        assert_eq!(agrees(Some(&etag.to_uppercase()), b"abc"), Some(true));
        assert_eq!(agrees(Some(etag), b"abd"), Some(false));
        assert_eq!(agrees(Some("\"900150983cd24fb0d6963f7d28e17f72-3\""), b"abc"), None);
        assert_eq!(agrees(None, b"abc"), None);
        assert!(is_same(etag, etag.trim_matches('"')));
    }
}
