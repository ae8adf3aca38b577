//! Extensions of Visual Studio Code and of the editors made from it, each user's own.
//!
//! Knows where each editor keeps them and the list that the editor writes there; an editor too old to write one is read
//! by its folders' names. Knows nothing of what an extension does or of the files that its user opens. Whether an
//! extension is switched off stands in a database of the user's doings, which is left alone.

use std::collections::HashMap;

use muster_common::{
    inventory::{ErrorKind, Installation, Item, ItemKind, Package, SectionName},
    time::EndpointTime,
};
use serde::{Deserialize, de::IgnoredAny};

use crate::{
    host::Host,
    sources::{
        Personal, Source, Stamp,
        homes::{self, Home},
        json::{self, Lenient},
        part::{ITEMS_LIMIT, Problems, SectionPart},
        read, text,
    },
};

/// Where editors keep extensions, below a home.
const FOLDERS: &[&str] = &[
    ".vscode/extensions",
    ".vscode-server/extensions",
    ".vscode-insiders/extensions",
    ".vscode-server-insiders/extensions",
    ".vscode-oss/extensions",
    ".vscodium-server/extensions",
    ".cursor/extensions",
    ".cursor-server/extensions",
    ".windsurf/extensions",
    ".windsurf-server/extensions",
    ".local/share/code-server/extensions",
    ".var/app/com.visualstudio.code/data/vscode/extensions",
    ".var/app/com.vscodium.codium/data/codium/extensions",
];

/// Some kilobytes an extension.
const LIST_LIMIT: usize = 2 << 20;
/// Extensions of one editor.
const EXTENSIONS_LIMIT: usize = 2000;

/// Editors' extensions.
#[derive(Debug)]
pub(crate) struct EditorSource;

impl Source for EditorSource {
    fn name(&self) -> &'static str {
        "editor"
    }

    fn section(&self) -> SectionName {
        SectionName::known(SectionName::SOFTWARE_EDITOR)
    }

    fn reads(&self) -> &'static [&'static str] {
        &[
            "HOME/.vscode*/extensions/extensions.json",
            "HOME/.cursor*/extensions/extensions.json",
            "HOME/.windsurf*/extensions/extensions.json",
            "HOME/.local/share/code-server/extensions/extensions.json",
            "HOME/.var/app/*/data/*/extensions/extensions.json",
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
            for folder in FOLDERS {
                if part.items.len() >= ITEMS_LIMIT {
                    return part;
                }
                of_editor(host, &home, folder, &mut part);
            }
        }
        part
    }
}

fn of_editor(host: &dyn Host, home: &Home, folder: &str, part: &mut SectionPart) {
    let place = format!("{}/{folder}", home.path);
    let list = format!("{place}/extensions.json");
    let problems = &mut part.problems;
    let mut extensions = match host.read(&list, LIST_LIMIT) {
        Ok(bytes) => match listed(&bytes) {
            Ok((extensions, bad)) => {
                if bad > 0 {
                    problems.add(&list, ErrorKind::Malformed, format!("{bad} entries are no extensions"));
                }
                extensions
            }
            Err(error) => {
                problems.add(&list, ErrorKind::Malformed, format!("is no list of extensions: {error}"));
                by_folders(host, &place, problems)
            }
        },
        Err(error) if error.is_missing() => by_folders(host, &place, problems),
        Err(error) => {
            problems.add_error(error);
            by_folders(host, &place, problems)
        }
    };
    if extensions.len() > EXTENSIONS_LIMIT {
        problems.add(&list, ErrorKind::TooLarge, format!("more than {EXTENSIONS_LIMIT} extensions"));
        extensions.truncate(EXTENSIONS_LIMIT);
    }
    part.items.extend(extensions.into_iter().map(|extension| extension.into_item(home, &place)));
}

/// One extension.
#[derive(Debug, PartialEq, Eq, Default)]
pub(crate) struct Extension {
    publisher: String,
    name: String,
    version: String,
    platform: String,
    vendor: Option<String>,
    size_bytes: Option<u64>,
    installed: Option<EndpointTime>,
}

#[derive(Debug, Deserialize)]
struct Entry {
    identifier: Identifier,
    version: String,
    metadata: Option<Lenient<Metadata>>,
}

#[derive(Debug, Deserialize)]
struct Identifier {
    id: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    installed_timestamp: Option<i64>,
    publisher_display_name: Option<String>,
    target_platform: Option<String>,
    size: Option<u64>,
}

/// The extensions in an editor's own list, and how many entries are none.
pub(crate) fn listed(bytes: &[u8]) -> Result<(Vec<Extension>, usize), serde_json::Error> {
    let entries: Vec<Lenient<Entry>> = serde_json::from_slice(bytes)?;
    let (good, mut bad) = json::sift(entries);
    let all = good.len();
    let extensions: Vec<_> = good.into_iter().filter_map(Entry::into_extension).collect();
    bad += all - extensions.len();
    Ok((extensions, bad))
}

impl Entry {
    fn into_extension(self) -> Option<Extension> {
        let Self { identifier: Identifier { id }, version, metadata } = self;
        let Metadata { installed_timestamp, publisher_display_name, target_platform, size } =
            metadata.and_then(Lenient::good).unwrap_or_default();
        let (publisher, name) = parts_of_id(&id)?;
        let platform =
            target_platform.filter(|platform| !matches!(platform.as_str(), "undefined" | "universal"));
        Some(Extension {
            publisher,
            name,
            version: text::clean(version.as_bytes())?,
            platform: platform.and_then(|platform| text::clean(platform.as_bytes())).unwrap_or_default(),
            vendor: publisher_display_name.and_then(|name| text::clean(name.as_bytes())),
            size_bytes: size.filter(|size| *size > 0),
            installed: installed_timestamp.map(EndpointTime::from_millis),
        })
    }
}

/// Publisher and name, in lower case: the market takes them in any, so purl writes them so.
fn parts_of_id(id: &str) -> Option<(String, String)> {
    let (publisher, name) = id.split_once('.')?;
    let part = |part: &str| text::clean(part.to_lowercase().as_bytes());
    Some((part(publisher)?, part(name)?))
}

/// The extensions in a folder, for want of a list.
fn by_folders(host: &dyn Host, place: &str, problems: &mut Problems) -> Vec<Extension> {
    let Some(names) = read::names(host, place, EXTENSIONS_LIMIT, problems) else { return Vec::new() };
    // What was uninstalled stays on disk until the editor starts again.
    let obsolete = read::guessed(host, &format!("{place}/.obsolete"), LIST_LIMIT, problems);
    let obsolete: HashMap<String, IgnoredAny> =
        obsolete.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    names.iter().filter(|name| !obsolete.contains_key(*name)).filter_map(|name| of_folder(name)).collect()
}

/// `publisher.name-1.2.3` or `publisher.name-1.2.3-linux-x64`.
pub(crate) fn of_folder(name: &str) -> Option<Extension> {
    // Names have hyphens and digits too (`three-3d-tools`): the version is where three numbers stand.
    let starts_version = |text: &str| {
        let mut numbers = text.splitn(3, '.');
        let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        number(numbers.next().unwrap_or_default())
            && number(numbers.next().unwrap_or_default())
            && numbers.next().is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    let (hyphen, _) = name.match_indices('-').find(|(place, _)| starts_version(&name[place + 1..]))?;
    let (publisher, extension) = parts_of_id(&name[..hyphen])?;
    let rest = &name[hyphen + 1..];
    let (version, platform) = ["-linux-", "-alpine-", "-darwin-", "-win32-", "-web"]
        .iter()
        .find_map(|platform| rest.find(platform))
        .map_or((rest, ""), |place| (&rest[..place], &rest[place + 1..]));
    Some(Extension {
        publisher,
        name: extension,
        version: text::clean(version.as_bytes())?,
        platform: text::clean(platform.as_bytes()).unwrap_or_default(),
        ..Extension::default()
    })
}

impl Extension {
    fn into_item(self, home: &Home, place: &str) -> Item {
        let Self { publisher, name, version, platform, vendor, size_bytes, installed } = self;
        let package = Package {
            purl_type: "vscode-extension".to_owned(),
            namespace: publisher,
            name,
            version,
            architecture: platform,
            vendor,
            size_bytes,
            ..Package::default()
        };
        let installation = Installation {
            // The editor's folder, not the extension's: one under development lies among its user's files.
            path: format!("/{place}"),
            user: home.user.clone(),
            installed,
            ..Installation::default()
        };
        Item { kind: ItemKind::Package(package), installation: Some(installation) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::testing::recorded;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nanna:x:1000:1000::/home/anna:/bin/sh\n";
    const LIST: &str = r#"[
        {"identifier":{"id":"ms-python.Python","uuid":"f1f59ae4"},"version":"2025.1.0","location":{"$mid":1,
         "path":"/home/anna/secret/project","scheme":"file"},"relativeLocation":"ms-python.python-2025.1.0",
         "metadata":{"installedTimestamp":1700000000000,"publisherDisplayName":"Microsoft","size":1234,
         "targetPlatform":"linux-x64","isPreReleaseVersion":false}},
        {"identifier":{"id":"esbenp.prettier-vscode"},"version":"10.1.0",
         "metadata":{"installedTimestamp":"yesterday","targetPlatform":"universal"}},
        {"identifier":{"id":"nodot"},"version":"1.0.0"},
        {"identifier":null},
        7
    ]"#;

    /// `user path namespace/name@version architecture` of each extension.
    fn shown(part: &SectionPart) -> Vec<String> {
        part.items
            .iter()
            .map(|item| {
                let ItemKind::Package(package) = &item.kind else { panic!("{item:?} is no package") };
                assert_eq!(package.purl_type, "vscode-extension");
                let installation = item.installation.as_ref().unwrap();
                format!(
                    "{} {} {}/{}@{} {}",
                    installation.user,
                    installation.path,
                    package.namespace,
                    package.name,
                    package.version,
                    package.architecture
                )
            })
            .collect()
    }

    fn check(files: &[(&str, &str)], expected: &[&str], expected_problems: &[&str]) {
        let (_folder, host) = recorded(files);
        let part = EditorSource.collect(&host);
        assert_eq!(shown(&part), expected);
        let problems = part.problems.into_entries().into_iter();
        let problems: Vec<_> =
            problems.map(|entry| format!("{}: {}", entry.subject, entry.message)).collect();
        assert_eq!(problems, expected_problems);
    }

    #[test]
    fn lists_and_folders() {
        check(
            &[
                ("etc/passwd", PASSWD),
                ("home/anna/.vscode/extensions/extensions.json", LIST),
                ("home/anna/.vscode/extensions/left.over-1.0.0/package.json", "{}"),
                ("root/.vscode-oss/extensions/rust-lang.rust-analyzer-0.3.2000-linux-x64/package.json", "{}"),
                ("root/.vscode-oss/extensions/three.d-3d-tools-1.2.3/package.json", "{}"),
                ("root/.vscode-oss/extensions/gone.gone-1.0.0/package.json", "{}"),
                ("root/.vscode-oss/extensions/.obsolete", r#"{"gone.gone-1.0.0":true}"#),
            ],
            &[
                "root /root/.vscode-oss/extensions rust-lang/rust-analyzer@0.3.2000 linux-x64",
                "root /root/.vscode-oss/extensions three/d-3d-tools@1.2.3 ",
                "anna /home/anna/.vscode/extensions ms-python/python@2025.1.0 linux-x64",
                "anna /home/anna/.vscode/extensions esbenp/prettier-vscode@10.1.0 ",
            ],
            &["home/anna/.vscode/extensions/extensions.json: 3 entries are no extensions"],
        );
    }

    #[test]
    fn what_is_known_of_one() {
        let (extensions, _) = listed(LIST.as_bytes()).unwrap();
        let expected = Extension {
            publisher: "ms-python".to_owned(),
            name: "python".to_owned(),
            version: "2025.1.0".to_owned(),
            platform: "linux-x64".to_owned(),
            vendor: Some("Microsoft".to_owned()),
            size_bytes: Some(1234),
            installed: Some(EndpointTime::from_millis(1_700_000_000_000)),
        };
        assert_eq!(extensions[0], expected);
    }

    #[test]
    fn nothing_of_a_users_folders_leaves() {
        let (_folder, host) =
            recorded(&[("etc/passwd", PASSWD), ("home/anna/.vscode/extensions/extensions.json", LIST)]);
        assert!(!format!("{:?}", EditorSource.collect(&host)).contains("secret"));
    }

    #[test]
    fn hostile_lists() {
        let list = "home/anna/.cursor/extensions/extensions.json";
        for (content, problem) in [
            ("{}", "is no list of extensions: invalid type: map, expected a sequence at line 1 column 0"),
            ("[", "is no list of extensions: EOF while parsing a list at line 1 column 1"),
            (&*"[".repeat(1000), "is no list of extensions: recursion limit exceeded at line 1 column 128"),
        ] {
            check(&[("etc/passwd", PASSWD), (list, content)], &[], &[&format!("{list}: {problem}")]);
        }
        let flood = format!("[{}]", vec![r#"{"identifier":{"id":"a.b"},"version":"1"}"#; 3000].join(","));
        let (_folder, host) = recorded(&[("etc/passwd", PASSWD), (list, &flood)]);
        let part = EditorSource.collect(&host);
        assert_eq!(part.items.len(), EXTENSIONS_LIMIT);
        assert_eq!(part.problems.into_entries()[0].kind, ErrorKind::TooLarge);
        check(&[("etc/passwd", PASSWD)], &[], &[]);
    }

    #[test]
    fn folder_names() {
        for (name, expected) in [
            ("ms-vscode.cpptools-1.22.11-linux-x64", Some(("ms-vscode", "cpptools", "1.22.11", "linux-x64"))),
            ("a.b-1.2.3-beta.1", Some(("a", "b", "1.2.3-beta.1", ""))),
            ("a.b-2-1.2.3", Some(("a", "b-2", "1.2.3", ""))),
            ("extensions.json", None),
            (".init-default-profile-extensions", None),
            ("a.b-1.2", None),
            ("ab-1.2.3", None),
            ("-1.2.3", None),
        ] {
            let found = of_folder(name);
            let found = found
                .as_ref()
                .map(|found| (&*found.publisher, &*found.name, &*found.version, &*found.platform));
            assert_eq!(found, expected, "{name}");
        }
    }
}
