//! What the running kernel says of its network links: burnt-in MAC addresses and addresses in use.
//!
//! Knows nothing of adapters as hardware. The kernel is asked over a netlink socket and not by sysfs, because only
//! there does it tell the permanent address of an adapter whose present one was set by software.

use std::{io, net::IpAddr};

use crate::host::{Link, netlink::dump};
use muster_common::inventory::MacAddress;
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    address::{AddressAttribute, AddressHeaderFlags, AddressMessage},
    link::{InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkMessage},
};

/// All links with their addresses.
pub(in crate::host) fn links() -> io::Result<Vec<Link>> {
    let mut links: Vec<(u32, Link)> = Vec::new();
    dump(None, RouteNetlinkMessage::GetLink(LinkMessage::default()), |answer| {
        if let RouteNetlinkMessage::NewLink(message) = answer {
            links.push((message.header.index, link(message)));
        }
    })?;
    dump(None, RouteNetlinkMessage::GetAddress(AddressMessage::default()), |answer| {
        if let RouteNetlinkMessage::NewAddress(message) = answer
            && !is_temporary(&message)
            && let Some((_, link)) = links.iter_mut().find(|(index, _)| *index == message.header.index)
        {
            let found = address(&message);
            link.networks.extend(found.map(|address| network(address, message.header.prefix_len)));
            link.addresses.extend(found);
        }
    })?;
    Ok(links.into_iter().map(|(_, link)| link).collect())
}

fn link(message: LinkMessage) -> Link {
    let mut link = Link { connected: message.header.flags.contains(LinkFlags::LowerUp), ..Link::default() };
    for attribute in message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name = name,
            LinkAttribute::Address(bytes) => link.mac = bytes.try_into().ok().map(MacAddress),
            LinkAttribute::Mtu(bytes) => link.mtu = Some(bytes),
            LinkAttribute::CarrierChanges(count) => link.carrier_changes = count,
            LinkAttribute::PermAddress(bytes) => link.permanent_mac = bytes.try_into().ok().map(MacAddress),
            LinkAttribute::LinkInfo(infos) => {
                link.is_pair = infos.iter().any(|info| matches!(info, LinkInfo::Kind(InfoKind::Veth)));
            }
            _ => {}
        }
    }
    link
}

/// Whether the address is one of IPv6's privacy addresses. The same bit says "secondary" in IPv4.
fn is_temporary(message: &AddressMessage) -> bool {
    message.header.family == AddressFamily::Inet6
        && message.header.flags.contains(AddressHeaderFlags::Secondary)
}

/// The address of this end: on a point-to-point link `Address` is the other end and `Local` is ours.
fn address(message: &AddressMessage) -> Option<IpAddr> {
    let mut found = None;
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(ip) => return Some(*ip),
            AddressAttribute::Address(ip) => found = Some(*ip),
            _ => {}
        }
    }
    found
}

/// The first address of the network that an address is in, and the length of its prefix.
fn network(address: IpAddr, prefix: u8) -> (IpAddr, u8) {
    let first = match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32u32.saturating_sub(u32::from(prefix))).unwrap_or(0);
            IpAddr::V4((u32::from(v4) & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128u32.saturating_sub(u32::from(prefix))).unwrap_or(0);
            IpAddr::V6((u128::from(v6) & mask).into())
        }
    };
    (first, prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_of_addresses() {
        for (address, prefix, expected) in [
            ("192.0.2.77", 24, "192.0.2.0"),
            ("10.1.2.3", 32, "10.1.2.3"),
            ("10.1.2.3", 0, "0.0.0.0"),
            ("10.1.2.3", 99, "10.1.2.3"),
            ("2001:db8:1:2:3::4", 64, "2001:db8:1:2::"),
            ("fe80::1", 128, "fe80::1"),
        ] {
            let found = network(address.parse().unwrap(), prefix);
            assert_eq!(found, (expected.parse().unwrap(), prefix), "{address}/{prefix}");
        }
    }

    #[test]
    fn loopback_has_its_address() {
        let links = links().unwrap();
        let loopback = links.iter().find(|link| link.name == "lo").unwrap();
        assert!(loopback.addresses.iter().any(|address| address.is_loopback()), "{loopback:?}");
    }
}
