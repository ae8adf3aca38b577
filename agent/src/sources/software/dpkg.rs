//! Packages of dpkg, read from its database files; no command is run.
//!
//! Knows the files of Debian and its derivatives (`status` with the journal in `updates`) and of images built without
//! dpkg (`status.d`). Knows nothing of versions' order and of what a package means. The format itself is in `stanza`.

mod stanza;

use std::collections::HashMap;

use muster_common::{
    inventory::{InstallState, Installation, Item, ItemKind, Package, SectionName},
    time::EndpointTime,
};

use crate::{
    host::Host,
    sources::{
        Source, Stamp,
        os::release,
        part::{ITEMS_LIMIT, Problems, SectionPart},
        read,
        software::dpkg::stanza::{Entry, State},
        text,
    },
};

const STATUS: &str = "var/lib/dpkg/status";
/// What dpkg has not written into `status` yet: stanzas that replace earlier ones, in numbered files.
const UPDATES: &str = "var/lib/dpkg/updates";
/// One file a package, in images that were put together without dpkg.
const STATUS_FOLDER: &str = "var/lib/dpkg/status.d";

/// A list of files for each package, written when it is unpacked: its time is that of the installation.
const INFO: &str = "var/lib/dpkg/info";

/// Ten times what the largest real machines have.
const STATUS_LIMIT: usize = 64 << 20;
const SMALL_FILE_LIMIT: usize = 1 << 20;
const FILES_LIMIT: usize = 20_000;
/// dpkg itself merges its journal long before.
const UPDATES_LIMIT: usize = 1000;

/// Packages of dpkg.
#[derive(Debug)]
pub(crate) struct DpkgSource;

impl Source for DpkgSource {
    fn name(&self) -> &'static str {
        "dpkg"
    }

    fn section(&self) -> SectionName {
        SectionName::known(SectionName::SOFTWARE_DPKG)
    }

    fn reads(&self) -> &'static [&'static str] {
        &[STATUS, UPDATES, STATUS_FOLDER, INFO]
    }

    fn stamp(&self) -> Stamp {
        // No package is unpacked without a word of it in the database, and a look at each of a thousand lists would cost
        // more than all else that is looked at.
        Stamp::TouchedExcept(INFO)
    }

    fn collect(&self, host: &dyn Host) -> SectionPart {
        let mut problems = Problems::default();
        let namespace = release::distribution(host).unwrap_or_else(|| "debian".to_owned());
        let status = read::bytes(host, STATUS, STATUS_LIMIT, &mut problems);
        let files = read::names(host, STATUS_FOLDER, FILES_LIMIT, &mut problems);
        if status.is_none() && files.is_none() && problems.is_empty() {
            problems.absent(STATUS, "dpkg database");
        }

        let mut items = Vec::new();
        if let Some(status) = &status {
            let updates = updates(host, &mut problems);
            let mut entries = stanza::entries(status, STATUS, None, &mut problems);
            replace(&mut entries, &updates, &mut problems);
            let has_lists = host.metadata(INFO).is_ok();
            let installed = |entry: &Entry<'_>| if has_lists { unpacked(host, entry) } else { None };
            items.extend(entries.iter().filter_map(|entry| item(entry, &namespace, installed(entry))));
        }
        // The files of check sums beside them are no stanzas.
        for name in files.iter().flatten().filter(|name| !name.ends_with(".md5sums")) {
            if items.len() >= ITEMS_LIMIT {
                break;
            }
            let path = format!("{STATUS_FOLDER}/{name}");
            if let Some(bytes) = read::bytes(host, &path, SMALL_FILE_LIMIT, &mut problems) {
                let entries = stanza::entries(&bytes, &path, Some(State::INSTALLED), &mut problems);
                items.extend(entries.iter().filter_map(|entry| item(entry, &namespace, None)));
            }
        }
        SectionPart { items, problems }
    }
}

/// The journal's files in their order; dpkg gives them numbers for names.
fn updates(host: &dyn Host, problems: &mut Problems) -> Vec<(String, Vec<u8>)> {
    let names = read::names(host, UPDATES, UPDATES_LIMIT, problems).unwrap_or_default();
    names
        .into_iter()
        .filter(|name| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit()))
        .filter_map(|name| {
            let path = format!("{UPDATES}/{name}");
            let bytes = read::bytes(host, &path, SMALL_FILE_LIMIT, problems)?;
            Some((path, bytes))
        })
        .collect()
}

/// Lets later stanzas of a package and architecture replace the earlier one.
fn replace<'a>(entries: &mut Vec<Entry<'a>>, updates: &'a [(String, Vec<u8>)], problems: &mut Problems) {
    if updates.is_empty() {
        return;
    }
    let mut places: HashMap<_, _> =
        entries.iter().enumerate().map(|(index, entry)| ((entry.name, entry.architecture), index)).collect();
    for (path, bytes) in updates {
        for entry in stanza::entries(bytes, path, None, problems) {
            match places.get(&(entry.name, entry.architecture)).and_then(|index| entries.get_mut(*index)) {
                Some(place) => *place = entry,
                None => {
                    places.insert((entry.name, entry.architecture), entries.len());
                    entries.push(entry);
                }
            }
        }
    }
}

/// When the files of a package were written, in whole seconds; `None` where there are none.
fn unpacked(host: &dyn Host, entry: &Entry<'_>) -> Option<EndpointTime> {
    match entry.state.install? {
        InstallState::Installed | InstallState::Incomplete | InstallState::RemovalPending => {}
        InstallState::ConfigFiles => return None,
    }
    let name = std::str::from_utf8(entry.name).ok()?;
    let list = if entry.multi_arch && stanza::is_name(entry.architecture) {
        format!("{INFO}/{name}:{}.list", std::str::from_utf8(entry.architecture).ok()?)
    } else {
        format!("{INFO}/{name}.list")
    };
    let seconds = i64::try_from(host.metadata(&list).ok()?.modified_ns / 1_000_000_000).ok()?;
    (seconds > 0).then(|| EndpointTime::from_millis(seconds.saturating_mul(1000)))
}

fn item(entry: &Entry<'_>, namespace: &str, installed: Option<EndpointTime>) -> Option<Item> {
    let Entry { name, version, architecture, maintainer, source, installed_kibibytes, multi_arch: _, state } =
        *entry;
    let State { install, held } = state;
    let name = text::clean(name)?;
    let (source_name, source_version) = source.map(source_parts).unwrap_or_default();
    let package = Package {
        purl_type: "deb".to_owned(),
        namespace: namespace.to_owned(),
        version: text::clean(version)?,
        architecture: text::clean(architecture).unwrap_or_default(),
        vendor: maintainer.and_then(text::clean),
        source_name: source_name.filter(|source| *source != name),
        source_version,
        size_bytes: installed_kibibytes.and_then(|kibibytes| kibibytes.checked_mul(1024)),
        display_name: None,
        name,
    };
    let installation = Installation { state: install?, held, installed, ..Installation::default() };
    Some(Item { kind: ItemKind::Package(package), installation: Some(installation) })
}

/// `name` or `name (version)`.
fn source_parts(source: &[u8]) -> (Option<String>, Option<String>) {
    match memchr::memchr(b'(', source) {
        None => (text::clean(source), None),
        Some(open) => {
            let version = source.get(open + 1..).unwrap_or_default();
            let version = version.split(|byte| *byte == b')').next().unwrap_or_default();
            (source.get(..open).and_then(text::clean), text::clean(version))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::File,
        time::{Duration, UNIX_EPOCH},
    };

    use super::*;
    use crate::sources::testing::recorded;

    fn packages(files: &[(&str, &str)]) -> (Vec<Item>, Vec<String>) {
        let (_folder, host) = recorded(files);
        let part = DpkgSource.collect(&host);
        let problems = part.problems.into_entries();
        (
            part.items,
            problems.into_iter().map(|entry| format!("{}: {}", entry.subject, entry.message)).collect(),
        )
    }

    fn state_of(want: &str) -> Option<(InstallState, bool)> {
        let status = format!("Package: a\nStatus: {want}\nVersion: 1:2.0-3\nArchitecture: amd64\n");
        let (items, problems) = packages(&[(STATUS, &status)]);
        assert_eq!(problems, [] as [&str; 0], "{want}");
        items.first().and_then(|item| item.installation.as_ref()).map(|found| (found.state, found.held))
    }

    #[test]
    fn states_are_told_apart() {
        for (want, expected) in [
            ("install ok installed", Some((InstallState::Installed, false))),
            ("hold ok installed", Some((InstallState::Installed, true))),
            ("deinstall ok installed", Some((InstallState::RemovalPending, false))),
            ("purge ok installed", Some((InstallState::RemovalPending, false))),
            ("deinstall ok half-configured", Some((InstallState::Incomplete, false))),
            ("install ok unpacked", Some((InstallState::Incomplete, false))),
            ("install ok half-configured", Some((InstallState::Incomplete, false))),
            ("install reinstreq half-installed", Some((InstallState::Incomplete, false))),
            ("install ok triggers-pending", Some((InstallState::Incomplete, false))),
            ("deinstall ok config-files", Some((InstallState::ConfigFiles, false))),
            ("purge ok not-installed", None),
        ] {
            assert_eq!(state_of(want), expected, "{want}");
        }
    }

    #[test]
    fn everything_that_is_kept() {
        let status = "Package: libssl3\nStatus: install ok installed\nInstalled-Size: 6022\nMaintainer: Debian \
            OpenSSL Team\nArchitecture: amd64\nMulti-Arch: same\nSource: openssl (3.0.16-1~deb12u1)\n\
            Version: 3.0.17-1~deb12u2\nDescription: Secure Sockets Layer toolkit\n Package: not this\n .\n";
        let (items, _) = packages(&[(STATUS, status), ("etc/os-release", "ID=ubuntu\n")]);
        let expected = Package {
            purl_type: "deb".to_owned(),
            namespace: "ubuntu".to_owned(),
            name: "libssl3".to_owned(),
            version: "3.0.17-1~deb12u2".to_owned(),
            architecture: "amd64".to_owned(),
            vendor: Some("Debian OpenSSL Team".to_owned()),
            source_name: Some("openssl".to_owned()),
            source_version: Some("3.0.16-1~deb12u1".to_owned()),
            size_bytes: Some(6022 * 1024),
            display_name: None,
        };
        assert_eq!(items.len(), 1);
        assert_eq!(items[0].kind, ItemKind::Package(expected));
    }

    #[test]
    fn the_time_of_a_list_is_that_of_the_installation() {
        let stanza = |name: &str, state: &str, more: &str| {
            format!("Package: {name}\nStatus: install ok {state}\nArchitecture: amd64\nVersion: 1\n{more}\n")
        };
        let status = [
            stanza("bash", "installed", ""),
            stanza("libc6", "unpacked", "Multi-Arch: same\n"),
            stanza("gone", "config-files", ""),
            stanza("unlisted", "installed", ""),
            stanza("foreign", "installed", "Multi-Arch: foreign\n"),
            "Package: up\nStatus: install ok installed\nArchitecture: ../x\nMulti-Arch: same\nVersion: 1\n\n"
                .to_owned(),
        ]
        .concat();
        let lists = ["bash", "libc6:amd64", "gone", "foreign", "up"];
        let lists: Vec<String> = lists.iter().map(|name| format!("{INFO}/{name}.list")).collect();
        let mut files: Vec<(&str, &str)> = lists.iter().map(|list| (list.as_str(), "/.\n")).collect();
        files.push((STATUS, &status));
        let (folder, host) = recorded(&files);
        for (seconds, list) in (1_700_000_000..).zip(&lists) {
            let time = UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_millis(700);
            File::options().write(true).open(folder.path().join(list)).unwrap().set_modified(time).unwrap();
        }
        let items = DpkgSource.collect(&host).items;
        let seconds: Vec<_> = items
            .iter()
            .map(|item| {
                item.installation.as_ref().unwrap().installed.map(|time| time.as_millis() - 1_700_000_000_000)
            })
            .collect();
        assert_eq!(seconds, [Some(0), Some(1000), None, None, Some(3000), Some(4000)]);
    }

    #[test]
    fn the_journal_replaces_what_status_says() {
        let stanza = |name: &str, version: &str, state: &str| {
            format!("Package: {name}\nStatus: install ok {state}\nArchitecture: all\nVersion: {version}\n\n")
        };
        let status = [stanza("a", "1", "installed"), stanza("b", "1", "installed")].concat();
        let (items, problems) = packages(&[
            (STATUS, &status),
            ("var/lib/dpkg/updates/0001", &stanza("b", "2", "unpacked")),
            ("var/lib/dpkg/updates/0002", &stanza("b", "2", "installed")),
            ("var/lib/dpkg/updates/0003", &stanza("c", "1", "half-configured")),
            ("var/lib/dpkg/updates/tmp.i", "nonsense"),
        ]);
        assert_eq!(problems, [] as [&str; 0]);
        let found: Vec<_> = items.iter().map(Item::key).collect();
        let key = |name: &str, version: &str| format!("package\0deb\0debian\0{name}\0{version}\0all\0");
        assert_eq!(found, [key("a", "1"), key("b", "2"), key("c", "1")]);
    }

    #[test]
    fn a_bad_stanza_is_named_and_the_rest_is_read() {
        let status = "Package: a\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n\n\
            Package: b\nStatus: install ok installed\nArchitecture: all\n\n\
            Pakij: c\n\n\
            Package: d\nStatus: install ok quantum\nVersion: 1\n\n\
            Package: ../e\nStatus: install ok installed\nVersion: 1\n\n\
            Package: f\nVersion: 1\n\n\n\
            Package: g\nStatus: install ok installed\nArchitecture: all\nVersion: 1";
        let (items, problems) = packages(&[(STATUS, status)]);
        assert_eq!(items.len(), 2);
        assert_eq!(
            problems,
            [
                "var/lib/dpkg/status line 6: package b has no version",
                "var/lib/dpkg/status line 10: a stanza names no package",
                "var/lib/dpkg/status line 12: package d has an unknown status \"install ok quantum\"",
                "var/lib/dpkg/status line 16: \"../e\" is no package name",
                "var/lib/dpkg/status line 20: package f has no status",
            ]
        );
    }

    #[test]
    fn no_database_is_not_an_empty_one() {
        assert_eq!(packages(&[]).1, ["var/lib/dpkg/status: this system has no dpkg database"]);
        assert_eq!(packages(&[(STATUS, "")]), (Vec::new(), Vec::new()));
    }
}
