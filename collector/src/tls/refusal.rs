//! Why a connection was refused before its first request: reasons, their counters, and how an error becomes one.
//!
//! Pure but for the counters. Knows nothing of sockets.

use std::{
    io,
    sync::atomic::{AtomicU64, Ordering},
};

use muster_proto::client::channel::tls_error;
use rustls::{CertificateError, OtherError};

use crate::tls::peer::PeerRefused;

/// The reasons, as metrics and logs name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// That address has its share of connections.
    TooManyFromAddress,
    /// The handshake did not end in time.
    Timeout,
    /// The peer went away in the handshake.
    Closed,
    /// What came is not TLS.
    NotTls,
    /// TLS, but of a version or with ciphers that we don't speak, or not HTTP/2.
    Incompatible,
    /// No client certificate where one is needed.
    NoCertificate,
    /// Signed by an authority that this listener does not trust.
    UnknownAuthority,
    /// Past its end.
    Expired,
    /// Before its begin.
    NotYetValid,
    /// Not for client authentication alone.
    Purpose,
    /// None, several or malformed names.
    Name,
    /// A good name at the wrong listener.
    WrongListener,
    /// A signature that doesn't hold.
    Signature,
    /// Some other fault of the certificate.
    Certificate,
    /// The peer refused us.
    RefusedByPeer,
    /// Anything else.
    Other,
}

impl Reason {
    /// All, in the order of their counters.
    pub const ALL: [Self; 16] = [
        Self::TooManyFromAddress,
        Self::Timeout,
        Self::Closed,
        Self::NotTls,
        Self::Incompatible,
        Self::NoCertificate,
        Self::UnknownAuthority,
        Self::Expired,
        Self::NotYetValid,
        Self::Purpose,
        Self::Name,
        Self::WrongListener,
        Self::Signature,
        Self::Certificate,
        Self::RefusedByPeer,
        Self::Other,
    ];

    /// The name in metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TooManyFromAddress => "too-many-from-address",
            Self::Timeout => "timeout",
            Self::Closed => "closed",
            Self::NotTls => "not-tls",
            Self::Incompatible => "incompatible",
            Self::NoCertificate => "no-certificate",
            Self::UnknownAuthority => "unknown-authority",
            Self::Expired => "expired",
            Self::NotYetValid => "not-yet-valid",
            Self::Purpose => "purpose",
            Self::Name => "name",
            Self::WrongListener => "wrong-listener",
            Self::Signature => "signature",
            Self::Certificate => "certificate",
            Self::RefusedByPeer => "refused-by-peer",
            Self::Other => "other",
        }
    }

    /// The reason behind an error of the handshake.
    pub fn of(error: &io::Error) -> Self {
        match tls_error(error) {
            Some(error) => Self::of_tls(error),
            None => match error.kind() {
                io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe => Self::Closed,
                _ => Self::Other,
            },
        }
    }

    fn of_tls(error: &rustls::Error) -> Self {
        match error {
            rustls::Error::NoCertificatesPresented => Self::NoCertificate,
            rustls::Error::InvalidCertificate(error) => Self::of_certificate(error),
            rustls::Error::PeerIncompatible(_) | rustls::Error::NoApplicationProtocol => Self::Incompatible,
            rustls::Error::InvalidMessage(_)
            | rustls::Error::InappropriateMessage { .. }
            | rustls::Error::InappropriateHandshakeMessage { .. }
            | rustls::Error::PeerMisbehaved(_)
            | rustls::Error::PeerSentOversizedRecord
            | rustls::Error::DecryptError => Self::NotTls,
            rustls::Error::AlertReceived(_) => Self::RefusedByPeer,
            // rustls marks the enum as open, and the rest of it is about our own side.
            _ => Self::Other,
        }
    }

    fn of_certificate(error: &CertificateError) -> Self {
        match error {
            CertificateError::UnknownIssuer => Self::UnknownAuthority,
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Self::NotYetValid,
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                Self::Purpose
            }
            CertificateError::BadSignature
            | CertificateError::UnsupportedSignatureAlgorithmContext { .. }
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => Self::Signature,
            CertificateError::Other(OtherError(error)) => {
                error.downcast_ref::<PeerRefused>().map_or(Self::Certificate, Self::of_peer)
            }
            // rustls marks the enum as open.
            _ => Self::Certificate,
        }
    }

    fn of_peer(refused: &PeerRefused) -> Self {
        match refused {
            PeerRefused::Malformed => Self::Certificate,
            PeerRefused::Purpose => Self::Purpose,
            PeerRefused::Names { .. } | PeerRefused::NotUri | PeerRefused::Name(_) => Self::Name,
            PeerRefused::WrongListener { .. } => Self::WrongListener,
        }
    }
}

/// How many connections a listener accepted and refused since the start.
#[derive(Debug, Default)]
pub struct Counters {
    accepted: AtomicU64,
    refused: [AtomicU64; Reason::ALL.len()],
}

impl Counters {
    /// Handshakes that succeeded.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Connections that were refused for a reason.
    pub fn refused(&self, reason: Reason) -> u64 {
        self.of(reason).load(Ordering::Relaxed)
    }

    /// Connections that were refused for any reason.
    pub fn refused_in_all(&self) -> u64 {
        Reason::ALL.iter().map(|reason| self.refused(*reason)).sum()
    }

    pub(crate) fn count_accepted(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_refused(&self, reason: Reason) {
        self.of(reason).fetch_add(1, Ordering::Relaxed);
    }

    fn of(&self, reason: Reason) -> &AtomicU64 {
        let at = Reason::ALL.iter().position(|each| *each == reason);
        &self.refused[at.expect("every reason is in ALL, which a test checks")]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_name_and_a_counter_of_its_own() {
        let counters = Counters::default();
        let mut names: Vec<_> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        for reason in Reason::ALL {
            counters.count_refused(reason);
            assert_eq!(counters.refused(reason), 1, "{reason:?}");
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Reason::ALL.len());
        // The last variant's place is the number of variants, less one: none is missing in ALL.
        assert_eq!(Reason::Other as usize + 1, Reason::ALL.len());
    }
}
