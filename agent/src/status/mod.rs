//! How the service is doing, for a person at this machine: a status and the last events, as files.
//!
//! They tell and decide nothing: the service never reads them back but for the events, which go on after a restart.
//! Both are written whole, readable by the agent's own account and root alone, and hold no secret. Times are those of
//! the machine's clock.

mod board;
mod journal;

use serde::{Deserialize, Serialize};

pub use board::Board;
pub use journal::{EVENTS, Event, Kind, read_events};

/// The name of the status file in the state folder.
pub const FILE: &str = "status.json";
/// Errors of sources that are kept.
pub const SOURCE_ERRORS: usize = 64;

/// The whole status.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// When this was written.
    pub written: String,
    /// The service's version.
    pub agent_version: String,
    /// Its process.
    pub process_id: u32,
    /// When it started.
    pub started: String,
    /// What the service has forbidden itself; absent where it has not tried.
    pub sandbox: Option<crate::sandbox::Sandbox>,
    /// Who this agent is; absent until it is enrolled.
    pub identity: Option<Identity>,
    /// Where sessions go.
    pub collector: String,
    /// Whether there is one.
    pub connection: Connection,
    /// The last collection.
    pub collection: Option<Collection>,
    /// What the last collection could not read, at most [`SOURCE_ERRORS`].
    pub source_errors: Vec<SourceError>,
    /// What the collector has confirmed last.
    pub acknowledged: Option<Acknowledged>,
    /// What waits for the collector.
    pub pending: Pending,
    /// The last thing that went wrong and what to do; cleared when it is over.
    pub problem: Option<Problem>,
}

/// Who this agent is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Identity {
    /// The name in the certificate.
    pub agent_id: String,
    /// The device that the collector takes this machine for.
    pub device_id: String,
    /// When the certificate ends.
    pub certificate_end: String,
}

/// Whether there is a session.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Connection {
    /// In one word.
    pub state: ConnectionState,
    /// Since when.
    pub since: String,
    /// When the next try follows, while there is none.
    pub retry: Option<String>,
}

/// The connection in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConnectionState {
    /// The service has just started, or is stopped.
    #[default]
    Stopped,
    /// Not enrolled yet.
    Enrolling,
    /// On the way.
    Connecting,
    /// The collector has welcomed us.
    Connected,
    /// Between two tries.
    Waiting,
}

/// One collection.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Collection {
    /// When it was over.
    pub finished: String,
    /// How long it took.
    pub duration_ms: u64,
    /// What it found.
    pub sections: Vec<Section>,
    /// What each source cost.
    pub sources: Vec<Source>,
    /// When the next one is due.
    pub next: String,
}

/// One section of a collection.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Section {
    /// Its name.
    pub name: String,
    /// How far it could be read.
    pub status: String,
    /// What it has.
    pub items: usize,
    /// What could not be read.
    pub errors: usize,
}

/// One source of a collection.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// How long it took when it ran last, in µs.
    pub micros: u64,
    /// Whether it ran in this collection, or nothing had changed for it.
    pub ran: bool,
}

/// What a source could not read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SourceError {
    /// The section that it feeds.
    pub section: String,
    /// What was read.
    pub subject: String,
    /// What happened.
    pub message: String,
}

/// A confirmed report.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Acknowledged {
    /// Its sequence.
    pub sequence: u64,
    /// When the confirmation came.
    pub time: String,
}

/// What waits.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Pending {
    /// Sections.
    pub sections: usize,
    /// Their content in bytes.
    pub bytes: usize,
    /// Sections that the spool has no room for.
    pub in_memory_alone: usize,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Problem {
    /// When.
    pub time: String,
    /// What, and what to do.
    pub message: String,
}
