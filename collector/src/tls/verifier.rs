//! The judge of client certificates in the handshake, one for each listener.
//!
//! WebPKI against that listener's authority alone, then our own rules for purpose and name, then whether such a peer
//! has any business at this listener. Certificates that a client sends beside its own are ignored: the issuing
//! authority is the anchor, and nothing may stand between. To let expired agents in for renewal alone, this is the place.

use std::{sync::Arc, time::Duration};

use muster_common::{
    time::Timestamp,
    trust::name::{PeerName, TrustDomain},
};
use muster_proto::client::tls::provider;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, OtherError, PeerIncompatible, RootCertStore,
    SignatureScheme,
    client::danger::HandshakeSignatureValid,
    pki_types::{CertificateDer, UnixTime},
    server::{
        WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};

use crate::tls::peer::{PeerRefused, read_name};

/// Which peers a listener has business with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admits {
    /// Agents alone.
    Agents,
    /// People, tools and sister collectors; never agents.
    Access,
}

impl Admits {
    /// Whether a peer of this name may finish the handshake.
    pub fn allows(self, name: &PeerName) -> bool {
        match name {
            PeerName::Agent(_) => self == Self::Agents,
            PeerName::Operator(_) | PeerName::Service(_) | PeerName::Collector(_) => self == Self::Access,
        }
    }
}

/// An authority that can't be an anchor.
#[derive(Debug, thiserror::Error)]
pub enum VerifierError {
    /// The certificate can't be used as a trust anchor.
    #[error("an issuing authority can't be used as a trust anchor")]
    Anchor(#[source] rustls::Error),
    /// WebPKI refused the set.
    #[error("client certificates can't be checked against these authorities")]
    Anchors(#[source] rustls::server::VerifierBuilderError),
}

/// Why a certificate outside a handshake is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum NotAdmitted {
    /// WebPKI: another authority, another time, a broken signature.
    #[error("the certificate is not of this authority")]
    Chain(#[source] rustls::Error),
    /// Our own rules.
    #[error(transparent)]
    Name(#[from] PeerRefused),
}

/// WebPKI and our own rules.
#[derive(Debug)]
pub struct PeerVerifier {
    webpki: Arc<dyn ClientCertVerifier>,
    trust_domain: TrustDomain,
    admits: Admits,
}

impl PeerVerifier {
    /// A verifier that trusts these issuing authorities alone.
    pub fn new(
        anchors: Vec<CertificateDer<'static>>,
        trust_domain: TrustDomain,
        admits: Admits,
    ) -> Result<Self, VerifierError> {
        let mut store = RootCertStore::empty();
        for anchor in anchors {
            store.add(anchor).map_err(VerifierError::Anchor)?;
        }
        let webpki = WebPkiClientVerifier::builder_with_provider(Arc::new(store), provider())
            .build()
            .map_err(VerifierError::Anchors)?;
        Ok(Self { webpki, trust_domain, admits })
    }

    /// The name in a certificate that signed something, by the rules of the handshake as of a moment.
    ///
    /// # Errors
    /// When the handshake would have been refused then.
    pub fn name_at(&self, certificate: &[u8], moment: Timestamp) -> Result<PeerName, NotAdmitted> {
        let certificate = CertificateDer::from(certificate);
        let millis = u64::try_from(moment.as_millis()).unwrap_or_default();
        let moment = UnixTime::since_unix_epoch(Duration::from_millis(millis));
        self.webpki.verify_client_cert(&certificate, &[], moment).map_err(NotAdmitted::Chain)?;
        Ok(self.judge(&certificate)?)
    }

    fn judge(&self, certificate: &CertificateDer<'_>) -> Result<PeerName, PeerRefused> {
        let name = read_name(certificate, &self.trust_domain)?;
        if self.admits.allows(&name) { Ok(name) } else { Err(PeerRefused::WrongListener { name }) }
    }
}

impl ClientCertVerifier for PeerVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.webpki.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let verified = self.webpki.verify_client_cert(end_entity, &[], now)?;
        self.judge(end_entity).map_err(|refused| CertificateError::Other(OtherError(Arc::new(refused))))?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(PeerIncompatible::SupportedVersionsExtensionRequired.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.webpki.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }
}
