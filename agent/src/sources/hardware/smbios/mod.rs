//! The tables that firmware leaves for the operating system: SMBIOS, DMTF's DSP0134.
//!
//! Knows the format and where Linux shows the raw tables, not what becomes of the values. The tables are hostile:
//! firmware writes nonsense, and a recording may be crafted. What cannot be read is a problem beside what can.
//!
//! To read a new structure type: a file here with a struct and `read(&Structure, …)`, its offsets as in the
//! specification's table for that type, and a source that asks [`Smbios::structures`] for it.

mod board;
mod board_part;
mod entry;
mod memory;
mod names;
mod part_names;
mod power;
mod processor;
mod structure;
mod tpm;

use muster_common::inventory::ErrorKind;

use crate::{
    host::Host,
    sources::{hardware::smbios::entry::EntryPoint, part::Problems, read},
};

pub(super) use board::{baseboard, chassis, firmware, is_virtual_machine, oem_strings, system};
pub(super) use board_part::{cache, onboard_device, port, slot};
pub(super) use memory::{MemoryArray, memory_array, memory_module};
pub(super) use power::{battery, power_supply};
pub(super) use processor::processor;
pub(super) use structure::Structure;
pub(super) use tpm::tpm;

/// Where Linux shows the entry point.
pub(super) const ENTRY_POINT: &str = "sys/firmware/dmi/tables/smbios_entry_point";
/// Where Linux shows the structures.
pub(super) const TABLE: &str = "sys/firmware/dmi/tables/DMI";

/// Real entry points have 31 bytes at most.
const ENTRY_POINT_LIMIT: usize = 4096;
/// Real tables have 2 to 100 kilobytes.
const TABLE_LIMIT: usize = 4 << 20;

/// The raw tables of one machine.
#[derive(Debug)]
pub(super) struct Smbios {
    entry: EntryPoint,
    table: Vec<u8>,
}

impl Smbios {
    /// Reads the tables; `None` when the machine shows none, or they may not be read.
    pub(super) fn read(host: &dyn Host, problems: &mut Problems) -> Option<Self> {
        let table = read::bytes(host, TABLE, TABLE_LIMIT, problems)?;
        let entry = match read::bytes(host, ENTRY_POINT, ENTRY_POINT_LIMIT, problems) {
            Some(bytes) => EntryPoint::parse(&bytes, problems),
            None => {
                problems.add(ENTRY_POINT, ErrorKind::Malformed, "the table has no entry point beside it");
                EntryPoint::unknown()
            }
        };
        Some(Self { entry, table })
    }

    /// The version as text, such as `2.8` or `3.0.0`.
    pub(super) fn version(&self) -> Option<String> {
        self.entry.version()
    }

    /// Whether UUIDs have their first three groups in little-endian order, as since version 2.6.
    pub(super) fn mixed_endian_uuid(&self) -> bool {
        self.entry.at_least(2, 6)
    }

    /// All structures that are whole.
    pub(super) fn structures(&self, problems: &mut Problems) -> Vec<Structure<'_>> {
        structure::walk(&self.table, &self.entry, problems)
    }
}
