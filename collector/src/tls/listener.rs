//! The accept loop: TCP in, verified TLS connections out, for tonic's `serve_with_incoming`.
//!
//! tonic's own loop leaves Nagle's delay on, waits for ever for a silent client, and can't change its certificate. Here
//! a handshake has a deadline, there is a limit of handshakes at once and of connections for each address, running out
//! of file descriptors is waited out, and each refusal is one log line and one count. Knows nothing of gRPC methods.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use muster_common::{time::Clock, trust::name::TrustDomain};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::tls::{
    admission::AddressLimit,
    connection::Connection,
    peer::{Caller, Peer, PeerRefused, Validity, read_name},
    refusal::{Counters, Reason},
    server::ServerTls,
};

/// How long a refused client may still send before its socket is closed, so that the alert reaches it.
const LINGER: Duration = Duration::from_secs(1);
/// How much of that is read.
const LINGER_BYTES: usize = 64 * 1024;
/// How long to wait when the system has no file descriptor or memory for one more socket.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(250);
/// Connections that wait for tonic to take them.
const READY_CONNECTIONS: usize = 32;

/// The doors of a collector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Sessions and renewals of agents.
    Agents,
    /// People, tools and sister collectors.
    Api,
    /// New agents, who have no certificate yet: the server alone is authenticated.
    Enroll,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Agents, Self::Api, Self::Enroll];

    /// The name in configuration, metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Agents => "agents",
            Self::Api => "api",
            Self::Enroll => "enroll",
        }
    }
}

/// The limits of one listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From accept to the end of the handshake.
    pub handshake_timeout: Duration,
    /// Handshakes at once; more wait in the system's queue.
    pub handshakes: usize,
    /// Connections at once from one IPv4 address or IPv6 /64.
    pub connections_per_address: u32,
}

impl Limits {
    /// The limits that suit a door: a whole site of agents may stand behind one translated address.
    pub fn of(role: Role) -> Self {
        let connections_per_address = match role {
            Role::Agents => 8192,
            Role::Api => 256,
            Role::Enroll => 128,
        };
        Self { handshake_timeout: Duration::from_secs(5), handshakes: 256, connections_per_address }
    }
}

/// A port that can't be listened on.
#[derive(Debug, thiserror::Error)]
#[error("{} can't listen on {address}; another program may have it, see ss -ltnp", role.as_str())]
pub struct ListenError {
    role: Role,
    address: SocketAddr,
    #[source]
    source: io::Error,
}

/// A bound port that nobody accepts from yet.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    door: Door,
}

/// What every handshake of a listener shares.
#[derive(Debug, Clone)]
struct Door {
    role: Role,
    config: Arc<ArcSwap<ServerConfig>>,
    trust_domain: TrustDomain,
    clock: Arc<dyn Clock>,
    limits: Limits,
    counters: Arc<Counters>,
    stop: CancellationToken,
}

/// Connections that finished their handshake, as tonic takes them.
pub type Connections = ReceiverStream<Result<Connection, Infallible>>;

impl Listener {
    /// Binds a port (0 draws a free one); `stop` ends the accept loop and the handshakes under way.
    pub async fn bind(
        role: Role,
        address: SocketAddr,
        tls: &ServerTls,
        limits: Limits,
        stop: CancellationToken,
    ) -> Result<Self, ListenError> {
        let refused = |source| ListenError { role, address, source };
        let socket = TcpListener::bind(address).await.map_err(refused)?;
        let bound = socket.local_addr().map_err(refused)?;
        let door = Door {
            role,
            config: tls.config(role),
            trust_domain: tls.authority().trust_domain().clone(),
            clock: tls.clock(),
            limits,
            counters: Arc::default(),
            stop,
        };
        Ok(Self { socket, address: bound, door })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it accepted and refused.
    pub fn counters(&self) -> Arc<Counters> {
        self.door.counters.clone()
    }

    /// Begins to accept; the stream ends after `stop`. Handshakes run as tasks of `tasks`.
    pub fn accept(self, tasks: &TaskTracker) -> Connections {
        let (sender, receiver) = mpsc::channel(READY_CONNECTIONS);
        tasks.spawn(accept_loop(self.socket, self.door, sender, tasks.clone()));
        ReceiverStream::new(receiver)
    }
}

async fn accept_loop(
    socket: TcpListener,
    door: Door,
    sender: mpsc::Sender<Result<Connection, Infallible>>,
    tasks: TaskTracker,
) {
    let handshakes = Arc::new(Semaphore::new(door.limits.handshakes));
    let addresses = AddressLimit::new(door.limits.connections_per_address);
    loop {
        // The permit comes first, so that past the limit connections wait in the system's queue and cost nothing here.
        let next = async {
            let permit = handshakes.clone().acquire_owned().await;
            (permit.expect("the semaphore is never closed"), accept_patiently(&socket, door.role).await)
        };
        let (permit, (stream, address)) = tokio::select! {
            biased;
            () = door.stop.cancelled() => return,
            next = next => next,
        };
        let Some(place) = addresses.take(address.ip()) else {
            door.refuse(address, Reason::TooManyFromAddress, &"it has its share of connections");
            continue;
        };
        let (door, sender) = (door.clone(), sender.clone());
        tasks.spawn(async move {
            let greeted = tokio::select! {
                biased;
                () = door.stop.cancelled() => return,
                greeted = door.greet(stream, address) => greeted,
            };
            match greeted {
                // If nobody takes connections any more, the server is going down, and dropping this one is right.
                Ok((stream, caller)) => {
                    let connection = Connection::new(stream, caller, place, door.clock.now());
                    drop(sender.send(Ok(connection)).await);
                }
                Err(Refused(socket)) => {
                    // Whoever is refused may dawdle, but not in the place of a handshake.
                    drop(permit);
                    if let Some(socket) = socket {
                        linger(socket).await;
                    }
                    drop(place);
                }
            }
        });
    }
}

/// Accepts one connection, waiting out what passes.
async fn accept_patiently(socket: &TcpListener, role: Role) -> (TcpStream, SocketAddr) {
    let mut told = false;
    loop {
        match socket.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if exhausted(&error) => {
                if !told {
                    tracing::error!(
                        listener = role.as_str(),
                        error = &error as &dyn std::error::Error,
                        "no file descriptor or memory for another connection; raise LimitNOFILE"
                    );
                    told = true;
                }
                tokio::time::sleep(EXHAUSTED_PAUSE).await;
            }
            // The client went away between its SYN and our accept; the next one is waiting.
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

fn exhausted(error: &io::Error) -> bool {
    use rustix::io::Errno;
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM))
}

/// A handshake that failed, logged and counted; with its socket if an alert may still be on the way.
struct Refused(Option<TcpStream>);

impl Door {
    /// The handshake, within its time.
    async fn greet(
        &self,
        stream: TcpStream,
        address: SocketAddr,
    ) -> Result<(TlsStream<TcpStream>, Caller), Refused> {
        // Without this every answer waits up to 40 ms for the peer's acknowledgement.
        if let Err(error) = stream.set_nodelay(true) {
            self.refuse(address, Reason::Closed, &error);
            return Err(Refused(None));
        }
        let accepting = TlsAcceptor::from(self.config.load_full()).accept(stream).into_fallible();
        let stream = match tokio::time::timeout(self.limits.handshake_timeout, accepting).await {
            Ok(Ok(stream)) => stream,
            Ok(Err((error, socket))) => {
                self.refuse(address, Reason::of(&error), &error);
                return Err(Refused(Some(socket)));
            }
            Err(_) => {
                self.refuse(address, Reason::Timeout, &"the handshake did not end in time");
                return Err(Refused(None));
            }
        };
        match self.identify(&stream, address) {
            Ok(peer) => {
                self.counters.count_accepted();
                let closer = CancellationToken::new();
                Ok((stream, Caller { role: self.role, address, peer: peer.map(Arc::new), closer }))
            }
            Err(error) => {
                self.refuse(address, Reason::Name, &error);
                Err(Refused(None))
            }
        }
    }

    /// The verified peer of a finished handshake; none where no certificate is asked for.
    fn identify(
        &self,
        stream: &TlsStream<TcpStream>,
        address: SocketAddr,
    ) -> Result<Option<Peer>, PeerRefused> {
        match self.role {
            Role::Enroll => return Ok(None),
            Role::Agents | Role::Api => {}
        }
        let certificates = stream.get_ref().1.peer_certificates();
        let certificate = certificates.and_then(<[_]>::first).ok_or(PeerRefused::Malformed)?;
        let name = read_name(certificate, &self.trust_domain)?;
        let validity = Validity::read(certificate).ok_or(PeerRefused::Malformed)?;
        Ok(Some(Peer {
            name,
            certificate_fingerprint: validity.fingerprint,
            serial: validity.serial,
            not_after: validity.not_after,
            address,
        }))
    }

    fn refuse(&self, address: SocketAddr, reason: Reason, detail: &dyn std::fmt::Display) {
        self.counters.count_refused(reason);
        tracing::info!(
            peer.address = %address,
            listener = self.role.as_str(),
            reason = reason.as_str(),
            %detail,
            "refused a connection before its first request"
        );
    }
}

/// Lets a refused client read its alert: closing a socket with unread bytes would reset it, and the alert with it.
async fn linger(mut socket: TcpStream) {
    let draining = async {
        socket.shutdown().await?;
        let mut buffer = [0; 4096];
        let mut left = LINGER_BYTES;
        while left > 0 {
            match socket.read(&mut buffer).await? {
                0 => break,
                read => left = left.saturating_sub(read),
            }
        }
        io::Result::Ok(())
    };
    // Whether the client took its time or went away, this connection is over.
    let _ = tokio::time::timeout(LINGER, draining).await;
}
