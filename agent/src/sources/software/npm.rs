//! Packages that npm installed globally: each has a folder with its manifest.
//!
//! Knows nothing of dependencies, which lie deeper, and of projects. Debian's own packages of Node modules lie under
//! `/usr/share/nodejs`, which is not read; npm and corepack that came with Node itself are listed, as `npm ls -g` does,
//! since no system package states their version.

use std::borrow::Cow;

use muster_common::inventory::{ErrorKind, Package, SectionName};
use serde::{Deserialize, de::IgnoredAny};

use crate::{
    host::{Host, HostError},
    sources::{
        Stamp,
        part::SectionPart,
        software::language::{Language, LanguageSource, Place, Scope, join, layout, person, time},
    },
};

/// Manifests list every file and script of a package; the largest of real tools have a tenth of this.
const MANIFEST_BYTES: usize = 256 << 10;

const LANGUAGE: Language = Language {
    name: "npm",
    people_name: "npm-people",
    section: SectionName::SOFTWARE_NPM,
    layout: layout! {
        system: [
            "usr/lib/node_modules",
            "usr/local/lib/node_modules",
            "usr/local/n/versions/node/*/lib/node_modules",
            "opt/node*/lib/node_modules",
        ],
        home: [
            ".nvm/versions/node/*/lib/node_modules",
            ".npm-global/lib/node_modules",
            ".npm-packages/lib/node_modules",
            ".local/lib/node_modules",
            ".local/share/fnm/node-versions/*/installation/lib/node_modules",
            ".local/share/mise/installs/node/*/lib/node_modules",
            ".asdf/installs/nodejs/*/lib/node_modules",
            ".volta/tools/image/packages/*/lib/node_modules",
            "n/lib/node_modules",
        ],
    },
    stamp: Stamp::Folders,
    named_by_home: None,
    read,
};

/// Packages of the machine.
pub(crate) const SYSTEM: LanguageSource = LanguageSource { language: &LANGUAGE, scope: Scope::System };
/// Packages in people's homes.
pub(crate) const PEOPLE: LanguageSource = LanguageSource { language: &LANGUAGE, scope: Scope::People };

/// What a manifest says, as far as an inventory asks.
#[derive(Debug, Deserialize)]
pub(crate) struct Manifest<'a> {
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    version: Option<Cow<'a, str>>,
    author: Option<Author>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Author {
    Text(String),
    Person { name: String },
    Other(IgnoredAny),
}

/// Reads a `package.json`: name, version and author.
pub(crate) fn manifest(bytes: &[u8]) -> Result<Manifest<'_>, serde_json::Error> {
    serde_json::from_slice(bytes)
}

fn read(host: &dyn Host, place: &Place, part: &mut SectionPart) {
    for name in place.names(host, "", &mut part.problems) {
        if name.starts_with('.') {
            continue;
        }
        if name.starts_with('@') {
            for below in place.names(host, &name, &mut part.problems) {
                package(host, place, &join(&name, &below), part);
            }
        } else {
            package(host, place, &name, part);
        }
    }
}

/// Adds the package of one folder, which is named as the package is.
fn package(host: &dyn Host, place: &Place, folder: &str, part: &mut SectionPart) {
    let file = format!("{}/package.json", place.at(folder));
    let bytes = match host.read(&file, MANIFEST_BYTES) {
        Ok(bytes) => bytes,
        // A folder or file without a manifest is no package, to npm neither.
        Err(error) if error.is_missing() || matches!(error, HostError::WrongKind { .. }) => {
            return;
        }
        Err(error) => return part.problems.add_error(error),
    };
    let Manifest { name, version, author } = match manifest(&bytes) {
        Ok(manifest) => manifest,
        Err(error) => {
            return part.problems.add(
                &file,
                ErrorKind::Malformed,
                format!("it is no good manifest: {error}"),
            );
        }
    };
    let full = name.as_deref().unwrap_or(folder);
    let (namespace, name) = match full.split_once('/') {
        Some((scope, name)) if scope.starts_with('@') => (scope, name),
        Some(_) | None => ("", full),
    };
    let is_good =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/');
    let Some(version) = version.filter(|version| is_good(version)) else {
        return part.problems.add(&file, ErrorKind::Malformed, "the package states no good version");
    };
    if !is_good(name) || !(namespace.is_empty() || is_good(namespace)) {
        return part.problems.add(&file, ErrorKind::Malformed, "the package states no good name");
    }
    let vendor = match author {
        Some(Author::Text(text) | Author::Person { name: text }) => person(&text),
        Some(Author::Other(IgnoredAny)) | None => None,
    };
    // npm gives what it unpacks the present time; what came with Node has the time of Node's making.
    let installed = (!matches!(full, "npm" | "corepack")).then(|| time(host, &file)).flatten();
    let package = Package {
        purl_type: "npm".to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        version: version.into_owned(),
        vendor,
        ..Package::default()
    };
    part.items.extend(place.item(package, installed));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::software::testing::found;

    #[test]
    fn plain_and_scoped_packages() {
        let files = [
            (
                "usr/lib/node_modules/npm/package.json",
                r#"{"name":"npm","version":"10.8.2","author":"GitHub Inc."}"#,
            ),
            (
                "usr/lib/node_modules/@angular/cli/package.json",
                r#"{"version":"17.0.0-rc.1+b","name":"@angular/cli","author":{"name":"Ann","email":"a@b"},"x":[{}]}"#,
            ),
            ("usr/lib/node_modules/unnamed/package.json", r#"{"version":"1","author":["x"]}"#),
            ("usr/lib/node_modules/empty/readme", ""),
            ("usr/lib/node_modules/.bin/package.json", "{}"),
            (
                "usr/local/lib/node_modules/npm/package.json",
                r#"{"name":"npm","version":"9.0.0","author":"a@b"}"#,
            ),
            (
                "usr/local/lib/node_modules/npm/node_modules/deep/package.json",
                r#"{"name":"d","version":"1"}"#,
            ),
        ];
        let (items, problems) = found(&SYSTEM, &files);
        assert_eq!(
            items,
            [
                "npm @angular cli 17.0.0-rc.1+b - Ann /usr/lib/node_modules -",
                "npm - npm 10.8.2 - GitHub Inc. /usr/lib/node_modules -",
                "npm - unnamed 1 - - /usr/lib/node_modules -",
                "npm - npm 9.0.0 - - /usr/local/lib/node_modules -",
            ]
        );
        assert_eq!(problems, [] as [&str; 0]);
    }

    #[test]
    fn a_bad_manifest_is_named_and_the_rest_is_read() {
        let deep = format!(r#"{{"name":"deep","version":"1","x":{}"#, "[".repeat(100_000));
        let large = format!(r#"{{"name":"large","version":"1","x":"{}"}}"#, "y".repeat(MANIFEST_BYTES));
        let bad = [
            ("cut", r#"{"name":"cut","version""#, "it is no good manifest: "),
            ("deep", &deep, "it is no good manifest: "),
            ("large", &large, "usr/local/lib/node_modules/large/package.json is larger than"),
            ("number", r#"{"name":"number","version":1}"#, "it is no good manifest: "),
            ("path", r#"{"name":"../../x","version":"1"}"#, "the package states no good name"),
            ("scope", r#"{"name":"@/x","version":"1\u0000"}"#, "the package states no good version"),
            ("terminal", r#"{"name":"a\u001b[31m","version":"1"}"#, "the package states no good name"),
            ("versionless", r#"{"name":"versionless"}"#, "the package states no good version"),
        ];
        let mut files: Vec<(String, &str)> = bad
            .iter()
            .map(|(name, content, _)| (format!("usr/local/lib/node_modules/{name}/package.json"), *content))
            .collect();
        files.push((
            "usr/local/lib/node_modules/good/package.json".to_owned(),
            r#"{"name":"good","version":"2"}"#,
        ));
        let files: Vec<_> = files.iter().map(|(path, content)| (path.as_str(), *content)).collect();
        let (items, problems) = found(&SYSTEM, &files);
        assert_eq!(items, ["npm - good 2 - - /usr/local/lib/node_modules -"]);
        assert_eq!(problems.len(), bad.len(), "{problems:?}");
        for (problem, (name, _, what)) in problems.iter().zip(bad) {
            assert!(problem.contains(&format!("/{name}/")) && problem.contains(what), "{problem}");
        }
    }

    #[test]
    fn versions_of_node_in_a_home() {
        let files = [
            ("etc/passwd", "ann:x:1000:1000::/home/ann:/x\n"),
            ("home/ann/.nvm/versions/node/v20.1.0/lib/node_modules/a/package.json", r#"{"version":"1"}"#),
            ("home/ann/.nvm/versions/node/v22.0.0/lib/node_modules/a/package.json", r#"{"version":"1"}"#),
        ];
        let at =
            |node: &str| format!("npm - a 1 - - /home/ann/.nvm/versions/node/{node}/lib/node_modules ann");
        assert_eq!(found(&PEOPLE, &files), (vec![at("v20.1.0"), at("v22.0.0")], Vec::new()));
        assert_eq!(found(&SYSTEM, &files), (Vec::new(), Vec::new()));
    }
}
