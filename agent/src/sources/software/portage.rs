//! Packages of Portage (Gentoo and its derivatives), read from its database of installed packages.
//!
//! Knows `var/db/pkg`, a folder a category and in it a folder a package, which holds a file a fact. Most facts are
//! already in the folders' names, so four files a package are read of some thirty. Knows nothing of what a slot is for:
//! two installed slots differ in their version. The purl type `ebuild` is the one that the specification lists as a
//! candidate; the category is its namespace.

use muster_common::{
    inventory::{ErrorKind, InstallState, Installation, Item, ItemKind, Package, SectionName},
    time::EndpointTime,
};

use crate::{
    host::Host,
    sources::{
        Source, Stamp,
        part::{ITEMS_LIMIT, Problems, SectionPart},
        read, text,
    },
};

const DATABASE: &str = "var/db/pkg";
/// A link to the profile, whose path names the architecture that everything is built for.
const PROFILES: [&str; 2] = ["etc/portage/make.profile", "etc/make.profile"];
/// The main tree has some 170.
const CATEGORIES_LIMIT: usize = 2000;
/// How Portage names the folder of a package that it is merging.
const MERGING: &str = "-MERGING-";

/// Packages of Portage.
#[derive(Debug)]
pub(crate) struct PortageSource;

impl Source for PortageSource {
    fn name(&self) -> &'static str {
        "portage"
    }

    fn section(&self) -> SectionName {
        SectionName::known(SectionName::SOFTWARE_PORTAGE)
    }

    fn reads(&self) -> &'static [&'static str] {
        &[DATABASE, PROFILES[0], PROFILES[1]]
    }

    fn stamp(&self) -> Stamp {
        Stamp::Folders
    }

    fn collect(&self, host: &dyn Host) -> SectionPart {
        let mut problems = Problems::default();
        let mut items = Vec::new();
        let Some(categories) = read::names(host, DATABASE, CATEGORIES_LIMIT, &mut problems) else {
            if problems.is_empty() {
                problems.absent(DATABASE, "Portage database");
            }
            return SectionPart { items, problems };
        };
        let architecture = PROFILES.iter().find_map(|path| architecture(&host.link(path).ok()?));
        let architecture = architecture.unwrap_or_default();
        for category in categories.iter().filter(|name| is_category(name)) {
            let folder = format!("{DATABASE}/{category}");
            let left = ITEMS_LIMIT.saturating_sub(items.len());
            for package in read::names(host, &folder, left, &mut problems).unwrap_or_default() {
                let path = format!("{folder}/{package}");
                match item(host, &path, category, &package, &architecture, &mut problems) {
                    Ok(item) => items.push(item),
                    Err(reason) => problems.add(&path, ErrorKind::Malformed, reason),
                }
            }
        }
        SectionPart { items, problems }
    }
}

fn item(
    host: &dyn Host,
    path: &str,
    category: &str,
    folder: &str,
    architecture: &str,
    problems: &mut Problems,
) -> Result<Item, String> {
    let (state, full) = match folder.strip_prefix(MERGING) {
        Some(full) => (InstallState::Incomplete, full),
        None => (InstallState::Installed, folder),
    };
    let (name, version) = name_and_version(full)
        .ok_or_else(|| format!("{:?} is no package's name with its version", text::shown(full.as_bytes())))?;
    let package = Package {
        purl_type: "ebuild".to_owned(),
        namespace: category.to_owned(),
        name: name.to_owned(),
        version: version.to_owned(),
        architecture: architecture.to_owned(),
        vendor: read::value(host, &format!("{path}/repository"), problems),
        size_bytes: read::number(host, &format!("{path}/SIZE"), problems),
        ..Package::default()
    };
    // Of a package that was built elsewhere this is not the time of its installation, which nothing states.
    let built: Option<i64> = read::number(host, &format!("{path}/BUILD_TIME"), problems);
    let installed = built.map(|seconds| EndpointTime::from_millis(seconds.saturating_mul(1000)));
    let channel = read::value(host, &format!("{path}/SLOT"), problems).unwrap_or_default();
    let installation = Installation { state, installed, channel, ..Installation::default() };
    Ok(Item { kind: ItemKind::Package(package), installation: Some(installation) })
}

/// What the names of categories are made of; `.cache` and the like are none.
fn is_category(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.' | b'_'))
}

/// `name-1.2_rc3-r4` into its name and its version, by the Package Manager Specification: a name never ends in what
/// could be a version.
pub(crate) fn name_and_version(full: &str) -> Option<(&str, &str)> {
    let without_revision = match full.rsplit_once("-r") {
        Some((before, revision)) if is_digits(revision) => before,
        _ => full,
    };
    let end = without_revision.rfind('-')?;
    let (name, version) = (full.get(..end)?, full.get(end + 1..)?);
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'+');
    let starts_with_digit = version.starts_with(|first: char| first.is_ascii_digit());
    // Versions of the live tree before versions had numbers alone began with `cvs.`.
    (!name.is_empty() && starts_with_digit && full.bytes().all(good)).then_some((name, version))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `…/profiles/default/linux/amd64/23.0/desktop` is for amd64.
fn architecture(profile: &str) -> Option<String> {
    let (_, below) = profile.split_once("/profiles/")?;
    let mut parts = below.split('/').skip_while(|part| *part != "linux").skip(1);
    text::clean(parts.next()?.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;
    use crate::sources::testing::recorded;

    #[test]
    fn names_and_versions_are_told_apart() {
        for (full, expected) in [
            ("openssl-3.0.13-r2", Some(("openssl", "3.0.13-r2"))),
            ("gtk+-3.24.41", Some(("gtk+", "3.24.41"))),
            ("gcc-13.2.1_p20240210", Some(("gcc", "13.2.1_p20240210"))),
            ("font-adobe-100dpi-1.0.4", Some(("font-adobe-100dpi", "1.0.4"))),
            ("rust-bin-1.75.0-r1", Some(("rust-bin", "1.75.0-r1"))),
            ("a-rc-1", Some(("a-rc", "1"))),
            ("9999-9999", Some(("9999", "9999"))),
            ("openssl", None),
            ("-1.0", None),
            ("a-r1", None),
            ("", None),
            ("a-", None),
            ("a-1/../..", None),
            ("caf\u{e9}-1", None),
        ] {
            assert_eq!(name_and_version(full), expected, "{full}");
        }
    }

    #[test]
    fn facts_are_read_and_bad_folders_are_named() {
        let files = [
            ("var/db/pkg/dev-libs/openssl-3.0.13-r2/SIZE", "15481234\n"),
            ("var/db/pkg/dev-libs/openssl-3.0.13-r2/BUILD_TIME", "1709022123\n"),
            ("var/db/pkg/dev-libs/openssl-3.0.13-r2/repository", "gentoo\n"),
            ("var/db/pkg/dev-libs/openssl-3.0.13-r2/SLOT", "0/3\n"),
            ("var/db/pkg/dev-libs/-MERGING-zlib-1.3/SIZE", "x"),
            ("var/db/pkg/dev-libs/broken/SIZE", "1"),
            ("var/db/pkg/.cache/names", ""),
        ];
        let (folder, host) = recorded(&files);
        fs::create_dir_all(folder.path().join("etc/portage")).unwrap();
        let profile = "../../var/db/repos/gentoo/profiles/default/linux/amd64/23.0/desktop";
        symlink(profile, folder.path().join(PROFILES[0])).unwrap();
        let SectionPart { items, problems } = PortageSource.collect(&host);

        let expected = Package {
            purl_type: "ebuild".to_owned(),
            namespace: "dev-libs".to_owned(),
            name: "openssl".to_owned(),
            version: "3.0.13-r2".to_owned(),
            architecture: "amd64".to_owned(),
            vendor: Some("gentoo".to_owned()),
            size_bytes: Some(15_481_234),
            ..Package::default()
        };
        let states: Vec<_> =
            items.iter().filter_map(|item| item.installation.as_ref()).map(|found| found.state).collect();
        assert_eq!(states, [InstallState::Incomplete, InstallState::Installed]);
        assert_eq!(items[1].kind, ItemKind::Package(expected));
        let slots: Vec<_> =
            items.iter().filter_map(|item| item.installation.as_ref()).map(|found| &found.channel).collect();
        assert_eq!(slots, ["", "0/3"]);
        let installed = items[1].installation.as_ref().and_then(|found| found.installed);
        assert_eq!(installed, Some(EndpointTime::from_millis(1_709_022_123_000)));
        let problems = problems.into_entries();
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].subject, "var/db/pkg/dev-libs/broken");
    }

    #[test]
    fn no_database_is_told() {
        let (_folder, host) = recorded(&[]);
        let problems = PortageSource.collect(&host).problems.into_entries();
        assert_eq!(problems[0].message, "this system has no Portage database");
    }
}
