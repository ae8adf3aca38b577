//! The store: records by key, atomic commits with expected revisions, and the ordered log of every change.
//!
//! Knows nothing about devices, claims or operators: keys and values are bytes, and the typed keys stand in `key`.
//! One trait, so that everything above can be tested over [`memory`] and run over any backend; one conformance
//! suite (`collector/tests/it/store_conformance.rs`) says what every backend must do.
//!
//! **Revisions.** Absent is revision 0. The commit that creates a key gives it the commit's own position as its first
//! revision, and each later write raises it by one. A position rises at least as fast as any revision, so a key that
//! is deleted and created again always comes back with a higher revision than it ever had: whoever holds an old
//! revision gets a conflict, and no tombstones are kept.
//!
//! **Audit.** Each commit enters the audit log, which the store writes itself, as records under a prefix of its own:
//! see [`audit`].
//!
//! **To add a backend**: one folder with a type that implements [`Store`], and one line in the conformance suite.

pub mod audit;
pub mod bounds;
pub mod embedded;
pub mod error;
pub(crate) mod files;
pub(crate) mod journal;
pub mod memory;
pub(crate) mod sled;

use std::fmt;

use async_trait::async_trait;
use muster_common::time::Timestamp;
use tokio::sync::watch;

use bounds::MAX_KEY_BYTES;
pub use error::{CommitError, StoreError, Unavailable};

/// Where a record lies: 1 to [`bounds::MAX_KEY_BYTES`] bytes, compared as bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Box<[u8]>);

/// Bytes that can't be a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a key of {length} bytes is not possible (expected 1 to {MAX_KEY_BYTES})")]
pub struct InvalidKey {
    length: usize,
}

impl Key {
    /// Takes 1 to [`bounds::MAX_KEY_BYTES`] bytes.
    pub fn new(bytes: impl Into<Box<[u8]>>) -> Result<Self, InvalidKey> {
        let bytes = bytes.into();
        if bytes.is_empty() || bytes.len() > MAX_KEY_BYTES {
            return Err(InvalidKey { length: bytes.len() });
        }
        Ok(Self(bytes))
    }

    /// The bytes, in the order of which keys are scanned.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.0.escape_ascii())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.escape_ascii().fmt(f)
    }
}

/// How often a key was written, in the sense of the module's head: it only ever rises. 0 means absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Revision(u64);

impl Revision {
    /// The revision of a key that isn't there.
    pub const ABSENT: Self = Self(0);

    /// Takes a revision that was read from this store before.
    pub const fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// The number, 0 for absent.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The revision that a write at `position` gives to a key that has this one now.
    pub fn next(self, position: Position) -> Self {
        if self == Self::ABSENT { Self(position.0) } else { Self(self.0 + 1) }
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where a commit stands in the log; the first commit is 1, and embedded backends leave no number out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position(u64);

impl Position {
    /// Before the first commit.
    pub const START: Self = Self(0);

    /// Takes a position that this store gave out before.
    pub const fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// The number, 0 for [`Self::START`].
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The position `count` commits later.
    pub(crate) const fn ahead(self, count: usize) -> Self {
        Self(self.0 + count as u64)
    }

    /// The position that follows this one.
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A value and the revision that a commit must expect in order to replace it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned {
    /// At most [`bounds::MAX_VALUE_BYTES`] bytes, as they were committed.
    pub value: Vec<u8>,
    /// Never [`Revision::ABSENT`].
    pub revision: Revision,
}

/// One key's new value; `None` deletes it (deleting what isn't there changes nothing, but is logged).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// Each key at most once in a commit.
    pub key: Key,
    /// At most [`bounds::MAX_VALUE_BYTES`] bytes.
    pub value: Option<Vec<u8>>,
}

/// What happens together or not at all, and stands in the log as one change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// What it is, such as `report` or `token.create`; at most 128 bytes.
    pub kind: String,
    /// When, by the collector's clock.
    pub time: Timestamp,
    /// Who: an agent, operator, import or task; at most 256 bytes.
    pub actor: String,
    /// The revisions on which it was decided; [`Revision::ABSENT`] expects that the key isn't there.
    pub expected: Vec<(Key, Revision)>,
    /// The new values.
    pub writes: Vec<Write>,
    /// What the audit log says of it (`muster.store.v1.Audit`); a commit without is folded into the next entry.
    pub audit: Option<Vec<u8>>,
}

/// One key as a change left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The key.
    pub key: Key,
    /// Its value after the change; `None` when it was deleted.
    pub value: Option<Vec<u8>>,
    /// Its revision after the change. A deletion counts as a write here, though the key reads as absent afterwards;
    /// it is [`Revision::ABSENT`] when there was nothing to delete.
    pub revision: Revision,
}

/// A commit as it stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its place.
    pub position: Position,
    /// As in [`Commit::kind`].
    pub kind: String,
    /// As in [`Commit::time`].
    pub time: Timestamp,
    /// As in [`Commit::actor`].
    pub actor: String,
    /// Every key that it wrote, in the order of the commit.
    pub writes: Vec<Written>,
    /// As in [`Commit::audit`].
    pub audit: Option<Vec<u8>>,
}

impl Change {
    /// The bytes of its values and audit entry, by which pages are bounded.
    pub fn value_bytes(&self) -> usize {
        let values: usize = self.writes.iter().filter_map(|write| write.value.as_ref()).map(Vec::len).sum();
        values + self.audit.as_ref().map_or(0, Vec::len)
    }
}

/// The number that the store gave to a catalogue item: dense, from 1, for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CatalogueId(u32);

impl CatalogueId {
    /// Takes a number that the store gave out before.
    pub const fn from_number(number: u32) -> Self {
        Self(number)
    }

    /// The number, from 1.
    pub const fn number(self) -> u32 {
        self.0
    }
}

/// Something that many records refer to by number, such as a software title with its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogueItem {
    /// The first 128 bits of the digest of the normalised item; this alone is its identity.
    pub digest: [u8; 16],
    /// At most [`bounds::MAX_CATALOGUE_VALUE_BYTES`] bytes; of two values with one digest the first is kept.
    pub value: Vec<u8>,
}

/// When an endpoint was last seen, under the endpoint's key; `None` forgets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presence {
    /// Keys of presence are apart from those of records.
    pub key: Key,
    /// At most 4 KiB, kept as given.
    pub value: Option<Vec<u8>>,
}

/// What every backend does. All methods may be called by many tasks at once.
#[async_trait]
pub trait Store: Send + Sync + fmt::Debug {
    /// Commits each of `commits` whole or not at all, in this order, and answers in this order once all are durable.
    ///
    /// A later one sees the earlier ones' writes. One that fails doesn't hold up the others. Each that is done stands
    /// in the audit log, in the same durable write.
    async fn commit(&self, commits: Vec<Commit>) -> Vec<Result<Position, CommitError>>;

    /// The values of `keys`, in their order; sees every commit that has returned.
    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Versioned>>, StoreError>;

    /// The records whose key begins with `prefix` and is greater than `after`, in the order of their keys.
    ///
    /// At most `limit` (0 counts as 1), fewer when they hold more than about [`bounds::MAX_PAGE_BYTES`]; empty only at the end.
    async fn scan(
        &self,
        prefix: &[u8],
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<(Key, Versioned)>, StoreError>;

    /// The changes after `after`, oldest first; bounded as [`Self::scan`] is, and empty only at the end.
    ///
    /// [`StoreError::OutOfRange`] when what follows `after` isn't kept any more, or `after` was never reached: the
    /// caller lists everything again.
    async fn changes(&self, after: Position, limit: usize) -> Result<Vec<Change>, StoreError>;

    /// The numbers of `items`, in their order, given out now to those that are new.
    ///
    /// Doesn't wait for the disk, but every number is durable before any commit that is begun after this returned;
    /// so a number that no commit mentions may be given to another item after a crash.
    async fn intern(&self, items: Vec<CatalogueItem>) -> Result<Vec<CatalogueId>, StoreError>;

    /// The values of catalogue items, in the order of `ids`; `None` for numbers that were never given out.
    async fn catalogue(&self, ids: &[CatalogueId]) -> Result<Vec<Option<Vec<u8>>>, StoreError>;

    /// Keeps presences, in one batch outside revisions, log and chain; durable when it returns.
    async fn put_presence(&self, presences: Vec<Presence>) -> Result<(), StoreError>;

    /// Every presence that is kept, in the order of the keys.
    async fn presence(&self) -> Result<Vec<(Key, Vec<u8>)>, StoreError>;

    /// The position of the last commit that is durable and readable.
    async fn position(&self) -> Position;

    /// The same, as something to wait on.
    fn watch_position(&self) -> watch::Receiver<Position>;

    /// Whether a commit has a chance at present. [`Unavailable::DiskFailed`] stays: the process ends and starts again.
    fn health(&self) -> Result<(), Unavailable>;

    /// Finishes what was begun, makes the next start quick and lets go of every file; afterwards everything but
    /// [`Self::position`] answers [`Unavailable::Closed`]. Calling it again does nothing.
    async fn close(&self) -> Result<(), StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_bounded() {
        assert!(Key::new(*b"a").is_ok());
        assert!(Key::new(vec![0; MAX_KEY_BYTES]).is_ok());
        assert!(Key::new(Vec::new()).is_err());
        assert!(Key::new(vec![0; MAX_KEY_BYTES + 1]).is_err());
    }

    #[test]
    fn a_key_created_again_never_gets_an_old_revision() {
        let mut position = Position::START;
        let mut revision = Revision::ABSENT;
        let mut highest = 0;
        // Created, written as often as there are positions, deleted, created: the steepest climb that is possible.
        for step in 0..100 {
            position = position.next();
            let next = revision.next(position);
            assert!(next.number() > highest, "revision {next} at {position} after {highest}");
            highest = next.number();
            revision = if step % 7 == 6 { Revision::ABSENT } else { next };
        }
    }
}
