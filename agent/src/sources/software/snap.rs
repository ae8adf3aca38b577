//! Snaps, from snapd's state and the descriptions in the mounted images.
//!
//! Knows where snapd keeps its state, its images and its assertions, and where distributions mount. Reads of the state,
//! which also holds the machine's secrets and years of changes, nothing but the list of snaps. Knows nothing of the
//! format inside an image: a snap that is not mounted, as in a recording, has no version here. purl has no type for
//! snaps, so they have their own, `snap`.

mod description;

use std::collections::{BTreeMap, HashMap};

use muster_common::{
    inventory::{ErrorKind, Installation, Item, ItemKind, Package, SectionName},
    time::{EndpointTime, Timestamp},
};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    host::{FileKind, Host},
    sources::{
        Source, Stamp,
        part::{Problems, SectionPart},
        read, text,
    },
};

const STATE: &str = "var/lib/snapd/state.json";
const IMAGES: &str = "var/lib/snapd/snaps";
const ASSERTIONS: &str = "var/lib/snapd/assertions/asserts-v0";
/// Where images are mounted; the second one on Fedora and its relatives.
const MOUNTS: [&str; 2] = ["snap", "var/lib/snapd/snap"];

/// A state of megabytes is mostly of changes long past; what is larger is read from the images' names alone.
const STATE_LIMIT: usize = 6 << 20;
/// A machine with fifty snaps has many.
const SNAPS_LIMIT: usize = 2000;
const DESCRIPTION_LIMIT: usize = 256 << 10;
const ASSERTION_LIMIT: usize = 256 << 10;

/// Snaps.
#[derive(Debug)]
pub(crate) struct SnapSource;

impl Source for SnapSource {
    fn name(&self) -> &'static str {
        "snap"
    }

    fn section(&self) -> SectionName {
        SectionName::known(SectionName::SOFTWARE_SNAP)
    }

    fn reads(&self) -> &'static [&'static str] {
        &[STATE, IMAGES, ASSERTIONS, "snap/*/*/meta/snap.yaml", "var/lib/snapd/snap/*/*/meta/snap.yaml"]
    }

    fn stamp(&self) -> Stamp {
        Stamp::Folders
    }

    fn collect(&self, host: &dyn Host) -> SectionPart {
        let mut problems = Problems::default();
        let Some(images) = read::names(host, IMAGES, SNAPS_LIMIT, &mut problems) else {
            if problems.is_empty() {
                problems.absent(IMAGES, "snapd");
            }
            return SectionPart { items: Vec::new(), problems };
        };
        let snaps = match from_state(host, &mut problems) {
            Some(snaps) => snaps,
            None => from_images(host, &images),
        };
        let mut publishers = Publishers::default();
        let items = snaps
            .iter()
            .filter_map(|(name, snap)| item(host, name, snap, &mut publishers, &mut problems))
            .collect();
        SectionPart { items, problems }
    }
}

/// What is known of a snap before its own description.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Snap {
    revision: String,
    /// Names it at the store; empty for one that came from a file.
    id: String,
    refreshed: Option<EndpointTime>,
    disabled: bool,
    /// The channel that it follows; empty for one that came from a file.
    channel: String,
}

#[derive(Deserialize)]
struct State<'a> {
    #[serde(borrow)]
    data: Data<'a>,
}

#[derive(Deserialize, Default)]
struct Data<'a> {
    /// Not taken apart here, so that an entry of another shape is one problem and not the end of the list.
    #[serde(default, borrow)]
    snaps: BTreeMap<String, &'a RawValue>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    sequence: Vec<Revision>,
    current: String,
    #[serde(default)]
    active: bool,
    #[serde(default)]
    channel: String,
    #[serde(default, rename = "last-refresh-time")]
    refreshed: Option<String>,
}

#[derive(Deserialize)]
struct Revision {
    #[serde(default)]
    revision: String,
    #[serde(default, rename = "snap-id")]
    id: String,
}

/// The snaps of a state file by name, at most 2000, and the names of entries that cannot be used.
pub(crate) fn snaps(state: &[u8]) -> Result<(BTreeMap<String, Snap>, Vec<String>), serde_json::Error> {
    let state: State<'_> = serde_json::from_slice(state)?;
    let mut bad = Vec::new();
    let mut snaps = BTreeMap::new();
    for (name, entry) in state.data.snaps.into_iter().take(SNAPS_LIMIT) {
        match serde_json::from_str(entry.get()) {
            Ok(Entry { sequence, current, active, channel, refreshed })
                if is_name(&name) && is_name(&current) =>
            {
                let id = sequence.into_iter().find(|found| found.revision == current).map(|found| found.id);
                let id = id.filter(|id| is_name(id)).unwrap_or_default();
                let refreshed = refreshed.and_then(|time| time.parse::<Timestamp>().ok());
                let refreshed = refreshed.map(|time| EndpointTime::from_millis(time.as_millis()));
                let channel = text::clean(channel.as_bytes()).unwrap_or_default();
                snaps.insert(name, Snap { revision: current, id, refreshed, disabled: !active, channel });
            }
            Ok(_) | Err(_) => bad.push(name),
        }
    }
    Ok((snaps, bad))
}

fn from_state(host: &dyn Host, problems: &mut Problems) -> Option<BTreeMap<String, Snap>> {
    let bytes = read::bytes(host, STATE, STATE_LIMIT, problems)?;
    match snaps(&bytes) {
        Ok((snaps, bad)) => {
            for name in bad {
                let message =
                    format!("snap {:?} has an entry that is not understood", text::shown(name.as_bytes()));
                problems.add(STATE, ErrorKind::Malformed, message);
            }
            Some(snaps)
        }
        Err(error) => {
            problems.add(STATE, ErrorKind::Malformed, format!("not the state of snapd: {error}"));
            None
        }
    }
}

/// The names of images tell name and revision; of several revisions the one that `current` points to counts.
fn from_images(host: &dyn Host, images: &[String]) -> BTreeMap<String, Snap> {
    let mut snaps: BTreeMap<String, Snap> = BTreeMap::new();
    for image in images {
        let Some((name, revision)) = image.strip_suffix(".snap").and_then(|stem| stem.rsplit_once('_'))
        else {
            continue;
        };
        if !is_name(name) || !is_name(revision) {
            continue;
        }
        let is_current =
            || MOUNTS.iter().any(|mount| link_target(host, mount, name).as_deref() == Some(revision));
        if !snaps.contains_key(name) || is_current() {
            snaps.insert(name.to_owned(), Snap { revision: revision.to_owned(), ..Snap::default() });
        }
    }
    snaps
}

fn link_target(host: &dyn Host, mount: &str, name: &str) -> Option<String> {
    host.link(&format!("{mount}/{name}/current")).ok()
}

/// Whether a text is harmless in a path: names, revisions and the store's ids are letters, digits and few signs.
fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 128
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

fn item(
    host: &dyn Host,
    name: &str,
    snap: &Snap,
    publishers: &mut Publishers,
    problems: &mut Problems,
) -> Option<Item> {
    let Snap { revision, id, refreshed, disabled, channel } = snap;
    let found = MOUNTS.iter().find_map(|mount| {
        let folder = format!("{mount}/{name}/{revision}");
        let bytes = read::bytes(host, &format!("{folder}/meta/snap.yaml"), DESCRIPTION_LIMIT, problems)?;
        Some((folder, description::read(&bytes)))
    });
    if found.is_none() {
        let message = format!("revision {revision} of snap {name} is not mounted, which hides its version");
        problems.add(name, ErrorKind::NotAvailable, message);
    }
    let (folder, described) = found.unwrap_or_default();
    // One that is tried out from a folder has no image.
    let image = host.metadata(&format!("{IMAGES}/{name}_{revision}.snap")).ok();
    let image = image.filter(|image| image.kind == FileKind::File);
    let written = image.and_then(|image| i64::try_from(image.modified_ns / 1_000_000).ok());
    let package = Package {
        purl_type: "snap".to_owned(),
        name: text::clean(name.as_bytes())?,
        version: described.version.unwrap_or_default(),
        architecture: described.architecture.unwrap_or_default(),
        vendor: publishers.of(host, id, problems),
        size_bytes: image.map(|image| image.size_bytes),
        ..Package::default()
    };
    let installation = Installation {
        path: if folder.is_empty() {
            format!("/{}/{name}/{revision}", MOUNTS[0])
        } else {
            format!("/{folder}")
        },
        disabled: *disabled,
        channel: channel.clone(),
        installed: refreshed.or(written.map(EndpointTime::from_millis)),
        ..Installation::default()
    };
    Some(Item { kind: ItemKind::Package(package), installation: Some(installation) })
}

/// Names of publishers by their ids, each read once.
#[derive(Debug, Default)]
struct Publishers(HashMap<String, Option<String>>);

impl Publishers {
    /// Who publishes the snap of this id, as the signed statements say that snapd keeps.
    fn of(&mut self, host: &dyn Host, snap_id: &str, problems: &mut Problems) -> Option<String> {
        if snap_id.is_empty() {
            return None;
        }
        let declaration = assertion(host, &format!("{ASSERTIONS}/snap-declaration/16/{snap_id}"), problems)?;
        let publisher = description::header(&declaration, "publisher-id").filter(|id| is_name(id))?;
        if let Some(known) = self.0.get(&publisher) {
            return known.clone();
        }
        let account = assertion(host, &format!("{ASSERTIONS}/account/{publisher}"), problems);
        let name = account.and_then(|account| description::header(&account, "display-name"));
        self.0.insert(publisher, name.clone());
        name
    }
}

/// The statement in force; its file has the format's number behind its name when that is not the first.
fn assertion(host: &dyn Host, folder: &str, problems: &mut Problems) -> Option<Vec<u8>> {
    let names = read::names(host, folder, 16, problems)?;
    let name = names.iter().rfind(|name| name.starts_with("active"))?;
    read::bytes(host, &format!("{folder}/{name}"), ASSERTION_LIMIT, problems)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::testing::recorded;

    const STATE_TEXT: &str = r#"{"data": {"auth": {"macaroon": "secret"}, "snaps": {
        "core22": {"type": "base", "active": true, "current": "1380", "channel": "latest/stable",
            "last-refresh-time": "2024-05-06T20:12:43.5+02:00",
            "sequence": [{"name": "core22", "snap-id": "amcUKQILKXHHTlmSa7NMdnXSx02dNeeT", "revision": "1122"},
                {"name": "core22", "snap-id": "amcUKQILKXHHTlmSa7NMdnXSx02dNeeT", "revision": "1380"}]},
        "local": {"current": "x1", "sequence": [{"name": "local", "revision": "x1"}]},
        "odd": {"current": 7}, "../up": {"current": "1"}}}, "changes": {"1": {}}}"#;

    fn found(files: &[(&str, &str)]) -> (Vec<Item>, Vec<String>) {
        let (_folder, host) = recorded(files);
        let SectionPart { items, problems } = SnapSource.collect(&host);
        let problems = problems.into_entries();
        (items, problems.into_iter().map(|entry| format!("{}: {}", entry.subject, entry.message)).collect())
    }

    #[test]
    fn state_description_and_publisher_come_together() {
        let (items, problems) = found(&[
            (STATE, STATE_TEXT),
            ("var/lib/snapd/snaps/core22_1122.snap", "old"),
            ("var/lib/snapd/snaps/core22_1380.snap", "image"),
            (
                "snap/core22/1380/meta/snap.yaml",
                "name: core22\nversion: '20240416'\narchitectures:\n- amd64\n",
            ),
            (
                "var/lib/snapd/assertions/asserts-v0/snap-declaration/16/amcUKQILKXHHTlmSa7NMdnXSx02dNeeT/active.5",
                "type: snap-declaration\npublisher-id: canonical\n\nsignature",
            ),
            (
                "var/lib/snapd/assertions/asserts-v0/account/canonical/active",
                "type: account\ndisplay-name: Canonical\n\nsignature",
            ),
        ]);
        let expected = Package {
            purl_type: "snap".to_owned(),
            name: "core22".to_owned(),
            version: "20240416".to_owned(),
            architecture: "amd64".to_owned(),
            vendor: Some("Canonical".to_owned()),
            size_bytes: Some(5),
            ..Package::default()
        };
        assert_eq!(items.len(), 2);
        assert_eq!(items[0].kind, ItemKind::Package(expected));
        let installation = items[0].installation.as_ref().unwrap();
        assert_eq!((installation.path.as_str(), installation.disabled), ("/snap/core22/1380", false));
        assert_eq!(installation.channel, "latest/stable");
        let local = items[1].installation.as_ref().unwrap();
        assert_eq!((local.disabled, local.channel.as_str()), (true, ""));
        assert_eq!(installation.installed, Some(EndpointTime::from_millis(1_715_019_163_500)));
        assert_eq!(
            problems,
            [
                "var/lib/snapd/state.json: snap \"../up\" has an entry that is not understood",
                "var/lib/snapd/state.json: snap \"odd\" has an entry that is not understood",
                "local: revision x1 of snap local is not mounted, which hides its version",
            ]
        );
    }

    #[test]
    fn without_a_state_the_images_tell() {
        for state in [None, Some("{\"data\": ["), Some("[]")] {
            let mut files = vec![
                ("var/lib/snapd/snaps/core22_1122.snap", "x"),
                ("var/lib/snapd/snaps/hello-world_29.snap", "x"),
                ("var/lib/snapd/snaps/partial", "x"),
                ("var/lib/snapd/snap/core22/1122/meta/snap.yaml", "version: 1.0\n"),
            ];
            files.extend(state.map(|state| (STATE, state)));
            let (items, problems) = found(&files);
            let keys: Vec<_> = items.iter().map(Item::key).collect();
            let core = "package\0snap\0\0core22\x001.0\0\0/var/lib/snapd/snap/core22/1122";
            assert_eq!(keys, [core, "package\0snap\0\0hello-world\0\0\0/snap/hello-world/29"]);
            assert_eq!(problems.len(), 1 + usize::from(state.is_some()), "{problems:?}");
        }
        assert_eq!(found(&[]).1, ["var/lib/snapd/snaps: this system has no snapd"]);
    }
}
