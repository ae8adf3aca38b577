//! How long a device has been silent, and whether that matters: what `stale` and `missing` share.

use std::time::Duration;

use muster_common::{
    device::Field,
    governance::{AgentExpectation, Charter, SilenceLimits},
    time::Timestamp,
};

use super::{DeviceView, Stage, moment, stage};

/// When the silence of a deployed device with an agent passes its limits.
pub(super) struct Silence {
    /// When the agent was last heard of.
    pub(super) since: Timestamp,
    /// When it becomes stale.
    pub(super) stale: Timestamp,
    /// When it becomes missing, unless somebody else sees it.
    pub(super) missing: Timestamp,
    /// When another source saw it after the agent fell silent.
    pub(super) others: Option<Timestamp>,
}

/// The silence of a device, if its silence means anything.
pub(super) fn silence(view: &DeviceView<'_>, charter: &Charter) -> Option<Silence> {
    if view.connected || view.agent == AgentExpectation::Impossible || stage(view.device) != Stage::InUse {
        return None;
    }
    let since = view.agent_seen?;
    let SilenceLimits { stale, missing } = charter.silence_for(view.device.text(Field::Class));
    // What couldn't be heard wasn't silence.
    let at = |limit: Duration| since.after(limit.saturating_add(view.collector_downtime));
    let others = view.others_seen.filter(|seen| *seen > since);
    // Seen elsewhere, it is missing only when that too is long ago.
    let missing = at(missing).max(others.map_or(Timestamp::default(), |seen| seen.after(missing)));
    // Leave and loans are agreed silence.
    let away = moment(view.device, Field::AwayUntil).unwrap_or_default();
    Some(Silence { since, stale: at(stale).max(away), missing: missing.max(away), others })
}
