//! The door through which gRPC comes to the reads; each method is one call.

use std::sync::Arc;

use muster_proto::v1::{self, query_server};
use tonic::{Request, Response, Status};

use super::{Query, QueryFailure};
use crate::{authz::Actor, registry::Sight, status};

/// `muster.v1.Query`.
#[derive(Debug, Clone)]
pub struct QueryService {
    query: Arc<Query>,
}

impl QueryService {
    /// Over the reads.
    pub fn new(query: Arc<Query>) -> Self {
        Self { query }
    }

    /// The service for a tonic router.
    pub fn into_server(self) -> query_server::QueryServer<Self> {
        query_server::QueryServer::new(self)
    }
}

#[tonic::async_trait]
impl query_server::Query for QueryService {
    async fn list_devices(
        &self,
        request: Request<v1::ListDevicesRequest>,
    ) -> Result<Response<v1::ListDevicesResponse>, Status> {
        answered(self.query.seen_by(sight(&request)?).list_devices(request.get_ref()).await)
    }

    async fn list_assets(
        &self,
        request: Request<v1::ListDevicesRequest>,
    ) -> Result<Response<v1::ListDevicesResponse>, Status> {
        answered(self.query.seen_by(sight(&request)?).list_assets(request.get_ref()).await)
    }

    async fn get_device(
        &self,
        request: Request<v1::GetDeviceRequest>,
    ) -> Result<Response<v1::Device>, Status> {
        answered(self.query.seen_by(sight(&request)?).get_device(request.get_ref()).await)
    }

    async fn get_inventory(
        &self,
        request: Request<v1::GetInventoryRequest>,
    ) -> Result<Response<v1::Inventory>, Status> {
        answered(self.query.seen_by(sight(&request)?).get_inventory(request.get_ref()).await)
    }

    async fn list_device_history(
        &self,
        request: Request<v1::ListDeviceHistoryRequest>,
    ) -> Result<Response<v1::ListDeviceHistoryResponse>, Status> {
        answered(self.query.seen_by(sight(&request)?).list_device_history(request.get_ref()).await)
    }

    async fn list_software(
        &self,
        request: Request<v1::ListSoftwareRequest>,
    ) -> Result<Response<v1::ListSoftwareResponse>, Status> {
        answered(self.query.seen_by(sight(&request)?).list_software(request.get_ref()).await)
    }

    async fn list_flags(
        &self,
        request: Request<v1::ListFlagsRequest>,
    ) -> Result<Response<v1::ListFlagsResponse>, Status> {
        answered(self.query.seen_by(sight(&request)?).list_flags(request.get_ref()).await)
    }

    async fn lookup(
        &self,
        request: Request<v1::LookupRequest>,
    ) -> Result<Response<v1::LookupResponse>, Status> {
        answered(self.query.seen_by(sight(&request)?).lookup(request.get_ref()).await)
    }
}

/// What the asker may see.
fn sight<T>(request: &Request<T>) -> Result<&Sight, Status> {
    Actor::of(request).map(|actor| &actor.sight)
}

fn answered<T>(answer: Result<T, QueryFailure>) -> Result<Response<T>, Status> {
    answer.map(Response::new).map_err(|error| status::query(&error))
}
