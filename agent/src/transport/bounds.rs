//! Times of a session that are compiled in: no collector and no configuration can leave them.

use std::time::Duration;

/// For the answer to Hello: at a start of the whole fleet a collector may need a while.
pub(super) const WELCOME_WITHIN: Duration = Duration::from_secs(60);
/// For the acknowledgement of a report.
pub(super) const ACK_WITHIN: Duration = Duration::from_secs(120);
/// For the acknowledgement of the last report when the collector drains.
pub(super) const DRAIN_WITHIN: Duration = Duration::from_secs(5);
/// The same when the service stops.
pub(super) const STOP_WITHIN: Duration = Duration::from_secs(5);
/// How long a collector may send us away.
pub(super) const LONGEST_ABSENCE: Duration = Duration::from_secs(3600);
/// Between heartbeats unless the collector says otherwise.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(60);
/// The shortest time between heartbeats.
pub(super) const HEARTBEAT_LEAST: Duration = Duration::from_secs(5);
/// The longest.
pub(super) const HEARTBEAT_MOST: Duration = Duration::from_secs(3600);
/// The shortest time between collections that a collector may ask for.
pub(crate) const INTERVAL_LEAST: Duration = Duration::from_secs(5 * 60);
/// The longest.
pub(crate) const INTERVAL_MOST: Duration = Duration::from_secs(7 * 24 * 3600);
/// By how many percent of it each wait may be asked to differ, at most.
pub(crate) const JITTER_PERCENT_MOST: u8 = 50;
/// A lineage; what is longer is not kept.
pub(super) const LINEAGE_BYTES: usize = 64;
