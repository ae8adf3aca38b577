//! What firmware and monitors say of themselves: SMBIOS structures, EDID blocks, SCSI's page with the serial number.
//!
//! Of a structure that is known here the strings that name a product stay, those that name a single one are replaced,
//! and all others are blanked; of an unknown one nothing is left but its type and length. Lengths never change.

use super::{Context, text};
use crate::bundle::pseudonym::{self, Kind};

/// The strings of a structure by the offsets of their numbers.
struct Known {
    kind: u8,
    kept: &'static [usize],
    secret: &'static [usize],
}

const fn known(kind: u8, kept: &'static [usize], secret: &'static [usize]) -> Known {
    Known { kind, kept, secret }
}

/// As in DMTF's DSP0134.
const STRUCTURES: &[Known] = &[
    known(0, &[0x04, 0x05, 0x08], &[]),
    known(1, &[0x04, 0x05, 0x06, 0x19, 0x1a], &[0x07]),
    known(2, &[0x04, 0x05, 0x06], &[0x07, 0x08]),
    known(3, &[0x04, 0x06], &[0x07, 0x08]),
    known(4, &[0x04, 0x07, 0x10, 0x22], &[0x20, 0x21]),
    known(7, &[0x04], &[]),
    known(8, &[0x04, 0x06], &[]),
    known(9, &[0x04], &[]),
    known(16, &[], &[]),
    known(17, &[0x10, 0x11, 0x17, 0x1a], &[0x18, 0x19]),
    known(19, &[], &[]),
    known(20, &[], &[]),
    known(22, &[0x04, 0x05, 0x06, 0x08, 0x14], &[0x07]),
    known(32, &[], &[]),
    known(39, &[0x05, 0x06, 0x07, 0x0a, 0x0b], &[0x08, 0x09]),
    known(41, &[0x04], &[]),
    known(43, &[0x12], &[]),
    known(127, &[], &[]),
];
/// Structures of strings alone: how many there are stays.
const STRINGS: [u8; 3] = [11, 12, 13];
const SYSTEM: u8 = 1;
const BATTERY: u8 = 22;
const UUID: std::ops::Range<usize> = 0x08..0x18;
/// The serial number of a smart battery.
const SMART_SERIAL: std::ops::Range<usize> = 0x10..0x12;
const HEADER: usize = 4;
/// The kernel's word for a battery's serial number.
const SUPPLY_SERIAL: &[u8] = b"POWER_SUPPLY_SERIAL_NUMBER";

/// One structure's place in the table.
struct Structure {
    kind: u8,
    formatted: std::ops::Range<usize>,
    /// The strings in their order.
    strings: Vec<std::ops::Range<usize>>,
}

/// Follows the table as far as it can be followed; the second is where that ends.
fn walk(table: &[u8]) -> (Vec<Structure>, usize) {
    let mut structures = Vec::new();
    let mut at = 0;
    while let Some([kind, length, ..]) = table.get(at..).and_then(|rest| rest.first_chunk::<HEADER>()) {
        let end = at + usize::from(*length);
        if usize::from(*length) < HEADER || end > table.len() {
            break;
        }
        let Some(strings_length) = table[end..].windows(2).position(|pair| pair == [0, 0]) else {
            // The strings go on to the end, as far as there are any.
            structures.push(Structure {
                kind: *kind,
                formatted: at..end,
                strings: parts(table, end, table.len()),
            });
            return (structures, table.len());
        };
        structures.push(Structure {
            kind: *kind,
            formatted: at..end,
            strings: parts(table, end, end + strings_length),
        });
        at = end + strings_length + 2;
    }
    (structures, at)
}

fn parts(table: &[u8], start: usize, end: usize) -> Vec<std::ops::Range<usize>> {
    let mut parts = Vec::new();
    let mut at = start;
    for part in table[start..end].split(|byte| *byte == 0) {
        parts.push(at..at + part.len());
        at += part.len() + 1;
    }
    parts
}

impl Structure {
    /// The places of the strings whose numbers stand at these offsets.
    fn strings<'s>(&'s self, table: &[u8], offsets: &[usize]) -> Vec<&'s std::ops::Range<usize>> {
        let number = |offset: &usize| table.get(self.formatted.clone())?.get(*offset).copied();
        let numbers = offsets.iter().filter_map(number).filter(|number| *number > 0);
        numbers.filter_map(|number| self.strings.get(usize::from(number) - 1)).collect()
    }
}

/// What identifies a machine in its table, for the net.
pub(super) fn smbios_secrets(table: &[u8], mut each: impl FnMut(Kind, &[u8])) {
    for structure in walk(table).0 {
        let Some(known) = STRUCTURES.iter().find(|known| known.kind == structure.kind) else { continue };
        for place in structure.strings(table, known.secret) {
            each(Kind::Serial, &table[place.clone()]);
        }
        if let Some(uuid) =
            uuid_place(&structure).and_then(|place| table.get(place)?.first_chunk::<16>().copied())
        {
            let text: String = pseudonym::flip(uuid).iter().map(|byte| format!("{byte:02x}")).collect();
            each(Kind::Uuid, text.as_bytes());
        }
    }
}

fn uuid_place(structure: &Structure) -> Option<std::ops::Range<usize>> {
    let start = structure.formatted.start;
    let place = start + UUID.start..start + UUID.end;
    (structure.kind == SYSTEM && place.end <= structure.formatted.end).then_some(place)
}

/// The table.
pub(super) fn smbios(table: &mut [u8], context: &mut Context<'_>) {
    let (structures, end) = walk(table);
    // What can't be followed can't be told from a serial number.
    table.iter_mut().skip(end).for_each(|byte| *byte = 0);
    for structure in &structures {
        let known = STRUCTURES.iter().find(|known| known.kind == structure.kind);
        let (kept, secret): (&[usize], &[usize]) =
            known.map_or((&[], &[]), |known| (known.kept, known.secret));
        let secret: Vec<_> = structure.strings(table, secret).into_iter().cloned().collect();
        let kept: Vec<_> = structure.strings(table, kept).into_iter().cloned().collect();
        for place in &structure.strings {
            if secret.contains(place) {
                let replaced = if structure.kind == BATTERY {
                    context.battery(&table[place.clone()])
                } else {
                    context.of(Kind::Serial, &table[place.clone()])
                };
                table[place.clone()].copy_from_slice(&replaced);
            } else if !kept.contains(place) && !pseudonym::is_placeholder(&table[place.clone()]) {
                table[place.clone()].fill(b'x');
                context.tally.add(Kind::Other);
            }
        }
        let formatted = &mut table[structure.formatted.clone()];
        if known.is_none() && !STRINGS.contains(&structure.kind) {
            formatted[HEADER..].fill(0);
        }
        if structure.kind == BATTERY
            && let Some(place) = formatted.get_mut(SMART_SERIAL)
        {
            let number = u16::from_le_bytes([place[0], place[1]]);
            place.copy_from_slice(&context.secrets.pseudonyms().word(number).to_le_bytes());
        }
        if let Some(place) = uuid_place(structure)
            && let Some(bytes) = table[place.clone()].first_chunk::<16>().copied()
        {
            let replaced = context.secrets.pseudonyms().uuid(bytes);
            table[place].copy_from_slice(&replaced);
            context.tally.add(Kind::Uuid);
        }
    }
}

/// How an EDID block begins, where its numbers stand, and its descriptors.
const EDID_BLOCK: usize = 128;
const EDID_HEADER: [u8; 8] = [0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0];
const EDID_SERIAL: std::ops::Range<usize> = 12..16;
const EDID_DESCRIPTORS: [usize; 4] = [54, 72, 90, 108];
const EDID_DESCRIPTOR_BYTES: usize = 18;

/// The first block of a monitor's description; those behind it may hold numbers anywhere and are dropped. What is no
/// such block is blanked.
pub(super) fn edid(bytes: &[u8], context: &mut Context<'_>) -> Vec<u8> {
    let Some(block) = bytes.first_chunk::<EDID_BLOCK>().filter(|block| block.starts_with(&EDID_HEADER))
    else {
        return vec![0; bytes.len()];
    };
    let mut block = *block;
    let sum = block.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    let number = u32::from_le_bytes([block[12], block[13], block[14], block[15]]);
    if number != 0 {
        block[EDID_SERIAL].copy_from_slice(&context.secrets.pseudonyms().number(number).to_le_bytes());
        context.tally.add(Kind::Serial);
    }
    for start in EDID_DESCRIPTORS {
        let descriptor = &mut block[start..start + EDID_DESCRIPTOR_BYTES];
        if descriptor.starts_with(&[0, 0, 0, 0xff]) {
            let text = &mut descriptor[5..];
            let length = text.iter().position(|byte| *byte == b'\n').unwrap_or(text.len());
            let replaced = context.of(Kind::Serial, &text[..length]);
            text[..length].copy_from_slice(&replaced);
            // Behind the end stands what its maker left there.
            text[length..].fill(b' ');
            if let Some(end) = text.get_mut(length) {
                *end = b'\n';
            }
        } else if descriptor.starts_with(&[0, 0, 0])
            && !matches!(descriptor[3], 0xfc..=0xfe | 0xf7 | 0xf8 | 0xf9 | 0xfa)
        {
            // A maker's own.
            descriptor[5..].fill(0);
        }
    }
    // Right where it was right, and as wrong as it was.
    let now = block.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    block[EDID_BLOCK - 1] = block[EDID_BLOCK - 1].wrapping_sub(now.wrapping_sub(sum));
    block.to_vec()
}

/// The text of a monitor's serial number, for the net.
pub(super) fn edid_serial(bytes: &[u8]) -> Option<&[u8]> {
    let block = bytes.first_chunk::<EDID_BLOCK>()?;
    let descriptors = EDID_DESCRIPTORS.into_iter().map(|start| &block[start..start + EDID_DESCRIPTOR_BYTES]);
    let text =
        descriptors.into_iter().find(|descriptor| descriptor.starts_with(&[0, 0, 0, 0xff]))?.get(5..)?;
    text.split(|byte| *byte == b'\n').next().map(<[u8]>::trim_ascii)
}

/// What the kernel tells of every device in one file.
pub(super) fn uevent(bytes: &[u8], context: &mut Context<'_>) -> Vec<u8> {
    const KEPT: [&[u8]; 13] = [
        b"DEVTYPE",
        b"DRIVER",
        b"INTERFACE",
        b"MODALIAS",
        b"PRODUCT",
        b"TYPE",
        b"MAJOR",
        b"MINOR",
        b"DEVNAME",
        b"BUSNUM",
        b"DEVNUM",
        b"IFINDEX",
        b"OF_COMPATIBLE_0",
    ];
    text::each_line(bytes, |line| {
        let Some(equals) = memchr::memchr(b'=', line) else { return context.of(Kind::Other, line) };
        let (key, value) = (&line[..equals], &line[equals + 1..]);
        let value = if key == SUPPLY_SERIAL {
            context.battery(value)
        } else if KEPT.contains(&key) || key.starts_with(b"PCI_") || key.starts_with(b"POWER_SUPPLY_") {
            value.to_vec()
        } else {
            context.of(Kind::Other, value)
        };
        [key, b"=", &value].concat()
    })
}

/// The serial number that the kernel tells of a battery.
pub(super) fn battery_serial(uevent: &[u8]) -> Option<&[u8]> {
    let mut lines = uevent.split(|byte| *byte == b'\n');
    lines.find_map(|line| line.strip_prefix(SUPPLY_SERIAL)?.strip_prefix(b"=")).map(<[u8]>::trim_ascii)
}

/// SCSI's page 0x80: a header of four bytes, then the serial number.
pub(super) fn serial_page(bytes: &[u8], context: &mut Context<'_>) -> Vec<u8> {
    let (header, text) = bytes.split_at(bytes.len().min(4));
    [header, &context.of(Kind::Serial, text)].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::redact::testing::with_context;

    #[test]
    fn structures_keep_their_lengths_and_products() {
        let table = [
            &b"\x03\x09\x00\x00\x01\x09\x02\x03\x04Acme\0v1\0SN-12345\0To Be Filled By O.E.M.\0\0"[..],
            b"\x0b\x05\x01\x00\x02one\0two secrets\0\0",
            b"\xdd\x08\x02\x00\x00\x1b\x21\x3aown\0\0",
            b"\x7f\x04\x03\x00\0\0trailing",
        ]
        .concat();
        let mut after = table.clone();
        with_context(|context| smbios(&mut after, context));
        assert_eq!(after.len(), table.len());
        let text = after.escape_ascii().to_string();
        for kept in ["Acme", "v1", "To Be Filled By O.E.M."] {
            assert!(text.contains(kept), "{kept} not in {text}");
        }
        for gone in ["SN-12345", "two secrets", "own", "trailing", "x1b!:"] {
            assert!(!text.contains(gone), "{gone} in {text}");
        }
        let structures = |table: &[u8]| {
            walk(table)
                .0
                .iter()
                .map(|it| (it.kind, it.formatted.clone(), it.strings.clone()))
                .collect::<Vec<_>>()
        };
        assert_eq!(structures(&table)[..4], structures(&after)[..4]);
        let mut found = Vec::new();
        smbios_secrets(&table, |kind, value| found.push((kind, value.to_vec())));
        assert_eq!(found[0], (Kind::Serial, b"SN-12345".to_vec()));
    }

    #[test]
    fn a_monitor_keeps_its_name_and_a_right_sum() {
        let mut block = [0; 300];
        block[..8].copy_from_slice(&EDID_HEADER);
        block[12..16].copy_from_slice(b"ABCD");
        block[54..72].copy_from_slice(b"\0\0\0\xff\0SER-4711X\n   ");
        block[72..90].copy_from_slice(b"\0\0\0\xfc\0DELL U2720Q\n ");
        block[90..108].copy_from_slice(b"\0\0\0\x05\0maker's own..");
        block[127] = block[..127].iter().fold(0_u8, |sum, byte| sum.wrapping_sub(*byte));
        block[200..204].copy_from_slice(b"MORE");
        let mut after = Vec::new();
        with_context(|context| after = edid(&block, context));
        assert_eq!(after.len(), EDID_BLOCK);
        assert_eq!(after.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte)), 0);
        let text = after.escape_ascii().to_string();
        assert!(
            text.contains("DELL U2720Q")
                && !text.contains("4711")
                && !text.contains("ABCD")
                && !text.contains("own"),
            "{text}"
        );
        assert_eq!(edid_serial(&block), Some(&b"SER-4711X"[..]));
        with_context(|context| assert_eq!(edid(b"no monitor", context), [0; 10]));
    }
}
