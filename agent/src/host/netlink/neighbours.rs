//! The kernel's tables of neighbours (ARP and NDP), and which of them are the gateways.
//!
//! Only reads what the kernel has heard already; nothing is sent to the network.

use std::{io, net::IpAddr};

use muster_common::inventory::MacAddress;

use super::{
    dump,
    message::{Message, address, attributes, u16_at, u32_at},
};
use crate::host::HeardOf;

const RTM_NEWROUTE: u16 = 24;
const RTM_GETROUTE: u16 = 26;
const RTM_NEWNEIGH: u16 = 28;
const RTM_GETNEIGH: u16 = 30;
/// Sizes of `struct ndmsg` and `struct rtmsg`.
const NEIGHBOUR_BYTES: usize = 12;
const ROUTE_BYTES: usize = 12;
/// Reachable, stale, delay, probe and permanent, of linux/neighbour.h. What failed or is still being asked for was not
/// heard of; static entries are an administrator's own words.
const HEARD: u16 = 0x02 | 0x04 | 0x08 | 0x10 | 0x80;
/// NTF_ROUTER.
const ROUTER: u8 = 0x80;
const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;
/// Attributes of routes, in linux/rtnetlink.h.
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

/// All neighbours whose address is known.
pub(in crate::host) fn neighbours() -> io::Result<Vec<HeardOf>> {
    let mut found = Vec::new();
    let question = Message { kind: RTM_GETNEIGH, body: vec![0; NEIGHBOUR_BYTES] };
    dump(None, question, RTM_NEWNEIGH, &mut |answer| found.extend(heard_of(answer)))?;
    for family in [AF_INET, AF_INET6] {
        let mut body = vec![0; ROUTE_BYTES];
        if let Some(first) = body.first_mut() {
            *first = family;
        }
        let question = Message { kind: RTM_GETROUTE, body };
        dump(None, question, RTM_NEWROUTE, &mut |answer| {
            if let Some((gateway, link)) = gateway(answer) {
                for one in found.iter_mut().filter(|one| (one.address, one.link) == (gateway, link)) {
                    one.gateway = true;
                }
            }
        })?;
    }
    Ok(found)
}

/// A neighbour from RTM_NEWNEIGH.
fn heard_of(message: &[u8]) -> Option<HeardOf> {
    let (fixed, rest) = message.split_at_checked(NEIGHBOUR_BYTES)?;
    let (state, flags) = (u16_at(fixed, 8)?, *fixed.get(10)?);
    if state & HEARD == 0 {
        return None;
    }
    let of_kind = |wanted| attributes(rest).find(|(kind, _)| *kind == wanted).map(|(_, value)| value);
    Some(HeardOf {
        link: u32_at(fixed, 4)?,
        address: address(of_kind(NDA_DST)?)?,
        mac: MacAddress(of_kind(NDA_LLADDR)?.try_into().ok()?),
        router: flags & ROUTER != 0,
        gateway: false,
    })
}

/// Where a default route leads and over which link, from RTM_NEWROUTE.
fn gateway(message: &[u8]) -> Option<(IpAddr, u32)> {
    let (fixed, rest) = message.split_at_checked(ROUTE_BYTES)?;
    if *fixed.get(1)? != 0 {
        return None;
    }
    let of_kind = |wanted| attributes(rest).find(|(kind, _)| *kind == wanted).map(|(_, value)| value);
    Some((address(of_kind(RTA_GATEWAY)?)?, u32_at(of_kind(RTA_OIF)?, 0)?))
}

#[cfg(test)]
mod tests {
    use super::{super::message::attribute, *};

    #[test]
    fn a_neighbour_as_the_kernel_writes_it() {
        let message = |state: u16, flags: u8, values: &[Vec<u8>]| {
            let (index, state) = (3u32.to_ne_bytes(), state.to_ne_bytes());
            [&[AF_INET, 0, 0, 0][..], &index, &state, &[flags, 1], &values.concat()].concat()
        };
        let values = [attribute(NDA_DST, &[192, 0, 2, 7]), attribute(NDA_LLADDR, &[2, 0, 0, 0, 0, 7])];
        let found = heard_of(&message(0x04, ROUTER, &values)).unwrap();
        assert_eq!((found.link, found.address), (3, "192.0.2.7".parse().unwrap()));
        assert_eq!(found.mac, MacAddress([2, 0, 0, 0, 0, 7]));
        assert!(found.router && !found.gateway);
        assert!(!heard_of(&message(0x80, 0, &values)).unwrap().router);
        for (state, values) in [
            (0x01, &values[..]),
            (0x20, &values),
            (0x40, &values),
            (0x02, &values[..1]),
            (0x02, &[attribute(NDA_DST, &[1]), attribute(NDA_LLADDR, &[2, 0, 0, 0, 0, 7])]),
        ] {
            assert!(heard_of(&message(state, 0, values)).is_none(), "state {state}, {values:?}");
        }
        assert!(heard_of(&[AF_INET; NEIGHBOUR_BYTES - 1]).is_none());
    }

    #[test]
    fn a_default_route_leads_to_its_gateway() {
        let message = |prefix: u8, values: &[Vec<u8>]| {
            [&[AF_INET, prefix, 0, 0, 254, 0, 0, 1, 0, 0, 0, 0][..], &values.concat()].concat()
        };
        let values = [attribute(RTA_GATEWAY, &[192, 0, 2, 1]), attribute(RTA_OIF, &3u32.to_ne_bytes())];
        assert_eq!(gateway(&message(0, &values)), Some(("192.0.2.1".parse().unwrap(), 3)));
        assert_eq!(gateway(&message(24, &values)), None);
        assert_eq!(gateway(&message(0, &values[..1])), None);
        assert_eq!(gateway(&[0; 5]), None);
    }

    #[test]
    fn this_machine_can_be_asked() {
        let found = neighbours().unwrap();
        assert!(found.iter().all(|one| one.mac.0 != [0; 6] || !one.gateway), "{found:?}");
    }
}
