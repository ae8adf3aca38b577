//! rpm's databases in all three formats: recorded ones, and roots that rpm itself made and lists.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use muster_agent::{collect::collect, host::RecordedHost};
use muster_common::{
    inventory::{Installation, Package, SectionStatus},
    time::EndpointTime,
};

use crate::{
    fixtures::{self, Seeded, inventory, sources_of},
    package_managers::{output, packages},
};

const SECTION: &str = "software.rpm";

/// A package as `rpm -qa` lists it with name, epoch, version, release, architecture, vendor and time.
fn as_rpm_lists(package: &Package, installation: &Installation) -> String {
    let (epoch, rest) = package.version.split_once(':').unwrap_or(("(none)", &package.version));
    let (version, release) = rest.rsplit_once('-').unwrap();
    let vendor = package.vendor.as_deref().unwrap_or("(none)");
    let seconds = installation.installed.unwrap().as_millis() / 1000;
    format!("{}|{epoch}|{version}|{release}|{}|{vendor}|{seconds}", package.name, package.architecture)
}

#[test]
fn recorded_databases_tell_what_rpm_lists() {
    for (name, count) in [("rpm/sqlite", 9), ("rpm/bdb", 3), ("rpm/ndb", 3)] {
        let Some(root) = fixtures::folder(name) else { return };
        let inventory = inventory(&root);
        let section = inventory.section(SECTION).unwrap();
        assert_eq!((section.status, section.errors.len()), (SectionStatus::Complete, 0), "{name}");
        let expected = fs::read_to_string(root.join("expected.txt")).unwrap();
        let mut expected: Vec<String> = expected.lines().map(str::to_owned).collect();
        expected.sort();
        // Where only names and versions were recorded, the rest is empty there.
        let is_short = expected.iter().all(|line| line.ends_with('|') || line.matches('|').count() < 6);
        let mut found: Vec<String> = packages(&inventory, SECTION)
            .into_iter()
            .map(|(package, installation)| {
                let line = as_rpm_lists(package, installation);
                let fields: Vec<&str> = line.split('|').collect();
                if is_short { format!("{}||{}", fields[0], fields[2]) } else { line }
            })
            .collect();
        found.sort();
        assert_eq!(found, expected, "{name}");
        assert_eq!(found.len(), count, "{name}");
        for (package, installation) in packages(&inventory, SECTION) {
            assert_eq!(package.purl_type, "rpm");
            assert!(package.size_bytes.is_some_and(|bytes| bytes > 0), "{package:?}");
            assert!(installation.installed > Some(EndpointTime::from_millis(1_500_000_000_000)));
        }
    }
}

/// Where rpm keeps its database in the roots of these tests; Debian's rpm has another place by default.
const FOLDER: &str = "/var/lib/rpm";
const DATABASE: &str = "var/lib/rpm/rpmdb.sqlite";
const LOG: &str = "var/lib/rpm/rpmdb.sqlite-wal";

/// What is built and installed: an epoch, a vendor beyond ASCII, architectures, a subpackage with a version of its
/// own, a version that only rpm has, and file lists of tens of kilobytes.
const SPECS: [(&str, &str, &str); 5] = [
    ("alpha", "noarch", "Version: 1.0\nRelease: 2\nEpoch: 3\nVendor: Wörks & Co\nBuildArch: noarch\n%files"),
    (
        "beta",
        "x86_64",
        "Version: 2.0~rc1^git5\nRelease: 1.el9\n%package libs\nSummary: y\nVersion: 5.1\n%files\n%files libs",
    ),
    ("gamma", "aarch64", "Version: 7\nRelease: 0\nEpoch: 0\nVendor: Acme\n%files"),
    ("delta", "i686", "Version: 1_2.3+b\nRelease: 9.fc40\n%files"),
    (
        "large",
        "x86_64",
        "Version: 1\nRelease: 1\nVendor: Acme\n%install\nmkdir -p %{buildroot}/opt/large\ncd %{buildroot}/opt/large\n\
         for n in $(seq 1 800); do echo $n >some-file-with-a-long-name-$n; done\n%files\n/opt/large",
    ),
];

/// A public key, which rpm keeps and lists among its packages.
const KEY: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----

mDMEawV/nBYJKwYBBAHaRw8BAQdAc+k2wwocXDV0Tle8FMoP2Si330vku0Jp31Vz
9DnZIv+0GlRlc3QgV29ya3MgPHRAZXhhbXBsZS5vcmc+iJAEExYIADgWIQSHaDex
UJLm5MPMVxWj9EZkP9qyjAUCawV/nAIbAwULCQgHAgYVCgkICwIEFgIDAQIeAQIX
gAAKCRCj9EZkP9qyjIL8AQCPyfOUa4MJNk5VOSp2bvPvvG1/vBG9enPUUn6i5088
fwEAwWF3/nYbjaKWk6F1dEXtjfR5W/7CJZ77uAY/0gfztA0=
=DlTi
-----END PGP PUBLIC KEY BLOCK-----
";

/// Holds a database open as it is, so that nothing is written back from its log.
const HOLD: &str = "
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute('BEGIN')
database.execute('SELECT count(*) FROM Packages').fetchone()
print('held', flush=True)
sys.stdin.readline()
";

/// Writes what a SQLite database holds as `db5.3_load` takes it, in the byte order and page size that are asked for.
const DUMP: &str = "
import sqlite3, sys
order = {'1234': 'little', '4321': 'big'}[sys.argv[2]]
print('VERSION=3', 'format=bytevalue', 'type=hash', 'db_lorder=' + sys.argv[2], 'db_pagesize=' + sys.argv[3], 'HEADER=END', sep='\\n')
rows = sqlite3.connect(sys.argv[1]).execute('SELECT hnum, blob FROM Packages').fetchall()
for number, blob in [(0, len(rows).to_bytes(4, order))] + rows:
    print(' ' + number.to_bytes(4, order).hex(), ' ' + blob.hex(), sep='\\n')
print('DATA=END')
";

/// The packages of a spec, made in a folder.
fn build(folder: &Path, name: &str, architecture: &str, body: &str) -> Option<Vec<String>> {
    fs::create_dir_all(folder).unwrap();
    let (head, sections) = body.split_at(body.find('%').unwrap());
    let spec = folder.join(format!("{name}.spec"));
    let text = format!(
        "Name: {name}\nSummary: x\nLicense: MIT\n{head}%define debug_package %{{nil}}\n%define __os_install_post %{{nil}}\n\
         %description\nx\n{}\n",
        sections.replace("%files libs", "%description libs\ny\n%files libs")
    );
    fs::write(&spec, text).unwrap();
    let target = folder.join(format!("made-{name}"));
    let define = format!("_topdir {}", target.display());
    let mut command = Command::new("rpmbuild");
    command.args(["--quiet", "--target", architecture, "--define", &define, "-bb"]).arg(&spec);
    output(command.env("HOME", folder))?;
    let mut packages = Vec::new();
    for folder in fs::read_dir(target.join("RPMS")).unwrap() {
        for package in fs::read_dir(folder.unwrap().path()).unwrap() {
            packages.push(package.unwrap().path().to_str().unwrap().to_owned());
        }
    }
    Some(packages)
}

/// rpm that works in a root of its own.
fn rpm(root: &Path) -> Command {
    let mut command = Command::new("rpm");
    command.args(["--dbpath", FOLDER, "--root"]).arg(root);
    command
}

fn install(root: &Path, packages: &[String]) -> Option<()> {
    let how = ["-i", "--nodeps", "--noscripts", "--ignorearch", "--force"];
    output(rpm(root).args(how).args(packages)).map(|_| ())
}

/// What rpm lists, sorted, by this format of its own database or another's.
fn listed(mut rpm: Command) -> BTreeSet<String> {
    let format = "%{name}|%{evr}|%{arch}|%{vendor}|%{installtime}|%{size}|%{sourcerpm}\n";
    let list = output(rpm.args(["-qa", "--qf", format])).unwrap();
    list.lines().filter(|line| !line.starts_with("gpg-pubkey|")).map(str::to_owned).collect()
}

/// What the agent lists, written the same way.
fn found(root: &Path) -> BTreeSet<String> {
    let host = RecordedHost::open(root).unwrap();
    let inventory = collect(&host, &sources_of(SECTION), None);
    let section = inventory.section(SECTION).unwrap();
    assert_eq!((section.status, &section.errors), (SectionStatus::Complete, &Vec::new()));
    let line = |(package, installation): (&Package, &Installation)| {
        let Package { name, version, architecture, vendor, source_name, source_version, size_bytes, .. } =
            package;
        let vendor = vendor.as_deref().unwrap_or("(none)");
        let seconds = installation.installed.unwrap().as_millis() / 1000;
        let own = version.split_once(':').map_or(version.as_str(), |(_, rest)| rest);
        let source_name = source_name.as_ref().unwrap_or(name);
        let source_version = source_version.as_deref().unwrap_or(own);
        let size = size_bytes.unwrap();
        format!(
            "{name}|{version}|{architecture}|{vendor}|{seconds}|{size}|{source_name}-{source_version}.src.rpm"
        )
    };
    packages(&inventory, SECTION).into_iter().map(line).collect()
}

/// Makes a root where the packages of all specs and a key are installed; `None` without rpm.
fn made(folder: &Path) -> Option<()> {
    let mut all = Vec::new();
    for (name, architecture, body) in SPECS {
        all.extend(build(folder, name, architecture, body)?);
    }
    let root = folder.join("root");
    install(&root, &all)?;
    fs::write(folder.join("key.asc"), KEY).unwrap();
    output(rpm(&root).arg("--import").arg(folder.join("key.asc"))).map(|_| ())
}

#[test]
fn a_root_that_rpm_made_is_listed_as_rpm_lists_it() {
    let folder = tempfile::tempdir().unwrap();
    let Some(()) = made(folder.path()) else { return };
    let root = folder.path().join("root");
    let names = output(rpm(&root).arg("-qa")).unwrap();
    assert_eq!(names.lines().filter(|line| line.starts_with("gpg-pubkey-")).count(), 1, "{names}");
    let expected = listed(rpm(&root));
    assert_eq!(expected.len(), 6, "{expected:?}");
    assert_eq!(found(&root), expected);

    // Removed and upgraded packages leave free pages and rows behind.
    let body = "Version: 1.1\nRelease: 1\nBuildArch: noarch\n%files";
    let newer = build(&folder.path().join("newer"), "alpha", "noarch", body).unwrap();
    output(rpm(&root).args(["-e", "--nodeps", "large"])).unwrap();
    output(rpm(&root).args(["-U", "--nodeps", "--oldpackage"]).args(&newer)).unwrap();
    let expected = listed(rpm(&root));
    assert_eq!(expected.len(), 5, "{expected:?}");
    assert_eq!(found(&root), expected);
}

#[test]
fn a_log_that_is_not_written_back_is_read_as_far_as_it_is_committed() {
    let folder = tempfile::tempdir().unwrap();
    let Some(()) = made(folder.path()) else { return };
    let root = folder.path().join("root");
    let database = root.join(DATABASE);
    let before = found(&root);
    let mut holder = Command::new("python3")
        .args(["-c", HOLD])
        .arg(&database)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "held\n");

    let more = build(
        &folder.path().join("more"),
        "more",
        "noarch",
        "Version: 1\nRelease: 1\nObsoletes: delta\nBuildArch: noarch\n%files",
    );
    // One command that adds and removes: each waits ten seconds for the holder before it gives up writing back.
    output(rpm(&root).args(["-U", "--nodeps"]).args(more.unwrap())).unwrap();
    let log = fs::read(root.join(LOG)).unwrap();
    let expected = listed(rpm(&root));
    assert_eq!(found(&root), expected);
    assert!(expected.iter().any(|line| line.starts_with("more|")), "{expected:?}");
    assert!(!expected.iter().any(|line| line.starts_with("delta|")), "{expected:?}");

    // A copy of the files, with the log cut off or changed anywhere, is a state that was committed once.
    let copy = folder.path().join("copy");
    fs::create_dir_all(copy.join(FOLDER.trim_start_matches('/'))).unwrap();
    fs::copy(&database, copy.join(DATABASE)).unwrap();
    assert_eq!(found(&copy), before, "the database itself is as it was");
    let mut random = Seeded(3);
    let mut states = BTreeSet::new();
    for round in 0..200 {
        let mut log = log.clone();
        let at = random.below(log.len());
        if round % 2 == 0 {
            log.truncate(at);
        } else {
            log[at] ^= 1 << random.below(8);
        }
        fs::write(copy.join(LOG), &log).unwrap();
        states.insert(found(&copy));
    }
    assert!(states.contains(&before) && states.len() <= 8, "{} states", states.len());
    fs::write(copy.join(LOG), &log).unwrap();
    assert_eq!(found(&copy), expected);

    drop(holder.stdin.take());
    holder.wait().unwrap();
}

#[test]
fn a_berkeley_db_is_listed_as_rpm_lists_it() {
    let folder = tempfile::tempdir().unwrap();
    let Some(()) = made(folder.path()) else { return };
    let root = folder.path().join("root");
    let expected = listed(rpm(&root));
    for (order, page_bytes) in [("1234", "512"), ("1234", "4096"), ("1234", "65536"), ("4321", "4096")] {
        let copy = folder.path().join(format!("root-{order}-{page_bytes}"));
        let place = copy.join(FOLDER.trim_start_matches('/')).join("Packages");
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        let mut dump = Command::new("python3");
        let dump =
            output(dump.args(["-c", DUMP]).arg(root.join(DATABASE)).args([order, page_bytes])).unwrap();
        fs::write(folder.path().join("dump"), dump).unwrap();
        let mut load = Command::new("db5.3_load");
        let Some(_) = output(load.arg("-f").arg(folder.path().join("dump")).arg(&place)) else { return };
        // rpm reads the other order only where its host has it.
        if order == "1234" {
            let mut reader = rpm(&copy);
            reader.args(["--define", "_db_backend bdb_ro"]);
            assert_eq!(listed(reader), expected, "{page_bytes}");
        }
        assert_eq!(found(&copy), expected, "{order} {page_bytes}");
    }
}
