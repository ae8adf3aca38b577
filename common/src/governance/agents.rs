//! What the organisation asks of its agents: what they may tell of people, where, and how often they look.
//!
//! It is asked and never ordered: an agent honours it within bounds of its own, and its own ceiling for what is
//! personal stands above it. Knows nothing of how an agent is told.

use std::{fmt, net::IpAddr, str::FromStr, time::Duration};

use crate::inventory::MacAddress;

/// What an inventory may tell of people, one switch a kind. In a charter it is what is granted, in an agent's own
/// configuration the ceiling; only what both have is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Privacy {
    /// When applications last ran.
    pub usage: bool,
    /// Who last logged in, and when.
    pub logins: bool,
    /// What is installed for one user alone: extensions, packages in a home.
    pub per_user: bool,
    /// Other machines on the same network.
    pub neighbours: bool,
}

/// A network on which neighbours may be listed: the prefix alone would also fit a home that uses the same addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NeighbourNetwork {
    /// Its addresses.
    pub prefix: NetworkPrefix,
    /// The MAC address of its gateway.
    pub gateway: MacAddress,
}

/// An IPv4 or IPv6 network in CIDR form, without host bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetworkPrefix {
    address: IpAddr,
    length: u8,
}

/// What the organisation asks of its agents.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AgentSettings {
    /// Between two collections; `None` leaves it to the agent's own configuration.
    pub interval: Option<Duration>,
    /// By how much of the interval each wait may differ; `None` leaves it to the agent's own configuration.
    pub jitter_percent: Option<u8>,
    /// What is granted of what is personal.
    pub privacy: Privacy,
    /// Where neighbours may be listed, at most [`NEIGHBOUR_NETWORKS`].
    pub neighbour_networks: Vec<NeighbourNetwork>,
}

/// Networks in one charter; more are a mistake.
pub const NEIGHBOUR_NETWORKS: usize = 256;

/// A text that is not a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidNetwork {
    /// The form as a whole.
    #[error(
        "{0:?} is not a network (write its prefix and its gateway's MAC address, such as \"192.0.2.0/24 via 00:11:22:33:44:55\")"
    )]
    Form(String),
    /// The prefix.
    #[error("{0:?} is not a network prefix (write it as 192.0.2.0/24 or 2001:db8::/64)")]
    Prefix(String),
    /// The prefix names a host.
    #[error("{found} has host bits behind the prefix; the network is {network}")]
    HostBits {
        /// As it was written.
        found: String,
        /// As it should be.
        network: NetworkPrefix,
    },
    /// The MAC address can't be a gateway's.
    #[error("{0} can't be a gateway: it is a group's address or none")]
    Gateway(MacAddress),
}

impl Privacy {
    /// Nothing.
    pub const NONE: Self = Self { usage: false, logins: false, per_user: false, neighbours: false };

    /// What both allow.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let Self { usage, logins, per_user, neighbours } = self;
        Self {
            usage: usage && other.usage,
            logins: logins && other.logins,
            per_user: per_user && other.per_user,
            neighbours: neighbours && other.neighbours,
        }
    }

    /// Whether `other` allows all that this allows.
    pub fn is_within(self, other: Self) -> bool {
        self.and(other) == self
    }
}

impl NetworkPrefix {
    /// A network by its first address and the length of its prefix in bits; `None` when the length is too long for
    /// the address or bits are set behind it.
    pub fn new(address: IpAddr, length: u8) -> Option<Self> {
        (length <= bits_of(address) && masked(address, length) == address).then_some(Self { address, length })
    }

    /// The first address.
    pub fn address(self) -> IpAddr {
        self.address
    }

    /// The prefix's length in bits.
    pub fn length(self) -> u8 {
        self.length
    }

    /// Whether an address lies in it; one of the other family never does.
    pub fn contains(self, address: IpAddr) -> bool {
        address.is_ipv4() == self.address.is_ipv4() && masked(address, self.length) == self.address
    }
}

fn bits_of(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

fn masked(address: IpAddr, length: u8) -> IpAddr {
    let length = u32::from(length);
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(length)).unwrap_or(0);
            IpAddr::V4((address.to_bits() & mask).into())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(length)).unwrap_or(0);
            IpAddr::V6((address.to_bits() & mask).into())
        }
    }
}

impl FromStr for NetworkPrefix {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let invalid = || InvalidNetwork::Prefix(text.chars().take(80).collect());
        let (address, length) = text.split_once('/').ok_or_else(invalid)?;
        let address: IpAddr = address.parse().map_err(|_| invalid())?;
        if !length.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(invalid());
        }
        let length: u8 = length.parse().map_err(|_| invalid())?;
        if length > bits_of(address) {
            return Err(invalid());
        }
        let network = Self { address: masked(address, length), length };
        if network.address == address {
            Ok(network)
        } else {
            Err(InvalidNetwork::HostBits { found: text.to_owned(), network })
        }
    }
}

impl fmt::Display for NetworkPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

impl FromStr for NeighbourNetwork {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let invalid = || InvalidNetwork::Form(text.chars().take(120).collect());
        let (prefix, gateway) = text.split_once(" via ").ok_or_else(invalid)?;
        let prefix = prefix.trim().parse()?;
        let gateway: MacAddress = gateway.trim().parse().map_err(|_| invalid())?;
        if gateway.is_multicast() || gateway.0 == [0; 6] {
            return Err(InvalidNetwork::Gateway(gateway));
        }
        Ok(Self { prefix, gateway })
    }
}

impl fmt::Display for NeighbourNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} via {}", self.prefix, self.gateway)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_go_both_ways() {
        for good in [
            "192.0.2.0/24 via 00:11:22:33:44:55",
            "2001:db8::/64 via 02:11:22:33:44:55",
            "10.0.0.0/8 via 00:11:22:33:44:55",
            "0.0.0.0/0 via 00:11:22:33:44:55",
            "192.0.2.1/32 via 00:11:22:33:44:55",
            "::/0 via 00:11:22:33:44:55",
        ] {
            assert_eq!(good.parse::<NeighbourNetwork>().unwrap().to_string(), good);
        }
    }

    #[test]
    fn other_texts_are_refused_with_what_to_write() {
        for (bad, expected) in [
            ("", "is not a network (write its prefix"),
            ("192.0.2.0/24", "is not a network (write its prefix"),
            ("192.0.2.0/24 via router", "is not a network (write its prefix"),
            ("192.0.2.0 via 00:11:22:33:44:55", "is not a network prefix"),
            ("192.0.2.0/33 via 00:11:22:33:44:55", "is not a network prefix"),
            ("192.0.2.0/+24 via 00:11:22:33:44:55", "is not a network prefix"),
            ("2001:db8::/129 via 00:11:22:33:44:55", "is not a network prefix"),
            ("192.0.2.7/24 via 00:11:22:33:44:55", "the network is 192.0.2.0/24"),
            ("192.0.2.0/24 via ff:ff:ff:ff:ff:ff", "can't be a gateway"),
            ("192.0.2.0/24 via 00:00:00:00:00:00", "can't be a gateway"),
        ] {
            let error = bad.parse::<NeighbourNetwork>().unwrap_err().to_string();
            assert!(error.contains(expected), "{bad}: {error}");
        }
    }

    #[test]
    fn a_network_contains_its_own_addresses_alone() {
        let check = |network: &str, address: &str, expected: bool| {
            let prefix: NetworkPrefix = network.parse().unwrap();
            assert_eq!(prefix.contains(address.parse().unwrap()), expected, "{address} in {network}");
        };
        check("192.0.2.0/24", "192.0.2.255", true);
        check("192.0.2.0/24", "192.0.3.0", false);
        check("192.0.2.0/24", "::ffff:192.0.2.1", false);
        check("0.0.0.0/0", "203.0.113.9", true);
        check("2001:db8::/64", "2001:db8::1", true);
        check("2001:db8::/64", "2001:db8:0:1::1", false);
        check("2001:db8::/64", "192.0.2.1", false);
    }

    #[test]
    fn only_what_both_allow_is_allowed() {
        let all = Privacy { usage: true, logins: true, per_user: true, neighbours: true };
        let usage = Privacy { usage: true, ..Privacy::NONE };
        assert_eq!(all.and(usage), usage);
        assert_eq!(usage.and(Privacy::NONE), Privacy::NONE);
        assert!(usage.is_within(all) && !all.is_within(usage) && Privacy::NONE.is_within(Privacy::NONE));
    }
}
