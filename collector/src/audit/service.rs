//! The door through which auditors read the log: `muster.v1.Audit`.
//!
//! Reads and bounds what comes in; knows nothing of how the log is kept. Nothing here changes an entry.

use std::sync::Arc;

use muster_common::{id::DeviceId, time::Timestamp};
use muster_proto::{
    convert::{audit_entry_to_wire, from_timestamp, to_timestamp},
    v1::{self, audit_server, export_audit_pack_request},
};
use tokio::sync::mpsc;
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tonic::{Request, Response, Status};

use super::{AuditLog, Scope, Wanted};
use crate::{authz::Actor, status};

/// Lines of a pack that wait for whoever receives them.
const WAITING_LINES: usize = 64;
/// The longest text of a question, in bytes.
const MAX_TEXT: usize = 256;

/// `muster.v1.Audit`.
#[derive(Debug)]
pub struct AuditService {
    log: Arc<AuditLog>,
}

impl AuditService {
    /// Over a log.
    pub fn new(log: Arc<AuditLog>) -> Self {
        Self { log }
    }

    /// The service for a tonic router.
    pub fn into_server(self) -> audit_server::AuditServer<Self> {
        audit_server::AuditServer::new(self)
    }
}

#[tonic::async_trait]
impl audit_server::Audit for AuditService {
    async fn list_audit_entries(
        &self,
        request: Request<v1::ListAuditEntriesRequest>,
    ) -> Result<Response<v1::ListAuditEntriesResponse>, Status> {
        let v1::ListAuditEntriesRequest { page_size, page_token, actor, target, start_time, end_time } =
            request.into_inner();
        if actor.len() > MAX_TEXT || target.len() > MAX_TEXT {
            return Err(Status::invalid_argument(format!("actor and target have at most {MAX_TEXT} bytes")));
        }
        let size = muster_common::page::page_size(page_size) as usize;
        let below = match page_token.as_str() {
            "" => None,
            token => Some(token.parse().map_err(|_| {
                Status::invalid_argument(
                    "the page token does not belong to this list (start again without a token)",
                )
            })?),
        };
        let (start, end) = (start_time.as_ref().map(from_timestamp), end_time.as_ref().map(from_timestamp));
        let wanted = Wanted { actor, target, start, end };
        let (found, below) =
            self.log.list(&wanted, below, size).await.map_err(|error| status::audit(&error))?;
        Ok(Response::new(v1::ListAuditEntriesResponse {
            entries: found.iter().map(audit_entry_to_wire).collect(),
            next_page_token: below.map(|below| below.to_string()).unwrap_or_default(),
        }))
    }

    async fn walk_audit_log(
        &self,
        request: Request<v1::WalkAuditLogRequest>,
    ) -> Result<Response<v1::WalkAuditLogResponse>, Status> {
        let v1::WalkAuditLogRequest { after_number } = request.into_inner();
        let page = self.log.walk(after_number).await.map_err(|error| status::audit(&error))?;
        if let Some(problem) = page.problems.first() {
            tracing::error!(problem, "the audit log and what is kept contradict each other");
        }
        Ok(Response::new(page))
    }

    async fn sign_audit_head(
        &self,
        _: Request<v1::SignAuditHeadRequest>,
    ) -> Result<Response<v1::AuditHead>, Status> {
        let signed = self.log.sign_head().await.map_err(|error| status::audit(&error))?;
        Ok(Response::new(v1::AuditHead {
            trust_domain: signed.head.trust_domain.to_string(),
            number: signed.head.number,
            sha256: signed.head.hash.to_string(),
            time: Some(to_timestamp(signed.head.time)),
            line: signed.line(),
        }))
    }

    type ExportAuditPackStream =
        std::pin::Pin<Box<dyn Stream<Item = Result<v1::AuditPackLine, Status>> + Send + 'static>>;

    async fn export_audit_pack(
        &self,
        request: Request<v1::ExportAuditPackRequest>,
    ) -> Result<Response<Self::ExportAuditPackStream>, Status> {
        let actor = Actor::of(&request)?.clone();
        let scope = scope(request.into_inner())?;
        let (answers, receiver) = mpsc::channel(WAITING_LINES);
        let log = self.log.clone();
        tracing::info!(actor = %actor.name, audit.scope = %scope, "evidence pack exported");
        // It ends by itself when nobody receives any more.
        tokio::spawn(async move {
            let (lines, mut made) = mpsc::channel(1);
            // The sender goes with it, so that forwarding ends when all lines are made.
            let making = async {
                let lines = lines;
                log.export(scope, &actor.name, &lines).await
            };
            let forwarding = async {
                while let Some(line) = made.recv().await {
                    if answers.send(Ok(line)).await.is_err() {
                        return;
                    }
                }
            };
            let (outcome, ()) = tokio::join!(making, forwarding);
            if let Err(error) = outcome {
                // An error means that nobody receives any more.
                let _ = answers.send(Err(status::audit(&error))).await;
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}

fn scope(request: v1::ExportAuditPackRequest) -> Result<Scope, Status> {
    let missing = || Status::invalid_argument("say what the pack is about: an asset or a period");
    match request.scope.ok_or_else(missing)? {
        export_audit_pack_request::Scope::Asset(name) => {
            let id = name.strip_prefix("devices/").unwrap_or(&name);
            let id: DeviceId = id.parse().map_err(|_| {
                Status::invalid_argument("an asset is devices/ID (muster devices shows the ids)")
            })?;
            Ok(Scope::Asset(id))
        }
        export_audit_pack_request::Scope::Period(v1::AuditPeriod { start_time, end_time }) => {
            let start = start_time.as_ref().map_or(Timestamp::from_millis(0), from_timestamp);
            let end = end_time.as_ref().map_or(Timestamp::from_millis(i64::MAX), from_timestamp);
            if end <= start {
                return Err(Status::invalid_argument("the period ends before it begins"));
            }
            Ok(Scope::Period { start, end })
        }
    }
}
