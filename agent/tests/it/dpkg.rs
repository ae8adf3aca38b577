//! Recorded dpkg databases, some corrupt on purpose.

use muster_agent::{collect::collect, host::MemoryHost};
use muster_common::inventory::{InstallState, ItemKind, SectionStatus};

use crate::fixtures::{self, Seeded, check_sound, inventory, sources_of};

const STATUS: &str = "var/lib/dpkg/status";

#[test]
fn recorded_stanzas_are_read_and_corrupt_ones_named() {
    let Some(root) = fixtures::folder("dpkg") else { return };
    let inventory = inventory(&root);
    let section = inventory.section("software.dpkg").unwrap();
    let found: Vec<(&str, &str, InstallState)> = section
        .items
        .iter()
        .map(|item| match (&item.kind, &item.installation) {
            (ItemKind::Package(package), Some(installation)) => {
                (package.name.as_str(), package.version.as_str(), installation.state)
            }
            other => panic!("{other:?} is no installed package"),
        })
        .collect();
    use InstallState::{ConfigFiles, Installed};
    assert_eq!(
        found,
        [
            ("linux-image-6.14.0-1012-aws", "6.14.0-1012.12~24.04.1", Installed),
            ("linux-image-6.8.0-1029-aws", "6.8.0-1029.31", ConfigFiles),
            ("made-up-package-1", "1.0.0", Installed),
            ("made-up-package-2", "2.0.0", Installed),
            ("made-up-package-3", "3.0.0", Installed),
            ("made-up-package-4", "3.0.0", Installed),
            ("mutt", "1.3.17-1", Installed),
            ("tzdata", "2020a-0+deb10u1", Installed),
            ("util-linux", "2.33.1-0.1", Installed),
        ]
    );
    // corrupt 1, doc-examples 11 without a version, empty 1, multiple 2.
    assert_eq!(section.errors.len(), 15, "{:?}", section.errors);
    assert_eq!(section.status, SectionStatus::Partial);
}

#[test]
fn corruption_loses_only_what_it_touches() {
    const PACKAGES: usize = 200;
    let status: String = (0..PACKAGES)
        .map(|number| {
            format!(
                "Package: p{number:03}\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.{number}-1\n\
                 Description: x\n y\n\n"
            )
        })
        .collect();
    let mut random = Seeded(7);
    let sources = sources_of("software.dpkg");
    for round in 0..500 {
        let mut bytes = status.clone().into_bytes();
        let touched = 1 + random.below(4);
        for _ in 0..touched {
            let at = random.below(bytes.len());
            bytes[at] = u8::try_from(random.below(256)).unwrap();
        }
        let mut host = MemoryHost::default();
        host.files.insert(STATUS.to_owned(), bytes);
        let found = collect(&host, &sources, None);
        check_sound(&found, &format!("round {round}"));
        // A changed byte spoils one stanza, or joins two when it was the line between them.
        let left = found.items().count();
        assert!(left + 2 * touched >= PACKAGES, "round {round}: {left} left after {touched} changes");
    }
}
