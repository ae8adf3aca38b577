//! Types 0 to 3 and 11: firmware, system, board, chassis and their maker's own strings.
//!
//! Knows the offsets of DSP0134 7.1 to 7.4 and 7.12. Placeholders stay as they are written.

use muster_common::inventory::{Baseboard, Chassis, Firmware, System};

use crate::sources::{
    hardware::smbios::{Smbios, Structure},
    part::Problems,
};

/// Type 0.
pub(in crate::sources::hardware) fn firmware(
    structure: &Structure<'_>,
    smbios: &Smbios,
    problems: &mut Problems,
) -> Firmware {
    Firmware {
        vendor: structure.string(0x04, problems),
        version: structure.string(0x05, problems),
        release_date: structure.string(0x08, problems),
        release: release(structure),
        smbios_version: smbios.version(),
        oem_strings: Vec::new(),
    }
}

/// Whether type 0 says that the machine is virtual.
pub(in crate::sources::hardware) fn is_virtual_machine(structure: &Structure<'_>) -> bool {
    structure.byte(0x13).is_some_and(|characteristics| characteristics & 0x10 != 0)
}

/// Type 1, without what only the operating system tells.
pub(in crate::sources::hardware) fn system(
    structure: &Structure<'_>,
    smbios: &Smbios,
    problems: &mut Problems,
) -> System {
    System {
        manufacturer: structure.string(0x04, problems),
        product_name: structure.string(0x05, problems),
        version: structure.string(0x06, problems),
        serial: structure.string(0x07, problems),
        uuid: structure.array(0x08).and_then(|bytes| uuid(bytes, smbios.mixed_endian_uuid())),
        sku: structure.string(0x19, problems),
        family: structure.string(0x1a, problems),
        hypervisor: None,
        is_virtual: None,
        container: None,
    }
}

/// Type 2.
pub(in crate::sources::hardware) fn baseboard(
    structure: &Structure<'_>,
    problems: &mut Problems,
) -> Baseboard {
    Baseboard {
        handle: structure.handle,
        manufacturer: structure.string(0x04, problems),
        product: structure.string(0x05, problems),
        version: structure.string(0x06, problems),
        serial: structure.string(0x07, problems),
        asset_tag: structure.string(0x08, problems),
        location: structure.string(0x0a, problems),
    }
}

/// Type 3.
pub(in crate::sources::hardware) fn chassis(structure: &Structure<'_>, problems: &mut Problems) -> Chassis {
    Chassis {
        handle: structure.handle,
        manufacturer: structure.string(0x04, problems),
        // The highest bit says whether there is a lock.
        kind: structure.byte(0x05).map(|kind| kind & 0x7f),
        version: structure.string(0x06, problems),
        serial: structure.string(0x07, problems),
        asset_tag: structure.string(0x08, problems),
        sku: sku(structure, problems),
    }
}

/// Major and minor release; all ones is "not supported".
fn release(structure: &Structure<'_>) -> Option<String> {
    let (major, minor) = (structure.byte(0x14)?, structure.byte(0x15)?);
    (major != 0xff && minor != 0xff).then(|| format!("{major}.{minor}"))
}

/// It stands behind a list of what the chassis contains.
fn sku(structure: &Structure<'_>, problems: &mut Problems) -> Option<String> {
    let (count, bytes) = (structure.byte(0x13)?, structure.byte(0x14)?);
    structure.string(0x15 + usize::from(count) * usize::from(bytes), problems)
}

/// Type 11: what the maker wrote for itself, often a number of its own or an order.
pub(in crate::sources::hardware) fn oem_strings(structure: &Structure<'_>) -> Vec<String> {
    structure.all_strings(0x04)
}

/// A UUID as text; all ones is "not present" and all zeroes "not set" (7.2.1).
fn uuid(mut bytes: [u8; 16], mixed_endian: bool) -> Option<String> {
    if bytes == [0xff; 16] || bytes == [0; 16] {
        return None;
    }
    if mixed_endian {
        bytes[0..4].reverse();
        bytes[4..6].reverse();
        bytes[6..8].reverse();
    }
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        for digit in [byte >> 4, byte & 0x0f] {
            text.push(char::from_digit(u32::from(digit), 16).expect("four bits are one digit"));
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuid_order_depends_on_the_version() {
        let bytes =
            [0x33, 0x22, 0x11, 0, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff];
        for (input, mixed, expected) in [
            (bytes, true, Some("00112233-4455-6677-8899-aabbccddeeff")),
            (bytes, false, Some("33221100-5544-7766-8899-aabbccddeeff")),
            ([0xff; 16], true, None),
            ([0; 16], false, None),
        ] {
            assert_eq!(uuid(input, mixed).as_deref(), expected);
        }
    }
}
