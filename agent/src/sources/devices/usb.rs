//! Devices on the USB bus.
//!
//! Knows how the kernel names devices, interfaces and root hubs; the last two are no devices of their own. What a
//! device says of itself is as its maker wrote it.

use muster_common::inventory::{Item, ItemKind, SectionName, UsbDevice};

use crate::{
    host::Host,
    sources::{
        Source, Stamp,
        part::{Problems, SectionPart},
        read, text,
        uevent::Uevent,
    },
};

const FOLDER: &str = "sys/bus/usb/devices";
/// Devices with their interfaces.
const ENTRIES_LIMIT: usize = 16_384;

/// USB devices.
#[derive(Debug)]
pub(crate) struct UsbSource;

impl Source for UsbSource {
    fn name(&self) -> &'static str {
        "usb"
    }

    fn section(&self) -> SectionName {
        SectionName::known(SectionName::USB)
    }

    fn reads(&self) -> &'static [&'static str] {
        &[FOLDER]
    }

    fn stamp(&self) -> Stamp {
        Stamp::Uevents
    }

    fn collect(&self, host: &dyn Host) -> SectionPart {
        let mut problems = Problems::default();
        let names = read::names(host, FOLDER, ENTRIES_LIMIT, &mut problems).unwrap_or_default();
        let items = names
            .iter()
            // `1-4.2` is a device, `1-4.2:1.0` an interface of it, `usb1` a root hub.
            .filter(|name| name.starts_with(|first: char| first.is_ascii_digit()) && !name.contains(':'))
            .filter_map(|name| device(host, name, &names, &mut problems))
            .map(ItemKind::UsbDevice)
            .map(Item::new)
            .collect();
        SectionPart { items, problems }
    }
}

fn device(host: &dyn Host, place: &str, names: &[String], problems: &mut Problems) -> Option<UsbDevice> {
    let folder = format!("{FOLDER}/{place}");
    let event = Uevent::read(host, &folder, problems)?;
    let [vendor_id, product_id, release] =
        event.hexadecimal("PRODUCT", b'/').filter(|ids| ids.iter().all(|id| *id <= 0xffff))?;
    let mut value = |attribute: &str| read::value(host, &format!("{folder}/{attribute}"), problems);
    let (manufacturer, product, serial) = (value("manufacturer"), value("product"), value("serial"));
    let usb_version = value("version");
    let class = match class(&event, "TYPE") {
        // Most leave it to their interfaces, of which the first is the main one.
        Some(0) => names
            .iter()
            .find(|name| name.strip_prefix(place).is_some_and(|rest| rest.starts_with(':')))
            .and_then(|name| Uevent::read(host, &format!("{FOLDER}/{name}"), problems))
            .and_then(|event| class(&event, "INTERFACE")),
        class => class,
    };
    Some(UsbDevice {
        place: text::clean(place.as_bytes())?,
        vendor_id,
        product_id,
        manufacturer,
        product,
        serial,
        class: class.and_then(class_name).map(str::to_owned),
        usb_version,
        device_version: Some(format!("{:x}.{:02x}", release >> 8, release & 0xff)),
    })
}

/// The first of three decimal numbers: class, subclass, protocol.
fn class(event: &Uevent, key: &str) -> Option<u8> {
    let number = event.raw(key)?.split(|byte| *byte == b'/').next()?;
    std::str::from_utf8(number).ok()?.parse().ok()
}

/// The base class codes of USB-IF.
fn class_name(number: u8) -> Option<&'static str> {
    Some(match number {
        0x01 => "Audio",
        0x02 | 0x0a => "Communications",
        0x03 => "Human interface",
        0x05 => "Physical",
        0x06 => "Image",
        0x07 => "Printer",
        0x08 => "Mass storage",
        0x09 => "Hub",
        0x0b => "Smart card",
        0x0d => "Content security",
        0x0e => "Video",
        0x0f => "Personal healthcare",
        0x10 => "Audio and video",
        0x11 => "Billboard",
        0x12 => "Type-C bridge",
        0xdc => "Diagnostic",
        0xe0 => "Wireless",
        0xef => "Miscellaneous",
        0xfe => "Application specific",
        0xff => "Vendor specific",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::testing::recorded;

    #[test]
    fn devices_and_neither_interfaces_nor_root_hubs() {
        let (_folder, host) = recorded(&[
            ("sys/bus/usb/devices/usb1/uevent", "PRODUCT=1d6b/2/515\nTYPE=9/0/1\n"),
            ("sys/bus/usb/devices/1-4/uevent", "DEVTYPE=usb_device\nPRODUCT=781/5581/100\nTYPE=0/0/0\n"),
            ("sys/bus/usb/devices/1-4/manufacturer", "SanDisk\n"),
            ("sys/bus/usb/devices/1-4/product", "Ultra\n"),
            ("sys/bus/usb/devices/1-4/serial", "4C530001230914115592\n"),
            ("sys/bus/usb/devices/1-4/version", " 3.20\n"),
            ("sys/bus/usb/devices/1-4:1.0/uevent", "PRODUCT=781/5581/100\nINTERFACE=8/6/80\n"),
            ("sys/bus/usb/devices/1-4.1:1.0/uevent", "INTERFACE=3/0/0\n"),
            ("sys/bus/usb/devices/1-5/uevent", "PRODUCT=8087/a2b/1a10\nTYPE=224/1/1\n"),
            ("sys/bus/usb/devices/1-6/uevent", "PRODUCT=nonsense\n"),
            ("sys/bus/usb/devices/1-7/uevent", "PRODUCT=10000/1/1\n"),
        ]);
        let part = UsbSource.collect(&host);
        assert!(part.problems.is_empty());
        let stick = UsbDevice {
            place: "1-4".to_owned(),
            vendor_id: 0x0781,
            product_id: 0x5581,
            manufacturer: Some("SanDisk".to_owned()),
            product: Some("Ultra".to_owned()),
            serial: Some("4C530001230914115592".to_owned()),
            class: Some("Mass storage".to_owned()),
            usb_version: Some("3.20".to_owned()),
            device_version: Some("1.00".to_owned()),
        };
        let bluetooth = UsbDevice {
            place: "1-5".to_owned(),
            vendor_id: 0x8087,
            product_id: 0x0a2b,
            class: Some("Wireless".to_owned()),
            device_version: Some("1a.10".to_owned()),
            ..UsbDevice::default()
        };
        let expected = [stick, bluetooth].map(|device| Item::new(ItemKind::UsbDevice(device)));
        assert_eq!(part.items, expected);
    }
}
