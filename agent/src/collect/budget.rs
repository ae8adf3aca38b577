//! What one source may use: time, operations and bytes.
//!
//! Knows nothing of what is read. A tree that never ends, or a disk that answers slowly, ends one source with an error
//! entry and leaves the others their time. One operation that hangs is not cut short: it is bounded by what is read.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use muster_common::inventory::ErrorKind;

use crate::{host::HostError, sources::Problems};

/// What one source and one collection may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Time of one source.
    pub source: Duration,
    /// Time of all sources together.
    pub collection: Duration,
    /// Operations of one source: files opened, folders listed, paths looked at.
    pub operations: u64,
    /// What one source reads, in bytes.
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            source: Duration::from_secs(10),
            collection: Duration::from_secs(60),
            operations: 250_000,
            bytes: 1 << 30,
        }
    }
}

/// What is left of the limits for one source.
#[derive(Debug)]
pub(super) struct Budget {
    limits: Limits,
    until: Instant,
    operations: Cell<u64>,
    bytes: Cell<u64>,
    ended: Cell<Option<Ended>>,
}

#[derive(Debug, Clone, Copy)]
enum Ended {
    Time,
    Amount,
}

impl Budget {
    /// For a source that starts now, in a collection that started at `begun`.
    pub(super) fn new(limits: Limits, begun: Instant) -> Self {
        let until = (Instant::now() + limits.source).min(begun + limits.collection);
        Self { limits, until, operations: Cell::new(0), bytes: Cell::new(0), ended: Cell::new(None) }
    }

    /// One operation on a path; an error once anything is used up, and ever after.
    pub(super) fn operation(&self, path: &str) -> Result<(), HostError> {
        self.operations.set(self.operations.get() + 1);
        if self.ended.get().is_none() {
            if self.operations.get() > self.limits.operations || self.bytes.get() > self.limits.bytes {
                self.ended.set(Some(Ended::Amount));
            } else if Instant::now() >= self.until {
                self.ended.set(Some(Ended::Time));
            }
        }
        match self.ended.get() {
            None => Ok(()),
            Some(Ended::Time) => {
                Err(HostError::TimedOut { path: path.to_owned(), seconds: self.limits.source.as_secs() })
            }
            Some(Ended::Amount) => Err(HostError::Exhausted { path: path.to_owned() }),
        }
    }

    /// So many bytes were read.
    pub(super) fn read(&self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.bytes.set(self.bytes.get().saturating_add(bytes));
    }

    /// Whether something was refused.
    pub(super) fn is_used_up(&self) -> bool {
        self.ended.get().is_some()
    }

    /// Says what was refused, since a source may take a path that it can't read for one that isn't there.
    pub(super) fn tell(&self, source: &str, problems: &mut Problems) {
        match self.ended.get() {
            None => {}
            Some(Ended::Time) => {
                let message = format!(
                    "stopped after {} s of its own or {} s of all sources; what it had not read is missing",
                    self.limits.source.as_secs(),
                    self.limits.collection.as_secs()
                );
                problems.add(source, ErrorKind::TimedOut, message);
            }
            Some(Ended::Amount) => {
                let message = format!(
                    "stopped after {} operations or {} bytes; what it had not read is missing",
                    self.limits.operations, self.limits.bytes
                );
                problems.add(source, ErrorKind::TooLarge, message);
            }
        }
    }
}
