//! Exceptions: asked for, approved or refused, withdrawn, each an entry of the audit log; and a finding acknowledged.
//!
//! What may be done by whom is `governance`'s; here it is read, kept, and put in force.

use std::{sync::Arc, time::Duration};

use muster_common::{
    flag::FlagCode,
    governance::{Exception, ExceptionState, Scope},
    id::{DeviceId, ExceptionId},
    time::Timestamp,
};
use muster_proto::store::v1 as stored;
use prost::Message;

use crate::{
    governance::exceptions::{self, Refused, Wanted},
    pipeline::{ObserveError, Pipeline},
    query::{Query, QueryFailure, page},
    records::{Read, RecordError, key, put},
    store::{Commit, CommitError, Key, Position},
};

/// Who asks, with the roles that they have at this moment.
pub use crate::governance::exceptions::Who as Asked;

/// When whoever decides goes away, the clock judges the rest after so long.
const REST_AFTER: Duration = Duration::from_secs(120);
/// Exceptions that are read in one go.
const PAGE: usize = 500;

/// Why nothing was done about an exception or a finding.
#[derive(Debug, thiserror::Error)]
pub enum ExceptingFailure {
    /// Policy.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// No such exception.
    #[error("there is no exception {id} (muster exception list shows them)")]
    NoException {
        /// Which.
        id: ExceptionId,
    },
    /// The device has no such open finding.
    #[error("device {device} has no open finding {code}")]
    NoFinding {
        /// Which device.
        device: DeviceId,
        /// Which finding.
        code: FlagCode,
    },
    /// Somebody else was faster.
    #[error("somebody else changed the exception: look at it, then try again")]
    Contended,
    /// The scope is not one.
    #[error(transparent)]
    Scope(#[from] QueryFailure),
    /// Devices could not be judged.
    #[error("could not judge what the exception covers")]
    Observe(#[from] ObserveError),
    /// It could not be read.
    #[error("could not read the exceptions")]
    Read(#[from] RecordError),
    /// It was not taken.
    #[error("could not keep the exception")]
    Commit(#[from] CommitError),
}

/// What somebody does to an exception.
#[derive(Debug, Clone)]
pub enum Decision {
    /// It holds until its end.
    Approve,
    /// It doesn't.
    Refuse,
    /// It ends now.
    Withdraw,
}

/// Keeps exceptions.
#[derive(Debug, Clone)]
pub struct Excepting {
    pipeline: Arc<Pipeline>,
    query: Arc<Query>,
}

impl Excepting {
    /// Over the pipeline that judges and the query that reads filters.
    pub fn new(pipeline: Arc<Pipeline>, query: Arc<Query>) -> Self {
        Self { pipeline, query }
    }

    /// Asks for one; a filter is one that may be kept, see [`crate::query::View::filter_to_keep`].
    ///
    /// # Errors
    /// When the charter doesn't allow it.
    pub async fn request(
        &self,
        code: FlagCode,
        scope: Scope,
        reason: String,
        until: Timestamp,
        who: Asked<'_>,
    ) -> Result<Exception, ExceptingFailure> {
        let now = self.pipeline.now();
        let wanted = Wanted { code, scope, reason, until };
        let exception =
            exceptions::request(&self.pipeline.charter(), ExceptionId::random(), wanted, who, now)?;
        let read = self.pipeline.records().get(key::exception(exception.id)).await?;
        self.keep(&read, &exception, "exception.request", who.account, now).await?;
        Ok(exception)
    }

    /// Approves, refuses or withdraws one, and judges what it covers.
    ///
    /// # Errors
    /// When there is none, or policy refuses.
    pub async fn decide(
        &self,
        id: ExceptionId,
        decision: Decision,
        remark: String,
        who: Asked<'_>,
    ) -> Result<Exception, ExceptingFailure> {
        let now = self.pipeline.now();
        let charter = self.pipeline.charter();
        let read: Read<Exception> = self.pipeline.records().get(key::exception(id)).await?;
        let Some(before) = &read.record else { return Err(ExceptingFailure::NoException { id }) };
        let (after, action) = match decision {
            Decision::Approve => {
                (exceptions::decide(&charter, before, true, remark, who, now)?, "exception.approve")
            }
            Decision::Refuse => {
                (exceptions::decide(&charter, before, false, remark, who, now)?, "exception.refuse")
            }
            Decision::Withdraw => {
                (exceptions::withdraw(&charter, before, remark, who, now)?, "exception.withdraw")
            }
        };
        self.keep(&read, &after, action, who.account, now).await?;
        if after.state != ExceptionState::Refused {
            let changed = self.pipeline.set_exceptions(self.all().await?, REST_AFTER, now);
            let actor = format!("exceptions/{id} by {}", who.account);
            self.pipeline.judge_these(&changed, &actor, now).await?;
        }
        Ok(after)
    }

    /// A page of exceptions, with the token of the next one.
    ///
    /// # Errors
    /// When the token is of another list, or the store can't be read.
    pub async fn page(&self, token: &str, size: usize) -> Result<(Vec<Exception>, String), ExceptingFailure> {
        let after = page::key(token, key::EXCEPTIONS).map_err(QueryFailure::from)?;
        let listed = self.pipeline.records().scan(key::EXCEPTIONS, after.as_ref(), size + 1).await?;
        Ok(page::cut(listed, size))
    }

    /// How many assets have an exception's finding and are covered by it at present; 0 unless it is good.
    pub fn covered(&self, exception: &Exception) -> u64 {
        let now = self.pipeline.now();
        if !exception.is_good_at(now) {
            return 0;
        }
        self.query.count_with_flag(&self.pipeline.covered_by(exception, now), exception.code)
    }

    /// Notes that somebody has seen a finding.
    ///
    /// # Errors
    /// When the device has no such open finding.
    pub async fn acknowledge(
        &self,
        device: DeviceId,
        code: FlagCode,
        account: &str,
    ) -> Result<Position, ExceptingFailure> {
        let audit = stored::Audit {
            action: "flag.acknowledge".to_owned(),
            target: format!("devices/{device}"),
            detail: code.name().to_owned(),
        };
        let now = self.pipeline.now();
        let done = self.pipeline.acknowledge(device, code, account, audit.encode_to_vec(), now).await?;
        done.ok_or(ExceptingFailure::NoFinding { device, code })
    }

    async fn all(&self) -> Result<Vec<Exception>, ExceptingFailure> {
        let mut after: Option<Key> = None;
        let mut all = Vec::new();
        loop {
            let page: Vec<(Key, Exception)> =
                self.pipeline.records().scan(key::EXCEPTIONS, after.as_ref(), PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(all) };
            after = Some(last.clone());
            all.extend(page.into_iter().map(|(_, exception)| exception));
        }
    }

    async fn keep(
        &self,
        read: &Read<Exception>,
        exception: &Exception,
        action: &str,
        actor: &str,
        now: Timestamp,
    ) -> Result<Position, ExceptingFailure> {
        let scope = match &exception.scope {
            Scope::Device(device) => format!("devices/{device}"),
            Scope::Filter(filter) => format!("filter {filter}"),
        };
        let own = if exception.is_self_approved() { ", approved by its requester" } else { "" };
        let audit = stored::Audit {
            action: action.to_owned(),
            target: format!("exceptions/{}", exception.id),
            detail: format!("{} on {scope} until {}{own}", exception.code, exception.until),
        };
        let commit = Commit {
            kind: "exception".to_owned(),
            time: now,
            actor: actor.to_owned(),
            expected: vec![read.expectation()],
            writes: vec![put(read.key.clone(), exception)],
            audit: Some(audit.encode_to_vec()),
        };
        match self.pipeline.records().commit(commit).await {
            Ok(position) => Ok(position),
            Err(CommitError::Conflict { .. }) => Err(ExceptingFailure::Contended),
            Err(error) => Err(error.into()),
        }
    }
}
