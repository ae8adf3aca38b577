//! The names that client certificates carry: `spiffe://<trust-domain>/agent/<uuid>` and its three sisters.
//!
//! Parsed strictly, one spelling for one name: no percent-encoding, dots in the path, empty parts, capitals, ports,
//! queries or trailing slash. Where two spellings are let in, one day two parsers disagree and somebody is another.

use std::{fmt, str::FromStr};

use crate::id::AgentId;

/// The scheme and its slashes, in the one spelling that is accepted.
const SCHEME: &str = "spiffe://";

/// No name of a peer is longer, in bytes.
pub const MAX_URI_BYTES: usize = 512;

/// No trust domain is longer, in bytes.
pub const MAX_TRUST_DOMAIN_BYTES: usize = 253;

/// No operator's, service's or collector's short name is longer, in bytes.
pub const MAX_SHORT_NAME_BYTES: usize = 63;

/// A text that is not a trust domain, or not the name of a peer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// Not a DNS-like name in lower case.
    #[error(
        "{0:?} is not a trust domain (expected lower-case letters, digits, hyphens and dots, such as muster.example.org)"
    )]
    TrustDomain(String),
    /// Not the short name of an operator, service or collector.
    #[error(
        "{0:?} is not a name (expected 1 to 63 lower-case letters, digits, hyphens or underscores, the first a letter or digit)"
    )]
    ShortName(String),
    /// Not of the form `spiffe://<trust-domain>/<kind>/<name>`.
    #[error(
        "{0:?} is not the name of a peer (expected spiffe://<trust-domain>/<agent|operator|service|collector>/<name>)"
    )]
    Form(String),
    /// A well-formed name of somebody else's organisation.
    #[error("the name belongs to the trust domain {found}, expected {expected}")]
    OtherTrustDomain {
        /// The trust domain in the name.
        found: TrustDomain,
        /// Ours.
        expected: TrustDomain,
    },
}

/// The organisation that a collector's names belong to: DNS-like, chosen once at `init`; it need not resolve.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrustDomain(String);

impl TrustDomain {
    /// The text, for example `muster.example.org`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TrustDomain {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let label = |label: &str| {
            !label.is_empty()
                && label.len() <= 63
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        };
        if text.len() <= MAX_TRUST_DOMAIN_BYTES && text.split('.').all(label) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidName::TrustDomain(excerpt(text)))
        }
    }
}

impl fmt::Display for TrustDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TrustDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrustDomain({})", self.0)
    }
}

/// The last part of an operator's, a service's or a collector's name: `[a-z0-9][a-z0-9_-]{0,62}`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShortName(String);

impl ShortName {
    /// The text, for example `alice`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ShortName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let first = text.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let rest = text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'));
        if first && rest && text.len() <= MAX_SHORT_NAME_BYTES {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidName::ShortName(excerpt(text)))
        }
    }
}

impl fmt::Display for ShortName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ShortName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ShortName({})", self.0)
    }
}

/// Who a client certificate says its holder is, within our trust domain.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PeerName {
    /// An installed `muster-agent`.
    Agent(AgentId),
    /// A person.
    Operator(ShortName),
    /// A tool that asks or imports.
    Service(ShortName),
    /// Another collector of the same organisation.
    Collector(ShortName),
}

impl PeerName {
    /// Reads the URI of a certificate and checks that it is of our trust domain.
    pub fn from_uri(uri: &str, ours: &TrustDomain) -> Result<Self, InvalidName> {
        let form = || InvalidName::Form(excerpt(uri));
        if uri.len() > MAX_URI_BYTES {
            return Err(form());
        }
        let mut parts = uri.strip_prefix(SCHEME).ok_or_else(form)?.split('/');
        let (Some(domain), Some(kind), Some(name), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(form());
        };
        let found: TrustDomain = domain.parse()?;
        let short = || name.parse::<ShortName>();
        let peer = match kind {
            "agent" => Self::Agent(name.parse().map_err(|_| form())?),
            "operator" => Self::Operator(short()?),
            "service" => Self::Service(short()?),
            "collector" => Self::Collector(short()?),
            _ => return Err(form()),
        };
        if found == *ours {
            Ok(peer)
        } else {
            Err(InvalidName::OtherTrustDomain { found, expected: ours.clone() })
        }
    }

    /// The URI that a certificate carries for this peer.
    pub fn to_uri(&self, trust_domain: &TrustDomain) -> String {
        format!("{SCHEME}{trust_domain}/{self}")
    }
}

/// The path of the URI, which names the peer within the trust domain: `agent/<uuid>`, `operator/alice`.
impl fmt::Display for PeerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agent(id) => write!(f, "agent/{id}"),
            Self::Operator(name) => write!(f, "operator/{name}"),
            Self::Service(name) => write!(f, "service/{name}"),
            Self::Collector(name) => write!(f, "collector/{name}"),
        }
    }
}

/// As much of a hostile text as an error may repeat.
fn excerpt(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "6f1c0d52-8a6e-4b0e-9a44-0d6f9e5f2c11";

    fn ours() -> TrustDomain {
        "muster.example.org".parse().unwrap()
    }

    #[test]
    fn good_names_go_both_ways() {
        for path in
            [format!("agent/{ID}"), "operator/alice".into(), "service/siem_1".into(), "collector/c-2".into()]
        {
            let uri = format!("spiffe://muster.example.org/{path}");
            let name = PeerName::from_uri(&uri, &ours()).unwrap();
            assert_eq!(name.to_uri(&ours()), uri);
            assert_eq!(name.to_string(), path);
        }
    }

    #[test]
    fn every_other_spelling_is_refused() {
        let domain = "spiffe://muster.example.org";
        for bad in [
            String::new(),
            domain.into(),
            format!("{domain}/"),
            format!("{domain}/agent"),
            format!("{domain}/agent/"),
            format!("{domain}//agent/{ID}"),
            format!("{domain}/agent//{ID}"),
            format!("{domain}/agent/{ID}/"),
            format!("{domain}/agent/{ID}/x"),
            format!("{domain}/agent/{ID}?x=1"),
            format!("{domain}/agent/{ID}#x"),
            format!("{domain}/agent/{}", ID.to_uppercase()),
            format!("{domain}/agent/{}", ID.replace('-', "")),
            format!("{domain}/agent/{{{ID}}}"),
            format!("{domain}/Agent/{ID}"),
            format!("{domain}/admin/{ID}"),
            format!("{domain}/agent/../admin/x"),
            format!("{domain}/agent/.."),
            format!("{domain}/operator/."),
            format!("{domain}/operator/.."),
            format!("{domain}/operator/al%69ce"),
            format!("{domain}/operator/Alice"),
            format!("{domain}/operator/alice "),
            format!("{domain}/operator/alice\0"),
            format!("{domain}/operator/alicé"),
            format!("{domain}/operator/-x"),
            format!("{domain}/operator/{}", "a".repeat(64)),
            format!("spiffe://muster.example.org:443/agent/{ID}"),
            format!("spiffe://x@muster.example.org/agent/{ID}"),
            format!("spiffe://Muster.example.org/agent/{ID}"),
            format!("spiffe://muster.example.org./agent/{ID}"),
            format!("spiffe:///agent/{ID}"),
            format!("SPIFFE://muster.example.org/agent/{ID}"),
            format!("https://muster.example.org/agent/{ID}"),
            format!("spiffe://other.example.org/agent/{ID}"),
            format!("spiffe://muster.example.org.evil.test/agent/{ID}"),
            format!("{domain}/operator/{}", "a".repeat(1 << 20)),
        ] {
            let excerpt: String = bad.chars().take(90).collect();
            assert!(PeerName::from_uri(&bad, &ours()).is_err(), "{excerpt:?} was accepted");
        }
    }

    #[test]
    fn another_trust_domain_is_named_as_such() {
        let refused = PeerName::from_uri(&format!("spiffe://other.test/agent/{ID}"), &ours()).unwrap_err();
        assert!(matches!(refused, InvalidName::OtherTrustDomain { .. }), "{refused}");
    }

    #[test]
    fn trust_domains_are_dns_like() {
        for good in ["a", "localhost", "muster.example.org", "x-1.y"] {
            assert!(good.parse::<TrustDomain>().is_ok(), "{good} was refused");
        }
        let long = "a.".repeat(130) + "a";
        for bad in ["", ".", "a.", ".a", "a..b", "-a", "a-", "A", "a_b", "a/b", "a:1", "ä", &long] {
            assert!(bad.parse::<TrustDomain>().is_err(), "{bad} was accepted");
        }
    }
}
