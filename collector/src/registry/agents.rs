//! Agents' identities: whether a certificate still stands for one, and which connections end when it does not.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicBool, atomic::Ordering},
};

use muster_common::{id::AgentId, source::SubjectKey, time::Timestamp};
use muster_proto::store::v1 as stored;
use prost::Message;
use tokio_util::sync::CancellationToken;

use super::{Registry, RegistryError};
use crate::{
    records::{Read, RecordError, key, put},
    store::{Commit, CommitError, Key, Position},
    tls::{peer::Peer, request::sha256},
};

/// Live streams of one agent's identity in all: clones of one image are told apart, a flood is not let in.
const STREAMS_PER_AGENT: u32 = 1_024;

/// Why an agent is not let in.
#[derive(Debug, thiserror::Error)]
pub enum AgentRefused {
    /// No such identity, or not with this certificate.
    #[error("this agent is not enrolled here, or its certificate was replaced: enrol it again")]
    Unknown,
    /// An operator took the identity back.
    #[error("this agent's identity was revoked: {reason}")]
    Revoked {
        /// Why.
        reason: String,
    },
    /// It has as many streams as it may.
    #[error("this agent already has {limit} open sessions: wait until one has ended")]
    TooMany {
        /// How many it may have.
        limit: u32,
    },
    /// The registry can't be read.
    #[error("could not read the registry")]
    Read(#[from] RecordError),
}

/// One identity while it has connections.
#[derive(Debug, Default)]
pub struct LiveAgent {
    revoked: AtomicBool,
    streams: Mutex<Streams>,
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Streams {
    next: u64,
    closers: HashMap<u64, CancellationToken>,
    by_subject: HashMap<SubjectKey, u32>,
}

/// A stream's place; it is free again when this is dropped.
#[derive(Debug)]
pub struct StreamPlace {
    agent: Arc<LiveAgent>,
    number: u64,
    subject: SubjectKey,
}

impl LiveAgent {
    /// Whether the identity was taken back since the connection began: one atomic load for each message.
    pub fn is_revoked(&self) -> bool {
        self.revoked.load(Ordering::Acquire)
    }

    /// Waits until no other stream of this identity is being opened: clones of one image begin at the same moment, and
    /// would each decide again on what the others have just changed.
    pub async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// Takes a place for a stream of a subject, which may have `limit` of them; `closer` is cancelled when the identity is revoked.
    ///
    /// # Errors
    /// [`AgentRefused::TooMany`].
    pub fn open(
        self: &Arc<Self>,
        subject: &SubjectKey,
        limit: u32,
        closer: CancellationToken,
    ) -> Result<StreamPlace, AgentRefused> {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        if streams.closers.len() >= STREAMS_PER_AGENT as usize {
            return Err(AgentRefused::TooMany { limit: STREAMS_PER_AGENT });
        }
        let open = streams.by_subject.entry(subject.clone()).or_default();
        if *open >= limit {
            return Err(AgentRefused::TooMany { limit });
        }
        *open += 1;
        streams.next += 1;
        let number = streams.next;
        streams.closers.insert(number, closer);
        Ok(StreamPlace { agent: self.clone(), number, subject: subject.clone() })
    }
}

impl Drop for StreamPlace {
    fn drop(&mut self) {
        let mut streams = self.agent.streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.closers.remove(&self.number);
        if let Some(open) = streams.by_subject.get_mut(&self.subject) {
            *open -= 1;
            if *open == 0 {
                streams.by_subject.remove(&self.subject);
            }
        }
    }
}

impl Registry {
    /// Whether a verified certificate still stands for an agent.
    ///
    /// # Errors
    /// Why not.
    pub async fn admit(&self, agent: AgentId, peer: &Peer) -> Result<Arc<LiveAgent>, AgentRefused> {
        let read: Read<stored::Agent> = self.records.get(key::agent(agent)).await?;
        let record = read.record.ok_or(AgentRefused::Unknown)?;
        if record.revoked {
            return Err(AgentRefused::Revoked { reason: record.revoked_reason });
        }
        let current = record.certificate_chain.first().map(|der| sha256(der));
        if current != Some(peer.certificate_fingerprint) {
            return Err(AgentRefused::Unknown);
        }
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        if live.len() > 100_000 {
            live.retain(|_, agent| Arc::strong_count(agent) > 1);
        }
        Ok(live.entry(agent).or_default().clone())
    }

    /// Takes an agent's identity back and cuts its streams.
    ///
    /// # Errors
    /// When there is no such agent, or the change can't be kept.
    pub async fn revoke_agent(
        &self,
        agent: AgentId,
        reason: &str,
        actor: &str,
        now: Timestamp,
    ) -> Result<Position, RegistryError> {
        loop {
            let read: Read<stored::Agent> = self.records.get(key::agent(agent)).await?;
            let Some(before) = &read.record else {
                return Err(RegistryError::NotFound { kind: "agent", name: agent.to_string() });
            };
            let after = stored::Agent { revoked: true, revoked_reason: reason.to_owned(), ..before.clone() };
            let audit = stored::Audit {
                action: "agent.revoke".to_owned(),
                target: agent.to_string(),
                detail: reason.to_owned(),
            };
            let commit = Commit {
                kind: "agent.revoke".to_owned(),
                time: now,
                actor: actor.to_owned(),
                expected: vec![read.expectation()],
                writes: vec![put(read.key.clone(), &after)],
                audit: Some(audit.encode_to_vec()),
            };
            match self.records.commit(commit).await {
                Ok(position) => {
                    self.cut(agent);
                    return Ok(position);
                }
                Err(CommitError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn cut(&self, agent: AgentId) {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner).remove(&agent);
        if let Some(live) = live {
            live.revoked.store(true, Ordering::Release);
            for closer in live.streams.lock().unwrap_or_else(PoisonError::into_inner).closers.values() {
                closer.cancel();
            }
        }
    }

    /// Whether an agent has an open stream.
    pub fn is_connected(&self, agent: AgentId) -> bool {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner).get(&agent).cloned();
        live.is_some_and(|live| {
            !live.streams.lock().unwrap_or_else(PoisonError::into_inner).closers.is_empty()
        })
    }

    /// The agents that follow `after`, at most `limit`.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn agents(
        &self,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<(Key, stored::Agent)>, RegistryError> {
        Ok(self.records.scan(key::AGENTS, after, limit).await?)
    }
}
