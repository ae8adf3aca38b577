//! The bytes of rtnetlink(7) and sock_diag(7) messages: a fixed part, then attributes.
//!
//! Knows nothing of what they mean. There is a library that has all messages of the kernel as types, and it is a sixteenth
//! of the whole program for the dozen attributes that are asked for here; a program's size is its memory at rest.

use std::net::IpAddr;

use netlink_packet_core::{DecodeError, NetlinkDeserializable, NetlinkHeader, NetlinkSerializable};

/// Nested attributes and those in network order have a mark in their kind.
const KIND_MASK: u16 = 0x3fff;

/// A message of either way, without its frame.
#[derive(Debug)]
pub(super) struct Message {
    /// Such as RTM_NEWLINK.
    pub(super) kind: u16,
    pub(super) body: Vec<u8>,
}

impl NetlinkSerializable for Message {
    fn message_type(&self) -> u16 {
        self.kind
    }

    fn buffer_len(&self) -> usize {
        self.body.len()
    }

    fn serialize(&self, buffer: &mut [u8]) {
        buffer.copy_from_slice(&self.body);
    }
}

impl NetlinkDeserializable for Message {
    type Error = DecodeError;

    fn deserialize(header: &NetlinkHeader, payload: &[u8]) -> Result<Self, DecodeError> {
        Ok(Self { kind: header.message_type, body: payload.to_vec() })
    }
}

/// Attributes with their kinds, as far as they are whole. Each is a length, a kind and the value, filled up to four
/// bytes.
pub(super) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(bytes, 0)?);
        let kind = u16_at(bytes, 2)? & KIND_MASK;
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// An address of four or sixteen bytes.
pub(super) fn address(value: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(value).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(value).map(IpAddr::from)).ok()
}

pub(super) fn u16_at(bytes: &[u8], place: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.get(place..)?.first_chunk()?))
}

pub(super) fn u32_at(bytes: &[u8], place: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(place..)?.first_chunk()?))
}

/// What a test writes as the kernel would.
#[cfg(test)]
pub(super) fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + value.len()).unwrap();
    let mut bytes = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat();
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_end_where_they_are_cut() {
        let whole = [attribute(1, b"ab"), attribute(0x8002, b"cdef"), attribute(3, b"")].concat();
        let all = [(1, &b"ab"[..]), (2, b"cdef"), (3, b"")];
        assert_eq!(attributes(&whole).collect::<Vec<_>>(), all);
        for length in 0..whole.len() {
            let found: Vec<_> = attributes(&whole[..length]).collect();
            assert_eq!(found, all[..found.len()], "of {length} bytes");
        }
        for nonsense in [&[0, 0, 1, 0][..], &[3, 0, 1, 0], &[255, 255, 1, 0, 1]] {
            assert_eq!(attributes(nonsense).count(), 0, "{nonsense:?}");
        }
    }

    #[test]
    fn addresses_are_told_by_their_length() {
        assert_eq!(address(&[192, 0, 2, 1]), Some("192.0.2.1".parse().unwrap()));
        let v6: std::net::Ipv6Addr = "2001:db8::1".parse().unwrap();
        assert_eq!(address(&v6.octets()), Some(v6.into()));
        assert_eq!(address(&[1, 2, 3]), None);
    }
}
