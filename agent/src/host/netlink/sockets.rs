//! Listening sockets, asked of the kernel by sock_diag(7) instead of read from /proc: only those that listen are sent.
//!
//! The layouts are `struct inet_diag_req_v2` and `struct inet_diag_msg` of linux/inet_diag.h.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use super::{
    dump,
    message::{Message, attributes},
};
use crate::host::{Socket, SocketProtocol};

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const IPPROTO_TCP: u8 = 6;
const IPPROTO_UDP: u8 = 17;
/// TCP_CLOSE, which is what an unconnected UDP socket is in.
const UNCONNECTED: u32 = 1 << 7;
const LISTEN: u32 = 1 << 10;
const REQUEST_BYTES: usize = 56;
const ANSWER_BYTES: usize = 72;
/// INET_DIAG_CGROUP_ID: 64 bits, since Linux 5.9.
const CGROUP_ID: u16 = 21;

/// All sockets that listen.
pub(in crate::host) fn sockets() -> io::Result<Vec<Socket>> {
    let mut found = Vec::new();
    for family in [AF_INET, AF_INET6] {
        for (protocol, states) in [(IPPROTO_TCP, LISTEN), (IPPROTO_UDP, UNCONNECTED)] {
            let question = question(family, protocol, states);
            dump(Some(rustix::net::netlink::SOCK_DIAG), question, SOCK_DIAG_BY_FAMILY, &mut |answer| {
                found.extend(socket(answer, protocol));
            })?;
        }
    }
    Ok(found)
}

fn question(family: u8, protocol: u8, states: u32) -> Message {
    let mut body = vec![family, protocol, 0, 0];
    body.extend_from_slice(&states.to_ne_bytes());
    body.resize(REQUEST_BYTES, 0);
    Message { kind: SOCK_DIAG_BY_FAMILY, body }
}

fn socket(answer: &[u8], protocol: u8) -> Option<Socket> {
    let (fixed, attributes) = answer.split_at_checked(ANSWER_BYTES)?;
    let family = *fixed.first()?;
    let port = u16::from_be_bytes(*fixed.get(4..)?.first_chunk()?);
    let address = match family {
        AF_INET => IpAddr::V4(Ipv4Addr::from(*fixed.get(8..)?.first_chunk::<4>()?)),
        AF_INET6 => IpAddr::V6(Ipv6Addr::from(*fixed.get(8..)?.first_chunk::<16>()?)),
        _ => return None,
    };
    let protocol = if protocol == IPPROTO_TCP { SocketProtocol::Tcp } else { SocketProtocol::Udp };
    let uid = u32::from_ne_bytes(*fixed.get(64..)?.first_chunk()?);
    Some(Socket { protocol, address, port, uid, control_group: control_group(attributes) })
}

fn control_group(rest: &[u8]) -> Option<u64> {
    let (_, value) = attributes(rest).find(|(kind, _)| *kind == CGROUP_ID)?;
    Some(u64::from_ne_bytes(*value.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};

    use super::*;

    #[test]
    fn what_this_test_opens_is_found() {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let found = sockets().unwrap();
        for (protocol, address) in [
            (SocketProtocol::Tcp, tcp.local_addr().unwrap()),
            (SocketProtocol::Udp, udp.local_addr().unwrap()),
        ] {
            let one =
                found.iter().find(|one| one.protocol == protocol && one.port == address.port()).unwrap();
            assert_eq!(one.address, address.ip());
            assert_eq!(one.uid, rustix::process::geteuid().as_raw());
        }
    }

    #[test]
    fn a_cut_answer_is_nothing() {
        let mut answer = vec![0u8; ANSWER_BYTES];
        answer[0] = AF_INET;
        for length in 0..ANSWER_BYTES {
            assert!(socket(&answer[..length], IPPROTO_TCP).is_none());
        }
        for attributes in [&[][..], &[0, 0, 21, 0], &[3, 0], &[255, 255, 21, 0, 1], &[4, 0, 21, 0]] {
            answer.truncate(ANSWER_BYTES);
            answer.extend_from_slice(attributes);
            assert_eq!(socket(&answer, IPPROTO_TCP).unwrap().control_group, None);
        }
        answer.truncate(ANSWER_BYTES);
        answer.extend_from_slice(&[5, 0, 1, 0, 9, 0, 0, 0, 12, 0, 21, 0]);
        answer.extend_from_slice(&7u64.to_ne_bytes());
        assert_eq!(socket(&answer, IPPROTO_TCP).unwrap().control_group, Some(7));
    }
}
