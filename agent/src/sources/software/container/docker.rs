//! Images in Docker's own store.
//!
//! Knows the list of names that the daemon keeps for each storage driver, and the images' configurations. A daemon that
//! keeps its images in containerd instead, as new ones do, is told by that source.

use std::collections::BTreeMap;

use muster_common::inventory::{ErrorKind, SectionName};
use serde::Deserialize;

use super::{CONFIGURATION_LIMIT, Configuration, IMAGES_LIMIT, Named, Reference, rows, sha256};
use crate::{
    host::Host,
    sources::{
        Source, Stamp,
        json::Lenient,
        part::{Problems, SectionPart},
        read,
    },
};

const DATA: &str = "var/lib/docker";
/// May name another folder for the data.
const DAEMON: &str = "etc/docker/daemon.json";
const DAEMON_LIMIT: usize = 64 << 10;
const DRIVERS_LIMIT: usize = 16;
const LIST_LIMIT: usize = 4 << 20;

/// Docker's images.
#[derive(Debug)]
pub(crate) struct DockerSource;

impl Source for DockerSource {
    fn name(&self) -> &'static str {
        "docker"
    }

    fn section(&self) -> SectionName {
        SectionName::known(SectionName::SOFTWARE_CONTAINER)
    }

    fn reads(&self) -> &'static [&'static str] {
        &[
            "etc/docker/daemon.json",
            "var/lib/docker/image/*/repositories.json",
            "var/lib/docker/image/*/imagedb/content/sha256/*",
        ]
    }

    fn stamp(&self) -> Stamp {
        Stamp::Touched
    }

    fn collect(&self, host: &dyn Host) -> SectionPart {
        let mut part = SectionPart::default();
        let data = data_folder(host, &mut part.problems);
        let images = format!("{data}/image");
        for driver in read::names(host, &images, DRIVERS_LIMIT, &mut part.problems).unwrap_or_default() {
            let names = of_driver(host, &format!("{images}/{driver}"), &mut part.problems);
            part.items.extend(rows(names, &data, ""));
        }
        part
    }
}

#[derive(Debug, Deserialize)]
struct Daemon {
    #[serde(rename = "data-root")]
    data_root: Option<String>,
}

fn data_folder(host: &dyn Host, problems: &mut Problems) -> String {
    let bytes = read::guessed(host, DAEMON, DAEMON_LIMIT, problems);
    let daemon = bytes.and_then(|bytes| {
        serde_json::from_slice::<Daemon>(&bytes)
            .map_err(|error| problems.add(DAEMON, ErrorKind::Malformed, error.to_string()))
            .ok()
    });
    let root = daemon.and_then(|daemon| daemon.data_root);
    let root = root.as_deref().and_then(|root| root.strip_prefix('/')).map(|root| root.trim_end_matches('/'));
    root.filter(|root| !root.is_empty() && root.split('/').all(|part| part != ".."))
        .unwrap_or(DATA)
        .to_owned()
}

fn of_driver(host: &dyn Host, place: &str, problems: &mut Problems) -> Vec<Named> {
    let path = format!("{place}/repositories.json");
    let Some(bytes) = read::guessed(host, &path, LIST_LIMIT, problems) else { return Vec::new() };
    let (mut names, bad) = match repositories(&bytes) {
        Ok(found) => found,
        Err(error) => {
            problems.add(&path, ErrorKind::Malformed, format!("is no list of images: {error}"));
            return Vec::new();
        }
    };
    if bad > 0 {
        problems.add(&path, ErrorKind::Malformed, format!("{bad} entries are no images"));
    }
    if names.len() > IMAGES_LIMIT {
        problems.add(&path, ErrorKind::TooLarge, format!("more than {IMAGES_LIMIT} images"));
        names.truncate(IMAGES_LIMIT);
    }
    let mut architectures: BTreeMap<String, String> = BTreeMap::new();
    for named in &mut names {
        let Some(digits) = sha256(&named.identity) else { continue };
        let known = architectures.entry(named.identity.clone()).or_insert_with(|| {
            let path = format!("{place}/imagedb/content/sha256/{digits}");
            let bytes = read::bytes(host, &path, CONFIGURATION_LIMIT, problems);
            bytes.map(|bytes| Configuration::architecture(&bytes)).unwrap_or_default()
        });
        named.architecture.clone_from(known);
    }
    names
}

#[derive(Debug, Deserialize)]
struct Repositories {
    #[serde(rename = "Repositories")]
    repositories: BTreeMap<String, Lenient<BTreeMap<String, String>>>,
}

/// The names in a daemon's list, and how many of its repositories have none.
fn repositories(bytes: &[u8]) -> Result<(Vec<Named>, usize), serde_json::Error> {
    let Repositories { repositories } = serde_json::from_slice(bytes)?;
    let all = repositories.len();
    let good: Vec<_> = repositories.into_values().filter_map(Lenient::good).collect();
    let bad = all - good.len();
    let names = good.into_iter().flatten().filter_map(|(name, identity)| {
        let reference = Reference::parse(&name)?;
        Some(Named { reference, identity, digest: None, architecture: String::new() })
    });
    Ok((names.collect(), bad))
}

#[cfg(test)]
mod tests {
    use super::{
        super::{shown, subjects},
        *,
    };
    use crate::sources::testing::recorded;

    fn check(files: &[(&str, &str)], expected: &[&str], expected_subjects: &[&str]) {
        let one = "1".repeat(64);
        let files: Vec<_> = files
            .iter()
            .map(|(path, content)| (path.replace("ONE", &one), content.replace("ONE", &one)))
            .collect();
        let files: Vec<(&str, &str)> = files.iter().map(|(path, content)| (&**path, &**content)).collect();
        let (_folder, host) = recorded(&files);
        let part = DockerSource.collect(&host);
        assert_eq!(shown(&part), expected);
        assert_eq!(subjects(part), expected_subjects);
    }

    #[test]
    fn tags_and_digests() {
        check(
            &[
                (
                    "var/lib/docker/image/overlay2/repositories.json",
                    r#"{"Repositories":{
                        "nginx":{"nginx:1.27":"sha256:ONE","nginx:latest":"sha256:ONE","nginx@sha256:aa":"sha256:ONE"},
                        "ghcr.io/acme/tool":{"ghcr.io/acme/tool@sha256:bb":"sha256:../../x"},
                        "bad":7}}"#,
                ),
                (
                    "var/lib/docker/image/overlay2/imagedb/content/sha256/ONE",
                    r#"{"architecture":"arm64","os":"linux","config":{"Env":["SECRET=1"]}}"#,
                ),
            ],
            &[
                " /var/lib/docker /nginx@1.27 arm64 sha256:aa",
                " /var/lib/docker /nginx@latest arm64 sha256:aa",
                " /var/lib/docker ghcr.io/acme/tool@sha256:bb  ",
            ],
            &["var/lib/docker/image/overlay2/repositories.json"],
        );
    }

    #[test]
    fn the_data_may_lie_elsewhere() {
        check(
            &[
                ("etc/docker/daemon.json", r#"{"data-root":"/srv/docker/","log-driver":"x"}"#),
                ("srv/docker/image/vfs/repositories.json", r#"{"Repositories":{"a":{"a:1":"x"}}}"#),
            ],
            &[" /srv/docker /a@1  "],
            &[],
        );
        for daemon in [r#"{"data-root":"/../x"}"#, r#"{"data-root":"relative"}"#, "{}"] {
            check(&[("etc/docker/daemon.json", daemon)], &[], &[]);
        }
        check(
            &[("etc/docker/daemon.json", "["), ("var/lib/docker/image/vfs/repositories.json", "[]")],
            &[],
            &["etc/docker/daemon.json", "var/lib/docker/image/vfs/repositories.json"],
        );
        check(&[], &[], &[]);
    }
}
