//! What the running kernel says of its network links: burnt-in MAC addresses and addresses in use.
//!
//! Knows nothing of adapters as hardware. The kernel is asked over a netlink socket and not by sysfs, because only
//! there does it tell the permanent address of an adapter whose present one was set by software.

use std::{io, net::IpAddr};

use muster_common::inventory::MacAddress;

use super::{
    dump,
    message::{Message, address, attributes, u32_at},
};
use crate::host::Link;

const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;
/// Sizes of `struct ifinfomsg` and `struct ifaddrmsg`.
const LINK_BYTES: usize = 16;
const ADDRESS_BYTES: usize = 8;
/// The line has something at its other end: IFF_LOWER_UP of linux/if.h.
const LOWER_UP: u32 = 1 << 16;
/// Attributes of links, in linux/if_link.h.
const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_LINKINFO: u16 = 18;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_CARRIER_CHANGES: u16 = 35;
const IFLA_PERM_ADDRESS: u16 = 54;
/// Attributes of addresses, in linux/if_addr.h.
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
/// IFA_F_TEMPORARY, which is "secondary" in IPv4.
const TEMPORARY: u8 = 1;
const AF_INET6: u8 = 10;

/// All links with their addresses.
pub(in crate::host) fn links() -> io::Result<Vec<Link>> {
    let mut links: Vec<(u32, Link)> = Vec::new();
    let question = Message { kind: RTM_GETLINK, body: vec![0; LINK_BYTES] };
    dump(None, question, RTM_NEWLINK, &mut |answer| links.extend(link(answer)))?;
    let question = Message { kind: RTM_GETADDR, body: vec![0; ADDRESS_BYTES] };
    dump(None, question, RTM_NEWADDR, &mut |answer| {
        if let Some(Addressed { index, address, prefix }) = addressed(answer)
            && let Some((_, link)) = links.iter_mut().find(|(known, _)| *known == index)
        {
            link.networks.push(network(address, prefix));
            link.addresses.push(address);
        }
    })?;
    Ok(links.into_iter().map(|(_, link)| link).collect())
}

/// A link with its number, from RTM_NEWLINK.
fn link(message: &[u8]) -> Option<(u32, Link)> {
    let (fixed, rest) = message.split_at_checked(LINK_BYTES)?;
    let mut link = Link { connected: u32_at(fixed, 8)? & LOWER_UP != 0, ..Link::default() };
    for (kind, value) in attributes(rest) {
        match kind {
            IFLA_IFNAME => link.name = text(value),
            IFLA_ADDRESS => link.mac = value.try_into().ok().map(MacAddress),
            IFLA_MTU => link.mtu = u32_at(value, 0),
            IFLA_CARRIER_CHANGES => link.carrier_changes = u32_at(value, 0).unwrap_or_default(),
            IFLA_PERM_ADDRESS => link.permanent_mac = value.try_into().ok().map(MacAddress),
            IFLA_LINKINFO => {
                link.is_pair =
                    attributes(value).any(|info| info.0 == IFLA_INFO_KIND && text(info.1) == "veth");
            }
            _ => {}
        }
    }
    Some((u32_at(fixed, 4)?, link))
}

/// Text up to its end mark.
fn text(value: &[u8]) -> String {
    let text = value.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

/// An address of this machine, with its link and the length of its prefix.
#[derive(Debug, PartialEq, Eq)]
struct Addressed {
    index: u32,
    address: IpAddr,
    prefix: u8,
}

/// An address from RTM_NEWADDR; none when it is one of IPv6's privacy addresses.
fn addressed(message: &[u8]) -> Option<Addressed> {
    let (fixed, rest) = message.split_at_checked(ADDRESS_BYTES)?;
    let [family, prefix, flags, ..] = *fixed else { return None };
    if family == AF_INET6 && flags & TEMPORARY != 0 {
        return None;
    }
    // On a point-to-point link one is the other end, and this one is ours.
    let of_kind = |wanted| attributes(rest).find(|(kind, _)| *kind == wanted);
    let (_, value) = of_kind(IFA_LOCAL).or_else(|| of_kind(IFA_ADDRESS))?;
    Some(Addressed { index: u32_at(fixed, 4)?, address: address(value)?, prefix })
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
    use super::{super::message::attribute, *};

    #[test]
    fn a_link_as_the_kernel_writes_it() {
        let fixed = |flags: u32| {
            let numbers = [0u32, 7, flags, 0].map(u32::to_ne_bytes);
            numbers.concat()
        };
        let message = [
            fixed(LOWER_UP | 1),
            attribute(IFLA_IFNAME, b"eth0\0"),
            attribute(IFLA_MTU, &1500u32.to_ne_bytes()),
            attribute(IFLA_ADDRESS, &[2, 0, 0, 0, 0, 1]),
            attribute(IFLA_CARRIER_CHANGES, &3u32.to_ne_bytes()),
            attribute(IFLA_PERM_ADDRESS, &[2, 0, 0, 0, 0, 9]),
            attribute(IFLA_LINKINFO, &attribute(IFLA_INFO_KIND, b"veth\0")),
        ]
        .concat();
        let (index, found) = link(&message).unwrap();
        assert_eq!(
            (index, found.name.as_str(), found.mtu, found.carrier_changes),
            (7, "eth0", Some(1500), 3)
        );
        assert_eq!(found.mac, Some(MacAddress([2, 0, 0, 0, 0, 1])));
        assert_eq!(found.permanent_mac, Some(MacAddress([2, 0, 0, 0, 0, 9])));
        assert!(found.is_pair && found.connected);
        let bare = link(&fixed(1)).unwrap().1;
        assert!(!bare.is_pair && !bare.connected && bare.mac.is_none());
        for length in 0..message.len() {
            assert_eq!(link(&message[..length]).is_some(), length >= LINK_BYTES);
        }
    }

    #[test]
    fn an_address_is_this_end_and_no_temporary_one() {
        let v6: std::net::Ipv6Addr = "2001:db8::1".parse().unwrap();
        let here = attribute(IFA_LOCAL, &[192, 0, 2, 1]);
        let there = attribute(IFA_ADDRESS, &[192, 0, 2, 2]);
        let six = attribute(IFA_ADDRESS, &v6.octets());
        for (family, flags, values, expected) in [
            (2, 0, [&there[..], &here].concat(), Some("192.0.2.1")),
            (2, TEMPORARY, there.clone(), Some("192.0.2.2")),
            (AF_INET6, 0, six.clone(), Some("2001:db8::1")),
            (AF_INET6, TEMPORARY, six, None),
            (2, 0, attribute(IFA_ADDRESS, &[1]), None),
            (2, 0, Vec::new(), None),
        ] {
            let message = [&[family, 24, flags, 0][..], &7u32.to_ne_bytes(), &values].concat();
            let expected =
                expected.map(|address| Addressed { index: 7, address: address.parse().unwrap(), prefix: 24 });
            assert_eq!(addressed(&message), expected);
        }
        assert_eq!(addressed(&[2, 24, 0]), None);
    }

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
