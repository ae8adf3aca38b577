//! What the running kernel says of its network links: burnt-in MAC addresses and addresses in use.
//!
//! Knows nothing of adapters as hardware. The kernel is asked over a netlink socket and not by sysfs, because only
//! there does it tell the permanent address of an adapter whose present one was set by software.

use std::{io, time::Duration};

use muster_common::inventory::MacAddress;
use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::{
    AddressFamily as Family, RouteNetlinkMessage,
    address::{AddressAttribute, AddressHeaderFlags, AddressMessage},
    link::{InfoKind, LinkAttribute, LinkInfo, LinkMessage},
};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, socket_with, sockopt};

use crate::host::Link;

/// The kernel sends a dump in pieces of at most this size.
const PIECE_BYTES: usize = 64 * 1024;
/// A machine with more links or addresses than this is cut off.
const ANSWERS_LIMIT: usize = 65_536;
/// The kernel answers at once or not at all.
const PATIENCE: Duration = Duration::from_secs(2);

/// All links with their addresses.
pub(super) fn links() -> io::Result<Vec<Link>> {
    let mut links: Vec<(u32, Link)> = Vec::new();
    dump(RouteNetlinkMessage::GetLink(LinkMessage::default()), |answer| {
        if let RouteNetlinkMessage::NewLink(message) = answer {
            links.push((message.header.index, link(message)));
        }
    })?;
    dump(RouteNetlinkMessage::GetAddress(AddressMessage::default()), |answer| {
        if let RouteNetlinkMessage::NewAddress(message) = answer
            && !is_temporary(&message)
            && let Some((_, link)) = links.iter_mut().find(|(index, _)| *index == message.header.index)
        {
            link.addresses.extend(address(&message));
        }
    })?;
    Ok(links.into_iter().map(|(_, link)| link).collect())
}

fn link(message: LinkMessage) -> Link {
    let mut link = Link::default();
    for attribute in message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name = name,
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
    message.header.family == Family::Inet6 && message.header.flags.contains(AddressHeaderFlags::Secondary)
}

/// The address of this end: on a point-to-point link `Address` is the other end and `Local` is ours.
fn address(message: &AddressMessage) -> Option<std::net::IpAddr> {
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

/// Sends one question and hands over every answer.
fn dump(question: RouteNetlinkMessage, mut each: impl FnMut(RouteNetlinkMessage)) -> io::Result<()> {
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_DUMP | NLM_F_REQUEST;
    header.sequence_number = 1;
    let mut message = NetlinkMessage::new(header, NetlinkPayload::from(question));
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);

    // No protocol is number 0, which is NETLINK_ROUTE.
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(PATIENCE))?;
    rustix::net::send(&socket, &bytes, SendFlags::empty())?;

    let mut piece = vec![0; PIECE_BYTES];
    let mut answers = 0;
    loop {
        let (received, _) =
            rustix::io::retry_on_intr(|| rustix::net::recv(&socket, &mut piece[..], RecvFlags::empty()))?;
        let mut rest = piece.get(..received).unwrap_or_default();
        if rest.is_empty() {
            return Ok(());
        }
        while !rest.is_empty() {
            let (answer, length) = next(rest)?;
            match answer {
                Some(NetlinkPayload::Done(_)) => return Ok(()),
                Some(NetlinkPayload::Error(error)) => return Err(error.to_io()),
                Some(NetlinkPayload::InnerMessage(inner)) => each(inner),
                // Notices of the transport, and answers that this version of the library cannot read.
                Some(_) | None => {}
            }
            answers += 1;
            if answers > ANSWERS_LIMIT {
                return Ok(());
            }
            rest = rest.get(length..).unwrap_or_default();
        }
    }
}

/// The first message of `bytes` and where the next one begins.
fn next(bytes: &[u8]) -> io::Result<(Option<NetlinkPayload<RouteNetlinkMessage>>, usize)> {
    let cut_short = || io::Error::new(io::ErrorKind::InvalidData, "a netlink message is cut short");
    let length = bytes.first_chunk::<4>().map(|length| u32::from_ne_bytes(*length)).ok_or_else(cut_short)?;
    let length = usize::try_from(length).map_err(|_| cut_short())?;
    if length < 16 {
        return Err(cut_short());
    }
    let message = bytes.get(..length).ok_or_else(cut_short)?;
    let payload = NetlinkMessage::deserialize(message).ok().map(|message| message.payload);
    Ok((payload, length.next_multiple_of(4)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_has_its_address() {
        let links = links().unwrap();
        let loopback = links.iter().find(|link| link.name == "lo").unwrap();
        assert!(loopback.addresses.iter().any(|address| address.is_loopback()), "{loopback:?}");
    }

    #[test]
    fn nonsense_is_an_error() {
        for bytes in [&[][..], &[1, 2], &[3, 0, 0, 0, 0], &[200, 0, 0, 0, 0, 0, 0, 0]] {
            assert!(next(bytes).is_err(), "{bytes:?} was accepted");
        }
    }
}
