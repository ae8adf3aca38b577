//! How the tests of software sources show what a source finds.

use muster_common::inventory::{Item, ItemKind};

use crate::sources::{Source, testing::recorded};

/// Items of a machine that has these files, a line each (type, namespace, name, version, architecture, vendor, path,
/// user; a hyphen for none), and its problems.
pub(super) fn found(source: &dyn Source, files: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
    let (_folder, host) = recorded(files);
    let part = source.collect(&host);
    let problems = part.problems.into_entries();
    (
        part.items.iter().map(line).collect(),
        problems.into_iter().map(|entry| format!("{}: {}", entry.subject, entry.message)).collect(),
    )
}

fn line(item: &Item) -> String {
    let (ItemKind::Package(package), Some(installation)) = (&item.kind, &item.installation) else {
        panic!("{item:?} is no installed package")
    };
    let parts = [
        package.purl_type.as_str(),
        &package.namespace,
        &package.name,
        &package.version,
        &package.architecture,
        package.vendor.as_deref().unwrap_or_default(),
        &installation.path,
        &installation.user,
    ];
    parts.map(|part| if part.is_empty() { "-" } else { part }).join(" ")
}
