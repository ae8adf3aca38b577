//! Typed records over the store's bytes: which key holds what, and how it is written.
//!
//! Knows nothing of decisions; the spine reads and writes through here, so that bytes at rest have one room. Each value
//! stands in an envelope with its schema version; a version that is not known is an error and never a guess.

pub mod content;
mod device;
mod exception;
pub mod key;
mod subject;

use std::sync::Arc;

use muster_proto::store::v1 as stored;
use prost::Message;

pub(crate) use device::{claim_from_stored, claim_to_stored, flag_from_stored, flag_to_stored};
pub use subject::{SectionHead, Subject};

use crate::store::{Commit, CommitError, Key, Position, Revision, Store, StoreError, Write};

/// The meaning of the payloads that this version writes.
const SCHEMA_VERSION: u32 = 1;

/// A record that can't be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The store did not answer.
    #[error("could not read the store")]
    Store(#[from] StoreError),
    /// The bytes are not what the key promises.
    #[error("record {key} is damaged: {reason}")]
    Damaged {
        /// Where it lies.
        key: Key,
        /// What is wrong with it.
        reason: String,
    },
}

/// Bytes that are not the record that they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub String);

/// Something that is kept under a key.
pub trait Record: Sized {
    /// Its form at rest.
    type Stored: Message + Default;

    /// To that form.
    fn to_stored(&self) -> Self::Stored;

    /// From that form.
    fn from_stored(stored: Self::Stored) -> Result<Self, Malformed>;
}

/// Records whose form at rest is all that they need.
macro_rules! plain {
    ($($name:ident),*) => { $(
        impl Record for stored::$name {
            type Stored = Self;

            fn to_stored(&self) -> Self {
                self.clone()
            }

            fn from_stored(stored: Self) -> Result<Self, Malformed> {
                Ok(stored)
            }
        }
    )* };
}

plain!(
    Account,
    Agent,
    CharterVersion,
    Enrolment,
    EvidenceNote,
    GapCounts,
    Handover,
    HistoryEntry,
    IdentifierClaims,
    ImportMapping,
    Person,
    PersonReference,
    PurchaseRequest,
    RefusedRow,
    Review,
    SectionContent,
    Token
);

/// A record as it was read; [`Revision::ABSENT`] and `None` when it is not there.
#[derive(Debug, Clone)]
pub struct Read<R> {
    /// Where it lies.
    pub key: Key,
    /// What it is.
    pub record: Option<R>,
    /// What a commit that was decided on it must expect.
    pub revision: Revision,
}

impl<R> Read<R> {
    /// What a commit that was decided on it must expect.
    pub fn expectation(&self) -> (Key, Revision) {
        (self.key.clone(), self.revision)
    }
}

/// The store, by records.
#[derive(Debug, Clone)]
pub struct Records {
    store: Arc<dyn Store>,
}

impl Records {
    /// Over a store.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// The store itself, for what has no records: the catalogue, presence and the change log.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Reads one record.
    pub async fn get<R: Record>(&self, key: Key) -> Result<Read<R>, RecordError> {
        let mut read = self.get_all(vec![key]).await?;
        Ok(read.pop().expect("one answer for each key"))
    }

    /// Reads records of one kind, in the order of the keys.
    pub async fn get_all<R: Record>(&self, keys: Vec<Key>) -> Result<Vec<Read<R>>, RecordError> {
        // Most questions for what belongs to something new have no keys, and a store may go to another thread for them.
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let found = self.store.get(&keys).await?;
        keys.into_iter()
            .zip(found)
            .map(|(key, found)| match found {
                None => Ok(Read { key, record: None, revision: Revision::ABSENT }),
                Some(versioned) => {
                    let record = decode(&key, &versioned.value)?;
                    Ok(Read { key, record: Some(record), revision: versioned.revision })
                }
            })
            .collect()
    }

    /// Reads the records that follow `after` under a prefix, at most `limit`; empty only at the end.
    pub async fn scan<R: Record>(
        &self,
        prefix: &[u8],
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<(Key, R)>, RecordError> {
        let found = self.store.scan(prefix, after, limit).await?;
        found
            .into_iter()
            .map(|(key, versioned)| {
                let record = decode(&key, &versioned.value)?;
                Ok((key, record))
            })
            .collect()
    }

    /// Commits one change.
    pub async fn commit(&self, commit: Commit) -> Result<Position, CommitError> {
        self.store.commit(vec![commit]).await.pop().expect("one answer for each commit")
    }
}

/// A write of a record.
pub fn put<R: Record>(key: Key, record: &R) -> Write {
    Write { key, value: Some(encode(record)) }
}

/// A write that takes a record away.
pub fn delete(key: Key) -> Write {
    Write { key, value: None }
}

/// A record's bytes.
pub fn encode<R: Record>(record: &R) -> Vec<u8> {
    let payload = record.to_stored().encode_to_vec();
    stored::Envelope { schema_version: SCHEMA_VERSION, payload }.encode_to_vec()
}

/// A record from its bytes.
pub fn decode<R: Record>(key: &Key, bytes: &[u8]) -> Result<R, RecordError> {
    let damaged = |reason: String| RecordError::Damaged { key: key.clone(), reason };
    let envelope = stored::Envelope::decode(bytes).map_err(|error| damaged(error.to_string()))?;
    if envelope.schema_version != SCHEMA_VERSION {
        return Err(damaged(format!(
            "its schema version is {}, this collector knows {SCHEMA_VERSION}: install the version that wrote it, or newer",
            envelope.schema_version
        )));
    }
    let stored =
        R::Stored::decode(envelope.payload.as_slice()).map_err(|error| damaged(error.to_string()))?;
    R::from_stored(stored).map_err(|error| damaged(error.to_string()))
}
