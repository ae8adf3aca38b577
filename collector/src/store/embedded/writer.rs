//! The one thread that writes: takes commits in groups, decides which may be done, makes them durable and readable,
//! and only then tells.
//!
//! Knows nothing of async but its end of the channel. There is no timer: while the disk is busy with one group the next
//! one gathers, so a lone commit waits for nobody and a crowd shares one sync.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use muster_common::{audit::AuditDigest, time::Timestamp};
use tokio::sync::{mpsc, oneshot};

use crate::store::sled::View;
use crate::store::{
    Commit, CommitError, Key, Position, Revision, StoreError, Unavailable,
    audit::{Chain, Told},
    embedded::Inner,
    journal::{
        AppendError, Journal,
        entry::{Effect, Entry, PAYLOAD_VERSION},
    },
};

/// The most commits in one group.
const GROUP_COMMITS: usize = 256;
/// About the most bytes in one group.
const GROUP_BYTES: usize = 8 << 20;

/// What each commit of a request came to, in order.
pub(super) type Results = Vec<Result<Position, CommitError>>;

/// What the writer is asked for.
#[derive(Debug)]
pub(super) enum Message {
    /// Do these.
    Commit {
        /// Within their bounds.
        commits: Vec<Digested>,
        /// Gets the results; nobody may be waiting any more.
        reply: oneshot::Sender<Results>,
    },
    /// Finish what came before and stop.
    Close,
}

/// A commit with the digest of its writes, which is made where many can do it at once.
#[derive(Debug)]
pub(super) struct Digested {
    pub(super) commit: Commit,
    pub(super) writes: AuditDigest,
}

/// The writer's thread.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) journal: Journal,
    pub(super) view: Arc<View>,
    pub(super) inner: Arc<Inner>,
    pub(super) messages: mpsc::Receiver<Message>,
    pub(super) chain: Chain,
}

/// Commits that are written together.
#[derive(Debug, Default)]
struct Group {
    entries: Vec<Entry>,
    /// For each entry, the digest of its writes.
    digests: Vec<AuditDigest>,
    /// For each entry, which request it belongs to and at which place.
    places: Vec<(usize, usize)>,
    /// What keys are at, those of the group's own writes included.
    revisions: HashMap<Key, Revision>,
    bytes: usize,
}

impl Writer {
    /// Works until it is told to stop, or nobody can ask any more.
    pub(super) fn run(mut self) {
        while let Some(first) = self.messages.blocking_recv() {
            let mut requests = Vec::new();
            let mut replies = Vec::new();
            let mut count = 0;
            let mut next = Some(first);
            let mut is_closing = false;
            while let Some(message) = next.take() {
                match message {
                    Message::Commit { commits, reply } => {
                        count += commits.len();
                        requests.push(commits);
                        replies.push(reply);
                    }
                    Message::Close => is_closing = true,
                }
                if count < GROUP_COMMITS && !is_closing {
                    next = self.messages.try_recv().ok();
                }
            }
            for (reply, results) in replies.into_iter().zip(self.process(requests)) {
                // Whoever asked may have gone; what was done is done.
                let _ = reply.send(results);
            }
            if is_closing {
                return;
            }
        }
    }

    fn process(&mut self, requests: Vec<Vec<Digested>>) -> Vec<Results> {
        let mut results: Vec<Results> = requests
            .iter()
            .map(|commits| commits.iter().map(|_| Err(Unavailable::Closed.into())).collect())
            .collect();
        let mut group = Group::default();
        for (request, commits) in requests.into_iter().enumerate() {
            for (place, Digested { commit, writes }) in commits.into_iter().enumerate() {
                if group.entries.len() >= GROUP_COMMITS || group.bytes >= GROUP_BYTES {
                    self.write(std::mem::take(&mut group), &mut results);
                }
                match self.decide(commit, &mut group) {
                    Ok(entry) => {
                        group.entries.push(entry);
                        group.digests.push(writes);
                        group.places.push((request, place));
                    }
                    Err(error) => results[request][place] = Err(error),
                }
            }
        }
        self.write(group, &mut results);
        results
    }

    /// The effects of a commit if it may be done now.
    fn decide(&self, commit: Commit, group: &mut Group) -> Result<Entry, CommitError> {
        let Commit { kind, time, actor, expected, writes, audit } = commit;
        for (key, expected) in expected {
            let found = self.revision(&key, group)?;
            if found != expected {
                return Err(CommitError::Conflict { key, expected, found });
            }
        }
        let position = Position::from_number(self.journal.last()).ahead(group.entries.len() + 1);
        // Read all before anything is noted, so that a failing read leaves the group as it was.
        let before: Vec<_> =
            writes.iter().map(|write| self.revision(&write.key, group)).collect::<Result<_, _>>()?;
        let mut effects = Vec::with_capacity(writes.len());
        for (write, before) in writes.into_iter().zip(before) {
            let revision = match &write.value {
                None if before == Revision::ABSENT => Revision::ABSENT,
                None | Some(_) => before.next(position),
            };
            let remembered = if write.value.is_some() { revision } else { Revision::ABSENT };
            group.bytes += write.value.as_ref().map_or(0, Vec::len) + 256;
            effects.push(Effect {
                key: write.key.as_bytes().to_vec(),
                revision: revision.number(),
                value: write.value,
            });
            group.revisions.insert(write.key, remembered);
        }
        Ok(Entry {
            payload_version: PAYLOAD_VERSION,
            kind,
            time_ms: time.as_millis(),
            actor,
            effects,
            audit,
            catalogue: Vec::new(),
            logged: None,
        })
    }

    fn revision(&self, key: &Key, group: &mut Group) -> Result<Revision, CommitError> {
        if let Some(revision) = group.revisions.get(key) {
            return Ok(*revision);
        }
        let read = catch_unwind(AssertUnwindSafe(|| self.view.revision(key)));
        let revision = self.usable(read).map_err(CommitError::Unavailable)?;
        group.revisions.insert(key.clone(), revision);
        Ok(revision)
    }

    fn write(&mut self, mut group: Group, results: &mut [Results]) {
        let Some(entry) = group.entries.first_mut() else { return };
        // Taken only now: what was numbered before any of these commits was begun is among it.
        entry.catalogue = self.inner.catalogue().take();
        let first = self.journal.last() + 1;
        let chain = self.log(first, &mut group);
        let outcome = self.make_durable(first, &mut group.entries);
        if outcome.is_ok() {
            self.chain = chain;
            self.inner.position.send_replace(Position::from_number(self.journal.last()));
        }
        for ((request, place), sequence) in group.places.into_iter().zip(first..) {
            results[request][place] = match &outcome {
                Ok(()) => Ok(Position::from_number(sequence)),
                Err(unavailable) => Err(unavailable.clone().into()),
            };
        }
    }

    /// Puts the entries of the audit log beside what they tell of; the chain goes on from there once that is durable.
    fn log(&self, first: u64, group: &mut Group) -> Chain {
        let mut chain = self.chain.clone();
        for ((entry, writes), position) in group.entries.iter_mut().zip(&group.digests).zip(first..) {
            let logged = chain.add(Told {
                position: Position::from_number(position),
                time: Timestamp::from_millis(entry.time_ms),
                actor: &entry.actor,
                kind: &entry.kind,
                note: entry.audit.as_deref(),
                writes: *writes,
            });
            entry.logged = logged.map(|(key, value)| Effect {
                key: key.as_bytes().to_vec(),
                revision: position,
                value: Some(value),
            });
        }
        chain
    }

    fn make_durable(&mut self, first: u64, entries: &mut [Entry]) -> Result<(), Unavailable> {
        let written = self.inner.writable().and_then(|()| match self.journal.append(entries) {
            Ok(()) => Ok(()),
            Err(AppendError::NoSpace) => Err(self.inner.space.full()),
            Err(AppendError::Failed(error)) => Err(self.inner.fail(&error)),
        });
        if let Err(unavailable) = written {
            self.inner.catalogue().put_back(std::mem::take(&mut entries[0].catalogue));
            return Err(unavailable);
        }
        let applied = catch_unwind(AssertUnwindSafe(|| self.view.apply(first, entries)));
        self.usable(applied)?;
        self.inner.catalogue().settle(&entries[0].catalogue);
        Ok(())
    }

    /// Stops all acknowledging if the view failed: the next start makes it again from the journal.
    fn usable<T>(&self, outcome: std::thread::Result<Result<T, StoreError>>) -> Result<T, Unavailable> {
        match outcome {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(self.inner.fail(&error)),
            Err(_) => Err(self.inner.fail(&std::io::Error::other("the view's engine panicked"))),
        }
    }
}
