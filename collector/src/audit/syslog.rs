//! One line to a syslog server, as RFC 5424 says: over a local socket, UDP (RFC 5426) or TLS (RFC 5425).
//!
//! Knows nothing of heads. Own code, since it is one line in three ways and every crate for it brings a logger along. A
//! datagram may be lost and nobody is told; who needs to know that it arrived takes TLS, or a file on another machine.

use std::{
    fmt,
    io::{self, Read, Write},
    net::{Shutdown, TcpStream, ToSocketAddrs, UdpSocket},
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use muster_common::time::Timestamp;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};

/// Facility 13 (log audit), severity 5 (notice).
const PRIORITY: u8 = 13 * 8 + 5;
/// How long a server may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a TLS server may take to close what we have closed.
const CLOSED_WITHIN: Duration = Duration::from_secs(2);

/// Where lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A datagram socket of this machine, such as `/dev/log`.
    Socket(PathBuf),
    /// Host and port.
    Udp(String),
    /// Host and port.
    Tls(String),
}

/// A text that names no syslog server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no syslog server (write /dev/log, udp://HOST:514 or tls://HOST:6514)")]
pub struct InvalidTarget(String);

impl FromStr for Target {
    type Err = InvalidTarget;

    fn from_str(text: &str) -> Result<Self, InvalidTarget> {
        let has_port = |rest: &str| {
            rest.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
        };
        match text.split_once("://") {
            None if text.starts_with('/') => Ok(Self::Socket(PathBuf::from(text))),
            Some(("udp", rest)) if has_port(rest) => Ok(Self::Udp(rest.to_owned())),
            Some(("tls", rest)) if has_port(rest) => Ok(Self::Tls(rest.to_owned())),
            None | Some(_) => Err(InvalidTarget(text.to_owned())),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => path.display().fmt(f),
            Self::Udp(address) => write!(f, "udp://{address}"),
            Self::Tls(address) => write!(f, "tls://{address}"),
        }
    }
}

/// The message that carries a line.
fn message(line: &str, host: &str, now: Timestamp) -> String {
    let process = std::process::id();
    format!("<{PRIORITY}>1 {now} {host} muster-collector {process} audit-head - {line}")
}

/// This machine's name as RFC 5424 allows it.
fn host() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let name: String = name.chars().filter(char::is_ascii_graphic).take(255).collect();
    if name.is_empty() { "-".to_owned() } else { name }
}

/// Sends a line; `roots` is a file of certificates that a TLS server's may be signed with. Blocks, at most some seconds.
///
/// # Errors
/// When it certainly did not arrive.
pub fn send(target: &Target, roots: Option<&Path>, line: &str, now: Timestamp) -> io::Result<()> {
    let message = message(line, &host(), now);
    match target {
        Target::Socket(path) => {
            let socket = UnixDatagram::unbound()?;
            socket.set_write_timeout(Some(PATIENCE))?;
            socket.send_to(message.as_bytes(), path).map(drop)
        }
        Target::Udp(address) => {
            let address = resolve(address)?;
            let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
            let socket = UdpSocket::bind(any)?;
            socket.connect(address)?;
            socket.send(message.as_bytes()).map(drop)
        }
        Target::Tls(address) => send_over_tls(address, roots, &message),
    }
}

fn send_over_tls(address: &str, roots: Option<&Path>, message: &str) -> io::Result<()> {
    let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidInput, what.to_owned());
    let path = roots.ok_or_else(|| wrong("a TLS server needs audit.syslog_roots"))?;
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(io::Error::other)? {
        store.add(certificate.map_err(io::Error::other)?).map_err(io::Error::other)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(store)
        .with_no_client_auth();
    let (host, _) = address.rsplit_once(':').ok_or_else(|| wrong("no port"))?;
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).map_err(io::Error::other)?;
    let socket = connect(address)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    let connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(connection, socket);
    write!(stream, "{} {message}", message.len())?;
    stream.flush()?;
    stream.conn.send_close_notify();
    stream.flush()?;
    // Closing with something unread resets the connection, which may take the line away from the server again: it is
    // given the time to read, and to close.
    stream.sock.shutdown(Shutdown::Write)?;
    stream.sock.set_read_timeout(Some(CLOSED_WITHIN))?;
    let mut rest = [0; 4096];
    while matches!(stream.sock.read(&mut rest), Ok(read) if read > 0) {}
    Ok(())
}

/// To the first of the host's addresses that answers.
fn connect(address: &str) -> io::Result<TcpStream> {
    let mut outcome = Err(io::Error::new(io::ErrorKind::NotFound, format!("{address} has no address")));
    for address in address.to_socket_addrs()? {
        outcome = TcpStream::connect_timeout(&address, PATIENCE);
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

fn resolve(address: &str) -> io::Result<std::net::SocketAddr> {
    let none = || io::Error::new(io::ErrorKind::NotFound, format!("{address} has no address"));
    address.to_socket_addrs()?.next().ok_or_else(none)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-24T19:00:00.5Z".parse().unwrap()
    }

    #[test]
    fn targets_are_read_and_others_refused() {
        for text in ["/dev/log", "udp://syslog.example.org:514", "tls://[::1]:6514"] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), text);
        }
        for wrong in ["", "dev/log", "udp://host", "udp://:514", "tcp://host:514", "tls://host:x"] {
            assert!(wrong.parse::<Target>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_message_is_as_rfc_5424_says() {
        let message = message("muster-audit-head 1", "host", now());
        let expected = format!(
            "<109>1 2026-11-24T19:00:00.5Z host muster-collector {} audit-head - muster-audit-head 1",
            std::process::id()
        );
        assert_eq!(message, expected);
    }

    #[test]
    fn lines_arrive_over_a_socket_and_over_udp() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let local = UnixDatagram::bind(&path).unwrap();
        let network = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = network.local_addr().unwrap();
        send(&Target::Socket(path.clone()), None, "one", now()).unwrap();
        send(&Target::Udp(address.to_string()), None, "two", now()).unwrap();
        let mut buffer = [0; 1024];
        let count = local.recv(&mut buffer).unwrap();
        assert!(buffer[..count].ends_with(b" audit-head - one"));
        let count = network.recv(&mut buffer).unwrap();
        assert!(buffer[..count].ends_with(b" audit-head - two"));
        drop(local);
        assert!(send(&Target::Socket(path), None, "three", now()).is_err(), "nobody listens");
        assert!(send(&Target::Tls("127.0.0.1:1".into()), None, "four", now()).is_err(), "no roots");
    }

    #[test]
    fn a_line_arrives_over_tls_from_a_server_that_the_roots_vouch_for_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let roots = folder.path().join("roots.pem");
        std::fs::write(&roots, made.cert.pem()).unwrap();
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let config =
            rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![made.cert.der().clone()], key.into())
                .unwrap();
        let config = Arc::new(config);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let target = Target::Tls(format!("localhost:{}", listener.local_addr().unwrap().port()));
        let server = std::thread::spawn(move || {
            let mut heard = Vec::new();
            for _ in 0..2 {
                let (socket, _) = listener.accept().unwrap();
                let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut text = String::new();
                let read = StreamOwned::new(connection, socket).read_to_string(&mut text);
                heard.push(read.map(|_| text).ok());
            }
            heard
        });
        send(&target, Some(&roots), "one", now()).unwrap();
        std::fs::write(&roots, other.cert.pem()).unwrap();
        assert!(send(&target, Some(&roots), "two", now()).is_err(), "anybody may be the server");
        let heard = server.join().unwrap();
        let (length, message) = heard[0].as_ref().unwrap().split_once(' ').unwrap();
        assert_eq!(length, message.len().to_string());
        assert!(message.starts_with("<109>1 ") && message.ends_with(" audit-head - one"), "{message}");
        assert_eq!(heard[1], None);
    }
}
