//! Opens a gRPC channel over our own TLS connector, and keeps what the server's TLS said when it refused.
//!
//! In TLS 1.3 a refused client believes that the handshake succeeded; the alert comes with the first read, where h2
//! turns it into text. So the socket is watched below h2 and the typed error is kept in a [`Refusal`], which the
//! caller asks when a call fails.

use std::{
    error::Error,
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, timeout_at},
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tonic::transport::{Channel, Endpoint};

use crate::client::{
    address::Address,
    proxy::{ProxyError, Way},
    tcp,
};

/// How long to wait, and how to notice that the other end has gone.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// For name, TCP and TLS together.
    pub connect: Duration,
    /// Between pings on a connection, idle or not.
    pub keep_alive: Duration,
    /// For the answer to a ping.
    pub keep_alive_answer: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            keep_alive: Duration::from_secs(45),
            keep_alive_answer: Duration::from_secs(20),
        }
    }
}

/// What TLS said at the last connection of a channel, or the proxy before it, if it said no.
#[derive(Debug, Clone, Default)]
pub struct Refusal(Arc<Mutex<Said>>);

#[derive(Debug, Default)]
struct Said {
    tls: Option<rustls::Error>,
    proxy: Option<ProxyError>,
}

impl Refusal {
    /// The last connection's TLS error: an alert that the server sent, or our own verdict on the server.
    pub fn get(&self) -> Option<rustls::Error> {
        self.lock().tls.clone()
    }

    /// Why the proxy made no tunnel for the last connection.
    pub fn proxy(&self) -> Option<ProxyError> {
        self.lock().proxy.clone()
    }

    fn clear(&self) {
        *self.lock() = Said::default();
    }

    fn note_proxy(&self, error: ProxyError) -> io::Error {
        self.lock().proxy = Some(error.clone());
        io::Error::other(error)
    }

    /// Keeps the TLS error within `error`, if there is one.
    fn note(&self, error: &io::Error) {
        if let Some(found) = tls_error(error) {
            self.lock().tls = Some(found.clone());
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Said> {
        // Values that are only ever replaced whole are good even after a panic elsewhere.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A channel that connects at its first call and again after each loss, and what its TLS last said.
#[derive(Debug, Clone)]
pub struct Opened {
    /// For the generated clients.
    pub channel: Channel,
    /// Asked when a call fails with `UNAVAILABLE` or a transport error.
    pub refusal: Refusal,
}

/// An address that HTTP can't express.
#[derive(Debug, thiserror::Error)]
#[error("{address} can't be used as an address")]
pub struct UnusableAddress {
    address: Address,
    #[source]
    source: tonic::transport::Error,
}

/// Prepares a channel to the server's own address; no byte is sent before its first call.
pub fn open(address: &Address, config: Arc<ClientConfig>, timing: Timing) -> Result<Opened, UnusableAddress> {
    open_by(&Way::Direct, address, config, timing)
}

/// The same by a way.
pub fn open_by(
    way: &Way,
    address: &Address,
    config: Arc<ClientConfig>,
    timing: Timing,
) -> Result<Opened, UnusableAddress> {
    let endpoint = Endpoint::from_shared(format!("https://{address}"))
        .map_err(|source| UnusableAddress { address: address.clone(), source })?
        .http2_keep_alive_interval(timing.keep_alive)
        .keep_alive_timeout(timing.keep_alive_answer)
        .keep_alive_while_idle(true)
        .user_agent(concat!("muster/", env!("CARGO_PKG_VERSION")))
        .map_err(|source| UnusableAddress { address: address.clone(), source })?;
    let refusal = Refusal::default();
    let connector = {
        let (way, address, refusal) = (way.clone(), address.clone(), refusal.clone());
        tower::service_fn(move |_uri| {
            let (way, address) = (way.clone(), address.clone());
            let (config, refusal) = (config.clone(), refusal.clone());
            async move { connect_by(&way, &address, config, timing, refusal).await.map(TokioIo::new) }
        })
    };
    Ok(Opened { channel: endpoint.connect_with_connector_lazy(connector), refusal })
}

/// Connects once to the server's own address: name, TCP without Nagle's delay, TLS, all within the time given.
pub async fn connect(
    address: &Address,
    config: Arc<ClientConfig>,
    timing: Timing,
    refusal: Refusal,
) -> io::Result<Watched> {
    connect_by(&Way::Direct, address, config, timing, refusal).await
}

/// The same by a way; the tunnel takes of the same time.
pub async fn connect_by(
    way: &Way,
    address: &Address,
    config: Arc<ClientConfig>,
    timing: Timing,
    refusal: Refusal,
) -> io::Result<Watched> {
    refusal.clear();
    let deadline = Instant::now() + timing.connect;
    let silent = || io::Error::new(io::ErrorKind::TimedOut, "the collector did not answer in time");
    let socket = match way {
        Way::Direct => timeout_at(deadline, tcp::connect(address.host(), address.port()))
            .await
            .unwrap_or_else(|_| Err(silent()))?,
        Way::Proxy(proxy) => timeout_at(deadline, proxy.tunnel(address))
            .await
            .unwrap_or_else(|_| Err(ProxyError::Silent { proxy: proxy.address.clone() }))
            .map_err(|error| refusal.note_proxy(error))?,
    };
    socket.set_nodelay(true)?;
    let connecting = TlsConnector::from(config).connect(address.server_name().clone(), socket);
    let stream = timeout_at(deadline, connecting)
        .await
        .unwrap_or_else(|_| Err(silent()))
        .inspect_err(|error| refusal.note(error))?;
    Ok(Watched { stream, refusal })
}

/// The TLS error within an error or its causes, whether rustls gave it bare or inside an [`io::Error`].
pub fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<rustls::Error>() {
            return Some(found);
        }
        // An io::Error's source() leaves out the very error that it wraps.
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

/// A TLS stream that notes in its [`Refusal`] why TLS ended it.
#[derive(Debug)]
pub struct Watched {
    stream: TlsStream<TcpStream>,
    refusal: Refusal,
}

impl Watched {
    fn note<T>(&self, result: io::Result<T>) -> io::Result<T> {
        result.inspect_err(|error| self.refusal.note(error))
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let result = ready!(Pin::new(&mut self.stream).poll_read(cx, buffer));
        Poll::Ready(self.note(result))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes));
        Poll::Ready(self.note(result))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, slices));
        Poll::Ready(self.note(result))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] io::Error);

    #[test]
    fn a_tls_error_is_found_however_deep() {
        let tls = rustls::Error::AlertReceived(rustls::AlertDescription::CertificateExpired);
        let bare: Box<dyn Error> = Box::new(tls.clone());
        let in_io = io::Error::new(io::ErrorKind::InvalidData, tls.clone());
        let deep = Outer(io::Error::other(Outer(io::Error::new(io::ErrorKind::InvalidData, tls.clone()))));
        let other = Outer(io::Error::other("plain"));
        assert_eq!(tls_error(&*bare), Some(&tls));
        assert_eq!(tls_error(&in_io), Some(&tls));
        assert_eq!(tls_error(&deep), Some(&tls));
        assert_eq!(tls_error(&other), None);
    }
}
