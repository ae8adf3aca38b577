//! Extensions of Chrome, Chromium, Edge, Brave and Vivaldi, each user's own.
//!
//! Knows the layout of a data folder: profiles, in each a folder of extensions by id and version with a manifest, and
//! the preferences that say which are switched off. Those preferences are about everything that a person does, so
//! nothing else is taken from them. Knows nothing of extensions loaded from a developer's own folder: their place
//! would tell what somebody works on.

use std::{cmp::Ordering, collections::HashMap};

use muster_common::{
    inventory::{ErrorKind, SectionName},
    time::EndpointTime,
};
use serde::Deserialize;
use serde_json::Value;

use super::{Extension, Extensions, Family};
use crate::{
    host::{Host, HostError},
    sources::{
        Personal, Source, Stamp, homes,
        json::Lenient,
        part::{ITEMS_LIMIT, Problems, SectionPart},
        read, text,
    },
};

/// Where browsers keep their data, below a home.
const FOLDERS: &[&str] = &[
    ".config/google-chrome",
    ".config/google-chrome-beta",
    ".config/google-chrome-unstable",
    ".config/chromium",
    ".config/microsoft-edge",
    ".config/microsoft-edge-beta",
    ".config/microsoft-edge-dev",
    ".config/BraveSoftware/Brave-Browser",
    ".config/vivaldi",
    "snap/chromium/common/chromium",
    "snap/brave/current/.config/BraveSoftware/Brave-Browser",
    ".var/app/com.google.Chrome/config/google-chrome",
    ".var/app/org.chromium.Chromium/config/chromium",
    ".var/app/com.microsoft.Edge/config/microsoft-edge",
    ".var/app/com.brave.Browser/config/BraveSoftware/Brave-Browser",
];

/// Entries of a data folder, of which few are profiles.
const FOLDER_LIMIT: usize = 1000;
const PROFILES_LIMIT: usize = 64;
const EXTENSIONS_LIMIT: usize = 1000;
const VERSIONS_LIMIT: usize = 64;
const MANIFEST_LIMIT: usize = 512 << 10;
const MESSAGES_LIMIT: usize = 512 << 10;
/// A few hundred kilobytes are usual.
const PREFERENCES_LIMIT: usize = 4 << 20;

/// Extensions of the Chromium family.
#[derive(Debug)]
pub(crate) struct ChromiumSource;

impl Source for ChromiumSource {
    fn name(&self) -> &'static str {
        "chromium"
    }

    fn section(&self) -> SectionName {
        SectionName::known(SectionName::SOFTWARE_BROWSER)
    }

    fn reads(&self) -> &'static [&'static str] {
        &[
            "HOME/.config/BROWSER/{Default,Profile *}/Extensions/*/*/manifest.json",
            "HOME/.config/BROWSER/{Default,Profile *}/Extensions/*/*/_locales/*/messages.json",
            "HOME/.config/BROWSER/{Default,Profile *}/{Preferences,Secure Preferences}",
            "the same below HOME/snap and HOME/.var/app",
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
                let place = format!("{}/{folder}", home.path);
                let mut extensions = Extensions::default();
                of_browser(host, &place, &mut extensions, &mut part.problems);
                part.items.extend(extensions.into_items(Family::Chromium, &place, &home.user));
            }
        }
        part
    }
}

fn of_browser(host: &dyn Host, place: &str, extensions: &mut Extensions, problems: &mut Problems) {
    let names = read::names(host, place, FOLDER_LIMIT, problems).unwrap_or_default();
    let profiles = names.iter().filter(|name| *name == "Default" || name.starts_with("Profile "));
    for profile in profiles.take(PROFILES_LIMIT) {
        let profile = format!("{place}/{profile}");
        let folder = format!("{profile}/Extensions");
        let Some(ids) = read::names(host, &folder, EXTENSIONS_LIMIT, problems) else { continue };
        let mut states = None;
        for id in ids.iter().filter(|id| is_id(id)) {
            let Some(mut extension) = of_id(host, &folder, id, problems) else { continue };
            let states = states.get_or_insert_with(|| profile_states(host, &profile, problems));
            if let Some(state) = states.get(id) {
                extension.disabled = state.is_off();
                extension.installed = state.installed();
            }
            extensions.add(extension);
        }
    }
}

/// Thirty-two letters from a to p: a hash of a publisher's key.
pub(super) fn is_id(id: &str) -> bool {
    id.len() == 32 && id.bytes().all(|byte| (b'a'..=b'p').contains(&byte))
}

/// The newest version of an extension; an older one stays for as long as it runs.
fn of_id(host: &dyn Host, folder: &str, id: &str, problems: &mut Problems) -> Option<Extension> {
    let versions = host.list(&format!("{folder}/{id}"), VERSIONS_LIMIT).ok()?.names;
    let newest = versions.iter().max_by(|one, other| by_version(one, other))?;
    let place = format!("{folder}/{id}/{newest}");
    let path = format!("{place}/manifest.json");
    // A folder that an uninstallation left behind has none.
    let bytes = read::bytes(host, &path, MANIFEST_LIMIT, problems)?;
    let manifest = match Manifest::parse(&bytes) {
        Ok(manifest) => manifest,
        Err(error) => {
            problems.add(&path, ErrorKind::Malformed, format!("is no manifest: {error}"));
            return None;
        }
    };
    let name = match manifest.message_key() {
        Some((locale, key)) => {
            let path = format!("{place}/_locales/{locale}/messages.json");
            let bytes = read::bytes(host, &path, MESSAGES_LIMIT, problems);
            bytes.and_then(|bytes| message(&bytes, key))
        }
        None => manifest.name.as_deref().and_then(|name| text::clean(name.as_bytes())),
    };
    let version = text::clean(manifest.version.as_bytes())?;
    let author = manifest.author.and_then(Lenient::good);
    let author = author.and_then(|author| text::clean(author.as_bytes()));
    Some(Extension { id: id.to_owned(), version, name, author, ..Extension::default() })
}

/// Orders names such as `1.10.0_0` by their numbers.
fn by_version(one: &str, other: &str) -> Ordering {
    let numbers = |name: &str| -> Vec<u64> {
        name.split(['.', '_']).map(|number| number.parse().unwrap_or(0)).collect()
    };
    numbers(one).cmp(&numbers(other))
}

/// What is kept of a manifest.
#[derive(Debug, Deserialize)]
pub(crate) struct Manifest {
    pub(super) name: Option<String>,
    pub(super) version: String,
    default_locale: Option<String>,
    /// Text, or what a newer edition makes of it.
    author: Option<Lenient<String>>,
}

impl Manifest {
    /// Reads one, a byte order mark before it or not.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes))
    }

    /// Locale and key where the name is `__MSG_key__`.
    fn message_key(&self) -> Option<(&str, &str)> {
        let key = self.name.as_deref()?.strip_prefix("__MSG_")?.strip_suffix("__")?;
        let locale = self.default_locale.as_deref()?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        locale.bytes().all(plain).then_some((locale, key))
    }
}

#[derive(Debug, Deserialize)]
struct Message {
    message: String,
}

/// A text of a locale; its keys are the same in any case.
pub(crate) fn message(bytes: &[u8], key: &str) -> Option<String> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let messages: HashMap<String, Lenient<Message>> = serde_json::from_slice(bytes).ok()?;
    let (_, found) = messages.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(key))?;
    text::clean(found.good()?.message.as_bytes())
}

#[derive(Debug, Deserialize)]
struct Preferences {
    extensions: Option<ExtensionPreferences>,
}

#[derive(Debug, Deserialize)]
struct ExtensionPreferences {
    settings: Option<HashMap<String, Lenient<State>>>,
}

/// How a profile uses an extension.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    /// Of older browsers: 0 is off.
    state: Option<i64>,
    /// A number, in newer ones a list of numbers; any reason switches it off.
    disable_reasons: Value,
    /// Microseconds since 1601, as text.
    first_install_time: Option<String>,
    install_time: Option<String>,
}

impl State {
    fn is_off(&self) -> bool {
        let for_a_reason = match &self.disable_reasons {
            Value::Number(reasons) => reasons.as_i64() != Some(0),
            Value::Array(reasons) => !reasons.is_empty(),
            Value::Null | Value::Bool(_) | Value::String(_) | Value::Object(_) => false,
        };
        self.state == Some(0) || for_a_reason
    }

    fn installed(&self) -> Option<EndpointTime> {
        /// From 1601 to 1970, in milliseconds.
        const EPOCH_MS: i64 = 11_644_473_600_000;
        let time = self.first_install_time.as_deref().or(self.install_time.as_deref())?;
        let milliseconds = time.parse::<i64>().ok()? / 1000 - EPOCH_MS;
        (milliseconds > 0).then(|| EndpointTime::from_millis(milliseconds))
    }
}

/// What a file of preferences says of extensions.
pub(crate) fn states(bytes: &[u8]) -> Result<HashMap<String, State>, serde_json::Error> {
    let Preferences { extensions } = serde_json::from_slice(bytes)?;
    let settings = extensions.and_then(|extensions| extensions.settings).unwrap_or_default();
    Ok(settings
        .into_iter()
        .filter(|(id, _)| is_id(id))
        .filter_map(|(id, state)| Some((id, state.good()?)))
        .collect())
}

/// What both of a profile's files say; which of them has it differs by version and platform.
fn profile_states(host: &dyn Host, profile: &str, problems: &mut Problems) -> HashMap<String, State> {
    let mut all = HashMap::new();
    for name in ["Preferences", "Secure Preferences"] {
        let path = format!("{profile}/{name}");
        match host.read(&path, PREFERENCES_LIMIT) {
            Ok(bytes) => match states(&bytes) {
                Ok(states) => all.extend(states),
                Err(error) => {
                    problems.add(&path, ErrorKind::Malformed, format!("are no preferences: {error}"));
                }
            },
            Err(error) if error.is_missing() => {}
            // The extensions themselves are known without it.
            Err(HostError::TooLarge { path, limit }) => problems.add(
                &path,
                ErrorKind::NotAvailable,
                format!("larger than {limit} bytes, so it is not known which extensions are switched off"),
            ),
            Err(error) => problems.add_error(error),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::{
        super::{shown, subjects},
        *,
    };
    use crate::sources::testing::recorded;

    const PASSWD: (&str, &str) = ("etc/passwd", "anna:x:1000:1000::/home/anna:/bin/sh\n");
    const UBLOCK: &str = "cjpalhdlnbpafiamejdnhcphjbkeiagm";
    const OTHER: &str = "aapbdbdomjkkjkaonfhkkikfgjllcleb";

    fn check(files: &[(&str, &str)], expected: &[&str], expected_subjects: &[&str]) {
        let files: Vec<_> = files
            .iter()
            .map(|(path, content)| {
                (path.replace("UBLOCK", UBLOCK).replace("OTHER", OTHER), content.replace("UBLOCK", UBLOCK))
            })
            .collect();
        let mut files: Vec<(&str, &str)> =
            files.iter().map(|(path, content)| (&**path, &**content)).collect();
        files.push(PASSWD);
        let (_folder, host) = recorded(&files);
        let part = ChromiumSource.collect(&host);
        assert_eq!(shown(&part), expected);
        let found = subjects(part);
        assert_eq!(found, expected_subjects);
    }

    #[test]
    fn names_versions_and_states() {
        let manifest = r#"{"manifest_version":3,"name":"__MSG_extName__","default_locale":"en","version":"1.60.0",
            "author":{"email":"x@example.com"},"permissions":["storage"]}"#;
        check(
            &[
                ("home/anna/.config/google-chrome/Local State", "{}"),
                ("home/anna/.config/google-chrome/Default/Extensions/UBLOCK/1.9.0_0/manifest.json", "old"),
                (
                    "home/anna/.config/google-chrome/Default/Extensions/UBLOCK/1.60.0_0/manifest.json",
                    manifest,
                ),
                (
                    "home/anna/.config/google-chrome/Default/Extensions/UBLOCK/1.60.0_0/_locales/en/messages.json",
                    r#"{"extname":{"message":"uBlock\u0007 Origin"},"other":7}"#,
                ),
                ("home/anna/.config/google-chrome/Default/Extensions/Temp/x", ""),
                ("home/anna/.config/google-chrome/Default/Extensions/OTHER/left/over", ""),
                (
                    "home/anna/.config/google-chrome/Default/Preferences",
                    r#"{"profile":{"name":"Private"},"extensions":{"settings":{"UBLOCK":{"disable_reasons":[1]}}}}"#,
                ),
                (
                    "home/anna/.config/chromium/Profile 2/Extensions/OTHER/2_0/manifest.json",
                    r#"{"name":"Translate","version":"2"}"#,
                ),
                (
                    "home/anna/.config/chromium/Profile 2/Secure Preferences",
                    r#"{"extensions":{"settings":{}}}"#,
                ),
                ("home/anna/.config/chromium/Guest Profile/Extensions/OTHER/3_0/manifest.json", "{}"),
            ],
            &[
                "anna /home/anna/.config/google-chrome chrome-extension//cjpalhdlnbpafiamejdnhcphjbkeiagm@1.60.0 \
                 \"uBlock  Origin\" off",
                "anna /home/anna/.config/chromium chrome-extension//aapbdbdomjkkjkaonfhkkikfgjllcleb@2 \"Translate\"",
            ],
            &[],
        );
    }

    #[test]
    fn bad_ones_cost_no_other() {
        let deep = "[".repeat(10_000);
        check(
            &[
                ("home/anna/.config/chromium/Default/Extensions/UBLOCK/1_0/manifest.json", &deep),
                (
                    "home/anna/.config/chromium/Default/Extensions/OTHER/1_0/manifest.json",
                    "\u{feff}{\"name\":\"__MSG_x__\",\"default_locale\":\"../../..\",\"version\":\"1\"}",
                ),
                ("home/anna/.config/chromium/Default/Preferences", "{\"extensions\":[]}"),
                ("home/anna/.config/vivaldi", "a file"),
            ],
            &[
                "anna /home/anna/.config/chromium chrome-extension//aapbdbdomjkkjkaonfhkkikfgjllcleb@1 \"__MSG_x__\"",
            ],
            &[
                "home/anna/.config/chromium/Default/Preferences",
                "home/anna/.config/chromium/Default/Extensions/cjpalhdlnbpafiamejdnhcphjbkeiagm/1_0/manifest.json",
                "home/anna/.config/vivaldi",
            ],
        );
        check(&[], &[], &[]);
    }

    #[test]
    fn huge_preferences_are_left_alone() {
        let huge = " ".repeat(PREFERENCES_LIMIT + 1);
        check(
            &[
                (
                    "home/anna/.config/chromium/Default/Extensions/OTHER/1_0/manifest.json",
                    r#"{"version":"1"}"#,
                ),
                ("home/anna/.config/chromium/Default/Preferences", &huge),
            ],
            &["anna /home/anna/.config/chromium chrome-extension//aapbdbdomjkkjkaonfhkkikfgjllcleb@1 \"\""],
            &["home/anna/.config/chromium/Default/Preferences"],
        );
    }

    #[test]
    fn states_of_old_and_new_browsers() {
        for (state, off) in [
            (r#"{"state":1}"#, false),
            (r#"{"state":0}"#, true),
            (r#"{"state":1,"disable_reasons":0}"#, false),
            (r#"{"disable_reasons":8192}"#, true),
            (r#"{"disable_reasons":[]}"#, false),
            (r#"{"disable_reasons":[1]}"#, true),
            (r#"{}"#, false),
        ] {
            let file =
                format!(r#"{{"extensions":{{"settings":{{"{UBLOCK}":{state},"{OTHER}":7,"x":{{}}}}}}}}"#);
            let states = states(file.as_bytes()).unwrap();
            assert_eq!((states.len(), states[UBLOCK].is_off()), (1, off), "{state}");
        }
        let time = |text: &str| State { install_time: Some(text.to_owned()), ..State::default() }.installed();
        assert_eq!(time("13397690747955841").unwrap().to_string(), "2025-07-22T20:45:47.955Z");
        assert_eq!((time("0"), time("x"), time("-9223372036854775808")), (None, None, None));
    }

    #[test]
    fn versions_are_ordered_by_number() {
        assert_eq!(by_version("1.10.0_0", "1.9.9_0"), Ordering::Greater);
        assert_eq!(by_version("1.0_1", "1.0_0"), Ordering::Greater);
    }
}
