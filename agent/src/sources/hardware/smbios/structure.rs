//! Structures of the table: a formatted part with fixed offsets and a set of strings (DSP0134, 6.1).
//!
//! Knows nothing of what a structure means. Every access is checked, since a length or an index may be anything.

use muster_common::inventory::ErrorKind;

use crate::sources::{
    hardware::smbios::{TABLE, entry::EntryPoint},
    part::Problems,
    text,
};

/// Handles have 16 bits and are unique.
const STRUCTURES_LIMIT: usize = 65_536;
/// The type that ends a table.
const END_OF_TABLE: u8 = 127;
/// Type, length and handle.
const HEADER_BYTES: usize = 4;

/// One structure.
#[derive(Debug, Clone, Copy)]
pub(in crate::sources::hardware) struct Structure<'t> {
    /// Its type by DSP0134 table 3.
    pub(in crate::sources::hardware) kind: u8,
    /// Its handle.
    pub(in crate::sources::hardware) handle: u16,
    /// The formatted part with its header, so that offsets are the specification's.
    formatted: &'t [u8],
    /// The strings, each ended by NUL, without the last one's.
    strings: &'t [u8],
}

impl Structure<'_> {
    /// The byte at an offset.
    pub(super) fn byte(&self, offset: usize) -> Option<u8> {
        self.formatted.get(offset).copied()
    }

    /// The 16-bit word at an offset.
    pub(super) fn word(&self, offset: usize) -> Option<u16> {
        self.array(offset).map(u16::from_le_bytes)
    }

    /// The 32-bit word at an offset.
    pub(super) fn double_word(&self, offset: usize) -> Option<u32> {
        self.array(offset).map(u32::from_le_bytes)
    }

    /// Bytes at an offset.
    pub(super) fn array<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        self.formatted.get(offset..)?.first_chunk::<N>().copied()
    }

    /// The string whose number stands at an offset; number 0 and blank strings are `None`.
    pub(super) fn string(&self, offset: usize, problems: &mut Problems) -> Option<String> {
        let number = self.byte(offset).filter(|number| *number > 0)?;
        // The set ends at the first empty string, so an empty one is none.
        match self.strings.split(|byte| *byte == 0).nth(usize::from(number) - 1).filter(|s| !s.is_empty()) {
            Some(string) => printable(string),
            None => {
                problems.add(
                    &format!("{TABLE} handle {:#06x}", self.handle),
                    ErrorKind::Malformed,
                    format!("type {} names string {number}, which it does not have", self.kind),
                );
                None
            }
        }
    }

    /// All strings, blank ones left out, at most as many as the number at an offset says.
    pub(super) fn all_strings(&self, count_at: usize) -> Vec<String> {
        let count = self.byte(count_at).map_or(0, usize::from);
        self.strings.split(|byte| *byte == 0).take(count).filter_map(printable).collect()
    }
}

/// Text as it is when it is UTF-8; else every odd byte is a dot, as dmidecode prints it, so that both tools agree on
/// a serial number.
fn printable(string: &[u8]) -> Option<String> {
    if std::str::from_utf8(string).is_ok_and(|string| !string.chars().any(char::is_control)) {
        return text::clean(string);
    }
    let dotted: Vec<u8> =
        string.iter().map(|byte| if (b' '..=b'~').contains(byte) { *byte } else { b'.' }).collect();
    text::clean(&dotted)
}

/// Splits the table into its structures, as far as it can be followed.
pub(super) fn walk<'t>(table: &'t [u8], entry: &EntryPoint, problems: &mut Problems) -> Vec<Structure<'t>> {
    let mut malformed = |message: String| problems.add(TABLE, ErrorKind::Malformed, message);
    let table = match entry.table_bytes.map(usize::from) {
        Some(stated) if stated > table.len() => {
            malformed(format!(
                "cut short: {} bytes of the {stated} that its entry point states",
                table.len()
            ));
            table
        }
        Some(stated) => table.get(..stated).unwrap_or(table),
        None => table,
    };
    let most = entry.count.map_or(STRUCTURES_LIMIT, usize::from);
    let mut structures = Vec::new();
    let mut rest = table;
    let mut ended = false;
    while structures.len() < most && !rest.is_empty() {
        let offset = table.len() - rest.len();
        let Some([kind, length, low, high]) = rest.first_chunk::<HEADER_BYTES>().copied() else {
            malformed(format!("cut short in a header at byte {offset}"));
            return structures;
        };
        let length = usize::from(length);
        if length < HEADER_BYTES {
            malformed(format!("type {kind} at byte {offset} states a length of {length}; the rest is lost"));
            return structures;
        }
        let Some((formatted, after)) = rest.split_at_checked(length) else {
            malformed(format!("cut short in type {kind} at byte {offset}"));
            return structures;
        };
        let Some(end) = after.windows(2).position(|pair| pair == [0, 0]) else {
            // Some firmware leaves out the last terminator.
            if kind != END_OF_TABLE {
                malformed(format!("cut short in the strings of type {kind} at byte {offset}"));
                return structures;
            }
            ended = true;
            break;
        };
        rest = after.get(end + 2..).unwrap_or_default();
        let handle = u16::from_le_bytes([low, high]);
        structures.push(Structure { kind, handle, formatted, strings: after.get(..end).unwrap_or_default() });
        ended = kind == END_OF_TABLE;
        // Only the older entry points say how many there are; some firmware puts structures behind the end.
        if ended && entry.count.is_none() {
            break;
        }
    }
    match entry.count {
        Some(count) if structures.len() + usize::from(ended) < usize::from(count) => {
            malformed(format!("{count} structures are stated and {} are there", structures.len()));
        }
        None if !ended => malformed("the table has no end".to_owned()),
        Some(_) | None => {}
    }
    structures
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;

    /// Reads one structure of a length whose formatted part a test changes.
    pub(in super::super) fn read<T>(
        kind: u8,
        length: u8,
        strings: &[u8],
        change: impl FnOnce(&mut [u8]),
        read: impl FnOnce(&Structure<'_>, &mut Problems) -> T,
    ) -> T {
        let mut bytes = vec![0u8; usize::from(length)];
        bytes[..HEADER_BYTES].copy_from_slice(&[kind, length, 1, 0]);
        change(&mut bytes);
        bytes.extend(if strings.is_empty() { b"\0" } else { strings });
        bytes.push(0);
        let mut problems = Problems::default();
        let found = walk(&bytes, &EntryPoint::unknown(), &mut problems);
        read(&found[0], &mut problems)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OEM: &[u8] = b"\xde\x06\x01\x00\x02\x07first \0sec\xffond\0\0";
    const END: &[u8] = b"\x7f\x04\x02\x00\0\0";

    #[test]
    fn strings_are_trimmed_and_checked() {
        let table = [OEM, END].concat();
        let mut problems = Problems::default();
        let structures = walk(&table, &EntryPoint::unknown(), &mut problems);
        assert_eq!(structures.len(), 2);
        assert!(problems.is_empty());
        assert_eq!(structures[0].string(4, &mut problems).as_deref(), Some("sec.ond"));
        assert_eq!(structures[0].string(0x50, &mut problems), None);
        assert!(problems.is_empty());
        assert_eq!(structures[0].string(5, &mut problems), None);
        assert_eq!(problems.into_entries().len(), 1);
        assert_eq!((structures[0].word(4), structures[0].double_word(4)), (Some(0x0702), None));
    }

    #[test]
    fn every_cut_is_noticed() {
        let table = [OEM, END].concat();
        for length in 0..table.len() - END.len() + 4 {
            let mut problems = Problems::default();
            let structures = walk(&table[..length], &EntryPoint::unknown(), &mut problems);
            assert!(!problems.is_empty(), "a cut at {length} went unnoticed");
            assert_eq!(structures.len(), usize::from(length >= OEM.len()), "{length}");
        }
    }
}
