//! What has not been acknowledged yet, bounded, on disk.
//!
//! There is no queue of reports: an inventory is a state, so the newest one wins and what is kept is the newest
//! content of every section that differs from the acknowledged [baseline](crate::baseline), with the times at which
//! it changed. A reconnect compares that with what the collector holds and sends the difference. Two files:
//!
//! - `spool-sequence` holds the epoch (16 random bytes) and the next sequence. It is written *before* a report is
//!   sent, so that no sequence of an epoch ever stands for two reports: a crash in between leaves a gap, which the
//!   collector must allow. A file that can't be read means a new epoch, in which sequences start at 1 again.
//! - `spool-pending` holds the sections, whole and encoded, up to a bound (16 MiB unless configured). One that does
//!   not fit stays in memory alone and is collected again after a restart. A file that can't be read is as good as an
//!   empty one, since the agent collects at its start anyway; then only the times of changes are lost.
//!
//! Every write replaces the whole file atomically, so that a kill or a power cut at any point leaves the old or the
//! new state.

mod ledger;
mod pending;
mod sequence;

pub use ledger::{Ledger, Planned, Refusal};
pub use pending::{CHANGE_TIMES, DEFAULT_LIMIT_BYTES, Pending, PendingSection, Saved};
pub use sequence::{EpochError, Sequence, SpoolEpoch};
