//! An operator's or a tool's identity, made here and handed over as a folder of three files.
//!
//! The key is made on the collector's machine, which suits quickstart and an offline administrator; a person with a key
//! of their own sends a request instead. Running it again renews: new key, new certificate.

use std::path::Path;

use muster_common::{time::Timestamp, trust::name::PeerName};
use muster_proto::{
    client::{
        files::{CERTIFICATE_FILE, KEY_FILE, ROOTS_FILE, certificates_to_pem},
        tls::ClientIdentity,
    },
    private_file::{self, PrivateFileError},
};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use zeroize::Zeroizing;

use crate::tls::{
    authority::{Authority, AuthorityError, Issued},
    peer::Validity,
};

/// Key, certificate and roots of one client.
pub struct ClientBundle {
    key_pem: Zeroizing<String>,
    issued: Issued,
    root: CertificateDer<'static>,
}

impl ClientBundle {
    /// Makes a key and has it signed under `name`; people get 12 hours, tools 7 days.
    pub fn make(authority: &Authority, name: &PeerName, now: Timestamp) -> Result<Self, AuthorityError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(AuthorityError::Sign)?;
        let issued = authority.sign_client(name, &key, now)?;
        Ok(Self { key_pem: Zeroizing::new(key.serialize_pem()), issued, root: authority.root().clone() })
    }

    /// The identity itself, for a call from this process.
    ///
    /// # Errors
    /// Never in practice: the key was written by the library that reads it.
    pub fn into_identity(self) -> Result<ClientIdentity, rustls::pki_types::pem::Error> {
        let key = PrivateKeyDer::from_pem_slice(self.key_pem.as_bytes())?;
        Ok(ClientIdentity { chain: self.issued.chain, key })
    }

    /// When it begins and ends, and its serial number.
    pub fn validity(&self) -> &Validity {
        &self.issued.validity
    }

    /// Writes the three files into a folder, which is made if it isn't there.
    pub fn write(&self, folder: &Path) -> Result<(), PrivateFileError> {
        private_file::make_folder(folder)?;
        private_file::write(
            &folder.join(ROOTS_FILE),
            certificates_to_pem(std::slice::from_ref(&self.root)).as_bytes(),
        )?;
        private_file::write(&folder.join(KEY_FILE), self.key_pem.as_bytes())?;
        private_file::write(
            &folder.join(CERTIFICATE_FILE),
            certificates_to_pem(&self.issued.chain).as_bytes(),
        )
    }
}

impl std::fmt::Debug for ClientBundle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientBundle").field("validity", &self.issued.validity).finish_non_exhaustive()
    }
}
