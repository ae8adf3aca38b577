//! Network adapters and their addresses.

use std::{fmt, net::IpAddr, str::FromStr};

/// A 48-bit MAC address, lower case with colons in text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddress(pub [u8; 6]);

/// A text that is not a MAC address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a MAC address (expected six hexadecimal octets, such as 00:1b:21:3a:4f:5e)")]
pub struct InvalidMacAddress(String);

impl MacAddress {
    /// Whether the address was given by software and not by a factory.
    pub fn is_locally_administered(self) -> bool {
        self.0[0] & 0x02 != 0
    }

    /// Whether the address names a group.
    pub fn is_multicast(self) -> bool {
        self.0[0] & 0x01 != 0
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl FromStr for MacAddress {
    type Err = InvalidMacAddress;

    /// Accepts `:`, `-` and `.` (Cisco) as separators, or none, in either case.
    fn from_str(text: &str) -> Result<Self, InvalidMacAddress> {
        let invalid = || InvalidMacAddress(text.chars().take(32).collect());
        let digits: Vec<u32> = text
            .chars()
            .filter(|c| !matches!(c, ':' | '-' | '.'))
            .map(|c| c.to_digit(16).ok_or_else(invalid))
            .collect::<Result<_, _>>()?;
        if digits.len() != 12 || text.len() > 17 {
            return Err(invalid());
        }
        let mut octets = [0u8; 6];
        for (octet, pair) in octets.iter_mut().zip(digits.chunks_exact(2)) {
            *octet = (pair[0] * 16 + pair[1]) as u8;
        }
        Ok(Self(octets))
    }
}

/// What an adapter is, as far as the operating system tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum AdapterKind {
    /// Nothing tells.
    #[default]
    Unknown,
    /// Built in or in a slot, on PCI, PCIe or a system-on-chip bus.
    BuiltIn,
    /// On USB or Thunderbolt: it may belong to a dock.
    External,
    /// Bluetooth.
    Bluetooth,
    /// Made by software: bridge, bond, tunnel, container.
    Virtual,
}

/// One network adapter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NetworkAdapter {
    /// Name in the operating system, such as `enp0s31f6`.
    pub name: String,
    /// The address burnt in by the maker.
    pub permanent_mac: Option<MacAddress>,
    /// The address in use.
    pub mac: Option<MacAddress>,
    /// What it is.
    pub kind: AdapterKind,
    /// Whether it is wireless.
    pub wireless: Option<bool>,
    /// Kernel driver.
    pub driver: Option<String>,
    /// Speed of the link in megabits a second.
    pub speed_mbps: Option<u32>,
    /// Addresses in use, at most 64, sorted.
    pub addresses: Vec<IpAddr>,
    /// The networks of these addresses as prefix and length, such as `192.0.2.0/24`, at most 64, sorted.
    pub networks: Vec<String>,
    /// Where default routes over it lead, at most 64, sorted.
    pub gateways: Vec<String>,
    /// Largest packet in bytes.
    pub mtu: Option<u32>,
    /// Whether a line or a radio network is connected.
    pub connected: Option<bool>,
    /// Bus address of its PCI function, such as `0000:00:1f.6`.
    pub bus_address: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_usual_spellings() {
        let expected = MacAddress([0x00, 0x1b, 0x21, 0x3a, 0x4f, 0x5e]);
        for text in ["00:1b:21:3a:4f:5e", "00-1B-21-3A-4F-5E", "001b.213a.4f5e", "001B213A4F5E"] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        for text in ["", "00:1b:21:3a:4f", "00:1b:21:3a:4f:5g", "00:1b:21:3a:4f:5e:00:00"] {
            assert!(text.parse::<MacAddress>().is_err(), "{text} was accepted");
        }
    }
}
