//! Which device is this? A pure function from evidence and candidates to a decision that explains itself.
//!
//! Knows nothing of how evidence is kept or found: the pipeline brings the candidates that share an identifier with
//! the evidence, says whose streams are open, and commits what is decided. Never "first hit wins": more than one
//! candidate at the deciding strength is a [`Decision::Conflict`], for people to settle.
//!
//! Evidence is read in [`evidence`], its texts brought to one form in [`normalise`] and thrown away when they are
//! [`placeholder`]s; [`candidate`] compares it with one known device, `judge` says what that comparison means, and
//! [`decide()`] chooses between the candidates.

pub mod maker;
pub mod normalise;
pub mod placeholder;

pub mod evidence;
pub mod identifier;

pub mod candidate;
pub mod decide;
mod judge;

pub mod clones;

pub use candidate::{Candidate, CandidateSubject};
pub use decide::{ClaimCounts, Decision, Rank, decide};
pub use evidence::{Evidence, ImportedIdentity, Origin};
pub use identifier::{Identifier, IdentifierKind};
