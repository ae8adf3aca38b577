//! The door through which operators change things: tokens, agents, imports.
//!
//! Reads and bounds what comes in; what happens is the registry's and `actions`' to decide, with the name of the actor
//! that `authz` has let through. Knows nothing of records' content.

use std::{sync::Arc, time::Duration};

use muster_common::{
    id::{AgentId, DeviceId},
    time::Timestamp,
    trust::token::{RootPin, TokenId},
};
use muster_proto::{
    convert::{to_timestamp, to_timestamp_endpoint},
    limits,
    store::v1 as stored,
    v1::{self, admin_server},
};
use tokio::sync::Semaphore;
use tonic::{Request, Response, Status};

use crate::{
    actions::{carry::Carry, import::Importer},
    authz::Actor,
    import::{self, carried::Opener},
    pipeline::Pipeline,
    query::{Query, page},
    records::key,
    registry::{
        Persons, Registry,
        token::{NewToken, TokenKind},
    },
    status,
};

/// The longest that a token may be good: 90 days.
const MAX_LIFETIME: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// The most machines that a bulk token may let in.
const MAX_USES: u32 = 100_000;
/// The longest reason, in bytes.
const MAX_REASON: usize = 256;
/// Carried reports that are opened at once; each may need as much memory as the largest report.
const REPORTS_AT_ONCE: usize = 2;
/// What a request has beside the file that it carries, in bytes.
const REQUEST_ROOM: usize = 64 * 1024;

/// `muster.v1.Admin`.
#[derive(Debug)]
pub struct AdminService {
    pipeline: Arc<Pipeline>,
    registry: Arc<Registry>,
    query: Arc<Query>,
    importer: Importer,
    carry: Carry,
    opener: Arc<Opener>,
    /// Held while a carried report is opened and taken in.
    opening: Semaphore,
    root_pin: RootPin,
}

impl AdminService {
    /// Over the spine; `opener` and `root_pin` are the authority's, for carried reports and enrolment strings.
    pub fn new(
        pipeline: Arc<Pipeline>,
        registry: Arc<Registry>,
        query: Arc<Query>,
        persons: Persons,
        opener: Opener,
        root_pin: RootPin,
    ) -> Self {
        let importer = Importer::new(pipeline.clone(), persons);
        let carry = Carry::new(pipeline.clone());
        let opening = Semaphore::new(REPORTS_AT_ONCE);
        Self { pipeline, registry, query, importer, carry, opener: Arc::new(opener), opening, root_pin }
    }

    /// The service for a tonic router; its messages may be as large as a file to import.
    pub fn into_server(self) -> admin_server::AdminServer<Self> {
        admin_server::AdminServer::new(self).max_decoding_message_size(limits::IMPORT_BYTES + REQUEST_ROOM)
    }
}

#[tonic::async_trait]
impl admin_server::Admin for AdminService {
    async fn create_token(
        &self,
        request: Request<v1::CreateTokenRequest>,
    ) -> Result<Response<v1::CreateTokenResponse>, Status> {
        let actor = Actor::of(&request)?.clone();
        let wanted = new_token(request.into_inner())?;
        let now = self.pipeline.now();
        let (token, string) = self
            .registry
            .create_token(wanted, self.root_pin, &actor.name, now)
            .await
            .map_err(status::registry)?;
        tracing::info!(token.id = %token.id, actor = %actor.name, "token made");
        let response =
            v1::CreateTokenResponse { enrolment_string: string.reveal(), token: Some(token_to_wire(token)) };
        Ok(Response::new(response))
    }

    async fn list_tokens(
        &self,
        request: Request<v1::ListTokensRequest>,
    ) -> Result<Response<v1::ListTokensResponse>, Status> {
        let v1::ListTokensRequest { page_size, page_token } = request.into_inner();
        let size = muster_common::page::page_size(page_size) as usize;
        let after = text_token(&page_token)?.map(|id| key::token(&id));
        let mut tokens = self.registry.tokens(after.as_ref(), size + 1).await.map_err(status::registry)?;
        let more = tokens.len() > size;
        tokens.truncate(size);
        let next = tokens.last().filter(|_| more).map(|(_, token)| token.id.clone());
        Ok(Response::new(v1::ListTokensResponse {
            tokens: tokens.into_iter().map(|(_, token)| token_to_wire(token)).collect(),
            next_page_token: page::encode(next.as_deref().map(str::as_bytes)),
        }))
    }

    async fn revoke_token(
        &self,
        request: Request<v1::RevokeTokenRequest>,
    ) -> Result<Response<v1::RevokeTokenResponse>, Status> {
        let actor = Actor::of(&request)?.clone();
        let id: TokenId = request.get_ref().id.parse().map_err(|_| {
            Status::invalid_argument("the id of a token has 16 digits (muster token list shows it)")
        })?;
        let position = self
            .registry
            .revoke_token(id, &actor.name, self.pipeline.now())
            .await
            .map_err(status::registry)?;
        tracing::info!(token.id = %id, actor = %actor.name, "token revoked");
        Ok(Response::new(v1::RevokeTokenResponse { position: position.to_string() }))
    }

    async fn list_agents(
        &self,
        request: Request<v1::ListAgentsRequest>,
    ) -> Result<Response<v1::ListAgentsResponse>, Status> {
        let v1::ListAgentsRequest { page_size, page_token } = request.into_inner();
        let size = muster_common::page::page_size(page_size) as usize;
        let after = text_token(&page_token)?
            .map(|id| id.parse::<AgentId>().map(key::agent))
            .transpose()
            .map_err(|_| no_token())?;
        let mut agents = self.registry.agents(after.as_ref(), size + 1).await.map_err(status::registry)?;
        let more = agents.len() > size;
        agents.truncate(size);
        let agents: Vec<(AgentId, DeviceId, stored::Agent)> = agents
            .into_iter()
            .filter_map(|(_, agent)| {
                let id = <[u8; 16]>::try_from(agent.id.as_slice()).ok()?;
                let device = <[u8; 16]>::try_from(agent.device_id.as_slice()).ok()?;
                Some((AgentId::from_bytes(id), DeviceId::from_bytes(device), agent))
            })
            .collect();
        let next = agents.last().filter(|_| more).map(|(id, _, _)| id.to_string());
        let bound: Vec<(AgentId, DeviceId)> = agents.iter().map(|(id, device, _)| (*id, *device)).collect();
        let places = self.query.places_of(&bound).await.map_err(|error| status::query(&error))?;
        let agents = agents.into_iter().map(|(id, device, agent)| {
            let place = places.get(&id);
            v1::Agent {
                agent_id: id.to_string(),
                device: format!("devices/{}", place.map_or(device, |place| place.device)),
                agent_version: place.map(|place| place.version.clone()).unwrap_or_default(),
                enrol_time: Some(moment(agent.enrolled_ms)),
                certificate_expire_time: Some(moment(agent.certificate_expires_ms)),
                revoked: agent.revoked,
                connected: self.registry.is_connected(id),
            }
        });
        Ok(Response::new(v1::ListAgentsResponse {
            agents: agents.collect(),
            next_page_token: page::encode(next.as_deref().map(str::as_bytes)),
        }))
    }

    async fn revoke_agent(
        &self,
        request: Request<v1::RevokeAgentRequest>,
    ) -> Result<Response<v1::RevokeAgentResponse>, Status> {
        let actor = Actor::of(&request)?.clone();
        let v1::RevokeAgentRequest { agent_id, reason } = request.into_inner();
        let id: AgentId = agent_id.parse().map_err(|error| Status::invalid_argument(format!("{error}")))?;
        if reason.len() > MAX_REASON {
            return Err(Status::invalid_argument(format!("the reason is longer than {MAX_REASON} bytes")));
        }
        let position = self
            .registry
            .revoke_agent(id, &reason, &actor.name, self.pipeline.now())
            .await
            .map_err(status::registry)?;
        tracing::info!(agent.id = %id, actor = %actor.name, "agent revoked");
        Ok(Response::new(v1::RevokeAgentResponse { position: position.to_string() }))
    }

    async fn import(
        &self,
        request: Request<v1::ImportRequest>,
    ) -> Result<Response<v1::ImportResponse>, Status> {
        let actor = Actor::of(&request)?.clone();
        let request = request.into_inner();
        let apply = request.apply;
        let response = import::service::run(&self.importer, request, &actor.name)
            .await
            .map_err(|error| status::import(&error))?;
        if apply {
            import::service::log(&response.source, &actor.name, &response);
        }
        Ok(Response::new(response))
    }

    async fn import_report(
        &self,
        request: Request<v1::ImportReportRequest>,
    ) -> Result<Response<v1::ImportReportResponse>, Status> {
        let actor = Actor::of(&request)?.clone();
        let v1::ImportReportRequest { content, validate_only } = request.into_inner();
        let stopping = |_| Status::unavailable("the collector is stopping");
        let _turn = self.opening.acquire().await.map_err(stopping)?;
        let opener = self.opener.clone();
        let opened = tokio::task::spawn_blocking(move || opener.open(content.into()))
            .await
            .map_err(|error| status::internal("a report could not be opened", &error))?;
        let carried = opened.map_err(|unusable| {
            tracing::warn!(actor = %actor.name, reason = %unusable, "carried report refused");
            status::unusable_report(&unusable)
        })?;
        let (sections, items) = (carried.sections.len(), carried.items());
        let taken = if validate_only {
            self.carry.preview(&carried).await
        } else {
            self.carry.take(&carried, &actor.name).await
        };
        let taken = taken.map_err(|refused| {
            tracing::warn!(
                actor = %actor.name,
                agent.id = %carried.agent,
                report.seq = carried.place.sequence,
                reason = %refused,
                "carried report not taken in"
            );
            status::carry(&refused)
        })?;
        if taken.is_new && !validate_only {
            tracing::info!(
                actor = %actor.name,
                agent.id = %carried.agent,
                report.seq = carried.place.sequence,
                items,
                "carried report taken in"
            );
        }
        let outcome = if taken.is_new { v1::ReportOutcome::Accepted } else { v1::ReportOutcome::Known };
        Ok(Response::new(v1::ImportReportResponse {
            outcome: outcome.into(),
            agent_id: carried.agent.to_string(),
            device: taken.device.map(|device| format!("devices/{device}")).unwrap_or_default(),
            sequence: carried.place.sequence,
            sections: u32::try_from(sections).unwrap_or(u32::MAX),
            items: u32::try_from(items).unwrap_or(u32::MAX),
            collect_time: Some(to_timestamp(taken.observed)),
            endpoint_time: carried.endpoint_time.map(to_timestamp_endpoint),
        }))
    }

    async fn list_refused_rows(
        &self,
        request: Request<v1::ListRefusedRowsRequest>,
    ) -> Result<Response<v1::ListRefusedRowsResponse>, Status> {
        let listed = self.query.list_refused_rows(request.get_ref()).await;
        listed.map(Response::new).map_err(|error| status::query(&error))
    }
}

fn new_token(request: v1::CreateTokenRequest) -> Result<NewToken, Status> {
    let v1::CreateTokenRequest { kind, lifetime } = request;
    let missing = || Status::invalid_argument("say which kind of token: one_time or bulk");
    let (kind, bound_serial) = match kind.ok_or_else(missing)? {
        v1::create_token_request::Kind::OneTime(v1::OneTime { serial }) => {
            if serial.len() > limits::TEXT_BYTES {
                return Err(Status::invalid_argument("the serial number is longer than 1024 bytes"));
            }
            (TokenKind::OneTime, Some(serial).filter(|serial| !serial.is_empty()))
        }
        v1::create_token_request::Kind::Bulk(v1::Bulk { uses }) if (1..=MAX_USES).contains(&uses) => {
            (TokenKind::Bulk { uses }, None)
        }
        v1::create_token_request::Kind::Bulk(_) => {
            return Err(Status::invalid_argument(format!("a bulk token has 1 to {MAX_USES} uses")));
        }
    };
    let lifetime = lifetime
        .map(|lifetime| {
            Duration::try_from(lifetime)
                .ok()
                .filter(|lifetime| !lifetime.is_zero() && *lifetime <= MAX_LIFETIME)
                .ok_or_else(|| Status::invalid_argument("a token is good for 1 second to 90 days"))
        })
        .transpose()?;
    Ok(NewToken { kind, bound_serial, hold: false, lifetime })
}

fn token_to_wire(token: stored::Token) -> v1::Token {
    let stored::Token {
        id,
        secret_hash: _,
        kind,
        uses,
        used,
        serial,
        hold: _,
        created_ms,
        expires_ms,
        revoked,
        created_by,
    } = token;
    v1::Token {
        id,
        kind,
        uses,
        used,
        serial,
        create_time: Some(moment(created_ms)),
        expire_time: Some(moment(expires_ms)),
        revoked,
        created_by,
    }
}

fn moment(ms: i64) -> prost_types::Timestamp {
    to_timestamp(Timestamp::from_millis(ms))
}

/// A page token that is the last row's id.
fn text_token(token: &str) -> Result<Option<String>, Status> {
    let bytes = page::decode(token).map_err(|_| no_token())?;
    bytes.map(String::from_utf8).transpose().map_err(|_| no_token()).and_then(|id| match id {
        Some(id) if id.is_empty() || id.len() > 64 || !id.is_ascii() => Err(no_token()),
        id => Ok(id),
    })
}

fn no_token() -> Status {
    Status::invalid_argument("the page token does not belong to this list (start again without a token)")
}
