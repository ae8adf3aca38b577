//! Pages of the log, newest first, by who did what to what and when.
//!
//! Knows nothing of pages' tokens as text. The log has no index: a question that few entries answer reads many, so that
//! each page reads a bounded number and may come back shorter than asked for.

use muster_common::{
    audit::{Entry, Linked},
    time::Timestamp,
};

use super::{AuditFailed, AuditLog};
use crate::store::audit;

/// Entries that are read at once.
const READ_AT_ONCE: u64 = 500;
/// Entries that one page looks at.
const LOOKED_AT: u64 = 50_000;

/// What is looked for; empty texts and absent times let everything through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The actor, or the part of it behind slash or colon.
    pub actor: String,
    /// A part of the target.
    pub target: String,
    /// Not before.
    pub start: Option<Timestamp>,
    /// Before.
    pub end: Option<Timestamp>,
}

impl Wanted {
    fn lets_through(&self, entry: &Entry) -> bool {
        let Self { actor, target, start, end } = self;
        let by = actor.is_empty()
            || entry.actor == *actor
            || entry.actor.split_once(['/', ':']).is_some_and(|(_, name)| name == actor);
        by && (target.is_empty() || entry.target.contains(target.as_str()))
            && start.is_none_or(|start| entry.time >= start)
            && end.is_none_or(|end| entry.time < end)
    }
}

impl AuditLog {
    /// At most `size` entries with a number below `below`, newest first, and the number below which the next page begins.
    ///
    /// # Errors
    /// When the store can't answer.
    pub async fn list(
        &self,
        wanted: &Wanted,
        below: Option<u64>,
        size: usize,
    ) -> Result<(Vec<Linked>, Option<u64>), AuditFailed> {
        let last = audit::last_number(self.store.as_ref()).await?;
        let mut below = below.map_or(last + 1, |below| below.min(last + 1));
        let stop = below.saturating_sub(LOOKED_AT).max(1);
        let mut found = Vec::new();
        while below > stop {
            let from = below.saturating_sub(READ_AT_ONCE).max(stop);
            let read = self.between(from, below).await?;
            found.extend(read.into_iter().rev().filter(|linked| wanted.lets_through(&linked.entry)));
            below = from;
            if found.len() > size {
                break;
            }
        }
        if found.len() > size {
            found.truncate(size);
            below = found.last().map_or(below, |linked| linked.entry.number);
        }
        Ok((found, (below > 1).then_some(below)))
    }

    /// The entries from number `from` and below `below`.
    async fn between(&self, from: u64, below: u64) -> Result<Vec<Linked>, AuditFailed> {
        let mut found: Vec<Linked> = Vec::new();
        let mut after = from - 1;
        while after + 1 < below {
            let count = usize::try_from(below - 1 - after).unwrap_or(usize::MAX);
            let read = audit::entries(self.store.as_ref(), after, count).await?;
            let Some(last) = read.last() else { break };
            after = last.entry.number.max(after + 1);
            found.extend(read);
        }
        Ok(found)
    }
}
