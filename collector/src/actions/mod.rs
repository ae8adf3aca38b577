//! What operators change: each action reads, decides by policy, commits, and says what it did.
//!
//! Knows nothing of who asks and over which wire; the rim calls it with a name for the audit.

pub mod adopt;
pub mod carried;
pub mod carry;
pub mod charters;
pub mod excepting;
pub mod import;
pub mod lifecycle;
