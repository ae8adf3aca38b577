//! The memory as a whole: what is built in by SMBIOS types 16 and 17, what is usable by the kernel.
//!
//! The two differ, since firmware and graphics take their share.

use std::collections::BTreeMap;

use muster_common::inventory::{Item, ItemKind, Memory, SectionName};

use crate::{
    host::Host,
    sources::{
        Source, Stamp,
        hardware::smbios,
        part::{Problems, SectionPart},
        read,
    },
};

const MEMINFO: &str = "proc/meminfo";

/// Memory.
#[derive(Debug)]
pub(crate) struct MemorySource;

impl Source for MemorySource {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn section(&self) -> SectionName {
        SectionName::known(SectionName::HARDWARE)
    }

    fn reads(&self) -> &'static [&'static str] {
        &[smbios::TABLE, MEMINFO]
    }

    fn stamp(&self) -> Stamp {
        Stamp::Uevents
    }

    fn collect(&self, host: &dyn Host) -> SectionPart {
        let mut problems = Problems::default();
        let mut memory = by_firmware(host);
        memory.usable_bytes = match host.live() {
            Some(facts) => facts.usable_memory_bytes,
            None => usable(host, &mut problems),
        };
        memory.swap_bytes = host.live().and_then(|facts| facts.swap_bytes);
        let items =
            if memory == Memory::default() { Vec::new() } else { vec![Item::new(ItemKind::Memory(memory))] };
        SectionPart { items, problems }
    }
}

/// Types 16 and 17; problems with the tables are the product source's to tell.
fn by_firmware(host: &dyn Host) -> Memory {
    let mut told_elsewhere = Problems::default();
    let Some(tables) = smbios::Smbios::read(host, &mut told_elsewhere) else { return Memory::default() };
    let structures = tables.structures(&mut told_elsewhere);
    let arrays: BTreeMap<u16, smbios::MemoryArray> = structures
        .iter()
        .filter(|structure| structure.kind == 16)
        .map(|structure| (structure.handle, smbios::memory_array(structure)))
        .collect();
    // A module whose array is lost counts: real boards get this handle wrong.
    let counts = |array: Option<u16>| {
        array.and_then(|handle| arrays.get(&handle)).is_none_or(|array| array.is_system_memory)
    };
    let sizes: Vec<u64> = structures
        .iter()
        .filter(|structure| structure.kind == 17)
        .filter_map(|structure| smbios::memory_module(structure, &mut told_elsewhere))
        .filter(|(_, array)| counts(*array))
        .filter_map(|(module, _)| module.size_bytes)
        .collect();
    let boards = || arrays.values().filter(|array| array.is_system_memory);
    Memory {
        usable_bytes: None,
        installed_bytes: sizes.iter().copied().reduce(u64::saturating_add),
        slots: boards().filter_map(|array| array.slots).reduce(u32::saturating_add),
        maximum_bytes: boards().filter_map(|array| array.maximum_bytes).reduce(u64::saturating_add),
        error_correction: boards().find_map(|array| array.error_correction).map(str::to_owned),
        swap_bytes: None,
    }
}

fn usable(host: &dyn Host, problems: &mut Problems) -> Option<u64> {
    let bytes = read::bytes(host, MEMINFO, 64 * 1024, problems)?;
    let text = String::from_utf8_lossy(&bytes);
    let kibibytes =
        text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?.trim().strip_suffix("kB")?;
    kibibytes.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::testing::recorded;

    #[test]
    fn usable_memory_of_a_recording() {
        for (meminfo, expected) in [
            ("MemTotal:       24684084 kB\nMemFree: 1 kB\n", Some(24_684_084 * 1024)),
            ("MemTotal: lots\n", None),
            ("MemTotal: 99999999999999999999 kB\n", None),
        ] {
            let (_folder, host) = recorded(&[(MEMINFO, meminfo)]);
            let items = MemorySource.collect(&host).items;
            let found = items.first().map(|item| match &item.kind {
                ItemKind::Memory(memory) => memory.usable_bytes,
                other => panic!("{other:?} is no memory"),
            });
            assert_eq!(found.flatten(), expected, "{meminfo}");
        }
    }
}
