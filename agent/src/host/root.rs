//! Reading below one folder, through a descriptor of it.
//!
//! Knows nothing of recordings or live facts. `openat2` with `RESOLVE_IN_ROOT` makes the folder the root of every
//! path and link below it, so that an absolute link inside a chroot resolves inside it and nothing outside is opened,
//! however the tree changes meanwhile. The real machine's own root needs no such fence and works on kernels before
//! 5.6 too.

use std::{
    ffi::CStr,
    io,
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

use rustix::{
    buffer::spare_capacity,
    fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags, Stat},
    io::Errno,
};

use crate::host::{Content, FileKind, HostError, Listing, Metadata, RandomRead};

/// How often a resolution is tried again when the tree is renamed under it.
const RESOLVE_ATTEMPTS: u32 = 8;

/// Flags for everything that is opened: never waits for a pipe's other end, never takes over a terminal.
const SAFE: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

/// A folder that paths are relative to.
#[derive(Debug)]
pub(super) struct Root {
    folder: OwnedFd,
    fenced: bool,
}

impl Root {
    /// The machine's own root.
    pub(super) fn machine() -> Result<Self, HostError> {
        Self::open(Path::new("/"), false)
    }

    /// A folder that nothing may lead out of.
    pub(super) fn fenced(folder: &Path) -> Result<Self, HostError> {
        Self::open(folder, true)
    }

    fn open(folder: &Path, fenced: bool) -> Result<Self, HostError> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::openat(CWD, folder, flags, Mode::empty())
            .map_err(|errno| failure(&folder.display().to_string(), errno))?;
        Ok(Self { folder, fenced })
    }

    /// A whole regular file of at most `limit` bytes.
    pub(super) fn read(&self, path: &str, limit: usize) -> Result<Vec<u8>, HostError> {
        let too_large = || HostError::TooLarge { path: path.to_owned(), limit };
        let (file, size) = self.open_kind(path, FileKind::File, SAFE)?;
        if size > limit {
            return Err(too_large());
        }
        let content = fill(&file, path, size, limit)?;
        if content.more { Err(too_large()) } else { Ok(content.bytes) }
    }

    /// The first `limit` bytes of a regular file.
    pub(super) fn prefix(&self, path: &str, limit: usize) -> Result<Content, HostError> {
        let (file, size) = self.open_kind(path, FileKind::File, SAFE)?;
        fill(&file, path, size, limit)
    }

    /// A regular file to be read here and there.
    pub(super) fn random(&self, path: &str) -> Result<Box<dyn RandomRead>, HostError> {
        let (file, size) = self.open_kind(path, FileKind::File, SAFE)?;
        let size_bytes = u64::try_from(size).unwrap_or(u64::MAX);
        Ok(Box::new(OpenFile { file, path: path.to_owned(), size_bytes }))
    }

    /// The names in a folder.
    pub(super) fn list(&self, path: &str, limit: usize) -> Result<Listing, HostError> {
        let (folder, _) = self.open_kind(path, FileKind::Folder, SAFE | OFlags::DIRECTORY)?;
        let mut names = Vec::new();
        let mut more = false;
        for entry in Dir::new(folder).map_err(|errno| failure(path, errno))? {
            let entry = entry.map_err(|errno| failure(path, errno))?;
            let name: &CStr = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            if names.len() == limit {
                more = true;
                break;
            }
            names.push(name.to_string_lossy().into_owned());
        }
        names.sort_unstable();
        Ok(Listing { names, more })
    }

    /// Where a link points.
    pub(super) fn link(&self, path: &str) -> Result<String, HostError> {
        let link = self.open_at(path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC)?;
        match rustix::fs::readlinkat(&link, c"", Vec::new()) {
            Ok(target) => Ok(target.to_string_lossy().into_owned()),
            // The kernel says "no entry" for an empty path when the descriptor is no link.
            Err(Errno::NOENT) => Err(HostError::Missing { path: path.to_owned() }),
            Err(errno) => Err(failure(path, errno)),
        }
    }

    /// Bytes that are free to everybody in the file system at a path.
    pub(super) fn free_bytes(&self, path: &str) -> Result<u64, HostError> {
        // The root itself has an empty path.
        let path = if path.is_empty() { "." } else { path };
        let place = self.open_at(path, OFlags::PATH | OFlags::CLOEXEC)?;
        let found = rustix::fs::fstatvfs(&place).map_err(|errno| failure(path, errno))?;
        Ok(found.f_bavail.saturating_mul(found.f_frsize))
    }

    /// What a path is, links followed, or the system's own word why that can't be told.
    pub(super) fn kind(&self, path: &str) -> Result<FileKind, Errno> {
        let found = self.open_raw(path, OFlags::PATH | OFlags::CLOEXEC)?;
        Ok(kind_of(&rustix::fs::fstat(&found)?))
    }

    /// What a path is.
    pub(super) fn metadata(&self, path: &str) -> Result<Metadata, HostError> {
        let stat = if self.fenced {
            rustix::fs::fstat(&self.open_at(path, OFlags::PATH | OFlags::CLOEXEC)?)
        } else {
            // One call instead of three: an unchanged machine is looked at by nothing else.
            rustix::fs::statat(&self.folder, path, AtFlags::empty())
        };
        let stat = stat.map_err(|errno| failure(path, errno))?;
        Ok(Metadata {
            kind: kind_of(&stat),
            size_bytes: u64::try_from(stat.st_size).unwrap_or(0),
            modified_ns: i128::from(stat.st_mtime) * 1_000_000_000 + i128::from(stat.st_mtime_nsec),
            changed_ns: i128::from(stat.st_ctime) * 1_000_000_000 + i128::from(stat.st_ctime_nsec),
            inode: stat.st_ino,
        })
    }

    /// Opens a path that must be a regular file or a folder, and tells the size that it states.
    fn open_kind(
        &self,
        path: &str,
        expected: FileKind,
        flags: OFlags,
    ) -> Result<(OwnedFd, usize), HostError> {
        if self.fenced {
            // Merely opening a device can act (a tape rewinds), so a foreign tree is looked at first.
            expect(&self.open_at(path, OFlags::PATH | OFlags::CLOEXEC)?, path, expected)?;
        }
        let file = self.open_at(path, flags)?;
        let size = expect(&file, path, expected)?;
        Ok((file, size))
    }

    fn open_at(&self, path: &str, flags: OFlags) -> Result<OwnedFd, HostError> {
        self.open_raw(path, flags).map_err(|errno| failure(path, errno))
    }

    fn open_raw(&self, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
        let folder = self.folder.as_fd();
        if !self.fenced {
            return rustix::fs::openat(folder, path, flags, Mode::empty());
        }
        let fence = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        for _ in 1..RESOLVE_ATTEMPTS {
            match rustix::fs::openat2(folder, path, flags, Mode::empty(), fence) {
                // A rename raced with a `..` of this path; the kernel asks to try again.
                Err(Errno::AGAIN | Errno::INTR) => {}
                result => return result,
            }
        }
        Err(Errno::AGAIN)
    }
}

/// A file that stays open.
#[derive(Debug)]
struct OpenFile {
    file: OwnedFd,
    path: String,
    size_bytes: u64,
}

impl RandomRead for OpenFile {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, HostError> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let place = offset.saturating_add(u64::try_from(filled).unwrap_or(u64::MAX));
            match rustix::io::pread(&self.file, rest, place) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(failure(&self.path, errno)),
            }
        }
        Ok(filled)
    }
}

/// Checks what was opened, and tells its size in bytes.
fn expect(file: &OwnedFd, path: &str, expected: FileKind) -> Result<usize, HostError> {
    let stat = rustix::fs::fstat(file).map_err(|errno| failure(path, errno))?;
    let found = kind_of(&stat);
    if found != expected {
        return Err(HostError::WrongKind { path: path.to_owned(), found, expected });
    }
    Ok(usize::try_from(stat.st_size).unwrap_or(usize::MAX))
}

/// Reads to the bound or the end. The files of /proc and /sys state a size that is not theirs, so it is only a hint.
fn fill(file: &OwnedFd, path: &str, size: usize, limit: usize) -> Result<Content, HostError> {
    // One byte more than the bound tells whether the file goes on, one more than the size that it does not.
    let wanted = limit.saturating_add(1);
    let mut bytes = Vec::with_capacity(wanted.min(size.saturating_add(1).max(512)));
    loop {
        if bytes.len() == bytes.capacity() {
            bytes.reserve(bytes.len());
        }
        match rustix::io::read(file, spare_capacity(&mut bytes)) {
            Ok(0) => break,
            Ok(_) if bytes.len() >= wanted => break,
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(failure(path, errno)),
        }
    }
    let more = bytes.len() > limit;
    bytes.truncate(limit);
    Ok(Content { bytes, more })
}

fn kind_of(stat: &Stat) -> FileKind {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => FileKind::File,
        FileType::Directory => FileKind::Folder,
        FileType::Symlink
        | FileType::Fifo
        | FileType::Socket
        | FileType::CharacterDevice
        | FileType::BlockDevice
        | FileType::Unknown => FileKind::Special,
    }
}

fn failure(path: &str, errno: Errno) -> HostError {
    let path = path.to_owned();
    match errno {
        Errno::NOENT => HostError::Missing { path },
        Errno::NOTDIR => HostError::WrongKind { path, found: FileKind::File, expected: FileKind::Folder },
        Errno::ACCESS | Errno::PERM => HostError::NotPermitted { path },
        // A socket, or a device without a driver.
        Errno::NXIO | Errno::NODEV => {
            HostError::WrongKind { path, found: FileKind::Special, expected: FileKind::File }
        }
        Errno::NOSYS => HostError::Io {
            path,
            source: io::Error::new(
                io::ErrorKind::Unsupported,
                "reading a recording needs Linux 5.6 or newer",
            ),
        },
        other => HostError::Io { path, source: other.into() },
    }
}
