//! Machines of which one package is upgraded before each report, so that every report changes something.
//!
//! What a machine has follows from its number and the report's sequence alone: the first report is the whole, the one
//! with sequence N is upgrade N - 1. So whoever knows how far a collector came knows the digests that it must hold.
//! Knows nothing of sessions. The fleet's own packages stop changing after a few generations, which is why theirs are
//! numbered anew here.

use muster_agent::report::{EncodedInventory, EncodedSection, Held, envelopes, step};
use muster_common::inventory::{Inventory, ItemKind, SectionName};
use muster_proto::{convert, v1};

use super::reports;
use crate::fleet::{Choice, Fleet, Shape};

/// Packages of each machine.
pub const PACKAGES: u32 = 20;
/// Titles that they are drawn from.
const TITLES: u32 = 400;

/// Such machines, all of one seed.
#[derive(Debug)]
pub struct Restless {
    fleet: Fleet,
}

impl Restless {
    /// Machines that follow from the seed.
    pub fn new(seed: u64) -> Self {
        let shape = Shape { seed, titles: TITLES, packages: PACKAGES, ..Shape::default() };
        Self { fleet: Fleet::new(shape) }
    }

    /// What tells which device it is, as enrolment shows it.
    pub fn evidence(&self, device: u64) -> Vec<v1::Item> {
        reports::evidence(&self.fleet, device)
    }

    /// The first message of a session, claiming that the collector has everything up to a report; 0 claims nothing.
    pub fn hello(&self, device: u64, durable: u64) -> v1::Hello {
        let inventory = self.encoded(device, durable);
        let digest = |section: &EncodedSection| v1::SectionDigest {
            section: section.name().as_str().to_owned(),
            digest: section.manifest().digest(section.name()).as_bytes().to_vec(),
        };
        let claimed = inventory.sections.values().filter(|_| durable > 0).map(|section| digest(section));
        v1::Hello {
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            capabilities: Vec::new(),
            boot_id: format!("boot-{device}"),
            spool_epoch: self.epoch(device),
            baseline: claimed.collect(),
            evidence: inventory.evidence,
            lineage: Vec::new(),
            endpoint_time: inventory.observed.map(convert::to_timestamp_endpoint),
        }
    }

    /// The report with this sequence, from 1: in full, or what changed since the one before.
    pub fn report(&self, device: u64, sequence: u64) -> Vec<v1::Envelope> {
        if sequence <= 1 {
            let inventory = self.encoded(device, sequence);
            let steps =
                inventory.sections.values().filter_map(|section| step(section, &Held::default(), false));
            return envelopes(sequence, inventory.observed, steps.map(|step| step.report).collect());
        }
        let [before, after] = [sequence - 1, sequence].map(|sequence| self.packages(device, sequence));
        let held = step(&before.1, &Held::default(), false).map(|step| step.reached).unwrap_or_default();
        let changed = step(&after.1, &held, false).map(|step| step.report);
        envelopes(sequence, after.0, changed.into_iter().collect())
    }

    /// Digests of all sections after this report, as one hexadecimal word.
    pub fn digests(&self, device: u64, sequence: u64) -> String {
        let (_, packages) = self.packages(device, sequence);
        let digest = packages.manifest().digest(packages.name());
        digest.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// What its spool counts under, 16 bytes.
    pub fn epoch(&self, device: u64) -> Vec<u8> {
        reports::epoch(&self.fleet, device)
    }

    fn encoded(&self, device: u64, sequence: u64) -> EncodedInventory {
        EncodedInventory::new(&self.inventory(device, sequence))
    }

    fn packages(
        &self,
        device: u64,
        sequence: u64,
    ) -> (Option<muster_common::time::EndpointTime>, EncodedSection) {
        let mut inventory = self.inventory(device, sequence);
        inventory.sections.retain(|section| section.name.as_str() == SectionName::SOFTWARE_DPKG);
        let section = inventory.sections.pop().expect("every machine of the fleet has packages");
        (inventory.collected, EncodedSection::new(&section))
    }

    fn inventory(&self, device: u64, sequence: u64) -> Inventory {
        let mut inventory = self.fleet.inventory(device, Choice::Popular, 0);
        let upgrades = sequence.saturating_sub(1);
        for section in &mut inventory.sections {
            for (place, item) in (0..).zip(&mut section.items) {
                if let ItemKind::Package(package) = &mut item.kind {
                    let own = (upgrades + u64::from(PACKAGES) - 1 - place) / u64::from(PACKAGES);
                    package.version = format!("1.{own}-1");
                }
            }
        }
        inventory
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use muster_common::inventory::Item;

    use super::*;

    fn keys(restless: &Restless, sequence: u64) -> BTreeSet<String> {
        let inventory = restless.inventory(3, sequence);
        let section = inventory.section(SectionName::SOFTWARE_DPKG).unwrap();
        section.items.iter().map(Item::key).collect()
    }

    #[test]
    fn each_report_upgrades_one_package() {
        let restless = Restless::new(1);
        let mut digests = BTreeSet::from([restless.digests(3, 1)]);
        for sequence in 2..100 {
            let (before, after) = (keys(&restless, sequence - 1), keys(&restless, sequence));
            assert_eq!((after.len(), after.difference(&before).count()), (PACKAGES as usize, 1));
            assert!(digests.insert(restless.digests(3, sequence)), "{sequence}");
        }
    }

    #[test]
    fn nothing_is_claimed_before_the_first_report() {
        let restless = Restless::new(1);
        assert_eq!(restless.hello(3, 0).baseline, []);
        assert_eq!(restless.hello(3, 1).baseline.len(), 5);
        assert_ne!(restless.hello(3, 1).baseline, restless.hello(3, 2).baseline);
    }
}
