//! Compares the log with what the store keeps: each entry with the changes that it accounts for, and what those changes
//! wrote with what is there now.
//!
//! The chain itself is for the caller to check, who need not believe this collector. What is found here is what the chain
//! can't show: that the log is whole, but the records or the changes beside it are others.

use std::collections::VecDeque;

use muster_common::audit::Linked;
use muster_proto::{convert::audit_entry_to_wire, v1};

use super::{AuditFailed, AuditLog};
use crate::store::{Change, Key, Position, StoreError, audit};

/// Entries in a page.
const PAGE: usize = 200;
/// Changes that are read at once.
const CHANGES: usize = 200;
/// Problems that one page tells; whoever reads a hundred reads no more.
const PROBLEMS: usize = 100;

/// Changes in their order, read as they are needed.
struct Changes<'a> {
    log: &'a AuditLog,
    after: Position,
    read: VecDeque<Change>,
    /// Positions up to this one are not kept any more.
    pruned: u64,
    problems: Vec<String>,
}

impl AuditLog {
    /// A page of the log behind number `after`, compared with what is kept.
    ///
    /// # Errors
    /// When the store can't answer.
    pub async fn walk(&self, after: u64) -> Result<v1::WalkAuditLogResponse, AuditFailed> {
        let mut response = v1::WalkAuditLogResponse::default();
        let position = self.store.position().await.number();
        let entries = audit::entries(self.store.as_ref(), after, PAGE).await?;
        let Some(first) = entries.first() else {
            let last = if after == 0 { None } else { Some(self.entry(after).await?) };
            let accounted = last.map_or(0, |linked| linked.entry.position);
            response.waiting_changes = position.saturating_sub(accounted);
            return Ok(response);
        };
        let mut changes = Changes {
            log: self,
            after: Position::from_number(first.entry.first.saturating_sub(1)),
            read: VecDeque::new(),
            pruned: 0,
            problems: Vec::new(),
        };
        for linked in &entries {
            changes.compare(linked, position, &mut response).await?;
        }
        response.problems = changes.problems;
        response.problems.truncate(PROBLEMS);
        response.entries = entries.iter().map(audit_entry_to_wire).collect();
        Ok(response)
    }
}

impl Changes<'_> {
    async fn compare(
        &mut self,
        linked: &Linked,
        newest: u64,
        response: &mut v1::WalkAuditLogResponse,
    ) -> Result<(), AuditFailed> {
        let entry = &linked.entry;
        // What an entry says of itself may be anything; nothing is looped over that isn't there.
        if entry.first == 0 || entry.position > newest || entry.position < entry.first {
            let number = entry.number;
            self.problems.push(format!("entry {number} tells of changes that there never were"));
            return Ok(());
        }
        for position in entry.first..=entry.position {
            let Some(change) = self.at(position).await? else {
                if position <= self.pruned {
                    response.pruned_changes += 1;
                } else {
                    self.problems.push(format!("change {position} is missing"));
                }
                continue;
            };
            response.compared_changes += 1;
            let same = if position == entry.position {
                let own = (change.time, &change.actor, &change.kind, audit::digest_of_change(&change));
                own == (entry.time, &entry.actor, &entry.kind, entry.writes)
            } else {
                let place = usize::try_from(position - entry.first).ok();
                let told = place.and_then(|place| entry.folded.get(place));
                told == Some(&audit::folded_of(&change).digest())
            };
            if !same {
                self.problems.push(format!(
                    "change {position} ({} by {}) is not the one that entry {} tells of",
                    change.kind, change.actor, entry.number
                ));
            }
        }
        Ok(())
    }

    /// The change at a position; `None` when it isn't kept.
    async fn at(&mut self, position: u64) -> Result<Option<Change>, AuditFailed> {
        loop {
            while self.read.front().is_some_and(|change| change.position.number() < position) {
                self.read.pop_front();
            }
            if let Some(change) = self.read.front() {
                let found = change.position.number() == position;
                return Ok(if found { self.read.pop_front() } else { None });
            }
            if position <= self.pruned {
                return Ok(None);
            }
            self.after = self.after.max(Position::from_number(position - 1));
            let read = match self.log.store.changes(self.after, CHANGES).await {
                Ok(read) => read,
                Err(StoreError::OutOfRange { oldest, .. }) if oldest > self.after => {
                    self.pruned = oldest.number();
                    self.after = oldest;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let Some(last) = read.last() else { return Ok(None) };
            self.after = last.position;
            self.compare_records(&read).await?;
            self.read = read.into();
        }
    }

    /// Whether the records that these changes wrote last are what they wrote.
    async fn compare_records(&mut self, changes: &[Change]) -> Result<(), AuditFailed> {
        let writes: Vec<_> = changes.iter().flat_map(|change| &change.writes).collect();
        let keys: Vec<Key> = writes.iter().map(|write| write.key.clone()).collect();
        let found = self.log.store.get(&keys).await?;
        for (write, found) in writes.into_iter().zip(found) {
            let Some(found) = found else { continue };
            let is_older = found.revision < write.revision;
            if is_older || found.revision == write.revision && Some(&found.value) != write.value.as_ref() {
                let key = &write.key;
                self.problems.push(format!("record {key} is not what was written there last"));
            }
        }
        Ok(())
    }
}
