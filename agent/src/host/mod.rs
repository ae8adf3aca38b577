//! The seam to the machine: files, folders, links and a few facts that only a running system knows.
//!
//! Knows nothing of what is read or why. A source sees only `&dyn Host`, so that a recorded machine (a folder) and
//! the real one are the same to it. Every operation is bounded: what a path turns out to be (a pipe, a device, a
//! file without end) is an error, never a wait.

mod bundle;
mod live;
mod memory;
mod metadata_service;
mod netlink;
mod obstacle;
mod recorded;
mod root;
mod routes;

use std::{fmt, io, net::IpAddr};

use muster_common::{
    governance::NeighbourNetwork,
    inventory::{ErrorKind, MacAddress, SourceError, Usage},
    time::EndpointTime,
};

pub(crate) use bundle::{Body, Entry, FORMAT, Facts, MANIFEST, Manifest, Outcome, Recording, Refusal};
pub use bundle::{BundleError, BundleHost};
pub use live::LiveHost;
pub use memory::MemoryHost;
pub(crate) use metadata_service::MetadataService;
pub use metadata_service::{METADATA_ADDRESS, MetadataRequest};
pub use recorded::RecordedHost;

/// A machine, running or recorded.
///
/// Paths are relative to its root and have no leading slash, such as `etc/os-release`.
pub trait Host {
    /// The first `limit` bytes of a regular file.
    fn prefix(&self, path: &str, limit: usize) -> Result<Content, HostError>;

    /// The names in a folder, sorted, at most `limit`.
    fn list(&self, path: &str, limit: usize) -> Result<Listing, HostError>;

    /// Where a symbolic link points, as it is written.
    fn link(&self, path: &str) -> Result<String, HostError>;

    /// What a path is, links followed.
    fn metadata(&self, path: &str) -> Result<Metadata, HostError>;

    /// A regular file, to be read here and there: databases that are too large to hold.
    fn random(&self, path: &str) -> Result<Box<dyn RandomRead>, HostError>;

    /// The sockets that listen.
    fn sockets(&self) -> Result<Vec<Socket>, HostError> {
        Err(HostError::NotRecorded { what: "listening sockets" })
    }

    /// The other machines that this one heard of on its networks.
    fn neighbours(&self) -> Result<Vec<HeardOf>, HostError> {
        Err(HostError::NotRecorded { what: "neighbours" })
    }

    /// The networks on which neighbours may be told.
    fn named_networks(&self) -> &[NeighbourNetwork] {
        &[]
    }

    /// When software was last used, as the service has watched it; `None` where nobody watches.
    fn uses(&self) -> Option<&[Usage]> {
        None
    }

    /// Bytes that are free to everybody in the file system that is mounted at a path.
    fn free_bytes(&self, _path: &str) -> Result<u64, HostError> {
        Err(HostError::NotRecorded { what: "free space" })
    }

    /// The folders whose certificates may be told, as paths are written here; none unless somebody names them.
    fn certificate_folders(&self) -> &[String] {
        &[]
    }

    /// What was in the way of paths since the last question, whatever the source made of it; for recordings.
    fn obstacles(&self) -> Vec<SourceError> {
        Vec::new()
    }

    /// The facts of a running system; `None` for a recording.
    fn live(&self) -> Option<&LiveFacts>;

    /// What the metadata service of the cloud that it runs in answers, at most 64 KiB; a recording has none.
    fn metadata_service(&self, request: &MetadataRequest<'_>) -> Result<Vec<u8>, HostError> {
        let _ = request;
        Err(HostError::NotRecorded { what: "the cloud's metadata service" })
    }

    /// A whole regular file of at most `limit` bytes.
    fn read(&self, path: &str, limit: usize) -> Result<Vec<u8>, HostError> {
        let content = self.prefix(path, limit)?;
        if content.more {
            return Err(HostError::TooLarge { path: path.to_owned(), limit });
        }
        Ok(content.bytes)
    }
}

/// A file that is read here and there. It may change meanwhile: nothing read before binds what is read after.
pub trait RandomRead: fmt::Debug {
    /// Its size in bytes when it was opened.
    fn size_bytes(&self) -> u64;

    /// Reads at `offset` until `buffer` is full or the file ends; tells how many bytes there were.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, HostError>;
}

/// A file that is held whole.
impl RandomRead for Vec<u8> {
    fn size_bytes(&self) -> u64 {
        u64::try_from(self.len()).unwrap_or(u64::MAX)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, HostError> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.get(offset..)).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}

/// Bytes of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// What was read.
    pub bytes: Vec<u8>,
    /// Whether the file goes on.
    pub more: bool,
}

/// Names in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The names, sorted, without `.` and `..`; a name that is not UTF-8 has replacement characters.
    pub names: Vec<String>,
    /// Whether there are more.
    pub more: bool,
}

/// What a path is: enough for a cheap stamp that moves when its content does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Metadata {
    /// Its type.
    pub kind: FileKind,
    /// Size in bytes, as the file system says.
    pub size_bytes: u64,
    /// Last change of the content in nanoseconds since the epoch.
    pub modified_ns: i128,
    /// Last change of the file itself in nanoseconds since the epoch: content, owner, mode or name. Unlike
    /// `modified_ns` nobody sets it at will.
    pub changed_ns: i128,
    /// Inode number.
    pub inode: u64,
}

/// The type of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// Regular file.
    File,
    /// Folder.
    Folder,
    /// Anything that is neither: pipe, socket, device, link.
    Special,
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "regular file",
            Self::Folder => "folder",
            Self::Special => "special file",
        })
    }
}

/// What only a running system can tell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LiveFacts {
    /// Memory that the operating system can use, in bytes.
    pub usable_memory_bytes: Option<u64>,
    /// Swap space, in bytes.
    pub swap_bytes: Option<u64>,
    /// Last boot, whole seconds.
    pub boot_time: Option<EndpointTime>,
    /// Release of the running kernel.
    pub kernel_release: Option<String>,
    /// How it was built, in its own words.
    pub kernel_build: Option<String>,
    /// Host name.
    pub hostname: Option<String>,
    /// Architecture as the kernel names it, such as `x86_64`.
    pub architecture: Option<String>,
    /// Network links with what the kernel says of them.
    pub links: Vec<Link>,
    /// What could not be asked.
    pub errors: Vec<SourceError>,
}

/// How a socket talks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SocketProtocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// A socket that listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Socket {
    /// How it talks.
    pub protocol: SocketProtocol,
    /// Address that it is bound to.
    pub address: IpAddr,
    /// Port.
    pub port: u16,
    /// Account that owns it.
    pub uid: u32,
    /// Inode of the control group that opened it, where the kernel tells.
    pub control_group: Option<u64>,
}

/// A machine on the same network, as the kernel's table has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeardOf {
    /// Index of the link on which it was heard.
    pub link: u32,
    /// Its address.
    pub address: IpAddr,
    /// Its MAC address.
    pub mac: MacAddress,
    /// Whether it says that it routes.
    pub router: bool,
    /// Whether a default route leads over it.
    pub gateway: bool,
}

/// A network link as the running kernel knows it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Link {
    /// Its name, such as `eth0`.
    pub name: String,
    /// The address that the driver says is burnt in.
    pub permanent_mac: Option<MacAddress>,
    /// The address that it has now.
    pub mac: Option<MacAddress>,
    /// How often the line came or went: its speed is agreed anew each time.
    pub carrier_changes: u32,
    /// Whether it is one end of a pair of virtual links, as containers have them.
    pub is_pair: bool,
    /// Addresses in use, without the temporary ones that IPv6 changes every day.
    pub addresses: Vec<IpAddr>,
    /// The networks of these addresses: first address and length of the prefix.
    pub networks: Vec<(IpAddr, u8)>,
    /// Where default routes over it lead.
    pub gateways: Vec<IpAddr>,
    /// Largest packet in bytes.
    pub mtu: Option<u32>,
    /// Whether something answers at the other end of the line.
    pub connected: bool,
}

/// Why something could not be read.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// There is no such path.
    #[error("{path} does not exist")]
    Missing {
        /// The path.
        path: String,
    },
    /// The agent may not read it.
    #[error("{path} may not be read: run the agent as its service user or as root")]
    NotPermitted {
        /// The path.
        path: String,
    },
    /// It is something else than what was asked for.
    #[error("{path} is a {found}, expected a {expected}")]
    WrongKind {
        /// The path.
        path: String,
        /// What it is.
        found: FileKind,
        /// What it should be.
        expected: FileKind,
    },
    /// It is over the bound.
    #[error("{path} is larger than {limit} bytes")]
    TooLarge {
        /// The path.
        path: String,
        /// The bound in bytes.
        limit: usize,
    },
    /// A folder has more entries than the bound.
    #[error("{path} has more than {limit} entries")]
    TooMany {
        /// The path.
        path: String,
        /// The bound.
        limit: usize,
    },
    /// Whoever reads has used its time; see `collect`.
    #[error("{path} is not read: its source had {seconds} s and has used them")]
    TimedOut {
        /// The path.
        path: String,
        /// The time in seconds.
        seconds: u64,
    },
    /// Whoever reads has read as much as it may; see `collect`.
    #[error("{path} is not read: its source has read as much as one may")]
    Exhausted {
        /// The path.
        path: String,
    },
    /// Whoever recorded the machine left it out.
    #[error("{path} was left out of this recording")]
    LeftOut {
        /// The path.
        path: String,
    },
    /// Only a running machine tells it.
    #[error("not available from a recording")]
    NotRecorded {
        /// What was asked for.
        what: &'static str,
    },
    /// Reading failed otherwise.
    #[error("cannot read {path}")]
    Io {
        /// The path.
        path: String,
        /// The system's word.
        #[source]
        source: io::Error,
    },
}

impl HostError {
    /// The path that could not be read.
    pub fn path(&self) -> &str {
        match self {
            Self::Missing { path }
            | Self::NotPermitted { path }
            | Self::WrongKind { path, .. }
            | Self::TooLarge { path, .. }
            | Self::TooMany { path, .. }
            | Self::TimedOut { path, .. }
            | Self::Exhausted { path }
            | Self::LeftOut { path }
            | Self::Io { path, .. } => path,
            Self::NotRecorded { what } => what,
        }
    }

    /// Whether nothing is there, as opposed to something that cannot be read.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Missing { .. })
    }
}

impl From<HostError> for SourceError {
    fn from(error: HostError) -> Self {
        let (kind, message) = match &error {
            HostError::Missing { .. } | HostError::NotRecorded { .. } | HostError::LeftOut { .. } => {
                (ErrorKind::NotAvailable, error.to_string())
            }
            HostError::NotPermitted { .. } => (ErrorKind::NotPermitted, error.to_string()),
            HostError::WrongKind { .. } => (ErrorKind::Malformed, error.to_string()),
            HostError::TooLarge { .. } | HostError::TooMany { .. } | HostError::Exhausted { .. } => {
                (ErrorKind::TooLarge, error.to_string())
            }
            HostError::TimedOut { .. } => (ErrorKind::TimedOut, error.to_string()),
            HostError::Io { source, .. } => (ErrorKind::Io, format!("{error}: {source}")),
        };
        Self { subject: error.path().to_owned(), kind, message }
    }
}
