//! Flatpak applications and runtimes, for everybody and for one user.
//!
//! Knows the folders of an installation and the one file in each deployment that flatpak itself lists from; its format
//! is in `deployment`. Knows nothing of the object store behind them. What has no version of its own, as most runtimes,
//! is listed by its branch. purl has no type for them, so they have their own, `flatpak`; the namespace is the remote
//! that an application came from.

mod deployment;

use muster_common::{
    inventory::{ErrorKind, InstallState, Installation, Item, ItemKind, Package, SectionName},
    time::EndpointTime,
};

use crate::{
    host::Host,
    sources::{
        Personal, Source, Stamp, homes,
        part::{ITEMS_LIMIT, Problems, SectionPart},
        read,
        software::flatpak::deployment::Deployment,
        text,
    },
};

const SYSTEM: &str = "var/lib/flatpak";
/// The installation in a home.
const IN_HOME: &str = ".local/share/flatpak";
const KINDS: [&str; 2] = ["app", "runtime"];

const NAMES_LIMIT: usize = 5000;
/// Branches of one application for one architecture.
const BRANCHES_LIMIT: usize = 100;
const DEPLOYMENT_LIMIT: usize = 256 << 10;

/// Flatpaks for everybody.
#[derive(Debug)]
pub(crate) struct FlatpakSource;

impl Source for FlatpakSource {
    fn name(&self) -> &'static str {
        "flatpak"
    }

    fn section(&self) -> SectionName {
        SectionName::known(SectionName::SOFTWARE_FLATPAK)
    }

    fn reads(&self) -> &'static [&'static str] {
        &["var/lib/flatpak/app/*/*/*/active/deploy", "var/lib/flatpak/runtime/*/*/*/active/deploy"]
    }

    fn stamp(&self) -> Stamp {
        Stamp::Touched
    }

    fn collect(&self, host: &dyn Host) -> SectionPart {
        let mut part = SectionPart::default();
        if !read_installation(host, SYSTEM, "", &mut part) && part.problems.is_empty() {
            part.problems.absent(SYSTEM, "flatpak installation");
        }
        part
    }
}

/// Flatpaks in homes.
#[derive(Debug)]
pub(crate) struct UserFlatpakSource;

impl Source for UserFlatpakSource {
    fn name(&self) -> &'static str {
        "flatpak-user"
    }

    fn section(&self) -> SectionName {
        SectionName::known(SectionName::SOFTWARE_FLATPAK)
    }

    fn reads(&self) -> &'static [&'static str] {
        &[
            "home/*/.local/share/flatpak/app/*/*/*/active/deploy",
            "home/*/.local/share/flatpak/runtime/*/*/*/active/deploy",
        ]
    }

    fn personal(&self) -> Option<Personal> {
        Some(Personal::PerUser)
    }

    fn stamp(&self) -> Stamp {
        Stamp::Touched
    }

    fn collect(&self, host: &dyn Host) -> SectionPart {
        let mut part = SectionPart::default();
        for home in homes::homes(host, &mut part.problems) {
            read_installation(host, &format!("{}/{IN_HOME}", home.path), &home.user, &mut part);
        }
        part
    }
}

/// Takes everything of one installation; false when there is none.
fn read_installation(host: &dyn Host, installation: &str, user: &str, part: &mut SectionPart) -> bool {
    let Some(there) = read::names(host, installation, NAMES_LIMIT, &mut part.problems) else { return false };
    for kind in KINDS.into_iter().filter(|kind| there.iter().any(|name| name == kind)) {
        let folder = format!("{installation}/{kind}");
        for name in read::names(host, &folder, NAMES_LIMIT, &mut part.problems).unwrap_or_default() {
            read_name(host, &folder, &name, user, part);
        }
    }
    true
}

/// Takes all architectures and branches of one application or runtime.
fn read_name(host: &dyn Host, folder: &str, name: &str, user: &str, part: &mut SectionPart) {
    let SectionPart { items, problems } = part;
    let folder = format!("{folder}/{name}");
    let architectures = read::names(host, &folder, BRANCHES_LIMIT, problems).unwrap_or_default();
    // `current` is a link to what starts when no branch is named.
    for architecture in architectures.iter().filter(|name| *name != "current") {
        let folder = format!("{folder}/{architecture}");
        for branch in read::names(host, &folder, BRANCHES_LIMIT, problems).unwrap_or_default() {
            if items.len() >= ITEMS_LIMIT {
                return;
            }
            let place =
                Place { name, architecture, branch: &branch, path: format!("{folder}/{branch}"), user };
            items.extend(item(host, &place, problems));
        }
    }
}

/// Where one deployment is, which is half of what is known of it.
struct Place<'a> {
    name: &'a str,
    architecture: &'a str,
    branch: &'a str,
    path: String,
    user: &'a str,
}

fn item(host: &dyn Host, place: &Place<'_>, problems: &mut Problems) -> Option<Item> {
    let Place { name, architecture, branch, path, user } = place;
    let file = format!("{path}/active/deploy");
    // A branch without an active deployment is not installed, or not yet.
    let bytes = read::bytes(host, &file, DEPLOYMENT_LIMIT, problems)?;
    let Some(found) = deployment::read(&bytes) else {
        problems.add(&file, ErrorKind::Malformed, "not the description of a deployment");
        return None;
    };
    let Deployment { origin, size_bytes, version, display_name } = found;
    let written = host.metadata(&file).ok().and_then(|file| i64::try_from(file.modified_ns / 1_000_000).ok());
    let package = Package {
        purl_type: "flatpak".to_owned(),
        namespace: text::clean(origin).unwrap_or_default(),
        name: text::clean(name.as_bytes())?,
        version: version.and_then(text::clean).or_else(|| text::clean(branch.as_bytes()))?,
        architecture: text::clean(architecture.as_bytes()).unwrap_or_default(),
        size_bytes: Some(size_bytes),
        display_name: display_name.and_then(text::clean),
        ..Package::default()
    };
    let installation = Installation {
        state: InstallState::Installed,
        path: format!("/{path}"),
        user: (*user).to_owned(),
        installed: written.map(EndpointTime::from_millis),
        channel: text::clean(branch.as_bytes()).unwrap_or_default(),
        ..Installation::default()
    };
    Some(Item { kind: ItemKind::Package(package), installation: Some(installation) })
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, path::Path};

    use super::*;
    use crate::sources::testing::recorded;

    fn deploy(root: &Path, branch: &str, content: &[u8]) {
        let branch = root.join(branch);
        fs::create_dir_all(branch.join("0f0f")).unwrap();
        fs::write(branch.join("0f0f/deploy"), content).unwrap();
        symlink("0f0f", branch.join("active")).unwrap();
    }

    #[test]
    fn applications_and_runtimes_are_found_for_all_and_for_one() {
        let (folder, host) = recorded(&[("etc/passwd", "ann:x:1000:1000::/home/ann:/bin/sh\n")]);
        let root = folder.path();
        deploy(root, "var/lib/flatpak/app/org.example.Hello/x86_64/stable", deployment::tests::APPLICATION);
        deploy(root, "var/lib/flatpak/runtime/org.example.Platform/x86_64/23.08", deployment::tests::RUNTIME);
        deploy(root, "var/lib/flatpak/runtime/org.example.Platform/x86_64/24.08", b"nonsense");
        symlink("x86_64/stable", root.join("var/lib/flatpak/app/org.example.Hello/current")).unwrap();
        fs::create_dir_all(root.join("var/lib/flatpak/app/org.example.Half/x86_64/stable")).unwrap();
        deploy(
            root,
            "home/ann/.local/share/flatpak/app/org.example.Hello/x86_64/beta",
            deployment::tests::APPLICATION,
        );

        let SectionPart { items, problems } = FlatpakSource.collect(&host);
        let expected = Package {
            purl_type: "flatpak".to_owned(),
            namespace: "test".to_owned(),
            name: "org.example.Hello".to_owned(),
            version: "46.1".to_owned(),
            architecture: "x86_64".to_owned(),
            size_bytes: Some(6144),
            display_name: Some("Hello there".to_owned()),
            ..Package::default()
        };
        assert_eq!(items.len(), 2);
        assert_eq!(items[0].kind, ItemKind::Package(expected));
        let path = "/var/lib/flatpak/runtime/org.example.Platform/x86_64/23.08";
        assert_eq!(
            items[1].key(),
            format!("package\0flatpak\0test\0org.example.Platform\x0023.08\0x86_64\0{path}")
        );
        let installation = items[1].installation.as_ref().unwrap();
        assert!(installation.installed.is_some());
        assert_eq!(installation.channel, "23.08");
        let problems = problems.into_entries();
        assert_eq!(problems.len(), 1);
        let subject = "var/lib/flatpak/runtime/org.example.Platform/x86_64/24.08/active/deploy";
        assert_eq!(problems[0].subject, subject);

        let SectionPart { items, problems } = UserFlatpakSource.collect(&host);
        assert_eq!(problems.into_entries(), []);
        assert_eq!(items.len(), 1);
        let installation = items[0].installation.as_ref().unwrap();
        assert_eq!(installation.user, "ann");
        assert_eq!(installation.path, "/home/ann/.local/share/flatpak/app/org.example.Hello/x86_64/beta");
    }

    #[test]
    fn no_installation_is_told() {
        let (_folder, host) = recorded(&[]);
        let problems = FlatpakSource.collect(&host).problems.into_entries();
        assert_eq!(problems[0].message, "this system has no flatpak installation");
    }
}
