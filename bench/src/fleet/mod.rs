//! A synthetic fleet: devices with hardware of several makers, an operating system and packages by a power law.
//!
//! Everything follows from a seed and a device's index, so that a fleet of a million needs no memory and two runs
//! agree. Knows nothing of the wire: it makes what an agent's sources would have found. Serial numbers, UUIDs and MAC
//! addresses are unique over the fleet, since a benchmark that merged its devices would measure something else.

mod distribution;
mod draw;
mod hardware;
mod machine;
mod popularity;
mod serial;
mod title;

use muster_common::{
    inventory::{
        InstallState, Installation, Inventory, Item, ItemKind, Package, Section, SectionName, SectionStatus,
    },
    time::EndpointTime,
};
use rand::Rng;

use crate::fleet::{
    distribution::Distribution,
    draw::{Draw, mix},
    popularity::Popularity,
};

/// When the fleet was collected, in milliseconds since the epoch: fixed, so that two runs send the same bytes.
const COLLECTED_MS: i64 = 1_793_000_000_000;
/// Of a hundred devices so many are behind with their upgrades.
const LAGGING_PERCENT: u64 = 12;

/// What a fleet is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Two fleets of one seed are the same.
    pub seed: u64,
    /// Titles that packages are drawn from.
    pub titles: u32,
    /// Packages on each device, at most a quarter of the titles.
    pub packages: u32,
    /// Of a hundred packages so many are upgraded from one generation to the next, at least one.
    pub changed_percent: u32,
}

impl Default for Shape {
    fn default() -> Self {
        Self { seed: 1, titles: 50_000, packages: 1_000, changed_percent: 1 }
    }
}

/// Which packages a device has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// Drawn by the power law, as people and their dependencies do.
    Popular,
    /// The part of all titles with this number, then those of the next distribution and so on: devices with the slices
    /// from 0 to [`Fleet::slices`] have each title of each distribution once.
    Slice(u32),
}

/// A package as the fleet numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Release {
    distribution: Distribution,
    title: u32,
    level: u32,
}

/// Upgrades that one title can have in a fleet's life; generations past this change nothing more.
const LEVELS: u32 = 16;

impl Release {
    /// A number that no other release has, counted from 1 and without large gaps.
    pub fn number(self, shape: Shape) -> u32 {
        (self.distribution.number() * shape.titles + self.title) * LEVELS + self.level.min(LEVELS - 1) + 1
    }

    /// What a package manager says of it.
    pub fn package(self, shape: Shape) -> Package {
        title::package(shape.seed, self.distribution, self.title, self.level.min(LEVELS - 1))
    }
}

/// A fleet. Cheap to share; devices are made when they are asked for.
#[derive(Debug)]
pub struct Fleet {
    shape: Shape,
    popularity: Popularity,
}

impl Fleet {
    /// A fleet of one shape.
    pub fn new(shape: Shape) -> Self {
        let shape = Shape { packages: shape.packages.min(shape.titles / 4), ..shape };
        Self { shape, popularity: Popularity::new(shape.titles) }
    }

    /// Its shape.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// How many slices hold each title of each distribution once.
    pub fn slices(&self) -> u32 {
        self.shape.titles.div_ceil(self.shape.packages) * Distribution::COUNT
    }

    /// What the agent on a device finds after so many rounds of upgrades.
    pub fn inventory(&self, device: u64, choice: Choice, generation: u32) -> Inventory {
        let machine = machine::Machine::new(self.shape.seed, device);
        let packages = self.releases(device, choice, generation).into_iter().map(|release| Item {
            kind: ItemKind::Package(release.package(self.shape)),
            installation: Some(Installation { state: InstallState::Installed, ..Installation::default() }),
        });
        let section = |name, items| Section {
            name: SectionName::known(name),
            status: SectionStatus::Complete,
            items,
            errors: Vec::new(),
        };
        Inventory {
            collected: Some(EndpointTime::from_millis(COLLECTED_MS + i64::from(generation) * 3_600_000)),
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            sections: vec![
                section(SectionName::HARDWARE, machine.hardware()),
                section(SectionName::NETWORK, machine.network()),
                section(SectionName::OS, vec![machine.operating_system()]),
                section(SectionName::SOFTWARE_DPKG, packages.collect()),
                section(SectionName::STORAGE, machine.storage()),
            ],
        }
    }

    /// What the machine itself is, without its packages: the items of hardware, network, system and storage.
    pub fn machine(&self, device: u64) -> Vec<Item> {
        let machine = machine::Machine::new(self.shape.seed, device);
        let mut items = machine.hardware();
        items.extend(machine.network());
        items.push(machine.operating_system());
        items.extend(machine.storage());
        items
    }

    /// The packages of a device after so many rounds of upgrades; each title once.
    pub fn releases(&self, device: u64, choice: Choice, generation: u32) -> Vec<Release> {
        let Shape { seed, titles, packages, .. } = self.shape;
        let (distribution, chosen) = match choice {
            Choice::Popular => (
                Distribution::of(seed, device),
                self.popularity.distinct(&mut Draw::new(seed, "titles", device, 0), packages as usize),
            ),
            Choice::Slice(slice) => {
                let each = titles.div_ceil(packages);
                let first = slice % each * packages;
                (Distribution::by_number(slice / each), (first..titles.min(first + packages)).collect())
            }
        };
        let lags = choice == Choice::Popular && mix(seed, device, 0x1a65) % 100 < LAGGING_PERCENT;
        let mut releases: Vec<Release> = chosen
            .into_iter()
            .map(|title| {
                let newest = title::level(seed, distribution, title);
                let behind = u32::from(lags && mix(seed, device, u64::from(title)).is_multiple_of(2));
                Release { distribution, title, level: newest.saturating_sub(behind) }
            })
            .collect();
        for round in 1..=generation {
            self.upgrade(&mut releases, device, round);
        }
        releases
    }

    /// Upgrades a share of the packages, each once, by one level.
    fn upgrade(&self, releases: &mut [Release], device: u64, round: u32) {
        let count = (releases.len() * self.shape.changed_percent as usize / 100).max(1).min(releases.len());
        let mut draw = Draw::new(self.shape.seed, "churn", device, u64::from(round));
        let mut places: Vec<usize> = (0..releases.len()).collect();
        for first in 0..count {
            let place = draw.random_range(first..places.len());
            places.swap(first, place);
            releases[places[first]].level += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet, HashMap};

    use muster_common::inventory::MacAddress;

    use super::*;

    fn fleet() -> Fleet {
        Fleet::new(Shape::default())
    }

    fn keys(inventory: &Inventory) -> BTreeSet<String> {
        let software = inventory.section(SectionName::SOFTWARE_DPKG).unwrap();
        software.items.iter().map(Item::key).collect()
    }

    #[test]
    fn a_device_follows_from_seed_and_index_alone() {
        let device = fleet().inventory(7, Choice::Popular, 2);
        assert_eq!(device, fleet().inventory(7, Choice::Popular, 2));
        assert_ne!(device, fleet().inventory(8, Choice::Popular, 2));
        assert_ne!(
            device,
            Fleet::new(Shape { seed: 2, ..Shape::default() }).inventory(7, Choice::Popular, 2)
        );
    }

    #[test]
    fn one_percent_of_the_packages_change_with_each_generation() {
        let fleet = fleet();
        for device in 0..20 {
            let [before, after] = [0, 1].map(|round| keys(&fleet.inventory(device, Choice::Popular, round)));
            assert_eq!((before.len(), after.len()), (1000, 1000));
            assert_eq!(after.difference(&before).count(), 10, "device {device}");
        }
    }

    #[test]
    fn machine_facts_are_unique() {
        let fleet = fleet();
        let mut serials: BTreeSet<String> = BTreeSet::new();
        let mut macs: BTreeSet<MacAddress> = BTreeSet::new();
        for device in 0..20_000 {
            for item in fleet.machine(device) {
                match item.kind {
                    ItemKind::System(system) => {
                        let uuid = system.uuid.unwrap();
                        assert!(serials.insert(uuid.clone()), "{uuid} is there twice");
                        if let Some(serial) = system.serial.filter(|serial| serial != "Not Specified") {
                            assert!(serials.insert(serial.clone()), "{serial} is there twice");
                        }
                    }
                    ItemKind::Disk(disk) => {
                        assert!(disk.serial.is_none_or(|serial| serials.insert(serial)), "device {device}");
                    }
                    ItemKind::NetworkAdapter(adapter) => {
                        assert!(adapter.permanent_mac.is_none_or(|mac| macs.insert(mac)), "device {device}");
                    }
                    _ => {}
                }
            }
        }
    }

    #[test]
    fn a_few_titles_are_everywhere_and_most_are_rare() {
        let fleet = fleet();
        let devices = 300;
        let mut counts: HashMap<u32, u32> = HashMap::new();
        let mut versions: BTreeMap<(u32, u32), BTreeSet<u32>> = BTreeMap::new();
        for device in 0..devices {
            for release in fleet.releases(device, Choice::Popular, 0) {
                *counts.entry(release.title).or_default() += 1;
                versions
                    .entry((release.distribution.number(), release.title))
                    .or_default()
                    .insert(release.level);
            }
        }
        let everywhere = counts.values().filter(|count| u64::from(**count) > devices * 9 / 10).count();
        let once = counts.values().filter(|count| **count == 1).count();
        assert!((40..200).contains(&everywhere), "{everywhere} titles are nearly everywhere");
        assert!(once > counts.len() / 5, "{once} of {} titles are on one device", counts.len());
        assert!(versions.values().all(|levels| levels.len() <= 2), "a title has more than two versions");
        assert!(versions.values().any(|levels| levels.len() == 2), "nobody lags");
    }

    #[test]
    fn releases_are_numbered_apart_and_named_apart() {
        let fleet = Fleet::new(Shape { titles: 400, packages: 100, ..Shape::default() });
        let mut named: HashMap<u32, Package> = HashMap::new();
        for device in 0..100 {
            for release in fleet.releases(device, Choice::Popular, 3) {
                let package = release.package(fleet.shape());
                let known = named.entry(release.number(fleet.shape())).or_insert_with(|| package.clone());
                assert_eq!(*known, package);
            }
        }
        let names: BTreeSet<String> = named.values().map(|package| format!("{package:?}")).collect();
        assert_eq!(names.len(), named.len());
    }

    #[test]
    fn slices_have_every_title_of_every_distribution_once() {
        let fleet = Fleet::new(Shape { titles: 950, packages: 100, ..Shape::default() });
        let mut seen = BTreeSet::new();
        for slice in 0..fleet.slices() {
            for release in fleet.releases(0, Choice::Slice(slice), 0) {
                assert!(seen.insert((release.distribution.number(), release.title)), "{release:?}");
            }
        }
        assert_eq!(seen.len(), 4 * 950);
    }
}
