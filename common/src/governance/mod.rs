//! The charter: what an organisation requires of its inventory.
//!
//! Only what the present flags need; approvals, exceptions and cadence join it here.

mod agents;

use std::{collections::BTreeMap, time::Duration};

pub use agents::{
    AgentSettings, InvalidNetwork, NEIGHBOUR_NETWORKS, NeighbourNetwork, NetworkPrefix, Privacy,
};

use crate::device::Field;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// How long a class of device may be silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SilenceLimits {
    /// After this it is stale.
    pub stale: Duration,
    /// After this it is missing.
    pub missing: Duration,
}

/// The policy that flags are judged by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charter {
    /// By the value of the field `class`.
    pub silence: BTreeMap<String, SilenceLimits>,
    /// For a class that is not named, or not known.
    pub silence_otherwise: SilenceLimits,
    /// How long after its purchase or deployment a device may take to report for the first time.
    pub first_report_within: Duration,
    /// Fields that every device must have.
    pub required_fields: Vec<Field>,
    /// How many devices may claim one identifier before it stops deciding.
    pub devices_per_identifier: u32,
    /// What agents are asked for; nothing personal unless somebody writes it.
    pub agents: AgentSettings,
}

impl Default for Charter {
    /// The defaults of the flags' table: server 24 h and 7 d, desktop 21 and 45 d, laptop 30 and 90 d.
    fn default() -> Self {
        let limits = |stale, missing| SilenceLimits { stale, missing };
        Self {
            silence: BTreeMap::from([
                ("server".to_owned(), limits(24 * HOUR, 7 * DAY)),
                ("desktop".to_owned(), limits(21 * DAY, 45 * DAY)),
                ("laptop".to_owned(), limits(30 * DAY, 90 * DAY)),
            ]),
            silence_otherwise: limits(30 * DAY, 90 * DAY),
            first_report_within: 30 * DAY,
            required_fields: Vec::new(),
            devices_per_identifier: 3,
            agents: AgentSettings::default(),
        }
    }
}

impl Charter {
    /// The limits for a class.
    pub fn silence_for(&self, class: Option<&str>) -> SilenceLimits {
        class.and_then(|class| self.silence.get(class)).copied().unwrap_or(self.silence_otherwise)
    }
}
