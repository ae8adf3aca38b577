//! Attacks on the doors of a collector, over real TCP with real TLS clients, beside the good client who must get in.

mod connection;
mod files;
mod handshake;

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use muster_collector::tls::{
    authority::{self, Authority},
    listener::{Limits, Listener, Role},
    profile::Purpose,
    refusal::{Counters, Reason},
    server::ServerTls,
};
use muster_common::{
    id::AgentId,
    time::{ManualClock, Timestamp},
    trust::name::{PeerName, TrustDomain},
};
use muster_proto::client::{
    channel::tls_error,
    tls::{ClientIdentity, configure, root_verifier},
};
use rcgen::{CertificateParams, Issuer, KeyPair};
use rustls::{
    ClientConfig,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName},
};
use time::OffsetDateTime;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;
use tokio_stream::StreamExt;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Quick enough for a test, long enough for a handshake on a busy machine.
const HANDSHAKE: Duration = Duration::from_secs(2);

/// An authority in a folder, with a clock that stands still.
struct Bed {
    _folder: tempfile::TempDir,
    path: PathBuf,
    authority: Arc<Authority>,
    tls: ServerTls,
    clock: Arc<ManualClock>,
}

/// A listener that greets whoever gets in with the name that it knows the peer by.
struct Greeter {
    address: SocketAddr,
    counters: Arc<Counters>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// A certificate chain and its key.
type Shown = (Vec<CertificateDer<'static>>, KeyPair);

fn trust_domain() -> TrustDomain {
    "muster.example.org".parse().unwrap()
}

fn localhost() -> ServerName<'static> {
    "localhost".try_into().unwrap()
}

fn limits() -> Limits {
    Limits { handshake_timeout: HANDSHAKE, handshakes: 16, connections_per_address: 64 }
}

impl Bed {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("authority");
        let authority = Arc::new(authority::init(&path, &trust_domain(), &[localhost()], NOW).unwrap());
        let clock = Arc::new(ManualClock::at(NOW));
        let tls = ServerTls::new(authority.clone(), clock.clone()).unwrap();
        Self { _folder: folder, path, authority, tls, clock }
    }

    async fn greeter(&self, role: Role, limits: Limits) -> Greeter {
        let stop = CancellationToken::new();
        let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = Listener::bind(role, any_port, &self.tls, limits, stop.clone()).await.unwrap();
        let (address, counters, tasks) = (listener.address(), listener.counters(), TaskTracker::new());
        let mut connections = listener.accept(&tasks);
        tasks.spawn(async move {
            while let Some(Ok(mut connection)) = connections.next().await {
                let greeting = match &connection.caller().peer {
                    Some(peer) => peer.name.to_string(),
                    None => "stranger".into(),
                };
                if connection.write_all(greeting.as_bytes()).await.is_ok() {
                    let _ = connection.shutdown().await;
                }
            }
        });
        Greeter { address, counters, stop, tasks }
    }

    /// One of our own authorities, so that a test can sign what the collector never would.
    fn stolen(&self, purpose: Purpose) -> Issuer<'static, KeyPair> {
        let read = |name: String| std::fs::read_to_string(self.path.join(name)).unwrap();
        let key = KeyPair::from_pem(&read(format!("{}-key.pem", purpose.as_str()))).unwrap();
        Issuer::from_ca_cert_pem(&read(format!("{}.pem", purpose.as_str())), key).unwrap()
    }

    fn trusting_nobody_else(&self, shown: Option<Shown>) -> ClientConfig {
        let identity = shown.map(|(chain, key)| ClientIdentity { chain, key: private(&key) });
        let verifier = root_verifier(&[self.authority.root().clone()]).unwrap();
        configure(verifier, identity, self.clock.clone()).unwrap()
    }
}

impl Greeter {
    /// Connects and reads the greeting; the TLS error or how the connection ended instead.
    async fn greeting(&self, config: ClientConfig) -> Result<String, String> {
        let socket = TcpStream::connect(self.address).await.unwrap();
        let described = |error: std::io::Error| match tls_error(&error) {
            Some(error) => format!("{error:?}"),
            None => format!("{:?}", error.kind()),
        };
        let connector = TlsConnector::from(Arc::new(config));
        let mut stream = connector.connect(localhost(), socket).await.map_err(described)?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await.map_err(described)?;
        if text.is_empty() { Err("nothing".into()) } else { Ok(text) }
    }

    /// Sends bytes as they are and waits until the server hangs up; gives what it answered.
    async fn raw(&self, bytes: &[u8]) -> Vec<u8> {
        let mut socket = TcpStream::connect(self.address).await.unwrap();
        socket.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        // A reset is a way of hanging up, too.
        let _ = socket.read_to_end(&mut answer).await;
        answer
    }

    /// Waits until a reason was counted, which may be a moment after the client has noticed.
    async fn counted(&self, reason: Reason, times: u64) {
        let counting = async {
            while self.counters.refused(reason) < times {
                tokio::task::yield_now().await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(10), counting).await;
        let counts: Vec<_> =
            Reason::ALL.iter().map(|each| (each.as_str(), self.counters.refused(*each))).collect();
        assert!(waited.is_ok(), "{reason:?} was not counted {times} times: {counts:?}");
    }
}

/// A client certificate as the collector makes it, to be spoilt by a test.
fn good(uri: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.subject_alt_names = vec![rcgen::SanType::URI(uri.try_into().unwrap())];
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    params.is_ca = rcgen::IsCa::ExplicitNoCa;
    params.not_before = date(NOW.before(DAY));
    params.not_after = date(NOW.after(DAY));
    params
}

fn sign(params: &CertificateParams, issuer: &Issuer<'_, KeyPair>) -> Shown {
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, issuer).unwrap();
    (vec![certificate.der().clone()], key)
}

fn agent_uri() -> String {
    PeerName::Agent(AgentId::random()).to_uri(&trust_domain())
}

fn operator_uri() -> String {
    PeerName::Operator("alice".parse().unwrap()).to_uri(&trust_domain())
}

fn date(time: Timestamp) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(time.as_millis() / 1000).unwrap()
}

fn private(key: &KeyPair) -> PrivateKeyDer<'static> {
    PrivatePkcs8KeyDer::from(key.serialize_der()).into()
}
