//! Types 16 and 17: memory arrays and the modules in them.
//!
//! Knows the offsets of DSP0134 7.17 and 7.18.

use muster_common::inventory::MemoryModule;

use crate::sources::{
    hardware::smbios::{Structure, names},
    part::Problems,
};

/// Type 16: a group of slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sources::hardware) struct MemoryArray {
    /// Whether it is system memory, and not video memory or a cache.
    pub(in crate::sources::hardware) is_system_memory: bool,
    /// How many slots it has.
    pub(in crate::sources::hardware) slots: Option<u32>,
    /// How many bytes it takes at most.
    pub(in crate::sources::hardware) maximum_bytes: Option<u64>,
    /// How it mends errors (7.17.3).
    pub(in crate::sources::hardware) error_correction: Option<&'static str>,
}

/// Type 16.
pub(in crate::sources::hardware) fn memory_array(structure: &Structure<'_>) -> MemoryArray {
    MemoryArray {
        is_system_memory: structure.byte(0x05) == Some(0x03),
        slots: structure.word(0x0d).map(u32::from),
        maximum_bytes: maximum(structure),
        error_correction: structure.byte(0x06).and_then(|kind| {
            Some(match kind {
                0x03 => "none",
                0x04 => "parity",
                0x05 => "single-bit ECC",
                0x06 => "multi-bit ECC",
                0x07 => "CRC",
                _ => return None,
            })
        }),
    }
}

/// Kibibytes, or bytes in a wider field where those don't suffice.
fn maximum(structure: &Structure<'_>) -> Option<u64> {
    match structure.double_word(0x07)? {
        0 => None,
        0x8000_0000 => structure.array(0x0f).map(u64::from_le_bytes).filter(|bytes| *bytes > 0),
        kibibytes => Some(u64::from(kibibytes) << 10),
    }
}

/// Type 17 with the handle of its array; `None` for an empty slot.
pub(in crate::sources::hardware) fn memory_module(
    structure: &Structure<'_>,
    problems: &mut Problems,
) -> Option<(MemoryModule, Option<u16>)> {
    let size = size(structure)?;
    let module = MemoryModule {
        handle: structure.handle,
        locator: structure.string(0x10, problems).unwrap_or_default(),
        bank: structure.string(0x11, problems),
        manufacturer: structure.string(0x17, problems),
        part_number: structure.string(0x1a, problems),
        serial: structure.string(0x18, problems),
        asset_tag: structure.string(0x19, problems),
        size_bytes: size,
        kind: structure.byte(0x12).and_then(names::memory_type).map(str::to_owned),
        form_factor: structure.byte(0x0e).and_then(names::form_factor).map(str::to_owned),
        speed_mts: speed(structure),
    };
    Some((module, structure.word(0x04)))
}

/// `None` for an empty slot, `Some(None)` for a module of unknown size.
fn size(structure: &Structure<'_>) -> Option<Option<u64>> {
    const KIB: u64 = 1 << 10;
    const MIB: u64 = 1 << 20;
    match structure.word(0x0c)? {
        0 => None,
        0xffff => Some(None),
        0x7fff => {
            let extended = structure.double_word(0x1c).map(|mebibytes| mebibytes & 0x7fff_ffff);
            Some(extended.map(|mebibytes| u64::from(mebibytes) * MIB))
        }
        kibibytes if kibibytes & 0x8000 != 0 => Some(Some(u64::from(kibibytes & 0x7fff) * KIB)),
        mebibytes => Some(Some(u64::from(mebibytes) * MIB)),
    }
}

fn speed(structure: &Structure<'_>) -> Option<u32> {
    match structure.word(0x15)? {
        0 => None,
        0xffff => structure.double_word(0x54).map(|speed| speed & 0x7fff_ffff).filter(|speed| *speed > 0),
        speed => Some(u32::from(speed)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::hardware::smbios::{entry::EntryPoint, structure};

    fn module(change: impl FnOnce(&mut [u8])) -> Option<MemoryModule> {
        let mut formatted = vec![0u8; 0x5c];
        formatted[..4].copy_from_slice(&[17, 0x5c, 9, 0]);
        change(&mut formatted);
        formatted.extend(b"DIMM_A\0\0");
        let mut problems = Problems::default();
        let found = structure::walk(&formatted, &EntryPoint::unknown(), &mut problems);
        memory_module(&found[0], &mut problems).map(|(module, _)| module)
    }

    #[test]
    fn sizes_in_all_units() {
        for (word, extended, expected) in [
            (0u16, 0u32, None),
            (0xffff, 0, Some(None)),
            (0x2000, 0, Some(Some(8 << 30))),
            (0x8200, 0, Some(Some(512 << 10))),
            (0x7fff, 0x0001_0000, Some(Some(64 << 30))),
            (0x7fff, 0x8001_0000, Some(Some(64 << 30))),
        ] {
            let found = module(|bytes| {
                bytes[0x0c..0x0e].copy_from_slice(&word.to_le_bytes());
                bytes[0x1c..0x20].copy_from_slice(&extended.to_le_bytes());
                bytes[0x10] = 1;
            });
            assert_eq!(found.map(|module| module.size_bytes), expected, "{word:#x}");
        }
    }

    #[test]
    fn types_and_speeds() {
        let found = module(|bytes| {
            bytes[0x0c] = 1;
            bytes[0x0e] = 0x0d;
            bytes[0x10] = 1;
            bytes[0x12] = 0x22;
            bytes[0x15..0x17].copy_from_slice(&[0xff, 0xff]);
            bytes[0x54..0x58].copy_from_slice(&70_000u32.to_le_bytes());
        })
        .unwrap();
        assert_eq!(found.locator, "DIMM_A");
        assert_eq!(found.kind.as_deref(), Some("DDR5"));
        assert_eq!(found.form_factor.as_deref(), Some("SODIMM"));
        assert_eq!(found.speed_mts, Some(70_000));
    }
}
