//! Listening sockets, asked of the kernel by sock_diag(7) instead of read from /proc: only those that listen are sent.
//!
//! The layouts are `struct inet_diag_req_v2` and `struct inet_diag_msg` of linux/inet_diag.h.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use netlink_packet_core::{DecodeError, NetlinkDeserializable, NetlinkHeader, NetlinkSerializable};

use crate::host::{Socket, SocketProtocol, netlink::dump};

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
            let question = Diagnosis::Request { family, protocol, states };
            dump(Some(rustix::net::netlink::SOCK_DIAG), question, |answer| {
                if let Diagnosis::Answer(bytes) = answer {
                    found.extend(socket(&bytes, protocol));
                }
            })?;
        }
    }
    Ok(found)
}

/// A message of sock_diag, one way or the other.
#[derive(Debug)]
enum Diagnosis {
    Request { family: u8, protocol: u8, states: u32 },
    Answer(Vec<u8>),
}

impl NetlinkSerializable for Diagnosis {
    fn message_type(&self) -> u16 {
        SOCK_DIAG_BY_FAMILY
    }

    fn buffer_len(&self) -> usize {
        match self {
            Self::Request { .. } => REQUEST_BYTES,
            Self::Answer(bytes) => bytes.len(),
        }
    }

    fn serialize(&self, buffer: &mut [u8]) {
        match self {
            Self::Request { family, protocol, states } => {
                buffer.fill(0);
                if let [first, second, _, _, rest @ ..] = buffer {
                    (*first, *second) = (*family, *protocol);
                    if let Some(place) = rest.first_chunk_mut::<4>() {
                        *place = states.to_ne_bytes();
                    }
                }
            }
            Self::Answer(bytes) => buffer.copy_from_slice(bytes),
        }
    }
}

impl NetlinkDeserializable for Diagnosis {
    type Error = DecodeError;

    fn deserialize(_header: &NetlinkHeader, payload: &[u8]) -> Result<Self, DecodeError> {
        Ok(Self::Answer(payload.to_vec()))
    }
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

/// Attributes are a length, a type, the value, filled up to four bytes.
fn control_group(mut attributes: &[u8]) -> Option<u64> {
    loop {
        let length = usize::from(u16::from_ne_bytes(*attributes.first_chunk()?));
        let kind = u16::from_ne_bytes(*attributes.get(2..)?.first_chunk()?);
        let value = attributes.get(4..length)?;
        if kind == CGROUP_ID {
            return Some(u64::from_ne_bytes(*value.first_chunk()?));
        }
        attributes = attributes.get(length.next_multiple_of(4)..)?;
    }
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
