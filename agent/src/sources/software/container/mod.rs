//! Container images that an engine keeps on this machine.
//!
//! Knows how references to images are written and what a row of one looks like; each engine's store has its own file.
//! Only named images are listed: one without a name is a build's leftover. What is inside an image is not read.

pub(crate) mod bolt;
pub(crate) mod containerd;
pub(crate) mod docker;
pub(crate) mod storage;

use std::collections::{BTreeMap, BTreeSet};

use muster_common::inventory::{Installation, Item, ItemKind, Package};
use serde::Deserialize;

use crate::sources::text;

/// Images of one store.
const IMAGES_LIMIT: usize = 5000;
/// A configuration has a line for each step of its build.
const CONFIGURATION_LIMIT: usize = 512 << 10;

/// An image as it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    /// Registry and path; Docker's own registry and its official images go without theirs.
    repository: String,
    tag: Option<String>,
    digest: Option<String>,
}

impl Reference {
    /// Takes `registry:5000/path/name:tag@sha256:…` apart; a bare digest names no image.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text::clean(text.as_bytes())?;
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest.to_owned())),
            None => (text.as_str(), None),
        };
        // A colon before the last slash is a port's.
        let start = name.rfind('/').map_or(0, |slash| slash + 1);
        let (name, tag) = match name.get(start..)?.rfind(':') {
            Some(colon) => (&name[..start + colon], Some(name[start + colon + 1..].to_owned())),
            None => (name, None),
        };
        let name = name.strip_prefix("docker.io/").unwrap_or(name);
        let name = name.strip_prefix("library/").unwrap_or(name);
        let is_digest = matches!(name, "sha256" | "sha512");
        (!name.is_empty() && !is_digest).then(|| Self { repository: name.to_owned(), tag, digest })
    }
}

/// A name of an image in a store.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Named {
    reference: Reference,
    /// What the store knows the image by; names with the same one are of the same image.
    identity: String,
    /// The digest of its manifest, as a registry has it.
    digest: Option<String>,
    architecture: String,
}

/// The rows of a store's names: one a tag, and one for an image that is only known by its digest.
///
/// purl's type `docker`: namespace and name are the repository, the version is the tag as it is written or else the
/// digest. A tag moves, so the digest stands beside it as the source's version.
fn rows(names: Vec<Named>, place: &str, user: &str) -> Vec<Item> {
    let key = |named: &Named| (named.reference.repository.clone(), named.identity.clone());
    let tagged: BTreeSet<_> = names.iter().filter(|named| named.reference.tag.is_some()).map(key).collect();
    let digests: BTreeMap<_, _> = names
        .iter()
        .filter_map(|named| {
            let digest = named.reference.digest.clone().or_else(|| named.digest.clone())?;
            Some((key(named), digest))
        })
        .collect();
    let rows = names.into_iter().filter_map(|named| {
        let key = key(&named);
        let digest = digests.get(&key).cloned();
        let Named { reference, identity: _, digest: _, architecture } = named;
        let (version, source_version) = match (reference.tag, digest) {
            (Some(tag), digest) => (tag, digest),
            (None, Some(digest)) if !tagged.contains(&key) => (digest, None),
            (None, _) => return None,
        };
        let (namespace, name) = match reference.repository.rsplit_once('/') {
            Some((namespace, name)) => (namespace.to_owned(), name.to_owned()),
            None => (String::new(), reference.repository),
        };
        let package = Package {
            purl_type: "docker".to_owned(),
            namespace,
            name,
            version,
            architecture,
            source_version,
            ..Package::default()
        };
        let installation =
            Installation { path: format!("/{place}"), user: user.to_owned(), ..Installation::default() };
        Some(Item { kind: ItemKind::Package(package), installation: Some(installation) })
    });
    rows.collect()
}

/// What is kept of an image's configuration, whichever engine wrote it.
#[derive(Debug, Deserialize)]
pub(crate) struct Configuration {
    architecture: Option<String>,
    variant: Option<String>,
}

impl Configuration {
    /// The architecture as images state it, such as `arm/v7`; empty where it is not stated.
    pub(crate) fn architecture(bytes: &[u8]) -> String {
        let Ok(Self { architecture, variant }) = serde_json::from_slice(bytes) else { return String::new() };
        platform(architecture, variant)
    }
}

fn platform(architecture: Option<String>, variant: Option<String>) -> String {
    let clean = |value: Option<String>| value.and_then(|value| text::clean(value.as_bytes()));
    match (clean(architecture), clean(variant)) {
        (Some(architecture), Some(variant)) => format!("{architecture}/{variant}"),
        (Some(architecture), None) => architecture,
        (None, _) => String::new(),
    }
}

/// The sixty-four digits of a `sha256:…`, which name a file.
fn sha256(digest: &str) -> Option<&str> {
    let digits = digest.strip_prefix("sha256:")?;
    (digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(digits)
}

/// `user path namespace/name@version architecture digest` of each image, for the tests of this folder.
#[cfg(test)]
fn shown(part: &crate::sources::SectionPart) -> Vec<String> {
    let mut rows: Vec<_> = part
        .items
        .iter()
        .map(|item| {
            let ItemKind::Package(package) = &item.kind else { panic!("{item:?} is no package") };
            let Installation { path, user, .. } = item.installation.as_ref().expect("one a row");
            assert_eq!(package.purl_type, "docker");
            format!(
                "{user} {path} {}/{}@{} {} {}",
                package.namespace,
                package.name,
                package.version,
                package.architecture,
                package.source_version.as_deref().unwrap_or_default()
            )
        })
        .collect();
    rows.sort();
    rows
}

/// The subjects of a part's problems, for the tests of this folder.
#[cfg(test)]
fn subjects(part: crate::sources::SectionPart) -> Vec<String> {
    part.problems.into_entries().into_iter().map(|entry| entry.subject).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references() {
        for (text, expected) in [
            ("nginx", Some(("nginx", None, None))),
            ("docker.io/library/nginx:1.27", Some(("nginx", Some("1.27"), None))),
            ("docker.io/bitnami/redis:7@sha256:ab", Some(("bitnami/redis", Some("7"), Some("sha256:ab")))),
            ("localhost:5000/a/b", Some(("localhost:5000/a/b", None, None))),
            ("localhost:5000/a/b:x", Some(("localhost:5000/a/b", Some("x"), None))),
            ("ghcr.io/a/b@sha256:ab", Some(("ghcr.io/a/b", None, Some("sha256:ab")))),
            ("sha256:ab", None),
            ("", None),
            ("/", Some(("/", None, None))),
            (":x", None),
            ("\u{1}", None),
        ] {
            let found = Reference::parse(text);
            let found = found
                .as_ref()
                .map(|found| (found.repository.as_str(), found.tag.as_deref(), found.digest.as_deref()));
            assert_eq!(found, expected, "{text:?}");
        }
    }

    #[test]
    fn configurations() {
        for (text, expected) in [
            (r#"{"architecture":"amd64","os":"linux","history":[{}]}"#, "amd64"),
            (r#"{"architecture":"arm","variant":"v7"}"#, "arm/v7"),
            (r#"{"architecture":7}"#, ""),
            ("", ""),
        ] {
            assert_eq!(Configuration::architecture(text.as_bytes()), expected);
        }
    }
}
