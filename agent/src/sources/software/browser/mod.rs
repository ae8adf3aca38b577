//! Extensions of browsers: each user's own, and those that a machine has for all of its users.
//!
//! Knows what an extension's row looks like whichever browser has it. One row a user and browser: profiles are a
//! person's own division of their life and do not leave the machine, so the same extension in two of them is one row,
//! switched off only if it is in both. Nothing of what was visited is read.

pub(crate) mod chromium;
pub(crate) mod firefox;
pub(crate) mod system;

use std::collections::BTreeMap;

use muster_common::{
    inventory::{Installation, Item, ItemKind, Package},
    time::EndpointTime,
};

/// A family of browsers, which share a store of extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    /// Chrome and what is made from Chromium: purl type `chrome-extension`, whose names are ids.
    Chromium,
    /// Firefox and what is made from it: purl has no type for them, so the namespace says it.
    Firefox,
    /// Thunderbird, with a store of its own.
    Thunderbird,
}

/// An extension as its browser describes it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Extension {
    id: String,
    /// Empty where the machine only says that it must be installed.
    version: String,
    name: Option<String>,
    author: Option<String>,
    disabled: bool,
    installed: Option<EndpointTime>,
}

/// Extensions of one user in one browser, from all profiles.
#[derive(Debug, Default)]
struct Extensions(BTreeMap<(String, String), Extension>);

impl Extensions {
    /// Adds one, or joins it with the same one of another profile.
    fn add(&mut self, extension: Extension) {
        let key = (extension.id.clone(), extension.version.clone());
        let known = self.0.entry(key).or_insert_with(|| extension.clone());
        known.disabled &= extension.disabled;
        known.installed = match (known.installed, extension.installed) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }

    /// Their rows; `place` is the browser's folder, relative to the root.
    fn into_items(self, family: Family, place: &str, user: &str) -> impl Iterator<Item = Item> {
        let (place, user) = (format!("/{place}"), user.to_owned());
        self.0.into_values().map(move |extension| {
            let Extension { id, version, name, author, disabled, installed } = extension;
            let (purl_type, namespace) = match family {
                Family::Chromium => ("chrome-extension", ""),
                Family::Firefox => ("generic", "firefox-addon"),
                Family::Thunderbird => ("generic", "thunderbird-addon"),
            };
            let package = Package {
                purl_type: purl_type.to_owned(),
                namespace: namespace.to_owned(),
                name: id,
                version,
                vendor: author,
                display_name: name,
                ..Package::default()
            };
            let installation = Installation {
                path: place.clone(),
                user: user.clone(),
                disabled,
                installed,
                ..Installation::default()
            };
            Item { kind: ItemKind::Package(package), installation: Some(installation) }
        })
    }
}

/// `user path type/namespace/name@version display name [off]` of each extension, for the tests of this folder.
#[cfg(test)]
fn shown(part: &crate::sources::SectionPart) -> Vec<String> {
    part.items
        .iter()
        .map(|item| {
            let ItemKind::Package(package) = &item.kind else { panic!("{item:?} is no package") };
            let Installation { path, user, disabled, .. } = item.installation.as_ref().expect("one a row");
            format!(
                "{user} {path} {}/{}/{}@{} {:?}{}",
                package.purl_type,
                package.namespace,
                package.name,
                package.version,
                package.display_name.as_deref().unwrap_or_default(),
                if *disabled { " off" } else { "" }
            )
        })
        .collect()
}

/// The subjects of a part's problems, for the tests of this folder.
#[cfg(test)]
fn subjects(part: crate::sources::SectionPart) -> Vec<String> {
    part.problems.into_entries().into_iter().map(|entry| entry.subject).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_joined() {
        let one = |disabled, installed: Option<i64>| Extension {
            id: "x".to_owned(),
            disabled,
            installed: installed.map(EndpointTime::from_millis),
            ..Extension::default()
        };
        for (first, second, disabled, installed) in [
            (one(true, None), one(true, Some(5)), true, Some(5)),
            (one(true, Some(3)), one(false, Some(5)), false, Some(3)),
            (one(false, None), one(true, None), false, None),
        ] {
            let mut all = Extensions::default();
            all.add(first);
            all.add(second);
            let items: Vec<_> = all.into_items(Family::Chromium, "p", "u").collect();
            let installation = items[0].installation.as_ref().unwrap();
            assert_eq!((items.len(), installation.disabled), (1, disabled));
            assert_eq!(installation.installed.map(EndpointTime::as_millis), installed);
        }
    }
}
