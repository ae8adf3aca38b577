//! An enrolment that has begun: its id and its key, on disk before the first try.
//!
//! If the answer is lost, the next try is the same enrolment and gets the same certificate: no token is spent twice and
//! no device is made twice.

use muster_common::id::EnrollmentId;
use rcgen::{CertificateParams, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Why an enrolment can't begin or go on.
#[derive(Debug, thiserror::Error)]
pub enum PendingError {
    /// The file is not as it was written.
    #[error("the begun enrolment is damaged; remove it and enrol again with a new token")]
    Damaged(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The key can't be made or used.
    #[error("the key for the certificate request can't be used")]
    Key(#[source] rcgen::Error),
}

/// What the file holds.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    enrollment_id: String,
    key: String,
}

/// An enrolment id and a key that nothing was issued for yet. Its `Debug` hides the key.
pub struct PendingEnrollment {
    id: EnrollmentId,
    key: KeyPair,
}

impl PendingEnrollment {
    /// Draws an id and makes a P-256 key.
    pub fn begin() -> Result<Self, PendingError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(PendingError::Key)?;
        Ok(Self { id: EnrollmentId::random(), key })
    }

    /// Reads what [`Self::to_text`] wrote.
    pub fn from_text(text: &str) -> Result<Self, PendingError> {
        let Stored { enrollment_id, key } =
            toml::from_str(text).map_err(|error| PendingError::Damaged(error.message().into()))?;
        let key = Zeroizing::new(key);
        let id = enrollment_id.parse().map_err(|error| PendingError::Damaged(Box::new(error)))?;
        let key = KeyPair::from_pem(&key).map_err(PendingError::Key)?;
        Ok(Self { id, key })
    }

    /// The file's content, key and all.
    pub fn to_text(&self) -> Result<Zeroizing<String>, PendingError> {
        let stored = Stored { enrollment_id: self.id.to_string(), key: self.key.serialize_pem() };
        let text = toml::to_string(&stored).map_err(|error| PendingError::Damaged(Box::new(error)));
        drop(Zeroizing::new(stored.key));
        text.map(Zeroizing::new)
    }

    /// The id that makes repeated tries one enrolment.
    pub fn id(&self) -> EnrollmentId {
        self.id
    }

    /// The private key in PEM form.
    pub fn key_pem(&self) -> Zeroizing<String> {
        Zeroizing::new(self.key.serialize_pem())
    }

    /// A certificate request in DER: the key and its proof, no wishes.
    pub fn request(&self) -> Result<Vec<u8>, PendingError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        let request = params.serialize_request(&self.key).map_err(PendingError::Key)?;
        Ok(request.der().to_vec())
    }
}

impl std::fmt::Debug for PendingEnrollment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PendingEnrollment").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_comes_back_the_same_and_shows_no_key() {
        let pending = PendingEnrollment::begin().unwrap();
        let read = PendingEnrollment::from_text(&pending.to_text().unwrap()).unwrap();
        assert_eq!(read.id(), pending.id());
        assert_eq!(read.key_pem(), pending.key_pem());
        assert!(!format!("{pending:?}").contains("PRIVATE"));
    }

    #[test]
    fn damage_is_an_error_that_shows_no_key() {
        let text = PendingEnrollment::begin().unwrap().to_text().unwrap();
        let cut = &text[..text.len() / 2];
        for bad in [
            "",
            "x = 1",
            cut,
            &text.replace("BEGIN", "BEGIM"),
            &text.replace("enrollment_id = \"", "enrollment_id = \"Z"),
        ] {
            let error = PendingEnrollment::from_text(bad).unwrap_err();
            let shown = format!("{error:?}");
            assert!(!shown.contains("MIG"), "{shown}");
        }
    }
}
