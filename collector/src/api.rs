//! The api listener: which services people and tools reach, behind the one wall that says who may call what.

use std::{future::Future, sync::Arc};

use anyhow::Context;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;

use crate::{
    actions::{adopt::Adopter, excepting::Excepting, import::Importer, lifecycle::Lifecycle},
    admin::AdminService,
    app::App,
    audit::service::AuditService,
    authz::{self, AuthzLayer},
    charter::CharterService,
    import::{carried::Opener, door::RecordsService},
    lifecycle::LifecycleService,
    query::{Query, service::QueryService},
    tls::listener::Connections,
};

/// Serves people and tools until the stop.
///
/// # Errors
/// When a method has no line in the table of rights, or the schema can't be served for reflection.
pub(crate) fn serve(
    server: Server,
    app: &App,
    connections: Connections,
    stop: CancellationToken,
) -> anyhow::Result<impl Future<Output = Result<(), tonic::transport::Error>> + use<>> {
    authz::check_complete()?;
    let query = Arc::new(Query::new(app.pipeline.clone(), app.index.clone(), app.persons.clone()));
    let importer = Importer::new(app.pipeline.clone(), app.persons.clone());
    let records = RecordsService::new(query.clone(), app.registry.clone(), importer);
    let admin = AdminService::new(
        app.pipeline.clone(),
        app.registry.clone(),
        query.clone(),
        app.persons.clone(),
        Opener::new(&app.authority).context("carried reports can't be checked against the authority")?,
        app.authority.root_pin(),
    );
    let governance = CharterService::new(
        app.pipeline.clone(),
        app.charters.clone(),
        Excepting::new(app.pipeline.clone(), query.clone()),
        Adopter::new(app.pipeline.clone(), query.clone()),
        query.clone(),
    );
    let lifecycle = Arc::new(Lifecycle::new(
        app.pipeline.clone(),
        app.index.clone(),
        app.persons.clone(),
        app.evidence.clone(),
    ));
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(muster_proto::DESCRIPTORS)
        .build_v1()
        .context("the schema can't be served for reflection")?;
    let (_, health) = tonic_health::server::health_reporter();
    Ok(server
        .layer(AuthzLayer::new(app.registry.clone(), app.clock.clone()))
        .add_service(QueryService::new(query).into_server())
        .add_service(admin.into_server())
        .add_service(AuditService::new(app.audit.clone()).into_server())
        .add_service(records.into_server())
        .add_service(governance.into_server())
        .add_service(LifecycleService::new(lifecycle).into_server())
        .add_service(reflection)
        .add_service(health)
        .serve_with_incoming_shutdown(connections, stop.cancelled_owned()))
}
