//! File systems that keep data, swap, partitions that are not in use, and whether what they hold is encrypted on the
//! disk.
//!
//! Knows the device mapper's own words in sysfs (`dm/uuid`), which are there without opening a device or having a key,
//! and udev's word for what no file of the kernel tells. Network file systems, and those that the kernel makes up, are
//! not volumes of this machine.

use muster_common::inventory::{ErrorKind, Item, ItemKind, SectionName, Volume};

use crate::{
    host::Host,
    sources::{
        Source, Stamp,
        part::{NOT_RECORDED, Problems, SectionPart},
        read, text,
    },
};

const MOUNTS: &str = "proc/self/mountinfo";
const SWAPS: &str = "proc/swaps";
const FILE_LIMIT: usize = 4 << 20;
/// More are cut with a problem.
const VOLUMES_LIMIT: usize = 1000;
/// Devices on devices: a file system on LVM on LUKS on RAID on a partition has five.
const DEPTH_LIMIT: usize = 10;
const SLAVES_LIMIT: usize = 64;
/// sysfs counts in these, whatever the device's own blocks are.
const SECTOR_BYTES: u64 = 512;
const BLOCK_DEVICES: &str = "sys/class/block";
const BLOCK_DEVICES_LIMIT: usize = 16_384;
/// Disks that have partitions, as the kernel names them.
const PARTITIONED: [&str; 6] = ["sd", "nvme", "vd", "xvd", "hd", "mmcblk"];
/// What udev found on a device, by its number; a page or two.
const UDEV: &str = "run/udev/data/b";
const UDEV_LIMIT: usize = 64 * 1024;
/// Free space is told in so many steps of the size.
const FREE_STEPS: u64 = 16;

/// Volumes.
#[derive(Debug)]
pub(crate) struct VolumeSource;

impl Source for VolumeSource {
    fn name(&self) -> &'static str {
        "volumes"
    }

    fn section(&self) -> SectionName {
        SectionName::known(SectionName::VOLUMES)
    }

    fn reads(&self) -> &'static [&'static str] {
        &[MOUNTS, SWAPS, "sys/dev/block", BLOCK_DEVICES, "run/udev/data"]
    }

    fn stamp(&self) -> Stamp {
        Stamp::Always
    }

    fn collect(&self, host: &dyn Host) -> SectionPart {
        let mut problems = Problems::default();
        let mounts = read::bytes(host, MOUNTS, FILE_LIMIT, &mut problems);
        if mounts.is_none() && problems.is_empty() {
            problems.add(MOUNTS, ErrorKind::NotAvailable, NOT_RECORDED);
        }
        let mut volumes: Vec<Volume> = Vec::new();
        for mount in mounts.as_deref().unwrap_or_default().split(|byte| *byte == b'\n').filter_map(mount) {
            // A device that is mounted twice is one volume, at the place where it was mounted first.
            let known = volumes.iter().any(|volume| volume.device == mount.device);
            if known || volumes.len() == VOLUMES_LIMIT {
                continue;
            }
            volumes.push(volume(host, mount, &mut problems));
        }
        let swaps = read::bytes(host, SWAPS, FILE_LIMIT, &mut problems).unwrap_or_default();
        volumes.extend(swaps.split(|byte| *byte == b'\n').skip(1).take(SLAVES_LIMIT).filter_map(swap));
        for volume in volumes.iter_mut().filter(|volume| volume.mount_point == "swap") {
            complete(host, volume, &format!("{BLOCK_DEVICES}/{}", volume.device.clone()), &mut problems);
        }
        partitions(host, &mut volumes, &mut problems);
        let items = volumes.into_iter().map(|volume| Item::new(ItemKind::Volume(volume))).collect();
        SectionPart { items, problems }
    }
}

/// One line of proc(5) mountinfo that is of a disk.
struct Mount {
    number: String,
    device: String,
    mount_point: String,
    file_system: String,
}

fn mount(line: &[u8]) -> Option<Mount> {
    let line = String::from_utf8_lossy(line);
    let (place, what) = line.split_once(" - ")?;
    let place: Vec<&str> = place.split(' ').collect();
    let mut what = what.split(' ');
    let (file_system, device) = (what.next()?, what.next()?);
    let device = device.strip_prefix("/dev/")?;
    // Loop devices hold images of software (snaps), not this machine's data.
    if device.starts_with("loop") || file_system == "squashfs" {
        return None;
    }
    Some(Mount {
        number: place.get(2).filter(|number| number.contains(':'))?.to_string(),
        device: text::clean(unescaped(device).as_bytes())?,
        mount_point: text::clean(unescaped(place.get(4)?).as_bytes())?,
        file_system: text::clean(file_system.as_bytes())?,
    })
}

/// Octal escapes, as mountinfo writes blanks.
fn unescaped(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code.filter(u8::is_ascii) {
            Some(code) => {
                plain.push(char::from(code));
                plain.push_str(part.get(3..).unwrap_or_default());
            }
            None => {
                plain.push('\\');
                plain.push_str(part);
            }
        }
    }
    plain
}

fn volume(host: &dyn Host, mount: Mount, problems: &mut Problems) -> Volume {
    let Mount { number, device, mount_point, file_system } = mount;
    let mut volume = Volume { device, mount_point, file_system: Some(file_system), ..Volume::default() };
    // The numbers of btrfs and ZFS name no device in sysfs; the name does.
    let by_number = format!("sys/dev/block/{number}");
    let folder = if host.metadata(&by_number).is_ok() {
        by_number
    } else {
        format!("{BLOCK_DEVICES}/{}", volume.device.trim_start_matches("mapper/"))
    };
    complete(host, &mut volume, &folder, problems);
    volume.free_bytes = volume.size_bytes.and_then(|size| {
        let free = host.free_bytes(volume.mount_point.trim_start_matches('/')).ok()?;
        let step = size.checked_div(FREE_STEPS).filter(|step| *step > 0)?;
        Some(free / step * step)
    });
    volume
}

fn swap(line: &[u8]) -> Option<Volume> {
    let line = String::from_utf8_lossy(line);
    let device = line.split_whitespace().next()?.strip_prefix("/dev/")?;
    let device = text::clean(unescaped(device).as_bytes())?;
    Some(Volume { device, mount_point: "swap".to_owned(), ..Volume::default() })
}

/// Adds what sysfs tells of the device.
fn complete(host: &dyn Host, volume: &mut Volume, folder: &str, problems: &mut Problems) {
    let Some(sectors) = read::number::<u64>(host, &format!("{folder}/size"), problems) else { return };
    volume.size_bytes = sectors.checked_mul(SECTOR_BYTES);
    let number = read::value(host, &format!("{folder}/dev"), problems);
    let told = number.and_then(|number| read::bytes(host, &format!("{UDEV}{number}"), UDEV_LIMIT, problems));
    let told = told.unwrap_or_default();
    volume.uuid = property(&told, "ID_FS_UUID");
    volume.file_system = volume.file_system.take().or_else(|| property(&told, "ID_FS_TYPE"));
    volume.label =
        property(&told, "ID_FS_LABEL").or_else(|| read::value(host, &format!("{folder}/dm/name"), problems));
    let encryption = encryption(host, folder, 0, problems);
    volume.encrypted = Some(encryption.is_some());
    volume.encryption = encryption;
}

/// Adds the partitions that are neither mounted nor swap; what is on them is udev's word.
fn partitions(host: &dyn Host, volumes: &mut Vec<Volume>, problems: &mut Problems) {
    let names = read::names(host, BLOCK_DEVICES, BLOCK_DEVICES_LIMIT, problems).unwrap_or_default();
    let may_be = |name: &&String| {
        name.ends_with(|last: char| last.is_ascii_digit())
            && PARTITIONED.iter().any(|prefix| name.starts_with(prefix))
    };
    for name in names.iter().filter(may_be) {
        let folder = format!("{BLOCK_DEVICES}/{name}");
        let known = volumes.iter().any(|volume| volume.device == *name);
        if known || volumes.len() >= VOLUMES_LIMIT || host.metadata(&format!("{folder}/partition")).is_err() {
            continue;
        }
        let Some(device) = text::clean(name.as_bytes()) else { continue };
        let mut volume = Volume { device, ..Volume::default() };
        complete(host, &mut volume, &folder, problems);
        if volume.file_system.as_deref() == Some("crypto_LUKS") {
            (volume.encrypted, volume.encryption) = (Some(true), Some("LUKS".to_owned()));
        }
        volumes.push(volume);
    }
}

/// A property of a device in udev's database, such as `E:ID_FS_UUID=…`.
fn property(database: &[u8], name: &str) -> Option<String> {
    let line = |line: &[u8]| {
        text::clean(line.strip_prefix(b"E:")?.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?)
    };
    database.split(|byte| *byte == b'\n').find_map(line)
}

/// How the device, or every device below it, is encrypted; `None` when one of them is not.
fn encryption(host: &dyn Host, folder: &str, depth: usize, problems: &mut Problems) -> Option<String> {
    if depth == DEPTH_LIMIT {
        return None;
    }
    let uuid = read::value(host, &format!("{folder}/dm/uuid"), problems).unwrap_or_default();
    if let Some(kind) = uuid.strip_prefix("CRYPT-") {
        let kind = kind.split('-').next().unwrap_or_default();
        return Some(match kind {
            "PLAIN" => "plain dm-crypt".to_owned(),
            other => other.to_owned(),
        });
    }
    let below = read::names(host, &format!("{folder}/slaves"), SLAVES_LIMIT, problems)?;
    let mut ways =
        below.iter().map(|name| encryption(host, &format!("{folder}/slaves/{name}"), depth + 1, problems));
    let first = ways.next()??;
    ways.all(|way| way.is_some()).then_some(first)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::sources::testing::recorded;

    fn volumes(host: &dyn Host) -> Vec<(String, String, Option<bool>, Option<String>)> {
        let part = VolumeSource.collect(host);
        let volume = |item: Item| match item.kind {
            ItemKind::Volume(found) => (found.device, found.mount_point, found.encrypted, found.encryption),
            other => panic!("{other:?}"),
        };
        part.items.into_iter().map(volume).collect()
    }

    #[test]
    fn lvm_on_luks_is_encrypted_and_the_boot_partition_is_not() {
        let mounts = "27 1 253:1 / / rw - ext4 /dev/mapper/vg-root rw\n\
            28 27 259:1 / /boot rw - vfat /dev/nvme0n1p1 rw\n\
            29 27 0:22 / /sys rw - sysfs sysfs rw\n\
            30 27 7:1 / /snap/core/1 ro - squashfs /dev/loop1 ro\n\
            31 27 259:1 /x /mnt/a\\040b rw - vfat /dev/nvme0n1p1 rw\n\
            garbage\n";
        let (folder, host) = recorded(&[
            (MOUNTS, mounts),
            (SWAPS, "Filename Type Size Used Priority\n/dev/dm-2 partition 1 0 -2\n/swapfile file 1 0 -3\n"),
            ("sys/dev/block/253:1/size", "2048\n"),
            ("sys/dev/block/253:1/dm/uuid", "LVM-abc\n"),
            ("sys/dev/block/253:1/dm/name", "vg-root\n"),
            ("sys/dev/block/259:1/size", "1024\n"),
            ("sys/class/block/dm-0/dm/uuid", "CRYPT-LUKS2-0123-luks\n"),
            ("sys/class/block/dm-2/size", "8\n"),
            ("sys/class/block/dm-2/dm/uuid", "CRYPT-PLAIN-swap\n"),
            ("sys/dev/block/253:1/slaves/.keep", ""),
        ]);
        std::fs::remove_file(folder.path().join("sys/dev/block/253:1/slaves/.keep")).unwrap();
        symlink("/sys/class/block/dm-0", folder.path().join("sys/dev/block/253:1/slaves/dm-0")).unwrap();
        let row = |device: &str, place: &str, encrypted, how: Option<&str>| {
            (device.to_owned(), place.to_owned(), Some(encrypted), how.map(str::to_owned))
        };
        assert_eq!(
            volumes(&host),
            [
                row("mapper/vg-root", "/", true, Some("LUKS2")),
                row("nvme0n1p1", "/boot", false, None),
                row("dm-2", "swap", true, Some("plain dm-crypt")),
            ]
        );
    }

    #[test]
    fn partitions_that_nobody_uses_are_told_with_udevs_word() {
        let (_folder, host) = recorded(&[
            (MOUNTS, "27 1 259:1 / / rw - ext4 /dev/nvme0n1p1 rw\n"),
            ("sys/dev/block/259:1/size", "1024\n"),
            ("sys/dev/block/259:1/dev", "259:1\n"),
            ("sys/class/block/nvme0n1p1/partition", "1\n"),
            ("sys/class/block/nvme0n1p2/partition", "2\n"),
            ("sys/class/block/nvme0n1p2/size", "2048\n"),
            ("sys/class/block/nvme0n1p2/dev", "259:2\n"),
            ("sys/class/block/nvme0n1/size", "9999\n"),
            ("sys/class/block/loop0/size", "9999\n"),
            (
                "run/udev/data/b259:1",
                "S:disk/by-id/x\nE:ID_FS_UUID_ENC=no\nE:ID_FS_UUID=1234-ABCD\nE:ID_FS_LABEL=root\n",
            ),
            ("run/udev/data/b259:2", "E:ID_FS_TYPE=crypto_LUKS\n"),
        ]);
        let part = VolumeSource.collect(&host);
        let found: Vec<Volume> = part
            .items
            .into_iter()
            .map(|item| match item.kind {
                ItemKind::Volume(found) => found,
                other => panic!("{other:?}"),
            })
            .collect();
        let [root, unused] = &found[..] else { panic!("{found:?}") };
        assert_eq!((root.uuid.as_deref(), root.label.as_deref()), (Some("1234-ABCD"), Some("root")));
        assert_eq!((unused.device.as_str(), unused.mount_point.as_str()), ("nvme0n1p2", ""));
        assert_eq!(unused.size_bytes, Some(2048 * 512));
        assert_eq!(
            (unused.file_system.as_deref(), unused.encrypted, unused.encryption.as_deref()),
            (Some("crypto_LUKS"), Some(true), Some("LUKS"))
        );
    }

    #[test]
    fn half_an_encrypted_raid_is_not_encrypted_and_loops_end() {
        let (folder, host) = recorded(&[
            (MOUNTS, "27 1 9:0 / / rw - ext4 /dev/md0 rw\n28 1 9:1 / /x rw - ext4 /dev/md1 rw\n"),
            ("sys/dev/block/9:0/size", "8"),
            ("sys/dev/block/9:0/slaves/a/dm/uuid", "CRYPT-LUKS1-x"),
            ("sys/dev/block/9:0/slaves/b/size", "8"),
            ("sys/dev/block/9:1/size", "8"),
            ("sys/dev/block/9:1/slaves/keep/size", ""),
        ]);
        symlink("/sys/dev/block/9:1", folder.path().join("sys/dev/block/9:1/slaves/again")).unwrap();
        let found: Vec<_> = volumes(&host).into_iter().map(|row| row.2).collect();
        assert_eq!(found, [Some(false), Some(false)]);
    }

    #[test]
    fn a_device_that_sysfs_does_not_show_is_unknown() {
        let (_folder, host) = recorded(&[(MOUNTS, "27 1 254:0 / / rw - ext4 /dev/vda rw\n")]);
        assert_eq!(volumes(&host), [("vda".to_owned(), "/".to_owned(), None, None)]);
    }
}
