//! Where default routes lead, by `/proc/net/route` and `/proc/net/ipv6_route`.
//!
//! Knows nothing of links beyond their names. Default routes stand at the start of both files, since the kernel walks its
//! trees from the root; so a piece of each suffices, where a question over netlink would be answered with every route of
//! a router.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::host::{Link, root::Root};

const ROUTES: &str = "proc/net/route";
const ROUTES6: &str = "proc/net/ipv6_route";
/// Room for some dozens of lines.
const PIECE_BYTES: usize = 8 * 1024;
/// The route is usable, and leads over a gateway (linux/route.h).
const UP_AND_GATEWAY: u32 = 0x3;

/// Adds to each link the gateways of its default routes. A kernel without these files tells none.
pub(super) fn add_gateways(root: &Root, links: &mut [Link]) {
    let piece = |path| root.prefix(path, PIECE_BYTES).map(|content| content.bytes).unwrap_or_default();
    let (four, six) = (piece(ROUTES), piece(ROUTES6));
    for (name, gateway) in lines(&four).filter_map(default4).chain(lines(&six).filter_map(default6)) {
        if let Some(link) = links.iter_mut().find(|link| link.name == name) {
            link.gateways.push(gateway);
        }
    }
    for link in links {
        link.gateways.sort_unstable();
        link.gateways.dedup();
    }
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = &str> {
    bytes.split(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok())
}

/// Interface, destination, gateway, flags, three counters, mask: numbers as the processor keeps them.
fn default4(line: &str) -> Option<(&str, IpAddr)> {
    let mut fields = line.split_whitespace();
    let name = fields.next()?;
    let mut number = || u32::from_str_radix(fields.next()?, 16).ok();
    let (destination, gateway, flags) = (number()?, number()?, number()?);
    let mask = u32::from_str_radix(fields.nth(3)?, 16).ok()?;
    let leads_out = destination == 0 && mask == 0 && flags & UP_AND_GATEWAY == UP_AND_GATEWAY;
    leads_out.then(|| (name, IpAddr::V4(Ipv4Addr::from(gateway.to_ne_bytes()))))
}

/// Destination, its prefix, source, its prefix, next hop, metric, two counters, flags, interface.
fn default6(line: &str) -> Option<(&str, IpAddr)> {
    let mut fields = line.split_whitespace();
    let (destination, prefix) = (fields.next()?, fields.next()?);
    let gateway = u128::from_str_radix(fields.nth(2)?, 16).ok()?;
    let flags = u32::from_str_radix(fields.nth(3)?, 16).ok()?;
    let name = fields.next()?;
    let is_default = prefix == "00" && destination.bytes().all(|digit| digit == b'0');
    (is_default && flags & UP_AND_GATEWAY == UP_AND_GATEWAY)
        .then(|| (name, IpAddr::V6(Ipv6Addr::from(gateway))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_default_routes_over_a_gateway_count() {
        for (line, expected) in [
            ("Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT", None),
            ("eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0", Some(("eth0", "192.0.2.1"))),
            ("tun0\t00000000\t010200C0\t0003\t0\t0\t0\t00000080\t0\t0\t0", None),
            ("eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0", None),
            ("eth0\t0000", None),
        ] {
            let expected = expected.map(|(name, gateway): (_, &str)| (name, gateway.parse().unwrap()));
            assert_eq!(default4(line), expected, "{line}");
        }
        let zeroes = "0".repeat(32);
        let route = |prefix: &str, hop: &str, flags: &str| {
            format!("{zeroes} {prefix} {zeroes} 00 {hop} 00000400 00000001 00000000 {flags} wlan0")
        };
        let hop = "fe800000000000000000000000000001";
        let found = Some(("wlan0", "fe80::1".parse().unwrap()));
        assert_eq!(default6(&route("00", hop, "00450003")), found);
        assert_eq!(default6(&route("40", hop, "00450003")), None);
        assert_eq!(default6(&route("00", &zeroes, "00200200")), None);
        assert_eq!(default6("fe80 x"), None);
    }
}
