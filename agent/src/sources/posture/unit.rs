//! Whether a unit of systemd is enabled or runs, by files alone.
//!
//! Knows nothing of units' contents and never asks systemd: what is enabled is a link in a folder of wishes, what runs
//! has a control group.

use crate::host::Host;

/// Where links to enabled units lie.
const WANTS: [&str; 3] = [
    "etc/systemd/system/multi-user.target.wants",
    "etc/systemd/system/sysinit.target.wants",
    "etc/systemd/system/timers.target.wants",
];
/// Where the control groups of services lie, with one hierarchy and with two.
const GROUPS: [&str; 2] = ["sys/fs/cgroup/system.slice", "sys/fs/cgroup/systemd/system.slice"];

/// Whether it starts by itself; `None` where there is no systemd.
pub(super) fn is_enabled(host: &dyn Host, unit: &str) -> Option<bool> {
    host.metadata("etc/systemd/system").ok()?;
    Some(WANTS.into_iter().any(|folder| host.link(&format!("{folder}/{unit}")).is_ok()))
}

/// Whether it runs; `None` in a recording and where there is no systemd.
pub(super) fn is_running(host: &dyn Host, unit: &str) -> Option<bool> {
    let folder = GROUPS.into_iter().find(|folder| host.metadata(folder).is_ok())?;
    Some(host.metadata(&format!("{folder}/{unit}")).is_ok())
}
