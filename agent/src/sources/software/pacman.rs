//! Packages of pacman (Arch Linux and its derivatives), read from its local database; no command is run.
//!
//! Knows the database in its usual place, one `desc` file a package. Knows nothing of a package's files and of what
//! is newer in a repository.

use muster_common::{
    inventory::{ErrorKind, InstallState, Installation, Item, ItemKind, Package, SectionName},
    time::EndpointTime,
};

use crate::{
    host::Host,
    sources::{
        Source, Stamp,
        os::release,
        part::{ITEMS_LIMIT, Problems, SectionPart},
        read, text,
    },
};

const LOCAL: &str = "var/lib/pacman/local";
/// Names what is kept from being upgraded.
const SETTINGS: &str = "etc/pacman.conf";

/// A description has a kilobyte or two; lists of dependencies make a few of them longer.
const DESC_LIMIT: usize = 256 << 10;
const SETTINGS_LIMIT: usize = 256 << 10;

/// Packages of pacman.
#[derive(Debug)]
pub(crate) struct PacmanSource;

impl Source for PacmanSource {
    fn name(&self) -> &'static str {
        "pacman"
    }

    fn section(&self) -> SectionName {
        SectionName::known(SectionName::SOFTWARE_PACMAN)
    }

    fn reads(&self) -> &'static [&'static str] {
        &[LOCAL, SETTINGS]
    }

    fn stamp(&self) -> Stamp {
        Stamp::Folders
    }

    fn collect(&self, host: &dyn Host) -> SectionPart {
        let mut problems = Problems::default();
        let mut items = Vec::new();
        let Some(folders) = read::names(host, LOCAL, ITEMS_LIMIT, &mut problems) else {
            if problems.is_empty() {
                problems.absent(LOCAL, "pacman database");
            }
            return SectionPart { items, problems };
        };
        let namespace = release::distribution(host).unwrap_or_else(|| "arch".to_owned()).to_lowercase();
        let settings = read::bytes(host, SETTINGS, SETTINGS_LIMIT, &mut problems).unwrap_or_default();
        let ignored = ignored(&settings);
        for folder in folders.iter().filter(|name| *name != "ALPM_DB_VERSION") {
            let path = format!("{LOCAL}/{folder}/desc");
            match host.read(&path, DESC_LIMIT) {
                Ok(bytes) => match entry(&bytes) {
                    Ok(entry) => items.extend(item(&entry, &namespace, &ignored)),
                    Err(reason) => problems.add(&path, ErrorKind::Malformed, reason),
                },
                // pacman makes the folder first: an installation was interrupted, or goes on just now.
                Err(error) if error.is_missing() => {
                    problems.add(&path, ErrorKind::Malformed, "a package's folder has no description");
                }
                Err(error) => problems.add_error(error),
            }
        }
        SectionPart { items, problems }
    }
}

/// One package as its description states it; what is not stated is empty.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    name: &'a [u8],
    version: &'a [u8],
    base: &'a [u8],
    architecture: &'a [u8],
    packager: &'a [u8],
    installed_bytes: Option<u64>,
    /// Seconds since the epoch.
    installed: Option<i64>,
}

/// Reads a description: a name between per cent signs, its values each in a line, an empty line.
pub(crate) fn entry(bytes: &[u8]) -> Result<Entry<'_>, String> {
    let mut entry = Entry::default();
    let mut lines = bytes.split(|byte| *byte == b'\n');
    while let Some(line) = lines.next() {
        // Values of lists begin no field, so they are passed over here.
        let [b'%', field @ .., b'%'] = line.trim_ascii_end() else { continue };
        let mut value = || lines.next().unwrap_or_default().trim_ascii();
        match field {
            b"NAME" => entry.name = value(),
            b"VERSION" => entry.version = value(),
            b"BASE" => entry.base = value(),
            b"ARCH" => entry.architecture = value(),
            b"PACKAGER" => entry.packager = value(),
            b"SIZE" => entry.installed_bytes = number(value()),
            b"INSTALLDATE" => entry.installed = number(value()),
            _ => {}
        }
    }
    if entry.name.is_empty() {
        return Err("the description names no package".to_owned());
    }
    text::check_package(entry.name, entry.version)?;
    Ok(entry)
}

fn number<T: std::str::FromStr>(value: &[u8]) -> Option<T> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// The patterns of `IgnorePkg`, which may be given several times.
fn ignored(settings: &[u8]) -> Vec<&[u8]> {
    settings
        .split(|byte| *byte == b'\n')
        .filter_map(|line| {
            let value = line.trim_ascii().strip_prefix(b"IgnorePkg")?.trim_ascii();
            value.strip_prefix(b"=")
        })
        .flat_map(|names| names.split(u8::is_ascii_whitespace))
        .filter(|name| !name.is_empty())
        .collect()
}

/// Whether a pattern is the name, or a star stands for its end; other patterns are hardly ever written.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    pattern.strip_suffix(b"*").map_or(pattern == name, |start| name.starts_with(start))
}

fn item(entry: &Entry<'_>, namespace: &str, ignored: &[&[u8]]) -> Option<Item> {
    let Entry { name, version, base, architecture, packager, installed_bytes, installed } = *entry;
    let package = Package {
        purl_type: "alpm".to_owned(),
        namespace: namespace.to_owned(),
        name: text::clean(name)?,
        version: text::clean(version)?,
        architecture: text::clean(architecture).unwrap_or_default(),
        // What makepkg writes when nobody said who builds.
        vendor: text::clean(packager).filter(|packager| packager != "Unknown Packager"),
        source_name: text::clean(base).filter(|_| base != name),
        size_bytes: installed_bytes,
        ..Package::default()
    };
    let installation = Installation {
        state: InstallState::Installed,
        held: ignored.iter().any(|pattern| matches(pattern, name)),
        installed: installed.map(|seconds| EndpointTime::from_millis(seconds.saturating_mul(1000))),
        ..Installation::default()
    };
    Some(Item { kind: ItemKind::Package(package), installation: Some(installation) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::testing::recorded;

    fn packages(files: &[(&str, &str)]) -> (Vec<Item>, Vec<String>) {
        let (_folder, host) = recorded(files);
        let SectionPart { items, problems } = PacmanSource.collect(&host);
        let problems = problems.into_entries();
        (items, problems.into_iter().map(|entry| format!("{}: {}", entry.subject, entry.message)).collect())
    }

    #[test]
    fn everything_that_is_kept() {
        let desc = "%NAME%\nopenssl-libs\n\n%VERSION%\n1:3.2.1-1\n\n%BASE%\nopenssl\n\n%DESC%\nThe %NAME% of \
            TLS\n\n%ARCH%\nx86_64\n\n%BUILDDATE%\n1706639400\n\n%INSTALLDATE%\n1715026363\n\n%PACKAGER%\nP. S. \
            <ps@example.org>\n\n%SIZE%\n10485760\n\n%LICENSE%\nApache-2.0\nMIT\n\n%DEPENDS%\nglibc\n";
        let (items, problems) = packages(&[
            ("var/lib/pacman/local/ALPM_DB_VERSION", "9\n"),
            ("var/lib/pacman/local/openssl-libs-1:3.2.1-1/desc", desc),
            ("var/lib/pacman/local/openssl-libs-1:3.2.1-1/files", "%FILES%\nusr/\n"),
            (
                "etc/pacman.conf",
                "[options]\n#IgnorePkg = no\n IgnorePkg   = linux openssl* \nIgnoreGroup = x\n",
            ),
            ("usr/lib/os-release", "ID=\"Manjaro\"\n"),
        ]);
        assert_eq!(problems, [] as [&str; 0]);
        let expected = Package {
            purl_type: "alpm".to_owned(),
            namespace: "manjaro".to_owned(),
            name: "openssl-libs".to_owned(),
            version: "1:3.2.1-1".to_owned(),
            architecture: "x86_64".to_owned(),
            vendor: Some("P. S. <ps@example.org>".to_owned()),
            source_name: Some("openssl".to_owned()),
            source_version: None,
            size_bytes: Some(10_485_760),
            ..Package::default()
        };
        let installation = Installation {
            held: true,
            installed: Some(EndpointTime::from_millis(1_715_026_363_000)),
            ..Installation::default()
        };
        assert_eq!(items, [Item { kind: ItemKind::Package(expected), installation: Some(installation) }]);
    }

    #[test]
    fn a_bad_description_is_one_problem() {
        for (desc, expected) in [
            ("", "the description names no package"),
            ("%NAME%", "the description names no package"),
            ("%NAME%\n\n%VERSION%\n1", "the description names no package"),
            ("%NME%\ntree\n\n%VER.6-1\n", "the description names no package"),
            ("%NAME%\na b\n%VERSION%\n1", "\"a b\" is no package name"),
            ("%NAME%\n../a\n%VERSION%\n1", "\"../a\" is no package name"),
            ("%NAME%\na\n", "package a has no version"),
            ("%NAME%\na\n%VERSION%\n1 2\n", "package a has a malformed version \"1 2\""),
        ] {
            assert_eq!(entry(desc.as_bytes()), Err(expected.to_owned()), "{desc:?}");
        }
        let good =
            "%NAME%\r\na\r\n\r\n%VERSION%\r\n1-1\r\n%SIZE%\nmany\n%INSTALLDATE%\n99999999999999999999\n";
        let good = entry(good.as_bytes()).unwrap();
        assert_eq!(
            (good.name, good.version, good.installed_bytes, good.installed),
            (&b"a"[..], &b"1-1"[..], None, None)
        );
    }

    #[test]
    fn a_folder_without_a_description_is_named_and_the_rest_is_read() {
        let (items, problems) = packages(&[
            ("var/lib/pacman/local/a-1-1/files", ""),
            ("var/lib/pacman/local/b-1-1/desc", "%NAME%\nb\n%VERSION%\n1-1\n"),
        ]);
        assert_eq!(items.len(), 1);
        assert_eq!(problems, ["var/lib/pacman/local/a-1-1/desc: a package's folder has no description"]);
        assert_eq!(packages(&[]).1, ["var/lib/pacman/local: this system has no pacman database"]);
    }
}
