//! The Ingest service: lets a verified agent in and gives its stream a task of its own.

use std::{
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use muster_common::trust::name::PeerName;
use muster_proto::{limits, v1};
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::{Request, Response, Status, Streaming};

use super::session::Session;
use crate::{pipeline::Pipeline, registry::Registry, status, tls::peer::Caller};

/// Answers that wait for a slow agent; past this its session waits, and so does the agent's next report.
const ANSWERS: usize = 16;

/// How sessions behave.
#[derive(Debug, Clone, Copy)]
pub struct SessionSettings {
    /// How often an idle agent says that it is there.
    pub heartbeat: Duration,
    /// How long an agent may be silent before its session is closed.
    pub silence: Duration,
    /// How long a session lasts before the agent is asked to come again; varied by a tenth either way.
    pub age: Duration,
    /// Over how long a time agents come back after this collector stops.
    pub reconnect_within: Duration,
    /// Bytes of reports that are decoded at once, over all agents.
    pub decode_bytes: usize,
    /// Live sessions of one agent from one machine.
    pub sessions_per_agent: u32,
}

impl Default for SessionSettings {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_secs(60),
            silence: Duration::from_secs(180),
            age: Duration::from_secs(12 * 3600),
            reconnect_within: Duration::from_secs(120),
            decode_bytes: 256 * 1024 * 1024,
            sessions_per_agent: 2,
        }
    }
}

/// Takes sessions.
#[derive(Debug)]
pub struct IngestService {
    shared: Arc<Shared>,
    tasks: TaskTracker,
}

/// What every session uses.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) pipeline: Arc<Pipeline>,
    pub(super) settings: SessionSettings,
    /// Kilobytes that may be decoded at once.
    pub(super) decoding: Semaphore,
    pub(super) drain: CancellationToken,
    registry: Arc<Registry>,
}

impl IngestService {
    /// Over the spine; `drain` asks every agent to come back later, and the sessions' tasks belong to `tasks`.
    pub fn new(
        pipeline: Arc<Pipeline>,
        registry: Arc<Registry>,
        settings: SessionSettings,
        tasks: TaskTracker,
        drain: CancellationToken,
    ) -> Self {
        let decoding = Semaphore::new((settings.decode_bytes / 1024).max(limits::REPORT_BYTES / 1024));
        Self { shared: Arc::new(Shared { pipeline, settings, decoding, drain, registry }), tasks }
    }
}

#[tonic::async_trait]
impl v1::ingest_server::Ingest for IngestService {
    type SessionStream =
        Pin<Box<dyn tokio_stream::Stream<Item = Result<v1::SessionResponse, Status>> + Send>>;

    async fn session(
        &self,
        request: Request<Streaming<v1::SessionRequest>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let caller = Caller::of(&request).cloned();
        let peer = caller.as_ref().and_then(|caller| caller.peer.clone());
        let (Some(caller), Some(peer)) = (caller, peer) else {
            return Err(Status::unauthenticated("a session needs a client certificate"));
        };
        let PeerName::Agent(agent) = peer.name else {
            return Err(Status::permission_denied("only agents have sessions"));
        };
        let live = self.shared.registry.admit(agent, &peer).await.map_err(|refused| {
            tracing::warn!(
                agent.id = %agent,
                peer.address = %caller.address,
                reason = %refused,
                "session refused"
            );
            status::agent(&refused)
        })?;
        let (answers, receiver) = mpsc::channel(ANSWERS);
        let session = Session::new(self.shared.clone(), agent, live, caller, answers, Instant::now());
        // The task outlives this call, so that the answer's headers go out at once and the agent's call returns.
        self.tasks.spawn(session.run(request.into_inner()));
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}
