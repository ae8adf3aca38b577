//! What went where, against what is true.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use muster_collector::testing::Placed;
use muster_common::id::DeviceId;

use super::Summary;

/// Counts of words, by which causes are told.
type Counts = BTreeMap<&'static str, u64>;

/// What went where.
#[derive(Debug, Default)]
pub(super) struct Score {
    observations: u64,
    happenings: Counts,
    /// The machines whose words each device holds.
    machines_of: HashMap<DeviceId, BTreeSet<usize>>,
    /// The devices that each machine is known as.
    devices_of: HashMap<usize, BTreeSet<DeviceId>>,
    /// Devices that stand only until a person has decided; what goes there later waits with them.
    waiting: HashSet<DeviceId>,
    merged_after: Counts,
    split_after: Counts,
    conflicts_after: Counts,
}

impl Score {
    pub(super) fn happened(&mut self, what: &'static str) {
        *self.happenings.entry(what).or_default() += 1;
    }

    /// What `machine` said went there; `last` is what had happened to it.
    pub(super) fn placed(&mut self, machine: usize, placed: Placed, last: &'static str) {
        self.observations += 1;
        let machines = self.machines_of.entry(placed.device).or_default();
        if machines.insert(machine) && machines.len() > 1 {
            *self.merged_after.entry(last).or_default() += 1;
        }
        if placed.in_conflict && self.waiting.insert(placed.device) {
            *self.conflicts_after.entry(last).or_default() += 1;
        }
        if self.waiting.contains(&placed.device) {
            return;
        }
        let devices = self.devices_of.entry(machine).or_default();
        if devices.insert(placed.device) && devices.len() > 1 {
            *self.split_after.entry(last).or_default() += 1;
        }
    }

    pub(super) fn summary(self, machines: usize) -> Summary {
        let sum = |counts: &Counts| counts.values().sum();
        Summary {
            machines,
            observations: self.observations,
            false_merges: sum(&self.merged_after),
            false_splits: sum(&self.split_after),
            conflicts: sum(&self.conflicts_after),
            happenings: sorted(self.happenings),
            merged_after: sorted(self.merged_after),
            split_after: sorted(self.split_after),
            conflicts_after: sorted(self.conflicts_after),
        }
    }
}

/// The commonest first.
fn sorted(counts: Counts) -> Vec<(&'static str, u64)> {
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), *name));
    counts
}
