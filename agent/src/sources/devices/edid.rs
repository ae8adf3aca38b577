//! What a monitor says of itself: VESA's E-EDID, versions 1.3 and 1.4, its first block.
//!
//! Knows the format only, and nothing of connectors or makers' names. Extension blocks hold modes and sound, nothing
//! that tells one monitor from another, and are not read. The bytes are hostile: a monitor is a computer.

use crate::sources::text;

/// The length of a block.
const BLOCK_BYTES: usize = 128;
/// How every first block begins.
const HEADER: [u8; 8] = [0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0];
/// Where the four descriptors begin, and how long they are.
const DESCRIPTORS: [usize; 4] = [54, 72, 90, 108];
const DESCRIPTOR_BYTES: usize = 18;
/// Sizes in centimetres are rounded, by up to a tenth; one in millimetres that is further off is an aspect ratio or
/// another model's.
const ROUNDED_PARTS: u32 = 10;
/// Small panels are rounded by more than a tenth.
const ROUNDED_MM: u32 = 10;

/// What a block says; nothing is made up for what it leaves out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Edid {
    /// Three letters by the PNP id registry.
    pub(crate) manufacturer_id: Option<String>,
    /// The maker's number of the product.
    pub(crate) product_code: u16,
    /// Serial number in the header; 0 is none.
    pub(crate) serial_number: Option<u32>,
    /// Serial number as text.
    pub(crate) serial: Option<String>,
    /// Name of the product; with built-in panels often the panel's.
    pub(crate) name: Option<String>,
    /// Week of making, from 1 to 54.
    pub(crate) week: Option<u32>,
    /// Year of making, or of the model where there is no week.
    pub(crate) year: Option<u32>,
    /// Native width and height in pixels.
    pub(crate) pixels: Option<(u32, u32)>,
    /// Width and height of the picture in millimetres.
    pub(crate) millimetres: Option<(u32, u32)>,
}

/// Why a block can't be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EdidError {
    /// Too few bytes.
    #[error("the description has {found} bytes, expected 128 at least")]
    CutShort {
        /// How many there are.
        found: usize,
    },
    /// It does not begin as it must.
    #[error("this is no description of a monitor: its header is wrong")]
    Header,
    /// A byte was changed on the way.
    #[error("the checksum of the description is wrong, so no number in it can be trusted")]
    Checksum,
}

impl Edid {
    /// Reads the first block.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, EdidError> {
        let block = bytes.first_chunk::<BLOCK_BYTES>().ok_or(EdidError::CutShort { found: bytes.len() })?;
        if block[..HEADER.len()] != HEADER {
            return Err(EdidError::Header);
        }
        if block.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)) != 0 {
            return Err(EdidError::Checksum);
        }
        let descriptors = DESCRIPTORS.map(|at| {
            block[at..].first_chunk::<DESCRIPTOR_BYTES>().expect("the last descriptor ends before the block")
        });
        let timing = descriptors.iter().find_map(|descriptor| Timing::read(descriptor));
        let (week, year) = made(block[16], block[17]);
        Ok(Self {
            manufacturer_id: letters([block[8], block[9]]),
            product_code: u16::from_le_bytes([block[10], block[11]]),
            serial_number: Some(u32::from_le_bytes([block[12], block[13], block[14], block[15]]))
                .filter(|number| *number != 0),
            serial: descriptors.iter().find_map(|descriptor| text::clean(line(descriptor, 0xff)?)),
            name: descriptors
                .iter()
                .find_map(|descriptor| text::clean(line(descriptor, 0xfc)?))
                .or_else(|| descriptors.iter().rev().find_map(|descriptor| panel(line(descriptor, 0xfe)?))),
            week,
            year,
            pixels: timing.as_ref().map(|timing| timing.pixels),
            millimetres: size(timing.as_ref(), block[21], block[22]),
        })
    }
}

/// Three letters in five bits each, from 1 for `A`.
fn letters(packed: [u8; 2]) -> Option<String> {
    let packed = u16::from_be_bytes(packed);
    [packed >> 10, packed >> 5, packed]
        .into_iter()
        .map(|letter| match letter & 0x1f {
            letter @ 1..=26 => char::from_u32(u32::from(letter) + u32::from('A') - 1),
            _ => None,
        })
        .collect()
}

/// Week and year; week 255 says that the year is the model's.
fn made(week: u8, year: u8) -> (Option<u32>, Option<u32>) {
    let week = Some(u32::from(week)).filter(|week| (1..=54).contains(week));
    // 1.4 forbids years before 2006, 1.3 had none; what is zero was left out.
    let year = Some(u32::from(year) + 1990).filter(|year| *year > 1990);
    (week, year)
}

/// The text of a descriptor of one kind: 13 bytes, ended by a line feed, or by whatever its maker left there.
fn line(descriptor: &[u8; DESCRIPTOR_BYTES], kind: u8) -> Option<&[u8]> {
    let [0, 0, 0, found, _, text @ ..] = descriptor else { return None };
    if *found != kind {
        return None;
    }
    let text = text.split(|byte| *byte == b'\n').next()?;
    let end = text.iter().rposition(u8::is_ascii_graphic)?;
    text.get(..=end)
}

/// The name of a built-in panel in free text: the last line is the panel maker's. Dell puts a part number of its own
/// and byte 128 before it, and keeps settings in other lines.
fn panel(text: &[u8]) -> Option<String> {
    let name = text.rsplit(|byte| *byte == 0x80).next()?;
    if !name.iter().all(|byte| (b' '..=b'~').contains(byte)) {
        return None;
    }
    text::clean(name)
}

/// A detailed timing; the first one is the monitor's own.
struct Timing {
    pixels: (u32, u32),
    millimetres: (u32, u32),
}

impl Timing {
    fn read(descriptor: &[u8; DESCRIPTOR_BYTES]) -> Option<Self> {
        // Without a pixel clock it is a text or settings.
        if descriptor[0] == 0 && descriptor[1] == 0 {
            return None;
        }
        let high = |low: u8, bits: u8| u32::from(low) | u32::from(bits) << 8;
        let width = high(descriptor[2], descriptor[4] >> 4);
        let lines = high(descriptor[5], descriptor[7] >> 4);
        let is_interlaced = descriptor[17] & 0x80 != 0;
        let height = if is_interlaced { lines * 2 } else { lines };
        let millimetres =
            (high(descriptor[12], descriptor[14] >> 4), high(descriptor[13], descriptor[14] & 0x0f));
        (width > 0 && height > 0).then_some(Self { pixels: (width, height), millimetres })
    }
}

/// The size of the timing where it fits the rounded one in centimetres. Televisions write an aspect ratio there.
fn size(timing: Option<&Timing>, width_cm: u8, height_cm: u8) -> Option<(u32, u32)> {
    // One of them alone is an aspect ratio, too.
    let rounded =
        (width_cm > 0 && height_cm > 0).then(|| (u32::from(width_cm) * 10, u32::from(height_cm) * 10));
    let exact = timing.map(|timing| timing.millimetres).filter(|(width, height)| *width > 0 && *height > 0);
    match (exact, rounded) {
        (Some(exact), Some(rounded)) => {
            let near = |exact: u32, rounded: u32| {
                exact.abs_diff(rounded) <= (rounded / ROUNDED_PARTS).max(ROUNDED_MM)
            };
            let fits = near(exact.0, rounded.0) && near(exact.1, rounded.1);
            Some(if fits { exact } else { rounded })
        }
        (exact, rounded) => exact.or(rounded),
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// A block of an office monitor: 24 inches, week 12 of 2019.
    pub(crate) fn office() -> [u8; BLOCK_BYTES] {
        let mut block = [0u8; BLOCK_BYTES];
        block[..8].copy_from_slice(&HEADER);
        // DEL
        block[8..18].copy_from_slice(&[0x10, 0xac, 0xc5, 0xa0, 0x4c, 0x30, 0x39, 0x30, 12, 29]);
        block[18..23].copy_from_slice(&[1, 4, 0xa5, 52, 32]);
        block[54..72].copy_from_slice(&[
            0x28, 0x3c, 0x80, 0xa0, 0x70, 0xb0, 0x23, 0x40, 0x30, 0x20, 0x36, 0x00, 0x06, 0x44, 0x21, 0x00,
            0x00, 0x1a,
        ]);
        text(&mut block, 72, 0xff, b"9CX3R93K090L\n");
        text(&mut block, 90, 0xfc, b"DELL U2415\n  ");
        text(&mut block, 108, 0xfd, b"\x32\x3d\x1e\x53\x11\0\n      ");
        seal(block)
    }

    /// Writes a text into a descriptor.
    pub(crate) fn text(block: &mut [u8; BLOCK_BYTES], at: usize, kind: u8, text: &[u8; 13]) {
        block[at..at + 5].copy_from_slice(&[0, 0, 0, kind, 0]);
        block[at + 5..at + DESCRIPTOR_BYTES].copy_from_slice(text);
    }

    /// Makes the checksum right.
    pub(crate) fn seal(mut block: [u8; BLOCK_BYTES]) -> [u8; BLOCK_BYTES] {
        block[127] = 0;
        block[127] = block.iter().fold(0u8, |sum, byte| sum.wrapping_sub(*byte));
        block
    }
}

#[cfg(test)]
mod tests {
    use super::{
        testing::{office, seal, text},
        *,
    };

    #[test]
    fn an_office_monitor() {
        let expected = Edid {
            manufacturer_id: Some("DEL".to_owned()),
            product_code: 0xa0c5,
            serial_number: Some(0x3039_304c),
            serial: Some("9CX3R93K090L".to_owned()),
            name: Some("DELL U2415".to_owned()),
            week: Some(12),
            year: Some(2019),
            pixels: Some((1920, 1200)),
            millimetres: Some((518, 324)),
        };
        assert_eq!(Edid::parse(&office()), Ok(expected));
    }

    #[test]
    fn a_panel_is_named_by_its_free_text() {
        for (first, second, expected) in [
            (b"AUO\n         ", b"B140HAN04.0 \n", Some("B140HAN04.0")),
            (b"KGYYH\x80N140HCE", b"\0\x41\x02\x9e\0\x10\0\0\n    ", Some("N140HCE")),
            (b"B140HAN04.0\xff\xff", b"\n            ", Some("B140HAN04.0")),
            (b"\n            ", b"             ", None),
        ] {
            let mut block = office();
            text(&mut block, 72, 0xfe, first);
            text(&mut block, 90, 0xfe, second);
            let found = Edid::parse(&seal(block)).unwrap();
            assert_eq!((found.name.as_deref(), found.serial), (expected, None), "{first:?}");
        }
    }

    #[test]
    fn weeks_years_and_sizes() {
        for (bytes, expected) in [
            ((0xff, 31), (None, Some(2021))),
            ((0, 31), (None, Some(2021))),
            ((54, 0), (Some(54), None)),
            ((55, 1), (None, Some(1991))),
        ] {
            assert_eq!(made(bytes.0, bytes.1), expected);
        }
        let timing = |millimetres| Timing { pixels: (1, 1), millimetres };
        for (exact, centimetres, expected) in [
            (Some((518, 324)), (52, 32), Some((518, 324))),
            (Some((160, 90)), (121, 68), Some((1210, 680))),
            (Some((474, 296)), (49, 32), Some((474, 296))),
            (Some((376, 301)), (34, 27), Some((340, 270))),
            (Some((0, 0)), (52, 32), Some((520, 320))),
            (Some((309, 174)), (0, 0), Some((309, 174))),
            (Some((0, 0)), (79, 0), None),
            (None, (0, 0), None),
        ] {
            assert_eq!(size(exact.map(timing).as_ref(), centimetres.0, centimetres.1), expected);
        }
    }

    #[test]
    fn letters_are_letters() {
        for (packed, expected) in [([0x10, 0xac], Some("DEL")), ([0, 0], None), ([0xff, 0xff], None)] {
            assert_eq!(letters(packed).as_deref(), expected);
        }
    }

    #[test]
    fn cuts_and_changes_are_noticed() {
        let block = office();
        for length in 0..BLOCK_BYTES {
            assert_eq!(Edid::parse(&block[..length]), Err(EdidError::CutShort { found: length }));
        }
        for at in 0..BLOCK_BYTES {
            for bit in 0..8 {
                let mut changed = block;
                changed[at] ^= 1 << bit;
                assert!(Edid::parse(&changed).is_err(), "bit {bit} of byte {at}");
                changed[..8].copy_from_slice(&HEADER);
                let _any_value = Edid::parse(&seal(changed)).unwrap();
            }
        }
    }
}
