//! Types 7, 8, 9 and 41: caches, ports, slots and devices that are part of the board.
//!
//! Knows the offsets of DSP0134 7.8, 7.9, 7.10 and 7.42.

use muster_common::inventory::{Cache, OnboardDevice, Port, Slot};

use crate::sources::{
    hardware::smbios::{Structure, part_names},
    part::Problems,
};

/// Type 7.
pub(in crate::sources::hardware) fn cache(structure: &Structure<'_>, problems: &mut Problems) -> Cache {
    Cache {
        handle: structure.handle,
        designation: structure.string(0x04, problems),
        level: structure.word(0x05).map(|configuration| u32::from(configuration & 0x07) + 1),
        size_bytes: cache_size(structure),
        associativity: structure.byte(0x12).and_then(part_names::associativity).map(str::to_owned),
    }
}

/// Type 8.
pub(in crate::sources::hardware) fn port(structure: &Structure<'_>, problems: &mut Problems) -> Port {
    let connector = |offset| structure.byte(offset).and_then(part_names::connector);
    Port {
        handle: structure.handle,
        internal: structure.string(0x04, problems),
        external: structure.string(0x06, problems),
        connector: connector(0x07).or_else(|| connector(0x05)).map(str::to_owned),
        kind: structure.byte(0x08).and_then(part_names::port).map(str::to_owned),
    }
}

/// Type 9.
pub(in crate::sources::hardware) fn slot(structure: &Structure<'_>, problems: &mut Problems) -> Slot {
    let kind = structure.byte(0x05).and_then(part_names::slot);
    // The plain kinds leave the number of lanes to the width.
    let lanes = structure
        .byte(0x06)
        .and_then(part_names::lanes)
        .filter(|_| {
            kind.is_some_and(|kind| kind.starts_with("PCI Express") && kind.len() <= "PCI Express 6+".len())
        })
        .filter(|_| kind.is_some_and(|kind| !kind.contains(" x")));
    Slot {
        handle: structure.handle,
        designation: structure.string(0x04, problems),
        kind: kind.map(|kind| lanes.map_or_else(|| kind.to_owned(), |lanes| format!("{kind} {lanes}"))),
        in_use: structure.byte(0x07).and_then(|usage| match usage {
            0x03 => Some(false),
            0x04 => Some(true),
            _ => None,
        }),
        address: address(structure, 0x0d),
    }
}

/// Type 41.
pub(in crate::sources::hardware) fn onboard_device(
    structure: &Structure<'_>,
    problems: &mut Problems,
) -> OnboardDevice {
    let kind = structure.byte(0x05);
    OnboardDevice {
        handle: structure.handle,
        designation: structure.string(0x04, problems),
        kind: kind.and_then(|kind| part_names::onboard(kind & 0x7f)).map(str::to_owned),
        enabled: kind.map(|kind| kind & 0x80 != 0),
        address: address(structure, 0x07),
    }
}

/// The size that is installed: 16 bits with a granularity, or 32 where those don't suffice.
fn cache_size(structure: &Structure<'_>) -> Option<u64> {
    const KIB: u64 = 1 << 10;
    let sized = |count: u64, large: bool| count * if large { 64 * KIB } else { KIB };
    let word = structure.word(0x09)?;
    match structure.double_word(0x17).filter(|double| *double > 0) {
        Some(double) => Some(sized(u64::from(double & 0x7fff_ffff), double >> 31 == 1)),
        None => Some(sized(u64::from(word & 0x7fff), word >> 15 == 1)),
    }
}

/// Segment, bus, device and function; all ones where the part is on no bus.
fn address(structure: &Structure<'_>, offset: usize) -> Option<String> {
    let segment = structure.word(offset)?;
    let (bus, function) = (structure.byte(offset + 2)?, structure.byte(offset + 3)?);
    let is_none = segment == 0xffff && bus == 0xff && function == 0xff;
    (!is_none).then(|| format!("{segment:04x}:{bus:02x}:{:02x}.{:x}", function >> 3, function & 0x07))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::hardware::smbios::structure::testing::read;

    #[test]
    fn sizes_of_caches() {
        for (word, double, expected) in [
            (0x0020u16, 0u32, Some(32 << 10)),
            (0x8010, 0, Some(1 << 20)),
            (0xffff, 0x8000_0c00, Some(192 << 20)),
            (0xffff, 48 << 10, Some(48 << 20)),
            (0, 0, Some(0)),
        ] {
            let found = read(
                7,
                0x1b,
                b"L3\0",
                |bytes| {
                    bytes[0x04] = 1;
                    bytes[0x05] = 0x82;
                    bytes[0x09..0x0b].copy_from_slice(&word.to_le_bytes());
                    bytes[0x17..0x1b].copy_from_slice(&double.to_le_bytes());
                },
                cache,
            );
            assert_eq!((found.size_bytes, found.level), (expected, Some(3)), "{word:#x} {double:#x}");
        }
    }

    #[test]
    fn slots_say_their_lanes_once() {
        for (kind, width, expected) in [
            (0xa5u8, 0x0du8, Some("PCI Express x16")),
            (0xb6, 0x0a, Some("PCI Express 3 x16")),
            (0xb8, 0x0a, Some("PCI Express 4 x4")),
            (0x06, 0x05, Some("PCI")),
            (0x17, 0x0a, Some("M.2 Socket 3")),
            (0x20, 0x0a, Some("PCI Express 3 SFF-8639 (U.2)")),
            (0x02, 0x0a, None),
        ] {
            let found = read(
                9,
                0x11,
                b"J1\0",
                |bytes| {
                    bytes[0x05..0x08].copy_from_slice(&[kind, width, 4]);
                    bytes[0x0d..0x11].copy_from_slice(&[0, 0, 2, 0xe1]);
                },
                slot,
            );
            assert_eq!(found.kind.as_deref(), expected, "{kind:#x}");
            assert_eq!((found.in_use, found.address.as_deref()), (Some(true), Some("0000:02:1c.1")));
        }
    }

    #[test]
    fn older_tables_are_shorter() {
        let found = read(9, 0x0d, b"", |_| (), slot);
        assert_eq!(found.address, None);
        let found = read(7, 0x0f, b"", |_| (), cache);
        assert_eq!(found.associativity, None);
    }
}
