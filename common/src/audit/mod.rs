//! The audit log's arithmetic: how an entry is hashed, how entries are chained, and what a signed head says.
//!
//! Knows nothing of where entries are kept, sent or printed. It stands in `common` because the collector that writes the
//! chain and whoever checks it must compute alike; `docs/audit.md` writes the same down for those who have neither, and
//! `deploy/audit/verify.py` does it again with Python's standard library alone. What is hashed is fixed for ever.
//!
//! Every hash is SHA-256 over *parts*, each written as its length in decimal digits, a colon and its bytes, so that no
//! two lists of parts run together.

mod digest;
mod entry;
mod head;
mod walk;

pub use digest::{AuditDigest, InvalidDigest, digest_of_writes};
pub use entry::{Entry, Folded, Linked, link};
pub use head::{Head, HeadForged, SignedHead};
pub use walk::{Broken, Walk};
