//! rpm's databases in all three formats: recorded ones, and roots that rpm itself made and lists.

use std::fs;

use muster_common::{
    inventory::{Installation, Package, SectionStatus},
    time::EndpointTime,
};

use crate::{
    fixtures::{self, inventory},
    package_managers::packages,
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
