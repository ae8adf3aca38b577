//! Homebrew's formulae and casks, as `brew list --versions` lists them: a folder for each name, in it one for each
//! version.
//!
//! Knows nothing of what links to them. Where a formula comes from and when it was installed stands in the receipt that
//! Homebrew writes; without a good receipt the folders' names are enough.

use std::borrow::Cow;

use muster_common::{
    inventory::{ErrorKind, Package, SectionName},
    time::EndpointTime,
};
use serde::Deserialize;

use crate::{
    host::{Host, HostError},
    sources::{
        Stamp,
        part::{Problems, SectionPart},
        software::language::{Language, LanguageSource, Place, Scope, layout},
    },
};

/// Receipts name every dependency.
const RECEIPT_BYTES: usize = 1 << 20;
/// Where formulae come from when nothing else is said, in package URLs too.
const CORE: &str = "homebrew/core";
const CASKS: &str = "homebrew/cask";

const LANGUAGE: Language = Language {
    name: "homebrew",
    people_name: "homebrew-people",
    section: SectionName::SOFTWARE_HOMEBREW,
    layout: layout! {
        system: ["home/linuxbrew/.linuxbrew", "opt/homebrew", "usr/local"],
        home: [".linuxbrew", ".homebrew", "homebrew"],
    },
    stamp: Stamp::Folders,
    named_by_home: None,
    read,
};

/// Formulae and casks of the machine.
pub(crate) const SYSTEM: LanguageSource = LanguageSource { language: &LANGUAGE, scope: Scope::System };
/// Formulae and casks in people's homes.
pub(crate) const PEOPLE: LanguageSource = LanguageSource { language: &LANGUAGE, scope: Scope::People };

/// What a receipt says, as far as an inventory asks.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Receipt<'a> {
    /// Seconds since the epoch.
    #[serde(default)]
    time: Option<i64>,
    /// Where it comes from.
    #[serde(borrow, default)]
    source: Option<Origin<'a>>,
}

#[derive(Debug, Default, Deserialize)]
struct Origin<'a> {
    #[serde(borrow, default)]
    tap: Option<Cow<'a, str>>,
}

/// Reads an `INSTALL_RECEIPT.json`.
pub(crate) fn receipt(bytes: &[u8]) -> Result<Receipt<'_>, serde_json::Error> {
    serde_json::from_slice(bytes)
}

fn read(host: &dyn Host, place: &Place, part: &mut SectionPart) {
    for (folder, namespace) in [("Cellar", ""), ("Caskroom", CASKS)] {
        for name in visible(place.names(host, folder, &mut part.problems)) {
            let below = format!("{folder}/{name}");
            for version in visible(place.names(host, &below, &mut part.problems)) {
                let receipt = match namespace {
                    CASKS => format!("{below}/.metadata/INSTALL_RECEIPT.json"),
                    _ => format!("{below}/{version}/INSTALL_RECEIPT.json"),
                };
                let (tap, installed) = origin(host, &place.at(&receipt), &mut part.problems);
                let package = Package {
                    purl_type: "brew".to_owned(),
                    namespace: tap.unwrap_or_else(|| namespace.to_owned()),
                    name: name.clone(),
                    version,
                    ..Package::default()
                };
                part.items.extend(place.item(package, installed));
            }
        }
    }
}

/// Hidden folders are Homebrew's own.
fn visible(names: Vec<String>) -> impl Iterator<Item = String> {
    names.into_iter().filter(|name| !name.starts_with('.'))
}

/// The tap, `None` for the usual one, and the time of installation.
fn origin(host: &dyn Host, file: &str, problems: &mut Problems) -> (Option<String>, Option<EndpointTime>) {
    let bytes = match host.read(file, RECEIPT_BYTES) {
        Ok(bytes) => bytes,
        // Homebrew writes the receipt last, and old casks have none.
        Err(HostError::Missing { .. } | HostError::WrongKind { .. }) => return (None, None),
        Err(error) => {
            problems.add_error(error);
            return (None, None);
        }
    };
    match receipt(&bytes) {
        Ok(Receipt { time, source }) => {
            let tap = source.and_then(|Origin { tap }| tap).filter(|tap| is_tap(tap) && tap != CORE);
            let installed = time
                .filter(|time| *time > 0)
                .map(|time| EndpointTime::from_millis(time.saturating_mul(1000)));
            (tap.map(Cow::into_owned), installed)
        }
        Err(error) => {
            problems.add(file, ErrorKind::Malformed, format!("it is no receipt of Homebrew: {error}"));
            (None, None)
        }
    }
}

/// `owner/repository`.
fn is_tap(tap: &str) -> bool {
    let is_part =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/');
    tap.split_once('/').is_some_and(|(owner, repository)| is_part(owner) && is_part(repository))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::{Source, software::testing::found, testing::recorded};

    const RECEIPT: &str = r#"{"homebrew_version":"4.4.0","installed_on_request":true,"time":1700000000,
        "runtime_dependencies":[{"full_name":"x","version":"1"}],
        "source":{"spec":"stable","versions":{"stable":"1.0"},"tap":"homebrew/core"}}"#;

    #[test]
    fn formulae_and_casks() {
        let other = RECEIPT.replace("homebrew/core", "some-org/some-tap");
        let files = [
            ("home/linuxbrew/.linuxbrew/Cellar/openssl@3/3.3.2/INSTALL_RECEIPT.json", RECEIPT),
            ("home/linuxbrew/.linuxbrew/Cellar/openssl@3/3.4.0_1/INSTALL_RECEIPT.json", RECEIPT),
            ("home/linuxbrew/.linuxbrew/Cellar/tool/HEAD-abc1234/INSTALL_RECEIPT.json", &other),
            ("home/linuxbrew/.linuxbrew/Cellar/plain/1.0/bin/plain", ""),
            ("home/linuxbrew/.linuxbrew/Cellar/.keepme", ""),
            ("opt/homebrew/Caskroom/firefox/132.0/firefox.app", ""),
            ("opt/homebrew/Caskroom/firefox/.metadata/config.json", "{}"),
            ("opt/homebrew/Caskroom/gone/.metadata/config.json", "{}"),
            ("etc/passwd", "brew:x:1000:1::/home/linuxbrew:/x\nann:x:1001:1::/home/ann:/x\n"),
            ("home/ann/.linuxbrew/Cellar/a/1/x", ""),
        ];
        let (items, problems) = found(&SYSTEM, &files);
        assert_eq!(
            items,
            [
                "brew - openssl@3 3.3.2 - - /home/linuxbrew/.linuxbrew -",
                "brew - openssl@3 3.4.0_1 - - /home/linuxbrew/.linuxbrew -",
                "brew - plain 1.0 - - /home/linuxbrew/.linuxbrew -",
                "brew some-org/some-tap tool HEAD-abc1234 - - /home/linuxbrew/.linuxbrew -",
                "brew homebrew/cask firefox 132.0 - - /opt/homebrew -",
            ]
        );
        assert_eq!(problems, [] as [&str; 0]);
        assert_eq!(found(&PEOPLE, &files).0, ["brew - a 1 - - /home/ann/.linuxbrew ann"]);

        let (_folder, host) = recorded(&files);
        let first = SYSTEM.collect(&host).items.remove(0);
        let installed = first.installation.and_then(|installation| installation.installed);
        assert_eq!(installed, Some(EndpointTime::from_millis(1_700_000_000_000)));
    }

    #[test]
    fn a_bad_receipt_is_named_and_its_formula_listed() {
        let deep = "[".repeat(100_000);
        for (content, problems) in [
            ("{", 1),
            ("", 1),
            (deep.as_str(), 1),
            (r#"{"time":"x"}"#, 1),
            (r#"{"time":-9223372036854775808,"source":{"tap":"../..\u001b"}}"#, 0),
            (r#"{"time":9223372036854775807,"source":null}"#, 0),
        ] {
            let files = [
                ("usr/local/Cellar/a/1/INSTALL_RECEIPT.json", content),
                ("usr/local/Cellar/b/1/INSTALL_RECEIPT.json", RECEIPT),
            ];
            let (items, named) = found(&SYSTEM, &files);
            assert_eq!(
                items,
                ["brew - a 1 - - /usr/local -", "brew - b 1 - - /usr/local -"],
                "{content:.20}"
            );
            assert_eq!(named.len(), problems, "{content:.20} {named:?}");
        }
    }
}
