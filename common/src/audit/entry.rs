//! One entry of the audit log, and the changes that it folds in.
//!
//! Every change of the store is either an entry or folded into the next one. A person's or a decision's change is always
//! an entry of its own. What machines say again and again (reports, rows of an import whose entry follows, flags that
//! time raises) is one hash in the entry after it, so that a report costs 32 bytes and not a record, and yet none can be
//! changed, left out, added or moved without another hash coming out.

use super::{AuditDigest, digest::Parts};
use crate::time::Timestamp;

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// From 1; none is left out.
    pub number: u64,
    /// The position of the first change that it accounts for: one past the entry before.
    pub first: u64,
    /// The position of its own change.
    pub position: u64,
    /// When, by the collector's clock.
    pub time: Timestamp,
    /// Who.
    pub actor: String,
    /// Which road the change took, such as `token.create` or `report`.
    pub kind: String,
    /// What was done; the kind again when nobody said more.
    pub action: String,
    /// To what; may be empty.
    pub target: String,
    /// More of it, for people; no personal values.
    pub detail: String,
    /// [`digest_of_writes`](super::digest_of_writes) of its own change.
    pub writes: AuditDigest,
    /// [`Folded::digest`] of each change between `first` and `position`.
    pub folded: Vec<AuditDigest>,
}

/// A change that has no entry of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folded {
    /// Its position.
    pub position: u64,
    /// When, by the collector's clock.
    pub time: Timestamp,
    /// Who.
    pub actor: String,
    /// Which road it took.
    pub kind: String,
    /// [`digest_of_writes`](super::digest_of_writes) of it.
    pub writes: AuditDigest,
}

/// An entry in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linked {
    /// The entry.
    pub entry: Entry,
    /// The hash of the entry before; [`AuditDigest::ZERO`] before the first.
    pub previous: AuditDigest,
    /// [`link`] of that and of the entry's body.
    pub hash: AuditDigest,
}

impl Entry {
    /// The hash of everything that it says.
    pub fn body(&self) -> AuditDigest {
        let Self { number, first, position, time, actor, kind, action, target, detail, writes, folded } =
            self;
        let parts = Parts::of("muster.audit.entry.1").number(number).number(first).number(position);
        let parts = parts.number(time.as_millis()).text(actor).text(kind).text(action).text(target);
        let parts = parts.text(detail).bytes(writes.as_bytes());
        folded.iter().fold(parts, |parts, digest| parts.bytes(digest.as_bytes())).finish()
    }

    /// The entry behind the one with this hash.
    pub fn after(self, previous: AuditDigest) -> Linked {
        let hash = link(&previous, &self.body());
        Linked { entry: self, previous, hash }
    }
}

impl Folded {
    /// What the entry after it keeps of it.
    pub fn digest(&self) -> AuditDigest {
        let Self { position, time, actor, kind, writes } = self;
        let parts = Parts::of("muster.audit.folded.1").number(position).number(time.as_millis());
        parts.text(actor).text(kind).bytes(writes.as_bytes()).finish()
    }
}

/// The hash of an entry: of the hash before and of its body, so that entries that nobody needs to see can stand in a
/// pack by their body's hash alone.
pub fn link(previous: &AuditDigest, body: &AuditDigest) -> AuditDigest {
    Parts::of("muster.audit.link.1").bytes(previous.as_bytes()).bytes(body.as_bytes()).finish()
}
