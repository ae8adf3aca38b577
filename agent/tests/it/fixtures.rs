//! Recorded inputs that lie beside the repository, and machines made of them.

use std::{
    env,
    path::{Path, PathBuf},
};

use muster_agent::{
    collect::collect,
    host::RecordedHost,
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
