//! The api listener: who may call, and which services there are.

use std::{future::Future, sync::Arc};

use tokio_util::sync::CancellationToken;
use tonic::transport::Server;

use crate::{app::App, tls::listener::Connections};

/// Serves people and tools until the stop.
pub(crate) fn serve(
    mut server: Server,
    _app: &Arc<App>,
    connections: Connections,
    stop: CancellationToken,
) -> anyhow::Result<impl Future<Output = Result<(), tonic::transport::Error>> + use<>> {
    let (_, health) = tonic_health::server::health_reporter();
    Ok(server.add_service(health).serve_with_incoming_shutdown(connections, stop.cancelled_owned()))
}

pub(crate) async fn create_token_over_api(
    _settings: &crate::config::Settings,
    _authority: &crate::tls::authority::Authority,
    _wanted: crate::registry::token::NewToken,
) -> anyhow::Result<String> {
    anyhow::bail!("use `muster token create`")
}
