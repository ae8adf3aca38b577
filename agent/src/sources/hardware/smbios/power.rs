//! Types 22 and 39: portable batteries and power supplies.
//!
//! Knows the offsets of DSP0134 7.23 and 7.40.

use muster_common::inventory::{Battery, PowerSupply};

use crate::sources::{
    hardware::smbios::{Structure, part_names},
    part::Problems,
};

/// Type 22. Its name is where it sits.
pub(in crate::sources::hardware) fn battery(structure: &Structure<'_>, problems: &mut Problems) -> Battery {
    let multiplier = structure.byte(0x15).map_or(1, u32::from);
    Battery {
        name: structure
            .string(0x04, problems)
            .unwrap_or_else(|| format!("battery {:#06x}", structure.handle)),
        manufacturer: structure.string(0x05, problems),
        model: structure.string(0x08, problems),
        serial: structure.string(0x07, problems).or_else(|| smart_serial(structure)),
        chemistry: structure
            .byte(0x09)
            .and_then(part_names::chemistry)
            .map(str::to_owned)
            .or_else(|| structure.string(0x14, problems)),
        design_mwh: structure
            .word(0x0a)
            .map(|capacity| u32::from(capacity) * multiplier)
            .filter(|capacity| *capacity > 0),
        full_mwh: None,
        cycles: None,
        manufactured: structure.string(0x06, problems).or_else(|| smart_date(structure)),
    }
}

/// Type 39.
pub(in crate::sources::hardware) fn power_supply(
    structure: &Structure<'_>,
    problems: &mut Problems,
) -> PowerSupply {
    let characteristics = structure.word(0x0e);
    PowerSupply {
        handle: structure.handle,
        location: structure.string(0x05, problems),
        name: structure.string(0x06, problems),
        manufacturer: structure.string(0x07, problems),
        serial: structure.string(0x08, problems),
        asset_tag: structure.string(0x09, problems),
        model: structure.string(0x0a, problems),
        revision: structure.string(0x0b, problems),
        max_watts: structure.word(0x0c).filter(|watts| !matches!(watts, 0 | 0x8000)).map(u32::from),
        hot_replaceable: characteristics.map(|bits| bits & 0x01 != 0),
        present: characteristics.map(|bits| bits & 0x02 != 0),
    }
}

/// The number of a Smart Battery, which has no text: as hexadecimal digits, as dmidecode prints it.
fn smart_serial(structure: &Structure<'_>) -> Option<String> {
    // Without a text the number 0 is what nobody set.
    if structure.byte(0x07) != Some(0) {
        return None;
    }
    structure.word(0x10).filter(|serial| *serial > 0).map(|serial| format!("{serial:04X}"))
}

/// The date of a Smart Battery: years since 1980, month, day.
fn smart_date(structure: &Structure<'_>) -> Option<String> {
    if structure.byte(0x06) != Some(0) {
        return None;
    }
    let packed = structure.word(0x12).filter(|packed| *packed > 0)?;
    Some(format!("{}-{:02}-{:02}", 1980 + (packed >> 9), packed >> 5 & 0x0f, packed & 0x1f))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::hardware::smbios::structure::testing::read;

    #[test]
    fn smart_batteries_have_numbers_for_texts() {
        let smart = |change: fn(&mut [u8])| {
            read(
                22,
                0x1a,
                b"Front\0LGC\0SN-1\0",
                |bytes| {
                    bytes[0x04..0x06].copy_from_slice(&[1, 2]);
                    bytes[0x0a..0x0c].copy_from_slice(&5700u16.to_le_bytes());
                    bytes[0x10..0x14].copy_from_slice(&[0x0b, 0x07, 0x49, 0x4e]);
                    bytes[0x15] = 10;
                    change(bytes);
                },
                battery,
            )
        };
        let found = smart(|_| ());
        assert_eq!((found.name.as_str(), found.design_mwh), ("Front", Some(57_000)));
        assert_eq!(
            (found.serial.as_deref(), found.manufactured.as_deref()),
            (Some("070B"), Some("2019-02-09"))
        );
        assert_eq!(smart(|bytes| bytes[0x07] = 3).serial.as_deref(), Some("SN-1"));
        assert_eq!(smart(|bytes| bytes[0x10..0x12].fill(0)).serial, None);
    }

    #[test]
    fn unknown_power_is_none() {
        for (watts, expected) in [(0x8000u16, None), (0, None), (750, Some(750))] {
            let found = read(
                39,
                0x16,
                b"",
                |bytes| {
                    bytes[0x0c..0x0e].copy_from_slice(&watts.to_le_bytes());
                    bytes[0x0e] = 0x03;
                },
                power_supply,
            );
            assert_eq!(
                (found.max_watts, found.hot_replaceable, found.present),
                (expected, Some(true), Some(true))
            );
        }
    }
}
