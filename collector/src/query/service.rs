//! The door through which gRPC comes to the reads; each method is one call.

use std::sync::Arc;

use muster_proto::v1::{self, query_server};
use tonic::{Request, Response, Status};

use super::Query;
use crate::status;

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
        self.query
            .list_devices(request.get_ref())
            .await
            .map(Response::new)
            .map_err(|error| status::query(&error))
    }

    async fn get_device(
        &self,
        request: Request<v1::GetDeviceRequest>,
    ) -> Result<Response<v1::Device>, Status> {
        self.query
            .get_device(request.get_ref())
            .await
            .map(Response::new)
            .map_err(|error| status::query(&error))
    }

    async fn get_inventory(
        &self,
        request: Request<v1::GetInventoryRequest>,
    ) -> Result<Response<v1::Inventory>, Status> {
        self.query
            .get_inventory(request.get_ref())
            .await
            .map(Response::new)
            .map_err(|error| status::query(&error))
    }

    async fn list_device_history(
        &self,
        request: Request<v1::ListDeviceHistoryRequest>,
    ) -> Result<Response<v1::ListDeviceHistoryResponse>, Status> {
        let listed = self.query.list_device_history(request.get_ref()).await;
        listed.map(Response::new).map_err(|error| status::query(&error))
    }

    async fn list_software(
        &self,
        request: Request<v1::ListSoftwareRequest>,
    ) -> Result<Response<v1::ListSoftwareResponse>, Status> {
        self.query
            .list_software(request.get_ref())
            .await
            .map(Response::new)
            .map_err(|error| status::query(&error))
    }

    async fn list_flags(
        &self,
        request: Request<v1::ListFlagsRequest>,
    ) -> Result<Response<v1::ListFlagsResponse>, Status> {
        self.query
            .list_flags(request.get_ref())
            .await
            .map(Response::new)
            .map_err(|error| status::query(&error))
    }

    async fn lookup(
        &self,
        request: Request<v1::LookupRequest>,
    ) -> Result<Response<v1::LookupResponse>, Status> {
        self.query.lookup(request.get_ref()).await.map(Response::new).map_err(|error| status::query(&error))
    }
}
