//! Files that are there after a power cut: whole folders' entries synced, small files replaced at once.
//!
//! Knows nothing of what the files hold. Each step has a fail point, named by the caller's prefix at the step.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

use fail::fail_point;

use crate::store::StoreError;

/// Makes a folder and its parents, private to this user, and syncs the entry in its parent.
pub(crate) fn make_folder(folder: &Path) -> Result<(), StoreError> {
    if folder.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(StoreError::io("make the folder", folder))?;
    match folder.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_folder(parent),
        Some(_) | None => Ok(()),
    }
}

/// Makes names that were created, renamed or removed in a folder outlive a power cut.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    let synced = || -> io::Result<()> {
        fail_point!("store-folder-sync", |_| Err(io::Error::from_raw_os_error(
            rustix::io::Errno::IO.raw_os_error()
        )));
        File::open(folder)?.sync_all()
    };
    synced().map_err(StoreError::io("sync the folder", folder))
}

/// Replaces a small file: afterwards, whatever happens, it holds either the old bytes or these.
pub(crate) fn replace_file(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let temporary = path.with_extension("new");
    let written = || -> io::Result<()> {
        fail_point!("store-replace-write", |_| Err(io::Error::from(io::ErrorKind::StorageFull)));
        let mut file = create_private(&temporary)?;
        file.write_all(bytes)?;
        fail_point!("store-replace-sync", |_| Err(io::Error::from_raw_os_error(
            rustix::io::Errno::IO.raw_os_error()
        )));
        file.sync_all()
    };
    written().map_err(StoreError::io("write", &temporary))?;
    let renamed = || -> io::Result<()> {
        fail_point!("store-replace-rename", |_| Err(io::Error::from_raw_os_error(
            rustix::io::Errno::IO.raw_os_error()
        )));
        fs::rename(&temporary, path)
    };
    renamed().map_err(StoreError::io("put in place", path))?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// Creates or empties a file that only this user may read.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
