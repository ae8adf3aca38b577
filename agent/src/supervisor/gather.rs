//! Reads the machine: at once, then by a jittered interval, and whenever the collector asks.
//!
//! Knows nothing of sessions; inventories go into a channel that holds one, so that a slow disk slows collecting and
//! not memory.

use std::{
    future::Future,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use muster_common::{
    inventory::{SectionName, SectionStatus},
    time::{Clock, EndpointTime},
};
use muster_proto::v1;
use tokio::{
    sync::{Notify, mpsc, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::{
    collect::{Limits, Rescan, Rescanned, SourceCost},
    config::{Schedule, Settings},
    host::{Host, HostError, LiveHost},
    permissions::{Permissions, permitted},
    report::{EncodedInventory, EncodedSection},
    sources::{Personal, SOURCES, Source},
    status::{self, Board, Kind, SOURCE_ERRORS},
    transport::{backoff::Chance, disk::off_thread},
    usage::Told,
};

/// A collection that takes longer is said to hang; the next one waits for it.
const COLLECTED_WITHIN: Duration = Duration::from_secs(5 * 60);
/// After a collection that could not even begin.
const AGAIN: Duration = Duration::from_secs(60);

/// Everything is read anyway after about this time.
const FULL_EVERY: Duration = Duration::from_secs(24 * 60 * 60);
const FULL_JITTER_PERCENT: u8 = 10;

const BOOT_ID: &str = "proc/sys/kernel/random/boot_id";

/// This machine, read by the sources that are switched on.
#[derive(Debug, Clone)]
pub struct Machine {
    sources: Arc<[&'static dyn Source]>,
    clock: Arc<dyn Clock>,
    rescan: Arc<Mutex<Rescan>>,
    metadata_address: SocketAddr,
    told: Told,
    certificate_folders: Arc<[String]>,
}

/// How long a collection that comes before its time is put off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Between the starts of two collections, however often a collector asks.
    pub gap: Duration,
    /// Over how long a time the agents of a fleet read their machines again when they may read something else.
    pub spread: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { gap: Duration::from_secs(10), spread: Duration::from_secs(10) }
    }
}

/// Why the machine can't be read at all.
#[derive(Debug, thiserror::Error)]
#[error("this machine can't be read")]
pub struct ReadError(#[from] HostError);

impl Machine {
    /// With all sources that the settings leave on.
    pub fn new(settings: &Settings, clock: Arc<dyn Clock>) -> Self {
        Self::with(SOURCES, settings, clock)
    }

    /// The same with sources of the caller's.
    pub fn with(sources: &[&'static dyn Source], settings: &Settings, clock: Arc<dyn Clock>) -> Self {
        let on =
            |source: &&&'static dyn Source| !settings.disabled_sources.iter().any(|it| it == source.name());
        let rescan = Rescan::new(Limits::default(), Chance::draw().around(FULL_EVERY, FULL_JITTER_PERCENT));
        let sources = sources.iter().filter(on).copied().collect();
        Self {
            sources,
            clock,
            rescan: Arc::new(Mutex::new(rescan)),
            metadata_address: settings.metadata_address,
            told: Told::default(),
            certificate_folders: settings.certificate_folders.as_slice().into(),
        }
    }

    /// Where what is found of the use of applications is put, to be read with the rest.
    pub(crate) fn told(&self) -> Told {
        self.told.clone()
    }

    /// Whether there is a source, and switched on, that tells this of people.
    pub(super) fn has_source(&self, personal: Personal) -> bool {
        self.sources.iter().any(|source| source.personal() == Some(personal))
    }

    /// Reads it, off the async thread, and nothing of people. What can't have changed since the last time is not read
    /// again.
    pub async fn read(&self) -> Result<Rescanned, ReadError> {
        self.reading(Permissions::default()).await
    }

    /// The same, with what of people these permissions allow.
    pub async fn read_under(&self, permissions: Permissions) -> Result<Rescanned, ReadError> {
        self.reading(permissions).await
    }

    /// Random for each boot; empty where the system has none.
    pub async fn boot_id(&self) -> String {
        off_thread(|| {
            let host = LiveHost::open().ok()?;
            let bytes = host.prefix(BOOT_ID, 64).ok()?.bytes;
            Some(String::from_utf8_lossy(&bytes).trim().to_owned())
        })
        .await
        .unwrap_or_default()
    }

    fn reading(
        &self,
        permissions: Permissions,
    ) -> impl Future<Output = Result<Rescanned, ReadError>> + Send + 'static {
        let Self { sources, clock, rescan, metadata_address, told, certificate_folders } = self.clone();
        off_thread(move || {
            let host = LiveHost::open()?
                .with_networks(permissions.networks().to_vec())
                .with_uses(told.get())
                .with_certificate_folders(certificate_folders.to_vec())
                .asking_cloud_at(metadata_address);
            let now = EndpointTime::from_millis(clock.now().as_millis());
            let allowed = permitted(&sources, &permissions);
            let withheld = withheld(&sources, &allowed);
            // A source's panic is caught within; what one of ours leaves behind is read anew at the latest in a day.
            let mut rescan = rescan.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(rescan.collect(&host, &allowed, permissions, withheld, now))
        })
    }
}

/// The sections of which nothing may be read: every source that feeds them tells of people.
fn withheld(sources: &[&'static dyn Source], allowed: &[&'static dyn Source]) -> Vec<SectionName> {
    let read: Vec<SectionName> = allowed.iter().map(|source| source.section()).collect();
    let mut withheld: Vec<SectionName> = sources.iter().map(|source| source.section()).collect();
    withheld.retain(|section| !read.contains(section));
    withheld.sort();
    withheld.dedup();
    withheld
}

/// When to read the machine, and what of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plan {
    pub(super) schedule: Schedule,
    pub(super) permissions: Permissions,
}

/// Collects for ever.
#[derive(Debug)]
pub(super) struct Gatherer {
    pub(super) machine: Machine,
    pub(super) board: Arc<Board>,
    pub(super) plan: watch::Receiver<Plan>,
    pub(super) collect_now: Arc<Notify>,
    pub(super) patience: Patience,
}

impl Gatherer {
    /// Until `stop`, or until nobody takes inventories any more.
    pub(super) async fn keep_collecting(
        mut self,
        inventories: mpsc::Sender<Arc<EncodedInventory>>,
        stop: CancellationToken,
    ) {
        let work = async {
            loop {
                let started = Instant::now();
                let plan = self.plan.borrow_and_update().clone();
                let permissions = plan.permissions.clone();
                let (wait, inventory) = self.once(started, plan).await;
                if let Some(inventory) = inventory
                    && inventories.send(inventory).await.is_err()
                {
                    return;
                }
                self.pause(started, wait, &permissions).await;
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = work => {}
        }
    }

    /// One collection, and how long after its start the next one is due.
    async fn once(&self, started: Instant, plan: Plan) -> (Duration, Option<Arc<EncodedInventory>>) {
        let reading = self.machine.reading(plan.permissions);
        tokio::pin!(reading);
        let result = match tokio::time::timeout(COLLECTED_WITHIN, &mut reading).await {
            Ok(result) => result,
            Err(_) => {
                let minutes = COLLECTED_WITHIN.as_secs() / 60;
                self.board.problem(&format!(
                    "reading this machine takes longer than {minutes} minutes; a file system or device hangs"
                ));
                reading.await
            }
        };
        match result {
            Ok(Rescanned { inventory, costs }) => {
                let wait = jittered(&plan.schedule);
                self.tell(&inventory, &costs, started.elapsed(), wait);
                (wait, Some(inventory))
            }
            Err(error) => {
                let message = super::chain(&error);
                tracing::error!(error = message, "the machine can't be read");
                self.board.problem(&message);
                (AGAIN, None)
            }
        }
    }

    /// Waits for the next collection: its time, a new plan, or the collector's wish. What was read under permissions
    /// that are others now is read again soon, though not by the whole fleet at once.
    async fn pause(&mut self, started: Instant, mut wait: Duration, read_under: &Permissions) {
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(started + wait) => return,
                () = self.collect_now.notified() => wait = self.patience.gap,
                Ok(()) = self.plan.changed() => {
                    let plan = self.plan.borrow_and_update();
                    let unchanged = plan.permissions == *read_under;
                    wait = if unchanged {
                        jittered(&plan.schedule)
                    } else {
                        self.patience.gap.max(started.elapsed() + Chance::draw().of(self.patience.spread))
                    };
                }
            }
        }
    }

    fn tell(&self, inventory: &EncodedInventory, costs: &[SourceCost], took: Duration, wait: Duration) {
        let sections = inventory.sections.values();
        let items: usize = sections.clone().map(|section| section.manifest().len()).sum();
        let errors: usize = sections.clone().map(|section| section.errors().len()).sum();
        let ran = costs.iter().filter(|cost| cost.ran).count();
        let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        tracing::info!(duration_ms, items, errors, sources.ran = ran, "collected this machine's inventory");
        self.board.event(
            Kind::Collection,
            &format!(
                "collected {items} items in {} sections within {duration_ms} ms, {errors} errors; {ran} of {} sources \
                 had something to read",
                sections.len(),
                costs.len()
            ),
        );
        let (finished, next) = (self.board.time(), self.board.time_after(wait.saturating_sub(took)));
        self.board.update(|status| {
            let sources = costs.iter().map(source_status).collect();
            let shown = sections.clone().map(|section| section_status(section)).collect();
            status.collection =
                Some(status::Collection { finished, duration_ms, sections: shown, sources, next });
            status.source_errors =
                sections.flat_map(|section| source_errors(section)).take(SOURCE_ERRORS).collect();
        });
    }
}

fn jittered(schedule: &Schedule) -> Duration {
    Chance::draw().around(schedule.interval, schedule.jitter_percent)
}

fn section_status(section: &EncodedSection) -> status::Section {
    let text = match section.status() {
        SectionStatus::Complete => "complete",
        SectionStatus::Partial => "partial",
        SectionStatus::Failed => "failed",
        SectionStatus::NotAvailable => "not available",
    };
    status::Section {
        name: section.name().as_str().to_owned(),
        status: text.to_owned(),
        items: section.manifest().len(),
        errors: told_errors(section).count(),
    }
}

fn source_status(cost: &SourceCost) -> status::Source {
    let SourceCost { name, micros, ran } = *cost;
    status::Source { name: name.to_owned(), micros, ran }
}

/// What could not be read, without what a machine need not have.
fn told_errors(section: &EncodedSection) -> impl Iterator<Item = &v1::SourceError> {
    section.errors().iter().filter(|error| error.kind() != v1::ErrorKind::Absent)
}

fn source_errors(section: &EncodedSection) -> impl Iterator<Item = status::SourceError> + '_ {
    told_errors(section).map(|error| status::SourceError {
        section: section.name().as_str().to_owned(),
        subject: error.subject.clone(),
        message: error.message.clone(),
    })
}
