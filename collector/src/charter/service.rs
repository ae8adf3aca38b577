//! `muster.v1.Charter`: each method reads its request, calls the spine, and answers.

use std::sync::Arc;

use muster_common::{flag::FlagCode, governance::Scope, id::DeviceId, page::page_size};
use muster_proto::{
    convert::from_timestamp,
    v1::{self, charter_server},
};
use tonic::{Request, Response, Status};

use super::convert;
use crate::{
    actions::{
        adopt::Adopter,
        charters::Charters,
        excepting::{Asked, Decision, Excepting},
    },
    authz::Actor,
    pipeline::Pipeline,
    query::Query,
    status,
};

/// The longest charter in bytes, and room around it.
const MESSAGE_BYTES: usize = muster_charter::MAX_BYTES + 64 * 1024;
/// Devices that a difference names for each flag.
const NAMED: usize = 20;
/// The most that can be asked for.
const MOST_NAMED: usize = 1_000;

/// The service.
#[derive(Debug)]
pub struct CharterService {
    pipeline: Arc<Pipeline>,
    charters: Arc<Charters>,
    excepting: Excepting,
    adopter: Adopter,
    query: Arc<Query>,
}

impl CharterService {
    /// Over the spine.
    pub fn new(
        pipeline: Arc<Pipeline>,
        charters: Arc<Charters>,
        excepting: Excepting,
        adopter: Adopter,
        query: Arc<Query>,
    ) -> Self {
        Self { pipeline, charters, excepting, adopter, query }
    }

    /// The service for a tonic router; a message may be as large as a charter.
    pub fn into_server(self) -> charter_server::CharterServer<Self> {
        charter_server::CharterServer::new(self).max_decoding_message_size(MESSAGE_BYTES)
    }

    /// A device that the actor sees.
    async fn seen(&self, actor: &Actor, name: &str) -> Result<DeviceId, Status> {
        self.query.seen_by(&actor.sight).seen(name).await.map_err(|error| status::query(&error))
    }

    async fn decide(
        &self,
        actor: &Actor,
        name: &str,
        decision: Decision,
        remark: String,
    ) -> Result<Response<v1::Exception>, Status> {
        let id = convert::exception_id(name)?;
        let decided = self.excepting.decide(id, decision, remark, asked_by(actor)).await;
        let exception = decided.map_err(|error| status::excepting(&error))?;
        tracing::info!(actor = %actor.name, exception.id = %id, state = %exception.state, "exception decided");
        let covered = self.excepting.covered(&exception);
        Ok(Response::new(convert::exception(&exception, covered, self.pipeline.now())))
    }
}

fn asked_by(actor: &Actor) -> Asked<'_> {
    Asked { account: &actor.name, roles: &actor.roles }
}

#[tonic::async_trait]
impl charter_server::Charter for CharterService {
    async fn get_charter(
        &self,
        request: Request<v1::GetCharterRequest>,
    ) -> Result<Response<v1::CharterVersion>, Status> {
        let found = self.charters.get(request.get_ref().version).await;
        let (version, charter) = found.map_err(|error| status::charter(&error))?;
        Ok(Response::new(convert::whole(version, &charter, self.pipeline.now())))
    }

    async fn list_charter_versions(
        &self,
        request: Request<v1::ListCharterVersionsRequest>,
    ) -> Result<Response<v1::ListCharterVersionsResponse>, Status> {
        let v1::ListCharterVersionsRequest { page_size: size, page_token } = request.into_inner();
        let size = page_size(size) as usize;
        let listed = self.charters.page(&page_token, size).await;
        let (versions, next) = listed.map_err(|error| status::charter(&error))?;
        let versions = versions.into_iter().map(convert::listed).collect();
        Ok(Response::new(v1::ListCharterVersionsResponse { versions, next_page_token: next }))
    }

    async fn try_charter(
        &self,
        request: Request<v1::TryCharterRequest>,
    ) -> Result<Response<v1::CharterDifference>, Status> {
        let v1::TryCharterRequest { text, named } = request.into_inner();
        let named = usize::try_from(named).ok().filter(|named| *named > 0).unwrap_or(NAMED).min(MOST_NAMED);
        let compared = self.charters.compare(&text, named).await.map_err(|error| status::charter(&error))?;
        Ok(Response::new(convert::difference(compared)))
    }

    async fn apply_charter(
        &self,
        request: Request<v1::ApplyCharterRequest>,
    ) -> Result<Response<v1::ApplyCharterResponse>, Status> {
        let actor = Actor::of(&request)?.clone();
        let v1::ApplyCharterRequest { text, reason, expected_version } = request.into_inner();
        let applied = self.charters.apply(&text, &reason, expected_version, &actor.name).await;
        let applied = applied.map_err(|error| status::charter(&error))?;
        tracing::info!(
            actor = %actor.name,
            charter.version = applied.version,
            judged = applied.judged.judged,
            changed = applied.judged.changed,
            "charter applied"
        );
        Ok(Response::new(v1::ApplyCharterResponse {
            version: applied.version,
            judged_count: applied.judged.judged,
            changed_count: applied.judged.changed,
            position: applied.position.to_string(),
        }))
    }

    async fn adopt(&self, request: Request<v1::AdoptRequest>) -> Result<Response<v1::AdoptResponse>, Status> {
        let actor = Actor::of(&request)?.clone();
        let v1::AdoptRequest { filter, state, reason, validate_only } = request.into_inner();
        let adopted = self.adopter.adopt(&filter, &state, &reason, validate_only, &actor.name).await;
        let adopted = adopted.map_err(|error| status::adopt(&error))?;
        if !validate_only {
            tracing::info!(actor = %actor.name, adopted = adopted.adopted, "assets adopted");
        }
        Ok(Response::new(v1::AdoptResponse {
            matched_count: adopted.matched,
            adopted_count: adopted.adopted,
            unchanged_count: adopted.matched - adopted.adopted,
            some: convert::named(adopted.some),
            position: adopted.position.map(|position| position.to_string()).unwrap_or_default(),
        }))
    }

    async fn list_work_items(
        &self,
        request: Request<v1::ListWorkItemsRequest>,
    ) -> Result<Response<v1::ListWorkItemsResponse>, Status> {
        let sight = Actor::of(&request)?.sight.clone();
        let work = self.query.seen_by(&sight).work(&request.get_ref().filter).await;
        let work = work.map_err(|error| status::query(&error))?;
        let items = work.items.into_iter().map(|(item, filter)| v1::WorkItem {
            title: item.title,
            codes: item.codes.iter().map(|code| code.name().to_owned()).collect(),
            severity: convert::severity(item.severity).into(),
            device_count: item.devices,
            filter,
        });
        Ok(Response::new(v1::ListWorkItemsResponse {
            items: items.collect(),
            open_count: work.open,
            excepted_count: work.excepted,
        }))
    }

    async fn acknowledge_flag(
        &self,
        request: Request<v1::AcknowledgeFlagRequest>,
    ) -> Result<Response<v1::AcknowledgeFlagResponse>, Status> {
        let actor = Actor::of(&request)?.clone();
        let v1::AcknowledgeFlagRequest { device, code } = request.get_ref();
        let device = self.seen(&actor, device).await?;
        let code = read_code(code)?;
        let done = self.excepting.acknowledge(device, code, &actor.name).await;
        let position = done.map_err(|error| status::excepting(&error))?;
        Ok(Response::new(v1::AcknowledgeFlagResponse { position: position.to_string() }))
    }

    async fn request_exception(
        &self,
        request: Request<v1::RequestExceptionRequest>,
    ) -> Result<Response<v1::Exception>, Status> {
        let actor = Actor::of(&request)?.clone();
        let v1::RequestExceptionRequest { code, scope, reason, until_time } = request.into_inner();
        let scope = match scope {
            Some(v1::request_exception_request::Scope::Device(device)) => {
                Scope::Device(self.seen(&actor, &device).await?)
            }
            Some(v1::request_exception_request::Scope::Filter(filter)) if !filter.trim().is_empty() => {
                let kept = self.query.seen_by(&actor.sight).filter_to_keep(&filter).await;
                Scope::Filter(kept.map_err(|error| status::query(&error))?)
            }
            Some(v1::request_exception_request::Scope::Filter(_)) | None => {
                return Err(Status::invalid_argument("say which device or filter the exception is for"));
            }
        };
        let until = until_time.as_ref().map(from_timestamp);
        let until = until.ok_or_else(|| Status::invalid_argument("say when the exception ends"))?;
        let asked = self.excepting.request(read_code(&code)?, scope, reason, until, asked_by(&actor)).await;
        let exception = asked.map_err(|error| status::excepting(&error))?;
        tracing::info!(actor = %actor.name, exception.id = %exception.id, "exception asked for");
        Ok(Response::new(convert::exception(&exception, 0, self.pipeline.now())))
    }

    async fn decide_exception(
        &self,
        request: Request<v1::DecideExceptionRequest>,
    ) -> Result<Response<v1::Exception>, Status> {
        let actor = Actor::of(&request)?.clone();
        let v1::DecideExceptionRequest { name, approve, remark } = request.into_inner();
        let decision = if approve { Decision::Approve } else { Decision::Refuse };
        self.decide(&actor, &name, decision, remark).await
    }

    async fn withdraw_exception(
        &self,
        request: Request<v1::WithdrawExceptionRequest>,
    ) -> Result<Response<v1::Exception>, Status> {
        let actor = Actor::of(&request)?.clone();
        let v1::WithdrawExceptionRequest { name, remark } = request.into_inner();
        self.decide(&actor, &name, Decision::Withdraw, remark).await
    }

    async fn list_exceptions(
        &self,
        request: Request<v1::ListExceptionsRequest>,
    ) -> Result<Response<v1::ListExceptionsResponse>, Status> {
        let request = request.into_inner();
        let wanted = request.state();
        let size = page_size(request.page_size) as usize;
        let listed = self.excepting.page(&request.page_token, size).await;
        let (listed, next) = listed.map_err(|error| status::excepting(&error))?;
        let now = self.pipeline.now();
        let shown = listed
            .iter()
            .filter(|exception| {
                wanted == v1::ExceptionState::Unspecified || convert::state(exception, now) == wanted
            })
            .map(|exception| convert::exception(exception, self.excepting.covered(exception), now));
        Ok(Response::new(v1::ListExceptionsResponse { exceptions: shown.collect(), next_page_token: next }))
    }
}

fn read_code(code: &str) -> Result<FlagCode, Status> {
    code.parse().map_err(|unknown: muster_common::flag::UnknownFlag| {
        let known: Vec<&str> = FlagCode::ALL.iter().map(|code| code.name()).collect();
        Status::invalid_argument(format!("{unknown} (flags: {})", known.join(", ")))
    })
}
