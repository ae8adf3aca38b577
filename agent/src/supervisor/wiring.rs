//! Connects the session to the rest of the agent: identity, schedule, log and status.

use std::{
    error::Error,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use muster_common::{
    governance::{AgentSettings, Privacy},
    time::{Clock, EndpointTime},
};
use muster_proto::{
    client::{address::Address, channel::Timing, proxy::Way},
    v1,
};
use tokio::sync::{Notify, watch};

use super::gather::Plan;
use crate::{
    asked,
    config::Schedule,
    credentials::{
        clock::JudgingClock,
        files::{CredentialFiles, Slot},
        identity::{Identity, IdentityError, TrustBundle},
        renewal::{self, Standing},
    },
    permissions::Permissions,
    spool::Refusal,
    status::{Acknowledged, Board, ConnectionState, Kind, Pending},
    transport::{
        backoff::Pace,
        dial::{Connection, Dial, Failure, GrpcDial},
        disk::off_thread,
        event::Note,
        link::{LinkEvent, Watch},
        session::{Hooks, Order, PendingSize},
        state::Introduction,
        tls::session_channel,
    },
};

/// What a session needs to know and has to tell.
#[derive(Debug)]
pub(super) struct Wiring {
    identity: Mutex<Identity>,
    files: CredentialFiles,
    board: Arc<Board>,
    own_clock: Arc<dyn Clock>,
    judging: Arc<JudgingClock>,
    collect_now: Arc<Notify>,
    own: Own,
    plan: watch::Sender<Plan>,
}

/// What this machine says for itself; a collector's wishes are weighed against its configuration.
#[derive(Debug)]
pub(super) struct Own {
    /// Random for each boot.
    pub(super) boot_id: String,
    pub(super) state_dir: PathBuf,
    pub(super) schedule: Schedule,
    pub(super) ceiling: Privacy,
}

impl Own {
    /// When to read the machine and what of it, as asked within what this machine allows.
    fn plan(&self, asked: &AgentSettings) -> Plan {
        Plan {
            schedule: asked::schedule(&self.schedule, asked),
            permissions: Permissions::new(self.ceiling, asked),
        }
    }
}

impl Wiring {
    pub(super) fn new(
        identity: Identity,
        files: CredentialFiles,
        board: Arc<Board>,
        own_clock: Arc<dyn Clock>,
        judging: Arc<JudgingClock>,
        own: Own,
        asked: &AgentSettings,
    ) -> Self {
        Self {
            plan: watch::Sender::new(own.plan(asked)),
            own,
            identity: Mutex::new(identity),
            files,
            board,
            own_clock,
            judging,
            collect_now: Arc::default(),
        }
    }

    pub(super) fn plan(&self) -> watch::Receiver<Plan> {
        self.plan.subscribe()
    }

    pub(super) fn collect_now(&self) -> Arc<Notify> {
        self.collect_now.clone()
    }

    fn identity(&self) -> MutexGuard<'_, Identity> {
        // Each change is one assignment, so it is whole even after a panic elsewhere.
        self.identity.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the identity on disk first, then here.
    async fn keep(&self, change: impl FnOnce(&mut Identity)) -> Result<(), Box<dyn Error + Send + Sync>> {
        let mut changed = self.identity().clone();
        change(&mut changed);
        let (files, kept) = (self.files.clone(), changed.clone());
        off_thread(move || files.store(Slot::Current, &kept)).await?;
        *self.identity() = changed;
        Ok(())
    }

    async fn take_bundle(&self, bundle: v1::TrustBundle) {
        let judged = TrustBundle::from_wire(bundle).and_then(|next| {
            self.identity().trust.check_successor(&next)?;
            Ok(next)
        });
        let version = judged.as_ref().map(TrustBundle::version).unwrap_or_default();
        let kept: Result<(), Box<dyn Error + Send + Sync>> = match judged {
            Ok(next) => self.keep(|identity| identity.trust = next).await,
            Err(error @ IdentityError::OldBundle { .. }) => {
                // Sent to everyone, so most have it already.
                tracing::debug!(error = %error, "a trust bundle changes nothing");
                return;
            }
            Err(error) => Err(error.into()),
        };
        match kept {
            Ok(()) => {
                self.board.event(Kind::Directive, &format!("took version {version} of the trusted roots"));
            }
            Err(error) => {
                let message = super::chain(error.as_ref());
                tracing::warn!(error = message, "new trusted roots were refused");
                self.board.event(Kind::Problem, &format!("new trusted roots were refused: {message}"));
            }
        }
    }

    /// In force at once; on disk so that it holds offline.
    async fn take_settings(&self, asked: AgentSettings) {
        self.plan.send_replace(self.own.plan(&asked));
        let words = asked::in_words(&asked);
        tracing::info!(asked = words, "the organisation's charter asks for something else");
        self.board.event(Kind::Directive, &format!("the organisation's charter asks for: {words}"));
        let folder = self.own.state_dir.clone();
        if let Err(error) = off_thread(move || asked::save(&folder, &asked)).await {
            let message = super::chain(&error);
            tracing::error!(error = message, "what the charter asks for can't be kept");
            self.board.problem(&format!(
                "what the charter asks for can't be kept and is forgotten at the next start: {message}"
            ));
        }
    }

    /// What a person has to know about the certificate before the collector refuses it.
    fn check_certificate(&self) {
        let (lifetime, agent) = {
            let identity = self.identity();
            (identity.lifetime(), identity.agent_id)
        };
        match renewal::standing(lifetime, self.judging.now(), renewal::seed(agent)) {
            Standing::Good | Standing::Due => {}
            Standing::Expired => {
                let end = lifetime.not_after;
                self.board.problem(&format!(
                    "this agent's certificate ended at {end}; enrol again with muster-agent enroll --again"
                ));
            }
        }
    }
}

impl Hooks for Wiring {
    fn introduction(&self) -> Introduction {
        Introduction {
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            boot_id: self.own.boot_id.clone(),
            lineage: self.identity().lineage.clone(),
        }
    }

    fn now(&self) -> EndpointTime {
        EndpointTime::from_millis(self.own_clock.now().as_millis())
    }

    async fn store_lineage(&self, lineage: Vec<u8>) -> Result<(), Box<dyn Error + Send + Sync>> {
        self.keep(|identity| identity.lineage = lineage).await
    }

    async fn order(&self, order: Order) {
        match order {
            Order::CollectNow => {
                self.board.event(Kind::Directive, "the collector asks for a collection now");
                self.collect_now.notify_one();
            }
            Order::SetInterval(interval) => {
                let seconds = interval.as_secs();
                self.board.event(Kind::Directive, &format!("the collector sets the interval to {seconds} s"));
                self.plan.send_modify(|plan| plan.schedule.interval = interval);
            }
            Order::TakeSettings(asked) => self.take_settings(asked).await,
            Order::TakeTrustBundle(bundle) => self.take_bundle(bundle).await,
        }
    }

    fn note(&self, note: Note) {
        let board = &self.board;
        match note {
            Note::Welcomed { device_id, collector_time, wanted } => {
                tracing::info!(device.id = device_id, wanted, "connected to the collector");
                collector_time.into_iter().for_each(|time| self.judging.heard(time));
                board.event(Kind::Connection, &format!("connected, {wanted} sections wanted in full"));
                board.resolved();
                let since = board.time();
                board.update(|status| {
                    status.connection.state = ConnectionState::Connected;
                    status.connection.since = since;
                    status.connection.retry = None;
                    if let Some(identity) = &mut status.identity {
                        identity.device_id = device_id;
                    }
                });
            }
            Note::Sent { sequence, sections, items } => {
                tracing::debug!(report.seq = sequence, sections, items, "sent a report");
                board.event(
                    Kind::Report,
                    &format!("sent report {sequence}: {items} items in {sections} sections"),
                );
            }
            Note::Acknowledged { sequence } => {
                tracing::debug!(report.seq = sequence, "the collector holds everything up to this report");
                board.event(Kind::Report, &format!("report {sequence} is safe at the collector"));
                let time = board.time();
                board.update(|status| status.acknowledged = Some(Acknowledged { sequence, time }));
            }
            Note::Refused { sequence, reason, refusal } => {
                let next = match refusal {
                    Refusal::Split => "its sections are sent one by one".to_owned(),
                    Refusal::InFull(section) => format!("{section} is sent in full"),
                    Refusal::LetGo(section) => format!("{section} is not sent again until it changes"),
                };
                tracing::warn!(report.seq = sequence, reason, next, "the collector can't use a report");
                board.event(
                    Kind::Problem,
                    &format!("the collector can't use report {sequence} ({reason}); {next}"),
                );
            }
            Note::Wanted { section, sent: true } => {
                board.event(Kind::Report, &format!("the collector wants {section} in full"));
            }
            Note::Wanted { section, sent: false } => {
                tracing::warn!(section, "the collector wants the same section in full again and again");
                board.event(
                    Kind::Problem,
                    &format!("the collector wants {section} in full again and again; it waits for a change"),
                );
            }
            Note::UnusableSettings { reason } => {
                tracing::warn!(reason, "the collector's settings can't be used; nothing is granted");
                board.event(
                    Kind::Problem,
                    &format!("the collector's settings can't be used ({reason}); nothing is granted"),
                );
            }
            Note::Silent { awaited } => {
                tracing::warn!(awaited, "the collector does not answer");
                board.event(Kind::Connection, &format!("no {awaited} came in time"));
            }
            Note::Drained => {
                tracing::info!("the collector asks to come back later");
                board.event(Kind::Connection, "the collector asks to come back later");
            }
        }
    }

    fn pending(&self, pending: PendingSize) {
        let PendingSize { sections, bytes, in_memory_alone } = pending;
        self.board.update(|status| status.pending = Pending { sections, bytes, in_memory_alone });
    }
}

impl Watch for Wiring {
    fn link(&self, event: &LinkEvent<'_>) {
        let board = &self.board;
        match event {
            LinkEvent::Connecting => {
                self.check_certificate();
                let since = board.time();
                board.update(|status| {
                    status.connection.state = ConnectionState::Connecting;
                    status.connection.since = since;
                    status.connection.retry = None;
                });
            }
            LinkEvent::Waiting { failure, wait } => {
                if let Some(failure) = failure {
                    tracing::warn!(error = %failure, wait_ms = millis(*wait), "no session with the collector");
                    board.problem(&failure.message);
                }
                let (since, retry) = (board.time(), board.time_after(*wait));
                board.update(|status| {
                    status.connection.state = ConnectionState::Waiting;
                    status.connection.since = since;
                    status.connection.retry = Some(retry);
                });
            }
            LinkEvent::CannotWrite { error, wait } => {
                let message = super::chain(*error);
                tracing::error!(error = message, wait_ms = millis(*wait), "the state can't be written down");
                board.problem(&format!("the state can't be written down: {message}; is the disk full?"));
            }
        }
    }
}

/// Connects with the identity of the moment, so that new roots and certificates need no restart.
pub(super) struct AgentDial {
    wiring: Arc<Wiring>,
    address: Address,
    way: Way,
}

impl AgentDial {
    pub(super) fn new(wiring: Arc<Wiring>, address: Address, way: Way) -> Self {
        Self { wiring, address, way }
    }
}

impl Dial for AgentDial {
    async fn dial(&mut self, hello: v1::SessionRequest) -> Result<Connection, Failure> {
        let identity = self.wiring.identity().clone();
        let clock = self.wiring.judging.clone();
        let opened = session_channel(&self.way, &self.address, &identity, clock, Timing::default())
            .map_err(|error| Failure { pace: Pace::Slow, message: super::chain(&error) })?;
        GrpcDial::new(opened).dial(hello).await
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
