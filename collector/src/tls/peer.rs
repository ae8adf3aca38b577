//! Who is at the other end: what a verified client certificate says, read strictly.
//!
//! WebPKI has then checked chain, dates and authority. What it lets pass is checked here: a certificate without any
//! extended key usage, and a name in any form but ours. What the name may do is the registry's to say.

use std::{net::SocketAddr, sync::Arc};

use muster_common::{
    time::Timestamp,
    trust::name::{InvalidName, PeerName, TrustDomain},
};
use tokio_util::sync::CancellationToken;
use x509_parser::{
    certificate::X509Certificate,
    extensions::{ExtendedKeyUsage, GeneralName},
    oid_registry::{OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_SIG_ED25519},
    prelude::FromDer,
    x509::SubjectPublicKeyInfo,
};

use crate::tls::{listener::Role, request::sha256};

/// A peer whose certificate the handshake has verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its name in our trust domain.
    pub name: PeerName,
    /// SHA-256 of its certificate in DER.
    pub certificate_fingerprint: [u8; 32],
    /// Its certificate's serial number, lower-case hexadecimal.
    pub serial: String,
    /// Its certificate's last moment; the connection is closed then.
    pub not_after: Timestamp,
    /// Where it connected from.
    pub address: SocketAddr,
}

/// What every request carries in its extensions: where its connection came from and, where a certificate was asked
/// for, whose it is.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The listener that accepted the connection.
    pub role: Role,
    /// The other end of the socket.
    pub address: SocketAddr,
    /// The verified peer; none on `enroll`.
    pub peer: Option<Arc<Peer>>,
    /// Cancelling it closes the socket at once, streams and all: for revocation and for changed rights.
    pub closer: CancellationToken,
}

impl Caller {
    /// The caller of a request; none if the request did not come through our own listener.
    pub fn of<T>(request: &tonic::Request<T>) -> Option<&Self> {
        request.extensions().get::<Self>()
    }
}

/// Why a verified chain still names nobody whom we know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeerRefused {
    /// Not a certificate, or with something after it.
    #[error("the client's certificate can't be read")]
    Malformed,
    /// rustls lets a certificate without extended key usage pass, and one for several uses.
    #[error("the client's certificate is not for client authentication alone")]
    Purpose,
    /// None, several, or of another kind than URI.
    #[error("the client's certificate must carry exactly one name, a URI, and carries {found}")]
    Names {
        /// How many names of any kind.
        found: usize,
    },
    /// One name, but not a URI.
    #[error("the client's certificate carries a name that is not a URI")]
    NotUri,
    /// A URI that is no name of ours.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// An agent at the operators' door, or an operator at the agents'.
    #[error("{name} has no business at this listener")]
    WrongListener {
        /// Who came.
        name: PeerName,
    },
}

/// Reads the name in a client certificate, by our rules.
pub fn read_name(der: &[u8], ours: &TrustDomain) -> Result<PeerName, PeerRefused> {
    let certificate = parse(der).ok_or(PeerRefused::Malformed)?;
    match certificate.extended_key_usage() {
        Ok(Some(usage)) if client_authentication_alone(usage.value) => {}
        Ok(Some(_) | None) | Err(_) => return Err(PeerRefused::Purpose),
    }
    let names = match certificate.subject_alternative_name() {
        Ok(Some(extension)) => &extension.value.general_names,
        Ok(None) => return Err(PeerRefused::Names { found: 0 }),
        Err(_) => return Err(PeerRefused::Malformed),
    };
    match names.as_slice() {
        [GeneralName::URI(uri)] => Ok(PeerName::from_uri(uri, ours)?),
        [_] => Err(PeerRefused::NotUri),
        several => Err(PeerRefused::Names { found: several.len() }),
    }
}

/// Serial number, dates and fingerprint of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validity {
    /// Lower-case hexadecimal.
    pub serial: String,
    /// Its first moment.
    pub not_before: Timestamp,
    /// Its last moment.
    pub not_after: Timestamp,
    /// SHA-256 of the certificate in DER.
    pub fingerprint: [u8; 32],
}

impl Validity {
    /// Reads a certificate in DER; none if it isn't one.
    pub fn read(der: &[u8]) -> Option<Self> {
        let certificate = parse(der)?;
        let validity = certificate.validity();
        let moment = |seconds: i64| Timestamp::from_millis(seconds.saturating_mul(1000));
        Some(Self {
            serial: hexadecimal(certificate.raw_serial()),
            not_before: moment(validity.not_before.timestamp()),
            not_after: moment(validity.not_after.timestamp()),
            fingerprint: sha256(der),
        })
    }
}

/// The kinds of keys that get certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// NIST P-256.
    P256,
    /// NIST P-384.
    P384,
    /// Ed25519.
    Ed25519,
}

impl KeyKind {
    /// The kind of a key; none if such keys get no certificates.
    pub(crate) fn of(key: &SubjectPublicKeyInfo<'_>) -> Option<Self> {
        let algorithm = &key.algorithm;
        if algorithm.algorithm == OID_SIG_ED25519 {
            return algorithm.parameters.is_none().then_some(Self::Ed25519);
        }
        let curve = algorithm.parameters.as_ref().and_then(|curve| curve.as_oid().ok())?;
        if algorithm.algorithm != OID_KEY_TYPE_EC_PUBLIC_KEY {
            return None;
        }
        let known = [(OID_EC_P256, Self::P256), (OID_NIST_EC_P384, Self::P384)];
        known.into_iter().find(|(oid, _)| curve == *oid).map(|(_, kind)| kind)
    }
}

/// The key of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// Of which kind.
    pub kind: KeyKind,
    /// The key itself, as a verifier takes it.
    pub bits: Vec<u8>,
    /// SHA-256 of its SubjectPublicKeyInfo: what the registry knows it by.
    pub digest: [u8; 32],
}

impl PublicKey {
    /// Reads a certificate in DER; none if it isn't one, or its key is of another kind.
    pub fn read(der: &[u8]) -> Option<Self> {
        let certificate = parse(der)?;
        let key = certificate.public_key();
        Some(Self {
            kind: KeyKind::of(key)?,
            bits: key.subject_public_key.data.to_vec(),
            digest: sha256(key.raw),
        })
    }
}

/// The SubjectPublicKeyInfo of a certificate, in DER.
pub(crate) fn spki(der: &[u8]) -> Option<Vec<u8>> {
    Some(parse(der)?.public_key().raw.to_vec())
}

fn parse(der: &[u8]) -> Option<X509Certificate<'_>> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Some(certificate),
        Ok(_) | Err(_) => None,
    }
}

fn client_authentication_alone(usage: &ExtendedKeyUsage<'_>) -> bool {
    let ExtendedKeyUsage {
        any,
        server_auth,
        client_auth,
        code_signing,
        email_protection,
        time_stamping,
        ocsp_signing,
        other,
    } = usage;
    let others = [any, server_auth, code_signing, email_protection, time_stamping, ocsp_signing];
    *client_auth && other.is_empty() && others.iter().all(|used| !**used)
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
