//! Watches which applications run, where charter and machine both allow it, and forgets everything where they don't.
//!
//! Knows nothing of processes; that is `usage`. What was found is written down rarely: it has days and no times, so that
//! a lost quarter of an hour is seldom a loss.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use muster_common::time::{Clock, EndpointTime};
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

use super::gather::Plan;
use crate::{
    host::{Host, HostError},
    sources::Personal,
    status::{Board, Kind},
    transport::disk::off_thread,
    usage::{self, Ledger, Sampler, Told},
};

/// Between two writes of the file.
const WRITE_GAP: Duration = Duration::from_secs(15 * 60);

/// Opens the machine.
pub(super) type Open = fn() -> Result<Box<dyn Host>, HostError>;

/// Watches for ever.
pub(super) struct Sampling {
    pub(super) plan: watch::Receiver<Plan>,
    /// Whether the configuration leaves the source on.
    pub(super) is_on: bool,
    /// The state folder.
    pub(super) folder: PathBuf,
    /// Between two looks.
    pub(super) every: Duration,
    pub(super) told: Told,
    pub(super) board: Arc<Board>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) open: Open,
}

/// Why a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Woken {
    Time,
    Plan,
    /// The service stops.
    Stop,
}

impl Sampling {
    /// Until `stop`.
    pub(super) async fn keep_watching(mut self, stop: CancellationToken) {
        loop {
            if self.is_allowed() {
                self.watch(&stop).await;
            }
            if stop.is_cancelled() {
                return;
            }
            if !self.is_allowed() {
                self.forget().await;
                if self.wait(None, &stop).await == Woken::Stop {
                    return;
                }
            }
        }
    }

    fn is_allowed(&mut self) -> bool {
        self.is_on && self.plan.borrow_and_update().permissions.allows(Personal::Usage)
    }

    /// Nothing that was found stays, neither here nor on disk.
    async fn forget(&self) {
        self.told.set(None);
        let folder = self.folder.clone();
        match off_thread(move || usage::delete(&folder)).await {
            Ok(true) => {
                let message = "which applications run is not watched any more, and what was found is deleted";
                self.board.event(Kind::Directive, message);
            }
            Ok(false) => {}
            Err(error) => {
                let message = format!("what was found of the use of applications can't be deleted: {error}");
                tracing::error!(error = %error, "what was found of the use of applications can't be deleted");
                self.board.problem(&message);
            }
        }
    }

    /// Looks again and again while it is allowed.
    async fn watch(&mut self, stop: &CancellationToken) {
        let mut sampler = Sampler::new(self.kept().await);
        let minutes = self.every.as_secs() / 60;
        self.board.event(Kind::Directive, &format!("which applications run is watched, every {minutes} min"));
        let (mut is_dirty, mut written) = (false, None::<Instant>);
        loop {
            let (now, open) = (EndpointTime::from_millis(self.clock.now().as_millis()), self.open);
            let is_new;
            (sampler, is_new) = off_thread(move || {
                let found = open().map(|host| sampler.sample(host.as_ref(), now));
                (sampler, found.unwrap_or(false))
            })
            .await;
            // Asked first: while it was looked at, it may have been forbidden.
            if !self.is_allowed() {
                return;
            }
            if is_new {
                is_dirty = true;
                self.told.set(Some(sampler.ledger().uses()));
            }
            if is_dirty && written.is_none_or(|written| written.elapsed() >= WRITE_GAP) {
                sampler = self.write(sampler).await;
                (is_dirty, written) = (false, Some(Instant::now()));
            }
            match self.wait(Some(self.every), stop).await {
                Woken::Time | Woken::Plan if self.is_allowed() => {}
                Woken::Time | Woken::Plan => return,
                Woken::Stop => {
                    sampler = off_thread(move || {
                        if let Ok(host) = open() {
                            sampler.settle(host.as_ref());
                        }
                        sampler
                    })
                    .await;
                    self.write(sampler).await;
                    return;
                }
            }
        }
    }

    /// What an earlier run of the service found; what can't be read is begun anew.
    async fn kept(&self) -> Ledger {
        let folder = self.folder.clone();
        match off_thread(move || usage::load(&folder)).await {
            Ok(kept) => kept.unwrap_or_default(),
            Err(error) => {
                let message = super::chain(&error);
                tracing::warn!(error = message, "what was found of the use of applications is begun anew");
                self.board
                    .event(Kind::Problem, &format!("{message}; the use of applications is counted anew"));
                Ledger::default()
            }
        }
    }

    async fn write(&self, sampler: Sampler) -> Sampler {
        let folder = self.folder.clone();
        let (sampler, result) = off_thread(move || {
            let result = usage::save(Path::new(&folder), sampler.ledger());
            (sampler, result)
        })
        .await;
        if let Err(error) = result {
            let message = super::chain(&error);
            tracing::error!(error = message, "what was found of the use of applications can't be kept");
            self.board
                .problem(&format!("what was found of the use of applications can't be kept: {message}"));
        }
        sampler
    }

    /// Waits for a time or, without one, for a new plan.
    async fn wait(&mut self, time: Option<Duration>, stop: &CancellationToken) -> Woken {
        let time = async {
            match time {
                Some(time) => tokio::time::sleep(time).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => Woken::Stop,
            changed = self.plan.changed() => match changed {
                Ok(()) => Woken::Plan,
                // Whoever makes plans is gone: the service stops.
                Err(_) => {
                    stop.cancelled().await;
                    Woken::Stop
                }
            },
            () = time => Woken::Time,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fs};

    use muster_common::{
        governance::{AgentSettings, Privacy},
        time::{ManualClock, Timestamp},
    };

    use super::*;
    use crate::{config::Schedule, host::MemoryHost, permissions::Permissions};

    const USAGE: Privacy = Privacy { usage: true, ..Privacy::NONE };

    fn plan(ceiling: Privacy, grant: Privacy) -> Plan {
        let asked = AgentSettings { privacy: grant, ..AgentSettings::default() };
        Plan {
            schedule: Schedule { interval: Duration::from_secs(3600), jitter_percent: 0 },
            permissions: Permissions::new(ceiling, &asked),
        }
    }

    fn machine() -> Result<Box<dyn Host>, HostError> {
        let stat = b"7 (bash) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 8231 225280 100 1844".to_vec();
        let files = [
            ("proc/7/stat", stat),
            ("usr/bin/bash", Vec::new()),
            ("var/lib/dpkg/info/bash.list", b"/.\n/bin\n/bin/bash\n".to_vec()),
        ];
        let files: BTreeMap<String, Vec<u8>> =
            files.into_iter().map(|(path, bytes)| (path.to_owned(), bytes)).collect();
        Ok(Box::new(MemoryHost { files, ..MemoryHost::default() }))
    }

    fn no_machine() -> Result<Box<dyn Host>, HostError> {
        panic!("nobody may look at the machine")
    }

    struct Running {
        folder: tempfile::TempDir,
        plan: watch::Sender<Plan>,
        told: Told,
        stop: CancellationToken,
        task: tokio::task::JoinHandle<()>,
    }

    impl Running {
        fn start(first: Plan, is_on: bool, open: Open, kept: Option<&[u8]>) -> Self {
            let folder = tempfile::tempdir().unwrap();
            if let Some(kept) = kept {
                fs::write(folder.path().join("usage"), kept).unwrap();
            }
            let clock: Arc<dyn Clock> =
                Arc::new(ManualClock::at(Timestamp::from_millis(20_000 * 86_400_000 + 5)));
            let plan = watch::Sender::new(first);
            let (told, stop) = (Told::default(), CancellationToken::new());
            let sampling = Sampling {
                plan: plan.subscribe(),
                is_on,
                folder: folder.path().to_owned(),
                every: Duration::from_secs(300),
                told: told.clone(),
                board: Arc::new(Board::open(folder.path(), clock.clone())),
                clock,
                open,
            };
            let task = tokio::spawn(sampling.keep_watching(stop.clone()));
            Self { folder, plan, told, stop, task }
        }

        fn file(&self) -> PathBuf {
            self.folder.path().join("usage")
        }

        async fn until(&self, reached: impl Fn(&Self) -> bool) {
            let wait = async {
                while !reached(self) {
                    tokio::task::yield_now().await;
                }
            };
            tokio::time::timeout(Duration::from_secs(30), wait).await.expect("it took too long");
        }

        async fn stop(self) -> tempfile::TempDir {
            self.stop.cancel();
            self.task.await.unwrap();
            self.folder
        }
    }

    fn names(told: &Told) -> Vec<String> {
        told.get().iter().flat_map(|uses| uses.iter().map(|usage| usage.name.clone())).collect()
    }

    #[tokio::test]
    async fn nothing_is_looked_at_and_nothing_stays_unless_both_allow_it() {
        let kept = usage_of_yesterday();
        for (ceiling, grant, is_on) in
            [(USAGE, Privacy::NONE, true), (Privacy::NONE, USAGE, true), (USAGE, USAGE, false)]
        {
            let running = Running::start(plan(ceiling, grant), is_on, no_machine, Some(&kept));
            running.until(|running| !running.file().exists()).await;
            assert!(running.told.get().is_none());
            running.stop().await;
        }
    }

    fn usage_of_yesterday() -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::default();
        ledger.look(19_999);
        ledger.note(&crate::sources::programs::Owner::new("deb", "gimp"), false, 19_999);
        usage::save(folder.path(), &ledger).unwrap();
        fs::read(folder.path().join("usage")).unwrap()
    }

    #[tokio::test]
    async fn what_is_found_is_kept_until_it_is_forbidden() {
        let running = Running::start(plan(USAGE, USAGE), true, machine, Some(&usage_of_yesterday()));
        running.until(|running| names(&running.told) == ["bash", "gimp"]).await;
        let read = |folder: &Path| usage::load(folder).unwrap().unwrap().uses().len();
        running.until(|running| read(running.folder.path()) == 2).await;
        running.plan.send_replace(plan(USAGE, Privacy::NONE));
        running.until(|running| !running.file().exists() && running.told.get().is_none()).await;
        // What is allowed again begins with nothing.
        running.plan.send_replace(plan(USAGE, USAGE));
        running.until(|running| names(&running.told) == ["bash"]).await;
        let folder = running.stop().await;
        assert_eq!(read(folder.path()), 1, "a stop writes it down");
    }

    #[tokio::test]
    async fn a_damaged_file_is_begun_anew() {
        let running = Running::start(plan(USAGE, USAGE), true, machine, Some(b"nonsense"));
        running.until(|running| names(&running.told) == ["bash"]).await;
        let folder = running.stop().await;
        assert_eq!(usage::load(folder.path()).unwrap().unwrap().uses().len(), 1);
    }
}
