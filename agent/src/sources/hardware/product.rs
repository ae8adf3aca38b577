//! The machine as a product, with the parts of its board: SMBIOS types 0 to 3, 7 to 9, 11, 17, 39 and 41.
//!
//! Reads the raw tables and, for what they do not give, `/sys/class/dmi/id`; machines that never have either, a device
//! tree or IBM Z's own file. Where none is there nothing is made up: no serial and no UUID.

use muster_common::inventory::{ErrorKind, Firmware, Item, ItemKind, SectionName, System};

use crate::{
    host::Host,
    sources::{
        Source, Stamp,
        hardware::{container, device_tree, dmi_id, hypervisor, ibm_z, smbios},
        part::{Problems, SectionPart},
    },
};

/// The most of the maker's own strings that are kept.
const OEM_STRINGS_LIMIT: usize = 256;

/// System, board, chassis, firmware, memory modules and the other parts that the tables list.
#[derive(Debug)]
pub(crate) struct ProductSource;

impl Source for ProductSource {
    fn name(&self) -> &'static str {
        "product"
    }

    fn section(&self) -> SectionName {
        SectionName::known(SectionName::HARDWARE)
    }

    fn reads(&self) -> &'static [&'static str] {
        &[
            smbios::ENTRY_POINT,
            smbios::TABLE,
            dmi_id::FOLDER,
            "sys/firmware/devicetree/base",
            "proc/device-tree",
            ibm_z::SYSINFO,
            "proc/cpuinfo",
            "sys/hypervisor/type",
            "sys/firmware/acpi/tables/FACP",
            "sys/devices/system/clocksource/clocksource0/available_clocksource",
            "proc/self/ns/pid",
            "proc/1/{environ,cgroup,mountinfo}",
            "run/systemd/container",
            "run/.containerenv",
        ]
    }

    fn stamp(&self) -> Stamp {
        Stamp::Boot
    }

    fn collect(&self, host: &dyn Host) -> SectionPart {
        let mut problems = Problems::default();
        let mut found = Product::default();
        let tables = smbios::Smbios::read(host, &mut problems);
        if let Some(tables) = &tables {
            found.take(tables, &mut problems);
        }
        if found.is_incomplete() && dmi_id::is_there(host) {
            found.fill(host, &mut problems);
        } else if tables.is_none() {
            found.system =
                device_tree::system(host, &mut problems).or_else(|| ibm_z::system(host, &mut problems));
        }
        if found.system.is_none() && tables.is_none() && problems.is_empty() {
            problems.add(
                "SMBIOS",
                ErrorKind::NotAvailable,
                "this machine has no tables, so its maker, model, serial numbers and UUID are unknown",
            );
        }

        let firmware_says_virtual = found.firmware_says_virtual;
        let judged = hypervisor::detect(host, found.system.as_ref(), firmware_says_virtual, &mut problems);
        let container = container::detect(host);
        if found.system.is_some() || judged.is_virtual.is_some() || container.is_some() {
            let system = found.system.get_or_insert_default();
            // A device tree has said it already, and knows better.
            system.is_virtual = system.is_virtual.or(judged.is_virtual);
            system.hypervisor = system.hypervisor.take().or(judged.hypervisor);
            system.container = container;
        }
        SectionPart { items: found.into_items(), problems }
    }
}

#[derive(Debug, Default)]
struct Product {
    system: Option<System>,
    firmware: Option<Firmware>,
    firmware_says_virtual: bool,
    boards: Vec<ItemKind>,
    chassis: Vec<ItemKind>,
    parts: Vec<ItemKind>,
    oem_strings: Vec<String>,
}

impl Product {
    fn take(&mut self, tables: &smbios::Smbios, problems: &mut Problems) {
        for structure in &tables.structures(problems) {
            match structure.kind {
                0 if self.firmware.is_none() => {
                    self.firmware = Some(smbios::firmware(structure, tables, problems));
                    self.firmware_says_virtual = smbios::is_virtual_machine(structure);
                }
                1 if self.system.is_none() => self.system = Some(smbios::system(structure, tables, problems)),
                2 => self.boards.push(ItemKind::Baseboard(smbios::baseboard(structure, problems))),
                3 => self.chassis.push(ItemKind::Chassis(smbios::chassis(structure, problems))),
                7 => self.parts.push(ItemKind::Cache(smbios::cache(structure, problems))),
                8 => self.parts.push(ItemKind::Port(smbios::port(structure, problems))),
                9 => self.parts.push(ItemKind::Slot(smbios::slot(structure, problems))),
                11 => self.oem_strings.extend(smbios::oem_strings(structure)),
                17 => self.parts.extend(
                    smbios::memory_module(structure, problems)
                        .map(|(module, _)| ItemKind::MemoryModule(module)),
                ),
                39 => self.parts.push(ItemKind::PowerSupply(smbios::power_supply(structure, problems))),
                41 => self.parts.push(ItemKind::OnboardDevice(smbios::onboard_device(structure, problems))),
                _ => {}
            }
        }
        self.oem_strings.truncate(OEM_STRINGS_LIMIT);
        if let Some(firmware) = &mut self.firmware {
            firmware.oem_strings = std::mem::take(&mut self.oem_strings);
        }
    }

    fn is_incomplete(&self) -> bool {
        self.system.is_none() || self.firmware.is_none() || self.boards.is_empty() || self.chassis.is_empty()
    }

    fn fill(&mut self, host: &dyn Host, problems: &mut Problems) {
        if self.system.is_none() {
            self.system = dmi_id::system(host, problems);
        }
        if self.firmware.is_none() {
            self.firmware = dmi_id::firmware(host, problems);
        }
        if self.boards.is_empty() {
            self.boards.extend(dmi_id::baseboard(host, problems).map(ItemKind::Baseboard));
        }
        if self.chassis.is_empty() {
            self.chassis.extend(dmi_id::chassis(host, problems).map(ItemKind::Chassis));
        }
    }

    fn into_items(self) -> Vec<Item> {
        let Self { system, firmware, firmware_says_virtual: _, boards, chassis, parts, oem_strings: _ } =
            self;
        system
            .map(ItemKind::System)
            .into_iter()
            .chain(firmware.map(ItemKind::Firmware))
            .chain(boards)
            .chain(chassis)
            .chain(parts)
            .map(Item::new)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::testing::recorded;

    #[test]
    fn values_one_by_one_stand_in_for_the_tables() {
        let (_folder, host) = recorded(&[
            ("sys/class/dmi/id/sys_vendor", "Dell Inc.\n"),
            ("sys/class/dmi/id/product_serial", "ABC1234\n"),
            ("sys/class/dmi/id/product_uuid", "4C4C4544-0042-3510-8052-B4C04F4A3132\n"),
            ("sys/class/dmi/id/chassis_type", "9\n"),
        ]);
        let part = ProductSource.collect(&host);
        assert!(part.problems.is_empty());
        let system = part.items.iter().find_map(|item| match &item.kind {
            ItemKind::System(system) => Some(system),
            _ => None,
        });
        let system = system.unwrap();
        assert_eq!(system.serial.as_deref(), Some("ABC1234"));
        assert_eq!(system.uuid.as_deref(), Some("4c4c4544-0042-3510-8052-b4c04f4a3132"));
        assert!(
            part.items.iter().any(|item| matches!(&item.kind, ItemKind::Chassis(c) if c.kind == Some(9)))
        );
        assert!(!part.items.iter().any(|item| matches!(item.kind, ItemKind::Firmware(_))));
    }

    #[test]
    fn nothing_is_made_up() {
        let (_folder, host) = recorded(&[]);
        let part = ProductSource.collect(&host);
        assert_eq!(part.items, []);
        assert!(!part.problems.anything_missing());
        let entries = part.problems.into_entries();
        assert_eq!((entries.len(), entries[0].kind), (1, ErrorKind::NotAvailable));
    }
}
