//! A client's identity as files: a folder with `key.pem`, `certificate.pem` and `roots.pem`.
//!
//! This is what the collector hands to an operator or a tool, in the form that clients of other languages take too.
//! An agent keeps its own in one file, with more beside it.

use std::path::{Path, PathBuf};

use rustls::pki_types::{
    CertificateDer, PrivateKeyDer,
    pem::{self, PemObject},
};

use crate::{
    client::tls::ClientIdentity,
    private_file::{self, PrivateFileError},
};

/// The private key, PKCS#8.
pub const KEY_FILE: &str = "key.pem";
/// The client's certificate, then its issuer's.
pub const CERTIFICATE_FILE: &str = "certificate.pem";
/// The roots that the server must chain to.
pub const ROOTS_FILE: &str = "roots.pem";

/// No chain and no bundle has more certificates.
pub const MAX_CERTIFICATES: usize = 16;

/// Why an identity can't be read.
#[derive(Debug, thiserror::Error)]
pub enum IdentityFilesError {
    /// A file or the folder is missing, unsafe or unreadable.
    #[error(transparent)]
    File(#[from] PrivateFileError),
    /// A file is not the PEM that was expected.
    #[error("{path} holds no usable {what} in PEM form")]
    Pem {
        /// The file.
        path: PathBuf,
        /// `private key` or `certificate`.
        what: &'static str,
        /// What is wrong with it.
        #[source]
        source: pem::Error,
    },
    /// No certificate, or far too many.
    #[error("{path} holds {count} certificates, expected 1 to {MAX_CERTIFICATES}")]
    Count {
        /// The file.
        path: PathBuf,
        /// How many were found (counting stops past the limit).
        count: usize,
    },
}

/// Key, chain and roots of one client.
#[derive(Debug, Clone)]
pub struct IdentityFiles {
    /// What the client shows.
    pub identity: ClientIdentity,
    /// What the server must chain to.
    pub roots: Vec<CertificateDer<'static>>,
}

impl IdentityFiles {
    /// Reads the three files of a folder, refusing unsafe modes, owners and links.
    pub fn read(folder: &Path) -> Result<Self, IdentityFilesError> {
        private_file::check_folder(folder)?;
        let key_path = folder.join(KEY_FILE);
        let key = PrivateKeyDer::from_pem_slice(&private_file::read(&key_path)?)
            .map_err(|source| IdentityFilesError::Pem { path: key_path, what: "private key", source })?;
        let chain = read_certificates(&folder.join(CERTIFICATE_FILE))?;
        let roots = read_certificates(&folder.join(ROOTS_FILE))?;
        Ok(Self { identity: ClientIdentity { chain, key }, roots })
    }
}

/// Reads a private file of one to [`MAX_CERTIFICATES`] certificates in PEM form.
pub fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, IdentityFilesError> {
    let bytes = private_file::read(path)?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&bytes)
        .take(MAX_CERTIFICATES + 1)
        .collect::<Result<_, _>>()
        .map_err(|source| IdentityFilesError::Pem { path: path.to_owned(), what: "certificate", source })?;
    if certificates.is_empty() || certificates.len() > MAX_CERTIFICATES {
        return Err(IdentityFilesError::Count { path: path.to_owned(), count: certificates.len() });
    }
    Ok(certificates)
}

/// Certificates in PEM form, one after another, in lines of 64 characters.
pub fn certificates_to_pem(certificates: &[CertificateDer<'_>]) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};

    let mut text = String::new();
    for certificate in certificates {
        text.push_str("-----BEGIN CERTIFICATE-----\n");
        let encoded = STANDARD.encode(certificate);
        let mut rest = encoded.as_str();
        while !rest.is_empty() {
            let (line, after) = rest.split_at(rest.len().min(64));
            text.push_str(line);
            text.push('\n');
            rest = after;
        }
        text.push_str("-----END CERTIFICATE-----\n");
    }
    text
}
