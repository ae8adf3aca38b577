//! The kernel's tables of neighbours (ARP and NDP), and which of them are the gateways.
//!
//! Only reads what the kernel has heard already; nothing is sent to the network.

use std::{io, net::IpAddr};

use muster_common::inventory::MacAddress;
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState},
    route::{RouteAddress, RouteAttribute, RouteMessage},
};

use crate::host::{HeardOf, netlink::dump};

/// All neighbours whose address is known.
pub(in crate::host) fn neighbours() -> io::Result<Vec<HeardOf>> {
    let mut found = Vec::new();
    dump(None, RouteNetlinkMessage::GetNeighbour(NeighbourMessage::default()), |answer| {
        if let RouteNetlinkMessage::NewNeighbour(message) = answer {
            found.extend(heard_of(&message));
        }
    })?;
    for family in [AddressFamily::Inet, AddressFamily::Inet6] {
        let mut question = RouteMessage::default();
        question.header.address_family = family;
        dump(None, RouteNetlinkMessage::GetRoute(question), |answer| {
            if let RouteNetlinkMessage::NewRoute(message) = answer
                && message.header.destination_prefix_length == 0
            {
                mark_gateway(&message, &mut found);
            }
        })?;
    }
    Ok(found)
}

fn heard_of(message: &NeighbourMessage) -> Option<HeardOf> {
    // What failed or is still being asked for was not heard of; static entries are an administrator's own words.
    let heard = [
        NeighbourState::Reachable,
        NeighbourState::Stale,
        NeighbourState::Delay,
        NeighbourState::Probe,
        NeighbourState::Permanent,
    ];
    if !heard.contains(&message.header.state) {
        return None;
    }
    let (mut address, mut mac) = (None, None);
    for attribute in &message.attributes {
        match attribute {
            NeighbourAttribute::Destination(NeighbourAddress::Inet(v4)) => address = Some(IpAddr::V4(*v4)),
            NeighbourAttribute::Destination(NeighbourAddress::Inet6(v6)) => address = Some(IpAddr::V6(*v6)),
            NeighbourAttribute::LinkLayerAddress(bytes) => {
                mac = bytes.as_slice().try_into().ok().map(MacAddress);
            }
            _ => {}
        }
    }
    Some(HeardOf {
        link: message.header.ifindex,
        address: address?,
        mac: mac?,
        router: message.header.flags.contains(NeighbourFlags::Router),
        gateway: false,
    })
}

fn mark_gateway(route: &RouteMessage, found: &mut [HeardOf]) {
    let (mut gateway, mut link) = (None, None);
    for attribute in &route.attributes {
        match attribute {
            RouteAttribute::Gateway(RouteAddress::Inet(v4)) => gateway = Some(IpAddr::V4(*v4)),
            RouteAttribute::Gateway(RouteAddress::Inet6(v6)) => gateway = Some(IpAddr::V6(*v6)),
            RouteAttribute::Oif(index) => link = Some(*index),
            _ => {}
        }
    }
    for one in found.iter_mut().filter(|one| Some(one.address) == gateway && Some(one.link) == link) {
        one.gateway = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_can_be_asked() {
        let found = neighbours().unwrap();
        assert!(found.iter().all(|one| one.mac.0 != [0; 6] || !one.gateway), "{found:?}");
    }
}
