//! TLS as the agent uses it: pinned for enrolment, by its trust bundle and certificate ever after.
//!
//! The system's own roots play no part: a certificate that a public authority gave for the collector's name is refused.
//! Knows nothing of what is said over the channel; `advice` says what to do about a refusal.

use std::sync::Arc;

use muster_common::{time::Clock, trust::token::RootPin};
use muster_proto::client::{
    address::Address,
    channel::{self, Opened, Timing, UnusableAddress},
    proxy::Way,
    tls::{self, ClientTlsError},
};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, PeerIncompatible, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};

use super::resigned::Naming;
use crate::credentials::identity::{Identity, IdentityError, root_pin};

/// Why a channel can't be prepared.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// Roots, key or certificate can't be used.
    #[error("TLS can't be set up")]
    Tls(#[from] ClientTlsError),
    /// The key can't be read.
    #[error("the agent's identity can't be used")]
    Identity(#[from] IdentityError),
    /// The address can't be used.
    #[error(transparent)]
    Address(#[from] UnusableAddress),
}

/// The server showed no root with the key that the enrolment string names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the collector's chain does not hold the root that the enrolment string names; check the address, or make a new enrolment string"
)]
pub struct PinMismatch;

/// A channel for enrolment: the server's chain must end in the pinned root; we show nothing.
pub fn enrollment_channel(
    way: &Way,
    address: &Address,
    pin: RootPin,
    clock: Arc<dyn Clock>,
    timing: Timing,
) -> Result<Opened, TransportError> {
    let config = tls::configure(naming(address, pin_verifier(pin)), None, clock)?;
    Ok(channel::open_by(way, address, Arc::new(config), timing)?)
}

/// The TLS of an enrolment.
pub fn enrollment_config(pin: RootPin, clock: Arc<dyn Clock>) -> Result<ClientConfig, ClientTlsError> {
    tls::configure(pin_verifier(pin), None, clock)
}

/// A channel for sessions: the server's chain must end in a root of the bundle; we show our certificate.
pub fn session_channel(
    way: &Way,
    address: &Address,
    identity: &Identity,
    clock: Arc<dyn Clock>,
    timing: Timing,
) -> Result<Opened, TransportError> {
    let verifier = naming(address, tls::root_verifier(identity.trust.roots())?);
    let config = tls::configure(verifier, Some(identity.client_identity()?), clock)?;
    Ok(channel::open_by(way, address, Arc::new(config), timing)?)
}

fn pin_verifier(pin: RootPin) -> Arc<dyn ServerCertVerifier> {
    Arc::new(PinVerifier { pin, provider: tls::provider() })
}

fn naming(address: &Address, verifier: Arc<dyn ServerCertVerifier>) -> Arc<dyn ServerCertVerifier> {
    Arc::new(Naming { verifier, address: address.clone() })
}

/// Accepts a server whose chain ends in the root with one certain key, by WebPKI's rules and with its name checked.
#[derive(Debug)]
struct PinVerifier {
    pin: RootPin,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for PinVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let root = intermediates
            .iter()
            .find(|certificate| root_pin(certificate) == Some(self.pin))
            .ok_or_else(|| CertificateError::Other(OtherError(Arc::new(PinMismatch))))?;
        let verifier = tls::root_verifier(&[root.clone().into_owned()])
            .map_err(|error| CertificateError::Other(OtherError(Arc::new(error))))?;
        verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(PeerIncompatible::ServerDoesNotSupportTls12Or13.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
