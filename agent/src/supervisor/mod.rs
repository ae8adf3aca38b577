//! The life of the service: settings in, state folder, identity, then collecting and the session until it is stopped.
//!
//! Every task of the service is spawned here. One thread runs them all; what can block (files, reading the machine)
//! goes to a few helper threads.

mod enrolling;
mod gather;
mod lock;
mod manager;
mod sampling;
mod wiring;

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use muster_common::{
    governance::AgentSettings,
    time::{Clock, SystemClock},
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub use gather::{Machine, Patience, ReadError};
pub use lock::{StateLock, StateLockError};

use crate::{
    asked,
    config::Settings,
    credentials::{
        clock::JudgingClock,
        files::{CredentialError, CredentialFiles, Slot},
        identity::Identity,
    },
    host::LiveHost,
    sandbox::{self, Sandbox},
    sources::{Personal, SOURCES, Source},
    spool::EpochError,
    status::{Board, ConnectionState, Kind},
    transport::{
        backoff::Chance,
        disk::{Disk, off_thread},
        link::keep_connected,
        session::Inputs,
        state::SessionState,
    },
};
use gather::Gatherer;
use manager::Manager;
use sampling::Sampling;
use wiring::{AgentDial, Own, Wiring};

/// From the stop to the end of the last session; the session itself waits five seconds for its last report.
const GRACE: Duration = Duration::from_secs(10);
/// Helper threads: one reads the machine, the others write files.
const BLOCKING_THREADS: usize = 4;

/// Why the service can't run.
#[derive(Debug, thiserror::Error)]
pub enum SupervisorError {
    /// The system gives no runtime or no signals.
    #[error("the service can't be started")]
    Start(#[source] io::Error),
    /// Another process uses the state folder, or it can't be locked.
    #[error(transparent)]
    Lock(#[from] StateLockError),
    /// The identity can't be used.
    #[error("the agent's identity can't be used")]
    Credentials(#[from] CredentialError),
    /// There is no identity and no way to get one.
    #[error(
        "this machine is not enrolled: run muster-agent enroll --token-file FILE with an enrolment string of muster-collector token create, or put its file's path into token_file"
    )]
    NotEnrolled,
    /// The spool can't be begun.
    #[error("the spool can't be begun in {folder}")]
    Spool {
        /// The state folder.
        folder: PathBuf,
        /// Why.
        #[source]
        source: EpochError,
    },
}

/// What stands around the service.
#[derive(Default)]
struct Surroundings {
    manager: Manager,
    /// What the process has forbidden itself, where it has.
    sandbox: Option<Sandbox>,
}

/// Runs the service until SIGTERM, SIGINT or Ctrl-C, then drains. From here on this process is shut in for good.
pub fn run(settings: Settings) -> Result<(), SupervisorError> {
    let manager = Manager::of_environment();
    // The folder has to be there before the sandbox can leave it writable.
    CredentialFiles::open(&settings.state_dir)?;
    let sandbox = sandbox::enter(&settings.state_dir, settings.token_file.as_deref());
    let surroundings = Surroundings { manager, sandbox: Some(sandbox) };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .build()
        .map_err(SupervisorError::Start)?;
    let result = runtime.block_on(async {
        let stop = CancellationToken::new();
        let signal = stop_signal().map_err(SupervisorError::Start)?;
        tokio::select! {
            result = serve_within(&surroundings, settings, SOURCES, Patience::default(), stop.clone()) => result,
            () = async {
                signal.await;
                surroundings.manager.stopping();
                stop.cancel();
                std::future::pending().await
            } => Ok(()),
        }
    });
    // A reading of the machine that hangs must not hold the stop.
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

/// The service itself, until `stop`.
pub async fn serve(settings: Settings, stop: CancellationToken) -> Result<(), SupervisorError> {
    serve_sources(settings, SOURCES, Patience::default(), stop).await
}

/// The same with sources and patience of the caller's.
pub async fn serve_sources(
    settings: Settings,
    sources: &'static [&'static dyn Source],
    patience: Patience,
    stop: CancellationToken,
) -> Result<(), SupervisorError> {
    serve_within(&Surroundings::default(), settings, sources, patience, stop).await
}

async fn serve_within(
    surroundings: &Surroundings,
    settings: Settings,
    sources: &'static [&'static dyn Source],
    patience: Patience,
    stop: CancellationToken,
) -> Result<(), SupervisorError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let files = {
        let folder = settings.state_dir.clone();
        off_thread(move || CredentialFiles::open(&folder)).await?
    };
    let _lock = StateLock::take(&settings.state_dir)?;

    let board = Arc::new(Board::open(&settings.state_dir, clock.clone()));
    begin(&board, &settings, surroundings.sandbox.clone());
    let last_written = CancellationToken::new();
    let writer = tokio::spawn({
        let (board, last_written) = (board.clone(), last_written.clone());
        async move { board.keep_written(last_written).await }
    });

    let machine = Machine::with(sources, &settings, clock.clone());
    surroundings.manager.ready();
    let result = tokio::select! {
        result = enrolled_and_connected(settings, machine, patience, &files, &board, clock, &stop) => result,
        () = surroundings.manager.keep_told(&board) => Ok(()),
    };

    if let Err(error) = &result {
        board.problem(&chain(error));
    }
    board.event(Kind::Service, "stopped");
    board.update(|status| {
        status.connection.state = ConnectionState::Stopped;
        status.connection.retry = None;
    });
    last_written.cancel();
    if writer.await.is_err() {
        tracing::warn!("the status was not written to the end");
    }
    result
}

async fn enrolled_and_connected(
    settings: Settings,
    machine: Machine,
    patience: Patience,
    files: &CredentialFiles,
    board: &Arc<Board>,
    clock: Arc<dyn Clock>,
    stop: &CancellationToken,
) -> Result<(), SupervisorError> {
    let judging = Arc::new(JudgingClock::new(clock.clone()));
    let present = {
        let files = files.clone();
        off_thread(move || files.load(Slot::Current)).await?
    };
    let identity = match present {
        Some(identity) => identity,
        None => match enrolling::enrol(&settings, files, &machine, board, judging.clone(), stop).await? {
            Some(identity) => identity,
            None => return Ok(()),
        },
    };
    say_who(board, &identity);

    let spool_limit = usize::try_from(settings.spool_limit_bytes).unwrap_or(usize::MAX);
    let disk = Disk::new(settings.state_dir.clone(), spool_limit);
    let (ledger, sequence, lost) = disk
        .load()
        .await
        .map_err(|source| SupervisorError::Spool { folder: settings.state_dir.clone(), source })?;
    for error in lost {
        tracing::warn!(error = %chain(&error), "a state file can't be used, its content is reported anew");
        board.event(Kind::Problem, &format!("{}; its content is reported anew", chain(&error)));
    }

    let asked = last_asked(&settings, board).await;
    let own = Own {
        boot_id: machine.boot_id().await,
        state_dir: settings.state_dir.clone(),
        schedule: settings.schedule.clone(),
        ceiling: settings.privacy,
    };
    let own_clock = clock.clone();
    let wiring = Arc::new(Wiring::new(identity, files.clone(), board.clone(), clock, judging, own, &asked));
    let sampling = Sampling {
        plan: wiring.plan(),
        is_on: machine.has_source(Personal::Usage),
        folder: settings.state_dir.clone(),
        every: settings.usage_interval,
        told: machine.told(),
        board: board.clone(),
        clock: own_clock,
        open: || Ok(Box::new(LiveHost::open()?)),
    };
    let sampling = tokio::spawn(sampling.keep_watching(stop.clone()));
    let gatherer = Gatherer {
        machine,
        board: board.clone(),
        plan: wiring.plan(),
        collect_now: wiring.collect_now(),
        patience,
    };
    let (sender, inventories) = mpsc::channel(1);
    let gathering = tokio::spawn(gatherer.keep_collecting(sender, stop.clone()));
    let mut inputs = Inputs { inventories, stop: stop.clone() };
    let way = settings.proxying.way_to(&settings.collector.session);
    let mut dial = AgentDial::new(wiring.clone(), settings.collector.session.clone(), way);
    let mut state = SessionState::new(ledger, sequence).under(settings.privacy, asked);
    let connected = keep_connected(&mut dial, &mut state, &disk, &*wiring, &mut inputs, Chance::draw);
    tokio::select! {
        () = connected => {}
        () = async { stop.cancelled().await; tokio::time::sleep(GRACE).await } => {
            tracing::warn!("the last session did not end within its time");
        }
    }
    stop.cancel();
    drop(inputs);
    for (work, task) in [("collecting", gathering), ("watching which applications run", sampling)] {
        if task.await.is_err() {
            tracing::error!(work, "a part of the agent ended by a fault in it, please report it");
        }
    }
    Ok(())
}

/// What the charter asked for last; what can't be read grants nothing, and the next session tells anew.
async fn last_asked(settings: &Settings, board: &Board) -> AgentSettings {
    let folder = settings.state_dir.clone();
    off_thread(move || asked::load(&folder)).await.unwrap_or_else(|error| {
        let message = chain(&error);
        tracing::warn!(error = message, "what the charter asked for is forgotten; nothing is granted");
        board.event(
            Kind::Problem,
            &format!("{message}; nothing is granted until the collector says so again"),
        );
        AgentSettings::default()
    })
}

fn begin(board: &Board, settings: &Settings, sandbox: Option<Sandbox>) {
    let version = env!("CARGO_PKG_VERSION");
    tracing::info!(agent.version = version, collector = %settings.collector.session, "muster-agent started");
    let started = board.time();
    board.update(|status| {
        status.agent_version = version.to_owned();
        status.process_id = std::process::id();
        status.started = started;
        status.collector = settings.collector.session.to_string();
        status.sandbox = sandbox;
    });
    board.event(Kind::Service, &format!("started, version {version}"));
}

fn say_who(board: &Board, identity: &Identity) {
    board.update(|status| {
        status.identity = Some(crate::status::Identity {
            agent_id: identity.agent_id.to_string(),
            device_id: identity.device_id.to_string(),
            certificate_end: identity.lifetime().not_after.to_string(),
        });
    });
}

/// An error with its causes, in one line.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

/// Ends when the service is asked to stop.
#[cfg(unix)]
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Ends when the service is asked to stop.
#[cfg(not(unix))]
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        // Without a handler the system's own ends the process, which is a stop too.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}
