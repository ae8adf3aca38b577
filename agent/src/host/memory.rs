//! A machine whose files are in memory: for tests and fuzz targets that change them thousands of times.
//!
//! Knows nothing of the file system and of where links lead. Folders are there because files are in them.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash, Hasher},
};

use crate::host::{
    Content, FileKind, Host, HostError, Listing, LiveFacts, Metadata, MetadataRequest, RandomRead, Socket,
    metadata_service,
};

/// A machine that has these files and nothing else.
#[derive(Debug, Default)]
pub struct MemoryHost {
    /// What is in each file, by its path without a leading slash.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Paths that the agent may not read.
    pub forbidden: BTreeSet<String>,
    /// What its cloud's metadata service sends to every question, head and all; an empty one is not HTTP.
    pub metadata_service: Vec<u8>,
    /// Where links point, by their paths; nothing is read through them.
    pub links: BTreeMap<String, String>,
    /// The folders whose certificates may be told.
    pub certificate_folders: Vec<String>,
    /// The sockets that listen.
    pub sockets: Vec<Socket>,
}

impl MemoryHost {
    /// The inode of a path: nothing has two names here, so each is something of its own.
    pub(crate) fn inode(path: &str) -> u64 {
        let mut hasher = DefaultHasher::new();
        path.hash(&mut hasher);
        hasher.finish()
    }

    /// The paths below a folder, relative to it; none when it is no folder.
    fn below<'a>(&'a self, folder: &str) -> impl Iterator<Item = &'a str> {
        let start = format!("{folder}/");
        let files = self.files.range(start.clone()..);
        files.map_while(move |(path, _)| path.strip_prefix(start.as_str()))
    }

    fn file(&self, path: &str) -> Result<&[u8], HostError> {
        if self.forbidden.contains(path) {
            return Err(HostError::NotPermitted { path: path.to_owned() });
        }
        if let Some(bytes) = self.files.get(path) {
            return Ok(bytes);
        }
        let is_folder = self.below(path).next().is_some();
        let path = path.to_owned();
        Err(if is_folder {
            HostError::WrongKind { path, found: FileKind::Folder, expected: FileKind::File }
        } else {
            HostError::Missing { path }
        })
    }
}

impl Host for MemoryHost {
    fn prefix(&self, path: &str, limit: usize) -> Result<Content, HostError> {
        let bytes = self.file(path)?;
        Ok(Content { bytes: bytes[..bytes.len().min(limit)].to_vec(), more: bytes.len() > limit })
    }

    fn list(&self, path: &str, limit: usize) -> Result<Listing, HostError> {
        if self.forbidden.contains(path) {
            return Err(HostError::NotPermitted { path: path.to_owned() });
        }
        let first_part = |below: &str| below.split('/').next().map(str::to_owned);
        let mut names: Vec<String> = self.below(path).filter_map(first_part).collect();
        names.sort_unstable();
        names.dedup();
        if names.is_empty() {
            let path = path.to_owned();
            return Err(match self.files.get(&path) {
                Some(_) => HostError::WrongKind { path, found: FileKind::File, expected: FileKind::Folder },
                None => HostError::Missing { path },
            });
        }
        let more = names.len() > limit;
        names.truncate(limit);
        Ok(Listing { names, more })
    }

    fn link(&self, path: &str) -> Result<String, HostError> {
        if self.forbidden.contains(path) {
            return Err(HostError::NotPermitted { path: path.to_owned() });
        }
        self.links.get(path).cloned().ok_or_else(|| HostError::Missing { path: path.to_owned() })
    }

    fn metadata(&self, path: &str) -> Result<Metadata, HostError> {
        let (kind, length) = match self.files.get(path) {
            Some(bytes) => (FileKind::File, bytes.len()),
            None if self.below(path).next().is_some() => (FileKind::Folder, 0),
            None => return Err(HostError::Missing { path: path.to_owned() }),
        };
        let size_bytes = u64::try_from(length).unwrap_or(u64::MAX);
        Ok(Metadata { kind, size_bytes, modified_ns: 0, changed_ns: 0, inode: Self::inode(path) })
    }

    fn sockets(&self) -> Result<Vec<Socket>, HostError> {
        Ok(self.sockets.clone())
    }

    fn random(&self, path: &str) -> Result<Box<dyn RandomRead>, HostError> {
        Ok(Box::new(self.file(path)?.to_vec()))
    }

    fn certificate_folders(&self) -> &[String] {
        &self.certificate_folders
    }

    fn live(&self) -> Option<&LiveFacts> {
        None
    }

    fn metadata_service(&self, request: &MetadataRequest<'_>) -> Result<Vec<u8>, HostError> {
        let path = request.path.to_owned();
        match metadata_service::answer(&self.metadata_service, true) {
            Ok(Some((_, body))) => Ok(body.into_owned()),
            Ok(None) => Err(HostError::Missing { path }),
            Err(source) => Err(HostError::Io { path, source }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_there_because_files_are_in_them() {
        let files =
            ["a/b/c", "a/b-c", "a/d/e/f", "x"].map(|path| (path.to_owned(), path.as_bytes().to_vec()));
        let host = MemoryHost { files: files.into(), ..MemoryHost::default() };
        let names = |path: &str, limit| host.list(path, limit).map(|listing| (listing.names, listing.more));
        assert_eq!(names("a", 9).unwrap(), (vec!["b".to_owned(), "b-c".to_owned(), "d".to_owned()], false));
        assert_eq!(names("a", 1).unwrap(), (vec!["b".to_owned()], true));
        assert!(names("y", 9).unwrap_err().is_missing());
        assert!(matches!(names("x", 9).unwrap_err(), HostError::WrongKind { .. }));
        assert!(matches!(host.read("a/d", 9).unwrap_err(), HostError::WrongKind { .. }));
        assert_eq!(host.read("a/b-c", 9).unwrap(), b"a/b-c");
        assert_eq!(host.metadata("a/d/e").unwrap().kind, FileKind::Folder);
        assert!(host.metadata("a/d/").unwrap_err().is_missing());
    }
}
