//! Recorded inputs that lie beside the repository, and machines made of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    path::{Path, PathBuf},
};

use muster_agent::{
    collect::collect,
    host::{Content, FileKind, Host, HostError, Listing, LiveFacts, Metadata, RandomRead, RecordedHost},
    sources::{SOURCES, Source},
};
use muster_common::inventory::Inventory;

/// A folder of recorded inputs; `None`, with a word on standard error, where they are not.
pub(crate) fn folder(name: &str) -> Option<PathBuf> {
    let root = env::var_os("MUSTER_FIXTURES")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/fixtures"), PathBuf::from);
    let folder = root.join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: there is no {} (set MUSTER_FIXTURES)", folder.display());
    None
}

/// Everything that a recorded machine tells.
pub(crate) fn inventory(root: &Path) -> Inventory {
    collect(&RecordedHost::open(root).unwrap(), SOURCES, None)
}

/// The sources of one section.
pub(crate) fn sources_of(section: &str) -> Vec<&'static dyn Source> {
    SOURCES.iter().copied().filter(|source| source.section().as_str() == section).collect()
}

/// Fails when a source panicked, or something is over its bound.
pub(crate) fn check_sound(inventory: &Inventory, context: &str) {
    for section in &inventory.sections {
        assert!(section.items.len() <= 100_000 && section.errors.len() <= 64, "{context}");
        for error in &section.errors {
            assert!(!error.message.contains("fault in the agent"), "{context}: {}", error.message);
        }
    }
}

/// A machine whose files are in memory, for tests that change them thousands of times.
#[derive(Debug, Default)]
pub(crate) struct MemoryHost {
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// Paths that the agent may not read.
    pub(crate) forbidden: BTreeSet<String>,
}

impl Host for MemoryHost {
    fn prefix(&self, path: &str, limit: usize) -> Result<Content, HostError> {
        if self.forbidden.contains(path) {
            return Err(HostError::NotPermitted { path: path.to_owned() });
        }
        let bytes = self.files.get(path).ok_or_else(|| HostError::Missing { path: path.to_owned() })?;
        Ok(Content { bytes: bytes[..bytes.len().min(limit)].to_vec(), more: bytes.len() > limit })
    }

    fn list(&self, path: &str, _limit: usize) -> Result<Listing, HostError> {
        Err(HostError::Missing { path: path.to_owned() })
    }

    fn link(&self, path: &str) -> Result<String, HostError> {
        Err(HostError::Missing { path: path.to_owned() })
    }

    fn metadata(&self, path: &str) -> Result<Metadata, HostError> {
        if !self.files.keys().any(|file| file.starts_with(path)) {
            return Err(HostError::Missing { path: path.to_owned() });
        }
        Ok(Metadata { kind: FileKind::Folder, size_bytes: 0, modified_ns: 0, changed_ns: 0, inode: 0 })
    }

    fn random(&self, path: &str) -> Result<Box<dyn RandomRead>, HostError> {
        Ok(Box::new(self.read(path, usize::MAX)?))
    }

    fn live(&self) -> Option<&LiveFacts> {
        None
    }
}

/// Random numbers that are the same at every run (splitmix64).
pub(crate) struct Seeded(pub(crate) u64);

impl Seeded {
    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).unwrap()
    }
}
