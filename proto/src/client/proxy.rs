//! A tunnel through an HTTP proxy: CONNECT (RFC 9110, 9.3.6) with Basic authentication (RFC 7617) where it is asked for.
//!
//! Everything that a proxy answers is bounded and nothing of it is repeated but its status. The password stands in a
//! file that its owner alone may read; it is read at each connect, so that a new one needs no restart, and it never
//! comes into an error, a log or an argument. Knows nothing of TLS, which is spoken through the tunnel end to end.

use std::{io, path::PathBuf, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use zeroize::Zeroizing;

use super::{address::Address, tcp};
use crate::private_file;

/// A proxy's answer to CONNECT.
const MOST_ANSWER_BYTES: usize = 8 * 1024;
const MOST_HEADERS: usize = 64;
/// A user name and password.
const MOST_CREDENTIAL_BYTES: usize = 1024;

/// A proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Where it listens.
    pub address: Address,
    /// File of mode 0600 with `user:password` in one line; none for a proxy that asks for neither.
    pub credentials_file: Option<PathBuf>,
}

/// How to reach a server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Way {
    /// At its own address.
    #[default]
    Direct,
    /// Through a tunnel.
    Proxy(Arc<Proxy>),
}

/// Why a proxy made no tunnel.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ProxyError {
    /// Nobody is there.
    #[error("the proxy {proxy} can't be reached")]
    Unreachable {
        /// Where it should be.
        proxy: Address,
        /// The system's answer.
        #[source]
        source: Arc<io::Error>,
    },
    /// It took the connection and said nothing in time.
    #[error("the proxy {proxy} does not answer")]
    Silent {
        /// Where it is.
        proxy: Address,
    },
    /// It wants to know who we are, and nobody told us.
    #[error(
        "the proxy {proxy} asks for a user name and password: put user:password into a file of mode 0600 and its path into proxy.credentials_file"
    )]
    CredentialsWanted {
        /// Where it is.
        proxy: Address,
    },
    /// It does not know us.
    #[error("the proxy {proxy} does not accept the user name and password of {file}")]
    CredentialsRefused {
        /// Where it is.
        proxy: Address,
        /// The file.
        file: PathBuf,
    },
    /// The file can't be used.
    #[error("the user name and password for the proxy can't be used")]
    CredentialsFile(#[source] Arc<CredentialsError>),
    /// It does not let us through.
    #[error(
        "the proxy {proxy} makes no tunnel to {target}, it answers {status}: allow CONNECT to {target} there"
    )]
    Refused {
        /// Where it is.
        proxy: Address,
        /// Where we want to go.
        target: Box<Address>,
        /// Its status code.
        status: u16,
    },
    /// What it says is no answer to CONNECT.
    #[error("what answers at {proxy} is no HTTP proxy; check proxy.url")]
    NoProxy {
        /// Where it is.
        proxy: Address,
    },
}

/// Why a file of credentials can't be used.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// It is missing, unsafe or unreadable.
    #[error(transparent)]
    File(#[from] private_file::PrivateFileError),
    /// It holds something else.
    #[error("{path} does not hold user:password in one line of at most {MOST_CREDENTIAL_BYTES} bytes")]
    Form {
        /// The file.
        path: PathBuf,
    },
}

impl ProxyError {
    /// Whether somebody has to do something; asking again and again with a wrong password would lock an account.
    pub fn needs_somebody(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Silent { .. } => false,
            Self::CredentialsWanted { .. }
            | Self::CredentialsRefused { .. }
            | Self::CredentialsFile(_)
            | Self::Refused { .. }
            | Self::NoProxy { .. } => true,
        }
    }
}

impl Proxy {
    /// Opens a tunnel; the caller has a time limit.
    pub async fn tunnel(&self, target: &Address) -> Result<TcpStream, ProxyError> {
        let unreachable =
            |source| ProxyError::Unreachable { proxy: self.address.clone(), source: Arc::new(source) };
        let request = self.request(target).await?;
        let mut socket = tcp::connect(self.address.host(), self.address.port()).await.map_err(unreachable)?;
        socket.set_nodelay(true).map_err(unreachable)?;
        socket.write_all(&request).await.map_err(unreachable)?;
        let status = self.answer(&mut socket).await?;
        match status {
            200..300 => Ok(socket),
            407 => Err(match self.credentials_file.clone() {
                None => ProxyError::CredentialsWanted { proxy: self.address.clone() },
                Some(file) => ProxyError::CredentialsRefused { proxy: self.address.clone(), file },
            }),
            status => Err(ProxyError::Refused {
                proxy: self.address.clone(),
                target: Box::new(target.clone()),
                status,
            }),
        }
    }

    async fn request(&self, target: &Address) -> Result<Zeroizing<Vec<u8>>, ProxyError> {
        // An address holds no line end and no space, so nothing can be slipped in.
        let head = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
        let mut request = Zeroizing::new(head.into_bytes());
        if let Some(path) = self.credentials_file.clone() {
            let reading = tokio::task::spawn_blocking(move || credentials(path));
            let read = reading.await.map_err(|error| ProxyError::Unreachable {
                proxy: self.address.clone(),
                source: Arc::new(io::Error::other(error)),
            })?;
            let credentials = read.map_err(|error| ProxyError::CredentialsFile(Arc::new(error)))?;
            let encoded = Zeroizing::new(STANDARD.encode(credentials.as_slice()));
            request.extend_from_slice(b"Proxy-Authorization: Basic ");
            request.extend_from_slice(encoded.as_bytes());
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"\r\n");
        Ok(request)
    }

    /// Reads the proxy's answer up to its empty line; returns its status.
    async fn answer(&self, socket: &mut TcpStream) -> Result<u16, ProxyError> {
        let no_proxy = || ProxyError::NoProxy { proxy: self.address.clone() };
        let mut bytes = Vec::with_capacity(512);
        loop {
            let mut piece = [0; 512];
            let read = socket.read(&mut piece).await.map_err(|source| ProxyError::Unreachable {
                proxy: self.address.clone(),
                source: Arc::new(source),
            })?;
            bytes.extend_from_slice(&piece[..read]);
            match parse(&bytes) {
                // A server of TLS waits for the client: what stands behind the answer is not its own.
                Ok(Some((200..300, rest))) if rest > 0 => return Err(no_proxy()),
                Ok(Some((status, _))) => return Ok(status),
                Ok(None) if read == 0 || bytes.len() > MOST_ANSWER_BYTES => return Err(no_proxy()),
                Ok(None) => {}
                Err(_) => return Err(no_proxy()),
            }
        }
    }
}

/// The status of a whole answer and how many bytes stand behind it; `None` while it isn't whole.
fn parse(bytes: &[u8]) -> Result<Option<(u16, usize)>, httparse::Error> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut answer = httparse::Response::new(&mut headers);
    Ok(match answer.parse(bytes)? {
        httparse::Status::Complete(length) => Some((answer.code.unwrap_or(0), bytes.len() - length)),
        httparse::Status::Partial => None,
    })
}

fn credentials(path: PathBuf) -> Result<Zeroizing<Vec<u8>>, CredentialsError> {
    let mut bytes = private_file::read(&path)?;
    let end = bytes.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n')).map_or(0, |last| last + 1);
    bytes.truncate(end);
    let is_good = bytes.len() <= MOST_CREDENTIAL_BYTES
        && bytes.contains(&b':')
        && !bytes.iter().any(u8::is_ascii_control);
    if is_good { Ok(bytes) } else { Err(CredentialsError::Form { path }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_whole_or_not_yet_or_none() {
        let check = |text: &str, expected: Option<(u16, usize)>| {
            assert_eq!(parse(text.as_bytes()).unwrap(), expected, "{text:?}");
        };
        check("", None);
        check("HTTP/1.1 200 Connection established\r\n", None);
        check("HTTP/1.1 200 Connection established\r\n\r\n", Some((200, 0)));
        check("HTTP/1.0 200 OK\r\nVia: x\r\n\r\n", Some((200, 0)));
        check("HTTP/1.1 407 \r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n<html>", Some((407, 6)));
        for bad in ["SSH-2.0-OpenSSH\r\n", "HTTP/1.1 2000 OK\r\n\r\n", "\u{16}\u{3}\u{1}"] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn credentials_are_one_line_of_a_private_file() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("proxy");
        let check = |text: &str, expected: Option<&str>| {
            private_file::write(&path, text.as_bytes()).unwrap();
            let read = credentials(path.clone());
            assert_eq!(
                read.as_ref().ok().map(|bytes| bytes.as_slice()),
                expected.map(str::as_bytes),
                "{text:?}"
            );
        };
        check("jo:pass:word\n", Some("jo:pass:word"));
        check("jo:pass word \r\n", Some("jo:pass word "));
        check(":\n", Some(":"));
        check("jo\n", None);
        check("", None);
        check("jo:x\nHost: elsewhere\n", None);
        check(&format!("jo:{}", "x".repeat(2000)), None);
        private_file::write(&path, b"jo:secret").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let error = credentials(path.clone()).unwrap_err().to_string();
        assert!(error.contains("chmod 0600") && !error.contains("secret"), "{error}");
    }
}
