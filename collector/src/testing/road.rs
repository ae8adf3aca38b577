//! The road of an observation as a simulation sees it: what may be said, and where it went.
//!
//! A trait, so that a road that is wrong can be put in the right one's place to show that a simulation would see it.

use std::collections::BTreeMap;

use muster_common::{
    device::{Field, Value},
    id::{AgentId, DeviceId},
    inventory::Item,
    source::ImportName,
    time::Timestamp,
};

/// What one source says of one machine.
#[derive(Debug, Clone)]
pub enum Observation {
    /// An agent's report over an open stream.
    Report {
        /// Which agent.
        agent: AgentId,
        /// Tells one connection from another; it stays open until [`Road::hang_up`].
        stream: u64,
        /// What it reports, whole.
        items: Vec<Item>,
    },
    /// A row of an import that vouches for a machine.
    Row {
        /// Which import.
        import: ImportName,
        /// What makes it the same row when it is imported again.
        row_key: String,
        /// What it says.
        fields: BTreeMap<Field, Value>,
    },
}

/// Where an observation went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// The device that holds it now.
    pub device: DeviceId,
    /// That device is only for the time until a person has decided.
    pub in_conflict: bool,
}

/// Whatever takes observations and says where each went.
pub trait Road {
    /// Takes one observation at `now`.
    fn observe(&mut self, observation: &Observation, now: Timestamp) -> Placed;

    /// A stream has ended.
    fn hang_up(&mut self, stream: u64);
}
