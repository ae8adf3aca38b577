//! Files that hold keys, and the folders that hold those files: written whole or not at all, read only if safe.
//!
//! Agent, collector and command line keep keys alike, so the rules stand here once: mode 0600 in a folder of 0700,
//! ours or root's, no symbolic link, no device; written as temporary file, fsync, rename, fsync of the folder. A file
//! that breaks them is refused with the reason and never repaired, since somebody may have read or placed it. Knows
//! nothing of what the bytes mean. On systems without Unix modes the installer's access list is relied upon.

use std::{
    ffi::OsStr,
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

/// No private file is longer, in bytes.
pub const MAX_BYTES: u64 = 256 * 1024;

/// Why a private file or its folder can't be used.
#[derive(Debug, thiserror::Error)]
pub enum PrivateFileError {
    /// It is not there.
    #[error("{path} does not exist")]
    Missing {
        /// The file or folder.
        path: PathBuf,
    },
    /// A symbolic link stands where a file or folder should.
    #[error("{path} is a symbolic link; put the {kind} itself there")]
    Symlink {
        /// The file or folder.
        path: PathBuf,
        /// `file` or `folder`.
        kind: &'static str,
    },
    /// Something else stands there: a device, a pipe, a folder for a file.
    #[error("{path} is not a {kind}; move it away")]
    Kind {
        /// The file or folder.
        path: PathBuf,
        /// `file` or `folder`.
        kind: &'static str,
    },
    /// It belongs to another user.
    #[error(
        "{path} belongs to user {owner}, and this runs as user {expected}; run it as the user that owns the data (sudo -u '#{owner}'), or move away what somebody else has placed"
    )]
    Owner {
        /// The file or folder.
        path: PathBuf,
        /// Its owner's number.
        owner: u32,
        /// The number of the user that runs this program.
        expected: u32,
    },
    /// Others may read a file, or write into a folder.
    #[error(
        "{path} has mode {mode:04o}, so that others may {may} it; if nobody did, run chmod {wanted:04o} on it"
    )]
    Mode {
        /// The file or folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// What others may do that they should not.
        may: &'static str,
        /// The mode that is accepted.
        wanted: u32,
    },
    /// Longer than [`MAX_BYTES`].
    #[error("{path} is longer than {MAX_BYTES} bytes, which no key or certificate is")]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// There is something where a new file should go.
    #[error("{path} is there already; give another name, or move it away")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The system refused.
    #[error("{action} {path} failed")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
}

/// Reads a private file, refusing one that others could have read or placed.
pub fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, PrivateFileError> {
    let (file, metadata) = open(path, OpenOptions::new().read(true))?;
    if metadata.len() > MAX_BYTES {
        return Err(PrivateFileError::TooLong { path: path.to_owned() });
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0) + 1));
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|source| io_error("reading", path, source))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= MAX_BYTES) {
        Ok(bytes)
    } else {
        Err(PrivateFileError::TooLong { path: path.to_owned() })
    }
}

/// Opens a private file of any length for reading and writing, refusing one that others could have read or placed.
pub fn open_for_update(path: &Path) -> Result<File, PrivateFileError> {
    Ok(open(path, OpenOptions::new().read(true).write(true))?.0)
}

fn open(path: &Path, options: &mut OpenOptions) -> Result<(File, fs::Metadata), PrivateFileError> {
    without_following(options);
    let file = options.open(path).map_err(|source| open_error(path, source))?;
    let metadata = file.metadata().map_err(|source| io_error("examining", path, source))?;
    if !metadata.is_file() {
        return Err(PrivateFileError::Kind { path: path.to_owned(), kind: "file" });
    }
    judge(path, &metadata, 0o077, "read", 0o600)?;
    Ok((file, metadata))
}

/// Checks that a folder is one in which nobody else can place or replace a file.
pub fn check_folder(path: &Path) -> Result<(), PrivateFileError> {
    let metadata = fs::symlink_metadata(path).map_err(|source| open_error(path, source))?;
    if metadata.file_type().is_symlink() {
        return Err(PrivateFileError::Symlink { path: path.to_owned(), kind: "folder" });
    }
    if !metadata.is_dir() {
        return Err(PrivateFileError::Kind { path: path.to_owned(), kind: "folder" });
    }
    judge(path, &metadata, 0o022, "write into", 0o700)
}

/// Makes a folder of mode 0700, with its parents, if it isn't there; checks it if it is.
pub fn make_folder(path: &Path) -> Result<(), PrivateFileError> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(path).map_err(|source| io_error("making", path, source))?;
    check_folder(path)
}

/// Writes a private file of mode 0600, atomically: after a crash the old or the new content is there, whole.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), PrivateFileError> {
    let temporary = write_beside(path, bytes)?;
    fs::rename(&temporary, path).map_err(|source| io_error("renaming a new file to", path, source))?;
    sync_parent(path)
}

/// Writes a private file of mode 0600 under a name that nothing has yet, atomically: it is there whole or not at all.
pub fn create(path: &Path, bytes: &[u8]) -> Result<(), PrivateFileError> {
    check_free(path)?;
    let temporary = write_beside(path, bytes)?;
    let named = rename_to_new(&temporary, path).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => PrivateFileError::Exists { path: path.to_owned() },
        _ => io_error("renaming a new file to", path, source),
    });
    if named.is_err() {
        // What went wrong is told already.
        let _ = fs::remove_file(&temporary);
    }
    named?;
    sync_parent(path)
}

/// Refuses a name that something has, be it a link that leads nowhere.
pub fn check_free(path: &Path) -> Result<(), PrivateFileError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Err(PrivateFileError::Exists { path: path.to_owned() }),
        Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(io_error("examining", path, source)),
    }
}

/// Writes the bytes to a new file beside `path`, and to the disk; returns its name.
fn write_beside(path: &Path, bytes: &[u8]) -> Result<PathBuf, PrivateFileError> {
    let temporary = path.with_file_name(temporary_name(path.file_name().unwrap_or_default()));
    match fs::remove_file(&temporary) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            return Err(io_error("removing", &temporary, source));
        }
        // Gone now, or what a crash left behind is.
        Ok(()) | Err(_) => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&temporary).map_err(|source| io_error("making", &temporary, source))?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(|source| io_error("writing", &temporary, source))?;
    Ok(temporary)
}

/// Renames, but never over something: also on a stick's file system, which has no links.
fn rename_to_new(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use rustix::io::Errno;
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            // An old kernel or a file system that doesn't know the flag.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
            other => return other.map_err(io::Error::from),
        }
    }
    match fs::hard_link(from, to) {
        Ok(()) => fs::remove_file(from),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        // No links there either; that it was free stands a moment ago.
        Err(_) => fs::rename(from, to),
    }
}

/// Removes a file, and makes sure that it stays removed; one that isn't there is no error.
pub fn remove(path: &Path) -> Result<(), PrivateFileError> {
    match fs::remove_file(path) {
        Ok(()) => sync_parent(path),
        Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(io_error("removing", path, source)),
    }
}

/// Moves a file or folder to a name beside it, durably.
pub fn rename(from: &Path, to: &Path) -> Result<(), PrivateFileError> {
    fs::rename(from, to).map_err(|source| io_error("renaming", from, source))?;
    sync_parent(to)
}

/// Writes the folder that holds `path` to the disk, so that a new name in it survives a power cut.
fn sync_parent(path: &Path) -> Result<(), PrivateFileError> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    };
    if cfg!(unix) {
        File::open(parent)
            .and_then(|folder| folder.sync_all())
            .map_err(|source| io_error("writing", parent, source))?;
    }
    Ok(())
}

/// A name beside the file that no reader looks at.
fn temporary_name(name: &OsStr) -> std::ffi::OsString {
    let mut temporary = std::ffi::OsString::from(".");
    temporary.push(name);
    temporary.push(".new");
    temporary
}

/// Neither follow a link that somebody placed, nor wait for a pipe's writer.
fn without_following(options: &mut OpenOptions) {
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
        std::os::unix::fs::OpenOptionsExt::custom_flags(options, flags.cast_signed());
    }
    #[cfg(not(unix))]
    let _ = options;
}

/// Owner and mode: root may own what we read, since root could read it anyway.
#[cfg(unix)]
fn judge(
    path: &Path,
    metadata: &fs::Metadata,
    forbidden: u32,
    may: &'static str,
    wanted: u32,
) -> Result<(), PrivateFileError> {
    use std::os::unix::fs::MetadataExt;

    let expected = rustix::process::geteuid().as_raw();
    if metadata.uid() != expected && metadata.uid() != 0 {
        return Err(PrivateFileError::Owner { path: path.to_owned(), owner: metadata.uid(), expected });
    }
    let mode = metadata.mode() & 0o7777;
    if mode & forbidden == 0 {
        Ok(())
    } else {
        Err(PrivateFileError::Mode { path: path.to_owned(), mode, may, wanted })
    }
}

#[cfg(not(unix))]
fn judge(
    _path: &Path,
    _metadata: &fs::Metadata,
    _forbidden: u32,
    _may: &'static str,
    _wanted: u32,
) -> Result<(), PrivateFileError> {
    Ok(())
}

fn open_error(path: &Path, source: io::Error) -> PrivateFileError {
    if source.kind() == io::ErrorKind::NotFound {
        return PrivateFileError::Missing { path: path.to_owned() };
    }
    let is_link = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_symlink());
    if is_link {
        PrivateFileError::Symlink { path: path.to_owned(), kind: "file" }
    } else {
        io_error("opening", path, source)
    }
}

fn io_error(action: &'static str, path: &Path, source: io::Error) -> PrivateFileError {
    PrivateFileError::Io { action, path: path.to_owned(), source }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn what_is_written_is_private_and_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        fs::write(folder.path().join(".key.pem.new"), "left by a crash").unwrap();
        write(&path, b"one").unwrap();
        write(&path, b"two").unwrap();
        assert_eq!(read(&path).unwrap().as_slice(), b"two");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        remove(&path).unwrap();
        remove(&path).unwrap();
        assert!(matches!(read(&path), Err(PrivateFileError::Missing { .. })));
    }

    #[test]
    fn a_new_file_takes_no_name_that_something_has() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        create(&at("new"), b"one").unwrap();
        assert_eq!(read(&at("new")).unwrap().as_slice(), b"one");
        symlink(at("nowhere"), at("link")).unwrap();
        fs::create_dir(at("folder")).unwrap();
        for taken in ["new", "link", "folder"] {
            assert!(matches!(create(&at(taken), b"two"), Err(PrivateFileError::Exists { .. })), "{taken}");
        }
        // Whoever took the name in between.
        fs::write(at(".late.new"), b"two").unwrap();
        fs::write(at("late"), b"one").unwrap();
        let late = rename_to_new(&at(".late.new"), &at("late")).unwrap_err();
        assert_eq!(late.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(at("late")).unwrap(), b"one");
        assert_eq!(read(&at("new")).unwrap().as_slice(), b"one");
        assert!(create(&at("missing/file"), b"two").is_err());
    }

    #[test]
    fn unsafe_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        write(&path, b"secret").unwrap();
        for unsafe_mode in [0o644, 0o640, 0o620, 0o604, 0o666] {
            mode(&path, unsafe_mode);
            assert!(
                matches!(read(&path), Err(PrivateFileError::Mode { .. })),
                "{unsafe_mode:o} was accepted"
            );
        }
        mode(&path, 0o400);
        assert!(read(&path).is_ok());

        let link = folder.path().join("link.pem");
        symlink(&path, &link).unwrap();
        assert!(matches!(read(&link), Err(PrivateFileError::Symlink { .. })));
        assert!(matches!(read(folder.path()), Err(PrivateFileError::Kind { .. })));

        let pipe = folder.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0)
            .unwrap();
        assert!(matches!(read(&pipe), Err(PrivateFileError::Kind { .. })));

        let long = folder.path().join("long");
        write(&long, &vec![b'x'; usize::try_from(MAX_BYTES).unwrap() + 1]).unwrap();
        assert!(matches!(read(&long), Err(PrivateFileError::TooLong { .. })));
    }

    #[test]
    fn unsafe_folders_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        make_folder(&inner).unwrap();
        assert_eq!(fs::metadata(&inner).unwrap().permissions().mode() & 0o777, 0o700);
        mode(&inner, 0o770);
        assert!(matches!(check_folder(&inner), Err(PrivateFileError::Mode { .. })));
        mode(&inner, 0o755);
        assert!(check_folder(&inner).is_ok());
        let link = folder.path().join("link");
        symlink(&inner, &link).unwrap();
        assert!(matches!(check_folder(&link), Err(PrivateFileError::Symlink { .. })));
    }
}
