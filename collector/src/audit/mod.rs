//! Reads the audit log: lists it, walks it against what the store keeps, cuts evidence packs out of it, signs its head.
//!
//! The store writes the log by itself (`store::audit`), so nothing here can make, change or leave out an entry; what the
//! log says of itself is never trusted here but laid before whoever asks, who does the arithmetic again. Knows nothing of
//! what a change means, but for the keys of a device's record and history.
//!
//! ```text
//! list    what people page through          walk   the log beside the changes it tells of
//! pack    evidence for an auditor           heads  signed heads, kept where nobody here can change them
//! ```

pub mod heads;
mod list;
mod pack;
pub mod service;
mod signer;
pub mod syslog;
mod walk;
mod wire;

use std::sync::Arc;

use muster_common::{
    audit::{AuditDigest, Head, Linked, SignedHead},
    time::{Clock, Timestamp},
};
use muster_proto::store::v1 as stored;
use prost::Message;

pub use list::Wanted;
pub use pack::Scope;
pub use signer::{Signer, SignerError};

use crate::store::{Commit, CommitError, Store, StoreError, audit};

/// Why the audit log can't answer.
#[derive(Debug, thiserror::Error)]
pub enum AuditFailed {
    /// The store did not answer.
    #[error("could not read the audit log")]
    Read(#[from] StoreError),
    /// That the log was asked could not be kept.
    #[error("could not keep the change")]
    Commit(#[from] CommitError),
    /// Nothing was ever changed: there is no end to sign.
    #[error("the audit log is empty: there is nothing to sign yet")]
    Empty,
    /// The log ends before an entry that was there a moment ago.
    #[error("entry {number} of the audit log is not there: run muster audit verify")]
    Missing {
        /// Which.
        number: u64,
    },
    /// There is no history of this device.
    #[error("nothing was ever kept of {asset} (muster devices shows the ids)")]
    NoSuchAsset {
        /// As it was asked for.
        asset: String,
    },
}

/// The audit log of a store.
#[derive(Debug)]
pub struct AuditLog {
    store: Arc<dyn Store>,
    signer: Signer,
    clock: Arc<dyn Clock>,
}

impl AuditLog {
    /// Over a store; heads are signed by `signer` and dated by `clock`.
    pub fn new(store: Arc<dyn Store>, signer: Signer, clock: Arc<dyn Clock>) -> Self {
        Self { store, signer, clock }
    }

    /// The key that signs heads, in hexadecimal digits.
    pub fn key_text(&self) -> String {
        self.signer.key_text()
    }

    /// Signs the log's end as it is now; changes of machines that wait to be folded in get an entry first.
    ///
    /// # Errors
    /// When the store can't be used, or nothing was ever changed.
    pub async fn sign_head(&self) -> Result<SignedHead, AuditFailed> {
        self.sign_head_at().await.map(|(head, _)| head)
    }

    /// The same, with the position up to which the head accounts for everything.
    async fn sign_head_at(&self) -> Result<(SignedHead, u64), AuditFailed> {
        let mut last = self.last().await?;
        let accounted = last.as_ref().map_or(0, |linked| linked.entry.position);
        if self.position().await > accounted {
            self.note("collector", "audit.seal", "", "folds what machines changed").await?;
            last = self.last().await?;
        }
        let last = last.ok_or(AuditFailed::Empty)?;
        Ok((self.signed(&last), last.entry.position))
    }

    /// The position of the last change.
    async fn position(&self) -> u64 {
        self.store.position().await.number()
    }

    /// The hash of the entry with a number, if there is one.
    async fn hash_of(&self, number: u64) -> Result<Option<AuditDigest>, AuditFailed> {
        match self.entry(number).await {
            Ok(linked) => Ok(Some(linked.hash)),
            Err(AuditFailed::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The last entry.
    async fn last(&self) -> Result<Option<Linked>, AuditFailed> {
        let number = audit::last_number(self.store.as_ref()).await?;
        if number == 0 { Ok(None) } else { self.entry(number).await.map(Some) }
    }

    /// The entry with a number.
    async fn entry(&self, number: u64) -> Result<Linked, AuditFailed> {
        let mut found = audit::entries(self.store.as_ref(), number.saturating_sub(1), 1).await?;
        found.pop().filter(|linked| linked.entry.number == number).ok_or(AuditFailed::Missing { number })
    }

    fn signed(&self, last: &Linked) -> SignedHead {
        let (number, hash) = (last.entry.number, last.hash);
        self.signer.sign(Head {
            trust_domain: self.signer.trust_domain().clone(),
            number,
            hash,
            time: self.now(),
        })
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Adds an entry that changes nothing.
    async fn note(&self, actor: &str, action: &str, target: &str, detail: &str) -> Result<(), AuditFailed> {
        let note =
            stored::Audit { action: action.to_owned(), target: target.to_owned(), detail: detail.to_owned() };
        let commit = Commit {
            kind: action.to_owned(),
            time: self.now(),
            actor: actor.to_owned(),
            expected: Vec::new(),
            writes: Vec::new(),
            audit: Some(note.encode_to_vec()),
        };
        self.store.commit(vec![commit]).await.pop().expect("one answer for each commit")?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
