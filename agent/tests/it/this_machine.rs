//! The machine that the tests run on: what its own tools say is what is collected.

use std::{collections::BTreeSet, process::Command};

use muster_agent::{collect::collect, host::LiveHost, sources::SOURCES};
use muster_common::inventory::{InstallState, Inventory, ItemKind};

fn inventory() -> Inventory {
    collect(&LiveHost::open().unwrap(), SOURCES, None)
}

/// Name, version and architecture of what dpkg says is installed; `None` where there is no dpkg.
fn listed_by_dpkg() -> Option<BTreeSet<String>> {
    let format = "${db:Status-Abbrev} ${Package} ${Version} ${Architecture}\n";
    let output = Command::new("dpkg-query").args(["-W", "-f", format]).output().ok()?;
    let text = String::from_utf8(output.stdout).unwrap();
    // The second letter is what is there, whatever is wanted.
    Some(text.lines().filter(|line| line.as_bytes()[1] == b'i').map(|line| line[4..].to_owned()).collect())
}

fn found_by_agent() -> BTreeSet<String> {
    let inventory = inventory();
    let section = inventory.section("software.dpkg").unwrap();
    section
        .items
        .iter()
        .filter(|item| item.installation.as_ref().is_some_and(|found| found.state == InstallState::Installed))
        .map(|item| match &item.kind {
            ItemKind::Package(package) => {
                format!("{} {} {}", package.name, package.version, package.architecture)
            }
            other => panic!("{other:?} is no package"),
        })
        .collect()
}

#[test]
fn every_package_that_dpkg_lists_is_found() {
    let Some(mut listed) = listed_by_dpkg() else {
        eprintln!("skipped: there is no dpkg-query");
        return;
    };
    let mut collected = found_by_agent();
    // Somebody may be installing packages just now.
    for _ in 0..3 {
        if listed == collected {
            break;
        }
        listed = listed_by_dpkg().unwrap();
        collected = found_by_agent();
    }
    assert!(!listed.is_empty());
    assert_eq!(listed.difference(&collected).collect::<Vec<_>>(), [] as [&String; 0], "not found");
    assert_eq!(collected.difference(&listed).collect::<Vec<_>>(), [] as [&String; 0], "not installed");
    eprintln!("{} packages agree", listed.len());
}

#[test]
fn it_has_an_operating_system_memory_and_a_processor() {
    let inventory = inventory();
    for section in &inventory.sections {
        for error in &section.errors {
            assert!(!error.message.contains("fault in the agent"), "{section:?}");
        }
    }
    let has = |wanted: fn(&ItemKind) -> bool| inventory.items().any(|item| wanted(&item.kind));
    assert!(has(|kind| matches!(kind, ItemKind::Memory(memory) if memory.usable_bytes.is_some())));
    assert!(has(|kind| matches!(kind, ItemKind::Processor(processor) if processor.threads.is_some())));
    assert!(has(|kind| matches!(
        kind,
        ItemKind::OperatingSystem(system)
            if system.kernel.is_some() && system.boot_time.is_some() && system.architecture.is_some()
    )));
}

#[test]
fn two_collections_of_an_idle_machine_are_the_same() {
    let hardware = |inventory: &Inventory| inventory.section("hardware").cloned();
    let storage = |inventory: &Inventory| inventory.section("storage").cloned();
    let os = |inventory: &Inventory| inventory.section("os").cloned();
    let (first, second) = (inventory(), inventory());
    assert_eq!(hardware(&first), hardware(&second));
    assert_eq!(storage(&first), storage(&second));
    assert_eq!(os(&first), os(&second));
}
