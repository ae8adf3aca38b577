//! Functions on the PCI bus, with their names.
//!
//! Knows where the kernel lists them and where systems keep the list of names. Two files tell all that is read of a
//! function; its configuration space is left alone, since reading it may wake what sleeps.

use muster_common::inventory::{ErrorKind, Item, ItemKind, PciDevice, SectionName};

use crate::{
    host::Host,
    sources::{
        Source, Stamp,
        devices::pci_ids::Names,
        part::{Problems, SectionPart},
        read, text,
        uevent::Uevent,
    },
};

const FOLDER: &str = "sys/bus/pci/devices";
/// Large servers have some thousands.
const FUNCTIONS_LIMIT: usize = 16_384;
/// Where systems keep the list, in the order of how often.
const LISTS: &[&str] = &["usr/share/misc/pci.ids", "usr/share/hwdata/pci.ids", "var/lib/pciutils/pci.ids"];
/// The list has less than two megabytes.
const LIST_LIMIT: u64 = 16 << 20;
/// The list is read in pieces of this size.
const PIECE_BYTES: usize = 64 * 1024;

/// PCI devices.
#[derive(Debug)]
pub(crate) struct PciSource;

impl Source for PciSource {
    fn name(&self) -> &'static str {
        "pci"
    }

    fn section(&self) -> SectionName {
        SectionName::known(SectionName::PCI)
    }

    fn reads(&self) -> &'static [&'static str] {
        &[FOLDER, "usr/share/misc/pci.ids", "usr/share/hwdata/pci.ids", "var/lib/pciutils/pci.ids"]
    }

    fn stamp(&self) -> Stamp {
        Stamp::Uevents
    }

    fn collect(&self, host: &dyn Host) -> SectionPart {
        let mut problems = Problems::default();
        let names = read::names(host, FOLDER, FUNCTIONS_LIMIT, &mut problems).unwrap_or_default();
        let mut devices: Vec<PciDevice> = names
            .iter()
            .filter_map(|name| {
                let folder = format!("{FOLDER}/{name}");
                let mut device = device(&Uevent::read(host, &folder, &mut problems)?, name)?;
                device.revision = revision(host, &folder, &mut problems);
                Some(device)
            })
            .collect();
        if !devices.is_empty() {
            name_all(host, &mut devices, &mut problems);
        }
        SectionPart { items: devices.into_iter().map(ItemKind::PciDevice).map(Item::new).collect(), problems }
    }
}

/// What a `uevent` file says of a function.
fn device(event: &Uevent, address: &str) -> Option<PciDevice> {
    let [class_code] = event.hexadecimal("PCI_CLASS", b':')?;
    let [vendor_id, device_id] = event.hexadecimal("PCI_ID", b':')?;
    // Zeroes are what bridges and virtual functions have.
    let subsystem = event.hexadecimal::<2>("PCI_SUBSYS_ID", b':').filter(|ids| *ids != [0, 0]);
    let fits = |id: u32| id <= 0xffff;
    if !fits(vendor_id) || !fits(device_id) || !subsystem.unwrap_or_default().into_iter().all(fits) {
        return None;
    }
    Some(PciDevice {
        address: text::clean(address.as_bytes())?,
        class_code: class_code & 0x00ff_ffff,
        vendor_id,
        device_id,
        subsystem_vendor_id: subsystem.map(|[vendor, _]| vendor),
        subsystem_device_id: subsystem.map(|[_, device]| device),
        driver: event.text("DRIVER"),
        ..PciDevice::default()
    })
}

/// A hexadecimal number such as `0x01`.
fn revision(host: &dyn Host, folder: &str, problems: &mut Problems) -> Option<u32> {
    let value = read::value(host, &format!("{folder}/revision"), problems)?;
    u32::from_str_radix(value.strip_prefix("0x")?, 16).ok()
}

/// Looks the names up; a machine without the list has numbers only.
fn name_all(host: &dyn Host, devices: &mut [PciDevice], problems: &mut Problems) {
    let Some((path, list)) = LISTS.iter().find_map(|path| Some((*path, host.random(path).ok()?))) else {
        return;
    };
    let mut names = Names::default();
    for device in devices.iter() {
        let (vendor, number, class) = numbers(device);
        names.want(vendor, number, class);
    }
    let mut piece = vec![0; PIECE_BYTES];
    let (mut held, mut offset) = (0, 0);
    while offset < LIST_LIMIT {
        let read = match list.read_at(offset, &mut piece[held..]) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) => return problems.add_error(error),
        };
        offset = offset.saturating_add(read as u64);
        let filled = held + read;
        let taken = names.take(&piece[..filled]);
        // A line that fills a piece is none.
        if taken == 0 && filled == PIECE_BYTES {
            problems.add(
                path,
                ErrorKind::Malformed,
                "a line is longer than any name; numbers stay without names",
            );
            break;
        }
        piece.copy_within(taken..filled, 0);
        held = filled - taken;
    }
    for device in devices {
        let (vendor, number, class) = numbers(device);
        device.vendor = names.vendor(vendor);
        device.device = names.device(vendor, number);
        device.class = names.class(class);
    }
}

/// Vendor, device, and class with subclass.
fn numbers(device: &PciDevice) -> (u16, u16, u16) {
    let low = |number: u32| u16::try_from(number & 0xffff).expect("the low half has 16 bits");
    (low(device.vendor_id), low(device.device_id), low(device.class_code >> 8))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::testing::recorded;

    const GRAPHICS: &str = "DRIVER=i915\nPCI_CLASS=30000\nPCI_ID=8086:5917\nPCI_SUBSYS_ID=17AA:225E\n\
        PCI_SLOT_NAME=0000:00:02.0\nMODALIAS=pci:v00008086d00005917sv000017AAsd0000225Ebc03sc00i00\n";

    fn devices(list: Option<&str>) -> (Vec<PciDevice>, Problems) {
        let mut files = vec![
            ("sys/bus/pci/devices/0000:00:02.0/uevent", GRAPHICS),
            ("sys/bus/pci/devices/0000:00:02.0/revision", "0x07\n"),
            (
                "sys/bus/pci/devices/0000:00:1f.0/uevent",
                "PCI_CLASS=60100\nPCI_ID=8086:9D4E\nPCI_SUBSYS_ID=0000:0000\n",
            ),
            ("sys/bus/pci/devices/0000:00:1f.1/uevent", "PCI_ID=80861:9D4E\nPCI_CLASS=0\n"),
            ("sys/bus/pci/devices/0000:00:1f.2/uevent", "nothing"),
        ];
        files.extend(list.map(|list| (LISTS[1], list)));
        let (_folder, host) = recorded(&files);
        let part = PciSource.collect(&host);
        let devices = part.items.into_iter().map(|item| match item.kind {
            ItemKind::PciDevice(device) => device,
            other => panic!("{other:?} is no device"),
        });
        (devices.collect(), part.problems)
    }

    #[test]
    fn a_graphics_adapter_has_a_name() {
        let list = "8086  Intel Corporation\n\t5917  UHD Graphics 620\nC 03  Display controller\n\t00  VGA compatible controller\n";
        let (found, problems) = devices(Some(list));
        assert!(problems.is_empty());
        let expected = PciDevice {
            revision: Some(7),
            address: "0000:00:02.0".to_owned(),
            class_code: 0x03_0000,
            vendor_id: 0x8086,
            device_id: 0x5917,
            subsystem_vendor_id: Some(0x17aa),
            subsystem_device_id: Some(0x225e),
            class: Some("VGA compatible controller".to_owned()),
            vendor: Some("Intel Corporation".to_owned()),
            device: Some("UHD Graphics 620".to_owned()),
            driver: Some("i915".to_owned()),
            serial: None,
        };
        assert_eq!(found.len(), 2);
        assert_eq!(found[0], expected);
        assert_eq!(
            (found[1].subsystem_vendor_id, found[1].vendor.as_deref()),
            (None, Some("Intel Corporation"))
        );
    }

    #[test]
    fn without_a_list_numbers_stay() {
        let (found, problems) = devices(None);
        assert!(problems.is_empty());
        assert_eq!((found.len(), found[0].vendor.clone(), found[0].device_id), (2, None, 0x5917));
        let endless = "x".repeat(PIECE_BYTES * 2);
        let (found, problems) = devices(Some(&endless));
        assert_eq!((found.len(), problems.into_entries().len()), (2, 1));
    }
}
