//! The client's TLS: version 1.3 alone, no resumption, roots of our own and never the system's.
//!
//! rustls keeps a peer's certificate with a resumed session and does not verify it again, which would let an expired
//! or a revoked one back in; so both ends leave resumption off.

use std::{sync::Arc, time::Duration};

use muster_common::time::Clock;
use rustls::{
    ClientConfig, RootCertStore,
    client::{Resumption, WebPkiServerVerifier, danger::ServerCertVerifier},
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, UnixTime},
    time_provider::TimeProvider,
};

/// What HTTP/2 is called in a handshake.
const ALPN_H2: &[u8] = b"h2";

/// Why a client's TLS can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum ClientTlsError {
    /// No trusted root was given.
    #[error("there is no root certificate to trust")]
    NoRoots,
    /// A root can't be used.
    #[error("root certificate {number} can't be used")]
    Root {
        /// Which, counted from 1.
        number: usize,
        /// What is wrong with it.
        #[source]
        source: rustls::Error,
    },
    /// The verifier can't be made.
    #[error("the server's certificate can't be checked against these roots")]
    Verifier(#[source] rustls::client::VerifierBuilderError),
    /// Key and certificate don't fit, or can't be used.
    #[error("the client's key and certificate can't be used together")]
    Identity(#[source] rustls::Error),
}

/// The key and the certificate that a client shows.
#[derive(Debug)]
pub struct ClientIdentity {
    /// The client's certificate first, then the issuing authority's.
    pub chain: Vec<CertificateDer<'static>>,
    /// The key of the first certificate; its `Debug` hides it.
    pub key: PrivateKeyDer<'static>,
}

impl Clone for ClientIdentity {
    fn clone(&self) -> Self {
        Self { chain: self.chain.clone(), key: self.key.clone_key() }
    }
}

/// The one crypto provider of both ends.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// One of our clocks, as rustls asks for the time.
pub fn tls_time(clock: Arc<dyn Clock>) -> Arc<dyn TimeProvider> {
    Arc::new(TlsTime(clock))
}

#[derive(Debug)]
struct TlsTime(Arc<dyn Clock>);

impl TimeProvider for TlsTime {
    fn current_time(&self) -> Option<UnixTime> {
        let ms = u64::try_from(self.0.now().as_millis()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_millis(ms)))
    }
}

/// The configuration of an ordinary session: the server must chain to one of `roots`, and we show `identity`.
///
/// `clock` judges the server's certificate; an agent gives one that a wrong wall clock can't set back.
pub fn session_config(
    roots: &[CertificateDer<'static>],
    identity: ClientIdentity,
    clock: Arc<dyn Clock>,
) -> Result<ClientConfig, ClientTlsError> {
    let verifier = root_verifier(roots)?;
    configure(verifier, Some(identity), clock)
}

/// A verifier that accepts servers under these roots alone, by WebPKI's rules and with the name checked.
pub fn root_verifier(roots: &[CertificateDer<'static>]) -> Result<Arc<WebPkiServerVerifier>, ClientTlsError> {
    let mut store = RootCertStore::empty();
    for (index, root) in roots.iter().enumerate() {
        store.add(root.clone()).map_err(|source| ClientTlsError::Root { number: index + 1, source })?;
    }
    if store.is_empty() {
        return Err(ClientTlsError::NoRoots);
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider())
        .build()
        .map_err(ClientTlsError::Verifier)
}

/// The configuration around a verifier; enrolment brings its own and has no identity yet.
pub fn configure(
    verifier: Arc<dyn ServerCertVerifier>,
    identity: Option<ClientIdentity>,
    clock: Arc<dyn Clock>,
) -> Result<ClientConfig, ClientTlsError> {
    let builder = ClientConfig::builder_with_details(provider(), tls_time(clock))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("ring has cipher suites for TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match identity {
        Some(identity) => {
            builder.with_client_auth_cert(identity.chain, identity.key).map_err(ClientTlsError::Identity)?
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![ALPN_H2.to_vec()];
    config.resumption = Resumption::disabled();
    Ok(config)
}
