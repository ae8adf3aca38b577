//! The key that signs heads of the audit log: Ed25519, a file of the authority's folder, made at the first start.
//!
//! Knows nothing of the log. A key of its own, so that whoever checks heads needs 32 bytes and no certificates, and so
//! that no other signature of the collector can pass for a head.

use std::path::{Path, PathBuf};

use muster_common::{
    audit::{Head, SignedHead},
    trust::name::TrustDomain,
};
use muster_proto::private_file::{self, PrivateFileError};
use rcgen::{KeyPair, PKCS_ED25519};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use rustls::pki_types::{PrivateKeyDer, pem::PemObject};
use zeroize::Zeroizing;

/// The file in the authority's folder.
const FILE: &str = "audit-key.pem";

/// Why heads can't be signed.
#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    /// The file is unsafe, or can't be read or written.
    #[error(transparent)]
    File(#[from] PrivateFileError),
    /// The file holds something else.
    #[error("{} holds no Ed25519 key: restore it from a backup", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
    },
    /// No key could be made.
    #[error("no key for the audit log's heads could be made")]
    Make(#[source] rcgen::Error),
}

/// Signs heads.
pub struct Signer {
    trust_domain: TrustDomain,
    key: Ed25519KeyPair,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").field("key", &self.key_text()).finish_non_exhaustive()
    }
}

impl Signer {
    /// Reads the key from the authority's folder, or makes one there.
    ///
    /// # Errors
    /// When the file is unsafe or damaged; a damaged key is never replaced.
    pub fn open(folder: &Path, trust_domain: TrustDomain) -> Result<Self, SignerError> {
        let path = folder.join(FILE);
        let pem = match private_file::read(&path) {
            Ok(pem) => pem,
            Err(PrivateFileError::Missing { .. }) => {
                let made = KeyPair::generate_for(&PKCS_ED25519).map_err(SignerError::Make)?;
                let pem = Zeroizing::new(made.serialize_pem().into_bytes());
                private_file::create(&path, &pem)?;
                pem
            }
            Err(error) => return Err(error.into()),
        };
        let der = PrivateKeyDer::from_pem_slice(&pem).ok();
        let key = der.and_then(|der| Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_der()).ok());
        let key = key.ok_or(SignerError::Unusable { path })?;
        Ok(Self { trust_domain, key })
    }

    /// Whose log it is.
    pub fn trust_domain(&self) -> &TrustDomain {
        &self.trust_domain
    }

    /// The public key in hexadecimal digits.
    pub fn key_text(&self) -> String {
        self.key.public_key().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Signs a head.
    pub fn sign(&self, head: Head) -> SignedHead {
        head.sign(&self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_made_once_and_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Signer::open(folder.path(), "muster.example.org".parse().unwrap());
        let first = open().unwrap().key_text();
        assert_eq!(open().unwrap().key_text(), first);
        assert_eq!(first.len(), 64);
        private_file::write(&folder.path().join(FILE), b"nonsense").unwrap();
        assert!(matches!(open(), Err(SignerError::Unusable { .. })));
    }
}
