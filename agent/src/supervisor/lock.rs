//! One process for each state folder: two would use one spool's sequences twice.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
};

const FILE: &str = "lock";
const EXPORT_FILE: &str = "export-lock";

/// The state folder is ours until this is dropped.
#[derive(Debug)]
pub struct StateLock {
    _file: File,
}

/// Why the state folder can't be ours.
#[derive(Debug, thiserror::Error)]
pub enum StateLockError {
    /// Another process has it.
    #[error("{path} is in use: stop the service first, or use another state_dir")]
    InUse {
        /// The lock file.
        path: PathBuf,
    },
    /// It can't be locked.
    #[error("locking {path} failed")]
    Io {
        /// The lock file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
}

impl StateLock {
    /// Takes the folder, which is there already, or says who else may have it.
    pub fn take(folder: &Path) -> Result<Self, StateLockError> {
        Self::take_file(folder.join(FILE))
    }

    /// Takes the count of exports alone: an export goes well beside the service, and not beside another one.
    pub fn take_exports(folder: &Path) -> Result<Self, StateLockError> {
        Self::take_file(folder.join(EXPORT_FILE))
    }

    fn take_file(path: PathBuf) -> Result<Self, StateLockError> {
        let failed = |source| StateLockError::Io { path: path.clone(), source };
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(StateLockError::InUse { path }),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_has_it_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = StateLock::take(folder.path()).unwrap();
        assert!(matches!(StateLock::take(folder.path()), Err(StateLockError::InUse { .. })));
        drop(first);
        StateLock::take(folder.path()).unwrap();
    }
}
