//! Programs that `cargo install` built, by cargo's own list beside them.
//!
//! Knows nothing of projects and of the libraries in a program. Of cargo's two lists the older, `.crates.toml`, is the
//! one that cargo believes; the newer is read where the older cannot be.

use std::collections::BTreeMap;

use muster_common::inventory::{ErrorKind, Package, SectionName};
use serde::Deserialize;

use crate::{
    host::{Host, HostError},
    sources::{
        Stamp,
        part::SectionPart,
        software::language::{Language, LanguageSource, Place, Scope, layout, time},
    },
};

const LIST: &str = ".crates.toml";
const NEWER_LIST: &str = ".crates2.json";
/// A crate has a hundred bytes in the older list and three hundred in the newer.
const LIST_BYTES: usize = 512 << 10;

const LANGUAGE: Language = Language {
    name: "cargo",
    people_name: "cargo-people",
    section: SectionName::SOFTWARE_CARGO,
    layout: layout! {
        system: ["usr/local", "usr/local/cargo", "opt/cargo"],
        home: [".cargo", ".local"],
    },
    stamp: Stamp::Touched,
    named_by_home: None,
    read,
};

/// Programs of the machine.
pub(crate) const SYSTEM: LanguageSource = LanguageSource { language: &LANGUAGE, scope: Scope::System };
/// Programs in people's homes.
pub(crate) const PEOPLE: LanguageSource = LanguageSource { language: &LANGUAGE, scope: Scope::People };

/// Crates as cargo lists them, `name version (where from)`, with their programs.
type Crates = BTreeMap<String, Vec<String>>;

#[derive(Debug, Deserialize)]
struct List {
    #[serde(default)]
    v1: Crates,
}

#[derive(Debug, Deserialize)]
struct NewerList {
    #[serde(default)]
    installs: BTreeMap<String, NewerEntry>,
}

#[derive(Debug, Deserialize)]
struct NewerEntry {
    #[serde(default)]
    bins: Vec<String>,
}

/// Reads `.crates.toml`; the error says what is wrong.
pub(crate) fn list(bytes: &[u8]) -> Result<Crates, String> {
    let List { v1 } = toml::from_slice(bytes).map_err(|error| error.message().to_owned())?;
    Ok(v1)
}

/// Reads `.crates2.json`; the error says what is wrong.
pub(crate) fn newer_list(bytes: &[u8]) -> Result<Crates, String> {
    let NewerList { installs } = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    Ok(installs.into_iter().map(|(key, NewerEntry { bins })| (key, bins)).collect())
}

/// Name and version in `name version (where from)`.
fn name_and_version(key: &str) -> Option<(&str, &str)> {
    let mut words = key.split(' ');
    let (name, version) = (words.next()?, words.next()?);
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let is_version = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'+');
    let is_good = !name.is_empty()
        && name.bytes().all(is_name)
        && version.starts_with(|first: char| first.is_ascii_digit())
        && version.bytes().all(is_version);
    is_good.then_some((name, version))
}

fn read(host: &dyn Host, place: &Place, part: &mut SectionPart) {
    let mut failure = None;
    for (name, parse) in [(LIST, list as fn(&[u8]) -> Result<Crates, String>), (NEWER_LIST, newer_list)] {
        let file = place.at(name);
        let crates = match host.read(&file, LIST_BYTES) {
            Ok(bytes) => parse(&bytes),
            // Both are there or none is.
            Err(HostError::Missing { .. }) if failure.is_none() => return,
            Err(HostError::Missing { .. }) => continue,
            Err(error) => {
                part.problems.add_error(error);
                failure = Some(());
                continue;
            }
        };
        match crates {
            Ok(crates) => return add(host, place, &file, crates, part),
            Err(message) => {
                part.problems.add(&file, ErrorKind::Malformed, format!("it is no list of cargo: {message}"));
                failure = Some(());
            }
        }
    }
}

fn add(host: &dyn Host, place: &Place, file: &str, crates: Crates, part: &mut SectionPart) {
    for (key, programs) in crates {
        let Some((name, version)) = name_and_version(&key) else {
            part.problems.add(file, ErrorKind::Malformed, format!("{key:?} names no crate and version"));
            continue;
        };
        let program = programs.first().filter(|program| !program.contains('/'));
        let installed = program.and_then(|program| time(host, &format!("{}/bin/{program}", place.path)));
        let package = Package {
            purl_type: "cargo".to_owned(),
            name: name.to_owned(),
            version: version.to_owned(),
            ..Package::default()
        };
        part.items.extend(place.item(package, installed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::software::testing::found;

    const GOOD: &str = "[v1]\n\"ripgrep 14.1.1 (registry+https://github.com/rust-lang/crates.io-index)\" = [\"rg\"]\n\
        \"tool 0.1.0-rc.1+x (path+file:///src/a b)\" = [\"tool\", \"other\"]\n";

    #[test]
    fn both_lists_say_the_same() {
        let newer = r#"{"installs":{"ripgrep 14.1.1 (registry+https://github.com/rust-lang/crates.io-index)":
            {"version_req":null,"bins":["rg"],"features":[],"target":"x86_64-unknown-linux-gnu"},
            "tool 0.1.0-rc.1+x (path+file:///src/a b)":{"bins":["tool","other"]}},"x":1}"#;
        assert_eq!(list(GOOD.as_bytes()), newer_list(newer.as_bytes()));
        let expected = [
            "cargo - ripgrep 14.1.1 - - /root/.cargo root",
            "cargo - tool 0.1.0-rc.1+x - - /root/.cargo root",
        ];
        let (items, problems) =
            found(&SYSTEM, &[("root/.cargo/.crates.toml", GOOD), ("root/.cargo/.crates2.json", "{")]);
        assert_eq!(items, expected);
        assert_eq!(problems, [] as [&str; 0]);
        let (items, problems) =
            found(&SYSTEM, &[("root/.cargo/.crates.toml", "[v1"), ("root/.cargo/.crates2.json", newer)]);
        assert_eq!(items, expected);
        assert_eq!(problems.len(), 1, "{problems:?}");
    }

    #[test]
    fn a_bad_entry_is_named_and_the_rest_is_read() {
        let content = format!(
            "{GOOD}\"../x 1 (y)\" = []\n\"nameless\" = []\n\"a \\u001b (y)\" = []\n\"b 1 (y)\" = [\"../../z\"]\n"
        );
        let (items, problems) = found(&SYSTEM, &[("usr/local/.crates.toml", &content)]);
        assert_eq!(
            items,
            [
                "cargo - b 1 - - /usr/local -",
                "cargo - ripgrep 14.1.1 - - /usr/local -",
                "cargo - tool 0.1.0-rc.1+x - - /usr/local -",
            ]
        );
        assert_eq!(problems.len(), 3, "{problems:?}");
        let deep = format!("x = {}", "[".repeat(50_000));
        let dotted = format!("[v1]\n{}a = []", "a.".repeat(200_000));
        let header = format!("[{}a]\n", "a.".repeat(200_000));
        for bad in ["[v1]\na = 1", "v1 = 3", "\u{0}", &deep, &dotted, &header] {
            let (items, problems) = found(&SYSTEM, &[("usr/local/.crates.toml", bad)]);
            assert_eq!((items.len(), problems.len()), (0, 1), "{bad:.20}");
        }
        assert_eq!(found(&SYSTEM, &[("usr/local/bin/x", "")]), (Vec::new(), Vec::new()));
    }

    #[test]
    fn of_people() {
        let files = [("home/ann/.cargo/.crates.toml", "[v1]\n\"a 1.0.0 (x)\" = [\"a\"]\n")];
        assert_eq!(found(&PEOPLE, &files).0, ["cargo - a 1.0.0 - - /home/ann/.cargo ann"]);
    }
}
