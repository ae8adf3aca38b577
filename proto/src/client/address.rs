//! Where a collector listens: `host:port`, as it stands in configuration and on command lines.

use std::{fmt, net::Ipv6Addr, str::FromStr};

use rustls::pki_types::ServerName;

/// A text that is not an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not an address (expected host:port, such as collector.example.org:7701 or [2001:db8::1]:7701)"
)]
pub struct InvalidAddress(String);

/// A text that no certificate can name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a server's name (expected a DNS name or an IP address)")]
pub struct InvalidServerName(String);

/// A host, which the server's certificate must name, and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    host: String,
    name: ServerName<'static>,
    port: u16,
}

impl Address {
    /// The host without brackets, as a resolver takes it.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The name that the server's certificate must carry.
    pub fn server_name(&self) -> &ServerName<'static> {
        &self.name
    }

    /// The same address, whose server must show a certificate for another name than the host's.
    pub fn expecting(mut self, name: &str) -> Result<Self, InvalidServerName> {
        self.name = ServerName::try_from(name.to_owned())
            .map_err(|_| InvalidServerName(name.chars().take(80).collect()))?;
        Ok(self)
    }

    /// The TCP port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let invalid = || InvalidAddress(text.chars().take(80).collect());
        let bare = text.strip_prefix("https://").unwrap_or(text);
        let (host, port) = bare.rsplit_once(':').ok_or_else(invalid)?;
        if !port.bytes().all(|b| b.is_ascii_digit()) {
            return Err(invalid());
        }
        let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(invalid)?;
        let host = match host.strip_prefix('[') {
            Some(rest) => rest
                .strip_suffix(']')
                .filter(|inner| inner.parse::<Ipv6Addr>().is_ok())
                .ok_or_else(invalid)?,
            None if host.contains(':') => return Err(invalid()),
            None => host,
        };
        let name = ServerName::try_from(host.to_owned()).map_err(|_| invalid())?;
        Ok(Self { host: host.to_owned(), name, port })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_go_both_ways() {
        for good in ["localhost:1", "collector.example.org:7701", "127.0.0.1:65535", "[2001:db8::1]:7701"] {
            assert_eq!(good.parse::<Address>().unwrap().to_string(), good);
            assert_eq!(format!("https://{good}").parse::<Address>().unwrap().to_string(), good);
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for bad in [
            "",
            "localhost",
            ":1",
            "localhost:",
            "localhost:0",
            "localhost:65536",
            "localhost:+1",
            "::1:7701",
            "[::1]",
            "[::1",
            "[localhost]:1",
            "a b:1",
            "a/b:1",
            "http://a:1",
            "user@a:1",
            "a:1/path",
        ] {
            assert!(bad.parse::<Address>().is_err(), "{bad:?} was accepted");
        }
    }
}
