//! What devices know of their agents, for the list of identities.

use std::collections::HashMap;

use muster_common::id::{AgentId, DeviceId};

use super::{Query, QueryFailure};

/// An agent as the device that it reports from knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentPlace {
    /// The device, or the one that it was merged into.
    pub device: DeviceId,
    /// The agent's version, as it last reported it.
    pub version: String,
}

impl Query {
    /// Where agents are that were let in for these devices; those that are not known there are left out.
    ///
    /// # Errors
    /// When the store can't answer.
    pub async fn places_of(
        &self,
        agents: &[(AgentId, DeviceId)],
    ) -> Result<HashMap<AgentId, AgentPlace>, QueryFailure> {
        let resolved: Vec<DeviceId> = {
            let fleet = self.index.read();
            agents.iter().filter_map(|(_, device)| fleet.resolve(*device)).collect()
        };
        let mut places = HashMap::new();
        for device in self.records_of(&resolved).await? {
            for binding in device.agents {
                places.insert(binding.agent, AgentPlace { device: device.id, version: binding.version });
            }
        }
        Ok(places)
    }
}
