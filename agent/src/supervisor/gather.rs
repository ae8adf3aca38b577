//! Reads the machine: at once, then by a jittered interval, and whenever the collector asks.
//!
//! Knows nothing of sessions; inventories go into a channel that holds one, so that a slow disk slows collecting and
//! not memory.

use std::{future::Future, sync::Arc, time::Duration};

use muster_common::{
    inventory::{Inventory, Section, SectionStatus},
    time::{Clock, EndpointTime},
};
use tokio::{
    sync::{Notify, mpsc, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::{
    collect::collect,
    host::{Host, HostError, LiveHost},
    report::EncodedInventory,
    sources::{SOURCES, Source},
    status::{self, Board, Kind, SOURCE_ERRORS},
    transport::{backoff::Chance, disk::off_thread},
};

/// A collection that takes longer is said to hang; the next one waits for it.
const COLLECTED_WITHIN: Duration = Duration::from_secs(5 * 60);
/// Between the starts of two collections, however often a collector asks.
const GAP: Duration = Duration::from_secs(10);
/// After a collection that could not even begin.
const AGAIN: Duration = Duration::from_secs(60);

const BOOT_ID: &str = "proc/sys/kernel/random/boot_id";

/// This machine, read by the sources that are switched on.
#[derive(Debug, Clone)]
pub struct Machine {
    sources: Arc<[&'static dyn Source]>,
    clock: Arc<dyn Clock>,
}

/// Why the machine can't be read at all.
#[derive(Debug, thiserror::Error)]
#[error("this machine can't be read")]
pub struct ReadError(#[from] HostError);

impl Machine {
    /// With all sources but those that are disabled by name.
    pub fn new(disabled: &[String], clock: Arc<dyn Clock>) -> Self {
        let on = |source: &&&'static dyn Source| !disabled.iter().any(|name| name == source.name());
        Self { sources: SOURCES.iter().filter(on).copied().collect(), clock }
    }

    /// Reads it, off the async thread.
    pub async fn read(&self) -> Result<(Inventory, Box<EncodedInventory>), ReadError> {
        self.reading().await
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
    ) -> impl Future<Output = Result<(Inventory, Box<EncodedInventory>), ReadError>> + Send + 'static {
        let Self { sources, clock } = self.clone();
        off_thread(move || {
            let host = LiveHost::open()?;
            let now = EndpointTime::from_millis(clock.now().as_millis());
            let inventory = collect(&host, &sources, Some(now));
            let encoded = Box::new(EncodedInventory::new(&inventory));
            Ok((inventory, encoded))
        })
    }
}

/// Collects for ever.
#[derive(Debug)]
pub(super) struct Gatherer {
    pub(super) machine: Machine,
    pub(super) board: Arc<Board>,
    pub(super) jitter_percent: u8,
    pub(super) interval: watch::Receiver<Duration>,
    pub(super) collect_now: Arc<Notify>,
}

impl Gatherer {
    /// Until `stop`, or until nobody takes inventories any more.
    pub(super) async fn keep_collecting(
        mut self,
        inventories: mpsc::Sender<Box<EncodedInventory>>,
        stop: CancellationToken,
    ) {
        let work = async {
            loop {
                let started = Instant::now();
                let (wait, inventory) = self.once(started).await;
                if let Some(inventory) = inventory
                    && inventories.send(inventory).await.is_err()
                {
                    return;
                }
                self.pause(started, wait).await;
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = work => {}
        }
    }

    /// One collection, and how long after its start the next one is due.
    async fn once(&self, started: Instant) -> (Duration, Option<Box<EncodedInventory>>) {
        let reading = self.machine.reading();
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
            Ok((inventory, encoded)) => {
                let interval = *self.interval.borrow();
                let wait = Chance::draw().around(interval, self.jitter_percent);
                self.tell(&inventory, started.elapsed(), wait);
                (wait, Some(encoded))
            }
            Err(error) => {
                let message = super::chain(&error);
                tracing::error!(error = message, "the machine can't be read");
                self.board.problem(&message);
                (AGAIN, None)
            }
        }
    }

    /// Waits for the next collection: its time, a new interval, or the collector's wish.
    async fn pause(&mut self, started: Instant, mut wait: Duration) {
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(started + wait) => return,
                () = self.collect_now.notified() => wait = GAP,
                Ok(()) = self.interval.changed() => {
                    wait = Chance::draw().around(*self.interval.borrow_and_update(), self.jitter_percent);
                }
            }
        }
    }

    fn tell(&self, inventory: &Inventory, took: Duration, wait: Duration) {
        let items: usize = inventory.sections.iter().map(|section| section.items.len()).sum();
        let errors: usize = inventory.sections.iter().map(|section| section.errors.len()).sum();
        let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        tracing::info!(duration_ms, items, errors, "collected this machine's inventory");
        self.board.event(
            Kind::Collection,
            &format!(
                "collected {items} items in {} sections within {duration_ms} ms, {errors} errors",
                inventory.sections.len()
            ),
        );
        let (finished, next) = (self.board.time(), self.board.time_after(wait.saturating_sub(took)));
        self.board.update(|status| {
            let sections = inventory.sections.iter().map(section_status).collect();
            status.collection = Some(status::Collection { finished, duration_ms, sections, next });
            status.source_errors =
                inventory.sections.iter().flat_map(source_errors).take(SOURCE_ERRORS).collect();
        });
    }
}

fn section_status(section: &Section) -> status::Section {
    let text = match section.status {
        SectionStatus::Complete => "complete",
        SectionStatus::Partial => "partial",
        SectionStatus::Failed => "failed",
        SectionStatus::NotAvailable => "not available",
    };
    status::Section {
        name: section.name.as_str().to_owned(),
        status: text.to_owned(),
        items: section.items.len(),
        errors: section.errors.len(),
    }
}

fn source_errors(section: &Section) -> impl Iterator<Item = status::SourceError> + '_ {
    section.errors.iter().map(|error| status::SourceError {
        section: section.name.as_str().to_owned(),
        subject: error.subject.clone(),
        message: error.message.clone(),
    })
}
