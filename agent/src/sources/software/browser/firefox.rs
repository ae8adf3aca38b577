//! Add-ons of Firefox and Thunderbird, each user's own.
//!
//! Knows where profiles lie and the list that the browser writes into each. Themes, languages and dictionaries are
//! passed over, and so is what came with the browser itself: that is part of its package.

use muster_common::{
    inventory::{ErrorKind, SectionName, SourceError},
    time::EndpointTime,
};
use serde::Deserialize;

use super::{Extension, Extensions, Family};
use crate::{
    host::{Host, HostError},
    sources::{
        Personal, Source, Stamp, homes,
        json::{self, Lenient},
        part::{ITEMS_LIMIT, Problems, SectionPart},
        read, text,
    },
};

/// Folders of profiles, below a home.
const FOLDERS: &[(&str, Family)] = &[
    (".mozilla/firefox", Family::Firefox),
    (".config/mozilla/firefox", Family::Firefox),
    ("snap/firefox/common/.mozilla/firefox", Family::Firefox),
    (".var/app/org.mozilla.firefox/.mozilla/firefox", Family::Firefox),
    (".var/app/org.mozilla.firefox/config/mozilla/firefox", Family::Firefox),
    (".librewolf", Family::Firefox),
    (".thunderbird", Family::Thunderbird),
    ("snap/thunderbird/common/.thunderbird", Family::Thunderbird),
    (".var/app/org.mozilla.Thunderbird/.thunderbird", Family::Thunderbird),
];

const PROFILES_LIMIT: usize = 64;
/// Some ten kilobytes an add-on, since it repeats every translation of its name.
const LIST_LIMIT: usize = 4 << 20;
const EXTENSIONS_LIMIT: usize = 1000;

/// Add-ons of the Firefox family.
#[derive(Debug)]
pub(crate) struct FirefoxSource;

impl Source for FirefoxSource {
    fn name(&self) -> &'static str {
        "firefox"
    }

    fn section(&self) -> SectionName {
        SectionName::known(SectionName::SOFTWARE_BROWSER)
    }

    fn reads(&self) -> &'static [&'static str] {
        &[
            "HOME/.mozilla/firefox/*/extensions.json",
            "HOME/.thunderbird/*/extensions.json",
            "the same below HOME/.config, HOME/snap and HOME/.var/app",
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
            for (folder, family) in FOLDERS {
                if part.items.len() >= ITEMS_LIMIT {
                    return part;
                }
                let place = format!("{}/{folder}", home.path);
                let mut extensions = Extensions::default();
                let profiles = read::names(host, &place, PROFILES_LIMIT, &mut part.problems);
                for profile in profiles.unwrap_or_default() {
                    of_profile(host, &format!("{place}/{profile}"), &mut extensions, &mut part.problems);
                }
                part.items.extend(extensions.into_items(*family, &place, &home.user));
            }
        }
        part
    }
}

fn of_profile(host: &dyn Host, profile: &str, extensions: &mut Extensions, problems: &mut Problems) {
    // A profile's name is its user's business.
    let subject = "extensions.json of a profile";
    let bytes = match host.read(&format!("{profile}/extensions.json"), LIST_LIMIT) {
        Ok(bytes) => bytes,
        // Other files lie beside the profiles.
        Err(HostError::Missing { .. } | HostError::WrongKind { .. }) => return,
        Err(error) => {
            let kind = SourceError::from(error).kind;
            return problems.add(subject, kind, "cannot be read, or is larger than any honest one");
        }
    };
    match listed(&bytes) {
        Ok((found, bad)) => {
            if bad > 0 {
                problems.add(subject, ErrorKind::Malformed, format!("{bad} entries are no add-ons"));
            }
            if found.len() > EXTENSIONS_LIMIT {
                problems.add(subject, ErrorKind::TooLarge, format!("more than {EXTENSIONS_LIMIT} add-ons"));
            }
            found.into_iter().take(EXTENSIONS_LIMIT).for_each(|extension| extensions.add(extension));
        }
        Err(error) => problems.add(subject, ErrorKind::Malformed, format!("is no list of add-ons: {error}")),
    }
}

#[derive(Debug, Deserialize)]
struct List {
    addons: Vec<Lenient<Addon>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Addon {
    id: String,
    version: String,
    r#type: String,
    location: Option<String>,
    active: Option<bool>,
    default_locale: Option<Lenient<Locale>>,
    install_date: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Locale {
    name: Option<String>,
    creator: Option<String>,
}

/// The add-ons that a user has in a profile, and how many entries are none.
pub(crate) fn listed(bytes: &[u8]) -> Result<(Vec<Extension>, usize), serde_json::Error> {
    let List { addons } = serde_json::from_slice(bytes)?;
    let (addons, mut bad) = json::sift(addons);
    let mut extensions = Vec::new();
    for addon in addons.into_iter().filter(Addon::is_users) {
        match addon.into_extension() {
            Some(extension) => extensions.push(extension),
            None => bad += 1,
        }
    }
    Ok((extensions, bad))
}

impl Addon {
    /// Whether it is an extension that somebody chose; those of all users are told from the system's own folders.
    fn is_users(&self) -> bool {
        let users = ["app-profile", "app-system-user", "app-temporary"];
        self.r#type == "extension"
            && self.location.as_deref().is_none_or(|location| users.contains(&location))
    }

    fn into_extension(self) -> Option<Extension> {
        let Self { id, version, r#type: _, location: _, active, default_locale, install_date } = self;
        let Locale { name, creator } = default_locale.and_then(Lenient::good).unwrap_or_default();
        let clean = |value: Option<String>| value.and_then(|value| text::clean(value.as_bytes()));
        Some(Extension {
            id: text::clean(id.as_bytes())?,
            version: text::clean(version.as_bytes())?,
            name: clean(name),
            author: clean(creator),
            disabled: active == Some(false),
            // Milliseconds; a float casts to the nearest that fits.
            installed: install_date.map(|date| EndpointTime::from_millis(date as i64)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{shown, subjects},
        *,
    };
    use crate::sources::testing::recorded;

    const PASSWD: (&str, &str) = ("etc/passwd", "anna:x:1000:1000::/home/anna:/bin/sh\n");
    const LIST: &str = r#"{"schemaVersion":37,"addons":[
        {"id":"uBlock0@raymondhill.net","syncGUID":"{x}","version":"1.60.0","type":"extension",
         "defaultLocale":{"name":"uBlock Origin","creator":"Raymond Hill","description":"x"},"active":true,
         "location":"app-profile","installDate":1700000000000,"path":"/home/anna/secret/uBlock.xpi"},
        {"id":"{446900e4-71c2-419f-a6a7-df9c091e268b}","version":"2024.1","type":"extension","active":false,
         "location":"app-profile","defaultLocale":null},
        {"id":"default-theme@mozilla.org","version":"1.3","type":"theme","active":true,"location":"app-builtin"},
        {"id":"formautofill@mozilla.org","version":"1.0.1","type":"extension","active":true,"location":"app-builtin"},
        {"id":"webext@system","version":"1","type":"extension","active":true,"location":"app-system-share"},
        {"id":7,"version":"1","type":"extension"},
        {"id":"","version":"1","type":"extension","location":"app-profile"},
        null
    ]}"#;

    fn check(files: &[(&str, &str)], expected: &[&str], expected_subjects: &[&str]) {
        let (_folder, host) = recorded(&[files, &[PASSWD]].concat());
        let part = FirefoxSource.collect(&host);
        assert!(!format!("{part:?}").contains("secret"));
        assert_eq!(shown(&part), expected);
        assert_eq!(subjects(part), expected_subjects);
    }

    #[test]
    fn lists_of_profiles() {
        check(
            &[
                ("home/anna/.mozilla/firefox/profiles.ini", "[General]\n"),
                ("home/anna/.mozilla/firefox/abc.secret/extensions.json", LIST),
                (
                    "home/anna/.mozilla/firefox/def.work/extensions.json",
                    r#"{"addons":[{"id":"{446900e4-71c2-419f-a6a7-df9c091e268b}","version":"2024.1",
                        "type":"extension","active":true,"location":"app-profile"}]}"#,
                ),
                (
                    "home/anna/snap/firefox/common/.mozilla/firefox/x.default/extensions.json",
                    r#"{"addons":[{"id":"a@b","version":"1","type":"extension","active":false}]}"#,
                ),
                (
                    "home/anna/.thunderbird/x.default/extensions.json",
                    r#"{"addons":[{"id":"t@b","version":"1","type":"extension"}]}"#,
                ),
            ],
            &[
                "anna /home/anna/.mozilla/firefox generic/firefox-addon/uBlock0@raymondhill.net@1.60.0 \
                 \"uBlock Origin\"",
                "anna /home/anna/.mozilla/firefox \
                 generic/firefox-addon/{446900e4-71c2-419f-a6a7-df9c091e268b}@2024.1 \"\"",
                "anna /home/anna/snap/firefox/common/.mozilla/firefox generic/firefox-addon/a@b@1 \"\" off",
                "anna /home/anna/.thunderbird generic/thunderbird-addon/t@b@1 \"\"",
            ],
            &["extensions.json of a profile"],
        );
    }

    #[test]
    fn what_is_known_of_one() {
        let (found, bad) = listed(LIST.as_bytes()).unwrap();
        assert_eq!((found.len(), bad), (2, 3));
        let expected = Extension {
            id: "uBlock0@raymondhill.net".to_owned(),
            version: "1.60.0".to_owned(),
            name: Some("uBlock Origin".to_owned()),
            author: Some("Raymond Hill".to_owned()),
            disabled: false,
            installed: Some(EndpointTime::from_millis(1_700_000_000_000)),
        };
        assert_eq!(found[0], expected);
    }

    #[test]
    fn hostile_lists() {
        for content in ["", "[]", "{\"addons\":{}}", &*"{\"addons\":[".repeat(200)] {
            let path = "home/anna/.mozilla/firefox/x.default/extensions.json";
            check(&[(path, content)], &[], &["extensions.json of a profile"]);
        }
        let huge = " ".repeat(LIST_LIMIT + 1);
        let path = "home/anna/.mozilla/firefox/x.secret/extensions.json";
        check(&[(path, &huge)], &[], &["extensions.json of a profile"]);
        check(&[("home/anna/.mozilla/firefox", "a file")], &[], &["home/anna/.mozilla/firefox"]);
        check(&[], &[], &[]);
    }
}
