//! Names by number in the format of pci.ids: vendors, their devices, classes.
//!
//! Knows nothing of machines. The list has 36,000 lines, of which a machine needs some dozens: it is gone through once,
//! in pieces, and only what was asked for is kept.

use std::collections::BTreeMap;

use crate::sources::text;

/// What is looked for, and what was found.
#[derive(Debug, Default)]
pub(crate) struct Names {
    vendors: BTreeMap<u16, Option<String>>,
    devices: BTreeMap<(u16, u16), Option<String>>,
    /// Class and subclass, in their numbers' two bytes.
    classes: BTreeMap<u16, Option<String>>,
    place: Place,
}

/// Under which line of the list the next ones stand.
#[derive(Debug, Default, Clone, Copy)]
enum Place {
    #[default]
    Unwanted,
    Vendor(u16),
    Class(u8),
}

impl Names {
    /// Asks for a vendor, a device and a class.
    pub(crate) fn want(&mut self, vendor: u16, device: u16, class: u16) {
        self.vendors.insert(vendor, None);
        self.devices.insert((vendor, device), None);
        self.classes.insert(class, None);
    }

    /// The vendor's name.
    pub(crate) fn vendor(&self, vendor: u16) -> Option<String> {
        self.vendors.get(&vendor)?.clone()
    }

    /// The device's name.
    pub(crate) fn device(&self, vendor: u16, device: u16) -> Option<String> {
        self.devices.get(&(vendor, device))?.clone()
    }

    /// The subclass's name, or its class's.
    pub(crate) fn class(&self, class: u16) -> Option<String> {
        self.classes.get(&class)?.clone()
    }

    /// Goes through the whole lines of a piece, and says where the last, unfinished one begins.
    pub(crate) fn take(&mut self, piece: &[u8]) -> usize {
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', piece) {
            // Nearly all lines are of vendors that nobody asked for.
            let line = &piece[start..end];
            if !(matches!(self.place, Place::Unwanted) && line.first() == Some(&b'\t')) {
                self.line(line);
            }
            start = end + 1;
        }
        start
    }

    /// Takes one line.
    pub(crate) fn line(&mut self, line: &[u8]) {
        match line {
            [] | [b'#', ..] | [b'\t', b'\t', ..] => {}
            [b'\t', entry @ ..] => self.entry(entry),
            [b'C', b' ', class @ ..] => {
                let Some((number, name)) = numbered::<2>(class) else { return };
                let [number, _] = (number << 8).to_be_bytes();
                self.place = Place::Class(number);
                // Stands for subclasses without a line of their own.
                for (_, found) in
                    self.classes.range_mut(u16::from(number) << 8..=u16::from(number) << 8 | 0xff)
                {
                    *found = text::clean(name);
                }
            }
            vendor => {
                let found = numbered::<4>(vendor)
                    .and_then(|(number, name)| Some((number, self.vendors.get_mut(&number)?, name)));
                self.place = match found {
                    Some((number, found, name)) => {
                        *found = text::clean(name);
                        Place::Vendor(number)
                    }
                    None => Place::Unwanted,
                };
            }
        }
    }

    fn entry(&mut self, entry: &[u8]) {
        let found = match self.place {
            Place::Unwanted => return,
            Place::Vendor(vendor) => numbered::<4>(entry)
                .and_then(|(number, name)| Some((self.devices.get_mut(&(vendor, number))?, name))),
            Place::Class(class) => numbered::<2>(entry).and_then(|(number, name)| {
                Some((self.classes.get_mut(&(u16::from(class) << 8 | number))?, name))
            }),
        };
        if let Some((found, name)) = found {
            *found = text::clean(name);
        }
    }
}

/// A number of `N` hexadecimal digits, and what follows it after two blanks.
fn numbered<const N: usize>(line: &[u8]) -> Option<(u16, &[u8])> {
    let (digits, rest) = line.split_first_chunk::<N>()?;
    let mut number = 0u16;
    for digit in digits {
        let value = char::from(*digit).to_digit(16)?;
        number = number << 4 | u16::try_from(value).ok()?;
    }
    Some((number, rest.strip_prefix(b"  ")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &[u8] = b"# List\n\n1af4  Red Hat, Inc.\n\t1000  Virtio network device\n\t\t01de fffb  Propolis\n\
        \t1041  Virtio 1.0 network device\n8086  Intel Corporation\n\t1041  other\n\
        ffff  Illegal Vendor ID\nC 02  Network controller\n\t00  Ethernet controller\n\t80  Network controller\n\
        C 03  Display controller\n\t00  VGA compatible controller\n\t\t00  VGA controller\nC ff  Unassigned class\n";

    fn wanted() -> Names {
        let mut names = Names::default();
        names.want(0x1af4, 0x1041, 0x0200);
        names.want(0x8086, 0x0d57, 0x0300);
        names.want(0x9999, 0x0001, 0xff77);
        names
    }

    #[test]
    fn names_of_what_was_asked_for() {
        // In pieces of any size.
        for piece in [1, 7, 64, LIST.len()] {
            let mut names = wanted();
            let mut held: Vec<u8> = Vec::new();
            for bytes in LIST.chunks(piece) {
                held.extend(bytes);
                let taken = names.take(&held);
                held.drain(..taken);
            }
            assert_eq!(held, b"");
            assert_eq!(names.vendor(0x1af4).as_deref(), Some("Red Hat, Inc."));
            assert_eq!(names.device(0x1af4, 0x1041).as_deref(), Some("Virtio 1.0 network device"));
            assert_eq!(
                (names.vendor(0x8086).as_deref(), names.device(0x8086, 0x0d57)),
                (Some("Intel Corporation"), None)
            );
            assert_eq!(names.class(0x0200).as_deref(), Some("Ethernet controller"));
            assert_eq!(names.class(0x0300).as_deref(), Some("VGA compatible controller"));
            assert_eq!(names.class(0xff77).as_deref(), Some("Unassigned class"));
            assert_eq!((names.vendor(0x9999), names.vendor(0xffff)), (None, None));
        }
    }

    #[test]
    fn nonsense_names_nothing() {
        for length in 0..LIST.len() {
            let mut names = wanted();
            assert!(names.take(&LIST[..length]) <= length);
        }
        for line in
            [&b"\xff\xff"[..], b"C ", b"C 0", b"\t", b"\t\t", b"1af4", b"1af4 x", b"zzzz  x", b"C zz  x"]
        {
            let mut names = wanted();
            names.line(line);
            assert_eq!((names.vendor(0x1af4), names.class(0x0200)), (None, None), "{line:?}");
        }
    }
}
