//! Package managers other than dpkg: recorded databases, and roots that the managers themselves made and list.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs::{self, File},
    os::unix::fs::{MetadataExt, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use muster_agent::{collect::collect, host::MemoryHost};
use muster_common::inventory::{Installation, Inventory, ItemKind, Package, SectionStatus};
use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::fixtures::{self, Seeded, check_sound, inventory, sources_of};

/// The packages of a section.
pub(crate) fn packages<'a>(inventory: &'a Inventory, section: &str) -> Vec<(&'a Package, &'a Installation)> {
    let section = inventory.section(section).unwrap();
    let packages = section.items.iter().map(|item| match (&item.kind, &item.installation) {
        (ItemKind::Package(package), Some(installation)) => (package, installation),
        other => panic!("{other:?} is no installed package"),
    });
    packages.collect()
}

fn names_and_versions(inventory: &Inventory, section: &str) -> BTreeSet<String> {
    let packages = packages(inventory, section);
    packages.into_iter().map(|(package, _)| format!("{} {}", package.name, package.version)).collect()
}

#[test]
fn a_recorded_apk_database_is_read_as_a_plain_reader_would() {
    let Some(root) = fixtures::folder("apk/multiple") else { return };
    let inventory = inventory(&root);
    let database = fs::read_to_string(root.join("lib/apk/db/installed")).unwrap();
    let mut expected = BTreeSet::new();
    let mut name = "";
    for line in database.lines() {
        match line.split_at_checked(2) {
            Some(("P:", value)) => name = value,
            Some(("V:", value)) => _ = expected.insert(format!("{name} {value}")),
            _ => {}
        }
    }
    assert_eq!(expected.len(), 14);
    assert_eq!(names_and_versions(&inventory, "software.apk"), expected);
    assert_eq!(inventory.section("software.apk").unwrap().status, SectionStatus::Complete);
    let found = packages(&inventory, "software.apk");
    let (client, _) = found.iter().find(|(package, _)| package.name == "ssl_client").unwrap();
    assert_eq!((client.purl_type.as_str(), client.source_name.as_deref()), ("apk", Some("busybox")));
    assert!(
        found.iter().all(|(package, _)| package.architecture == "x86_64" && package.size_bytes.is_some())
    );
}

#[test]
fn corrupt_entries_are_named_and_the_rest_is_read() {
    for (fixture, section, items) in [("apk/corrupt", "software.apk", 1), ("pacman", "software.pacman", 3)] {
        let Some(root) = fixtures::folder(fixture) else { return };
        let inventory = inventory(&root);
        let section = inventory.section(section).unwrap();
        assert_eq!((section.items.len(), section.errors.len()), (items, 1), "{:?}", section.errors);
        assert_eq!(section.status, SectionStatus::Partial);
    }
}

#[test]
fn corruption_of_an_apk_database_loses_only_what_it_touches() {
    const PACKAGES: usize = 200;
    let database: String = (0..PACKAGES)
        .map(|number| format!("P:p{number:03}\nV:1.{number}-r1\nA:x86_64\nI:1\nF:usr\nR:file\nZ:Q1x=\n\n"))
        .collect();
    let mut random = Seeded(11);
    let sources = sources_of("software.apk");
    for round in 0..500 {
        let mut bytes = database.clone().into_bytes();
        let touched = 1 + random.below(4);
        for _ in 0..touched {
            let at = random.below(bytes.len());
            bytes[at] = u8::try_from(random.below(256)).unwrap();
        }
        let mut host = MemoryHost::default();
        host.files.insert("lib/apk/db/installed".to_owned(), bytes);
        let found = collect(&host, &sources, None);
        check_sound(&found, &format!("round {round}"));
        let left = found.items().count();
        assert!(left + 2 * touched >= PACKAGES, "round {round}: {left} left after {touched} changes");
    }
}

/// Runs a command, and returns what it printed; `None` where it isn't installed.
pub(crate) fn output(command: &mut Command) -> Option<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let Ok(output) = command.output() else {
        eprintln!("skipped: there is no {name}");
        return None;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {said}{}", String::from_utf8_lossy(&output.stdout));
    Some(String::from_utf8(output.stdout).unwrap())
}

/// Makes a package that pacman installs: an archive with a description in it.
fn pacman_package(folder: &Path, name: &str, version: &str, base: &str) -> PathBuf {
    let content = folder.join(name);
    fs::create_dir_all(content.join("usr/share")).unwrap();
    fs::write(content.join("usr/share").join(name), name).unwrap();
    let description = format!(
        "pkgname = {name}\npkgbase = {base}\npkgver = {version}\npkgdesc = A test of %NAME%\nbuilddate = \
         1700000000\npackager = Ann <ann@example.org>\nsize = 4711\narch = x86_64\nlicense = MIT\n"
    );
    fs::write(content.join(".PKGINFO"), description).unwrap();
    let archive = folder.join(format!("{name}.pkg.tar.gz"));
    let mut tar = Command::new("tar");
    output(tar.arg("czf").arg(&archive).arg("-C").arg(&content).args([".PKGINFO", "usr"])).unwrap();
    archive
}

#[test]
fn what_pacman_installs_is_what_is_found() {
    if output(Command::new("pacman").arg("--version")).is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    if fs::metadata(folder.path()).unwrap().uid() != 0 {
        eprintln!("skipped: pacman installs as root alone");
        return;
    }
    let root = folder.path().join("root");
    let (database, settings) = (root.join("var/lib/pacman"), folder.path().join("pacman.conf"));
    fs::create_dir_all(&database).unwrap();
    fs::write(&settings, "[options]\nSigLevel = Never\nArchitecture = x86_64\n").unwrap();
    let pacman = |arguments: &[&OsStr]| {
        let mut command = Command::new("pacman");
        command.env("LC_ALL", "C").arg("--noconfirm").arg("--config").arg(&settings);
        command.arg("-r").arg(&root).arg("-b").arg(&database).args(arguments);
        output(&mut command).unwrap()
    };
    let mut archives: Vec<PathBuf> = (0..30)
        .map(|number| pacman_package(folder.path(), &format!("test-{number}"), "1.0.r5.g0a1b2c-1", "test"))
        .collect();
    archives.push(pacman_package(folder.path(), "lib32-c++_x@y.z", "2:3.4_rc1-1.2", "lib32-c++_x@y.z"));
    let mut arguments = vec![OsStr::new("-U")];
    arguments.extend(archives.iter().map(|archive| archive.as_os_str()));
    pacman(&arguments);

    let listed: BTreeSet<String> = pacman(&[OsStr::new("-Q")]).lines().map(str::to_owned).collect();
    assert_eq!(listed.len(), 31);
    let inventory = inventory(&root);
    assert_eq!(names_and_versions(&inventory, "software.pacman"), listed);
    let section = inventory.section("software.pacman").unwrap();
    assert_eq!((section.status, section.errors.as_slice()), (SectionStatus::Complete, &[][..]));
    for (package, installation) in packages(&inventory, "software.pacman") {
        assert_eq!(package.vendor.as_deref(), Some("Ann <ann@example.org>"));
        assert_eq!((package.architecture.as_str(), package.size_bytes), ("x86_64", Some(4711)));
        let base = package.name.starts_with("test-").then_some("test");
        assert_eq!(package.source_name.as_deref(), base);
        assert!(installation.installed.is_some());
    }
    eprintln!("{} packages agree", listed.len());
}

#[test]
fn endless_files_and_links_in_circles_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join(path);
    let endless = [
        "lib/apk/db/installed",
        "var/lib/pacman/local/a-1-1/desc",
        "var/db/pkg/dev-libs/a-1/SIZE",
        "var/lib/snapd/state.json",
        "var/lib/snapd/snaps/a_1.snap",
        "snap/a/1/meta/snap.yaml",
        "var/lib/flatpak/app/a/x86_64/stable/active/deploy",
        "nix/var/nix/profiles/default/manifest.json",
        "usr/local/bin/a.AppImage",
    ];
    for path in endless {
        fs::create_dir_all(at(path).parent().unwrap()).unwrap();
        File::create(at(path)).unwrap().set_len(10 << 30).unwrap();
    }
    // A folder that holds itself, and one where a file should be.
    symlink("..", at("var/lib/flatpak/app/loop")).unwrap();
    symlink(".", at("var/db/pkg/loop")).unwrap();
    fs::create_dir_all(at("var/lib/pacman/local/b-1-1/desc")).unwrap();
    let read_write = Mode::RUSR | Mode::WUSR;
    mknodat(CWD, at("usr/local/bin/pipe"), FileType::Fifo, read_write, 0).unwrap();

    let found = inventory(folder.path());
    check_sound(&found, "endless files");
    for path in &endless[..8] {
        // The image of a snap is measured and never opened.
        let is_named =
            found.sections.iter().flat_map(|section| &section.errors).any(|error| error.subject == *path);
        assert!(is_named || path.ends_with(".snap"), "{path}");
    }
    let [snap] = packages(&found, "software.snap")[..] else { panic!("no snap") };
    assert_eq!((snap.0.name.as_str(), snap.0.size_bytes), ("a", Some(10 << 30)));
}
