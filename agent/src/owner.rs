//! Work in the state folder as the user whose it is: what root leaves there would be out of the service's reach.
//!
//! root alone can change who it is, so for everybody else the work runs as it is and meets the files' own checks. Only
//! one thread changes its user, does the work and ends. Knows nothing of the work.

use std::{
    io,
    path::{Path, PathBuf},
};

/// Why the work could not be begun.
#[derive(Debug, thiserror::Error)]
#[error("work in {folder} can't be done as the user that owns it")]
pub struct OwnerError {
    /// The state folder.
    pub folder: PathBuf,
    /// The system's answer.
    #[source]
    pub source: io::Error,
}

/// Runs `work` as the owner of `folder` where this process is root, and else as it is.
pub fn as_owner<T: Send>(folder: &Path, work: impl FnOnce() -> T + Send) -> Result<T, OwnerError> {
    let failed = |source| OwnerError { folder: folder.to_owned(), source };
    match other_owner(folder).map_err(failed)? {
        None => Ok(work()),
        Some(owner) => run_as(owner, work).map_err(failed),
    }
}

/// Whether this process may read everything of the machine.
pub fn is_root() -> bool {
    #[cfg(unix)]
    return rustix::process::geteuid().is_root();
    #[cfg(not(unix))]
    return true;
}

/// User and group.
#[derive(Debug, Clone, Copy)]
struct Owner {
    user: u32,
    group: u32,
}

#[cfg(target_os = "linux")]
fn other_owner(folder: &Path) -> io::Result<Option<Owner>> {
    use std::os::unix::fs::MetadataExt;

    if !is_root() {
        return Ok(None);
    }
    let metadata = std::fs::symlink_metadata(folder)?;
    let owner = Owner { user: metadata.uid(), group: metadata.gid() };
    Ok((owner.user != 0).then_some(owner))
}

#[cfg(not(target_os = "linux"))]
fn other_owner(_folder: &Path) -> io::Result<Option<Owner>> {
    Ok(None)
}

#[cfg(target_os = "linux")]
fn run_as<T: Send>(owner: Owner, work: impl FnOnce() -> T + Send) -> io::Result<T> {
    use rustix::{
        process::{Gid, Uid},
        thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid},
    };

    std::thread::scope(|scope| {
        let working = scope.spawn(move || {
            let (user, group) = (Uid::from_raw(owner.user), Gid::from_raw(owner.group));
            set_thread_groups(&[])?;
            set_thread_res_gid(group, group, group)?;
            set_thread_res_uid(user, user, user)?;
            Ok(work())
        });
        working.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

#[cfg(not(target_os = "linux"))]
fn run_as<T: Send>(_owner: Owner, work: impl FnOnce() -> T + Send) -> io::Result<T> {
    Ok(work())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::{fs, os::unix::fs::MetadataExt};

    use super::*;

    #[test]
    fn root_works_as_the_owner_and_is_root_again() {
        let folder = tempfile::tempdir().unwrap();
        let own = rustix::process::geteuid().as_raw();
        let make = |name: &str| {
            let path = folder.path().join(name);
            as_owner(folder.path(), move || fs::write(&path, "x").map(|()| path)).unwrap().unwrap()
        };
        assert_eq!(fs::metadata(make("own")).unwrap().uid(), own);
        if own != 0 || std::os::unix::fs::chown(folder.path(), Some(4321), Some(4321)).is_err() {
            eprintln!("skipped: only root can work as somebody else");
            return;
        }
        let metadata = fs::metadata(make("theirs")).unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (4321, 4321));
        assert_eq!(rustix::process::geteuid().as_raw(), own, "the change outlived its thread");
        // Nothing of root is left meanwhile.
        let secret = folder.path().join("secret");
        fs::write(&secret, "x").unwrap();
        fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let read = as_owner(folder.path(), || fs::read(&secret)).unwrap();
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }
}
