//! Detached signatures of bundles: `manifest.sig`, the 64 bytes of an Ed25519 signature (RFC 8032) of the
//! bytes of `manifest.json`. The manifest holds the digest of every other file, so the signature is of
//! the whole bundle. It is not listed in the manifest, and not part of the model's id.
//!
//! Keys are files of OpenSSL's: `openssl genpkey -algorithm ed25519` (PKCS #8) and `openssl pkey -pubout`
//! (SubjectPublicKeyInfo, RFC 8410), in PEM. `openssl pkeyutl -verify -rawin` verifies the signature.

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};
use store::Store;

use crate::bundle::SIGNATURE_FILE;
use crate::registry::{folder, read_manifest_of};
use crate::{Error, Manifest};

/// A SubjectPublicKeyInfo of Ed25519 up to the 32 bytes of the key (RFC 8410, section 4).
const PUBLIC_HEAD: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// A key that signs.
pub struct SecretKey(Ed25519KeyPair);

impl SecretKey {
    /// From the text of a PEM file, PKCS #8. `path` is its file, for the error.
    ///
    /// # Errors
    /// If it holds no secret key of Ed25519. The error says nothing of the content.
    pub fn of_pem(path: &str, text: &[u8]) -> Result<Self, Error> {
        let expected = "a secret key of Ed25519 in PEM, PKCS #8";
        let wrong = || Error::Key { path: path.to_owned(), expected };
        let der = PrivatePkcs8KeyDer::from_pem_slice(text).map_err(|_| wrong())?;
        // OpenSSL writes version 1, which does not hold the public key.
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der());
        pair.map(Self).map_err(|_| wrong())
    }

    /// The key that verifies its signatures.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.public_key().as_ref().to_vec())
    }

    /// The signature of a manifest's bytes.
    pub fn sign(&self, manifest: &[u8]) -> Vec<u8> {
        self.0.sign(manifest).as_ref().to_vec()
    }
}

/// A key that verifies signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(Vec<u8>);

impl PublicKey {
    /// From the text of a PEM file, SubjectPublicKeyInfo. `path` is its file, for the error.
    ///
    /// # Errors
    /// If it holds no public key of Ed25519.
    pub fn of_pem(path: &str, text: &[u8]) -> Result<Self, Error> {
        let expected = "a public key of Ed25519 in PEM";
        let wrong = || Error::Key { path: path.to_owned(), expected };
        let der = SubjectPublicKeyInfoDer::from_pem_slice(text).map_err(|_| wrong())?;
        match der.as_ref().strip_prefix(&PUBLIC_HEAD) {
            Some(key) if key.len() == 32 => Ok(Self(key.to_vec())),
            _ => Err(wrong()),
        }
    }

    /// Verifies the signature of a model's manifest.
    ///
    /// # Errors
    /// If there is none, or it is not of these bytes by this key.
    pub fn verify(
        &self,
        model_id: &str,
        manifest: &[u8],
        signature: Option<&[u8]>,
    ) -> Result<(), Error> {
        let model_id = model_id.to_owned();
        let Some(signature) = signature else { return Err(Error::Unsigned { model_id }) };
        let key = UnparsedPublicKey::new(&ED25519, &self.0);
        key.verify(manifest, signature).map_err(|_| Error::Forged { model_id })
    }
}

/// Signs a published bundle: writes its signature, in place of another one.
///
/// # Errors
/// If the bundle is not there or its manifest not as it was written, or the store fails.
pub fn sign(store: &Store, model_id: &str, key: &SecretKey) -> Result<Manifest, Error> {
    let manifest = read_manifest_of(store, model_id)?;
    let path = format!("{}/manifest.json", folder(model_id));
    let signature = key.sign(&store.get(&path)?);
    store.put(&format!("{}/{SIGNATURE_FILE}", folder(model_id)), signature.into())?;
    Ok(manifest)
}

/// The bytes of a published bundle's manifest, and its signature if there is one.
///
/// # Errors
/// If there is no manifest, or the store fails.
pub fn read_signature(store: &Store, model_id: &str) -> Result<(Vec<u8>, Option<Vec<u8>>), Error> {
    let folder = folder(model_id);
    let manifest = store.get(&format!("{folder}/manifest.json"))?.to_vec();
    let signature = store.get_versioned(&format!("{folder}/{SIGNATURE_FILE}"))?;
    Ok((manifest, signature.map(|(bytes, _)| bytes.to_vec())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pointer::tests::{bundle, store};

    // Of RFC 8410, section 10.3 and 10.1.
    const SECRET: &str = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
        -----END PRIVATE KEY-----\n";
    const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
        -----END PUBLIC KEY-----\n";

    #[test]
    fn a_signature_is_verified_and_a_forged_one_refused() {
        let store = store();
        let model = bundle(&store, "north", "2025-09-01", true);
        let other = bundle(&store, "north", "2025-09-02", true);
        let key = SecretKey::of_pem("key.pem", SECRET.as_bytes()).unwrap();
        let public = PublicKey::of_pem("key.pub.pem", PUBLIC.as_bytes()).unwrap();
        assert_eq!(key.public(), public);
        let verify = |model_id: &str| {
            let (manifest, signature) = read_signature(&store, model_id)?;
            public.verify(model_id, &manifest, signature.as_deref())
        };
        let unsigned = verify(model.model_id()).unwrap_err();
        assert!(matches!(unsigned, Error::Unsigned { .. }), "{unsigned}");
        sign(&store, model.model_id(), &key).unwrap();
        verify(model.model_id()).unwrap();

        // Another model's signature, any altered bit, another key.
        let path = |of: &crate::Bundle| format!("models/{}/{SIGNATURE_FILE}", of.model_id());
        let signature = store.get(&path(&model)).unwrap();
        store.put(&path(&other), signature.clone()).unwrap();
        assert!(matches!(verify(other.model_id()), Err(Error::Forged { .. })));
        for bit in 0..8 * signature.len() {
            let mut forged = signature.to_vec();
            forged[bit / 8] ^= 1 << (bit % 8);
            store.put(&path(&model), forged.into()).unwrap();
            assert!(matches!(verify(model.model_id()), Err(Error::Forged { .. })), "bit {bit}");
        }
        store.put(&path(&model), signature).unwrap();
        verify(model.model_id()).unwrap();
        let another = PublicKey(vec![7; 32]);
        let (manifest, signature) = read_signature(&store, model.model_id()).unwrap();
        another.verify("m", &manifest, signature.as_deref()).unwrap_err();
    }

    #[test]
    fn files_that_are_no_keys_are_refused_by_name() {
        for text in ["", "key", PUBLIC, &SECRET.replace('M', "N")] {
            let error = SecretKey::of_pem("a.pem", text.as_bytes()).err().unwrap().to_string();
            assert_eq!(error, "a.pem: expected a secret key of Ed25519 in PEM, PKCS #8");
        }
        for text in ["", SECRET, &PUBLIC.replace("AyEA", "AyEB")] {
            let error = PublicKey::of_pem("b.pem", text.as_bytes()).unwrap_err().to_string();
            assert_eq!(error, "b.pem: expected a public key of Ed25519 in PEM");
        }
    }
}
