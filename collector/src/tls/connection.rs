//! A connection past its handshake: carries its caller, and ends when told or when the peer's certificate does.
//!
//! tonic offers no way to end one connection of many, and its age limits never end an open stream; so the end comes from
//! below, as an error of the socket. Knows nothing of why it is ended: the registry holds the other end of the caller's
//! `closer`.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use muster_common::time::Timestamp;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

use crate::tls::{admission::Place, peer::Caller};

/// A verified TLS connection, as tonic takes it.
pub struct Connection {
    stream: TlsStream<TcpStream>,
    caller: Caller,
    /// Ends with the connection's right to live; none once it has.
    end: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    _place: Place,
}

impl Connection {
    /// Ends at the peer certificate's last moment, which is judged now.
    pub(crate) fn new(stream: TlsStream<TcpStream>, caller: Caller, place: Place, now: Timestamp) -> Self {
        let remaining = caller.peer.as_ref().map(|peer| peer.not_after.since(now));
        let closer = caller.closer.clone();
        let end = Box::pin(async move {
            match remaining {
                Some(remaining) => {
                    tokio::select! {
                        () = closer.cancelled() => {}
                        () = tokio::time::sleep(remaining) => {}
                    }
                }
                None => closer.cancelled().await,
            }
        });
        Self { stream, caller, end: Some(end), _place: place }
    }

    /// Who is at the other end.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// An error once the connection's time is over.
    fn alive(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.end.as_mut().is_some_and(|end| end.as_mut().poll(cx).is_pending()) {
            return Ok(());
        }
        self.end = None;
        Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the collector ended this connection"))
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("caller", &self.caller).finish_non_exhaustive()
    }
}

impl Connected for Connection {
    type ConnectInfo = Caller;

    fn connect_info(&self) -> Caller {
        self.caller.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.alive(cx)?;
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.alive(cx)?;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.alive(cx)?;
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
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
