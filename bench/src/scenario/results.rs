//! What a scenario found, with the machine that it was found on; written as JSON beside the printed table.

use std::{collections::BTreeMap, fs, path::Path, process::Command, time::Duration};

use anyhow::{Context, Result};
use serde::Serialize;

use crate::load::{drive::Driven, wire::Bytes};

/// What a competitor needs for the same, in milliseconds of processor time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Other {
    /// OCS Inventory's server: CPU milliseconds for one operation.
    pub ocs_cpu_ms: f64,
}

/// OCS Inventory NG 2.8 behind Apache with MariaDB, on two cores, for 979 packages.
pub mod ocs {
    use super::Other;

    /// A first full inventory.
    pub const FIRST_FULL: Other = Other { ocs_cpu_ms: 830.0 };
    /// An inventory in which nothing changed.
    pub const UNCHANGED: Other = Other { ocs_cpu_ms: 950.0 };
    /// Database bytes for a device.
    pub const BYTES_PER_DEVICE: u64 = 264_000;
}

/// One phase of a scenario.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Phase {
    /// What an operation is, in a few words.
    pub name: String,
    /// Operations that were answered well.
    pub operations: u64,
    /// Operations that were not.
    pub failed: u64,
    /// Why, with how often.
    pub failures: BTreeMap<String, u64>,
    /// Processor time of the collector, everything that it put off included.
    pub collector_cpu_ms: f64,
    /// The same for one operation.
    pub cpu_ms_per_operation: f64,
    /// Operations a second, while the load generator shares the machine.
    pub per_second: f64,
    /// Half of the operations took no longer, as the agent saw it.
    pub p50_ms: f64,
    /// 99 of a hundred took no longer.
    pub p99_ms: f64,
    /// Bytes of an operation from agent to collector, TLS and handshake included.
    pub sent_bytes: u64,
    /// And back.
    pub received_bytes: u64,
    /// Packages of an operation that the catalogue had not seen, where the operation brings packages.
    pub new_packages: Option<f64>,
    /// The competitor's figure.
    pub other: Option<Other>,
}

impl Phase {
    /// Puts together what was measured.
    pub fn new<R>(name: &str, driven: &Driven<R>, cpu: Duration, wire: Bytes) -> Self {
        let operations = driven.done.len() as u64;
        let each = |amount: f64| if operations == 0 { 0.0 } else { amount / operations as f64 };
        let millis = |duration: Duration| duration.as_secs_f64() * 1000.0;
        Self {
            name: name.to_owned(),
            operations,
            failed: driven.failed(),
            failures: driven.failures.clone(),
            collector_cpu_ms: millis(cpu),
            cpu_ms_per_operation: each(millis(cpu)),
            per_second: operations as f64 / driven.elapsed.as_secs_f64().max(f64::EPSILON),
            p50_ms: millis(driven.latencies.per_mille(500)),
            p99_ms: millis(driven.latencies.per_mille(990)),
            sent_bytes: each(wire.sent as f64) as u64,
            received_bytes: each(wire.received as f64) as u64,
            new_packages: None,
            other: None,
        }
    }

    /// With the number of packages that were new to the catalogue, for one operation.
    pub fn bringing(self, new_packages: f64) -> Self {
        Self { new_packages: Some(new_packages), ..self }
    }

    /// With a competitor's figure.
    pub fn against(self, other: Other) -> Self {
        Self { other: Some(other), ..self }
    }

    /// How many times less processor time than the competitor.
    pub fn times_less(&self) -> Option<f64> {
        let other = self.other?;
        (self.cpu_ms_per_operation > 0.0).then(|| other.ocs_cpu_ms / self.cpu_ms_per_operation)
    }
}

/// The collector's memory with idle agents and without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// Agents that were connected and silent.
    pub idle_agents: u64,
    /// Resident before the first of them.
    pub before_bytes: u64,
    /// Resident with all of them.
    pub after_bytes: u64,
    /// The difference for one.
    pub bytes_per_agent: u64,
}

/// What lies on disk after a clean stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct AtRest {
    /// The journal.
    pub journal_bytes: u64,
    /// The view, which can be made from it again.
    pub view_bytes: u64,
    /// Both and everything else below the data folder.
    pub all_bytes: u64,
}

/// Where it was measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MachineFacts {
    /// Logical processors.
    pub cores: usize,
    /// The processor's model.
    pub processor: String,
    /// Kernel release.
    pub kernel: String,
    /// Memory in mebibytes.
    pub memory_mib: u64,
    /// The commit that was built, with `+` when files were changed since; empty outside a clone.
    pub commit: String,
}

impl MachineFacts {
    /// Of this machine.
    pub fn here() -> Self {
        let line = |path: &str, start: &str| {
            let text = fs::read_to_string(path).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix(start).map(str::to_owned));
            line.unwrap_or_default().trim_start_matches([':', ' ', '\t']).to_owned()
        };
        let kibibytes = line("/proc/meminfo", "MemTotal").trim_end_matches("kB").trim().parse::<u64>();
        Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            processor: line("/proc/cpuinfo", "model name"),
            kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
            memory_mib: kibibytes.unwrap_or(0) / 1024,
            commit: commit(),
        }
    }
}

fn commit() -> String {
    let git = |words: &[&str]| {
        let output = Command::new("git").args(words).output().ok().filter(|output| output.status.success());
        output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else { return String::new() };
    let is_changed = git(&["status", "--porcelain"]).is_some_and(|changes| !changes.is_empty());
    if is_changed { commit + "+" } else { commit }
}

/// Writes JSON into a folder that is made when it is not there.
pub fn write_json(path: &Path, results: &impl Serialize) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let text = serde_json::to_string_pretty(results).context("cannot write the results as JSON")?;
    fs::write(path, text + "\n").with_context(|| format!("cannot write {}", path.display()))
}
