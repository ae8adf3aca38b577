//! All reads: devices, their inventory and history, software, flags, and who had an identifier when.
//!
//! Lists, counts and orders come from the index, what is shown of a device from its record, the past from its history.
//! Personal values are opened here, for the answer alone, and nowhere kept. Knows nothing of who asks: [`service`] is
//! the door that gRPC comes through, and `authz` stands before it.
//!
//! Modules stand in the order of the schema's methods.

pub mod service;

mod convert;
mod failure;
mod page;
mod persons;

mod devices;
mod past;

mod inventory;

mod history;

mod software;

mod flags;

mod former;
mod lookup;

pub mod agents;
mod refused;

use std::sync::Arc;

use muster_common::{
    id::DeviceId,
    time::{Clock, Timestamp},
};

pub use failure::QueryFailure;

use crate::{
    index::Index,
    pipeline::presence::Presence,
    privacy::Vault,
    records::Records,
    store::{Position, Store},
};

/// The reads of one collector.
#[derive(Debug)]
pub struct Query {
    records: Records,
    index: Arc<Index>,
    presence: Arc<Presence>,
    vault: Arc<Vault>,
    clock: Arc<dyn Clock>,
    former: former::Former,
}

impl Query {
    /// Over a store and what is derived from it.
    pub fn new(
        store: Arc<dyn Store>,
        index: Arc<Index>,
        presence: Arc<Presence>,
        vault: Arc<Vault>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            records: Records::new(store),
            index,
            presence,
            vault,
            clock,
            former: former::Former::default(),
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Refuses to answer before the write that the asker has seen; an empty text asks for nothing.
    async fn reach(&self, min_position: &str) -> Result<(), QueryFailure> {
        if min_position.is_empty() {
            return Ok(());
        }
        let wanted: u64 = min_position.parse().map_err(|_| QueryFailure::Position)?;
        let reached = self.records.store().position().await;
        if reached < Position::from_number(wanted) { Err(QueryFailure::Ahead) } else { Ok(()) }
    }

    /// The device of a resource name, or the one that it was merged into.
    fn named(&self, name: &str) -> Result<DeviceId, QueryFailure> {
        let malformed = || QueryFailure::Name { name: name.chars().take(64).collect() };
        let id: DeviceId = name
            .strip_prefix("devices/")
            .and_then(|id| id.to_ascii_lowercase().parse().ok())
            .ok_or_else(malformed)?;
        self.index.read().resolve(id).ok_or(QueryFailure::NoDevice { device: id })
    }
}
