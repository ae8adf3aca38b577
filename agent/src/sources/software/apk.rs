//! Packages of apk (Alpine, Wolfi, OpenWrt), read from its database file; no command is run.
//!
//! Knows the place of the file in apk 2 and apk 3 and the pins of `world`. Knows nothing of the files that a package
//! owns, which make up nine tenths of the database and are passed over, and nothing of install times: apk keeps none.

use std::collections::HashSet;

use muster_common::inventory::{ErrorKind, InstallState, Installation, Item, ItemKind, Package, SectionName};

use crate::{
    host::Host,
    sources::{
        Source, Stamp,
        os::release,
        part::{ITEMS_LIMIT, Problems, SectionPart},
        read, text,
    },
};

/// Where the database is: apk 3 keeps it under `usr` on systems whose `lib` is no link to `usr/lib`.
const INSTALLED: [&str; 2] = ["lib/apk/db/installed", "usr/lib/apk/db/installed"];
/// What the administrator asked for, with the pinned versions.
const WORLD: &str = "etc/apk/world";

/// Four times what a full desktop has; most of it are names of files.
const INSTALLED_LIMIT: usize = 64 << 20;
const WORLD_LIMIT: usize = 1 << 20;

/// Packages of apk.
#[derive(Debug)]
pub(crate) struct ApkSource;

impl Source for ApkSource {
    fn name(&self) -> &'static str {
        "apk"
    }

    fn section(&self) -> SectionName {
        SectionName::known(SectionName::SOFTWARE_APK)
    }

    fn reads(&self) -> &'static [&'static str] {
        &[INSTALLED[0], INSTALLED[1], WORLD]
    }

    fn stamp(&self) -> Stamp {
        Stamp::Touched
    }

    fn collect(&self, host: &dyn Host) -> SectionPart {
        let mut problems = Problems::default();
        let found = INSTALLED
            .into_iter()
            .find_map(|path| Some((path, read::bytes(host, path, INSTALLED_LIMIT, &mut problems)?)));
        let Some((path, bytes)) = found else {
            if problems.is_empty() {
                problems.absent(INSTALLED[0], "apk database");
            }
            return SectionPart { items: Vec::new(), problems };
        };
        let namespace = release::distribution(host).unwrap_or_else(|| "alpine".to_owned()).to_lowercase();
        let world = read::bytes(host, WORLD, WORLD_LIMIT, &mut problems).unwrap_or_default();
        let pinned = pinned(&world);
        let entries = entries(&bytes, path, &mut problems);
        let items = entries.iter().filter_map(|entry| item(entry, &namespace, &pinned)).collect();
        SectionPart { items, problems }
    }
}

/// One package as the database states it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    name: &'a [u8],
    version: &'a [u8],
    architecture: &'a [u8],
    origin: &'a [u8],
    maintainer: &'a [u8],
    installed_bytes: Option<u64>,
    /// Files or scripts failed when it was installed.
    broken: bool,
}

/// All packages of the database, with a problem for every stanza that cannot be used.
pub(crate) fn entries<'a>(bytes: &'a [u8], path: &str, problems: &mut Problems) -> Vec<Entry<'a>> {
    let mut entries = Vec::new();
    let mut at = 0;
    let mut stanzas = 0;
    let mut counted = (0, 1);
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with(b"\n") {
            at += 1;
            continue;
        }
        let end = memchr::memmem::find(rest, b"\n\n").map_or(rest.len(), |end| end + 1);
        let stanza = &rest[..end];
        if !stanza.trim_ascii().is_empty() {
            stanzas += 1;
            if stanzas > ITEMS_LIMIT {
                problems.add(path, ErrorKind::TooLarge, format!("more than {ITEMS_LIMIT} packages"));
                break;
            }
            match entry(stanza) {
                Ok(entry) => entries.push(entry),
                Err(reason) => {
                    // Lines are counted for broken stanzas alone, and each line once.
                    let (from, line) = counted;
                    counted = (at, line + memchr::memchr_iter(b'\n', &bytes[from..at]).count());
                    problems.add(&format!("{path} line {}", counted.1), ErrorKind::Malformed, reason);
                }
            }
        }
        at += end + 1;
    }
    entries
}

/// One stanza: lines of a letter, a colon and a value; the files of the package follow from the first `F:`.
fn entry(stanza: &[u8]) -> Result<Entry<'_>, String> {
    let mut entry = Entry::default();
    let mut rest = stanza;
    while !rest.is_empty() {
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let line = &rest[..end];
        rest = rest.get(end + 1..).unwrap_or_default();
        let [letter, b':', value @ ..] = line else {
            if line.is_empty() {
                continue;
            }
            return Err(format!("{:?} is no field", text::shown(line)));
        };
        match letter {
            b'P' => entry.name = value,
            b'V' => entry.version = value,
            b'A' => entry.architecture = value,
            b'o' => entry.origin = value,
            b'm' => entry.maintainer = value,
            b'I' => {
                entry.installed_bytes = std::str::from_utf8(value).ok().and_then(|size| size.parse().ok())
            }
            // Letters of what is broken; `S` among them says only which kind of check sum is used.
            b'f' => entry.broken = value.iter().any(|flag| matches!(flag, b'f' | b's' | b'x')),
            b'F' => break,
            _ => {}
        }
    }
    if entry.name.is_empty() {
        return Err("a stanza names no package".to_owned());
    }
    text::check_package(entry.name, entry.version)?;
    Ok(entry)
}

/// Names that `world` binds to one version or build: apk won't upgrade them.
fn pinned(world: &[u8]) -> HashSet<&[u8]> {
    world
        .split(u8::is_ascii_whitespace)
        .filter_map(|word| {
            let end = word.iter().position(|byte| matches!(byte, b'=' | b'<' | b'>' | b'~' | b'@'))?;
            let (name, rest) = word.split_at(end);
            (rest.starts_with(b"=") || rest.starts_with(b"><")).then_some(name)
        })
        .collect()
}

fn item(entry: &Entry<'_>, namespace: &str, pinned: &HashSet<&[u8]>) -> Option<Item> {
    let Entry { name, version, architecture, origin, maintainer, installed_bytes, broken } = *entry;
    let package = Package {
        purl_type: "apk".to_owned(),
        namespace: namespace.to_owned(),
        name: text::clean(name)?,
        version: text::clean(version)?,
        architecture: text::clean(architecture).unwrap_or_default(),
        vendor: text::clean(maintainer),
        source_name: text::clean(origin).filter(|_| origin != name),
        size_bytes: installed_bytes,
        ..Package::default()
    };
    let state = if broken { InstallState::Incomplete } else { InstallState::Installed };
    let installation = Installation { state, held: pinned.contains(name), ..Installation::default() };
    Some(Item { kind: ItemKind::Package(package), installation: Some(installation) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::testing::recorded;

    const DB: &str = INSTALLED[0];

    fn packages(files: &[(&str, &str)]) -> (Vec<Item>, Vec<String>) {
        let (_folder, host) = recorded(files);
        let SectionPart { items, problems } = ApkSource.collect(&host);
        let problems = problems.into_entries();
        (items, problems.into_iter().map(|entry| format!("{}: {}", entry.subject, entry.message)).collect())
    }

    #[test]
    fn everything_that_is_kept() {
        let database = "C:Q1v4QhLje3kWlC8DJj=\nP:libssl3\nV:3.1.4-r5\nA:x86_64\nS:243712\nI:495616\nT:SSL shared \
            libraries\nU:https://www.openssl.org/\nL:Apache-2.0\no:openssl\nm:Ariadne Conill <ariadne@example.org>\n\
            t:1706193344\nc:b784a22cad0c452586b438cb7a597d846fc09ff4\np:so:libssl.so.3=3\nF:lib\nR:libssl.so.3\n\
            P:not this\n\nP:b\nV:1-r0\nA:noarch\no:b\nf:fS\nF:x\n\nP:c\nV:2_git20240101-r1\nf:S\n\n";
        for path in INSTALLED {
            let (items, problems) = packages(&[
                (path, database),
                ("etc/os-release", "ID=wolfi\n"),
                (WORLD, "b=1-r0\nlibssl3~3.1 c@edge c>1\n"),
            ]);
            assert_eq!(problems, [] as [&str; 0]);
            let expected = Package {
                purl_type: "apk".to_owned(),
                namespace: "wolfi".to_owned(),
                name: "libssl3".to_owned(),
                version: "3.1.4-r5".to_owned(),
                architecture: "x86_64".to_owned(),
                vendor: Some("Ariadne Conill <ariadne@example.org>".to_owned()),
                source_name: Some("openssl".to_owned()),
                source_version: None,
                size_bytes: Some(495_616),
                ..Package::default()
            };
            assert_eq!(items.len(), 3);
            assert_eq!(items[0].kind, ItemKind::Package(expected));
            let states: Vec<_> = items
                .iter()
                .filter_map(|item| item.installation.as_ref())
                .map(|found| (found.state, found.held))
                .collect();
            use InstallState::{Incomplete, Installed};
            assert_eq!(states, [(Installed, false), (Incomplete, true), (Installed, false)]);
        }
    }

    #[test]
    fn a_bad_stanza_is_named_and_the_rest_is_read() {
        let database = "this is a corrupt db\n\nP:a\nV:1-r0\n\nV:1\n\nP:b\n\n\nP:c d\nV:1\n\nP:../e\nV:1\n\n\
            P:f\nV:1 2\n\nP:g\nV:1\nI:-5\nA:café";
        let (items, problems) = packages(&[(DB, database)]);
        let keys: Vec<_> = items.iter().map(Item::key).collect();
        assert_eq!(keys[0], "package\0apk\0alpine\0a\x001-r0\0\0");
        assert_eq!(items.len(), 2, "{keys:?}");
        assert_eq!(
            problems,
            [
                "lib/apk/db/installed line 1: \"this is a corrupt db\" is no field",
                "lib/apk/db/installed line 6: a stanza names no package",
                "lib/apk/db/installed line 8: package b has no version",
                "lib/apk/db/installed line 11: \"c d\" is no package name",
                "lib/apk/db/installed line 14: \"../e\" is no package name",
                "lib/apk/db/installed line 17: package f has a malformed version \"1 2\"",
            ]
        );
    }

    #[test]
    fn no_database_is_not_an_empty_one() {
        assert_eq!(packages(&[]).1, ["lib/apk/db/installed: this system has no apk database"]);
        assert_eq!(packages(&[(DB, "")]), (Vec::new(), Vec::new()));
        assert_eq!(packages(&[(DB, "\n\n\n")]), (Vec::new(), Vec::new()));
    }

    #[test]
    fn a_flood_is_cut() {
        let database = "P:a\nV:1\n\n".repeat(ITEMS_LIMIT + 10);
        let mut problems = Problems::default();
        assert_eq!(entries(database.as_bytes(), DB, &mut problems).len(), ITEMS_LIMIT);
        assert_eq!(problems.into_entries()[0].kind, ErrorKind::TooLarge);
    }
}
