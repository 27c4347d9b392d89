//! Control objects in the store: read verified, and read again where bytes were damaged on the way.

use bytes::Bytes;
use serde::de::DeserializeOwned;
use terms::Schema;

use crate::error::Error;
use crate::object::Version;
use crate::store::Store;

/// How often a control object is read that is not what was written.
const N_READS: usize = 3;

impl Store {
    /// Reads a control object with its version; `None` if it does not exist. One that is not as it
    /// was written is read again, in case it was damaged on the way.
    ///
    /// # Errors
    /// [`Error::Sealed`] if it is of another schema or was altered.
    pub fn get_sealed<T: DeserializeOwned>(
        &self,
        path: &str,
        schema: Schema,
    ) -> Result<Option<(T, Version)>, Error> {
        let mut before: Option<Bytes> = None;
        for n in 1.. {
            let Some((bytes, version)) = self.get_versioned(path)? else { return Ok(None) };
            match schema.open(&bytes) {
                Ok(content) => return Ok(Some((content, version))),
                Err(source) if n == N_READS || before.as_ref() == Some(&bytes) => {
                    return Err(Error::Sealed { url: self.url_of(path), version, source });
                }
                Err(_) => before = Some(bytes),
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::settings::StoreSettings;

    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Content {
        rows: u32,
    }

    const SCHEMA: Schema = Schema { name: "test", version: 1 };

    #[test]
    fn a_control_object_is_read_verified_or_refused_by_name() {
        let settings = StoreSettings::resolve("memory://", &BTreeMap::new()).unwrap();
        let store = Store::open(&settings).unwrap();
        let read = || store.get_sealed::<Content>("a/b.json", SCHEMA);
        assert!(read().unwrap().is_none());
        let content = Content { rows: 3 };
        let bytes = SCHEMA.seal(&content).unwrap();
        store.put("a/b.json", bytes.clone().into()).unwrap();
        let (found, version) = read().unwrap().unwrap();
        assert_eq!(found, content);
        let mut altered = bytes;
        altered.pop();
        let swapped = store.compare_and_swap("a/b.json", Some(&version), altered.into());
        assert_eq!(swapped.unwrap(), crate::SwapOutcome::Swapped);
        let error = read().unwrap_err();
        assert_eq!(error.class(), terms::ErrorClass::Contract);
        assert!(error.to_string().starts_with("memory:///a/b.json: expected SHA-256"), "{error}");
    }
}
