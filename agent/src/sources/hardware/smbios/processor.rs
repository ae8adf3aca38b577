//! Type 4: processors.
//!
//! Knows the offsets of DSP0134 7.5.

use muster_common::inventory::Processor;

use crate::sources::{hardware::smbios::Structure, part::Problems};

/// Type 4; `None` for an empty socket, a mathematics, signal or video processor.
pub(in crate::sources::hardware) fn processor(
    structure: &Structure<'_>,
    problems: &mut Problems,
) -> Option<Processor> {
    if matches!(structure.byte(0x05), Some(0x04..=0x06)) {
        return None;
    }
    // Older tables have no status; a socket is described because something sits in it.
    if structure.byte(0x18).is_some_and(|status| status & 0x40 == 0) {
        return None;
    }
    Some(Processor {
        socket: structure.string(0x04, problems).unwrap_or_default(),
        manufacturer: structure.string(0x07, problems),
        model: structure.string(0x10, problems),
        cores: count(structure, 0x23, 0x2a),
        threads: count(structure, 0x25, 0x2e),
        max_mhz: structure.word(0x14).filter(|speed| *speed > 0).map(u32::from),
        serial: structure.string(0x20, problems),
        asset_tag: structure.string(0x21, problems),
        part_number: structure.string(0x22, problems),
        ..Processor::default()
    })
}

/// A count of one byte, or of two where the byte is full.
fn count(structure: &Structure<'_>, byte: usize, word: usize) -> Option<u32> {
    match structure.byte(byte)? {
        0 => None,
        0xff => match structure.word(word) {
            None => Some(0xff),
            Some(0 | 0xffff) => None,
            Some(count) => Some(u32::from(count)),
        },
        count => Some(u32::from(count)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::hardware::smbios::{entry::EntryPoint, structure};

    fn read(change: impl FnOnce(&mut [u8])) -> Option<Processor> {
        let mut formatted = vec![0u8; 0x30];
        formatted[..4].copy_from_slice(&[4, 0x30, 1, 0]);
        formatted[0x05] = 3;
        formatted[0x18] = 0x41;
        change(&mut formatted);
        formatted.extend(b"CPU 1\0\0");
        let mut problems = Problems::default();
        let found = structure::walk(&formatted, &EntryPoint::unknown(), &mut problems);
        processor(&found[0], &mut problems)
    }

    #[test]
    fn counts_beyond_a_byte() {
        for (byte, word, expected) in [
            (4u8, 0u16, Some(4)),
            (0, 9, None),
            (0xff, 384, Some(384)),
            (0xff, 0xffff, None),
            (0xff, 255, Some(255)),
        ] {
            let found = read(|bytes| {
                bytes[0x23] = byte;
                bytes[0x2a..0x2c].copy_from_slice(&word.to_le_bytes());
            });
            assert_eq!(found.unwrap().cores, expected, "{byte} {word}");
        }
    }

    #[test]
    fn empty_sockets_are_no_processors() {
        assert!(read(|bytes| bytes[0x18] = 0x01).is_none());
        assert!(read(|bytes| bytes[0x05] = 0x06).is_none());
        assert!(read(|_| ()).is_some());
    }
}
