//! Turns an inventory into what goes over the wire: encoded once, compared by digests, split into envelopes.
//!
//! Knows nothing of files, sockets and schedules, so that an agent and a load generator share it. The rules that the
//! collector mirrors:
//!
//! - **Full** (`base_digest` absent): the upserts are the whole section and `result_digest` is the digest of their
//!   manifest. With status `PARTIAL` the collector merges them into what it holds, removes nothing and compares no
//!   digest; since neither end knows the result's digest then, such a section stays full until it was `COMPLETE`, and
//!   Hello does not claim it.
//! - **Delta** (`base_digest` present): `base_digest` is the digest of the manifest that the agent believes the
//!   collector holds, `result_digest` the digest once the delta is applied. A `PARTIAL` delta has no removals. An
//!   empty delta says that only status or errors changed, or asks the collector to compare.
//! - **Without content** (status `FAILED` or `NOT_AVAILABLE`): no base and no items. Only status and errors change;
//!   whatever the collector holds of the section stays, as does the agent's baseline. `result_digest` is that
//!   baseline's, or that of an empty section, and is not compared.
//! - A `COMPLETE` section whose base is empty is sent in full, which is as short and needs no agreement.
//! - The collector answers `Want` when the base or the result does not have the digest that it should have, and
//!   `Nack` when a sequence can't be used at all. A full section is never wanted again for its digest.
//! - A report's chunks share its sequence. Each repeats the head of the sections whose items it carries: name,
//!   status, base and result. Errors and times of changes stand in the first chunk of their section alone, so appending
//!   the chunks' lists gives each list whole.
//!
//! A load generator does what an agent does: [`EncodedInventory::new`] once, [`step`] for each section against what
//! its device has been acknowledged ([`Held`], empty at first), [`envelopes`] for the message, and on `Ack` the step's
//! `reached` is what is held.

mod encode;
mod envelope;
mod evidence;
mod section;

pub use encode::{EncodedInventory, EncodedSection, HeadDigest, SECTION_BYTES};
pub use envelope::{REPORT_BYTES, envelopes};
pub use evidence::{evidence, evidence_of, is_evidence};
pub use section::{Held, Step, differs, step};
