//! The server's half of TLS for each listener, with a certificate that is made anew long before it ends.
//!
//! TLS 1.3 alone and no resumption: rustls keeps a peer's certificate with a resumed session and does not verify it
//! again. The key lives in memory only; each start makes one. Handshakes take the configuration of the moment, so that
//! a swap drops no connection.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use muster_common::time::{Clock, Timestamp};
use muster_proto::client::tls::{provider, tls_time};
use rustls::{ServerConfig, server::NoServerSessionStorage};
use tokio_util::sync::CancellationToken;

use crate::tls::{
    authority::{Authority, AuthorityError, IssuedServer},
    listener::Role,
    peer::Validity,
    profile::Purpose,
    verifier::{Admits, PeerVerifier, VerifierError},
};

/// What HTTP/2 is called in a handshake.
const ALPN_H2: &[u8] = b"h2";

/// How often the certificate's remaining time is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Why a listener has no TLS.
#[derive(Debug, thiserror::Error)]
pub enum ServerTlsError {
    /// The authority could not sign the server's certificate.
    #[error("the server's certificate could not be made")]
    Authority(#[from] AuthorityError),
    /// The verifier could not be made.
    #[error("client certificates can't be verified")]
    Verifier(#[from] VerifierError),
    /// rustls refused key or certificate.
    #[error("the server's key and certificate can't be used")]
    Certificate(#[source] rustls::Error),
}

/// The TLS of all listeners, over one certificate.
#[derive(Debug)]
pub struct ServerTls {
    authority: Arc<Authority>,
    clock: Arc<dyn Clock>,
    validity: ArcSwap<Validity>,
    agents: Arc<ArcSwap<ServerConfig>>,
    api: Arc<ArcSwap<ServerConfig>>,
    enroll: Arc<ArcSwap<ServerConfig>>,
}

impl ServerTls {
    /// Makes the first certificate and a configuration for each listener.
    pub fn new(authority: Arc<Authority>, clock: Arc<dyn Clock>) -> Result<Self, ServerTlsError> {
        let server = authority.issue_server(clock.now())?;
        let config = |role| {
            configure(role, &authority, &server, &clock).map(|config| Arc::new(ArcSwap::from_pointee(config)))
        };
        let (agents, api, enroll) = (config(Role::Agents)?, config(Role::Api)?, config(Role::Enroll)?);
        let validity = ArcSwap::from_pointee(server.issued.validity);
        Ok(Self { authority, clock, validity, agents, api, enroll })
    }

    /// The configuration that a listener's handshakes take, each the one of its moment.
    pub fn config(&self, role: Role) -> Arc<ArcSwap<ServerConfig>> {
        match role {
            Role::Agents => self.agents.clone(),
            Role::Api => self.api.clone(),
            Role::Enroll => self.enroll.clone(),
        }
    }

    /// The clock that judges client certificates.
    pub fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    /// The authority behind it.
    pub fn authority(&self) -> &Arc<Authority> {
        &self.authority
    }

    /// Serial number and dates of the present server certificate.
    pub fn validity(&self) -> Arc<Validity> {
        self.validity.load_full()
    }

    /// Makes a new server certificate and swaps it in everywhere; connections that are open stay.
    pub fn reissue(&self) -> Result<(), ServerTlsError> {
        let server = self.authority.issue_server(self.clock.now())?;
        for role in Role::ALL {
            let config = configure(role, &self.authority, &server, &self.clock)?;
            self.config(role).store(Arc::new(config));
        }
        self.validity.store(Arc::new(server.issued.validity));
        Ok(())
    }

    /// Reissues whenever under half of the certificate's time is left, until `stop`.
    pub async fn keep_fresh(&self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            if !due(&self.validity.load(), self.clock.now()) {
                continue;
            }
            match self.reissue() {
                Ok(()) => tracing::info!(
                    certificate.serial = %self.validity.load().serial,
                    certificate.not_after = %self.validity.load().not_after,
                    "made a new server certificate"
                ),
                Err(error) => tracing::error!(
                    error = &error as &dyn std::error::Error,
                    certificate.not_after = %self.validity.load().not_after,
                    "could not make a new server certificate; agents can't connect once the present one ends"
                ),
            }
        }
    }
}

/// Whether under half of a certificate's time is left.
pub fn due(validity: &Validity, now: Timestamp) -> bool {
    let whole = validity.not_after.since(validity.not_before);
    validity.not_after.since(now) < whole / 2
}

fn configure(
    role: Role,
    authority: &Authority,
    server: &IssuedServer,
    clock: &Arc<dyn Clock>,
) -> Result<ServerConfig, ServerTlsError> {
    let builder = ServerConfig::builder_with_details(provider(), tls_time(clock.clone()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("ring has cipher suites for TLS 1.3");
    let verifier = |purpose, admits| {
        PeerVerifier::new(authority.anchors(purpose), authority.trust_domain().clone(), admits).map(Arc::new)
    };
    let mut chain = server.issued.chain.clone();
    let builder = match role {
        Role::Agents => builder.with_client_cert_verifier(verifier(Purpose::Agents, Admits::Agents)?),
        Role::Api => builder.with_client_cert_verifier(verifier(Purpose::Access, Admits::Access)?),
        Role::Enroll => {
            // A new agent has only the root's pin, so it must be shown the root.
            chain.push(authority.root().clone());
            builder.with_no_client_auth()
        }
    };
    let mut config =
        builder.with_single_cert(chain, server.key.clone_key()).map_err(ServerTlsError::Certificate)?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    config.alpn_protocols = vec![ALPN_H2.to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_due_at_half_its_time() {
        let at = |days: i64| Timestamp::from_millis(days * 24 * 60 * 60 * 1000);
        let validity =
            Validity { serial: String::new(), not_before: at(100), not_after: at(130), fingerprint: [0; 32] };
        for (day, expected) in
            [(99, false), (100, false), (115, false), (116, true), (130, true), (200, true)]
        {
            assert_eq!(due(&validity, at(day)), expected, "day {day}");
        }
    }
}
