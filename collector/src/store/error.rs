//! What can go wrong in a store, told apart by what the caller does next.
//!
//! A [`CommitError`] belongs to one commit: decide again, try later, or give up. A [`StoreError`] belongs to a read or
//! to the store as a whole.

use std::{io, path::PathBuf, sync::Arc};

use crate::store::{Key, Position, Revision};

/// Why a store takes no writes at present, or for ever.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// Under the low-water mark, or the disk said that it is full. It recovers by itself.
    #[error(
        "no space left for the store ({free_mib} MiB free, {needed_mib} MiB needed): free some, nothing else is to do"
    )]
    NoSpace {
        /// What the file system has left.
        free_mib: u64,
        /// What the store wants to see free before it takes writes again.
        needed_mib: u64,
    },
    /// The disk failed to keep what was written; what it holds now is unknown until it is read again.
    #[error("the disk failed to keep what was written: restart the collector, and look at the kernel's log")]
    DiskFailed,
    /// [`super::Store::close`] was called.
    #[error("the store is closed")]
    Closed,
}

/// Why one commit was not done. Nothing of it is in the store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// Somebody else was faster: read again, decide again.
    #[error("key {key} is at revision {found}, not at {expected}")]
    Conflict {
        /// The first key whose revision was another.
        key: Key,
        /// What the commit expected.
        expected: Revision,
        /// What the key is at.
        found: Revision,
    },
    /// Try again later; with [`Unavailable::DiskFailed`] whether it was done is known only after a restart.
    #[error("failed to commit")]
    Unavailable(#[from] Unavailable),
    /// It breaks a bound, and always will.
    #[error("the commit has {size} {what}, more than {most}")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much.
        size: usize,
        /// The bound.
        most: usize,
    },
    /// It writes where only the store does.
    #[error("the commit writes key {key}, which the store keeps for its audit log")]
    Reserved {
        /// The key.
        key: Key,
    },
    /// It writes one key twice.
    #[error("the commit writes key {key} twice")]
    DuplicateKey {
        /// The key.
        key: Key,
    },
}

/// Why a read, or opening or closing a store, failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The store answers nothing more.
    #[error("failed to use the store")]
    Unavailable(#[from] Unavailable),
    /// The changes after this position are not here: list everything again.
    #[error("changes after {after} are not kept (kept: after {oldest} up to {newest}): list again")]
    OutOfRange {
        /// What was asked for.
        after: Position,
        /// The oldest position after which changes are kept.
        oldest: Position,
        /// The newest position.
        newest: Position,
    },
    /// An argument breaks a bound.
    #[error("the request has {size} {what}, more than {most}")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much.
        size: usize,
        /// The bound.
        most: usize,
    },
    /// Another process has the store open.
    #[error("{} is in use by another collector: stop that one first", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// What is on disk isn't what was written there.
    #[error("{} is damaged: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        what: String,
    },
    /// The operating system refused.
    #[error("failed to {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// Why not.
        #[source]
        source: Arc<io::Error>,
    },
    /// The engine of the view failed.
    #[error("failed to read the view")]
    View(#[source] Arc<dyn std::error::Error + Send + Sync>),
}

impl StoreError {
    /// An operating system error, for `map_err`.
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source: Arc::new(source) }
    }

    /// A file that isn't as it was written.
    pub(crate) fn damaged(path: impl Into<PathBuf>, what: impl Into<String>) -> Self {
        Self::Damaged { path: path.into(), what: what.into() }
    }
}
