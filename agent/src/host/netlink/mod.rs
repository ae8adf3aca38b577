//! Questions to the running kernel over netlink sockets: one dump, every answer, within bounds.
//!
//! Knows nothing of what is asked; each file here asks one thing.

mod links;
mod message;
mod neighbours;
mod sockets;

use std::{io, time::Duration};

use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, socket_with, sockopt,
};

use message::Message;

pub(super) use links::links;
pub(super) use neighbours::neighbours;
pub(super) use sockets::sockets;

/// The kernel sends a dump in pieces of at most this size.
const PIECE_BYTES: usize = 64 * 1024;
/// A machine with more links or addresses than this is cut off.
const ANSWERS_LIMIT: usize = 65_536;
/// The kernel answers at once or not at all.
const PATIENCE: Duration = Duration::from_secs(2);

/// Sends one question and hands over the body of every answer of a kind. No protocol is number 0, which is
/// NETLINK_ROUTE.
fn dump(
    protocol: Option<Protocol>,
    question: Message,
    kind: u16,
    each: &mut dyn FnMut(&[u8]),
) -> io::Result<()> {
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_DUMP | NLM_F_REQUEST;
    header.sequence_number = 1;
    let mut message = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(question));
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);

    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, protocol)?;
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
                Some(NetlinkPayload::InnerMessage(inner)) if inner.kind == kind => each(&inner.body),
                // Notices of the transport, and what wasn't asked for.
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
fn next(bytes: &[u8]) -> io::Result<(Option<NetlinkPayload<Message>>, usize)> {
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
    fn nonsense_is_an_error() {
        for bytes in [&[][..], &[1, 2], &[3, 0, 0, 0, 0], &[200, 0, 0, 0, 0, 0, 0, 0]] {
            assert!(next(bytes).is_err(), "{bytes:?} was accepted");
        }
    }
}
