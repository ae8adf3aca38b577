//! A report that a person carried here, as its signature vouches for it, and why it may not be taken in.
//!
//! Words only: what is decided about them stands in [`carry`](super::carry). Knows nothing of files and certificates.

use std::time::Duration;

use muster_common::{
    governance::AgentSettings,
    id::{AgentId, DeviceId},
    inventory::{Item, SectionName},
    time::{EndpointTime, Timestamp},
};

use crate::{
    pipeline::{
        ObserveError,
        observation::{SectionUpdate, SpoolSequence},
    },
    records::RecordError,
};

/// How long after its end a certificate may still stand under a report: as long as an agent may be away and come back.
pub const AFTER_END: Duration = Duration::from_secs(180 * 24 * 60 * 60);

/// A report whose signature is verified.
#[derive(Debug, Clone)]
pub struct Carried {
    /// Who signed it.
    pub agent: AgentId,
    /// SHA-256 of the SubjectPublicKeyInfo of the key that signed it.
    pub key_digest: [u8; 32],
    /// The last moment of the certificate.
    pub certificate_end: Timestamp,
    /// SHA-256 of the report as it was signed.
    pub digest: [u8; 32],
    /// The agent's version.
    pub version: String,
    /// What tells which device it is.
    pub evidence: Vec<Item>,
    /// Every section in full.
    pub sections: Vec<SectionUpdate>,
    /// Sections of which nothing may be told.
    pub withheld: Vec<SectionName>,
    /// Which report it is.
    pub place: CarriedPlace,
    /// When the machine was read, by its own clock.
    pub endpoint_time: Option<EndpointTime>,
    /// What of people was allowed to be read for it.
    pub granted: AgentSettings,
}

impl Carried {
    /// How many items it has.
    pub fn items(&self) -> usize {
        self.sections.iter().map(|section| section.upserts.len()).sum()
    }
}

/// Where a report stands among all of its agent's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CarriedPlace {
    /// Which count of exports.
    pub epoch: Vec<u8>,
    /// Counts from 1.
    pub sequence: u64,
    /// The next report of the agent's spool: it and those after it are later than this one. `None` before the first
    /// session.
    pub spool: Option<SpoolSequence>,
}

/// What became, or would become, of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Whether it was taken in; else it is known already.
    pub is_new: bool,
    /// The device; `None` where that is decided only by taking it in.
    pub device: Option<DeviceId>,
    /// When the machine was read, as far as that is believed.
    pub observed: Timestamp,
}

/// Why a report is not taken in.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    /// The certificate was issued here, and the registry knows nothing of it.
    #[error("agent {agent} is not enrolled here any more; enrol the machine again and write the report anew")]
    Unknown {
        /// Who signed it.
        agent: AgentId,
    },
    /// An operator took the identity back.
    #[error(
        "the identity of agent {agent} was revoked ({reason}); if the machine is trusted again, enrol it anew"
    )]
    Revoked {
        /// Who signed it.
        agent: AgentId,
        /// Why.
        reason: String,
    },
    /// The agent has another key since.
    #[error("agent {agent} has had another key since this report was signed; write the report anew")]
    Key {
        /// Who signed it.
        agent: AgentId,
    },
    /// The certificate ended too long ago.
    #[error(
        "the certificate of agent {agent} ended at {ended}, more than {} days ago; enrol the machine again where it reaches the collector (muster-agent enroll --again)", AFTER_END.as_secs() / 86_400
    )]
    Ended {
        /// Who signed it.
        agent: AgentId,
        /// When.
        ended: Timestamp,
    },
    /// The agent's stream told more since.
    #[error(
        "agent {agent} has itself reported since this report was written, the last time at {last}; there is nothing to carry"
    )]
    Overtaken {
        /// Who signed it.
        agent: AgentId,
        /// When it last did.
        last: Timestamp,
    },
    /// A later report was carried here before.
    #[error(
        "a later report of agent {agent} is known: this is number {sequence}, and number {known} was taken in; carry the newest one"
    )]
    Older {
        /// Who signed it.
        agent: AgentId,
        /// Its number.
        sequence: u64,
        /// The later one's.
        known: u64,
    },
    /// The counts can't be compared and the clock says that it is older.
    #[error(
        "agent {agent} counts its reports anew, and by the machine's clock this one is older than what is known from {known}; set the machine's clock and write the report anew"
    )]
    OlderByClock {
        /// Who signed it.
        agent: AgentId,
        /// When what is known was so.
        known: Timestamp,
    },
    /// Two reports with one number.
    #[error(
        "agent {agent} has given the number {sequence} to two different reports: its state folder was copied or restored; write the report anew"
    )]
    Reused {
        /// Who signed it.
        agent: AgentId,
        /// The number.
        sequence: u64,
    },
    /// It tells of people what the charter does not grant.
    #[error(
        "the report tells {what}, which the charter does not grant (any more); switch it off in [privacy] of the machine's agent.toml and write the report anew"
    )]
    NotGranted {
        /// What, as the configuration calls it.
        what: &'static str,
    },
    /// The pipeline did not take it.
    #[error("the report was not taken in")]
    Observe(#[from] ObserveError),
    /// What is known could not be read.
    #[error("could not read what is known")]
    Read(#[from] RecordError),
    /// Others were faster again and again.
    #[error("too many changes to the same machine at once: try again later")]
    Contended,
}
