//! One of a collector's listeners, and how to open a channel to it whose bytes are counted.
//!
//! The agent's own connector can't be used here: it owns the socket that has to be counted. TLS is the same.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};

use super::wire::{Counted, Traffic};

/// For TCP and TLS together.
const CONNECT_WITHIN: Duration = Duration::from_secs(20);

/// Why a channel can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// The name is not one.
    #[error("{name:?} is not a server's name")]
    Name {
        /// What was given.
        name: String,
        /// Why not.
        #[source]
        source: rustls::pki_types::InvalidDnsNameError,
    },
    /// The address can't be used, or nobody answers there.
    #[error("no connection to {address}")]
    Connect {
        /// Where.
        address: SocketAddr,
        /// Why.
        #[source]
        source: tonic::transport::Error,
    },
}

/// A listener of the collector.
#[derive(Debug, Clone)]
pub struct Door {
    address: SocketAddr,
    name: ServerName<'static>,
    traffic: Arc<Traffic>,
}

impl Door {
    /// The listener at an address, whose certificate carries this name; its bytes are added to `traffic`.
    pub fn new(address: SocketAddr, name: &str, traffic: Arc<Traffic>) -> Result<Self, DoorError> {
        let parsed = ServerName::try_from(name.to_owned());
        let name = parsed.map_err(|source| DoorError::Name { name: name.to_owned(), source })?;
        Ok(Self { address, name, traffic })
    }

    /// Connects now: TCP, TLS, HTTP/2.
    pub async fn open(&self, config: Arc<ClientConfig>) -> Result<Channel, DoorError> {
        let Self { address, name, traffic } = self.clone();
        let failed = |source| DoorError::Connect { address, source };
        let endpoint = Endpoint::from_shared(format!("https://{address}")).map_err(failed)?;
        let endpoint = endpoint.connect_timeout(CONNECT_WITHIN);
        let connector = tower::service_fn(move |_uri| {
            let (name, config, traffic) = (name.clone(), config.clone(), traffic.clone());
            async move {
                let socket = TcpStream::connect(address).await?;
                socket.set_nodelay(true)?;
                let counted = Counted::new(socket, traffic);
                TlsConnector::from(config).connect(name, counted).await.map(TokioIo::new)
            }
        });
        endpoint.connect_with_connector(connector).await.map_err(failed)
    }
}
