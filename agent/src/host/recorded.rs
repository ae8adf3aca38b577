//! A recorded machine: a folder that stands for the root of its file system.
//!
//! A chroot, a mounted image or files copied from a machine. Nothing outside the folder is read and nothing of the
//! machine that reads it is mixed in, so there are no live facts.

use std::path::Path;

use muster_common::inventory::SourceError;

use crate::host::{
    Content, Host, HostError, Listing, LiveFacts, Metadata, RandomRead, obstacle::Obstacles, root::Root,
};

/// A folder as a machine.
#[derive(Debug)]
pub struct RecordedHost {
    root: Root,
    certificate_folders: Vec<String>,
    obstacles: Obstacles,
}

impl RecordedHost {
    /// Opens the folder that stands for the root.
    pub fn open(folder: &Path) -> Result<Self, HostError> {
        Ok(Self {
            root: Root::fenced(folder)?,
            obstacles: Obstacles::default(),
            certificate_folders: Vec::new(),
        })
    }

    /// With the folders whose certificates may be told.
    pub fn with_certificate_folders(self, certificate_folders: Vec<String>) -> Self {
        Self { certificate_folders, ..self }
    }
}

impl Host for RecordedHost {
    fn read(&self, path: &str, limit: usize) -> Result<Vec<u8>, HostError> {
        self.obstacles.look(&self.root, path, self.root.read(path, limit))
    }

    fn prefix(&self, path: &str, limit: usize) -> Result<Content, HostError> {
        self.obstacles.look(&self.root, path, self.root.prefix(path, limit))
    }

    fn list(&self, path: &str, limit: usize) -> Result<Listing, HostError> {
        self.obstacles.look(&self.root, path, self.root.list(path, limit))
    }

    fn link(&self, path: &str) -> Result<String, HostError> {
        self.root.link(path)
    }

    fn metadata(&self, path: &str) -> Result<Metadata, HostError> {
        self.obstacles.look_at(&self.root, path, self.root.metadata(path))
    }

    fn random(&self, path: &str) -> Result<Box<dyn RandomRead>, HostError> {
        self.obstacles.look(&self.root, path, self.root.random(path))
    }

    fn obstacles(&self) -> Vec<SourceError> {
        self.obstacles.take()
    }

    fn certificate_folders(&self) -> &[String] {
        &self.certificate_folders
    }

    fn live(&self) -> Option<&LiveFacts> {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn links_resolve_inside_and_never_outside() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret"), "outside").unwrap();
        let inside = tempfile::tempdir().unwrap();
        let at = |path: &str| inside.path().join(path);
        fs::create_dir_all(at("usr/lib")).unwrap();
        fs::create_dir_all(at("etc")).unwrap();
        fs::write(at("usr/lib/os-release"), "inside").unwrap();
        symlink("/usr/lib/os-release", at("etc/absolute")).unwrap();
        symlink("../../../../usr/lib/os-release", at("etc/above")).unwrap();
        symlink(outside.path().join("secret"), at("etc/out")).unwrap();
        symlink("loop", at("etc/loop")).unwrap();

        let host = RecordedHost::open(inside.path()).unwrap();
        for path in ["usr/lib/os-release", "etc/absolute", "etc/above", "../etc/absolute"] {
            assert_eq!(host.read(path, 100).unwrap(), b"inside", "{path}");
        }
        assert!(host.read("etc/out", 100).unwrap_err().is_missing());
        assert!(matches!(host.read("etc/loop", 100), Err(HostError::Io { .. })));
        assert_eq!(host.link("etc/absolute").unwrap(), "/usr/lib/os-release");
        assert!(host.link("usr/lib/os-release").unwrap_err().is_missing());
    }

    #[test]
    fn bounds_hold() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "0123456789").unwrap();
        for name in ["a", "b", "c"] {
            fs::create_dir_all(folder.path().join("folder").join(name)).unwrap();
        }
        let host = RecordedHost::open(folder.path()).unwrap();
        assert_eq!(host.read("file", 10).unwrap(), b"0123456789");
        assert!(matches!(host.read("file", 9), Err(HostError::TooLarge { limit: 9, .. })));
        assert_eq!(host.prefix("file", 4).unwrap(), Content { bytes: b"0123".to_vec(), more: true });
        assert!(!host.list("folder", 3).unwrap().more);
        let listing = host.list("folder", 2).unwrap();
        assert_eq!((listing.names.len(), listing.more), (2, true));
        assert!(matches!(host.list("file", 2), Err(HostError::WrongKind { .. })));
        assert!(matches!(host.read("folder", 2), Err(HostError::WrongKind { .. })));
        assert!(RecordedHost::open(&folder.path().join("file")).is_err());
    }
}
