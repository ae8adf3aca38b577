//! Disks: the block devices of `/sys/block` that are hardware.
//!
//! Knows where each transport keeps model and serial. Loop devices, RAM disks, device-mapper and RAID sets are made of
//! disks or of nothing and are left out, and so are optical drives and slots without a card.

use muster_common::inventory::{Disk, ErrorKind, Item, ItemKind, SectionName};

use crate::{
    host::Host,
    sources::{
        Source, Stamp,
        part::{Problems, SectionPart},
        read, text,
    },
};

const FOLDER: &str = "sys/block";
const DISKS_LIMIT: usize = 16_384;
/// Sizes in /sys are in these units, whatever the disk's own block is.
const SECTOR_BYTES: u64 = 512;
/// Names of block devices that are no disks.
const NOT_DISKS: &[&str] = &["loop", "ram", "zram", "dm-", "md", "sr", "fd", "nbd"];

/// Disks.
#[derive(Debug)]
pub(crate) struct DiskSource;

impl Source for DiskSource {
    fn name(&self) -> &'static str {
        "disk"
    }

    fn section(&self) -> SectionName {
        SectionName::known(SectionName::STORAGE)
    }

    fn reads(&self) -> &'static [&'static str] {
        &[FOLDER]
    }

    fn stamp(&self) -> Stamp {
        Stamp::Uevents
    }

    fn collect(&self, host: &dyn Host) -> SectionPart {
        let mut part = SectionPart::default();
        let Some(names) = read::names(host, FOLDER, DISKS_LIMIT, &mut part.problems) else {
            if part.problems.is_empty() {
                part.problems.add(FOLDER, ErrorKind::NotAvailable, "this machine shows no block devices");
            }
            return part;
        };
        for name in names.iter().filter(|name| !NOT_DISKS.iter().any(|prefix| name.starts_with(prefix))) {
            let device =
                Device { host, name, place: host.link(&format!("{FOLDER}/{name}")).unwrap_or_default() };
            let disk = device.disk(&mut part.problems);
            part.items.extend(disk.map(ItemKind::Disk).map(Item::new));
        }
        part
    }
}

/// One entry of `/sys/block`.
struct Device<'a> {
    host: &'a dyn Host,
    name: &'a str,
    /// Where it hangs, such as `../devices/pci0000:00/…/ata1/…/block/sda`; empty in a recording without links.
    place: String,
}

impl Device<'_> {
    fn disk(&self, problems: &mut Problems) -> Option<Disk> {
        // Hidden ones are the paths of a multipath disk; parts of a memory card hang below the card itself.
        let hidden = self.value("hidden", problems).is_some_and(|hidden| hidden == "1");
        let part_of_card = self.name.starts_with("mmcblk") && self.name.contains("boot");
        if hidden || part_of_card || self.host.metadata(&self.path("device")).is_err() {
            return None;
        }
        let size_bytes = read::number::<u64>(self.host, &self.path("size"), problems)
            .map(|n| n.saturating_mul(SECTOR_BYTES));
        let removable = self.value("removable", problems).map(|removable| removable == "1");
        if removable == Some(true) && size_bytes.unwrap_or(0) == 0 {
            return None;
        }
        let transport = self.transport(problems);
        let is = |name: &str| transport == Some(name);
        Some(Disk {
            name: text::clean(self.name.as_bytes())?,
            model: self.value(if is("mmc") { "device/name" } else { "device/model" }, problems),
            // Behind libata every maker is called "ATA", which is none.
            vendor: self
                .value("device/vendor", problems)
                .filter(|vendor| vendor != "ATA" && !vendor.starts_with("0x")),
            serial: self.serial(problems),
            wwn: self.wwn(problems),
            firmware: ["device/firmware_rev", "device/rev", "device/fwrev"]
                .into_iter()
                .find_map(|name| self.value(name, problems)),
            size_bytes,
            rotational: self.value("queue/rotational", problems).map(|rotational| rotational == "1"),
            removable,
            wear_percent: if is("mmc") { self.wear(problems) } else { None },
            transport: transport.map(str::to_owned),
        })
    }

    fn path(&self, attribute: &str) -> String {
        format!("{FOLDER}/{}/{attribute}", self.name)
    }

    fn value(&self, attribute: &str, problems: &mut Problems) -> Option<String> {
        read::value(self.host, &self.path(attribute), problems)
    }

    fn transport(&self, problems: &mut Problems) -> Option<&'static str> {
        for (part, transport) in [
            ("/usb", "usb"),
            ("/ata", "sata"),
            ("/nvme/", "nvme"),
            ("/mmc_host/", "mmc"),
            ("/virtio", "virtio"),
        ] {
            if self.place.contains(part) {
                return Some(transport);
            }
        }
        for (prefix, transport) in [("nvme", "nvme"), ("mmcblk", "mmc"), ("vd", "virtio"), ("xvd", "xen")] {
            if self.name.starts_with(prefix) {
                return Some(transport);
            }
        }
        if !self.name.starts_with("sd") {
            return None;
        }
        let behind_libata = self.value("device/vendor", problems).is_some_and(|vendor| vendor == "ATA");
        Some(if behind_libata { "sata" } else { "scsi" })
    }

    /// The serial number: NVMe and MMC say it beside the model, virtio beside the disk, SCSI and SATA in a binary page,
    /// USB on the device that the disk sits in.
    fn serial(&self, problems: &mut Problems) -> Option<String> {
        if let Some(serial) = self.value("device/serial", problems).or_else(|| self.value("serial", problems))
        {
            return Some(serial);
        }
        let page = read::bytes(self.host, &self.path("device/vpd_pg80"), 4096, problems);
        if let Some(serial) = page.as_deref().and_then(serial_page) {
            return Some(serial);
        }
        let usb = self.place.strip_prefix("../").map(usb_device)??;
        read::value(self.host, &format!("sys/{usb}/serial"), problems)
    }

    /// How much of its life a memory chip has used, in the kernel's words of its register (eMMC 5.0 and later). Memory
    /// cards have no such register, and of other disks nothing in /sys tells.
    fn wear(&self, problems: &mut Problems) -> Option<u32> {
        wear_percent(
            self.value("device/life_time", problems)?.as_str(),
            self.value("device/pre_eol_info", problems).as_deref(),
        )
    }

    fn wwn(&self, problems: &mut Problems) -> Option<String> {
        let wide = ["wwid", "device/wwid"].into_iter().find_map(|name| self.value(name, problems))?;
        (wide.starts_with("naa.") || wide.starts_with("eui.") || wide.starts_with("uuid.")).then_some(wide)
    }
}

/// The wear of a chip by JEDEC's JESD84-B51, the worst of three estimates: of its two kinds of memory, such as
/// `0x01 0x02` (1 is up to 10 % used, 2 up to 20 %, 11 more than all; 0 is not told), and of the blocks that it keeps in
/// reserve (2 is 80 % used, 3 is 90 %).
fn wear_percent(life_time: &str, pre_end_of_life: Option<&str>) -> Option<u32> {
    let number = |text: &str| u32::from_str_radix(text.strip_prefix("0x")?, 16).ok();
    let used = life_time.split_ascii_whitespace().filter_map(number).filter(|step| (1..=11).contains(step));
    let reserve = match pre_end_of_life.and_then(number) {
        Some(2) => Some(80),
        Some(3) => Some(90),
        _ => None,
    };
    used.max().map(|step| step * 10).max(reserve)
}

/// The text of SCSI's "unit serial number" page: four bytes of header with the length, then ASCII.
fn serial_page(page: &[u8]) -> Option<String> {
    let (header, text) = page.split_first_chunk::<4>()?;
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    if header[1] != 0x80 {
        return None;
    }
    text::clean(text.get(..length).unwrap_or(text))
}

/// The path of the USB device on the way to a disk: the last part such as `2-1.4`.
fn usb_device(place: &str) -> Option<&str> {
    let mut end = 0;
    let mut found = None;
    for part in place.split('/') {
        end += part.len();
        let is_port = part.split_once('-').is_some_and(|(bus, port)| {
            let digits =
                |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
            digits(bus) && digits(port)
        });
        if is_port {
            found = place.get(..end);
        }
        end += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::sources::testing::recorded;

    fn disks(files: &[(&str, &str)], links: &[(&str, &str)]) -> Vec<Disk> {
        let (folder, host) = recorded(files);
        std::fs::create_dir_all(folder.path().join(FOLDER)).unwrap();
        for (name, target) in links {
            symlink(target, folder.path().join(FOLDER).join(name)).unwrap();
        }
        let part = DiskSource.collect(&host);
        assert!(part.problems.is_empty(), "{:?}", part.problems);
        part.items
            .into_iter()
            .map(|item| match item.kind {
                ItemKind::Disk(disk) => disk,
                other => panic!("{other:?} is no disk"),
            })
            .collect()
    }

    #[test]
    fn nvme_says_everything() {
        let found = disks(
            &[
                ("sys/block/nvme0n1/size", "1000215216\n"),
                ("sys/block/nvme0n1/removable", "0\n"),
                ("sys/block/nvme0n1/queue/rotational", "0\n"),
                ("sys/block/nvme0n1/wwid", "eui.0025385b71b0a2d1\n"),
                ("sys/block/nvme0n1/device/model", "SAMSUNG MZVLB512HAJQ-000L7              \n"),
                ("sys/block/nvme0n1/device/serial", "S3TNNX0K123456      \n"),
                ("sys/block/nvme0n1/device/firmware_rev", "4L2QEXA7\n"),
                ("sys/block/loop0/device/model", "never\n"),
                ("sys/block/dm-0/size", "1\n"),
            ],
            &[],
        );
        assert_eq!(
            found,
            [Disk {
                name: "nvme0n1".to_owned(),
                model: Some("SAMSUNG MZVLB512HAJQ-000L7".to_owned()),
                vendor: None,
                serial: Some("S3TNNX0K123456".to_owned()),
                wwn: Some("eui.0025385b71b0a2d1".to_owned()),
                firmware: Some("4L2QEXA7".to_owned()),
                size_bytes: Some(512_110_190_592),
                transport: Some("nvme".to_owned()),
                rotational: Some(false),
                removable: Some(false),
                ..Disk::default()
            }]
        );
    }

    #[test]
    fn the_worse_half_of_a_chip_is_its_wear() {
        for (life_time, pre_end_of_life, expected) in [
            ("0x01 0x02", Some("0x01"), Some(20)),
            ("0x03 0x01", Some("0x02"), Some(80)),
            ("0x00 0x01", None, Some(10)),
            ("0x0a 0x0a", Some("0x01"), Some(100)),
            ("0x0B 0x01", Some("0x03"), Some(110)),
            ("0x02 0x02", Some("0x03"), Some(90)),
            ("0x00 0x00", Some("0x03"), Some(90)),
            ("0x00 0x00", Some("0x00"), None),
            ("0x0c 0xff", None, None),
            ("0xfffffffff 0x01", None, Some(10)),
            ("1 2", None, None),
            ("", Some("x"), None),
        ] {
            assert_eq!(wear_percent(life_time, pre_end_of_life), expected, "{life_time} {pre_end_of_life:?}");
        }
        let found = disks(
            &[
                ("sys/block/mmcblk0/device/name", "DG4016\n"),
                ("sys/block/mmcblk0/device/serial", "0x1d2f7a31\n"),
                ("sys/block/mmcblk0/device/life_time", "0x02 0x01\n"),
                ("sys/block/mmcblk0/device/pre_eol_info", "0x01\n"),
                ("sys/block/mmcblk0boot0/device/life_time", "0x02 0x01\n"),
                ("sys/block/mmcblk1/device/name", "SD32G\n"),
                ("sys/block/nvme0n1/device/life_time", "0x02 0x01\n"),
            ],
            &[],
        );
        let wear: Vec<_> = found.iter().map(|disk| (disk.name.as_str(), disk.wear_percent)).collect();
        assert_eq!(wear, [("mmcblk0", Some(20)), ("mmcblk1", None), ("nvme0n1", None)]);
    }

    #[test]
    fn sata_serial_is_a_binary_page() {
        let found = disks(
            &[
                ("sys/devices/pci0000:00/ata1/block/sda/size", "2\n"),
                ("sys/devices/pci0000:00/ata1/block/sda/removable", "0\n"),
                ("sys/devices/pci0000:00/ata1/block/sda/device/vendor", "ATA     \n"),
                ("sys/devices/pci0000:00/ata1/block/sda/device/wwid", "naa.5002538d40e5a2f1\n"),
                ("sys/devices/pci0000:00/ata1/block/sda/device/vpd_pg80", "\0\u{80}"),
                ("sys/block/sdb/device/vpd_pg80", "\0\0\0\u{4}none"),
            ],
            &[("sda", "../devices/pci0000:00/ata1/block/sda")],
        );
        let names: Vec<_> =
            found.iter().map(|disk| (disk.name.as_str(), disk.transport.as_deref())).collect();
        assert_eq!(names, [("sda", Some("sata")), ("sdb", Some("scsi"))]);
        assert_eq!((found[0].vendor.as_deref(), found[1].serial.as_deref()), (None, None));
        assert_eq!(serial_page(b"\0\x80\0\x0b  S3Z2NB0K1234").as_deref(), Some("S3Z2NB0K1"));
        assert_eq!(serial_page(b"\0\x80"), None);
    }

    #[test]
    fn usb_disks_take_the_serial_of_their_device() {
        let place =
            "devices/pci0000:00/0000:00:14.0/usb2/2-1/2-1.4/2-1.4:1.0/host6/target6:0:0/6:0:0:0/block/sdc";
        assert_eq!(usb_device(place), Some("devices/pci0000:00/0000:00:14.0/usb2/2-1/2-1.4"));
        let usb = "sys/devices/usb2/2-1/2-1.4";
        let found = disks(
            &[
                (&format!("{usb}/serial"), "070B5A2C1D\n"),
                (&format!("{usb}/2-1.4:1.0/block/sdc/device/vendor"), "SanDisk \n"),
                (&format!("{usb}/2-1.4:1.0/block/sdc/size"), "100\n"),
                (&format!("{usb}/2-1.4:1.0/block/sdc/removable"), "1\n"),
            ],
            &[("sdc", "../devices/usb2/2-1/2-1.4/2-1.4:1.0/block/sdc")],
        );
        assert_eq!(found[0].serial.as_deref(), Some("070B5A2C1D"));
        assert_eq!((found[0].transport.as_deref(), found[0].removable), (Some("usb"), Some(true)));
    }
}
