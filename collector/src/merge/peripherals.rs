//! What hangs on a machine and is an asset of its own: monitors, docks, headsets, printers, scanners, external disks.
//!
//! Knows an agent's items and nothing of assets that are known. Only what can be told again is one: without a serial
//! number of its own a thing is part of its machine's inventory and counted there. Sticks, receivers, cameras that may be
//! built in, and keyboards stay there too: they have no number, share one, or aren't worth a record.

use std::collections::{BTreeMap, btree_map::Entry};

use muster_common::{
    asset::Category,
    device::{Field, Value},
    inventory::{Disk, Item, ItemKind, Monitor, UsbDevice},
};

use crate::identity::{maker, normalise};

/// What it takes for a USB device's number to be its own: makers put `0001` and dates of firmware there.
const USB_SERIAL_LENGTH: usize = 6;
/// Different characters in it.
const USB_SERIAL_CHARACTERS: usize = 4;
/// Below this the number in a monitor's header counts batches, not monitors.
const LEAST_EDID_NUMBER: u32 = 1_000;
/// `01010101`, which whole series carry.
const FILLED_EDID_NUMBER: u32 = 0x0101_0101;

/// Makers of one kind of thing, by USB vendor id: the name on the invoice, and the kind.
const USB_MAKERS: &[(u32, &str, &str)] = &[
    (0x047f, "Poly", "headset"),
    (0x05e0, "Zebra", "scanner"),
    (0x05f9, "Datalogic", "scanner"),
    (0x0b0e, "Jabra", "headset"),
    (0x0c2e, "Honeywell", "scanner"),
    (0x1395, "EPOS", "headset"),
    (0x17e9, "DisplayLink", "dock"),
];
/// Makers of many kinds whose devices may leave their name out.
const USB_NAMES: &[(u32, &str)] = &[
    (0x03f0, "HP"),
    (0x04a9, "Canon"),
    (0x04b8, "Epson"),
    (0x04f9, "Brother"),
    (0x17aa, "Lenovo"),
    (0x413c, "Dell"),
];

/// One that was found: what is said of it.
pub type Peripheral = BTreeMap<Field, Value>;

/// The peripherals among an agent's items, each once.
pub fn peripherals<'a>(items: impl IntoIterator<Item = &'a Item>) -> Vec<Peripheral> {
    let mut found = Vec::new();
    // One dock is several USB devices; of one maker's the same one every time, whichever port it is plugged into.
    let mut docks: BTreeMap<u32, &UsbDevice> = BTreeMap::new();
    for item in items {
        match &item.kind {
            ItemKind::Monitor(it) => found.extend(monitor(it)),
            ItemKind::Disk(it) => found.extend(disk(it)),
            ItemKind::UsbDevice(it) => match usb_kind(it) {
                Some("dock") if usb_serial(it).is_some() => match docks.entry(it.vendor_id) {
                    Entry::Vacant(place) => drop(place.insert(it)),
                    Entry::Occupied(mut place) => {
                        let first = |dock: &UsbDevice| (dock.product_id, dock.serial.clone());
                        if first(it) < first(place.get()) {
                            place.insert(it);
                        }
                    }
                },
                Some(kind) => found.extend(usb(it, kind)),
                None => {}
            },
            ItemKind::System(_)
            | ItemKind::Baseboard(_)
            | ItemKind::Chassis(_)
            | ItemKind::Firmware(_)
            | ItemKind::Processor(_)
            | ItemKind::Memory(_)
            | ItemKind::MemoryModule(_)
            | ItemKind::Battery(_)
            | ItemKind::PowerSupply(_)
            | ItemKind::NetworkAdapter(_)
            | ItemKind::OperatingSystem(_)
            | ItemKind::CloudInstance(_)
            | ItemKind::Account(_)
            | ItemKind::Cache(_)
            | ItemKind::Certificate(_)
            | ItemKind::Group(_)
            | ItemKind::Listener(_)
            | ItemKind::Login(_)
            | ItemKind::Neighbour(_)
            | ItemKind::NetworkNeighbours(_)
            | ItemKind::OnboardDevice(_)
            | ItemKind::PciDevice(_)
            | ItemKind::Port(_)
            | ItemKind::Protection(_)
            | ItemKind::Security(_)
            | ItemKind::Service(_)
            | ItemKind::Slot(_)
            | ItemKind::Tpm(_)
            | ItemKind::Usage(_)
            | ItemKind::Volume(_)
            | ItemKind::Package(_) => {}
        }
    }
    found.extend(docks.into_values().filter_map(|dock| usb(dock, "dock")));
    found
}

/// A monitor that stands beside the machine. One that shows no serial number as text is told by the number in its
/// header, which is unique for its product and seldom the one on the label.
fn monitor(monitor: &Monitor) -> Option<Peripheral> {
    if monitor.built_in == Some(true) {
        return None;
    }
    let letters = monitor.manufacturer_id.as_deref();
    let name = letters.and_then(maker::by_pnp).or(monitor.manufacturer.as_deref()).or(letters);
    let serial = monitor.serial.as_deref().and_then(normalise::serial);
    let number = monitor.serial_number.filter(|number| {
        *number >= LEAST_EDID_NUMBER && *number != u32::MAX && *number != FILLED_EDID_NUMBER
    });
    let own = match (&serial, number, letters, monitor.product_code) {
        (Some(serial), ..) => (Field::Serial, serial.clone()),
        (None, Some(number), Some(letters), Some(product)) => {
            (Field::AssetKey, format!("edid/{letters}/{product:04x}/{number}"))
        }
        (None, ..) => return None,
    };
    Some(described("monitor", name, monitor.model.as_deref(), own))
}

/// A disk in a case of its own; what can be taken out of its drive is a stick or a card.
fn disk(disk: &Disk) -> Option<Peripheral> {
    if disk.transport.as_deref() != Some("usb") || disk.removable == Some(true) {
        return None;
    }
    let serial = disk.serial.as_deref().and_then(own_usb_serial)?;
    Some(described("disk", disk.vendor.as_deref(), disk.model.as_deref(), (Field::Serial, serial)))
}

fn usb(device: &UsbDevice, kind: &str) -> Option<Peripheral> {
    let serial = usb_serial(device)?;
    let of_kind = USB_MAKERS.iter().find(|(id, ..)| *id == device.vendor_id).map(|(_, name, _)| *name);
    let usual = USB_NAMES.iter().find(|(id, _)| *id == device.vendor_id).map(|(_, name)| *name);
    let name = of_kind.or(device.manufacturer.as_deref()).or(usual);
    Some(described(kind, name, device.product.as_deref(), (Field::Serial, serial)))
}

/// What a USB device is, where that is worth a record of its own and told by its class, its maker or its name.
fn usb_kind(device: &UsbDevice) -> Option<&'static str> {
    let product = device.product.as_deref().unwrap_or_default().to_lowercase();
    let mut words = product.split(|c: char| !c.is_alphanumeric());
    if words.any(|word| matches!(word, "dock" | "docking" | "dockingstation")) {
        return Some("dock");
    }
    if device.class.as_deref() == Some("Printer") {
        return Some("printer");
    }
    USB_MAKERS.iter().find(|(id, ..)| *id == device.vendor_id).map(|(.., kind)| *kind)
}

fn usb_serial(device: &UsbDevice) -> Option<String> {
    device.serial.as_deref().and_then(own_usb_serial)
}

fn own_usb_serial(text: &str) -> Option<String> {
    let serial = normalise::serial(text)?;
    let mut characters: Vec<char> = serial.chars().collect();
    let length = characters.len();
    characters.sort_unstable();
    characters.dedup();
    (length >= USB_SERIAL_LENGTH && characters.len() >= USB_SERIAL_CHARACTERS).then_some(serial)
}

fn described(kind: &str, name: Option<&str>, model: Option<&str>, own: (Field, String)) -> Peripheral {
    let text = |text: &str| Value::Text(text.to_owned());
    let named = |field, name: Option<&str>| {
        let name = name.map(normalise::visible).filter(|name| normalise::model(name).is_some())?;
        Some((field, Value::Text(name)))
    };
    [(Field::Category, text(Category::Peripheral.name())), (Field::Class, text(kind))]
        .into_iter()
        .chain([(own.0, Value::Text(own.1))])
        .chain(named(Field::Manufacturer, name))
        .chain(named(Field::Model, model))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edid(letters: &str, serial: Option<&str>, number: Option<u32>) -> Item {
        Item::new(ItemKind::Monitor(Monitor {
            connector: "card0-DP-1".to_owned(),
            manufacturer_id: Some(letters.to_owned()),
            model: Some("U2722D".to_owned()),
            product_code: Some(0x4142),
            serial: serial.map(str::to_owned),
            serial_number: number,
            built_in: Some(false),
            ..Monitor::default()
        }))
    }

    fn plugged(vendor_id: u32, product: &str, class: &str, serial: &str) -> Item {
        Item::new(ItemKind::UsbDevice(UsbDevice {
            place: "1-4".to_owned(),
            vendor_id,
            product_id: 0x60a1,
            product: Some(product.to_owned()),
            class: Some(class.to_owned()),
            serial: Some(serial.to_owned()),
            ..UsbDevice::default()
        }))
    }

    fn drive(removable: bool) -> Item {
        Item::new(ItemKind::Disk(Disk {
            name: "sda".to_owned(),
            vendor: Some("Samsung".to_owned()),
            model: Some("PSSD T7".to_owned()),
            serial: Some("S5SXNS0R123456".to_owned()),
            transport: Some("usb".to_owned()),
            removable: Some(removable),
            ..Disk::default()
        }))
    }

    /// As `class maker key`, one for each that is an asset.
    fn check(items: &[Item], expected: &[&str]) {
        let text = |found: &Peripheral, field| found.get(&field).map(ToString::to_string).unwrap_or_default();
        let shown: Vec<String> = peripherals(items)
            .iter()
            .map(|it| {
                let own = text(it, Field::Serial) + &text(it, Field::AssetKey);
                format!("{} {} {own}", text(it, Field::Class), text(it, Field::Manufacturer))
            })
            .collect();
        assert_eq!(shown, expected, "{items:?}");
    }

    #[test]
    fn a_monitor_is_told_by_its_text_else_by_the_number_in_its_header() {
        check(&[edid("DEL", Some("7H3XJ83"), Some(0x4c4d_5353))], &["monitor Dell 7H3XJ83"]);
        check(&[edid("SAM", None, Some(1_129_331_543))], &["monitor Samsung edid/SAM/4142/1129331543"]);
        check(&[edid("QXZ", Some("7H3XJ83"), None)], &["monitor QXZ 7H3XJ83"]);
        for number in [0, 1, 0x0101_0101, u32::MAX] {
            check(&[edid("SAM", Some("0000000000000"), Some(number))], &[]);
        }
        let mut panel = edid("AUO", Some("7H3XJ83"), None);
        if let ItemKind::Monitor(monitor) = &mut panel.kind {
            monitor.built_in = Some(true);
        }
        check(&[panel], &[]);
    }

    #[test]
    fn usb_devices_that_matter_have_a_number_of_their_own() {
        check(
            &[plugged(0x0b0e, "Jabra Evolve2 65", "Audio", "745c4b6a5f2a")],
            &["headset Jabra 745C4B6A5F2A"],
        );
        check(&[plugged(0x03f0, "LaserJet M404", "Printer", "PHB8V01234")], &["printer HP PHB8V01234"]);
        for (vendor, product, class, serial) in [
            (0x0b0e, "Jabra Evolve2 65", "Audio", "0001"),
            (0x0b0e, "Jabra Evolve2 65", "Audio", "000000000001"),
            (0x04f2, "Integrated Camera", "Video", "200901010001"),
            (0x046d, "USB Receiver", "Human interface", "A1B2C3D4E5"),
            (0x0bda, "USB 10/100/1000 LAN", "Communications", "00E04C680123"),
            (0x0781, "Ultra", "Mass storage", "4C530001230914115592"),
        ] {
            check(&[plugged(vendor, product, class, serial)], &[]);
        }
    }

    #[test]
    fn a_dock_of_several_devices_is_one() {
        let mut parts = [
            plugged(0x17aa, "ThinkPad USB-C Dock Gen2", "Hub", "1S40AS0090EUZLN0A1"),
            plugged(0x17aa, "ThinkPad USB-C Dock Gen2 USB Audio", "Audio", "5C4B6A5F2A77"),
        ];
        if let ItemKind::UsbDevice(audio) = &mut parts[1].kind {
            audio.product_id = 0xa396;
        }
        let dock = "dock Lenovo 1S40AS0090EUZLN0A1";
        check(&parts, &[dock]);
        parts.reverse();
        check(&parts, &[dock]);
    }

    #[test]
    fn a_disk_in_a_case_is_one_and_a_stick_is_not() {
        check(&[drive(false)], &["disk Samsung S5SXNS0R123456"]);
        check(&[drive(true)], &[]);
    }
}
