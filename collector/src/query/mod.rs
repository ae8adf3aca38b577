//! All reads: devices, their inventory and history, software, flags, and who had an identifier when.
//!
//! Lists, counts and orders come from the index, what is shown of a device from its record, the past from its history.
//! Personal values are opened here, for the answer alone, and nowhere kept. [`View`] is the reads as one asker may see
//! them; [`service`] is the door that gRPC comes through, and `authz` stands before it.
//!
//! Modules stand in the order of the schema's methods.

pub mod service;

mod convert;
mod failure;
pub mod page;
mod persons;
mod view;

mod as_of;
mod devices;
mod past;

mod inventory;

mod history;

mod software;

mod flags;

mod scope;
pub mod work;

mod former;
mod lookup;

pub mod agents;
mod people;
mod reconcile;
mod refused;
mod sightings;

use std::sync::Arc;

use muster_common::{governance::Charter, id::DeviceId, time::Timestamp};

pub use failure::QueryFailure;
pub use view::View;

use crate::{index::Index, pipeline::Pipeline, records::Records, registry::Persons, store::Position};

/// The reads of one collector.
#[derive(Debug)]
pub struct Query {
    pipeline: Arc<Pipeline>,
    index: Arc<Index>,
    persons: Persons,
    former: former::Former,
    as_of: as_of::AsOf,
}

impl Query {
    /// Over what the pipeline writes, the index that it feeds, and the persons whom both know by their ids.
    pub fn new(pipeline: Arc<Pipeline>, index: Arc<Index>, persons: Persons) -> Self {
        Self { pipeline, index, persons, former: former::Former::default(), as_of: as_of::AsOf::default() }
    }

    fn records(&self) -> &Records {
        self.pipeline.records()
    }

    fn charter(&self) -> Arc<Charter> {
        self.pipeline.charter()
    }

    /// The present moment by the collector's clock.
    pub fn now(&self) -> Timestamp {
        self.pipeline.now()
    }

    /// Refuses to answer before the write that the asker has seen; an empty text asks for nothing.
    async fn reach(&self, min_position: &str) -> Result<(), QueryFailure> {
        if min_position.is_empty() {
            return Ok(());
        }
        let wanted: u64 = min_position.parse().map_err(|_| QueryFailure::Position)?;
        let reached = self.records().store().position().await;
        if reached < Position::from_number(wanted) { Err(QueryFailure::Ahead) } else { Ok(()) }
    }

    /// The device of a resource name, or the one that it was merged into.
    fn named(&self, name: &str) -> Result<DeviceId, QueryFailure> {
        let id = id_of(name)?;
        self.index.read().resolve(id).ok_or(QueryFailure::NoDevice { device: id })
    }
}

/// The id in a resource name.
fn id_of(name: &str) -> Result<DeviceId, QueryFailure> {
    let malformed = || QueryFailure::Name { name: name.chars().take(64).collect() };
    name.strip_prefix("devices/").and_then(|id| id.to_ascii_lowercase().parse().ok()).ok_or_else(malformed)
}
