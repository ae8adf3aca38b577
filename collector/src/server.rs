//! The listeners and the tasks of a running collector, from start to a timed drain.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use muster_proto::{limits, v1};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::transport::Server;

use crate::{
    actions::import::Importer,
    app::App,
    background,
    config::Settings,
    enroll::service::EnrollmentService,
    import::watch,
    ingest::service::{IngestService, SessionSettings},
    store::Unavailable,
    tls::{
        listener::{Limits, Listener, Role},
        server::ServerTls,
    },
};

/// How long requests and sessions may take to finish after a stop.
const DRAIN_WITHIN: Duration = Duration::from_secs(10);
/// Enrolment messages are small: a CSR and a machine's hardware.
const ENROLL_MESSAGE_BYTES: usize = 512 * 1024;
/// Room for an envelope around its payload.
const ENVELOPE_BYTES: usize = 4 * 1024;
/// Header bytes of one request.
const HEADER_BYTES: u32 = 16 * 1024;
/// How often a silent connection is asked whether it is there.
const KEEP_ALIVE: Duration = Duration::from_secs(45);

/// A collector whose ports are bound and that accepts nobody yet.
#[derive(Debug)]
pub struct Bound {
    app: Arc<App>,
    tls: Arc<ServerTls>,
    settings: Settings,
    agents: Listener,
    enroll: Listener,
    api: Listener,
    stop: CancellationToken,
}

/// Where a collector listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// Sessions of agents.
    pub agents: std::net::SocketAddr,
    /// Enrolment.
    pub enroll: std::net::SocketAddr,
    /// People and tools.
    pub api: std::net::SocketAddr,
}

impl Bound {
    /// Binds the three ports; `stop` begins the drain.
    ///
    /// # Errors
    /// When a port is taken or no server certificate can be made.
    pub async fn bind(app: Arc<App>, settings: Settings, stop: CancellationToken) -> anyhow::Result<Self> {
        let tls = Arc::new(
            ServerTls::new(app.authority.clone(), app.clock.clone())
                .context("the collector's own certificate could not be made")?,
        );
        let limits = |role| Limits {
            connections_per_address: settings.limits.connections_per_address.min(match role {
                Role::Agents => u32::MAX,
                Role::Api | Role::Enroll => Limits::of(role).connections_per_address,
            }),
            ..Limits::of(role)
        };
        let accepting = stop.child_token();
        let bind = |role, address| Listener::bind(role, address, &tls, limits(role), accepting.clone());
        let agents = bind(Role::Agents, settings.listen.agents).await?;
        let enroll = bind(Role::Enroll, settings.listen.enroll).await?;
        let api = bind(Role::Api, settings.listen.api).await?;
        Ok(Self { app, tls, settings, agents, enroll, api, stop })
    }

    /// Where it listens, ports that were drawn included.
    pub fn addresses(&self) -> Addresses {
        Addresses { agents: self.agents.address(), enroll: self.enroll.address(), api: self.api.address() }
    }

    /// Serves until the stop, then drains and closes the store.
    ///
    /// # Errors
    /// When a server failed, or the end could not be kept.
    pub async fn serve(self) -> anyhow::Result<()> {
        let Self { app, tls, settings, agents, enroll, api, stop } = self;
        let tasks = TaskTracker::new();
        let sessions = SessionSettings {
            decode_bytes: usize::try_from(settings.limits.ingest_bytes).unwrap_or(usize::MAX),
            sessions_per_agent: settings.limits.sessions_per_agent,
            ..SessionSettings::default()
        };
        let ingest = IngestService::new(
            app.pipeline.clone(),
            app.registry.clone(),
            sessions,
            tasks.clone(),
            stop.clone(),
        );
        let ingest = v1::ingest_server::IngestServer::new(ingest)
            .max_decoding_message_size(limits::MESSAGE_BYTES + ENVELOPE_BYTES);
        let enrollment =
            EnrollmentService::new(app.pipeline.clone(), app.registry.clone(), app.authority.clone());
        let enrollment = v1::enrollment_server::EnrollmentServer::new(enrollment)
            .max_decoding_message_size(ENROLL_MESSAGE_BYTES);

        let streams = settings.limits.streams_per_connection;
        let agents = builder(streams)
            .add_service(ingest)
            .serve_with_incoming_shutdown(agents.accept(&tasks), stop.clone().cancelled_owned());
        let enroll = builder(streams)
            .add_service(enrollment)
            .serve_with_incoming_shutdown(enroll.accept(&tasks), stop.clone().cancelled_owned());
        let api = crate::api::serve(builder(streams), &app, api.accept(&tasks), stop.clone())?;

        let renewing = tls.clone();
        let renew_stop = stop.clone();
        tasks.spawn(async move { renewing.keep_fresh(renew_stop).await });
        background::spawn(&app, &tasks, &stop);
        let importer = Importer::new(app.pipeline.clone(), app.persons.clone());
        for watched in &settings.watched {
            tasks.spawn(watch::run(watched.clone(), importer.clone(), stop.clone()));
        }
        let servers = [tokio::spawn(agents), tokio::spawn(enroll), tokio::spawn(api)];

        stop.cancelled().await;
        tracing::info!("draining");
        tasks.close();
        let drained = async {
            for server in servers {
                match server.await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => tracing::error!(error = %error, "a listener ended with an error"),
                    Err(error) => tracing::error!(error = %error, "a listener's task failed"),
                }
            }
            tasks.wait().await;
        };
        if tokio::time::timeout(DRAIN_WITHIN, drained).await.is_err() {
            tracing::warn!("some connections did not end in time and are cut");
        }
        if app.store.health() == Err(Unavailable::DiskFailed) {
            anyhow::bail!(Unavailable::DiskFailed);
        }
        app.close().await.context("the end could not be kept")?;
        tracing::info!("stopped");
        Ok(())
    }
}

/// What every listener's HTTP/2 has in common.
fn builder(streams: u32) -> Server {
    Server::builder()
        .max_concurrent_streams(streams)
        .http2_max_header_list_size(HEADER_BYTES)
        .http2_keepalive_interval(Some(KEEP_ALIVE))
        .http2_keepalive_timeout(Some(Duration::from_secs(20)))
        .http2_adaptive_window(Some(false))
}
