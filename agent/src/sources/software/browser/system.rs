//! Extensions that a machine has for all users of a browser: laid down by packages, or forced by a policy.
//!
//! Knows the folders and policy files of each browser. A policy names an id and where to get it, so a forced extension
//! has no version here; its users' own rows have. Knows nothing of the policies' other rules. An unpacked folder for
//! Chromium has no id of its own and is its package's to tell.

use std::collections::HashMap;

use muster_common::inventory::{ErrorKind, SectionName};
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    Extension, Extensions, Family,
    chromium::{Manifest, is_id},
};
use crate::{
    host::Host,
    sources::{
        Source, Stamp,
        json::Lenient,
        part::{Problems, SectionPart},
        read, text,
    },
};

/// `ID.json` with a version or the address of updates.
const EXTERNAL: &[&str] = &[
    "usr/share/google-chrome/extensions",
    "opt/google/chrome/extensions",
    "usr/share/chromium/extensions",
    "usr/share/microsoft-edge/extensions",
    "usr/share/brave-browser/extensions",
];
/// Managed policies of the Chromium family.
const POLICIES: &[&str] = &[
    "etc/opt/chrome/policies/managed",
    "etc/chromium/policies/managed",
    "etc/opt/edge/policies/managed",
    "etc/brave/policies/managed",
];
/// `ID.xpi`, or a folder of that name with a manifest.
const ADDONS: &[&str] = &[
    "usr/share/mozilla/extensions/{ec8030f7-c20a-464f-9b0e-13a3a9e97384}",
    "usr/lib/mozilla/extensions/{ec8030f7-c20a-464f-9b0e-13a3a9e97384}",
    "usr/lib64/mozilla/extensions/{ec8030f7-c20a-464f-9b0e-13a3a9e97384}",
    "usr/lib/firefox/distribution/extensions",
    "usr/lib/firefox-esr/distribution/extensions",
    "usr/lib64/firefox/distribution/extensions",
    "opt/firefox/distribution/extensions",
];
const FIREFOX_POLICIES: &str = "etc/firefox/policies/policies.json";

const FOLDER_LIMIT: usize = 1000;
const FILE_LIMIT: usize = 1 << 20;
/// Extensions of one folder or policy.
const EXTENSIONS_LIMIT: usize = 1000;

/// Extensions of all users.
#[derive(Debug)]
pub(crate) struct BrowserSystemSource;

impl Source for BrowserSystemSource {
    fn name(&self) -> &'static str {
        "browser-system"
    }

    fn section(&self) -> SectionName {
        SectionName::known(SectionName::SOFTWARE_BROWSER)
    }

    fn reads(&self) -> &'static [&'static str] {
        &[
            "usr/share/{google-chrome,chromium,microsoft-edge,brave-browser}/extensions/*.json",
            "opt/google/chrome/extensions/*.json",
            "etc/{opt/chrome,chromium,opt/edge,brave}/policies/managed/*.json",
            "usr/{share,lib,lib64}/mozilla/extensions/*/*",
            "usr/{lib,lib64}/firefox*/distribution/extensions/*",
            "opt/firefox/distribution/extensions/*",
            "etc/firefox/policies/policies.json",
        ]
    }

    fn stamp(&self) -> Stamp {
        Stamp::Touched
    }

    fn collect(&self, host: &dyn Host) -> SectionPart {
        let mut part = SectionPart::default();
        for (folders, read_folder, family) in [
            (EXTERNAL, external as ReadFolder, Family::Chromium),
            (POLICIES, policies, Family::Chromium),
            (ADDONS, addons, Family::Firefox),
        ] {
            for folder in folders {
                let names = read::names(host, folder, FOLDER_LIMIT, &mut part.problems).unwrap_or_default();
                let mut extensions = Extensions::default();
                read_folder(host, folder, &names, &mut extensions, &mut part.problems);
                part.items.extend(extensions.into_items(family, folder, ""));
            }
        }
        let mut extensions = Extensions::default();
        if let Some(policies) = json::<FirefoxPolicies>(host, FIREFOX_POLICIES, &mut part.problems) {
            let settings = policies.policies.extension_settings.unwrap_or_default();
            forced(settings, |_| true).for_each(|extension| extensions.add(extension));
        }
        part.items.extend(extensions.into_items(Family::Firefox, FIREFOX_POLICIES, ""));
        part
    }
}

type ReadFolder = fn(&dyn Host, &str, &[String], &mut Extensions, &mut Problems);

/// A small file of JSON.
fn json<T: DeserializeOwned>(host: &dyn Host, path: &str, problems: &mut Problems) -> Option<T> {
    let bytes = read::guessed(host, path, FILE_LIMIT, problems)?;
    serde_json::from_slice(&bytes)
        .map_err(|error| problems.add(path, ErrorKind::Malformed, error.to_string()))
        .ok()
}

#[derive(Debug, Deserialize)]
struct External {
    external_version: Option<String>,
}

fn external(
    host: &dyn Host,
    folder: &str,
    names: &[String],
    extensions: &mut Extensions,
    problems: &mut Problems,
) {
    for name in names {
        let Some(id) = name.strip_suffix(".json").filter(|id| is_id(id)) else { continue };
        let Some(External { external_version }) = json(host, &format!("{folder}/{name}"), problems) else {
            continue;
        };
        let version = external_version.and_then(|version| text::clean(version.as_bytes()));
        let version = version.unwrap_or_default();
        extensions.add(Extension { id: id.to_owned(), version, ..Extension::default() });
    }
}

/// What is kept of a policy file of the Chromium family.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Policies {
    extension_install_forcelist: Option<Vec<Lenient<String>>>,
    extension_settings: Option<HashMap<String, Lenient<Setting>>>,
}

#[derive(Debug, Deserialize)]
struct Setting {
    installation_mode: Option<String>,
}

#[derive(Debug, Deserialize)]
struct FirefoxPolicies {
    policies: FirefoxPolicy,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct FirefoxPolicy {
    extension_settings: Option<HashMap<String, Lenient<Setting>>>,
}

fn policies(
    host: &dyn Host,
    folder: &str,
    names: &[String],
    extensions: &mut Extensions,
    problems: &mut Problems,
) {
    for name in names.iter().filter(|name| name.ends_with(".json")) {
        let path = format!("{folder}/{name}");
        let Some(Policies { extension_install_forcelist, extension_settings }) = json(host, &path, problems)
        else {
            continue;
        };
        let listed = extension_install_forcelist.into_iter().flatten().filter_map(Lenient::good);
        for entry in listed.take(EXTENSIONS_LIMIT) {
            // `id` or `id;address of updates`.
            let id = entry.split(';').next().unwrap_or_default().trim();
            if is_id(id) {
                extensions.add(Extension { id: id.to_owned(), ..Extension::default() });
            }
        }
        forced(extension_settings.unwrap_or_default(), is_id).for_each(|extension| extensions.add(extension));
    }
}

/// Those that a policy installs for everybody; `*` stands for all others and is none.
fn forced(
    settings: HashMap<String, Lenient<Setting>>,
    is_id: fn(&str) -> bool,
) -> impl Iterator<Item = Extension> {
    settings
        .into_iter()
        .filter(move |(id, _)| id != "*" && is_id(id))
        .filter_map(|(id, setting)| {
            let mode = setting.good()?.installation_mode?;
            matches!(mode.as_str(), "force_installed" | "normal_installed").then_some(id)
        })
        .filter_map(|id| Some(Extension { id: text::clean(id.as_bytes())?, ..Extension::default() }))
        .take(EXTENSIONS_LIMIT)
}

fn addons(
    host: &dyn Host,
    folder: &str,
    names: &[String],
    extensions: &mut Extensions,
    problems: &mut Problems,
) {
    for name in names {
        if let Some(id) = name.strip_suffix(".xpi").and_then(|id| text::clean(id.as_bytes())) {
            extensions.add(Extension { id, ..Extension::default() });
            continue;
        }
        let path = format!("{folder}/{name}/manifest.json");
        let Some(bytes) = read::guessed(host, &path, FILE_LIMIT, problems) else { continue };
        match Manifest::parse(&bytes) {
            Ok(Manifest { name: title, version, .. }) => {
                let (Some(id), Some(version)) =
                    (text::clean(name.as_bytes()), text::clean(version.as_bytes()))
                else {
                    continue;
                };
                // A translated name is only a key.
                let title = title.filter(|title| !title.starts_with("__MSG_"));
                let title = title.and_then(|title| text::clean(title.as_bytes()));
                extensions.add(Extension { id, version, name: title, ..Extension::default() });
            }
            Err(error) => problems.add(&path, ErrorKind::Malformed, format!("is no manifest: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{shown, subjects},
        *,
    };
    use crate::sources::testing::recorded;

    fn check(files: &[(&str, &str)], expected: &[&str], expected_subjects: &[&str]) {
        let (_folder, host) = recorded(files);
        let part = BrowserSystemSource.collect(&host);
        assert_eq!(shown(&part), expected);
        assert_eq!(subjects(part), expected_subjects);
    }

    #[test]
    fn laid_down_and_forced() {
        check(
            &[
                (
                    "usr/share/chromium/extensions/cjpalhdlnbpafiamejdnhcphjbkeiagm.json",
                    r#"{"external_crx":"/usr/share/x.crx","external_version":"1.2"}"#,
                ),
                ("usr/share/chromium/extensions/ublock-origin/manifest.json", "{}"),
                (
                    "opt/google/chrome/extensions/aapbdbdomjkkjkaonfhkkikfgjllcleb.json",
                    r#"{"external_update_url":"https://clients2.google.com/service/update2/crx"}"#,
                ),
                (
                    "etc/opt/chrome/policies/managed/a.json",
                    r#"{"HomepageLocation":"https://intranet","ExtensionInstallForcelist":
                        ["cjpalhdlnbpafiamejdnhcphjbkeiagm;https://x", "no", 7],
                        "ExtensionSettings":{"*":{"installation_mode":"blocked"},
                        "aapbdbdomjkkjkaonfhkkikfgjllcleb":{"installation_mode":"force_installed"},
                        "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb":{"installation_mode":"blocked"}}}"#,
                ),
                (
                    "usr/share/mozilla/extensions/{ec8030f7-c20a-464f-9b0e-13a3a9e97384}/u@x.net/manifest.json",
                    r#"{"name":"uBlock","version":"1.60"}"#,
                ),
                ("usr/lib/firefox/distribution/extensions/langpack@x.xpi", "PK"),
                (
                    "etc/firefox/policies/policies.json",
                    r#"{"policies":{"ExtensionSettings":{"*":{},"p@x":{"installation_mode":"force_installed"}}}}"#,
                ),
            ],
            &[
                " /opt/google/chrome/extensions chrome-extension//aapbdbdomjkkjkaonfhkkikfgjllcleb@ \"\"",
                " /usr/share/chromium/extensions chrome-extension//cjpalhdlnbpafiamejdnhcphjbkeiagm@1.2 \"\"",
                " /etc/opt/chrome/policies/managed chrome-extension//aapbdbdomjkkjkaonfhkkikfgjllcleb@ \"\"",
                " /etc/opt/chrome/policies/managed chrome-extension//cjpalhdlnbpafiamejdnhcphjbkeiagm@ \"\"",
                " /usr/share/mozilla/extensions/{ec8030f7-c20a-464f-9b0e-13a3a9e97384} \
                 generic/firefox-addon/u@x.net@1.60 \"uBlock\"",
                " /usr/lib/firefox/distribution/extensions generic/firefox-addon/langpack@x@ \"\"",
                " /etc/firefox/policies/policies.json generic/firefox-addon/p@x@ \"\"",
            ],
            &[],
        );
    }

    #[test]
    fn bad_files_are_named() {
        check(
            &[
                ("etc/chromium/policies/managed/a.json", "[]"),
                ("etc/chromium/policies/managed/b.json", r#"{"ExtensionInstallForcelist":"x"}"#),
                ("etc/chromium/policies/managed/c.txt", "x"),
                ("etc/firefox/policies/policies.json", "{}"),
                ("usr/lib/firefox/distribution/extensions/x/manifest.json", "{}"),
            ],
            &[],
            &[
                "etc/chromium/policies/managed/a.json",
                "etc/chromium/policies/managed/b.json",
                "usr/lib/firefox/distribution/extensions/x/manifest.json",
                "etc/firefox/policies/policies.json",
            ],
        );
        check(&[], &[], &[]);
    }
}
