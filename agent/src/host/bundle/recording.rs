//! What a bundle holds: for each path the answers that a machine gave, and the facts that only a running one knows.
//!
//! The shapes are those of the manifest's JSON, so a field may be added with a default and none be renamed. Contents are
//! not in it: they are files of their own, so that a person can look at them.

use std::{collections::BTreeMap, io, net::IpAddr};

use muster_common::time::EndpointTime;
use serde::{Deserialize, Serialize};

use crate::host::{
    FileKind, HostError, Link, Listing, LiveFacts, Metadata, RandomRead, Socket, SocketProtocol,
};

/// All answers of one machine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Recording {
    /// By path, as it was asked for.
    #[serde(default)]
    pub(crate) entries: BTreeMap<String, Entry>,
    /// Of a running machine; `None` when a recording was recorded.
    #[serde(default)]
    pub(crate) facts: Option<Facts>,
}

/// The answers for one path.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// As a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) content: Option<Outcome<Body>>,
    /// As a folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) folder: Option<Outcome<Names>>,
    /// As a link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) target: Option<Outcome<String>>,
    /// What it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) metadata: Option<Outcome<Looked>>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome<T> {
    /// What was found.
    Found(T),
    /// Why there was none.
    Refused(Refusal),
}

impl<T> Outcome<T> {
    /// What was found.
    pub(crate) fn found(&self) -> Option<&T> {
        match self {
            Self::Found(found) => Some(found),
            Self::Refused(_) => None,
        }
    }
}

/// Why there was no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Refusal {
    /// The agent might not read it.
    NotPermitted,
    /// It was something else.
    WrongKind {
        /// What it was.
        found: Kind,
        /// What it should have been.
        expected: Kind,
    },
    /// It was over this many bytes.
    TooLarge(usize),
    /// The system said so.
    Io(String),
    /// The bundle leaves it out.
    LeftOut,
}

impl Refusal {
    /// Of an error; `None` where nothing was there, which needs no word.
    pub(crate) fn of(error: &HostError) -> Option<Self> {
        match error {
            HostError::Missing { .. } => None,
            HostError::NotPermitted { .. } => Some(Self::NotPermitted),
            HostError::WrongKind { found, expected, .. } => {
                Some(Self::WrongKind { found: (*found).into(), expected: (*expected).into() })
            }
            HostError::TooLarge { limit, .. } | HostError::TooMany { limit, .. } => {
                Some(Self::TooLarge(*limit))
            }
            HostError::Io { source, .. } => Some(Self::Io(source.to_string())),
            HostError::TimedOut { .. }
            | HostError::Exhausted { .. }
            | HostError::NotRecorded { .. }
            | HostError::LeftOut { .. } => Some(Self::LeftOut),
        }
    }

    /// The error that a source gets.
    pub(super) fn error(&self, path: &str) -> HostError {
        let path = path.to_owned();
        match self {
            Self::NotPermitted => HostError::NotPermitted { path },
            Self::WrongKind { found, expected } => {
                HostError::WrongKind { path, found: (*found).into(), expected: (*expected).into() }
            }
            Self::TooLarge(limit) => HostError::TooLarge { path, limit: *limit },
            Self::Io(text) => HostError::Io { path, source: io::Error::other(text.clone()) },
            Self::LeftOut => HostError::LeftOut { path },
        }
    }
}

/// What of a file was read: the pieces one after another, and where each of them stands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Body {
    /// Offset and length of each piece, in order and apart from each other.
    pub(crate) pieces: Vec<(u64, usize)>,
    /// The size of the file where it was read here and there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) size_bytes: Option<u64>,
    /// Whether the file went on after its first piece.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) more: bool,
    /// The bytes of the pieces.
    #[serde(skip)]
    pub(crate) bytes: Vec<u8>,
}

impl Body {
    /// The pieces with their bytes, as far as there are any.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let mut rest = self.bytes.as_slice();
        self.pieces.iter().map(move |(offset, length)| {
            let (piece, after) = rest.split_at(rest.len().min(*length));
            rest = after;
            (*offset, piece)
        })
    }

    /// What stands at the beginning of the file.
    pub(crate) fn start(&self) -> &[u8] {
        self.pieces().next().filter(|(offset, _)| *offset == 0).map_or(&[], |(_, piece)| piece)
    }
}

/// What nobody read reads as zeroes.
impl RandomRead for Body {
    fn size_bytes(&self) -> u64 {
        self.size_bytes.unwrap_or_else(|| u64::try_from(self.start().len()).unwrap_or(u64::MAX))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, HostError> {
        let rest = usize::try_from(self.size_bytes().saturating_sub(offset)).unwrap_or(usize::MAX);
        let count = rest.min(buffer.len());
        let buffer = buffer.get_mut(..count).unwrap_or_default();
        buffer.fill(0);
        for (place, piece) in self.pieces() {
            // Of the two, the one that begins earlier gives up its beginning.
            let skip = usize::try_from(offset.saturating_sub(place)).unwrap_or(usize::MAX);
            let into = usize::try_from(place.saturating_sub(offset)).unwrap_or(usize::MAX);
            if let (Some(from), Some(to)) = (piece.get(skip..), buffer.get_mut(into..)) {
                let length = from.len().min(to.len());
                to[..length].copy_from_slice(&from[..length]);
            }
        }
        Ok(count)
    }
}

/// The names in a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Names {
    /// Sorted.
    pub(crate) names: Vec<String>,
    /// Whether there were more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) more: bool,
}

impl From<&Listing> for Names {
    fn from(Listing { names, more }: &Listing) -> Self {
        Self { names: names.clone(), more: *more }
    }
}

/// What a path was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Looked {
    kind: Kind,
    size_bytes: u64,
    modified_ns: i64,
    changed_ns: i64,
    inode: u64,
}

impl From<&Metadata> for Looked {
    fn from(Metadata { kind, size_bytes, modified_ns, changed_ns, inode }: &Metadata) -> Self {
        let bounded = |time: &i128| i64::try_from(*time).unwrap_or_default();
        Self {
            kind: (*kind).into(),
            size_bytes: *size_bytes,
            modified_ns: bounded(modified_ns),
            changed_ns: bounded(changed_ns),
            inode: *inode,
        }
    }
}

impl Looked {
    pub(super) fn metadata(&self) -> Metadata {
        let Self { kind, size_bytes, modified_ns, changed_ns, inode } = *self;
        let (modified_ns, changed_ns) = (modified_ns.into(), changed_ns.into());
        Metadata { kind: kind.into(), size_bytes, modified_ns, changed_ns, inode }
    }
}

/// The type of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// Regular file.
    File,
    /// Folder.
    Folder,
    /// Neither.
    Special,
}

impl From<FileKind> for Kind {
    fn from(kind: FileKind) -> Self {
        match kind {
            FileKind::File => Self::File,
            FileKind::Folder => Self::Folder,
            FileKind::Special => Self::Special,
        }
    }
}

impl From<Kind> for FileKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::File => Self::File,
            Kind::Folder => Self::Folder,
            Kind::Special => Self::Special,
        }
    }
}

/// What only a running system could tell.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Facts {
    usable_memory_bytes: Option<u64>,
    swap_bytes: Option<u64>,
    boot_time_ms: Option<i64>,
    kernel_release: Option<String>,
    kernel_build: Option<String>,
    /// Host name.
    pub(crate) hostname: Option<String>,
    architecture: Option<String>,
    /// Network links.
    pub(crate) links: Vec<RecordedLink>,
    /// Listening sockets; `None` where they could not be asked for.
    pub(crate) sockets: Option<Vec<RecordedSocket>>,
}

/// A network link.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct RecordedLink {
    /// Its name.
    pub(crate) name: String,
    /// The address that is burnt in, as text.
    pub(crate) permanent_mac: Option<String>,
    /// The address that it has.
    pub(crate) mac: Option<String>,
    carrier_changes: u32,
    is_pair: bool,
    /// Addresses in use.
    pub(crate) addresses: Vec<IpAddr>,
    /// First addresses of their networks, with the length of the prefix.
    pub(crate) networks: Vec<(IpAddr, u8)>,
    /// Where default routes lead.
    pub(crate) gateways: Vec<IpAddr>,
    mtu: Option<u32>,
    connected: bool,
}

/// A socket that listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RecordedSocket {
    tcp: bool,
    /// Address that it is bound to.
    pub(crate) address: IpAddr,
    port: u16,
    uid: u32,
    #[serde(default)]
    control_group: Option<u64>,
}

impl Facts {
    /// Of a running system. What could not be asked is not kept.
    pub(crate) fn new(facts: &LiveFacts, sockets: Option<&[Socket]>) -> Self {
        let LiveFacts {
            usable_memory_bytes,
            swap_bytes,
            boot_time,
            kernel_release,
            kernel_build,
            hostname,
            architecture,
            links,
            errors: _,
        } = facts;
        let link = |link: &Link| {
            let Link {
                name,
                permanent_mac,
                mac,
                carrier_changes,
                is_pair,
                addresses,
                networks,
                gateways,
                mtu,
                connected,
            } = link;
            RecordedLink {
                name: name.clone(),
                permanent_mac: permanent_mac.map(|mac| mac.to_string()),
                mac: mac.map(|mac| mac.to_string()),
                carrier_changes: *carrier_changes,
                is_pair: *is_pair,
                addresses: addresses.clone(),
                networks: networks.clone(),
                gateways: gateways.clone(),
                mtu: *mtu,
                connected: *connected,
            }
        };
        let socket = |socket: &Socket| {
            let Socket { protocol, address, port, uid, control_group } = *socket;
            let tcp = protocol == SocketProtocol::Tcp;
            RecordedSocket { tcp, address, port, uid, control_group }
        };
        Self {
            usable_memory_bytes: *usable_memory_bytes,
            swap_bytes: *swap_bytes,
            kernel_build: kernel_build.clone(),
            boot_time_ms: boot_time.map(EndpointTime::as_millis),
            kernel_release: kernel_release.clone(),
            hostname: hostname.clone(),
            architecture: architecture.clone(),
            links: links.iter().map(link).collect(),
            sockets: sockets.map(|sockets| sockets.iter().map(socket).collect()),
        }
    }

    pub(super) fn live(&self) -> LiveFacts {
        let Self {
            usable_memory_bytes,
            swap_bytes,
            boot_time_ms,
            kernel_release,
            kernel_build,
            hostname,
            architecture,
            links,
            sockets: _,
        } = self.clone();
        let link = |link: RecordedLink| {
            let RecordedLink {
                name,
                permanent_mac,
                mac,
                carrier_changes,
                is_pair,
                addresses,
                networks,
                gateways,
                mtu,
                connected,
            } = link;
            let parsed = |mac: Option<String>| mac?.parse().ok();
            let (permanent_mac, mac) = (parsed(permanent_mac), parsed(mac));
            Link {
                name,
                permanent_mac,
                mac,
                carrier_changes,
                is_pair,
                addresses,
                networks,
                gateways,
                mtu,
                connected,
            }
        };
        LiveFacts {
            usable_memory_bytes,
            swap_bytes,
            kernel_build,
            boot_time: boot_time_ms.map(EndpointTime::from_millis),
            kernel_release,
            hostname,
            architecture,
            links: links.into_iter().map(link).collect(),
            errors: Vec::new(),
        }
    }

    pub(super) fn sockets(&self) -> Option<Vec<Socket>> {
        let socket = |socket: &RecordedSocket| {
            let RecordedSocket { tcp, address, port, uid, control_group } = *socket;
            let protocol = if tcp { SocketProtocol::Tcp } else { SocketProtocol::Udp };
            Socket { protocol, address, port, uid, control_group }
        };
        Some(self.sockets.as_ref()?.iter().map(socket).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_read_where_they_stood() {
        let body = Body {
            pieces: vec![(0, 3), (10, 4)],
            size_bytes: Some(16),
            more: false,
            bytes: b"abcDEFG".to_vec(),
        };
        let read = |offset, length| {
            let mut buffer = vec![b'#'; length];
            let count = body.read_at(offset, &mut buffer).unwrap();
            buffer.truncate(count);
            buffer
        };
        assert_eq!(body.start(), b"abc");
        assert_eq!(read(0, 99), b"abc\0\0\0\0\0\0\0DEFG\0\0");
        assert_eq!(read(1, 3), b"bc\0");
        assert_eq!(read(11, 2), b"EF");
        assert_eq!(read(8, 4), b"\0\0DE");
        assert_eq!((read(16, 4), read(u64::MAX, 1)), (Vec::new(), Vec::new()));
    }
}
