//! Type 43: a trusted platform module.
//!
//! Knows the offsets of DSP0134 7.44.

use muster_common::inventory::Tpm;

use crate::sources::{hardware::smbios::Structure, part::Problems, text};

/// Type 43, under the name `tpm`.
pub(in crate::sources::hardware) fn tpm(structure: &Structure<'_>, problems: &mut Problems) -> Tpm {
    let (major, minor) = (structure.byte(0x08), structure.byte(0x09));
    let firmware = match major {
        Some(1) => structure.array::<2>(0x0c).map(|[major, minor]| format!("{major}.{minor}")),
        Some(2) => {
            structure.double_word(0x0a).map(|version| format!("{}.{}", version >> 16, version & 0xffff))
        }
        Some(_) | None => None,
    };
    Tpm {
        name: "tpm".to_owned(),
        version: major.zip(minor).map(|(major, minor)| format!("{major}.{minor}")),
        // Four characters, padded with NUL or blanks.
        manufacturer: structure
            .array::<4>(0x04)
            .filter(|id| id.iter().all(|byte| *byte == 0 || (b' '..=b'~').contains(byte)))
            .and_then(|id| text::clean(&id.map(|byte| if byte == 0 { b' ' } else { byte }))),
        firmware,
        description: structure.string(0x12, problems),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::hardware::smbios::structure::testing::read;

    #[test]
    fn both_families_say_their_firmware() {
        for (id, version, expected) in [
            (*b"INTC", [2u8, 0], (Some("INTC"), Some("2.0"), Some("600.18"))),
            (*b"IFX\0", [1, 2], (Some("IFX"), Some("1.2"), Some("88.2"))),
            ([0xff; 4], [3, 0], (None, Some("3.0"), None)),
        ] {
            let found = read(
                43,
                0x1f,
                b"TPM 2.0\0",
                |bytes| {
                    bytes[0x04..0x08].copy_from_slice(&id);
                    bytes[0x08..0x0a].copy_from_slice(&version);
                    bytes[0x0a..0x0e].copy_from_slice(&(600u32 << 16 | 18).to_le_bytes());
                    bytes[0x12] = 1;
                },
                tpm,
            );
            let told = (found.manufacturer.as_deref(), found.version.as_deref(), found.firmware.as_deref());
            assert_eq!(told, expected);
            assert_eq!(found.description.as_deref(), Some("TPM 2.0"));
        }
    }
}
