//! Adoption: what is there already is vouched for in bulk, at any state, by one audited act and without invented
//! evidence. Every company starts with a brownfield.
//!
//! Each asset gets a statement of its own, so that it can be taken back like any other word of a source. The source is
//! [`SOURCE`] and no operator's lock, so that whoever knows better later is believed.

use std::{collections::BTreeMap, sync::Arc};

use muster_common::{
    device::{Device, Field, Value},
    governance::{State, UnknownWord},
    id::DeviceId,
    source::{ImportName, Source},
};
use muster_proto::store::v1 as stored;
use prost::Message;

use crate::{
    pipeline::{ObserveError, Pipeline, observation::Observation},
    query::{Query, QueryFailure},
    records::{Read, RecordError, Subject, key},
    store::{Commit, CommitError, Position},
};

/// Under which name adoption speaks.
pub const SOURCE: &str = "adoption";
/// Assets of one act; more are several acts.
const MOST: usize = 100_000;
/// Assets that are named.
const NAMED: usize = 20;
/// The longest reason in bytes.
const REASON_BYTES: usize = 1024;

/// Why nothing, or not everything, was adopted; the same act again does the rest.
#[derive(Debug, thiserror::Error)]
pub enum AdoptFailure {
    /// The filter can't be read.
    #[error(transparent)]
    Filter(#[from] QueryFailure),
    /// Adopting everything must be said.
    #[error("the filter is empty: say what to adopt, for example flag:unknown")]
    Everything,
    /// More than one act takes.
    #[error("the filter finds {found} assets, one act takes {MOST} at most: narrow it")]
    TooMany {
        /// How many.
        found: usize,
    },
    /// Not a state.
    #[error("the state can't be taken: {0}")]
    State(#[from] UnknownWord),
    /// The reason is too long.
    #[error("the reason is longer than {REASON_BYTES} bytes")]
    Reason,
    /// A statement was not taken.
    #[error("could not adopt all: those before it are adopted, so try again")]
    Observe(#[from] ObserveError),
    /// A record could not be read.
    #[error("could not read what is known")]
    Read(#[from] RecordError),
    /// The audit entry was not taken.
    #[error("could not keep the act in the audit log")]
    Commit(#[from] CommitError),
}

/// What was, or would be, adopted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Adopted {
    /// How many assets the filter finds.
    pub matched: u64,
    /// How many of them change.
    pub adopted: u64,
    /// The first of those.
    pub some: Vec<(DeviceId, String)>,
    /// Of the audit entry; none for a dry run.
    pub position: Option<Position>,
}

/// Adopts.
#[derive(Debug, Clone)]
pub struct Adopter {
    pipeline: Arc<Pipeline>,
    query: Arc<Query>,
}

impl Adopter {
    /// Over the pipeline that takes statements and the query that reads filters.
    pub fn new(pipeline: Arc<Pipeline>, query: Arc<Query>) -> Self {
        Self { pipeline, query }
    }

    /// Adopts what a filter finds, at a state where one is given; a dry run only says what it would.
    ///
    /// # Errors
    /// When nothing was adopted, or not all; the same act again does the rest.
    pub async fn adopt(
        &self,
        filter: &str,
        state: &str,
        reason: &str,
        dry_run: bool,
        actor: &str,
    ) -> Result<Adopted, AdoptFailure> {
        if filter.trim().is_empty() {
            return Err(AdoptFailure::Everything);
        }
        if !state.is_empty() {
            state.parse::<State>()?;
        }
        if reason.len() > REASON_BYTES {
            return Err(AdoptFailure::Reason);
        }
        let found = self.query.devices_of(filter).await?;
        if found.len() > MOST {
            return Err(AdoptFailure::TooMany { found: found.len() });
        }
        let now = self.pipeline.now();
        let source = Source::Import(ImportName::new(SOURCE).expect("lower-case letters"));
        let mut outcome = Adopted { matched: found.len() as u64, ..Adopted::default() };
        let mut digest = blake3::Hasher::new();
        for id in found {
            let fields: BTreeMap<Field, Option<Value>> = if state.is_empty() {
                BTreeMap::new()
            } else {
                BTreeMap::from([(Field::State, Some(Value::Text(state.to_owned())))])
            };
            let statement =
                Observation::statement(source.clone(), id, fields, Some(true), now).decided_by(actor);
            let read: Read<Subject> = self.pipeline.records().get(key::subject(&statement.subject)).await?;
            if read.record.is_some_and(|said| says_so(&said, state)) {
                continue;
            }
            if outcome.some.len() < NAMED {
                let read: Read<Device> = self.pipeline.records().get(key::device(id)).await?;
                outcome.some.push((id, read.record.map(|device| device.display_name()).unwrap_or_default()));
            }
            if !dry_run {
                self.pipeline.observe(&statement).await?;
            }
            digest.update(id.as_bytes());
            outcome.adopted += 1;
        }
        if dry_run || outcome.adopted == 0 {
            return Ok(outcome);
        }
        let state = if state.is_empty() { "as they are".to_owned() } else { format!("as {state}") };
        let audit = stored::Audit {
            action: "adopt".to_owned(),
            target: format!("filter {}", self.query.filter_without_names(filter).await?),
            detail: format!(
                "{} of {} assets {state}, ids blake3:{}; {reason}",
                outcome.adopted,
                outcome.matched,
                digest.finalize().to_hex()
            ),
        };
        let commit = Commit {
            kind: "adopt".to_owned(),
            time: now,
            actor: actor.to_owned(),
            expected: Vec::new(),
            writes: Vec::new(),
            audit: Some(audit.encode_to_vec()),
        };
        outcome.position = Some(self.pipeline.records().commit(commit).await?);
        Ok(outcome)
    }
}

/// Whether an adoption was said already.
fn says_so(said: &Subject, state: &str) -> bool {
    let present = said.fields.get(&Field::State).map(|(value, _)| value);
    said.vouches && (state.is_empty() || present == Some(&Value::Text(state.to_owned())))
}
