//! The machine that this program runs on.
//!
//! Files are read below `/`; what no file tells in the same way everywhere comes from sysinfo, which is called here
//! only, one specific question at a time, since its full refresh costs more than everything else together.

use std::{cell::OnceCell, net::SocketAddr, sync::Arc};

use muster_common::{
    governance::NeighbourNetwork,
    inventory::{ErrorKind, SourceError, Usage},
    time::EndpointTime,
};
use sysinfo::System;

use crate::host::{
    Content, HeardOf, Host, HostError, Listing, LiveFacts, METADATA_ADDRESS, Metadata, MetadataRequest,
    MetadataService, RandomRead, Socket, netlink, root::Root, routes,
};

/// This machine.
#[derive(Debug)]
pub struct LiveHost {
    root: Root,
    facts: OnceCell<LiveFacts>,
    networks: Vec<NeighbourNetwork>,
    certificate_folders: Vec<String>,
    metadata_service: MetadataService,
    uses: Option<Arc<[Usage]>>,
}

impl LiveHost {
    /// Opens the root. The live facts are asked for once and when they are first wanted: a host is made anew for every
    /// collection.
    pub fn open() -> Result<Self, HostError> {
        Ok(Self {
            root: Root::machine()?,
            facts: OnceCell::new(),
            networks: Vec::new(),
            certificate_folders: Vec::new(),
            metadata_service: MetadataService::new(METADATA_ADDRESS),
            uses: None,
        })
    }

    /// With the networks on which neighbours may be told.
    pub fn with_networks(self, networks: Vec<NeighbourNetwork>) -> Self {
        Self { networks, ..self }
    }

    /// With the folders whose certificates may be told.
    pub fn with_certificate_folders(self, certificate_folders: Vec<String>) -> Self {
        Self { certificate_folders, ..self }
    }

    /// With another address at which the cloud's metadata service is asked.
    pub fn asking_cloud_at(self, address: SocketAddr) -> Self {
        Self { metadata_service: MetadataService::new(address), ..self }
    }

    /// With what the service found of the use of software.
    pub fn with_uses(self, uses: Option<Arc<[Usage]>>) -> Self {
        Self { uses, ..self }
    }
}

impl Host for LiveHost {
    fn read(&self, path: &str, limit: usize) -> Result<Vec<u8>, HostError> {
        self.root.read(path, limit)
    }

    fn prefix(&self, path: &str, limit: usize) -> Result<Content, HostError> {
        self.root.prefix(path, limit)
    }

    fn list(&self, path: &str, limit: usize) -> Result<Listing, HostError> {
        self.root.list(path, limit)
    }

    fn link(&self, path: &str) -> Result<String, HostError> {
        self.root.link(path)
    }

    fn metadata(&self, path: &str) -> Result<Metadata, HostError> {
        self.root.metadata(path)
    }

    fn random(&self, path: &str) -> Result<Box<dyn RandomRead>, HostError> {
        self.root.random(path)
    }

    fn sockets(&self) -> Result<Vec<Socket>, HostError> {
        netlink::sockets().map_err(|source| HostError::Io { path: "listening sockets".to_owned(), source })
    }

    fn neighbours(&self) -> Result<Vec<HeardOf>, HostError> {
        netlink::neighbours().map_err(|source| HostError::Io { path: "neighbours".to_owned(), source })
    }

    fn named_networks(&self) -> &[NeighbourNetwork] {
        &self.networks
    }

    fn uses(&self) -> Option<&[Usage]> {
        self.uses.as_deref()
    }

    fn free_bytes(&self, path: &str) -> Result<u64, HostError> {
        self.root.free_bytes(path)
    }

    fn certificate_folders(&self) -> &[String] {
        &self.certificate_folders
    }

    fn live(&self) -> Option<&LiveFacts> {
        Some(self.facts.get_or_init(|| facts(&self.root)))
    }

    fn metadata_service(&self, request: &MetadataRequest<'_>) -> Result<Vec<u8>, HostError> {
        self.metadata_service.ask(request)
    }
}

fn facts(root: &Root) -> LiveFacts {
    let mut errors = Vec::new();
    let mut asked = |subject: &str, message: String| {
        errors.push(SourceError { subject: subject.to_owned(), kind: ErrorKind::Io, message });
    };

    let (usable_memory_bytes, swap_bytes) = memory();
    let boot_time = System::boot_time()
        .inspect_err(|error| asked("boot time", error.to_string()))
        .ok()
        .and_then(|seconds| i64::try_from(seconds).ok())
        .filter(|seconds| *seconds > 0)
        .map(|seconds| EndpointTime::from_millis(seconds.saturating_mul(1000)));
    let mut links =
        netlink::links().inspect_err(|error| asked("network links", error.to_string())).unwrap_or_default();
    routes::add_gateways(root, &mut links);

    let names = rustix::system::uname();
    let text = |name: &std::ffi::CStr| {
        Some(name.to_string_lossy().into_owned()).filter(|text| !text.is_empty() && text != "(none)")
    };
    LiveFacts {
        usable_memory_bytes,
        swap_bytes,
        boot_time,
        kernel_release: text(names.release()),
        kernel_build: text(names.version()),
        hostname: text(names.nodename()),
        architecture: text(names.machine()),
        links,
        errors,
    }
}

/// One system call; sysinfo would read two files of the kernel, one of which lists every interrupt.
fn memory() -> (Option<u64>, Option<u64>) {
    let told = rustix::system::sysinfo();
    let bytes = |units: u64| u64::try_from(u128::from(units) * u128::from(told.mem_unit)).ok();
    (bytes(told.totalram).filter(|bytes| *bytes > 0), bytes(told.totalswap))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_tells_its_facts() {
        let host = LiveHost::open().unwrap();
        let facts = host.live().unwrap();
        assert_eq!(facts.errors, []);
        assert!(facts.usable_memory_bytes.unwrap() > 1 << 20);
        assert_eq!(facts.boot_time.unwrap().as_millis() % 1000, 0);
        assert!(facts.kernel_release.is_some() && facts.architecture.is_some());
        assert!(facts.links.iter().any(|link| link.name == "lo"), "{:?}", facts.links);
    }
}
