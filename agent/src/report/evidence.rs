//! What tells which device this is: sent at enrolment and with every Hello.
//!
//! Bounded by count and by bytes, with what tells most first: the machine, its system, its disks, its adapters, the
//! built-in ones before docks, and virtual ones last, of which a container host has hundreds.

use muster_common::inventory::{AdapterKind, Inventory, Item, ItemKind, Section, SectionName};
use muster_proto::{convert, limits, v1};
use prost::Message;

/// All evidence together, encoded, in bytes: Hello has to fit into one message beside it.
const EVIDENCE_BYTES: usize = 512 * 1024;

/// The sections that say which device this is.
const SECTIONS: [&str; 6] = [
    SectionName::HARDWARE,
    SectionName::OS,
    SectionName::STORAGE,
    SectionName::NETWORK,
    SectionName::MONITORS,
    SectionName::CLOUD,
];

/// The items of an inventory that tell which device it is, at most [`limits::EVIDENCE_ITEMS`].
pub fn evidence(inventory: &Inventory) -> Vec<v1::Item> {
    of_sections(SECTIONS.iter().filter_map(|name| inventory.section(name)))
}

/// Whether a section's items tell which device it is.
pub fn is_evidence(section: &SectionName) -> bool {
    SECTIONS.contains(&section.as_str())
}

/// The same of some sections.
pub fn evidence_of(sections: &[&Section]) -> Vec<v1::Item> {
    let named = |name: &&str| sections.iter().copied().find(|section| section.name.as_str() == *name);
    of_sections(SECTIONS.iter().filter_map(named))
}

fn of_sections<'a>(sections: impl Iterator<Item = &'a Section>) -> Vec<v1::Item> {
    let own = |item: &&Item| !is_beside_the_machine(item);
    let mut items: Vec<&Item> = sections.flat_map(|section| section.items.iter()).filter(own).collect();
    // A stable sort: within a rank the order of the sections stays.
    items.sort_by_key(|item| rank(item));
    let mut left = EVIDENCE_BYTES;
    items
        .into_iter()
        .map(convert::item_to_wire)
        .filter(|wire| convert::item_from_wire(wire.clone()).is_ok())
        .take_while(|wire| {
            let length = wire.encoded_len();
            let fits = length <= left;
            left = left.saturating_sub(length);
            fits
        })
        .take(limits::EVIDENCE_ITEMS)
        .collect()
}

/// A monitor on a desk is no part of the machine, as a built-in panel is; ports and caches tell no machine from another.
fn is_beside_the_machine(item: &Item) -> bool {
    rank(item) == NO_EVIDENCE
        || matches!(&item.kind, ItemKind::Monitor(monitor) if monitor.built_in != Some(true))
}

/// What is never told before it is asked for.
const NO_EVIDENCE: u8 = 5;

fn rank(item: &Item) -> u8 {
    match &item.kind {
        ItemKind::System(_)
        | ItemKind::Baseboard(_)
        | ItemKind::Chassis(_)
        | ItemKind::Firmware(_)
        | ItemKind::CloudInstance(_)
        | ItemKind::OperatingSystem(_) => 0,
        ItemKind::Disk(_) => 1,
        ItemKind::NetworkAdapter(adapter) => match adapter.kind {
            AdapterKind::BuiltIn | AdapterKind::Unknown => 1,
            AdapterKind::External | AdapterKind::Bluetooth => 2,
            AdapterKind::Virtual => 4,
        },
        ItemKind::Processor(_)
        | ItemKind::Memory(_)
        | ItemKind::MemoryModule(_)
        | ItemKind::Battery(_)
        | ItemKind::Monitor(_)
        | ItemKind::PowerSupply(_) => 3,
        ItemKind::Account(_)
        | ItemKind::Cache(_)
        | ItemKind::Certificate(_)
        | ItemKind::Group(_)
        | ItemKind::Listener(_)
        | ItemKind::Login(_)
        | ItemKind::Neighbour(_)
        | ItemKind::NetworkNeighbours(_)
        | ItemKind::OnboardDevice(_)
        | ItemKind::PciDevice(_)
        | ItemKind::Port(_)
        | ItemKind::Protection(_)
        | ItemKind::Security(_)
        | ItemKind::Service(_)
        | ItemKind::Slot(_)
        | ItemKind::Tpm(_)
        | ItemKind::Usage(_)
        | ItemKind::UsbDevice(_)
        | ItemKind::Volume(_)
        | ItemKind::Package(_) => NO_EVIDENCE,
    }
}

#[cfg(test)]
mod tests {
    use muster_common::inventory::{Monitor, NetworkAdapter, Package, SectionStatus, System};

    use super::*;

    fn adapter(name: String, kind: AdapterKind) -> Item {
        Item::new(ItemKind::NetworkAdapter(NetworkAdapter {
            name,
            permanent_mac: None,
            mac: None,
            kind,
            wireless: None,
            driver: None,
            addresses: Vec::new(),
            ..NetworkAdapter::default()
        }))
    }

    fn section(name: &'static str, items: Vec<Item>) -> Section {
        Section { name: SectionName::known(name), status: SectionStatus::Complete, items, errors: Vec::new() }
    }

    #[test]
    fn a_built_in_panel_is_part_of_the_machine_and_a_monitor_is_not() {
        let monitor = |connector: &str, built_in| {
            let connector = connector.to_owned();
            Item::new(ItemKind::Monitor(Monitor { connector, built_in, ..Monitor::default() }))
        };
        let section = section(
            SectionName::MONITORS,
            vec![
                monitor("card0-DP-1", Some(false)),
                monitor("card0-eDP-1", Some(true)),
                monitor("card0-DP-2", None),
            ],
        );
        assert!(is_evidence(&section.name));
        let [v1::Item { kind: Some(v1::item::Kind::Monitor(panel)), .. }] = &evidence_of(&[&section])[..]
        else {
            panic!("the panel alone is evidence");
        };
        assert_eq!(panel.connector, "card0-eDP-1");
    }

    #[test]
    fn the_machine_comes_first_and_a_thousand_virtual_adapters_push_nothing_out() {
        let mut adapters: Vec<Item> =
            (0..1000).map(|n| adapter(format!("veth{n}"), AdapterKind::Virtual)).collect();
        adapters.push(adapter("eth0".to_owned(), AdapterKind::BuiltIn));
        let inventory = Inventory {
            collected: None,
            agent_version: String::new(),
            sections: vec![
                section(SectionName::NETWORK, adapters),
                section(SectionName::HARDWARE, vec![Item::new(ItemKind::System(System::default()))]),
                section(SectionName::SOFTWARE_DPKG, vec![Item::new(ItemKind::Package(Package::default()))]),
            ],
        };
        let evidence = evidence(&inventory);
        assert_eq!(evidence.len(), limits::EVIDENCE_ITEMS);
        assert!(matches!(evidence[0].kind, Some(v1::item::Kind::System(_))));
        let Some(v1::item::Kind::NetworkAdapter(second)) = &evidence[1].kind else { panic!("{evidence:?}") };
        assert_eq!(second.name, "eth0");
        assert!(!evidence.iter().any(|item| matches!(item.kind, Some(v1::item::Kind::Package(_)))));
    }
}
