//! A recorded machine may be hostile: nothing outside its folder is read, and nothing in it makes the agent wait.

use std::{
    fs::{self, File},
    os::unix::fs::symlink,
    path::Path,
    sync::mpsc,
    thread,
    time::Duration,
};

use muster_common::inventory::{ErrorKind, Inventory};
use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
use tempfile::TempDir;

use crate::fixtures::{check_sound, inventory};

/// How long a hostile tree may keep a slow and busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Collects, or fails when that takes too long.
fn within_patience(root: &Path) -> Inventory {
    let (sender, receiver) = mpsc::channel();
    let root = root.to_owned();
    thread::spawn(move || sender.send(inventory(&root)));
    receiver.recv_timeout(PATIENCE).expect("collecting waits for something")
}

fn machine(folders: &[&str]) -> TempDir {
    // In memory where there is such a folder: a crowd of files costs a disk a minute.
    let memory = Path::new("/dev/shm");
    let root = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
    for folder in folders {
        fs::create_dir_all(root.path().join(folder)).unwrap();
    }
    root
}

fn has_error(inventory: &Inventory, subject: &str, kind: ErrorKind) -> bool {
    let errors = inventory.sections.iter().flat_map(|section| &section.errors);
    errors.into_iter().any(|error| error.subject == subject && error.kind == kind)
}

#[test]
fn nothing_outside_is_read() {
    const MARK: &str = "outside-e5c1";
    let outside = machine(&["net/x0", "dmi"]);
    let at = |path: &str| outside.path().join(path);
    let release = format!("ID={MARK}\nNAME={MARK}\nVERSION_ID={MARK}\n");
    fs::write(at("os-release"), release).unwrap();
    let stanza = format!("Package: {MARK}\nStatus: install ok installed\nVersion: 1\n");
    fs::write(at("status"), stanza).unwrap();
    fs::write(at("name"), MARK).unwrap();
    fs::write(at("net/x0/address"), "00:1b:21:e5:c1:00\n").unwrap();
    fs::write(at("dmi/product_serial"), MARK).unwrap();

    let root = machine(&["etc", "usr/lib", "var/lib/dpkg", "sys/class/dmi", "proc"]);
    let link = |target: &Path, name: &str| symlink(target, root.path().join(name)).unwrap();
    link(&at("os-release"), "etc/os-release");
    link(
        &Path::new("../../../../../../../../..").join(at("os-release").strip_prefix("/").unwrap()),
        "usr/lib/os-release",
    );
    link(
        &Path::new("../../../../../../../../..").join(at("status").strip_prefix("/").unwrap()),
        "var/lib/dpkg/status",
    );
    link(&at("name"), "etc/hostname");
    link(&at("net"), "sys/class/net");
    link(&at("dmi"), "sys/class/dmi/id");
    link(Path::new("/proc/self/root/etc/machine-id"), "etc/machine-id");
    link(Path::new("/proc/self"), "proc/self");

    let found = within_patience(root.path());
    check_sound(&found, "links out");
    assert_eq!(found.items().count(), 0, "{found:?}");
    assert!(!format!("{found:?}").contains(MARK));

    // The same links are good when the machine has what they point to.
    fs::write(root.path().join("etc/inside"), "inside\n").unwrap();
    fs::remove_file(root.path().join("etc/hostname")).unwrap();
    link(Path::new("/etc/inside"), "etc/hostname");
    assert!(format!("{:?}", within_patience(root.path())).contains("inside"));
}

#[test]
fn pipes_devices_and_endless_files_are_errors() {
    let root = machine(&["etc", "var/lib/dpkg", "sys/firmware/dmi/tables", "proc"]);
    let at = |path: &str| root.path().join(path);
    let read_write = Mode::RUSR | Mode::WUSR;
    mknodat(CWD, at("etc/machine-id"), FileType::Fifo, read_write, 0).unwrap();
    mknodat(CWD, at("etc/os-release"), FileType::Fifo, read_write, 0).unwrap();
    // /dev/zero; only root may make one.
    let has_device =
        mknodat(CWD, at("etc/hostname"), FileType::CharacterDevice, read_write, makedev(1, 5)).is_ok();
    File::create(at("var/lib/dpkg/status")).unwrap().set_len(10 << 30).unwrap();
    File::create(at("sys/firmware/dmi/tables/DMI")).unwrap().set_len(10 << 30).unwrap();
    File::create(at("proc/cpuinfo")).unwrap().set_len(10 << 30).unwrap();
    fs::create_dir_all(at("proc/meminfo")).unwrap();

    let found = within_patience(root.path());
    check_sound(&found, "special files");
    assert!(has_error(&found, "etc/machine-id", ErrorKind::Malformed), "{found:?}");
    assert!(has_error(&found, "etc/os-release", ErrorKind::Malformed));
    assert!(has_error(&found, "etc/hostname", ErrorKind::Malformed) || !has_device);
    assert!(has_error(&found, "proc/meminfo", ErrorKind::Malformed));
    for endless in ["var/lib/dpkg/status", "sys/firmware/dmi/tables/DMI", "proc/cpuinfo"] {
        assert!(has_error(&found, endless, ErrorKind::TooLarge), "{endless}");
    }
}

#[test]
fn a_crowded_folder_is_cut_off() {
    const ENTRIES: usize = 200_000;
    let root = machine(&["var/lib/dpkg/status.d", "sys/class"]);
    let crowd = root.path().join("var/lib/dpkg/status.d");
    for number in 0..ENTRIES {
        File::create(crowd.join(number.to_string())).unwrap();
    }
    symlink("/var/lib/dpkg/status.d", root.path().join("sys/block")).unwrap();
    symlink("/var/lib/dpkg/status.d", root.path().join("sys/class/net")).unwrap();

    let found = within_patience(root.path());
    check_sound(&found, "crowd");
    for folder in ["var/lib/dpkg/status.d", "sys/block", "sys/class/net"] {
        assert!(has_error(&found, folder, ErrorKind::TooLarge), "{folder}");
    }
}
