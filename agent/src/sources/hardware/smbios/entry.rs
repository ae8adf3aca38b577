//! The entry point: which version the tables have and where they end (DSP0134, 5.2).
//!
//! Knows the 32-bit form (`_SM_`), the 64-bit form (`_SM3_`) and the older `_DMI_`; the addresses in them mean nothing
//! here, since the kernel hands out the table itself.

use muster_common::inventory::ErrorKind;

use crate::sources::{hardware::smbios::ENTRY_POINT, part::Problems};

/// What an entry point says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct EntryPoint {
    /// Major, minor and, in the 64-bit form, document revision.
    version: Option<(u8, u8, Option<u8>)>,
    /// How many structures there are, where it says so.
    pub(super) count: Option<u16>,
    /// How long the table is, where it says so exactly.
    pub(super) table_bytes: Option<u16>,
}

impl EntryPoint {
    /// Reads an entry point; one that is none leaves everything unknown.
    pub(super) fn parse(bytes: &[u8], problems: &mut Problems) -> Self {
        let mut malformed = |message: &str| problems.add(ENTRY_POINT, ErrorKind::Malformed, message);
        if bytes.starts_with(b"_SM3_") {
            let Some(fixed) = bytes.first_chunk::<24>() else {
                malformed("the 64-bit entry point is cut short");
                return Self::unknown();
            };
            if !sums_to_zero(bytes, fixed[6]) {
                malformed("the checksum is wrong");
            }
            return Self {
                version: Some((fixed[7], fixed[8], Some(fixed[9]))),
                count: None,
                table_bytes: None,
            };
        }
        if bytes.starts_with(b"_SM_") {
            let Some(fixed) = bytes.first_chunk::<30>() else {
                malformed("the 32-bit entry point is cut short");
                return Self::unknown();
            };
            if !sums_to_zero(bytes, fixed[5]) {
                malformed("the checksum is wrong");
            }
            let (major, minor) = match (fixed[6], fixed[7]) {
                // Some firmware writes the version in a form of its own; these are what it means.
                (2, 0x1f | 0x21) => (2, 3),
                (2, 0x33) => (2, 6),
                written => written,
            };
            return Self {
                version: Some((major, minor, None)),
                count: Some(u16::from_le_bytes([fixed[0x1c], fixed[0x1d]])),
                table_bytes: Some(u16::from_le_bytes([fixed[0x16], fixed[0x17]])),
            };
        }
        if let Some(fixed) = bytes.first_chunk::<15>().filter(|_| bytes.starts_with(b"_DMI_")) {
            return Self {
                version: Some((fixed[14] >> 4, fixed[14] & 0x0f, None)),
                count: Some(u16::from_le_bytes([fixed[12], fixed[13]])),
                table_bytes: Some(u16::from_le_bytes([fixed[6], fixed[7]])),
            };
        }
        malformed("this is no SMBIOS entry point");
        Self::unknown()
    }

    /// Nothing is known but that there is a table.
    pub(super) fn unknown() -> Self {
        Self { version: None, count: None, table_bytes: None }
    }

    /// The version as text.
    pub(super) fn version(&self) -> Option<String> {
        self.version.map(|(major, minor, revision)| match revision {
            Some(revision) => format!("{major}.{minor}.{revision}"),
            None => format!("{major}.{minor}"),
        })
    }

    /// Whether the version is this one or newer; an unknown one is taken for new.
    pub(super) fn at_least(&self, major: u8, minor: u8) -> bool {
        self.version.is_none_or(|(found_major, found_minor, _)| (found_major, found_minor) >= (major, minor))
    }
}

/// Whether the first `length` bytes sum to zero, as every entry point must.
fn sums_to_zero(bytes: &[u8], length: u8) -> bool {
    bytes
        .get(..usize::from(length))
        .is_some_and(|bytes| bytes.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)) == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(bytes: &[u8]) -> (EntryPoint, bool) {
        let mut problems = Problems::default();
        let entry = EntryPoint::parse(bytes, &mut problems);
        (entry, problems.is_empty())
    }

    fn with_checksum(mut bytes: Vec<u8>, at: usize) -> Vec<u8> {
        bytes[at] = 0;
        bytes[at] = bytes.iter().fold(0u8, |sum, byte| sum.wrapping_sub(*byte));
        bytes
    }

    #[test]
    fn both_forms_are_read() {
        let mut long = vec![0; 24];
        long[..5].copy_from_slice(b"_SM3_");
        long[6..10].copy_from_slice(&[24, 3, 2, 1]);
        let (entry, clean) = parsed(&with_checksum(long.clone(), 5));
        assert_eq!((entry.version().as_deref(), entry.count, clean), (Some("3.2.1"), None, true));
        long[5] = 1;
        assert!(!parsed(&long).1, "a wrong checksum went unnoticed");

        let mut short = vec![0; 31];
        short[..4].copy_from_slice(b"_SM_");
        short[5..8].copy_from_slice(&[31, 2, 0x33]);
        short[0x16] = 200;
        short[0x1c] = 7;
        let (entry, clean) = parsed(&with_checksum(short, 4));
        assert_eq!((entry.version().as_deref(), entry.count, clean), (Some("2.6"), Some(7), true));
        assert_eq!(entry.table_bytes, Some(200));
    }

    #[test]
    fn nonsense_is_unknown_and_new() {
        for bytes in [&b""[..], b"_SM_", b"_SM3_xx", b"_DMI_", b"hello"] {
            let (entry, clean) = parsed(bytes);
            assert_eq!((entry, clean), (EntryPoint::unknown(), false), "{bytes:?}");
        }
        assert!(EntryPoint::unknown().at_least(2, 6));
    }
}
