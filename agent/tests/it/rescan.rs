//! A machine is read again and again: what did not change is not read, and whatever changes is noticed.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use muster_agent::{
    collect::{Limits, Rescan, Rescanned},
    host::RecordedHost,
    permissions::{Permissions, permitted},
    report::{EncodedInventory, EncodedSection},
    sources::SOURCES,
};
use muster_common::{inventory::SectionName, time::EndpointTime};
use tempfile::TempDir;

use crate::fixtures::{self, Seeded};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Later than anything that the test writes by more than clocks of file systems are coarse.
const LATER_MS: i64 = 10_000;

const STATUS: &str = "var/lib/dpkg/status";
const PYTHON: &str = "usr/local/lib/python3.11/dist-packages";

struct Machine {
    root: TempDir,
    rescan: Rescan,
}

impl Machine {
    fn new() -> Self {
        let machine =
            Self { root: tempfile::tempdir().unwrap(), rescan: Rescan::new(Limits::default(), DAY) };
        for (path, content) in [
            ("etc/os-release", "ID=debian\nVERSION_ID=12\n"),
            ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"),
            ("etc/hostname", "first\n"),
            ("proc/mounts", "/dev/sda1 / ext4 rw 0 0\n"),
            ("proc/sys/kernel/random/boot_id", "5b2b5d44-0000-4000-8000-000000000000\n"),
            ("sys/kernel/uevent_seqnum", "1000\n"),
            ("sys/class/dmi/id/product_serial", "ABC1\n"),
        ] {
            machine.write(path, content);
        }
        machine.write(STATUS, &stanzas(&["bash"]));
        machine.write(&format!("{PYTHON}/flask-1.0.dist-info/METADATA"), "Name: flask\nVersion: 1.0\n");
        machine
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    /// In place: the inode stays.
    fn write(&self, path: &str, content: &str) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn again_at(&mut self, now: EndpointTime) -> Rescanned {
        let host = RecordedHost::open(self.root.path()).unwrap();
        let permissions = Permissions::everything();
        let sources = permitted(SOURCES, &permissions);
        self.rescan.collect(&host, &sources, permissions, Vec::new(), now)
    }

    fn again(&mut self) -> Rescanned {
        self.again_at(later(LATER_MS))
    }

    fn check_as_fresh(&mut self, context: &str) -> Arc<EncodedInventory> {
        let found = self.again().inventory;
        let fresh = EncodedInventory::new(&fixtures::inventory(self.root.path()));
        for (name, section) in &fresh.sections {
            assert_eq!(found.sections.get(name), Some(section), "{context}: {name}");
        }
        assert_eq!(found.sections.len(), fresh.sections.len(), "{context}");
        assert_eq!(found.evidence, fresh.evidence, "{context}");
        found
    }
}

fn later(by_ms: i64) -> EndpointTime {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    EndpointTime::from_millis(i64::try_from(now.as_millis()).unwrap() + by_ms)
}

fn stanzas(names: &[&str]) -> String {
    let stanza = |name: &&str| {
        format!("Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.0-1\n\n")
    };
    names.iter().map(stanza).collect()
}

fn ran(scanned: &Rescanned) -> Vec<&'static str> {
    scanned.costs.iter().filter(|cost| cost.ran).map(|cost| cost.name).collect()
}

fn differing(before: &EncodedInventory, after: &EncodedInventory) -> Vec<String> {
    let sections: &BTreeMap<SectionName, Arc<EncodedSection>> = &after.sections;
    let changed = sections.iter().filter(|(name, section)| before.sections.get(*name) != Some(section));
    changed.map(|(name, _)| name.as_str().to_owned()).collect()
}

#[test]
fn an_unchanged_machine_is_the_same_allocation_and_hardly_anything_runs() {
    let mut machine = Machine::new();
    let first = machine.again();
    assert_eq!(ran(&first).len(), SOURCES.len());
    let second = machine.again();
    assert!(Arc::ptr_eq(&first.inventory, &second.inventory));
    let always: Vec<&str> = SOURCES
        .iter()
        .filter(|source| source.stamp() == muster_agent::sources::Stamp::Always)
        .map(|source| source.name())
        .collect();
    assert_eq!(ran(&second), always);
    for name in ["dpkg", "release", "python", "product", "disk"] {
        assert!(!always.contains(&name), "{name} is always read");
    }
}

#[test]
fn each_kind_of_change_is_noticed() {
    type Change = fn(&Machine);
    let cases: [(&str, Change, &str); 10] = [
        ("a package is added", |m| m.write(STATUS, &stanzas(&["bash", "zsh"])), "software.dpkg"),
        (
            "a file is replaced by one of the same size and time",
            |m| {
                let before = fs::metadata(m.at(STATUS)).unwrap().modified().unwrap();
                m.write("var/lib/dpkg/status-new", &stanzas(&["dash"]));
                let new = File::options().write(true).open(m.at("var/lib/dpkg/status-new")).unwrap();
                new.set_modified(before).unwrap();
                fs::rename(m.at("var/lib/dpkg/status-new"), m.at(STATUS)).unwrap();
            },
            "software.dpkg",
        ),
        (
            "a file is rewritten in place with the same size and time",
            |m| {
                let before = fs::metadata(m.at(STATUS)).unwrap().modified().unwrap();
                m.write(STATUS, &stanzas(&["dash"]));
                File::options().write(true).open(m.at(STATUS)).unwrap().set_modified(before).unwrap();
            },
            "software.dpkg",
        ),
        (
            "an entry of a folder is removed",
            |m| fs::remove_dir_all(m.at(&format!("{PYTHON}/flask-1.0.dist-info"))).unwrap(),
            "software.python",
        ),
        (
            "a folder appears that was not there",
            |m| {
                let file = "opt/app/lib/python3.12/site-packages/new-2.dist-info/METADATA";
                m.write(file, "Name: new\nVersion: 2\n");
            },
            "software.python",
        ),
        (
            "a file appears that was not there",
            |m| m.write("etc/machine-id", "0123456789abcdef0123456789abcdef\n"),
            "os",
        ),
        ("a file disappears", |m| fs::remove_file(m.at(STATUS)).unwrap(), "software.dpkg"),
        (
            "a link points elsewhere",
            |m| {
                m.write("usr/lib/other", "ID=ubuntu\nVERSION_ID=24.04\n");
                fs::remove_file(m.at("etc/os-release")).unwrap();
                symlink("/usr/lib/other", m.at("etc/os-release")).unwrap();
            },
            "os",
        ),
        (
            "a device came",
            |m| {
                m.write("sys/block/sda/device/model", "DISK\n");
                m.write("sys/block/sda/size", "1000\n");
                m.write("sys/kernel/uevent_seqnum", "1001\n");
            },
            "storage",
        ),
        (
            "the machine was started anew",
            |m| {
                m.write("sys/class/dmi/id/product_serial", "ABC2\n");
                m.write("proc/sys/kernel/random/boot_id", "5b2b5d44-0000-4000-8000-000000000001\n");
            },
            "hardware",
        ),
    ];
    for (what, change, section) in cases {
        let mut machine = Machine::new();
        let before = machine.again().inventory;
        assert!(Arc::ptr_eq(&before, &machine.again().inventory), "{what}");
        change(&machine);
        let after = machine.check_as_fresh(what);
        assert!(differing(&before, &after).contains(&section.to_owned()), "{what}");
        assert!(Arc::ptr_eq(&after, &machine.again().inventory), "{what}");
    }
}

#[test]
fn lists_of_packages_are_looked_at_when_the_database_changed() {
    const LIST: &str = "var/lib/dpkg/info/bash.list";
    let mut machine = Machine::new();
    machine.write(LIST, "/.\n");
    let before = machine.check_as_fresh("with a list");
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    File::options().write(true).open(machine.at(LIST)).unwrap().set_modified(time).unwrap();
    assert!(Arc::ptr_eq(&before, &machine.again().inventory));
    machine.write(STATUS, &stanzas(&["bash", "zsh"]));
    assert_eq!(differing(&before, &machine.check_as_fresh("unpacked")), ["software.dpkg"]);
}

#[test]
fn a_file_that_changed_just_now_is_read_again() {
    let mut machine = Machine::new();
    machine.again_at(later(0));
    assert!(
        ran(&machine.again_at(later(0))).contains(&"dpkg"),
        "it might have changed again without a later time"
    );
    machine.again();
    assert!(!ran(&machine.again()).contains(&"dpkg"));
}

#[test]
fn once_a_day_everything_is_read() {
    let mut machine = Machine::new();
    let day = i64::try_from(DAY.as_millis()).unwrap();
    let first = machine.again();
    assert!(ran(&machine.again_at(later(LATER_MS + day - 60_000))).len() < SOURCES.len());
    let second = machine.again_at(later(LATER_MS + day));
    assert_eq!(ran(&second).len(), SOURCES.len());
    assert!(Arc::ptr_eq(&first.inventory, &second.inventory), "what is read anew is the same");
    assert!(ran(&machine.again()).len() == SOURCES.len(), "the clock went back");
}

#[test]
fn what_is_allowed_belongs_to_the_inventory() {
    let mut machine = Machine::new();
    let all = machine.again().inventory;
    let host = RecordedHost::open(machine.root.path()).unwrap();
    let nothing = Permissions::default();
    let fewer = permitted(SOURCES, &nothing);
    let withheld = vec![SectionName::known("usage")];
    let now = later(LATER_MS);
    let less = machine.rescan.collect(&host, &fewer, nothing.clone(), withheld.clone(), now).inventory;
    assert!(!Arc::ptr_eq(&all, &less));
    assert_eq!((&less.permissions, &less.withheld), (&nothing, &withheld));
    let again = machine.rescan.collect(&host, &fewer, nothing, withheld, now).inventory;
    assert!(Arc::ptr_eq(&less, &again));
}

/// Changes one thing, as package managers, people and kernels do.
fn edit(machine: &Machine, random: &mut Seeded, step: usize) {
    let files: [(&str, &[&str]); 8] = [
        (STATUS, &["", "Package: a\nStatus: install ok installed\nVersion: 1\n", "Package: b\n"]),
        ("var/lib/dpkg/updates/0001", &["Package: a\nStatus: install ok installed\nVersion: 2\n", "x"]),
        ("var/lib/dpkg/status.d/c", &["Package: c\nVersion: 1\n", "Package: d\nVersion: 1\n"]),
        ("etc/os-release", &["ID=debian\n", "ID=fedora\n", "ID=ubuntu\n"]),
        ("etc/machine-id", &["0123456789abcdef0123456789abcdef\n", "uninitialized\n", "no\n"]),
        ("etc/passwd", &["ann:x:1000:1000::/home/ann:/bin/sh\n", "bob:x:1000:1000::/home/bob:/bin/sh\n"]),
        ("proc/mounts", &["/dev/sda1 / ext4 rw 0 0\n", "x:/y /home nfs4 rw 0 0\n"]),
        ("home/ann/.cargo/.crates2.json", &["{}", r#"{"installs":{"a 1.0.0 (registry+x)":{}}}"#]),
    ];
    let pick = random.below(files.len() + 2);
    let Some((path, contents)) = files.get(pick) else {
        let user = ["usr/local", "home/ann/.local", "home/bob/.local"][random.below(3)];
        let number = random.below(3);
        let folder = machine.at(&format!("{user}/lib/python3.11/site-packages/p-{number}.dist-info"));
        if folder.exists() {
            fs::remove_dir_all(folder).unwrap();
        } else {
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("METADATA"), format!("Name: p\nVersion: {number}\n")).unwrap();
        }
        return;
    };
    let at = machine.at(path);
    match random.below(4) {
        0 if at.exists() => fs::remove_file(at).unwrap(),
        1 => {
            machine.write("tmp/new", contents[random.below(contents.len())]);
            fs::create_dir_all(at.parent().unwrap()).unwrap();
            fs::rename(machine.at("tmp/new"), at).unwrap();
        }
        _ => {
            machine.write(path, contents[random.below(contents.len())]);
            // File systems whose clocks are coarse would give two edits one time.
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + step as u64);
            File::options().write(true).open(at).unwrap().set_modified(time).unwrap();
        }
    }
}

#[test]
fn after_any_edits_it_finds_what_a_fresh_collection_finds() {
    for seed in 0..4 {
        let mut machine = Machine::new();
        let mut random = Seeded(seed);
        let mut last = machine.again().inventory;
        let mut kept = 0;
        for step in 0..150 {
            for _ in 0..=random.below(2) {
                edit(&machine, &mut random, step);
            }
            let next = machine.check_as_fresh(&format!("seed {seed}, step {step}"));
            kept += usize::from(Arc::ptr_eq(&last, &next));
            last = next;
        }
        assert!(kept < 150, "nothing was noticed");
    }
}

#[test]
fn a_source_that_failed_is_run_again() {
    let mut machine = Machine::new();
    let broken = format!("{PYTHON}/broken-1.dist-info");
    fs::create_dir_all(machine.at(&broken)).unwrap();
    machine.check_as_fresh("broken");
    // Its folder's name stays, and so does the folder above.
    fs::write(Path::new(&machine.at(&broken)).join("METADATA"), "Name: broken\nVersion: 1\n").unwrap();
    machine.check_as_fresh("mended");
}
