//! What happens to a session, and what has to be done about it.
//!
//! Plain data between the [state](super::state), which decides, and the [loop](super::session), which does.

use std::{sync::Arc, time::Duration};

use muster_common::{governance::AgentSettings, time::Timestamp};
use muster_proto::v1;

use crate::{
    report::EncodedInventory,
    spool::{Planned, Refusal, Sequence},
};

/// What happens to a session.
#[derive(Debug)]
pub enum Event {
    /// The stream is open and Hello is on its way.
    Connected,
    /// The collector said something.
    Received(v1::session_response::Message),
    /// The machine was read; the same content as before is the same allocation.
    Collected(Arc<EncodedInventory>),
    /// A deadline may have passed.
    Tick,
    /// The service stops.
    Stop,
    /// The stream is gone.
    Disconnected,
}

/// What has to be done, in this order; when writing fails, what follows must not happen.
#[derive(Debug, PartialEq)]
pub enum Action {
    /// Write the baseline down.
    SaveBaseline,
    /// Write down what is pending.
    SavePending,
    /// Write the sequence down, before it is used.
    SaveSequence(Sequence),
    /// Begin a new epoch: this one's sequences are used up.
    BeginEpoch,
    /// Send a report.
    SendReport {
        /// Its sequence.
        sequence: u64,
        /// Its content.
        planned: Planned,
    },
    /// Send a heartbeat.
    SendHeartbeat,
    /// Keep the lineage for the next connect.
    StoreLineage(Vec<u8>),
    /// Read the machine now.
    CollectNow,
    /// Read the machine this often, within the bounds that are compiled in.
    SetInterval(Duration),
    /// What the organisation asks has changed; it is within the bounds that are compiled in.
    TakeSettings(AgentSettings),
    /// Judge a new set of trusted roots, and take it if it follows from ours.
    TakeTrustBundle(v1::TrustBundle),
    /// Say what happened.
    Note(Note),
    /// Close the stream.
    Close(Reconnect),
}

/// What is worth a line in the log and in the status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// The collector knows us.
    Welcomed {
        /// The device that it takes us for.
        device_id: String,
        /// Its clock.
        collector_time: Option<Timestamp>,
        /// How many sections it wants in full.
        wanted: usize,
    },
    /// A report is on its way.
    Sent {
        /// Its sequence.
        sequence: u64,
        /// Its sections.
        sections: usize,
        /// Its items, new, changed or removed.
        items: usize,
    },
    /// Everything up to here is durable.
    Acknowledged {
        /// The sequence.
        sequence: u64,
    },
    /// A report can't be used.
    Refused {
        /// The sequence.
        sequence: u64,
        /// The collector's reason, shortened.
        reason: String,
        /// What becomes of it.
        refusal: Refusal,
    },
    /// A section will be sent in full.
    Wanted {
        /// Which.
        section: String,
        /// Whether it will be sent; the same section is not sent for ever.
        sent: bool,
    },
    /// What the organisation asks can't be used, so nothing is asked and nothing is granted.
    UnusableSettings {
        /// What is wrong with it.
        reason: String,
    },
    /// The collector does not answer.
    Silent {
        /// What was waited for.
        awaited: &'static str,
    },
    /// The collector asked us to go and come back.
    Drained,
}

/// What follows a close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reconnect {
    /// Connect again after about this long.
    After(Duration),
    /// Connect again as after a failure.
    Backoff,
    /// The service stops.
    Never,
}
