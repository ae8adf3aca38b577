//! The collector's real pipeline as a [`Road`], over the store in memory.
//!
//! The simulation is one thread of calls; the pipeline is async, so each call runs to its end on a small runtime.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwap;
use muster_common::{
    device::Device,
    flag::Flag,
    governance::Charter,
    id::DeviceId,
    source::SubjectKey,
    time::{Clock, Timestamp},
};
use tokio::runtime::{Builder, Runtime};

use super::{Observation, Placed, Road};
use crate::{
    index::Index,
    pipeline::{
        Pipeline,
        observation::{Attachment, Observation as Observed, Speaker},
        presence::Presence,
    },
    records::{Read, Subject, key},
    store::memory::MemoryStore,
};

/// The pipeline, its store and its clock.
#[derive(Debug)]
pub struct PipelineRoad {
    runtime: Runtime,
    pipeline: Pipeline,
    index: Arc<Index>,
    clock: Arc<SetClock>,
    streams: HashMap<u64, (DeviceId, SubjectKey)>,
}

/// A clock that shows what the simulation says.
#[derive(Debug, Default)]
struct SetClock(Mutex<Timestamp>);

impl SetClock {
    fn set(&self, now: Timestamp) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PipelineRoad {
    /// An empty collector under a charter.
    ///
    /// # Errors
    /// When the system gives no runtime.
    pub fn new(charter: Charter) -> std::io::Result<Self> {
        let clock = Arc::new(SetClock::default());
        let index = Arc::new(Index::new());
        let pipeline = Pipeline::new(
            Arc::new(MemoryStore::default()),
            index.clone(),
            Arc::new(Presence::default()),
            Arc::new(ArcSwap::from_pointee(charter)),
            clock.clone(),
        );
        let runtime = Builder::new_current_thread().enable_time().build()?;
        Ok(Self { runtime, pipeline, index, clock, streams: HashMap::new() })
    }

    /// How many devices there are.
    pub fn len(&self) -> u64 {
        self.index.read().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A device's record.
    pub fn device(&self, id: DeviceId) -> Option<Device> {
        let read: Result<Read<Device>, _> =
            self.runtime.block_on(self.pipeline.records().get(key::device(id)));
        read.expect("the store in memory answers").record
    }

    /// What is wrong with a device at `now`, whatever is due by then judged.
    pub fn flags(&self, id: DeviceId, now: Timestamp) -> Vec<Flag> {
        self.clock.set(now);
        self.runtime
            .block_on(self.pipeline.judge_due(usize::MAX))
            .expect("the store in memory takes what is judged");
        self.device(id).map(|device| device.flags).unwrap_or_default()
    }
}

impl Road for PipelineRoad {
    fn observe(&mut self, observation: &Observation, now: Timestamp) -> Placed {
        self.clock.set(now);
        let speaker = match observation {
            Observation::Report { agent, items, .. } => {
                Speaker::Agent { agent: *agent, version: String::new(), evidence: items.clone() }
            }
            Observation::Row { import, row_key, fields } => Speaker::Row {
                import: import.clone(),
                row_key: row_key.clone(),
                fields: fields.clone(),
                vouches: true,
            },
        };
        let observed = Observed::first(speaker, now);
        let outcome = self
            .runtime
            .block_on(self.pipeline.observe(&observed))
            .expect("the store in memory takes every observation of the simulation");
        if let Observation::Report { stream, .. } = observation {
            let open = self.streams.insert(*stream, (outcome.device, outcome.subject.clone()));
            if open.as_ref() != Some(&(outcome.device, outcome.subject.clone())) {
                if let Some((device, subject)) = open {
                    self.pipeline.disconnected(device, &subject);
                }
                self.pipeline.connected(outcome.device, &outcome.subject, now);
            }
        }
        let read: Read<Subject> = self
            .runtime
            .block_on(self.pipeline.records().get(key::subject(&outcome.subject)))
            .expect("the store in memory answers");
        let waits = read.record.is_some_and(|subject| subject.in_conflict);
        Placed { device: outcome.device, in_conflict: waits || outcome.attachment == Attachment::Conflict }
    }

    fn hang_up(&mut self, stream: u64) {
        if let Some((device, subject)) = self.streams.remove(&stream) {
            self.pipeline.disconnected(device, &subject);
        }
    }
}
