//! `muster.v1.Lifecycle`: the door through which gRPC comes to what people decide about assets.
//!
//! Each method reads its message, asks one action, and writes the answer. Knows nothing of what a step needs; who may
//! call is `authz`'s to say, and who may take a step the policy's.

mod convert;

use std::sync::Arc;

use muster_common::id::{DeviceId, RequestId};
use muster_proto::{
    convert::from_timestamp,
    limits,
    v1::{self, lifecycle_server},
};
use tonic::{Request, Response, Status};

use crate::{
    actions::lifecycle::{By, Lifecycle, LifecycleError, NewRequest, Wish},
    authz::Actor,
    query::page,
    registry::Sight,
    status,
};

/// What a message has beside the file or the tags that it carries, in bytes.
const REQUEST_ROOM: usize = 64 * 1024;

/// The service.
#[derive(Debug, Clone)]
pub struct LifecycleService {
    lifecycle: Arc<Lifecycle>,
}

impl LifecycleService {
    /// Over the actions.
    pub fn new(lifecycle: Arc<Lifecycle>) -> Self {
        Self { lifecycle }
    }

    /// The service for a tonic router; its messages may be as large as a file of evidence.
    pub fn into_server(self) -> lifecycle_server::LifecycleServer<Self> {
        let most = limits::EVIDENCE_BYTES + REQUEST_ROOM;
        lifecycle_server::LifecycleServer::new(self).max_decoding_message_size(most)
    }
}

/// Who asks, for the actions.
fn by<T>(request: &Request<T>) -> Result<By, Status> {
    let Actor { name, roles, sight } = Actor::of(request)?.clone();
    Ok(By { name, roles, sight })
}

fn failed(error: LifecycleError) -> Status {
    status::lifecycle(&error)
}

fn invalid(text: impl ToString) -> Status {
    Status::invalid_argument(text.to_string())
}

/// The asset of a resource name.
fn asset(name: &str) -> Result<DeviceId, Status> {
    let id = name.strip_prefix("devices/").unwrap_or(name);
    id.to_ascii_lowercase().parse().map_err(invalid)
}

fn request_id(text: &str) -> Result<RequestId, Status> {
    text.trim().to_ascii_lowercase().parse().map_err(invalid)
}

/// A word of a fixed list; empty: none.
fn word<T: std::str::FromStr>(what: &str, text: &str) -> Result<Option<T>, Status>
where
    T::Err: std::fmt::Display,
{
    match text.trim() {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|error| invalid(format!("{what}: {error}"))),
    }
}

/// Whose requests an account sees: everybody's, or its own alone.
fn requests_of(by: &By) -> Option<&str> {
    (by.sight != Sight::Everything).then_some(by.name.as_str())
}

#[tonic::async_trait]
impl lifecycle_server::Lifecycle for LifecycleService {
    async fn create_purchase_request(
        &self,
        request: Request<v1::CreatePurchaseRequestRequest>,
    ) -> Result<Response<v1::PurchaseRequest>, Status> {
        let by = by(&request)?;
        let v1::CreatePurchaseRequestRequest { category, model, cost, quantity, person, justification } =
            request.into_inner();
        let new = NewRequest {
            category: word("category", &category)?.unwrap_or_default(),
            model,
            cost: word("cost", &cost)?,
            quantity: quantity.max(1),
            person,
            justification,
        };
        let made = self.lifecycle.create_request(new, &by).await.map_err(failed)?;
        tracing::info!(request.id = %made.id, actor = %by.name, "request made");
        Ok(Response::new(convert::request(made)))
    }

    async fn list_purchase_requests(
        &self,
        request: Request<v1::ListPurchaseRequestsRequest>,
    ) -> Result<Response<v1::ListPurchaseRequestsResponse>, Status> {
        let by = by(&request)?;
        let v1::ListPurchaseRequestsRequest { page_size, page_token, state } = request.into_inner();
        let size = muster_common::page::page_size(page_size) as usize;
        let after = page::decode(&page_token)
            .ok()
            .map(|bytes| bytes.map(<[u8; 16]>::try_from).transpose())
            .and_then(Result::ok)
            .ok_or_else(|| {
                invalid("the page token does not belong to this list (start again without a token)")
            })?
            .map(RequestId::from_bytes);
        let mut views =
            self.lifecycle.list_requests(&state, requests_of(&by), after, size + 1).await.map_err(failed)?;
        let more = views.len() > size;
        views.truncate(size);
        let next = views.last().filter(|_| more).map(|view| view.id);
        Ok(Response::new(v1::ListPurchaseRequestsResponse {
            requests: views.into_iter().map(convert::request).collect(),
            next_page_token: page::encode(next.as_ref().map(|id| id.as_bytes().as_slice())),
        }))
    }

    async fn get_purchase_request(
        &self,
        request: Request<v1::GetPurchaseRequestRequest>,
    ) -> Result<Response<v1::PurchaseRequest>, Status> {
        let by = by(&request)?;
        let id = request_id(&request.get_ref().id)?;
        let found = self.lifecycle.get_request(id, requests_of(&by)).await.map_err(failed)?;
        Ok(Response::new(convert::request(found)))
    }

    async fn decide_purchase_request(
        &self,
        request: Request<v1::DecidePurchaseRequestRequest>,
    ) -> Result<Response<v1::PurchaseRequest>, Status> {
        let by = by(&request)?;
        let v1::DecidePurchaseRequestRequest { id, approve, remark } = request.into_inner();
        let decided =
            self.lifecycle.decide_request(request_id(&id)?, approve, &remark, &by).await.map_err(failed)?;
        tracing::info!(request.id = %decided.id, actor = %by.name, state = decided.state, "request decided");
        Ok(Response::new(convert::request(decided)))
    }

    async fn advance_purchase_request(
        &self,
        request: Request<v1::AdvancePurchaseRequestRequest>,
    ) -> Result<Response<v1::PurchaseRequest>, Status> {
        let by = by(&request)?;
        let v1::AdvancePurchaseRequestRequest { id, state, order_number } = request.into_inner();
        let to = word("state", &state)?.ok_or_else(|| invalid("say the state: ordered or in-transit"))?;
        let advanced =
            self.lifecycle.advance_request(request_id(&id)?, to, &order_number, &by).await.map_err(failed)?;
        Ok(Response::new(convert::request(advanced)))
    }

    async fn transition(
        &self,
        request: Request<v1::TransitionRequest>,
    ) -> Result<Response<v1::TransitionResponse>, Status> {
        let by = by(&request)?;
        let v1::TransitionRequest {
            asset: name,
            state,
            reason,
            owner,
            order_number,
            wipe_method,
            evidence,
            request_id: bought_for,
            location,
            until,
            validate_only,
        } = request.into_inner();
        let wish = Wish {
            asset: asset(&name)?,
            to: word("state", &state)?.ok_or_else(|| invalid("say the state that it goes to"))?,
            reason,
            owner,
            order: order_number,
            wipe: word("wipe method", &wipe_method)?,
            evidence: evidence.iter().map(|hash| hash.parse().map_err(invalid)).collect::<Result<_, _>>()?,
            request: if bought_for.is_empty() { None } else { Some(request_id(&bought_for)?) },
            location,
            until: until.as_ref().map(from_timestamp),
            validate_only,
        };
        let taken = self.lifecycle.transition(&wish, &by).await.map_err(failed)?;
        if !validate_only {
            tracing::info!(device.id = %taken.asset, actor = %by.name, state = %wish.to, "step taken");
        }
        Ok(Response::new(convert::taken(taken, &wish)))
    }

    async fn add_evidence(
        &self,
        request: Request<v1::AddEvidenceRequest>,
    ) -> Result<Response<v1::Evidence>, Status> {
        let by = by(&request)?;
        let v1::AddEvidenceRequest { asset: name, kind, file_name, content } = request.into_inner();
        let kind = word("kind", &kind)?.ok_or_else(|| invalid("say what the file proves (--kind)"))?;
        let added = self
            .lifecycle
            .add_evidence(asset(&name)?, kind, &file_name, content, &by)
            .await
            .map_err(failed)?;
        tracing::info!(device.id = %added.asset, actor = %by.name, evidence.kind = %kind, "evidence added");
        Ok(Response::new(convert::evidence(added)))
    }

    async fn list_evidence(
        &self,
        request: Request<v1::ListEvidenceRequest>,
    ) -> Result<Response<v1::ListEvidenceResponse>, Status> {
        let by = by(&request)?;
        let listed =
            self.lifecycle.list_evidence(asset(&request.get_ref().asset)?, &by).await.map_err(failed)?;
        let evidence = listed.into_iter().map(convert::evidence).collect();
        Ok(Response::new(v1::ListEvidenceResponse { evidence }))
    }

    async fn get_evidence(
        &self,
        request: Request<v1::GetEvidenceRequest>,
    ) -> Result<Response<v1::GetEvidenceResponse>, Status> {
        let by = by(&request)?;
        let v1::GetEvidenceRequest { asset: name, hash } = request.get_ref();
        let hash = hash.parse().map_err(invalid)?;
        let (item, content) = self.lifecycle.get_evidence(asset(name)?, hash, &by).await.map_err(failed)?;
        Ok(Response::new(v1::GetEvidenceResponse {
            evidence: Some(convert::evidence(item)),
            content: content.to_vec(),
        }))
    }

    async fn create_handover(
        &self,
        request: Request<v1::CreateHandoverRequest>,
    ) -> Result<Response<v1::CreateHandoverResponse>, Status> {
        let by = by(&request)?;
        let v1::CreateHandoverRequest { asset: name, person } = request.get_ref();
        let made = self.lifecycle.create_handover(asset(name)?, person, &by).await.map_err(failed)?;
        Ok(Response::new(convert::handover(made)))
    }

    async fn acknowledge_handover(
        &self,
        request: Request<v1::AcknowledgeHandoverRequest>,
    ) -> Result<Response<v1::AcknowledgeHandoverResponse>, Status> {
        let by = by(&request)?;
        let done = self.lifecycle.acknowledge(&request.get_ref().code, &by).await.map_err(failed)?;
        tracing::info!(device.id = %done.asset, actor = %by.name, "hand-over acknowledged");
        Ok(Response::new(convert::acknowledged(done)))
    }

    async fn scan_audit(
        &self,
        request: Request<v1::ScanAuditRequest>,
    ) -> Result<Response<v1::ScanAuditResponse>, Status> {
        let by = by(&request)?;
        let v1::ScanAuditRequest { location, tags, source, apply } = request.get_ref();
        let source = if source.is_empty() { "audit" } else { source };
        let results = self.lifecycle.scan(location, tags, source, *apply, &by).await.map_err(failed)?;
        Ok(Response::new(convert::scan(results)))
    }
}
