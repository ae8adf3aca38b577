//! Names whoever stands between agent and collector and signs certificates of its own, as TLS inspection does.
//!
//! It only words a refusal: what was refused stays refused, whatever the stranger calls itself. An authority of Muster
//! by its name is another case, a collector that was set up anew, and keeps the words that it has.

use std::sync::Arc;

use muster_proto::client::address::Address;
use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use x509_parser::{certificate::X509Certificate, prelude::FromDer};

use super::tls::PinMismatch;

/// What our own authorities' names begin with.
const OWN: &str = "Muster ";
/// A stranger's name is as long as it likes.
const MOST_NAME_CHARACTERS: usize = 100;

/// The server's certificate is somebody else's work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the certificate of {address} was re-signed by {issuer}; exempt {address} from TLS inspection (if nothing inspects TLS here, this is not the collector: check the address)"
)]
pub struct Resigned {
    /// Where.
    pub address: Address,
    /// Whoever signed it, as it calls itself.
    pub issuer: String,
}

/// Finds the same within a TLS error.
pub fn resigned(error: &Error) -> Option<&Resigned> {
    match error {
        Error::InvalidCertificate(CertificateError::Other(OtherError(other))) => other.downcast_ref(),
        _ => None,
    }
}

/// A verifier that says who signed what it refuses.
#[derive(Debug)]
pub(super) struct Naming {
    pub(super) verifier: Arc<dyn ServerCertVerifier>,
    pub(super) address: Address,
}

impl Naming {
    /// The verdict with the stranger's name, where the verdict is that the chain is not ours.
    fn named(&self, verdict: Error, end_entity: &CertificateDer<'_>) -> Error {
        let is_stranger = match &verdict {
            Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
                true
            }
            Error::InvalidCertificate(CertificateError::Other(OtherError(other))) => {
                other.downcast_ref::<PinMismatch>().is_some()
            }
            _ => false,
        };
        match issuer(end_entity).filter(|issuer| is_stranger && !issuer.starts_with(OWN)) {
            Some(issuer) => {
                let resigned = Resigned { address: self.address.clone(), issuer: format!("{issuer:?}") };
                CertificateError::Other(OtherError(Arc::new(resigned))).into()
            }
            None => verdict,
        }
    }
}

impl ServerCertVerifier for Naming {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verifier
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            .map_err(|verdict| self.named(verdict, end_entity))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

/// The issuer's common name, else its organisation, else its whole name; `None` when nothing can be read.
fn issuer(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let issuer = parsed.issuer();
    let common = issuer.iter_common_name().next().and_then(|name| name.as_str().ok());
    let organisation = issuer.iter_organization().next().and_then(|name| name.as_str().ok());
    let name = match (common, organisation) {
        (Some(common), Some(organisation)) if !common.starts_with(OWN) => {
            format!("{common} ({organisation})")
        }
        (Some(name), _) | (None, Some(name)) => name.to_owned(),
        (None, None) => issuer.to_string(),
    };
    let name: String = name.chars().filter(|c| !c.is_control()).take(MOST_NAME_CHARACTERS).collect();
    Some(name).filter(|name| !name.is_empty())
}
