//! Every observation's road: identify, merge, flag, commit, publish.
//!
//! Whatever says something about an endpoint comes through [`Pipeline::observe`]; nothing else writes devices. Policy
//! (`identity`, `merge`, `flags`) is pure and decides; here is what it needs read, and what it leads to written, in one
//! atomic commit that expects everything it was decided on.
//!
//! Modules stand in the order in which an observation meets them.

pub mod observation;

pub mod preview;
mod step;
pub mod trial;
mod word;

mod catalogue;
mod section;

mod attach;
mod found;

mod judge;
mod prune;
mod refold;

pub mod again;
mod clock;
mod downtime;
mod exceptions;
pub mod presence;
pub mod sightings;

use std::sync::Arc;

use arc_swap::ArcSwap;
use muster_common::{
    device::Device,
    governance::{AgentSettings, Charter},
    id::{DeviceId, PersonId},
    inventory::SectionName,
    person::PersonFacts,
    source::SubjectKey,
    time::{Clock, Timestamp},
};
use muster_proto::convert::Invalid;
use tokio::sync::watch;

use catalogue::{Catalogue, NewTitle};
use clock::Due;
use downtime::Downtime;
use exceptions::Exceptions;
use observation::{Attachment, Companion, CompanionWrites, Observation, Outcome, Speaker};
use presence::Presence;
use refold::Refolded;
use sightings::Sightings;
use step::Tried;

use crate::{
    index::Index,
    records::{RecordError, Records, content::Content, key},
    store::{CatalogueId, CommitError, Key, Store, StoreError},
};

/// How often an observation is decided again when others are faster; each try sees what they did.
const MOST_TRIES: u32 = 64;
/// Devices that are read in one go at the start.
const PAGE: usize = 1_000;

/// Why an observation was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    /// Something in it can't be used.
    #[error("the report is not usable: {0}")]
    Unusable(#[source] Invalid),
    /// A whole section does not have the digest that came with it.
    #[error(
        "section {section} does not have the digest that came with it: upgrade the agent, or report a bug"
    )]
    Digest {
        /// Which section.
        section: SectionName,
    },
    /// A section's name is too long to be kept.
    #[error("section {section} has too long a name")]
    Section {
        /// Which section.
        section: SectionName,
    },
    /// More sections than a subject may have.
    #[error("more sections than the {} that are kept", muster_proto::limits::SECTIONS)]
    TooManySections,
    /// More items of evidence than are kept.
    #[error("more hardware items than the {} that are kept", muster_proto::limits::EVIDENCE_ITEMS)]
    TooMuchEvidence,
    /// A statement about a device that isn't there.
    #[error("there is no device {device} (list them: muster devices)")]
    NoSuchDevice {
        /// As it was named.
        device: DeviceId,
    },
    /// Others were faster again and again.
    #[error("too many changes to the same device at once: try again later")]
    Contended,
    /// What the companion was decided on has changed: decide it again.
    #[error("what came with the observation was decided on something that has changed since")]
    CompanionChanged,
    /// The store could not be read.
    #[error("could not read what is known")]
    Read(#[from] RecordError),
    /// The store could not be read or given a title.
    #[error("could not use the store")]
    Store(#[from] StoreError),
    /// The store did not take the change.
    #[error("could not keep the change")]
    Commit(#[from] CommitError),
}

impl ObserveError {
    fn unusable(error: Invalid) -> Self {
        Self::Unusable(error)
    }

    /// Whether the same observation may be taken later; else it never will be.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Contended | Self::CompanionChanged | Self::Read(_) | Self::Store(_) | Self::Commit(_) => {
                true
            }
            Self::Unusable(_)
            | Self::NoSuchDevice { .. }
            | Self::Digest { .. }
            | Self::Section { .. }
            | Self::TooManySections
            | Self::TooMuchEvidence => false,
        }
    }
}

/// The only way to change what is known of devices.
#[derive(Debug)]
pub struct Pipeline {
    records: Records,
    catalogue: Catalogue,
    index: Arc<Index>,
    presence: Arc<Presence>,
    charter: Arc<ArcSwap<Charter>>,
    asked: watch::Sender<AgentSettings>,
    clock: Arc<dyn Clock>,
    due: Due,
    downtime: Downtime,
    sightings: Sightings,
    exceptions: Exceptions,
}

impl Pipeline {
    /// Over a store; [`Self::load`] brings the index up to it.
    pub fn new(
        store: Arc<dyn Store>,
        index: Arc<Index>,
        presence: Arc<Presence>,
        charter: Arc<ArcSwap<Charter>>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            records: Records::new(store),
            catalogue: Catalogue::default(),
            due: Due::default(),
            downtime: Downtime::default(),
            sightings: Sightings::default(),
            exceptions: Exceptions::default(),
            asked: watch::Sender::new(charter.load().agents.clone()),
            index,
            presence,
            charter,
            clock,
        }
    }

    /// Fills catalogue, presence and index from the store; returns how many devices there are.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn load(&self) -> Result<usize, ObserveError> {
        let titles = self.catalogue.load(self.records.store().as_ref()).await?;
        self.add_titles(&titles);
        self.presence.load(self.records.store().as_ref()).await?;
        self.sightings.load(self.records.store().as_ref()).await?;
        let now = self.now();
        if let Some(last) = self.presence.all().into_iter().map(|(_, seen)| seen.last).max() {
            self.downtime.set(last, now);
        }
        let mut after: Option<Key> = None;
        let mut count = 0;
        loop {
            let page: Vec<(Key, Device)> = self.records.scan(key::DEVICES, after.as_ref(), PAGE).await?;
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            for (_, device) in &page {
                let software = self.software_of(device).await?;
                self.index.write().upsert(device, &software);
                self.due.set(device.id, Some(now));
                self.due.note_silence(device);
                count += 1;
            }
        }
        let mut fleet = self.index.write();
        for (device, seen) in self.presence.all() {
            fleet.set_presence(device, seen.last, seen.connected);
        }
        for (device, sources) in self.sightings.all() {
            fleet.set_sighted(device, sources);
        }
        fleet.prepare();
        Ok(count)
    }

    /// The present moment by the collector's clock.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// What the charter asks of agents, and when that changes.
    pub fn asked_of_agents(&self) -> watch::Receiver<AgentSettings> {
        self.asked.subscribe()
    }

    /// The charter in force.
    pub fn charter(&self) -> Arc<Charter> {
        self.charter.load_full()
    }

    /// Puts another charter in force. Flags are judged by it from the next report or their next time on the clock;
    /// agents are told at once when it asks something else of them.
    pub fn set_charter(&self, charter: Charter) {
        let asked = charter.agents.clone();
        self.charter.store(Arc::new(charter));
        self.asked.send_if_modified(|present| {
            let changed = *present != asked;
            *present = asked;
            changed
        });
    }

    /// Lets every list know what staff lists say of persons, by each id that they go by.
    pub fn set_persons(&self, persons: impl IntoIterator<Item = (PersonId, PersonFacts)>) {
        let mut fleet = self.index.write();
        for (id, facts) in persons {
            fleet.set_person(id, &facts);
        }
    }

    /// Who is connected.
    pub fn presence(&self) -> &Presence {
        &self.presence
    }

    /// The records that devices are made of.
    pub fn records(&self) -> &Records {
        &self.records
    }

    /// Takes an observation; when this returns it is durable and every reader sees it.
    ///
    /// # Errors
    /// [`ObserveError::is_transient`] tells whether it is worth another try.
    pub async fn observe(&self, observation: &Observation) -> Result<Outcome, ObserveError> {
        self.observe_with(observation, None).await
    }

    /// The same, with writes that belong to it in the same commit.
    ///
    /// # Errors
    /// As [`Self::observe`].
    pub async fn observe_with(
        &self,
        observation: &Observation,
        companion: Option<Companion<'_>>,
    ) -> Result<Outcome, ObserveError> {
        for tried in 0..MOST_TRIES {
            match self.try_observe(observation, companion).await? {
                Tried::Done(outcome) => {
                    if let Speaker::Agent { agent, .. } = &observation.speaker {
                        self.note_found(*agent, observation, &outcome).await?;
                        self.note_heard(outcome.device, observation.observed, observation.received).await?;
                    }
                    return Ok(outcome);
                }
                Tried::Again if tried > 4 => tokio::task::yield_now().await,
                Tried::Again => {}
            }
        }
        Err(ObserveError::Contended)
    }

    /// Notes that an agent of the device was heard; a finding about its silence ends at once.
    ///
    /// # Errors
    /// When that can't be kept; that the device was heard is noted all the same.
    pub async fn heard(&self, device: DeviceId, now: Timestamp) -> Result<(), ObserveError> {
        self.note_heard(device, now, now).await
    }

    /// The same for words that were said earlier than they came in.
    async fn note_heard(
        &self,
        device: DeviceId,
        said: Timestamp,
        now: Timestamp,
    ) -> Result<(), ObserveError> {
        let seen = self.presence.heard(device, said);
        self.index.write().set_presence(device, seen.last, seen.connected);
        if self.due.was_silent(device) {
            self.judge_again(device, "clock", now).await?;
        }
        Ok(())
    }

    /// Notes that a stream of an agent was opened.
    pub fn connected(&self, device: DeviceId, subject: &SubjectKey, now: Timestamp) {
        let seen = self.presence.connect(device, subject, now);
        self.index.write().set_presence(device, seen.last, seen.connected);
    }

    /// Notes that a stream of an agent was closed.
    pub fn disconnected(&self, device: DeviceId, subject: &SubjectKey) {
        let seen = self.presence.disconnect(device, subject);
        self.index.write().set_presence(device, seen.last, seen.connected);
    }

    /// Lets every reader see devices as they are now.
    async fn publish(
        &self,
        refolded: &[Refolded],
        changed: DeviceId,
        titles: &[NewTitle],
        software_changed: bool,
    ) -> Result<(), ObserveError> {
        self.add_titles(titles);
        for refolded in refolded {
            let device = &refolded.device;
            self.due.set(device.id, refolded.next_change);
            self.due.note_silence(device);
            if refolded.writes.is_empty() {
                continue;
            }
            if device.id == changed && software_changed || device.version <= 1 {
                let software = self.software_of(device).await?;
                self.index.write().upsert(device, &software);
            } else {
                self.index.write().update(device);
            }
        }
        Ok(())
    }

    fn add_titles(&self, titles: &[NewTitle]) {
        if titles.is_empty() {
            return;
        }
        let mut fleet = self.index.write();
        for title in titles {
            if let Some(package) = &title.package {
                fleet.add_catalogue(title.id, package);
            }
        }
    }

    /// The titles that a device's current agent reports.
    async fn software_of(&self, device: &Device) -> Result<Vec<CatalogueId>, ObserveError> {
        let Some(binding) = device.agents.iter().find(|binding| binding.current) else {
            return Ok(Vec::new());
        };
        let subject = self.records.get::<crate::records::Subject>(key::subject(&binding.subject)).await?;
        let Some(subject) = subject.record else { return Ok(Vec::new()) };
        let keys = subject
            .sections
            .keys()
            .filter(|name| name.is_software())
            .filter_map(|name| key::content(&subject.key, name).ok())
            .collect();
        let contents = self.records.get_all::<Content>(keys).await?;
        Ok(contents.iter().flat_map(|read| section::titles_of(read.record.as_ref())).collect())
    }
}
